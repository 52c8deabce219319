//! Finished logs in several files: what follows is what follows from the same lines in one.

use super::*;

/// `slow` is not told while `db` is open, `late` counts only after `db`, `quiet` misses what stays away.
fn rules() -> Vec<Rule> {
    let alone = |name: &str, resolve_after| Rule { by: Vec::new(), ..rule(name, 1, 0, Some(resolve_after)) };
    let after = Some(crate::rule::After { rules: vec![RuleName::new("db")], within: secs(200) });
    vec![
        Rule { resolve_after: Some(secs(300)), ..rule("db", 2, 100, None) },
        Rule { unless: vec![RuleName::new("db")], ..rule("slow", 1, 0, Some(60)) },
        Rule { after, ..alone("late", 30) },
        Rule { by: Vec::new(), captures: Vec::new(), ..missing(&[]) },
    ]
}

/// What is told of lines, each with its rule and its key, in files of these numbers.
fn told(
    lines: &[(i64, u32, u8)],
    files: &[usize],
    blocks: usize,
) -> Vec<(i64, String, String, &'static str, String)> {
    let mut bench = Bench::new(rules());
    bench.engine.join();
    let mut left: Vec<Vec<KeptMatch>> = Vec::new();
    for ((time, rule, key), file) in lines.iter().zip(files) {
        left.resize_with(left.len().max(file + 1), Vec::new);
        let kind = if *rule == 0 && *key == 3 { MatchKind::Resolve } else { MatchKind::Match };
        let hit = bench.hit(FileId(*file as u64 + 1), kind, *time, &format!("k{}", key % 2));
        left[*file].push(KeptMatch { rule: RuleIx(*rule), ..hit });
    }
    let ids = || (1..).map(FileId).take(left.len());
    for file in ids() {
        bench.engine.opened(file, &SourceName::new("s"), Path::new("/x").into());
        bench.engine.phase(file, Phase::Behind, at(0));
    }
    let mut open: Vec<FileId> = ids().collect();
    while let Some(file) = open.iter().copied().min_by_key(|file| bench.engine.frontier(*file)) {
        let hits = &mut left[file.0 as usize - 1];
        let taken: Vec<KeptMatch> = hits.drain(..blocks.min(hits.len())).collect();
        let matches = taken.iter().map(KeptMatch::seen);
        let arrival = Arrival { at: None, modified: at(1_000_000), skew_us: 0 };
        bench.engine.read(Read { file, matches, stamp: None, arrival }, at(0));
        if hits.is_empty() {
            open.retain(|other| *other != file);
            bench.engine.phase(file, Phase::AtEnd, at(0));
        }
        bench.collect();
    }
    let end = lines.last().map_or(0, |(time, ..)| *time);
    bench.engine.tick(at(end));
    bench.collect();
    bench.run_until(end + 100_000);
    let said = bench.said.into_iter().zip(bench.rules).zip(bench.tells);
    let said: Vec<_> = said
        .map(|(((time, key, status), rule), tell)| (time, rule, key, status, format!("{tell:?}")))
        .collect();
    // What was held back is told again as it stands.
    let news: Vec<_> = said.iter().filter(|said| said.4 != "IfOther").map(|said| said.0).collect();
    assert!(news.is_sorted(), "told out of order: {said:?}");
    said
}

proptest! {
    #[test]
    fn a_log_in_several_files_is_the_log_in_one(
        lines in prop::collection::vec((1i64..120, 0u32..4, 0u8..4, 0usize..4), 1..60),
        blocks in 1usize..8,
    ) {
        let mut now = 0;
        let times: Vec<_> = lines.iter().map(|(step, rule, key, _)| {
            now += step;
            (now, *rule, *key)
        }).collect();
        let files: Vec<_> = lines.iter().map(|(.., file)| *file).collect();
        let one = told(&times, &vec![0; files.len()], blocks);
        // Of one moment, what comes first depends on where reads were cut.
        let sorted = |mut said: Vec<_>| {
            said.sort_unstable();
            said
        };
        let one = sorted(one);
        prop_assert_eq!(&sorted(told(&times, &files, blocks)), &one);
        // Rotated: each file goes on where the one before it ended.
        let mut rotated = files;
        rotated.sort_unstable_by(|a, b| b.cmp(a));
        prop_assert_eq!(sorted(told(&times, &rotated, blocks)), one);
    }
}

#[test]
fn what_an_old_file_began_is_over_when_a_newer_one_says_so() {
    let lines = [(0, 0, 0), (1, 0, 0), (1800, 1, 0)];
    let told: Vec<_> = told(&lines, &[1, 1, 0], 1)
        .into_iter()
        .map(|(time, rule, _, status, tell)| format!("{time} {rule} {status} {tell}"))
        .filter(|said| !said.contains(" r "))
        .collect();
    assert_eq!(told, ["1 db warning Now", "400 db ok Now", "1800 slow warning Now", "1860 slow ok Now"]);
}

#[test]
fn what_unless_held_back_is_told_when_the_other_is_over_wherever_reads_were_cut() {
    let check = |over: i64| {
        let lines = [(1, 0, 1), (2, 0, 1), (3, 1, 1), (over, 0, 3), (64, 0, 0)];
        let seen = |blocks| -> Vec<String> {
            let told = told(&lines, &[0; 5], blocks);
            let slow = told.into_iter().filter(|said| said.1 == "slow");
            slow.map(|(time, _, _, status, tell)| format!("{time} {status} {tell}")).collect()
        };
        for blocks in 1..=lines.len() {
            assert_eq!(
                seen(blocks),
                ["3 warning Known", "3 warning IfOther", "63 ok Now"],
                "over at {over}, blocks of {blocks}"
            );
        }
    };
    check(4);
    // In the moment in which it would be over itself.
    check(63);
}
