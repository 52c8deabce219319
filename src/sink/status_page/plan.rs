//! What a row says to the page, decided from the row and from what the page shows. Times are in seconds.

use super::board::{Board, put_up, worst};
use super::text::{description, title};
use super::wire::Kind;
use crate::model::{
    ChangeReport, ChangeStatus, Content, Delivery, DeliveryKind, Status, Timestamp, Transition,
};
use crate::saved::{Notice, NoticeOf, Stage};
use crate::settings::{GroupBy, StatusPage};

/// The longest maintenance that the page begins and ends by itself, counted from when it is announced.
const LONGEST_SCHEDULE: i64 = 30 * 24 * 3600;

/// Changes that a maintenance is linked with.
const MOST_LINKED: usize = 50;

/// The status of a maintenance that is to come.
const SCHEDULED: &str = "scheduled";

/// What is to be said.
pub(super) enum Say {
    /// Nothing; it is only looked whether the page is as the settings say.
    Look,
    /// Nothing; the notice is as it says from now on.
    Nothing(Option<Notice>),
    /// That something begins.
    Create(Box<New>),
    /// That something goes on in another way, or is over.
    Update(Update),
}

/// A notice to be put up.
pub(super) struct New {
    pub(super) kind: Kind,
    pub(super) status: &'static str,
    pub(super) description: String,
    /// Time of what is said first.
    pub(super) at: i64,
    /// When it starts: `at`, or later for what is planned.
    pub(super) starts: i64,
    /// When the page ends it by itself.
    pub(super) ends: Option<i64>,
    /// When it was over and what is said of that, if it is told in retrospect.
    pub(super) over: Option<(i64, String)>,
    /// Nothing was said of it so far and what follows will say more: it is not put up, but found if it is there.
    pub(super) needless: bool,
    /// Times at which it may stand on the page already.
    pub(super) stands_at: Vec<i64>,
    pub(super) linked_changes: Vec<String>,
    /// The worst that alerts show in it.
    pub(super) severity: Status,
    /// As it is once it is there, but for its number and its components.
    pub(super) after: Notice,
}

impl New {
    /// True if it only says what is to come: until then components show what they showed.
    pub(super) fn is_ahead(&self) -> bool {
        self.status == SCHEDULED && self.over.is_none()
    }
}

/// Something to be said in a notice.
pub(super) struct Update {
    pub(super) kind: Kind,
    pub(super) status: &'static str,
    pub(super) description: String,
    pub(super) at: i64,
    /// The notice as it is once that is said.
    pub(super) after: Notice,
    /// What is said if the notice is not there any more.
    pub(super) otherwise: Option<Box<New>>,
}

impl Update {
    /// True if the notice is closed by it.
    pub(super) fn closes(&self) -> bool {
        self.status == self.kind.over()
    }
}

/// What everything depends on besides the row.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) settings: &'a StatusPage,
    /// What ends the episode or the change, if that is owed too.
    pub(super) end: Option<&'a Delivery>,
    pub(super) shrink: bool,
    /// The moment of the attempt.
    pub(super) now: Timestamp,
}

impl Terms<'_> {
    fn reopen_s(self) -> i64 {
        i64::try_from(self.settings.reopen_within.as_secs()).unwrap_or(i64::MAX)
    }

    /// True if a notice that was closed then is not forgotten at that time.
    fn is_fresh(self, closed: i64, at: i64) -> bool {
        at.saturating_sub(closed) <= self.reopen_s()
    }

    fn description(self, begins: &str, summary: &str, below: &str) -> String {
        let below = Some(below).filter(|_| self.settings.send_description);
        description(begins, summary, below, self.shrink)
    }
}

/// What a row says.
pub(super) fn say(row: &Delivery, board: &Board, terms: Terms<'_>) -> Say {
    match &row.content {
        Content::Alert(DeliveryKind::Beat, _) => Say::Look,
        Content::Alert(DeliveryKind::Resolve, t) => resolve(t, board, terms),
        Content::Alert(DeliveryKind::Raise | DeliveryKind::Change, t) => raise(row, t, board, terms),
        Content::Change(report) => change(row, report, board, terms),
    }
}

/// What stays in a notice is said again, because something else that ended or began spoke of the same components.
pub(super) fn again(notice: &Notice, at: i64) -> Update {
    let kind = kind_of(&notice.about);
    let at = behind(notice, at);
    // Its title is that of what began it, which may be over.
    let words = match kind {
        Kind::Incident => "Still open",
        Kind::Maintenance => "Still going on",
    };
    Update {
        kind,
        status: kind.going_on(),
        description: words.to_owned(),
        at,
        after: Notice { said_at: at, ..notice.clone() },
        otherwise: None,
    }
}

