//! Silences against the engine: what they hold back, and that they swallow nothing.

use super::*;
use crate::engine::silence::{MOST_SILENCES, MOST_TERMS, Term, new_terms, read_terms};
use crate::rule::Template;

use MatchKind::{Match as M, Resolve as R};

fn latched(name: &str) -> Rule {
    Rule { latch: true, ..rule(name, 1, 0, None) }
}

/// What happens to a bench with the latched rules `r` and `other`.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A line of `r` for a key.
    Line(i64, &'static str, MatchKind),
    /// A silence that is made then, and lasts so long.
    Silence(i64, &'static str, i64),
    /// The first silence is removed.
    Remove(i64),
}
use Act::{Line, Remove, Silence};

fn act(bench: &mut Bench, act: Act) {
    match act {
        Line(time, key, kind) => bench.line(time, key, kind),
        Silence(time, term, span) => {
            bench.ring_before(time);
            let made = bench.engine.silence(vec![term.to_owned()], at(time + span), String::new(), at(time));
            made.unwrap();
            bench.collect();
        }
        Remove(time) => {
            bench.ring_before(time);
            let first = bench.engine.silences().next().map(|row| row.id).expect("there is one");
            bench.engine.unsilence(first, at(time)).expect("it was listed");
            bench.run_until(time);
        }
    }
}

fn check(acts: &[Act], expected: &[(i64, &str, &str, Tell)]) {
    for restart in [false, true] {
        let mut bench = Bench::new(vec![latched("r")]);
        bench.engine.phase(FILE, Phase::AtEnd, at(0));
        for (number, one) in acts.iter().enumerate() {
            act(&mut bench, *one);
            if restart {
                let (said, tells) = (std::mem::take(&mut bench.said), std::mem::take(&mut bench.tells));
                let now = bench.engine.now;
                bench = Bench { said, tells, ..Bench::resume(vec![latched("r")], bench.rows, now) };
                bench.engine.phase(FILE, Phase::AtEnd, now);
                bench.skip(1000 * (number as u64 + 1));
            }
        }
        bench.run_until(1000);
        let said: Vec<_> = bench.said.iter().zip(&bench.tells).collect();
        let said = said.iter().map(|((time, key, status), tell)| (*time, key.as_str(), *status, **tell));
        assert_eq!(said.collect::<Vec<_>>(), expected, "{acts:?} {restart}");
        assert_eq!((bench.engine.silences().count(), bench.rows.silences.len()), (0, 0));
    }
}

#[test]
fn a_raise_is_held_while_a_silence_is_true_of_it_and_told_at_its_end() {
    check(
        &[Silence(5, "k=a", 100), Line(10, "a", M), Line(11, "b", M), Line(200, "a", R)],
        &[
            (10, "a", "warning", Tell::Known),
            (11, "b", "warning", Tell::Now),
            (10, "a", "warning", Tell::IfOther),
            (200, "a", "ok", Tell::Now),
        ],
    );
    check(
        &[Silence(5, "k=a", 500), Line(10, "a", M), Remove(60), Line(200, "a", R)],
        &[
            (10, "a", "warning", Tell::Known),
            (10, "a", "warning", Tell::IfOther),
            (200, "a", "ok", Tell::Now),
        ],
    );
    // Its last moment is not part of it.
    check(&[Silence(5, "k=a", 100), Line(105, "a", M)], &[(105, "a", "warning", Tell::Now)]);
    // Over before its end: nobody hears of it.
    check(
        &[Silence(5, "k=a", 100), Line(10, "a", M), Line(20, "a", R)],
        &[(10, "a", "warning", Tell::Known), (20, "a", "ok", Tell::Now)],
    );
}

#[test]
fn who_knows_of_the_beginning_is_told_the_rest_and_the_next_beginning_is_held() {
    check(
        &[Line(1, "a", M), Silence(5, "rule=r", 100), Line(10, "a", R), Line(20, "a", M)],
        &[
            (1, "a", "warning", Tell::Now),
            (10, "a", "ok", Tell::Now),
            (20, "a", "warning", Tell::Known),
            (20, "a", "warning", Tell::IfOther),
        ],
    );
}

#[test]
fn two_silences_hold_until_the_later_is_over() {
    check(
        &[
            Silence(5, "k=a", 100),
            Silence(6, "rule=r", 200),
            Line(10, "a", M),
            Line(150, "b", M),
            Line(151, "b", R),
        ],
        &[
            (10, "a", "warning", Tell::Known),
            (150, "b", "warning", Tell::Known),
            (151, "b", "ok", Tell::Now),
            (10, "a", "warning", Tell::IfOther),
        ],
    );
}

#[test]
fn what_gets_worse_than_its_silence_is_told() {
    let mut ladder = rule("r", 1, 1000, Some(100));
    ladder.ladder[2] = Some(Comparison { op: Op::AtLeast, than: 3.0 });
    let mut bench = Bench::new(vec![ladder]);
    act(&mut bench, Silence(0, "severity<=warning", 500));
    (1..4).for_each(|time| bench.line(time, "a", M));
    assert_eq!(bench.tells, [Tell::Known, Tell::Now]);
    assert_eq!(bench.said[1], (3, "a".to_owned(), "critical"));
}

#[test]
fn a_silence_that_ends_while_a_file_is_behind_tells_at_its_end() {
    let mut bench = Bench::new(vec![latched("r")]);
    act(&mut bench, Silence(0, "k=~.+", 100));
    bench.line(10, "a", M);
    bench.engine.phase(FILE, Phase::Behind, at(11));
    bench.run_until(5000);
    assert_eq!(bench.tells, [Tell::Known]);
    bench.engine.phase(FILE, Phase::AtEnd, at(5001));
    bench.run_until(5001);
    assert_eq!(bench.tells, [Tell::Known, Tell::IfOther]);
}

fn transition(details: &[(&str, &str)]) -> Transition {
    let mut one = latched("ssh");
    one.labels = details.iter().map(|(name, value)| ((*name).into(), Template::constant(value))).collect();
    let mut bench = Bench::new(vec![one]);
    bench.line(1, "10.0.0.7", M);
    bench.engine.open_alerts().next().cloned().expect("it is open")
}

fn holds(term: &str) -> Result<bool, String> {
    let alert = transition(&[("team", "db")]);
    let term = Term::read(term)?;
    Ok(term.holds(&alert))
}

#[test]
fn terms_are_true_of_labels_rule_and_severity() {
    for (term, expected) in [
        ("team=db", true),
        ("team == db", true),
        ("team=\"db\"", true),
        ("team='web'", false),
        ("team!=db", false),
        ("team!=web", true),
        ("rule=ssh", true),
        ("rule=~s.h", true),
        ("rule=~ss", false),
        ("rule!~ss", true),
        ("k=~10\\..*", true),
        ("k=~a|10.*", true),
        ("k!~10.*", false),
        ("none=", true),
        ("none!=x", true),
        ("severity<=warning", true),
        ("severity<warning", false),
        ("severity=warning", true),
        ("severity!=critical", true),
        ("severity>=critical", false),
    ] {
        assert_eq!(holds(term), Ok(expected), "{term}");
    }
}

#[test]
fn a_term_that_is_wrong_is_told_with_the_way_out() {
    for (term, words) in [
        ("", "compares nothing"),
        ("team", "`team` compares nothing: write `team=db`"),
        ("team!", "compares nothing"),
        ("=db", "does not begin with the name of a label"),
        ("te am=db", "does not begin with the name"),
        ("team<db", "only `severity`"),
        ("severity=~w.*", "a severity is compared"),
        ("severity<bad", "`info`, `warning` or `critical`"),
        ("k=~(", "is no pattern: unclosed group"),
        ("k=~a)|(b", "is no pattern"),
        ("k=~(?:\\w{100}){100}", "too large"),
        ("k=\u{1b}[2J\u{7}", ""),
    ] {
        match holds(term) {
            Err(why) => assert!(why.contains(words) && !words.is_empty(), "{term}: {why}"),
            Ok(_) => assert_eq!(words, "", "{term}"),
        }
    }
    let all = |terms: &[&str]| read_terms(&terms.iter().map(|term| (*term).to_owned()).collect::<Vec<_>>());
    assert!(all(&[]).unwrap_err().contains("1 to 16 terms"));
    assert!(all(&vec!["a=b"; MOST_TERMS + 1]).is_err());
    assert!(all(&["team!=db", "k=~.*"]).unwrap_err().contains("every alert without such a label"));
    assert!(all(&["team!=db", "rule=x"]).is_ok());
    assert!(all(&["severity>=info"]).is_ok());
    assert!(
        all(&["a", "b"]).unwrap_err().contains("`a` compares nothing")
            && all(&["a", "b"]).unwrap_err().contains('\n')
    );
    assert!(Term::read(&format!("a={}", "x".repeat(2000))).is_err());
}

#[test]
fn terms_that_contradict_each_other_are_refused_with_both_of_them() {
    let check = |terms: &[&str], words: &str| {
        let texts: Vec<String> = terms.iter().map(|term| (*term).to_owned()).collect();
        match new_terms(&texts) {
            Err(why) => assert!(why.contains(words) && !words.is_empty(), "{terms:?}: {why}"),
            Ok(_) => assert_eq!(words, "", "{terms:?}"),
        }
    };
    check(&["rule=a", "rule=b"], "`rule=a` and `rule=b` are never true of the same alert");
    check(&["rule=~a|b", "team=db", "rule=c"], "`rule=~a|b` and `rule=c` are never true");
    check(&["k!=x", "k=x"], "`k!=x` and `k=x`");
    check(&["k=", "k=x"], "`k=` and `k=x`");
    check(&["k!~x.*", "k=xy"], "`k!~x.*` and `k=xy`");
    check(&["severity<info"], "no severity is `severity<info`");
    check(
        &["severity=info", "team=db", "severity>info"],
        "no severity is `severity=info` and `severity>info`",
    );
    for fine in [
        &["rule=a", "rule=a"][..],
        &["rule=~a|b", "rule=a"],
        &["rule=~a.*", "rule=~b.*"],
        &["k=x", "team=x", "k!=y"],
        &["severity>=info", "severity<=warning", "severity!=info"],
    ] {
        check(fine, "");
    }
    // One that was made before is kept.
    let texts: Vec<String> = ["rule=a", "rule=b"].map(str::to_owned).into();
    assert!(read_terms(&texts).is_ok());
    let mut engine = Bench::new(vec![latched("r")]).engine;
    assert!(engine.silence(texts, at(10), String::new(), at(1)).unwrap_err().contains("are never true"));
}

#[test]
fn what_no_rule_in_force_can_make_true_is_doubted() {
    let labelled = |name: &str, team: Template| Rule {
        labels: vec![("team".into(), team), ("tier".into(), Template::constant("1"))],
        ..latched(name)
    };
    let captured = Template(vec![Segment::Value(Value::Capture(0))]);
    let mut critical = latched("other");
    critical.ladder = [None, None, critical.ladder[1]];
    critical.flap = None;
    let change = Rule { labels: vec![("app".into(), Template::constant("x"))], ..latched("deploy") };
    let change = Rule {
        change: Some(crate::rule::Change {
            key: Template::constant("x"),
            status: crate::rule::StatusOf::Word(crate::model::ChangeStatus::Done),
            time: None,
            starts: None,
            ends: None,
            link: None,
            linked_changes: Vec::new(),
        }),
        ..change
    };
    let engine =
        |team: Template| Bench::new(vec![labelled("r", team), critical.clone(), change.clone()]).engine;
    let all = "no rule in force has alerts of which all of it is true, so for now it holds back nothing";
    let (fixed, free) = (engine(Template::constant("db")), engine(captured));
    let check = |engine: &Engine, terms: &[&str], expected: &[&str]| {
        let texts: Vec<String> = terms.iter().map(|term| (*term).to_owned()).collect();
        assert_eq!(engine.doubts(&new_terms(&texts).unwrap()), expected, "{terms:?}");
    };
    for fine in [
        "rule=r",
        "rule=~o.*",
        "k=anything",
        "team=db",
        "tier=1",
        "severity=critical",
        "instance=h",
        "flapping=true",
    ] {
        check(&fixed, &[fine], &[]);
    }
    check(&free, &["team=dbb"], &[]);
    check(&fixed, &["team=dbb"], &["the label `team` is only `db`", all]);
    check(&fixed, &["team=~d"], &["the label `team` is only `db`", all]);
    check(&fixed, &["rule=rr"], &["no rule in force is called `rr`", all]);
    check(&fixed, &["rule=~x.*"], &["no rule in force has such a name", all]);
    check(&fixed, &["rule!=rr", "k=a"], &["no rule in force is called `rr`"]);
    check(&fixed, &["teem=db"], &["no rule in force has a label `teem`", all]);
    check(&fixed, &["teem!=db", "k=a"], &["no rule in force has a label `teem`"]);
    check(&fixed, &["app=x"], &["no rule in force has a label `app`", all]);
    check(&fixed, &["severity=info"], &["no rule in force has an alert of such a severity", all]);
    check(&fixed, &["instance=web-9"], &["the label `instance` is only `h`", all]);
    // Each by itself is true of one rule, and no rule is both.
    check(&fixed, &["team=db", "rule=other"], &[all]);
    check(&fixed, &["team=db", "severity=critical"], &[all]);
    check(
        &fixed,
        &["rule=deploy"],
        &["the rule `deploy` tells of changes, which no silence holds back", all],
    );
}

#[test]
fn each_open_alert_says_why_nobody_was_told_of_it() {
    let week = || vec![crate::rule::Schedule::weekly(crate::rule::Days::ALL, Vec::new(), TimeZone::UTC)];
    let bound = Some(crate::rule::MaxRaises { most: 1, within: secs(1000) });
    let rules = vec![
        latched("r"),
        Rule { mute: week(), ..latched("muted") },
        Rule { unless: vec![RuleName::new("r")], ..latched("second") },
        Rule { max_raises: bound, ..latched("many") },
    ];
    let mut bench = Bench::new(rules);
    act(&mut bench, Silence(0, "k=quiet", 500));
    for (rule, key) in
        [(0, "a"), (1, "a"), (2, "a"), (2, "b"), (3, "a"), (3, "b"), (0, "quiet"), (1, "quiet"), (3, "quiet")]
    {
        bench.line_of(rule, 10, key, M);
    }
    let engine = &bench.engine;
    let mut why: Vec<String> = engine
        .open_alerts()
        .map(|alert| {
            let why = engine.why_untold(alert).map_or("told".to_owned(), |why| why.to_string());
            assert_eq!(engine.is_held(alert), why != "told" && !why.contains("storm"), "{why}");
            format!("{} {}: {why}", alert.key.rule, alert.labels["k"])
        })
        .collect();
    why.sort();
    let expected = [
        "many a: told",
        "many b: only in `tripline_storm`",
        "many quiet: silence 0",
        "muted a: muted",
        "muted quiet: muted",
        "r a: told",
        "r quiet: silence 0",
        "second a: unless r",
        "second b: told",
    ];
    assert_eq!(why, expected);
    let covered: Vec<_> = engine.covered_by(0).map(|alert| alert.key.rule.to_string()).collect();
    assert_eq!((covered.len(), engine.covered_by(1).count()), (3, 0), "{covered:?}");
    // What is found in a backlog waits for its end.
    let mut bench = Bench::new(vec![latched("r")]);
    bench.engine.phase(FILE, Phase::Behind, at(100_000));
    let hit = bench.hit(FILE, M, 10, "a");
    let arrival = Arrival { at: None, modified: at(10), skew_us: 0 };
    bench.engine.read(Read { file: FILE, matches: [hit.seen()], stamp: None, arrival }, at(100_000));
    let alert = bench.engine.open_alerts().next().expect("it is open");
    assert_eq!(bench.engine.why_untold(alert), Some(Untold::Backlog));
    bench.engine.phase(FILE, Phase::AtEnd, at(100_000));
    bench.engine.tick(at(100_000));
    let alert = bench.engine.open_alerts().next().expect("it is open");
    assert_eq!(bench.engine.why_untold(alert), None);
}

#[test]
fn silences_have_names_bounds_and_an_end_in_the_future() {
    let mut engine = Bench::new(vec![latched("r")]).engine;
    let mut add = |until| engine.silence(vec!["a=b".to_owned()], at(until), String::new(), at(100));
    assert!(add(100).unwrap_err().contains("is over"));
    let ids: Vec<u64> = (0..MOST_SILENCES).map(|_| add(200).unwrap().id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b) && ids[0] == 100);
    assert!(add(200).unwrap_err().contains("1000 silences already"));
    assert_eq!(engine.unsilence(7, at(101)), None);
    engine.tick(at(199));
    assert_eq!((engine.silences().count(), engine.next_wake()), (MOST_SILENCES, Some(at(200))));
    engine.tick(at(200));
    assert_eq!((engine.silences().count(), engine.next_wake()), (0, None));
}

