//! One row of each kind, with a value in every field.

use super::*;
use crate::model::{
    ChangeReport, ChangeStatus, Content, DeliveryKind, Episode, Image, Link, Position, Reason, SinkName,
    SourceName, Timestamp, Transition,
};
use crate::saved::{Guard, Locator, Rung, SavedFlush, SavedStanding};

fn rule() -> RuleName {
    RuleName::new("ssh")
}

const HASH: KeyHash = KeyHash([0xab; 16]);

fn transition() -> Transition {
    Transition {
        time: Timestamp::from_secs(60),
        key: AlertKey { rule: rule(), hash: HASH },
        status: Status::Critical,
        previous: Status::Warning,
        reason: Reason::LevelReached,
        value: Some(5.5),
        count: 5,
        total: 300,
        since: Timestamp::from_secs(59),
        episode: Episode(Position { file: FileId(3), offset: 70_000 }),
        step: 1,
        labels: [("host".into(), "a".to_owned())].into(),
        details: [("user".into(), "ü\0\u{1b}".to_owned())].into(),
        summary: "s".to_owned(),
        description: "d".to_owned(),
        runbook: Some("r".to_owned()),
        images: vec![Image { src: "i".to_owned(), href: None, alt: Some("alt".to_owned()) }],
        links: vec![Link { href: "h".to_owned(), text: Some("t".to_owned()) }],
        lines: vec!["first".to_owned()],
        last_lines: vec!["last".to_owned()],
    }
}

pub(in crate::store) fn delivery(seq: u64) -> Delivery {
    Delivery {
        seq,
        sink: SinkName::new("oncall"),
        content: Content::Alert(DeliveryKind::Change, transition()),
        attempted: true,
    }
}

fn change(seq: u64) -> Delivery {
    let report = ChangeReport {
        time: Timestamp::from_secs(90),
        seen: Timestamp::from_secs(60),
        rule: RuleName::new("deploy"),
        hash: HASH,
        change_key: "api-1".to_owned(),
        status: ChangeStatus::Ready,
        life: 2,
        at: Position { file: FileId(3), offset: 70_000 },
        labels: [("host".into(), "a".to_owned())].into(),
        details: [("app".into(), "api".to_owned())].into(),
        summary: "s".to_owned(),
        description: "d".to_owned(),
        link: Some("l".to_owned()),
        starts: Some(Timestamp::from_secs(91)),
        ends: Some(Timestamp::from_secs(92)),
        linked_changes: vec!["c".to_owned()],
        runbook: Some("r".to_owned()),
        images: Vec::new(),
        links: vec![Link { href: "h".to_owned(), text: None }],
    };
    Delivery { content: Content::Change(report), ..delivery(seq) }
}