fn kind_of(about: &NoticeOf) -> Kind {
    match about {
        NoticeOf::Rule(_) | NoticeOf::Alert(_) => Kind::Incident,
        NoticeOf::Change(_) => Kind::Maintenance,
    }
}

/// Two updates of a notice never have one time: it is what an update is known by.
fn behind(notice: &Notice, at: i64) -> i64 {
    at.max(notice.said_at.saturating_add(1))
}

fn raise(row: &Delivery, t: &Transition, board: &Board, terms: Terms<'_>) -> Say {
    let at = t.time.as_secs();
    let about = match terms.settings.group_by {
        GroupBy::Rule => NoticeOf::Rule(t.key.rule.clone()),
        GroupBy::Alert => NoticeOf::Alert(t.key.clone()),
    };
    let standing = board.counting(&t.key).or_else(|| board.about(&about));
    let standing = standing.filter(|notice| match notice.stage {
        Stage::Closed(closed) => terms.is_fresh(closed, at),
        _ => true,
    });
    let Some(notice) = standing else { return Say::Create(Box::new(incident(row, t, about, terms))) };
    let mut after = notice.clone();
    after.open.retain(|(key, _)| *key != t.key);
    after.open.push((t.key.clone(), t.status));
    let reopens = matches!(notice.stage, Stage::Closed(_));
    if notice.stage == Stage::Deleted || (!reopens && worst(notice) == worst(&after)) {
        return Say::Nothing(Some(after));
    }
    after.stage = Stage::Open;
    after.said_at = behind(notice, at);
    Say::Update(Update {
        kind: Kind::Incident,
        status: Kind::Incident.going_on(),
        description: terms.description("", &t.summary, &t.description),
        at: after.said_at,
        after,
        otherwise: reopens.then(|| Box::new(incident(row, t, about, terms))),
    })
}

fn incident(row: &Delivery, t: &Transition, about: NoticeOf, terms: Terms<'_>) -> New {
    let at = t.time.as_secs();
    let name = title(&t.summary, t.key.rule.as_str());
    let over = terms.end.and_then(Delivery::alert).map(|(_, end)| {
        (end.time.as_secs().max(at.saturating_add(1)), terms.description("Over: ", &end.summary, ""))
    });
    let mut after = put_up(&row.sink, about, 0, name, at);
    after.open.push((t.key.clone(), t.status));
    New {
        kind: Kind::Incident,
        status: Kind::Incident.going_on(),
        description: terms.description("", &after.title, &t.description),
        at,
        starts: at,
        ends: None,
        over,
        needless: false,
        stands_at: vec![at],
        linked_changes: Vec::new(),
        severity: t.status,
        after,
    }
}

fn resolve(t: &Transition, board: &Board, terms: Terms<'_>) -> Say {
    // Nobody was told of it here, or all of it was told in retrospect.
    let Some(notice) = board.counting(&t.key) else { return Say::Nothing(None) };
    let mut after = notice.clone();
    after.open.retain(|(key, _)| *key != t.key);
    match (notice.stage, after.open.is_empty()) {
        (Stage::Deleted, true) => after.stage = Stage::Past,
        (Stage::Deleted, false) => {}
        (_, false) if worst(notice) == worst(&after) => {}
        (_, last) => {
            let at = behind(notice, t.time.as_secs());
            after.said_at = at;
            if last {
                after.stage = Stage::Closed(at);
            }
            return Say::Update(Update {
                kind: Kind::Incident,
                status: if last { Kind::Incident.over() } else { Kind::Incident.going_on() },
                description: terms.description("Over: ", &title(&t.summary, t.key.rule.as_str()), ""),
                at,
                after,
                otherwise: None,
            });
        }
    }
    Say::Nothing(Some(after))
}

