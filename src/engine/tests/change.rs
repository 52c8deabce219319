//! What matches say of changes.

use super::*;
use crate::model::ChangeStatus;
use crate::rule::{AddressTemplate, Change as ChangeRule, StatusOf};

/// A rule with the captures `app`, `phase` and `when`: `app` is the key, `phase` decides.
fn deploys() -> Rule {
    let capture = |ix| Segment::Value(Value::Capture(ix));
    let words = [("started", ChangeStatus::Processing), ("finished", ChangeStatus::Done)];
    let change = ChangeRule {
        key: Template(vec![Segment::Text("app ".into()), capture(0)]),
        status: StatusOf::Capture(1, words.map(|(word, status)| (word.into(), status)).into()),
        time: Some(Template(vec![capture(2)])),
        starts: Some(Template(vec![capture(2)])),
        ends: None,
        link: Some(AddressTemplate(Template(vec![Segment::Value(Value::Time)]))),
        linked_changes: vec![Template(vec![capture(0)]), Template(vec![capture(2)])],
    };
    Rule {
        sources: vec![SourceName::new("s")],
        captures: ["app", "phase", "when"].map(Into::into).to_vec(),
        labels: vec![("app".into(), Template(vec![capture(0)])), ("team".into(), Template::constant("shop"))],
        summary: Template(vec![Segment::Value(Value::Status), Segment::Text(" of ".into()), capture(0)]),
        description: Template(vec![Segment::Value(Value::Line)]),
        change: Some(change),
        ..Rule::bare("deploys")
    }
}

/// One line, live at that time unless it was found unread; what is said, and what was counted.
struct Said {
    reported: Vec<Reported>,
    counts: RuleCounts,
}

fn say(bench: &mut Bench, time: i64, live: bool, values: [&[u8]; 3]) -> Said {
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    let value = |value: &[u8]| (!value.is_empty()).then(|| value.into());
    let hit =
        KeptMatch { captures: values.map(value).to_vec(), ..bench.hit(FILE, MatchKind::Match, time, "") };
    again(bench, &hit, live)
}

fn again(bench: &mut Bench, hit: &KeptMatch, live: bool) -> Said {
    let now = at(NOW);
    let arrival = Arrival { at: live.then_some(now), modified: now, skew_us: 0 };
    bench.engine.read(Read { file: FILE, matches: [hit.seen()], stamp: None, arrival }, now);
    let reported = bench.engine.take().changes;
    let (_, counts, keys) = bench.engine.rule_counts().next().expect("there is one rule");
    assert_eq!(keys, 0, "nothing is remembered");
    Said { reported, counts }
}

/// 2026-01-05T10:00:00Z.
const NOW: i64 = 1_767_607_200;

fn one(values: [&[u8]; 3]) -> (ChangeReport, RuleCounts) {
    let said = say(&mut Bench::new(vec![deploys()]), NOW - 5, true, values);
    let [reported] = said.reported.try_into().expect("one line says one thing");
    assert!(!reported.stale);
    (reported.report, said.counts)
}

#[test]
fn a_match_says_of_one_change_how_far_it_has_come() {
    let (said, counts) = one([b"api", b"started", b""]);
    assert_eq!((counts.matches, counts.unreadable), (1, 0));
    assert_eq!((said.change_key.as_str(), said.status), ("app api", ChangeStatus::Processing));
    assert_eq!((said.time, said.seen, said.starts), (at(NOW - 5), at(NOW - 5), None));
    assert_eq!(
        (said.summary.as_str(), said.link.as_deref()),
        ("Processing of api", Some("2026-01-05T09%3A59%3A55Z"))
    );
    assert_eq!(said.description, format!("line at {}", NOW - 5));
    assert_eq!(said.linked_changes, ["api"], "an empty one is left out");
    let labels: Vec<_> = said.labels.iter().map(|(name, value)| (&**name, value.as_str())).collect();
    assert_eq!(labels, [("instance", "h"), ("team", "shop")]);
    assert_eq!(said.details["app"], "api");
    assert!(said.id().starts_with("deploys:") && said.id().ends_with("@1.10"), "{}", said.id());
    assert!(!said.id().contains("api"), "log text has no place in ids");
}

/// Computed with an independent program (Python's `hashlib` and `struct`): peers may know lines by it.
#[test]
fn the_id_of_a_change_never_changes() {
    let (said, _) = one([b"api", b"started", b""]);
    assert_eq!(said.id(), "deploys:9f31aed11fbef262aca4cdf65d79bc7e@1.10");
}

