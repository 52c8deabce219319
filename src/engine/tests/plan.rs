//! The plan of a reload against the reload.

use super::*;
use crate::engine::plan::{Fate, Outline, Planned, plan};
use crate::model::AlertKey;

/// What may be written of a rule.
#[derive(Clone, Debug)]
struct Written {
    name: &'static str,
    keyed: bool,
    scoped: bool,
    absent: bool,
    outlives: bool,
    condition: u8,
    texts: u8,
    expect: Vec<&'static str>,
}

const KEYS: [&str; 3] = ["a", "b", "c"];

impl Written {
    fn rule(&self) -> Rule {
        let mut rule = if self.absent { missing(&self.expect) } else { rule("r", 2, 1000, None) };
        rule.name = RuleName::new(self.name);
        if !self.keyed {
            rule.by = Vec::new();
            // Without `by` the only key is expected.
            rule.expect = if self.absent { vec![Vec::new()] } else { Vec::new() };
        }
        rule.scoped = self.scoped;
        rule.outlives = self.outlives.then_some(secs(1_000_000));
        // As `config` does, what is expected is part of the condition.
        let expected =
            self.expect.iter().map(|value| value.as_bytes()[0]).fold(0, |a, b| a * 3 + (b - b'a') + 1);
        rule.condition_digest = [self.condition * 64 + u8::from(self.absent) * 32 + expected % 32; 16];
        rule.texts_digest = [self.texts; 16];
        rule
    }
}

fn written(name: &'static str) -> impl Strategy<Value = Option<Written>> {
    let expect = prop::sample::subsequence(vec!["a", "b"], 0..3);
    let rule = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0u8..2, 0u8..2, expect);
    prop::option::weighted(0.8, rule).prop_map(move |rule| {
        let (keyed, scoped, absent, outlives, condition, texts, expect) = rule?;
        Some(Written { name, keyed, scoped, absent, outlives, condition, texts, expect })
    })
}

fn all_written() -> impl Strategy<Value = Vec<Written>> {
    (written("one"), written("two"), written("three"))
        .prop_map(|(one, two, three)| [one, two, three].into_iter().flatten().collect())
}

/// The same rules, of which some were edited: what most reloads are.
fn edited() -> impl Strategy<Value = (Vec<Written>, Vec<Written>)> {
    let edit = (0usize..4, any::<prop::sample::Index>(), all_written());
    (all_written(), prop::collection::vec(edit, 0..4)).prop_map(|(old, edits)| {
        let mut new = old.clone();
        for (what, which, others) in edits {
            if new.is_empty() {
                new = others;
                continue;
            }
            let at = which.index(new.len());
            let other = others.first().cloned();
            let rule = &mut new[at];
            match (what, other) {
                (0, _) => rule.texts ^= 1,
                (1, _) => rule.condition ^= 1,
                (2, Some(other)) => rule.expect = other.expect,
                _ => drop(new.remove(at)),
            }
        }
        (old, new)
    })
}

fn rules(written: &[Written]) -> Vec<Rule> {
    written.iter().map(Written::rule).collect()
}

fn check(old: &[Written], new: &[Written], lines: &[(usize, usize)]) {
    let mut bench = Bench::new(rules(old));
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    let mut time = 0;
    for (rule, key) in lines {
        if *rule < old.len() {
            time += 1;
            let hit = bench.hit(FILE, MatchKind::Match, time, KEYS[*key]);
            let hit = KeptMatch { rule: RuleIx(u32::try_from(*rule).unwrap()), ..hit };
            let arrival = Arrival { at: Some(at(time)), modified: at(time), skew_us: 0 };
            bench.engine.read(Read { file: FILE, matches: [hit.seen()], stamp: None, arrival }, at(time));
        }
    }
    // What is absent is missed by now.
    bench.run_until(200);
    let windows = |engine: &Engine| -> BTreeMap<AlertKey, u64> {
        let rules = engine.ruleset.rules.iter().zip(&engine.keys);
        let keys = rules.flat_map(|(rule, keys)| keys.values().map(move |key| (rule, key)));
        keys.map(|(rule, key)| (AlertKey { rule: rule.name.clone(), hash: key.hash }, key.window.count()))
            .collect()
    };
    let outlines: Vec<Outline> = bench.engine.outlines().collect();
    let open: Vec<_> = bench.engine.open_keys().map(|(open, _)| open).collect();
    let before = windows(&bench.engine);
    let ruleset = Ruleset { rules: rules(new) };
    let planned = plan(&outlines, &ruleset, &open);

    bench.engine.adopt(Arc::new(ruleset), timings(), at(201));
    let ended = bench.engine.take().transitions.into_iter().map(|emitted| emitted.transition);
    let mut ended: Vec<AlertKey> = ended
        .map(|t| {
            assert_eq!((t.status, t.reason), (Status::Ok, Reason::RuleGone));
            t.key
        })
        .collect();
    let mut resolved: Vec<AlertKey> = planned.iter().flat_map(|rule| rule.resolved.clone()).collect();
    let mut open: Vec<AlertKey> = bench.engine.open_alerts().map(|alert| alert.key.clone()).collect();
    let all = planned.iter().flat_map(|rule| rule.kept.iter().chain(&rule.orphaned).cloned());
    let mut kept: Vec<AlertKey> = all.collect();
    let orphans = bench.engine.open_alerts().filter(|alert| bench.engine.is_orphan(alert));
    let mut orphans: Vec<AlertKey> = orphans.map(|alert| alert.key.clone()).collect();
    let mut orphaned: Vec<AlertKey> = planned.iter().flat_map(|rule| rule.orphaned.clone()).collect();
    for keys in [&mut ended, &mut resolved, &mut open, &mut kept, &mut orphans, &mut orphaned] {
        keys.sort();
    }
    assert_eq!((ended, open, orphans), (resolved, kept, orphaned), "{planned:?}");
    let after = windows(&bench.engine);
    let name = |rule: &str| RuleName::new(rule);
    for Planned { rule, fate, .. } in &planned {
        let of = |counts: &BTreeMap<AlertKey, u64>| -> Vec<(AlertKey, u64)> {
            counts.iter().filter(|(key, _)| key.rule == *rule).map(|(key, n)| (key.clone(), *n)).collect()
        };
        let (old, new) = (of(&before), of(&after));
        match fate {
            Fate::Unchanged | Fate::Texts => assert_eq!(old, new, "{fate:?}"),
            Fate::Condition => assert!(new.iter().all(|(_, count)| *count == 0), "{new:?}"),
            Fate::New => assert!(old.is_empty() && new.is_empty()),
            Fate::Rekeyed | Fate::Gone | Fate::Renamed(_) => assert_eq!(new, []),
        }
    }
    let listed: BTreeSet<_> = planned.iter().map(|rule| rule.rule.clone()).collect();
    let all: BTreeSet<_> = old.iter().chain(new).map(|rule| name(rule.name)).collect();
    assert_eq!((planned.len(), listed), (all.len(), all));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(600)))]
    #[test]
    fn a_reload_does_what_its_plan_says(
        (old, new) in edited(), lines in prop::collection::vec((0usize..3, 0usize..3), 0..12),
    ) {
        check(&old, &new, &lines);
    }

    #[test]
    fn so_does_one_of_which_nothing_is_the_same(
        old in all_written(), new in all_written(), lines in prop::collection::vec((0usize..3, 0usize..3), 0..12),
    ) {
        check(&old, &new, &lines);
    }
}