fn change(row: &Delivery, report: &ChangeReport, board: &Board, terms: Terms<'_>) -> Say {
    let at = report.time.as_secs();
    let notice = board.about(&NoticeOf::Change(report.change_key.clone()));
    let is_over = matches!(report.status, ChangeStatus::Done | ChangeStatus::Canceled);
    let update = |notice: &Notice, status, stage: fn(i64) -> Stage, begins: &str| {
        let at = behind(notice, at);
        Say::Update(Update {
            kind: Kind::Maintenance,
            status,
            description: terms.description(begins, &name(report), &report.description),
            at,
            after: Notice { said_at: at, stage: stage(at), ..notice.clone() },
            otherwise: None,
        })
    };
    let create = || Say::Create(Box::new(maintenance(row, report, terms)));
    match (report.status, notice.map(|notice| (notice, notice.stage))) {
        (_, Some((notice, Stage::Deleted))) => {
            let stage = if is_over { Stage::Past } else { Stage::Deleted };
            Say::Nothing(Some(Notice { stage, ..notice.clone() }))
        }
        (ChangeStatus::Processing, Some((notice, Stage::Planned))) => {
            update(notice, Kind::Maintenance.going_on(), |_| Stage::Open, "")
        }
        (ChangeStatus::Done, Some((notice, Stage::Planned | Stage::Open))) => {
            update(notice, Kind::Maintenance.over(), Stage::Closed, "")
        }
        (ChangeStatus::Canceled, Some((notice, Stage::Planned | Stage::Open))) => {
            update(notice, Kind::Maintenance.over(), Stage::Closed, "Canceled: ")
        }
        // It is said already.
        (_, Some((_, Stage::Planned | Stage::Open))) => Say::Nothing(None),
        // Several lines may say that a change is done.
        (ChangeStatus::Done, Some((_, Stage::Closed(closed)))) if terms.is_fresh(closed, at) => {
            Say::Nothing(None)
        }
        // What was never announced need not be called off.
        (ChangeStatus::Canceled, _) => Say::Nothing(None),
        _ => create(),
    }
}

fn name(report: &ChangeReport) -> String {
    title(&report.summary, &report.change_key)
}

/// The notice of a change of which nothing stands on the page.
fn maintenance(row: &Delivery, report: &ChangeReport, terms: Terms<'_>) -> New {
    let (time, seen) = (report.time.as_secs(), report.seen.as_secs());
    let planned = report.starts.map(Timestamp::as_secs);
    let until = report.ends.map(Timestamp::as_secs);
    let said = terms.description("", &name(report), &report.description);
    let end = terms.end.and_then(Delivery::change);
    let over_at = end.map(|end| {
        let begins = if end.status == ChangeStatus::Canceled { "Canceled: " } else { "" };
        (end.time.as_secs(), terms.description(begins, &name(end), &end.description))
    });
    let is_plan = matches!(report.status, ChangeStatus::Planned | ChangeStatus::Ready);
    let (mut at, mut starts, mut over) = match report.status {
        // Without a word about its beginning it is a moment.
        ChangeStatus::Done => {
            let from = planned.unwrap_or(time).min(time.saturating_sub(1));
            (from, from, Some((time, said.clone())))
        }
        ChangeStatus::Planned | ChangeStatus::Ready => (seen, planned.unwrap_or(time).max(seen), None),
        ChangeStatus::Processing | ChangeStatus::Canceled => (time, time, over_at.clone()),
    };
    let now = terms.now.as_secs();
    let mut ends = until.filter(|_| is_plan && planned.is_some());
    if let Some(until) = ends.filter(|until| *until <= now) {
        // Nobody can be told of a plan any more whose time is over.
        at = planned.unwrap_or(starts).min(until.saturating_sub(1));
        starts = at;
        over = Some((until, said.clone()));
    }
    ends = ends
        .filter(|until| *until > starts && until.saturating_sub(seen) <= LONGEST_SCHEDULE && over.is_none());
    let over = over.map(|(end, words)| (end.max(at.saturating_add(1)), words));
    let about = NoticeOf::Change(report.change_key.clone());
    let mut after = put_up(&row.sink, about, 0, name(report), at);
    after.stage = match &over {
        Some((end, _)) => Stage::Closed(*end),
        None if is_plan => Stage::Planned,
        None => Stage::Open,
    };
    after.said_at = over.as_ref().map_or(at, |(end, _)| *end);
    New {
        kind: Kind::Maintenance,
        status: if is_plan { SCHEDULED } else { Kind::Maintenance.going_on() },
        description: said,
        at,
        starts,
        ends,
        over,
        needless: is_plan && over_at.is_some(),
        stands_at: vec![at, starts, seen],
        linked_changes: report.linked_changes.iter().take(MOST_LINKED).map(|id| title(id, "")).collect(),
        severity: Status::Ok,
        after,
    }
}