#[test]
fn a_stamp_may_lie_ahead_and_one_that_can_not_be_read_is_counted() {
    for (text, time, unread) in [
        ("2026-03-01T02:00:00+01:00", 1_772_326_800, 0),
        ("2027-01-05T10:00:00Z", 1_799_143_200, 0),
        // The year nearest to the line.
        ("Mar  1 01:00:00", 1_772_326_800, 0),
        ("Dec 31 23:59:59", 1_767_225_599, 0),
        ("1767607200", NOW, 0),
        ("next week", NOW - 5, 1),
        ("2026-02-30 10:00:00", NOW - 5, 1),
    ] {
        let (said, counts) = one([b"api", b"finished", text.as_bytes()]);
        assert_eq!((said.time, counts.unreadable), (at(time), unread), "{text}");
        assert_eq!(said.starts.is_some(), unread == 0, "{text}");
    }
}

#[test]
fn what_stands_for_no_status_or_has_no_key_makes_no_change_and_is_counted() {
    for (values, unknown, unreadable) in [
        ([&b"api"[..], b"paused", b""], 1, 0),
        ([b"api", b"", b""], 1, 0),
        ([b"api", b"Started", b""], 1, 0),
        ([b"api", b"\xff", b""], 1, 0),
        ([b"api", b"started", b""], 0, 0),
    ] {
        let said = say(&mut Bench::new(vec![deploys()]), NOW, true, values);
        let counts = said.counts;
        assert_eq!((counts.unknown_status, counts.unreadable), (unknown, unreadable), "{values:?}");
        assert_eq!(said.reported.len() as u64, counts.matches, "{values:?}");
        assert_eq!(counts.matches + unknown + unreadable, 1, "{values:?}");
    }
    let mut rule = deploys();
    rule.change.as_mut().unwrap().key = Template(vec![Segment::Value(Value::Capture(2))]);
    let said = say(&mut Bench::new(vec![rule]), NOW, true, [b"api", b"started", b" "]);
    assert_eq!((said.reported.len(), said.counts.unreadable), (0, 1));
}

#[test]
fn a_long_key_ends_in_its_digest_and_stays_another_one() {
    let key = |app: String| {
        let (said, _) = one([app.as_bytes(), b"started", b""]);
        assert!(said.change_key.len() <= 255 && said.change_key.starts_with("app "), "{}", said.change_key);
        said.change_key
    };
    assert_eq!(key("a".repeat(251)), format!("app {}", "a".repeat(251)));
    for letter in ["a", "é", "日", "\u{1f600}"] {
        let long = letter.repeat(3000);
        let (one, two) = (key(long.clone()), key(format!("{long}x")));
        assert_ne!(one, two, "{letter}");
        assert_eq!(one.split_once('~').unwrap().0, two.split_once('~').unwrap().0, "{letter}");
        assert_eq!(one, key(long), "{letter}");
    }
}

#[test]
fn what_was_found_late_is_told_to_nobody_and_counted() {
    let mut bench = Bench::new(vec![deploys()]);
    for (time, stale) in [(NOW - 901, true), (NOW - 900, false), (NOW, false)] {
        let said = say(&mut bench, time, false, [b"api", b"started", b""]);
        assert_eq!(said.reported.iter().map(|one| one.stale).collect::<Vec<_>>(), [stale], "{time}");
    }
    let (_, counts, _) = bench.engine.rule_counts().next().unwrap();
    assert_eq!((counts.matches, counts.stale_changes), (3, 1));
}

#[test]
fn a_line_that_was_matched_before_its_end_says_its_change_once() {
    let mut bench = Bench::new(vec![deploys()]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    let captures = [&b"api"[..], b"started", b""].map(|value| Some(value.into())).to_vec();
    let partial = KeptMatch { partial: true, captures, ..bench.hit(FILE, MatchKind::Match, NOW, "") };
    assert_eq!(again(&mut bench, &partial, true).reported.len(), 1);
    let whole = KeptMatch { partial: false, ..partial.clone() };
    assert_eq!(again(&mut bench, &whole, true).reported.len(), 0);
    // Also if the process ended in between.
    bench.collect();
    let mut later = Bench::resume(vec![deploys()], bench.rows, at(NOW));
    later.engine.phase(FILE, Phase::AtEnd, at(NOW));
    assert_eq!(again(&mut later, &KeptMatch { partial: true, ..whole.clone() }, true).reported.len(), 0);
}

#[test]
fn a_rule_that_speaks_of_changes_from_now_on_ends_its_alerts() {
    let mut bench = Bench::new(vec![Rule { by: Vec::new(), ..rule("deploys", 1, 0, None) }]);
    bench.line(NOW, "a", MatchKind::Match);
    let new = Ruleset { rules: vec![deploys()] };
    let open: Vec<_> = bench.engine.open_keys().map(|(open, _)| open).collect();
    let old: Vec<_> = bench.engine.outlines().collect();
    let planned = crate::engine::plan::plan(&old, &new, &open);
    assert_eq!((planned[0].kept.len(), planned[0].resolved.len()), (0, 1), "{planned:?}");
    bench.engine.adopt(Arc::new(new), timings(), at(NOW + 1));
    bench.collect();
    assert_eq!(bench.said.last().map(|(_, _, status)| *status), Some("ok"));
    assert!(bench.rows.keys.is_empty());
}
