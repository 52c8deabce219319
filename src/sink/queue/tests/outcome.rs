//! What an attempt comes to.

use super::*;

#[test]
fn waits_grow_to_the_cap_and_are_drawn_from_all_of_their_range() {
    let limits = Limits { breaker_after: 1_000, ..Limits::default() };
    let mut bench = Bench::new(limits, vec![row(1, 1, Raise, Info, 1, 0)]);
    let mut now = at(0);
    let mut waits = Vec::new();
    for n in 1..=200 {
        let attempt = bench.queue.plan(now, &mut bench.changes).remove(0);
        assert_eq!(attempt.number, n);
        bench.queue.handle(attempt.id, vec![retry()], now, &mut bench.changes);
        let wake = bench.queue.next_wake().unwrap();
        assert!(wake > now);
        waits.push(wake.since(now));
        now = wake;
    }
    assert!(waits[0] <= Duration::from_secs(1) && waits[1] <= Duration::from_secs(2));
    let settled = &waits[20..];
    assert!(settled.iter().all(|wait| *wait <= Duration::from_secs(300)));
    assert!(settled.iter().any(|wait| *wait > Duration::from_secs(250)));
    assert!(settled.iter().any(|wait| *wait < Duration::from_secs(50)));
}

#[test]
fn retry_after_holds_the_whole_sink_within_reason() {
    for (asked, held) in [(0, 1), (30, 30), (1_000_000, 3_600)] {
        let mut bench = Bench::wide();
        bench.push([row(1, 1, Raise, Info, 1, 0)]).plan(0);
        let after = Some(Duration::from_secs(asked));
        bench.handle(1, Outcome::Retry { after, why: "busy".to_owned() }, 100);
        bench.push([row(2, 2, Raise, Info, 2, 0)]);
        assert_eq!(bench.queue.next_wake(), Some(at(100 + held)), "{asked}");
        assert!(bench.plan(100 + held - 1).is_empty());
        assert!(!bench.plan(100 + held).is_empty());
    }
}

#[test]
fn a_peer_that_goes_on_asking_is_left_alone_for_longer_and_not_longer_after_it_took_something() {
    let limits = Limits { wait_doublings: 3, concurrency: 2, breaker_after: 100, ..Limits::default() };
    let rows = (1..=3).map(|n| row(n, u8::try_from(n).unwrap(), Raise, Info, n, 0)).collect();
    let mut bench = Bench::new(limits, rows);
    let busy =
        || Outcome::Retry { after: Some(Duration::from_secs(30)), why: "too many requests".to_owned() };
    let mut now = 0;
    for wait in [30, 60, 120, 240, 240] {
        let attempts = bench.plan(now);
        assert_eq!(attempts.len(), 2);
        // Those that left together are one refusal.
        for attempt in attempts {
            bench.handle(attempt.id, busy(), now);
        }
        assert!(bench.plan(now + wait - 1).is_empty(), "{wait}");
        now += wait;
    }
    let attempts = bench.plan(now);
    bench.handle(attempts[0].id, accepted(), now).handle(attempts[1].id, busy(), now);
    bench.queue.committed();
    assert!(bench.plan(now + 29).is_empty());
    assert!(!bench.plan(now + 30).is_empty());
}

/// Fails whatever is sent from `now` on until only probes are sent, and gives the time.
fn fail_until_closed(bench: &mut Bench, mut now: Timestamp) -> Timestamp {
    loop {
        for attempt in bench.queue.plan(now, &mut bench.changes) {
            bench.queue.handle(attempt.id, vec![retry()], now, &mut bench.changes);
        }
        if bench.queue.status().breaker_open {
            return now;
        }
        now = bench.queue.next_wake().unwrap();
    }
}

