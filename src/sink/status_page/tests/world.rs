//! A queue, a store and a page, between which anything may be lost.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What the page says to a request.
pub(super) fn answer(page: &mut peer::StatusPage, request: &Request) -> Answer {
    let path = request.url.find("/status-page").map_or("", |at| &request.url[at..]);
    let (status, body) = page.answer(request.method, path, &request.body);
    Answer { status, headers: Vec::new(), body: body.into_bytes(), whole: true }
}

fn busy() -> Answer {
    let body = br#"{"request_id":"r","error":{"code":"ServiceUnavailable"}}"#.to_vec();
    Answer { status: 503, headers: Vec::new(), body, whole: true }
}

/// What survives a crash.
#[derive(Clone, Default)]
struct Committed {
    rows: BTreeMap<u64, Delivery>,
    notices: BTreeMap<NoticeOf, Notice>,
}

/// What happens to an alert or a change in truth.
#[derive(Clone, Copy, Debug, Default)]
struct Truth {
    /// What each of four alerts shows.
    alerts: [Status; 4],
    episodes: [u64; 4],
    /// How far each of four changes is.
    changes: [Option<ChangeStatus>; 4],
}

pub(super) struct World {
    settings: StatusPage,
    page: peer::StatusPage,
    rng: fastrand::Rng,
    queue: Queue,
    notices: BTreeMap<NoticeOf, Notice>,
    committed: Committed,
    /// What the next commit changes.
    pending: (Vec<Change>, Vec<Notice>),
    truth: Truth,
    now: i64,
    next_seq: u64,
    healed: bool,
    dead: Vec<String>,
}

/// The process died.
struct Crash;

fn limits() -> Limits {
    Limits { in_order: true, ..Limits::default() }
}

impl World {
    pub(super) fn new(settings: StatusPage, seed: u64) -> World {
        World {
            settings,
            page: peer::StatusPage::default(),
            rng: fastrand::Rng::with_seed(seed),
            queue: Queue::new(SinkName::new("page"), limits(), seed, Vec::new()),
            notices: BTreeMap::new(),
            committed: Committed::default(),
            pending: (Vec::new(), Vec::new()),
            truth: Truth::default(),
            now: 10_000,
            next_seq: 1,
            healed: false,
            dead: Vec::new(),
        }
    }

    /// Something happens to an alert or a change, and then there is some time to tell of it.
    pub(super) fn step(&mut self, kind: u8, which: u8, how: u8, wait: i64) {
        self.now += 1;
        let place = usize::from(which);
        let content = if kind < 7 { self.alert(place, how) } else { self.change(place, how) };
        if let Some(content) = content {
            let delivery =
                Delivery { seq: self.next_seq, sink: SinkName::new("page"), content, attempted: false };
            self.next_seq += 1;
            let mut changes = Vec::new();
            self.queue.push(delivery, &mut changes);
            self.pending.0.append(&mut changes);
            self.commit();
        }
        for _ in 0..self.rng.u8(0..4) {
            self.now += self.rng.i64(0..=wait);
            if self.turn().is_err() {
                self.crash();
            }
        }
    }

    fn alert(&mut self, place: usize, how: u8) -> Option<Content> {
        let status = [Status::Ok, Status::Ok, Status::Ok, Status::Info, Status::Warning, Status::Critical]
            [usize::from(how % 6)];
        let previous = std::mem::replace(&mut self.truth.alerts[place], status);
        let kind = match (previous, status) {
            (previous, status) if previous == status => return None,
            (Status::Ok, _) => DeliveryKind::Raise,
            (_, Status::Ok) => DeliveryKind::Resolve,
            _ => DeliveryKind::Change,
        };
        self.truth.episodes[place] += u64::from(kind == DeliveryKind::Raise);
        let rule = if place < 2 { "db" } else { "web" };
        let n = u8::try_from(place).unwrap();
        let mut row = alert(rule, n, kind, status, self.now);
        if let Content::Alert(_, t) = &mut row.content {
            t.previous = previous;
            t.episode.0.offset = self.truth.episodes[place];
            if self.settings.group_by == GroupBy::Alert {
                t.summary = format!("{rule} {n} is in trouble");
            }
        }
        Some(row.content)
    }

    fn change(&mut self, place: usize, how: u8) -> Option<Content> {
        let status = ChangeStatus::ALL[usize::from(how % 5)];
        self.truth.changes[place] = match (self.truth.changes[place], status) {
            // Once it goes on, it is not planned any more; what is over begins anew.
            (Some(ChangeStatus::Processing), ChangeStatus::Planned | ChangeStatus::Ready) => {
                Some(ChangeStatus::Processing)
            }
            _ => Some(status),
        };
        Some(Content::Change(report(&format!("c{place}"), status, self.now)))
    }

    /// Tries once what can be tried.
    fn turn(&mut self) -> Result<(), Crash> {
        let mut changes = Vec::new();
        let now = Timestamp::from_secs(self.now);
        let attempts = self.queue.plan(now, &mut changes);
        assert!(attempts.len() <= 1, "one after the other");
        self.pending.0.append(&mut changes);
        self.commit();
        for mut attempt in attempts {
            let oldest = self.committed.rows.keys().next();
            assert_eq!(oldest, attempt.deliveries.first().map(|row| &row.seq), "the oldest first");
            attempt.before.notices = self.notices.values().cloned().collect();
            let end = self.carry(&attempt)?;
            for notice in end.learned {
                match notice.stage {
                    Stage::Past => self.notices.remove(&notice.about),
                    _ => self.notices.insert(notice.about.clone(), notice.clone()),
                };
                self.pending.1.push(notice);
            }
            let mut changes = Vec::new();
            self.queue.handle(attempt.id, vec![end.outcome], now, &mut changes);
            self.pending.0.append(&mut changes);
            if !self.healed && self.rng.u8(..12) == 0 {
                return Err(Crash);
            }
            self.commit();
        }
        Ok(())
    }