#[test]
fn a_silence_that_this_version_does_not_understand_silences_nothing_and_goes_when_it_is_over() {
    let row = |id, until, term: &str| {
        let (terms, comment) = (vec![term.to_owned()], String::new());
        crate::saved::SavedSilence { id, terms, from: at(1), until: at(until), comment }
    };
    let silences = vec![row(150, 200, "k ~~~ of another version"), row(7, 300, "k=b")];
    let mut saved = Saved { silences, ..Saved::default() };
    let ruleset = Arc::new(Ruleset { rules: vec![latched("r")] });
    let mut engine = Engine::new(ruleset, "h".to_owned(), Vec::new(), &mut saved, at(100));
    assert_eq!(engine.silences().map(|silence| silence.id).collect::<Vec<_>>(), [7]);
    let made = engine.silence(vec!["k=c".to_owned()], at(400), String::new(), at(100)).unwrap();
    assert_eq!(made.id, 151, "no name is given twice");
    let _ = engine.take_changes();
    assert_eq!(engine.next_wake(), Some(at(200)));
    engine.tick(at(199));
    assert_eq!(engine.take_changes(), []);
    engine.tick(at(200));
    assert_eq!(engine.take_changes(), [Change::SilenceGone(150)]);
    assert_eq!(engine.next_wake(), Some(at(300)));
}