#[test]
fn after_five_failures_single_probes_go_round_until_one_is_accepted() {
    let limits = Limits { concurrency: 5, ..Limits::default() };
    let mut bench =
        Bench::new(limits, (1..=5).map(|n| row(n, u8::try_from(n).unwrap(), Raise, Info, n, 0)).collect());
    let closed = fail_until_closed(&mut bench, at(0));
    assert!((at(15)..at(40)).contains(&closed), "{closed}: five in a row wait 1, 2, 4 and 8 s");
    bench.push([row(6, 6, Raise, Info, 6, 0)]);
    assert!(bench.queue.plan(closed, &mut bench.changes).is_empty());
    for oldest in [1, 2, 3] {
        let wake = bench.queue.next_wake().unwrap();
        let probes = bench.queue.plan(wake, &mut bench.changes);
        assert_eq!(probes.len(), 1);
        assert_eq!(probes[0].deliveries[0].seq, oldest);
        assert_eq!(bench.queue.next_wake(), None);
        bench.queue.handle(probes[0].id, vec![retry()], wake, &mut bench.changes);
        assert!(bench.queue.next_wake().unwrap() > wake);
    }
    assert_eq!(bench.queue.failures, 8, "each probe is a failure of its own");
    let wake = bench.queue.next_wake().unwrap();
    let probe = bench.queue.plan(wake, &mut bench.changes).remove(0);
    bench.queue.handle(probe.id, vec![accepted()], wake, &mut bench.changes);
    assert!(!bench.queue.status().breaker_open);
    assert_eq!(bench.queue.plan(wake, &mut bench.changes).len(), 5, "what waited for the peer goes at once");
}

#[test]
fn what_fails_together_is_one_failure_however_much_it_is() {
    let mut bench = Bench::wide();
    bench.push((1..=100).map(raised));
    let first = bench.plan(0);
    let last = first.len() - 1;
    // One of them gets no answer for long.
    for attempt in &first[..last] {
        bench.handle(attempt.id, retry(), 0);
    }
    assert_eq!(bench.queue.failures, 1);
    bench.handle(first[last].id, retry(), 15);
    assert_eq!(bench.queue.failures, 1, "it was under way with the others");
    let second = bench.plan(15);
    bench.handle(second[0].id, retry(), 15).handle(second[1].id, retry(), 16);
    assert_eq!(bench.queue.failures, 2, "two seconds more are waited before the next one counts");
    let third = bench.plan(18);
    bench.handle(third[0].id, accepted(), 18).handle(third[1].id, retry(), 18);
    assert_eq!(bench.queue.failures, 1, "the row is broken");
}

#[test]
fn a_peer_that_is_away_for_a_moment_is_told_everything_soon_and_what_is_new_at_once() {
    for seed in 0..200 {
        let limits = Limits { concurrency: 8, ..Limits::default() };
        let queue = Queue::new(SinkName::new("oncall"), limits, seed, Vec::new());
        let mut bench = Bench { queue, changes: Vec::new() };
        bench.push((1..=8).map(raised));
        let back = Timestamp(1_300_000);
        let (mut now, mut news, mut closed) = (at(0), false, false);
        loop {
            let attempts = bench.queue.plan(now, &mut bench.changes);
            assert!(now != back || attempts.iter().any(|one| one.deliveries[0].seq == 9), "{seed}");
            for attempt in attempts {
                let outcome = if now < back { retry() } else { accepted() };
                bench.queue.handle(attempt.id, vec![outcome], now, &mut bench.changes);
            }
            closed |= bench.queue.status().breaker_open;
            bench.queue.committed();
            let Some(wake) = bench.queue.next_wake() else { break };
            now = now.max(wake);
            if !news && now >= back {
                (now, news) = (back, true);
                bench.push([raised(9)]);
            }
        }
        assert_eq!((bench.queue.owed(), news), (0, true));
        // A row that drew short waits may have failed five times by then, and waits for 16 s at the most.
        assert!(now < at(18) && !closed, "{seed}: the last was taken at {now}");
    }
}

#[test]
fn a_suspended_sink_keeps_its_rows_and_is_probed_at_the_set_interval() {
    let limits = Limits { concurrency: 3, probe_every: Duration::from_secs(90), ..Limits::default() };
    let mut bench = Bench::new(limits, vec![row(1, 1, Raise, Info, 1, 0), row(2, 2, Raise, Info, 2, 0)]);
    assert_eq!(bench.plan(0).len(), 2);
    bench.handle(1, suspend(), 10).handle(2, suspend(), 20);
    assert_eq!(bench.queue.status().suspended.as_deref(), Some("bad key"));
    assert_eq!(bench.queue.next_wake(), Some(at(110)));
    assert!(bench.plan(109).is_empty());
    assert_eq!(bench.seqs(110), [[1]]);
    bench.handle(3, retry(), 110);
    assert_eq!(bench.queue.next_wake(), Some(at(200)), "an unreachable peer does not end the suspension");
    assert_eq!(bench.seqs(200), [[2]]);
    bench.handle(4, accepted(), 200);
    assert_eq!(bench.queue.status().suspended, None);
    assert_eq!(bench.seqs(201), [[1]]);
    assert_eq!(bench.queue.status().queued, 1);
}