    fn carry(&mut self, attempt: &Attempt) -> Result<End, Crash> {
        let (secrets, now) = (secrets(), Timestamp::from_secs(self.now));
        let unit = Unit {
            rows: &attempt.deliveries,
            secrets: &secrets,
            shrink: attempt.shrink,
            now,
            purpose: attempt.purpose,
        };
        let settings = self.settings.clone();
        let (mut dialogue, mut turn) = Dialogue::begin(&settings, unit, attempt.before.clone());
        let lost = || Outcome::Retry { after: None, why: "no answer".to_owned() };
        loop {
            let request = match turn {
                Turn::Ask(request) => request,
                Turn::End(end) => return Ok(end),
            };
            self.page.now = self.now;
            let fate = if self.healed { 99 } else { self.rng.u8(..24) };
            turn = match fate {
                // It does not arrive.
                0 | 1 => dialogue.end(lost()),
                // It arrives, and the answer does not.
                2..=4 => {
                    answer(&mut self.page, &request);
                    dialogue.end(lost())
                }
                5 => dialogue.hear(&request, &busy(), now),
                6 => return Err(Crash),
                7 => {
                    answer(&mut self.page, &request);
                    return Err(Crash);
                }
                _ => {
                    let answer = answer(&mut self.page, &request);
                    dialogue.hear(&request, &answer, now)
                }
            };
        }
    }

    fn commit(&mut self) {
        let (changes, notices) = std::mem::take(&mut self.pending);
        for change in changes {
            match change {
                Change::Put(row) => drop(self.committed.rows.insert(row.seq, row)),
                Change::Remove(seq) => drop(self.committed.rows.remove(&seq)),
                Change::Stand(_) | Change::Unstand(..) => panic!("a page remembers"),
                Change::Refused(_) | Change::Unrefused(..) => {}
                Change::Dead(letter) => {
                    self.committed.rows.remove(&letter.delivery.seq);
                    self.dead.push(letter.why);
                }
            }
        }
        for notice in notices {
            match notice.stage {
                Stage::Past => drop(self.committed.notices.remove(&notice.about)),
                _ => drop(self.committed.notices.insert(notice.about.clone(), notice)),
            }
        }
        self.queue.committed();
    }

    fn crash(&mut self) {
        self.pending = (Vec::new(), Vec::new());
        self.notices = self.committed.notices.clone();
        let rows = self.committed.rows.values().cloned().collect();
        self.queue = Queue::new(SinkName::new("page"), limits(), self.rng.u64(..), rows);
    }

    /// Nothing is lost any more, and everything is told.
    pub(super) fn drain(&mut self) {
        self.healed = true;
        for _ in 0..1000 {
            if self.committed.rows.is_empty() {
                return;
            }
            let wake = self.queue.next_wake().expect("what is owed is tried").as_secs();
            self.now = self.now.max(wake) + 1;
            self.turn().unwrap_or_else(|Crash| panic!("nothing crashes any more"));
        }
        panic!("it does not end: {:?}", self.committed.rows);
    }

    pub(super) fn check(&self) {
        let events = &self.page.events;
        assert_eq!((&self.page.refused, &self.dead), (&Vec::new(), &Vec::new()), "{events:#?}");
        // Nothing stands there twice.
        let mut seen = BTreeSet::new();
        for event in events {
            assert!(seen.insert((&event.kind, &event.title, event.start)), "twice: {event:#?}");
            let mut said = BTreeSet::new();
            assert!(
                event.updates.iter().all(|(at, status, ..)| said.insert((at, status))),
                "twice: {event:#?}"
            );
        }
        // What is open is open, once.
        let active = |kind: &str, title: &str| {
            events
                .iter()
                .filter(|event| event.kind == kind && event.title == title && event.is_active())
                .count()
        };
        let open = |places: &[usize]| places.iter().any(|place| self.truth.alerts[*place] != Status::Ok);
        for place in 0..4 {
            let rule = if place < 2 { "db" } else { "web" };
            let (title, places) = match self.settings.group_by {
                GroupBy::Alert => (format!("{rule} {place} is in trouble"), vec![place]),
                GroupBy::Rule => (format!("{rule} is in trouble"), vec![place / 2 * 2, place / 2 * 2 + 1]),
            };
            assert_eq!(active("incident", &title), usize::from(open(&places)), "{title}: {events:#?}");
            let is_on = !matches!(
                self.truth.changes[place],
                None | Some(ChangeStatus::Done | ChangeStatus::Canceled)
            );
            let title = format!("deploy of c{place}");
            assert_eq!(active("maintenance", &title), usize::from(is_on), "{title}: {events:#?}");
        }
        // The component shows the worst of it.
        let worst = self.truth.alerts.iter().max().copied().unwrap_or_default();
        let works = self.truth.changes.contains(&Some(ChangeStatus::Processing));
        let expected = match (worst, works) {
            (Status::Ok, false) => "operational",
            (Status::Ok, true) => "under_maintenance",
            (Status::Info, _) => "degraded",
            (Status::Warning, _) => "partial_outage",
            (Status::Critical, _) => "full_outage",
        };
        let shown = self.page.components.get("01KC3API").map_or("operational", String::as_str);
        assert_eq!(shown, expected, "{events:#?}");
    }
}