#[test]
fn each_fate_has_its_name() {
    let one = || Written {
        name: "one",
        keyed: true,
        scoped: true,
        absent: false,
        outlives: false,
        condition: 0,
        texts: 0,
        expect: Vec::new(),
    };
    let fates = |new: Written| -> Vec<(String, Fate)> {
        let old = [Outline::of(&one().rule())];
        let planned = plan(&old, &Ruleset { rules: vec![new.rule()] }, &[]);
        planned.into_iter().map(|planned| (planned.rule.to_string(), planned.fate)).collect()
    };
    let of = |fate: Fate| vec![("one".to_owned(), fate)];
    assert_eq!(fates(one()), of(Fate::Unchanged));
    assert_eq!(fates(Written { texts: 1, ..one() }), of(Fate::Texts));
    assert_eq!(fates(Written { condition: 1, texts: 1, ..one() }), of(Fate::Condition));
    assert_eq!(fates(Written { keyed: false, condition: 1, ..one() }), of(Fate::Rekeyed));
    assert_eq!(fates(Written { scoped: false, ..one() }), of(Fate::Rekeyed));
    let other = |fate| vec![("one".to_owned(), fate), ("two".to_owned(), Fate::New)];
    assert_eq!(fates(Written { name: "two", ..one() }), other(Fate::Renamed(RuleName::new("two"))));
    assert_eq!(fates(Written { name: "two", condition: 1, ..one() }), other(Fate::Gone));
}

#[test]
fn a_storm_is_over_with_the_rule_whose_alerts_it_folds() {
    let about = By { name: "k".into(), from: Value::Capture(0) };
    let latched = |name| Rule { latch: true, ..rule(name, 1, 0, None) };
    let storm = Rule { captures: vec!["rule_name".into()], by: vec![about], ..latched("tripline_storm") };
    let bound = crate::rule::MaxRaises { most: 1, within: secs(60) };
    let stormy = Rule { max_raises: Some(bound), ..latched("r") };
    let lasting = Rule { outlives: Some(secs(1000)), ..stormy.clone() };
    for (stormy, name, kept, resolved) in
        [(&stormy, "r", 3, 0), (&stormy, "other", 0, 3), (&lasting, "r", 3, 0), (&lasting, "other", 3, 0)]
    {
        let mut bench = Bench::new(vec![stormy.clone(), storm.clone()]);
        bench.line(1, "a", MatchKind::Match);
        bench.line(2, "b", MatchKind::Match);
        let outlines: Vec<Outline> = bench.engine.outlines().collect();
        let open: Vec<_> = bench.engine.open_keys().map(|(open, _)| open).collect();
        let new =
            || Ruleset { rules: vec![Rule { name: RuleName::new(name), ..stormy.clone() }, storm.clone()] };
        let planned = plan(&outlines, &new(), &open);
        bench.engine.adopt(Arc::new(new()), timings(), at(3));
        let counted =
            |keys: fn(&Planned) -> &Vec<AlertKey>| planned.iter().map(|rule| keys(rule).len()).sum::<usize>();
        let orphaned: usize = counted(|rule| &rule.orphaned);
        let counts: (usize, usize) = (counted(|rule| &rule.kept) + orphaned, counted(|rule| &rule.resolved));
        assert_eq!(counts, (kept, resolved), "{planned:?}");
        assert_eq!(bench.engine.open_alerts().count(), kept);
        // When it is over for the last of them, so is the storm.
        let told: Vec<AlertKey> = bench.engine.open_alerts().map(|alert| alert.key.clone()).collect();
        let (storms, others): (Vec<_>, Vec<_>) =
            told.into_iter().partition(|key| key.rule.as_str() == "tripline_storm");
        assert_eq!(storms.len(), kept / 3);
        bench.engine.resolve(&others, at(4));
        assert_eq!(bench.engine.open_alerts().count(), 0);
    }
}