#[test]
fn what_was_suspended_together_goes_together_when_one_is_accepted_and_what_suspends_again_waits() {
    let limits = Limits { concurrency: 5, probe_every: Duration::from_secs(60), ..Limits::default() };
    let mut bench = Bench::new(limits, (1..=4).map(raised).collect());
    for attempt in bench.plan(0) {
        bench.queue.handle(attempt.id, vec![suspend()], at(0), &mut bench.changes);
    }
    let probe = bench.plan(60).remove(0);
    bench.handle(probe.id, accepted(), 60);
    let rest = bench.plan(60);
    assert_eq!(rest.len(), 3, "at once");
    bench.handle(rest[0].id, suspend(), 60).handle(rest[1].id, accepted(), 61).handle(
        rest[2].id,
        accepted(),
        61,
    );
    assert_eq!(bench.queue.status().suspended, None);
    assert!(bench.plan(62).is_empty(), "the guilty one waits for itself");
}

#[test]
fn what_asked_in_vain_whether_a_suspension_is_over_goes_with_the_rest_when_it_is() {
    let limits = Limits { concurrency: 8, probe_every: Duration::from_secs(1), ..Limits::default() };
    let mut bench = Bench::new(limits, (1..=5).map(raised).collect());
    for attempt in bench.plan(0) {
        bench.handle(attempt.id, suspend(), 0);
    }
    for second in 1..60 {
        let probe = bench.plan(second).remove(0);
        bench.handle(probe.id, suspend(), second);
    }
    let probe = bench.plan(60).remove(0);
    bench.handle(probe.id, accepted(), 60);
    assert_eq!(bench.plan(60).len(), 4, "at once");
}

#[test]
fn a_row_that_suspends_a_sink_again_and_again_waits_for_itself_and_for_five_minutes_at_most() {
    let mut bench = Bench::new(Limits { concurrency: 2, ..Limits::default() }, vec![raised(1)]);
    let mut tried = Vec::new();
    for minute in 0..200 {
        let now = minute * 60;
        for attempt in bench.plan(now) {
            let guilty = attempt.deliveries[0].seq == 1;
            tried.extend(guilty.then_some(minute));
            bench.handle(attempt.id, if guilty { suspend() } else { accepted() }, now);
        }
        bench.queue.committed();
        // There is always another one, which is taken.
        if bench.queue.owed() == 1 {
            bench.push([raised(u8::try_from(minute).unwrap() + 2)]);
        }
    }
    let waits: Vec<i64> = tried.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(waits.iter().all(|wait| *wait <= 6), "{waits:?}");
    assert!(waits.iter().filter(|wait| **wait >= 5).count() > 20, "{waits:?}");
}

#[test]
fn a_release_tries_everything_at_once() {
    let mut bench = Bench::wide();
    bench.push([row(1, 1, Raise, Info, 1, 0), row(2, 2, Raise, Info, 2, 0)]).plan(0);
    bench.handle(1, Outcome::Retry { after: Some(Duration::from_secs(3_000)), why: "busy".to_owned() }, 0);
    bench.handle(2, suspend(), 0);
    bench.queue.release(at(1));
    assert_eq!(bench.seqs(1), [[1], [2]]);
    bench.push([row(3, 1, Resolve, Over, 1, 1)]);
    bench.handle(3, accepted(), 2).handle(4, accepted(), 2).queue.committed();
    assert_eq!(bench.seqs(2), [[3]]);
}