pub(in crate::store) fn saved() -> Saved {
    let guard = Guard { end: 1024, len: 1024, digest: u64::MAX };
    Saved {
        sources: vec![SavedSource { name: SourceName::new("auth"), first_seen: Timestamp(-1) }],
        files: BTreeMap::from([(
            FileId(3),
            SavedFile {
                id: FileId(3),
                source: SourceName::new("auth"),
                path: b"/var/log/\xff".to_vec(),
                former: vec![b"/var/log/a".to_vec()],
                locator: Locator { dev: 2049, inode: 12, generation: vec![1, 2].into() },
                head: guard,
                guard: Guard::default(),
                offset: 70_001,
                skipping: true,
                ended: false,
            },
        )]),
        clocks: BTreeMap::from([(
            FileId(3),
            SavedClock {
                file: FileId(3),
                source: SourceName::new("auth"),
                path: "/var/log/x".into(),
                newest: Some(Timestamp::from_secs(60)),
                lag_us: 9,
                flushed: Some(SavedFlush { offset: 70_001, counted: vec![(rule(), HASH)] }),
            },
        )]),
        keys: vec![SavedKey {
            rule: rule(),
            hash: HASH,
            by: vec![("host".into(), vec![0xff])],
            condition_digest: [7; 16],
            clock: Timestamp::from_secs(61),
            born: Timestamp::from_secs(1),
            last_match: Timestamp::from_secs(60),
            rungs: [
                Rung::default(),
                Rung { since: Some(Timestamp(1)), held: Some(Timestamp::MAX) },
                Rung::default(),
            ],
            latched: true,
            episode: Some(Episode(Position { file: FileId(3), offset: 70_000 })),
            total: 300,
            open: Some(transition()),
            untold: true,
            held: true,
            folded: Some(Status::Warning),
            raised: Some((Timestamp(7), Position { file: FileId(3), offset: 9 })),
            turns: vec![Timestamp(6), Timestamp(7)],
            flapping: true,
            files: vec![FileId(3)],
            captures: vec![("user".into(), vec![0])],
            lines: vec!["first".to_owned()],
            last_lines: vec!["last but one".to_owned()],
            lines_gap: true,
            line: "last".to_owned(),
            first_chunk: 2,
            step_us: 15_625,
            newest_number: Some(0.5),
            outlives: Some(std::time::Duration::from_secs(7)),
            orphan_until: Some(Timestamp(8)),
        }],
        chunks: vec![(rule(), HASH, 2, vec![Entry { time: Timestamp::from_secs(60), n: 5, x: 6 }])],
        told: vec![Told {
            sink: SinkName::new("oncall"),
            key: AlertKey { rule: rule(), hash: HASH },
            status: Status::Critical,
        }],
        told_changes: vec![ToldChange {
            sink: SinkName::new("oncall"),
            change_key: "api-1".to_owned(),
            status: ChangeStatus::Ready,
            life: 2,
            since: Timestamp(1),
            seen: Timestamp(2),
            at: Timestamp(3),
            seq: 42,
        }],
        outbox: vec![delivery(41), change(42)],
        standing: vec![SavedStanding { delivery: delivery(11), until: Timestamp::MAX }],
        dead: vec![DeadLetter { delivery: delivery(40), at: Timestamp(2), why: "no".to_owned() }],
        silences: vec![SavedSilence {
            id: 8,
            terms: vec!["team=db".to_owned()],
            from: Timestamp(1),
            until: Timestamp(2),
            comment: "c".to_owned(),
        }],
        refused: vec![Refused {
            sink: SinkName::new("oncall"),
            key: AlertKey { rule: rule(), hash: HASH },
            episode: transition().episode,
        }],
        notices: vec![Notice {
            sink: SinkName::new("page"),
            about: NoticeOf::Change("api-1".to_owned()),
            change_id: 5_750_613_685_214,
            title: "t".to_owned(),
            said_at: 60,
            components: vec!["01KC3".to_owned()],
            open: vec![(AlertKey { rule: rule(), hash: HASH }, Status::Warning)],
            stage: Stage::Planned,
        }],
        steps: vec![SavedStep {
            number: 5,
            decided: Timestamp(2),
            time: Timestamp(1),
            key: AlertKey { rule: rule(), hash: HASH },
            status: Status::Warning,
            reason: Reason::LevelReached,
            summary: "s".to_owned(),
        }],
        next_file: 4,
        next_seq: 43,
        swept_to: Timestamp::from_secs(7),
    }
}

/// The rows of [`saved`].
pub(in crate::store) fn batch() -> Batch {
    let saved = saved();
    let mut batch = Batch::default();
    saved.sources.iter().for_each(|source| batch.put_source(source));
    saved.files.values().for_each(|file| batch.put_file(file));
    saved.clocks.values().for_each(|clock| batch.put_clock(clock));
    saved.keys.iter().for_each(|key| batch.put_key(key));
    saved.chunks.iter().for_each(|(rule, hash, n, entries)| batch.put_chunk(rule, *hash, *n, entries));
    saved.told.iter().for_each(|told| batch.put_told(told));
    saved.told_changes.iter().for_each(|told| batch.put_told_change(told));
    saved.outbox.iter().for_each(|owed| batch.put_delivery(owed));
    saved.dead.iter().for_each(|dead| batch.put_dead(dead));
    saved.silences.iter().for_each(|silence| batch.put_silence(silence));
    saved.standing.iter().for_each(|standing| batch.put_standing(standing));
    saved.notices.iter().for_each(|notice| batch.put_notice(notice));
    saved.refused.iter().for_each(|refused| batch.put_refused(refused));
    saved.steps.iter().for_each(|step| batch.put_step(step));
    batch.put_next(saved.next_file, saved.next_seq, saved.swept_to);
    batch
}
