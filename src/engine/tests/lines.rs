//! What an alert remembers of its lines, and the links that are made of them.

use super::*;
use crate::model::{Image, Link};
use crate::rule::{AddressTemplate, ImageTemplate, LinesKept, LinkTemplate};

/// A rule of which `lines` are told as a description.
fn keeps(first: usize, last: usize) -> Rule {
    Rule {
        lines_kept: LinesKept { first, last },
        renotify: Some(secs(100)),
        ..rule("r", 3, 1000, Some(50_000))
    }
}

/// What was told last, as (description, first lines, last lines), each line by its time.
fn told(bench: &mut Bench) -> Option<[String; 3]> {
    let output = bench.engine.take();
    for change in bench.engine.take_changes() {
        change.keep(&mut bench.rows);
    }
    let t = output.transitions.last()?.transition.clone();
    let short = |text: &str| text.replace("line at ", "").replace('\n', " ");
    Some([short(&t.description), short(&t.lines.join(" ")), short(&t.last_lines.join(" "))])
}

fn line(bench: &mut Bench, time: i64) -> Option<[String; 3]> {
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    let hit = bench.hit(FILE, MatchKind::Match, time, "a");
    let arrival = Arrival { at: Some(at(time)), modified: at(time), skew_us: 0 };
    bench.engine.read(Read { file: FILE, matches: [hit.seen()], stamp: None, arrival }, at(time));
    told(bench)
}

#[test]
fn the_lines_of_an_alert_survive_restarts_and_reloads_and_are_told_with_it() {
    let three = |texts: [&str; 3]| Some(texts.map(str::to_owned));
    for (restart, reload) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut bench = Bench::new(vec![keeps(2, 2)]);
        assert_eq!(line(&mut bench, 1), None);
        assert_eq!(line(&mut bench, 2), None);
        // Those that led to it, the newest of them.
        assert_eq!(line(&mut bench, 3), three(["2 3", "2 3", ""]));
        for time in 4..=8 {
            assert_eq!(line(&mut bench, time), None);
        }
        if restart {
            bench = Bench::resume(vec![keeps(2, 2)], bench.rows, at(9));
        }
        if reload {
            bench.engine.adopt(Arc::new(Ruleset { rules: vec![keeps(2, 2)] }), timings(), at(9));
        }
        bench.engine.phase(FILE, Phase::AtEnd, at(9));
        line(&mut bench, 9);
        bench.engine.tick(at(103));
        assert_eq!(told(&mut bench), three(["2 3 … 8 9", "2 3", "8 9"]), "{restart} {reload}");
        // The rule keeps less from now on: what is let go does not come again.
        bench.engine.adopt(Arc::new(Ruleset { rules: vec![keeps(1, 0)] }), timings(), at(110));
        bench.engine.tick(at(203));
        assert_eq!(told(&mut bench), three(["2", "2", ""]));
        // A rule that is gone has told of its lines for the last time.
        bench.engine.adopt(Arc::new(Ruleset::default()), timings(), at(210));
        assert_eq!(told(&mut bench), three(["2", "2", ""]));
        assert!(bench.rows.keys.is_empty());
    }
}

#[test]
fn an_end_is_told_in_the_words_of_the_beginning_and_with_the_lines_of_now() {
    let mut bench = Bench::new(vec![Rule { resolve_after: Some(secs(10)), renotify: None, ..keeps(2, 2) }]);
    (1..=6).for_each(|time| drop(line(&mut bench, time)));
    bench.engine.tick(at(2000));
    assert_eq!(told(&mut bench), Some(["2 3", "2 3", "5 6"].map(str::to_owned)));
    // The next life begins with lines of its own.
    (3001..=3002).for_each(|time| drop(line(&mut bench, time)));
    assert_eq!(line(&mut bench, 3003), Some(["3002 3003", "3002 3003", ""].map(str::to_owned)));
}

#[test]
fn a_secret_in_a_line_is_not_kept() {
    let mut bench = Bench::new(vec![rule("r", 1, 0, Some(10))]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    let hit = KeptMatch {
        line: b"login password=hunter2 failed".as_slice().into(),
        ..bench.hit(FILE, MatchKind::Match, 1, "a")
    };
    let arrival = Arrival { at: Some(at(1)), modified: at(1), skew_us: 0 };
    bench.engine.read(
        Read { file: FILE, matches: [hit.seen(), hit.seen(), hit.seen()], stamp: None, arrival },
        at(1),
    );
    let t = bench.engine.take().transitions.swap_remove(0).transition;
    assert_eq!(t.lines, ["login password=*** failed"]);
    bench.collect();
    assert!(!format!("{:?}", bench.rows).contains("hunter2"), "{:?}", bench.rows);
    assert_eq!(bench.rows.keys[0].lines.len(), 3);
}

#[test]
fn links_are_made_of_what_was_captured_and_stay_as_they_were_told() {
    let place = || Segment::Value(Value::Capture(0));
    let link = |path: &str| LinkTemplate {
        href: AddressTemplate(Template(vec![Segment::Text(format!("https://wiki/{path}").into()), place()])),
        text: Some(Template(vec![Segment::Text("of ".into()), place()])),
    };
    let links = vec![link("a/"), link(&"x".repeat(2048))];
    let runbook = Some(AddressTemplate(Template(vec![Segment::Text("https://wiki/?".into()), place()])));
    let image = |path: &str| ImageTemplate { src: link(path).href, href: Some(link(path).href), alt: None };
    let images = vec![image("b/"), image(&"x".repeat(2048))];
    let rule = Rule { links, runbook, images, resolve_after: Some(secs(10)), ..rule("r", 1, 0, None) };
    let mut bench = Bench::new(vec![rule.clone()]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    let hit = bench.hit(FILE, MatchKind::Match, 1, "../@evil b");
    let arrival = Arrival { at: Some(at(1)), modified: at(1), skew_us: 0 };
    bench.engine.read(Read { file: FILE, matches: [hit.seen()], stamp: None, arrival }, at(1));
    // One that is too long is left out.
    let href = "https://wiki/a/..%2F%40evil%20b".to_owned();
    let expected = [Link { href, text: Some("of ../@evil b".to_owned()) }];
    let told = bench.engine.take().transitions[0].transition.clone();
    assert_eq!(told.links, expected);
    assert_eq!(told.runbook.as_deref(), Some("https://wiki/?..%2F%40evil%20b"));
    let src = "https://wiki/b/..%2F%40evil%20b".to_owned();
    assert_eq!(told.images, [Image { href: Some(src.clone()), src, alt: None }]);
    bench.collect();
    let mut bench = Bench::resume(vec![Rule { links: Vec::new(), ..rule }], bench.rows, at(5));
    bench.engine.phase(FILE, Phase::AtEnd, at(5));
    bench.engine.tick(at(50));
    assert_eq!(bench.engine.take().transitions[0].transition.links, expected);
}