#[test]
fn a_dead_row_leaves_as_a_dead_letter_and_the_resolve_of_a_refused_raise_is_skipped() {
    let mut bench = Bench::wide();
    bench.push([row(1, 1, Raise, Info, 1, 0), row(3, 2, Raise, Info, 2, 0)]).plan(0);
    bench.push([row(4, 1, Resolve, Over, 1, 1)]);
    bench.handle(1, refused(), 5).handle(2, refused(), 5);
    let letters: Vec<_> = bench
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Dead(letter) => Some((letter.delivery.seq, letter.at, letter.why.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(letters, [(1, at(5), "no"), (3, at(5), "no")]);
    bench.queue.committed();
    bench.push([row(5, 2, Update, Warning, 2, 1), row(6, 2, Resolve, Over, 2, 2)]);
    assert_eq!(bench.stored(), []);
    let status = bench.queue.status();
    assert_eq!((status.dead, status.skipped), (2, 2));
    assert!(bench.seqs(5).is_empty());
    bench.push([row(7, 2, Raise, Info, 9, 0)]);
    assert_eq!(bench.seqs(5), [[7]], "the next episode is another story");
}

#[test]
fn what_was_refused_is_known_after_a_restart_until_the_alert_is_over_or_something_of_it_was_taken() {
    let refusals = |changes: &[Change]| {
        changes.iter().fold(Vec::new(), |mut kept: Vec<Refused>, change| {
            match change {
                Change::Refused(row) => kept.push(row.clone()),
                Change::Unrefused(_, key) => kept.retain(|row| row.key != *key),
                _ => {}
            }
            kept
        })
    };
    let mut bench = Bench::wide();
    bench.push([row(1, 1, Raise, Info, 1, 0), row(2, 2, Raise, Info, 2, 0)]).plan(0);
    bench.handle(1, refused(), 5).handle(2, refused(), 5).queue.committed();
    let kept = refusals(&bench.changes);
    assert_eq!(kept.len(), 2);

    let restart = || {
        let mut bench = Bench::wide();
        bench.queue.refuse(kept.clone());
        bench.changes.extend(kept.iter().cloned().map(Change::Refused));
        bench
    };
    let mut bench = restart();
    bench.push([row(3, 1, Resolve, Over, 1, 1)]);
    assert_eq!((bench.stored(), bench.queue.status().skipped), (Vec::new(), 1));
    assert_eq!(refusals(&bench.changes), [kept[1].clone()], "what is over is not remembered");
    bench.push([row(4, 1, Raise, Info, 9, 0)]);
    assert_eq!(bench.seqs(6), [[4]]);
    // Somebody owes the letter again, and this time it is taken.
    bench.push([row(5, 2, Raise, Info, 2, 0)]);
    assert_eq!(bench.seqs(6), [[5]]);
    bench.handle(2, accepted(), 6).queue.committed();
    assert_eq!(refusals(&bench.changes), []);
    bench.push([row(6, 2, Resolve, Over, 2, 1)]);
    assert_eq!(bench.seqs(6), [[6]]);
    // Or it gets worse, and that is taken.
    let mut bench = restart();
    bench.push([row(7, 2, Update, Warning, 2, 1)]);
    assert_eq!(bench.seqs(6), [[7]]);
    bench.push([row(8, 2, Resolve, Over, 2, 2)]);
    bench.handle(1, accepted(), 6).queue.committed();
    assert_eq!(bench.seqs(6), [[8]]);
}

#[test]
fn a_queue_says_when_it_is_tried_next_if_that_is_not_now() {
    let mut bench = Bench::wide();
    let next = |bench: &Bench| bench.queue.status().next_attempt;
    assert_eq!(next(&bench), None);
    bench.push([row(1, 1, Raise, Info, 1, 0)]).plan(100);
    let after = Some(Duration::from_secs(99_999_999_999));
    bench.handle(1, Outcome::Retry { after, why: "busy".to_owned() }, 100);
    assert_eq!(next(&bench), Some(at(3_700)), "an hour is the most that is believed");
    bench.plan(3_700);
    assert_eq!(next(&bench), None, "it is being tried");
    bench.handle(2, accepted(), 3_700);
    assert_eq!(next(&bench), None);
}

#[test]
fn the_resolve_of_a_raise_that_may_have_arrived_is_sent() {
    let mut bench = Bench::wide();
    bench.push([row(1, 1, Raise, Info, 1, 0), row(2, 1, Resolve, Over, 1, 1)]).plan(0);
    bench.handle(1, retry(), 0);
    assert_eq!(bench.seqs(5), [[1]]);
    bench.handle(2, refused(), 5).queue.committed();
    assert_eq!(bench.seqs(5), [[2]]);

    let attempted = Delivery { attempted: true, ..row(1, 1, Raise, Info, 1, 0) };
    let mut restarted = Bench::new(Limits::default(), vec![attempted, row(2, 1, Resolve, Over, 1, 1)]);
    restarted.plan(0);
    restarted.handle(1, refused(), 0).queue.committed();
    assert_eq!(restarted.seqs(0), [[2]]);
}

#[test]
fn a_row_that_is_too_large_shrinks_once() {
    let mut bench = Bench::wide();
    bench.push([row(1, 1, Raise, Info, 1, 0)]);
    assert!(!bench.plan(0)[0].shrink);
    bench.handle(1, Outcome::Shrink { why: "413".to_owned() }, 0);
    assert!(bench.plan(0)[0].shrink);
    bench.handle(2, Outcome::Shrink { why: "413".to_owned() }, 0);
    assert!(matches!(bench.changes.last(), Some(Change::Dead(letter)) if letter.why == "413"));
}

#[test]
fn rows_of_a_refused_unit_go_one_by_one_and_only_the_guilty_is_given_up() {
    let mut bench = Bench::new(Limits { unit: 3, concurrency: 9, ..Limits::default() }, Vec::new());
    let alone = || Outcome::Alone { why: "400".to_owned() };
    bench.push([raised(1), raised(2), raised(3)]);
    assert_eq!(bench.seqs(0), [[1, 2, 3]]);
    bench.queue.handle(1, vec![alone(), alone(), alone()], at(0), &mut bench.changes);
    bench.push([raised(4), raised(5)]);
    assert_eq!(bench.seqs(0), [vec![1], vec![2], vec![3], vec![4, 5]]);
    bench.handle(2, accepted(), 0).handle(3, alone(), 0).handle(4, retry(), 0);
    assert!(matches!(bench.changes.last(), Some(Change::Dead(letter)) if letter.delivery.seq == 2));
    assert_eq!((bench.queue.status().accepted, bench.queue.status().dead), (1, 1));
}

#[test]
fn a_sign_of_life_is_never_owed_and_a_stranger_s_answer_is_ignored() {
    let mut bench = Bench::wide();
    bench.push([row(1, 1, DeliveryKind::Beat, Info, 1, 0)]);
    bench.handle(77, accepted(), 0);
    assert_eq!(bench.changes, []);
    assert_eq!(bench.queue.status(), QueueStatus::default());
    assert_eq!(bench.queue.next_wake(), None);
}

#[test]
fn a_change_that_is_refused_for_good_holds_nobody_up() {
    let mut bench = Bench::wide();
    bench.push([said(1, "api"), said(2, "api")]);
    assert_eq!(bench.seqs(0), [[1]]);
    bench.handle(1, refused(), 0).queue.committed();
    assert_eq!(bench.seqs(0), [[2]]);
    assert!(
        bench.changes.iter().any(|change| matches!(change, Change::Dead(letter) if letter.delivery.seq == 1))
    );
    assert_eq!((bench.queue.status().dead, bench.queue.status().skipped), (1, 0));
}

#[test]
fn a_peer_that_answers_and_takes_nothing_is_seen_until_it_takes_something() {
    let mut bench = Bench::wide();
    bench.push((1..=4).map(raised)).plan(0);
    let seen = |bench: &Bench| {
        let status = bench.queue.status();
        (status.refused, status.refusal, status.failing_since)
    };
    assert_eq!(seen(bench.handle(1, refused(), 1)), (1, Some("no".to_owned()), None));
    assert_eq!(seen(bench.handle(2, Outcome::Dead { why: "never".to_owned() }, 2)).0, 2);
    assert_eq!(seen(bench.handle(3, retry(), 3)), (2, Some("never".to_owned()), Some(at(3))));
    assert_eq!(seen(bench.handle(4, accepted(), 4)), (0, None, None));
}