proptest! {
    /// However silences come and go: nobody is told of a beginning while one is true of it, whoever was told is told of
    /// the end, and when all silences are over everybody knows what is so.
    #[test]
    fn a_silence_holds_beginnings_and_swallows_nothing(
        acts in prop::collection::vec((0i64..40, 0usize..3, 0u8..8), 0..60),
        restart in any::<prop::sample::Index>(),
    ) {
        let keys = ["a", "b", "c"];
        let mut bench = Bench::new(vec![latched("r")]);
        bench.engine.phase(FILE, Phase::AtEnd, at(0));
        let mut told: BTreeMap<String, &str> = BTreeMap::new();
        // Per key: when the last of its silences is over.
        let mut hear = |bench: &mut Bench, silenced: &dyn Fn(&str) -> bool| {
            for ((_, key, status), tell) in bench.said.drain(..).zip(bench.tells.drain(..)) {
                let last = told.entry(key.clone()).or_insert("ok");
                match tell {
                    Tell::Known if *last == "ok" => {}
                    Tell::Now | Tell::Known | Tell::IfOther => {
                        assert!(!(*last == "ok" && status != "ok" && silenced(&key)), "{key}");
                        *last = status;
                    }
                    Tell::Stale | Tell::Again => unreachable!("nothing is late or told again"),
                }
            }
            told.clone()
        };
        let mut time = 0;
        let restart = restart.index(acts.len().max(1));
        for (number, (wait, key, what)) in acts.iter().enumerate() {
            // One second at a time, so that it is known what was silent when it was told.
            for second in time..=time + wait {
                bench.run_until(second);
                let engine = &bench.engine;
                let silent: BTreeSet<String> = engine
                    .silences()
                    .filter(|row| row.until > at(second))
                    .map(|row| row.terms[0].trim_start_matches("k=").to_owned())
                    .collect();
                hear(&mut bench, &|key| silent.contains(key));
            }
            time += wait;
            if number == restart {
                let rows = std::mem::take(&mut bench.rows);
                bench = Bench::resume(vec![latched("r")], rows, at(time));
                bench.engine.phase(FILE, Phase::AtEnd, at(time));
                bench.skip(100_000);
            }
            let before: BTreeSet<String> =
                bench.engine.silences().map(|row| row.terms[0].trim_start_matches("k=").to_owned()).collect();
            match what {
                0..4 => bench.line(time, keys[*key], M),
                4 | 5 => bench.line(time, keys[*key], R),
                6 => {
                    let term = format!("k={}", keys[*key]);
                    bench.engine.silence(vec![term], at(time + 1 + wait * 2), String::new(), at(time)).unwrap();
                    bench.collect();
                }
                _ => {
                    let first = bench.engine.silences().next().map(|row| row.id);
                    if let Some(id) = first {
                        bench.engine.unsilence(id, at(time));
                        bench.collect();
                    }
                }
            }
            hear(&mut bench, &|key| before.contains(key));
        }
        bench.run_until(time + 1000);
        let told = hear(&mut bench, &|_| false);
        for key in keys {
            let open = bench.engine.open_alerts().any(|alert| alert.labels["k"] == key);
            let knows = told.get(key).is_some_and(|status| *status != "ok");
            prop_assert_eq!(open, knows, "{}", key);
        }
        prop_assert_eq!(bench.engine.held.len(), 0);
    }
}

#[test]
fn what_a_silence_lets_go_counts_once_towards_a_storm() {
    let bound = crate::rule::MaxRaises { most: 2, within: secs(60) };
    let mut bench = Bench::new(vec![Rule { max_raises: Some(bound), ..latched("r") }]);
    act(&mut bench, Silence(0, "rule=r", 100));
    (10..13).zip(["a", "b", "c"]).for_each(|(time, key)| bench.line(time, key, M));
    assert_eq!(bench.tells, [Tell::Known; 3]);
    bench.tells.clear();
    bench.run_until(100);
    bench.tells.sort_by_key(|tell| *tell == Tell::Known);
    assert_eq!(bench.tells, [Tell::IfOther, Tell::IfOther]);
}
