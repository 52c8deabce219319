//! Flashduty status pages: alerts are incidents there, changes are maintenances.
//!
//! The peer knows no idempotency key, so one row is a dialogue: what may have been said before is looked for on the page
//! before it is said again. [`Dialogue`] is a state machine, requests out and answers in; at its end it says what became
//! of the row and what the page shows now ([`Notice`]s), and both belong into one commit. Rows of a sink come strictly
//! one after the other ([`Limits::in_order`](super::attempt::Limits)), so what is decided for a row is the same however
//! often it is tried.
//!
//! ```text
//! begins:   components of the page ─▶ is it there? (open, then closed) ─▶ create
//! goes on:  is it said? ─▶ timeline         over: what does it speak of? ─▶ timeline, everything operational
//! then, if what was said took something from the components of what is still open: say that again
//! ```
//!
//! An incident is known by its title and its start, both from the row; an update by its time and its status.

mod board;
mod plan;
mod text;
mod wire;

use std::collections::BTreeMap;

use serde_json::Value;

use super::attempt::{Before, Outcome};
use super::text::words;
use super::{Answer, Request, Unit, flashduty};
use crate::model::{ChangeStatus, ComponentStatus, Content, Delivery, DeliveryKind, Timestamp};
use crate::saved::{Notice, NoticeOf, Stage};
use crate::settings::StatusPage;
use board::Board;
use plan::{New, Say, Update};
use wire::{Component, Create, Kind, Shown, TimelineEntry, component_changes};

/// Most bytes of an answer that are read: lists of notices hold all that was ever said in them.
pub const MOST_ANSWER: usize = 1024 * 1024;

const PAGE: &str = "/status-page/info";
const CREATE: &str = "/status-page/change/create";
const TIMELINE: &str = "/status-page/change/timeline/create";
const INFO: &str = "/status-page/change/info";
const ACTIVE: &str = "/status-page/change/active/list";
const LIST: &str = "/status-page/change/list";

/// What comes next in a dialogue.
pub enum Turn {
    /// Send this and hand in the answer.
    Ask(Request),
    /// It is over.
    End(End),
}

/// How a dialogue ended.
#[derive(Debug)]
pub struct End {
    /// What became of the row.
    pub outcome: Outcome,
    /// Notices that are not as they were.
    pub learned: Vec<Notice>,
}

/// The last question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Which components the page has.
    Components,
    /// Which notices are open.
    Active,
    /// Which notices were closed after the time of the one in question.
    Closed,
    /// To put up a notice.
    Create,
    /// What is said in a notice.
    Info,
    /// To say something in a notice.
    Timeline,
}

/// What is said to a status page because of one row.
pub struct Dialogue<'a> {
    settings: &'a StatusPage,
    unit: Unit<'a>,
    row: &'a Delivery,
    before: Before,
    board: Board,
    asked: Asked,
    /// The notice that is being put up, and the components it is to speak of.
    new: Option<Box<New>>,
    components: Vec<String>,
    /// What is being said in a notice.
    update: Option<Update>,
    /// True if the page was asked what is said there.
    looked: bool,
    /// What was said last of components, and is so once it is accepted.
    said: Vec<(String, ComponentStatus)>,
    /// What the page shows of components.
    view: BTreeMap<String, ComponentStatus>,
    /// True if what the row says is on the page.
    told: bool,
    /// Notices in which what is still so was said again.
    repeated: Vec<NoticeOf>,
    note: String,
}

impl<'a> Dialogue<'a> {
    /// Begins the dialogue about the first row of the unit.
    ///
    /// # Panics
    /// If there is no row in the unit.
    pub fn begin(settings: &'a StatusPage, unit: Unit<'a>, before: Before) -> (Dialogue<'a>, Turn) {
        let row = unit.rows.first().expect("a unit has a row");
        let board = Board::new(before.notices.clone());
        let all = before.notices.iter().flat_map(|notice| &notice.components);
        let view = all.map(|id| (id.clone(), board.wanted(id, &settings.component_status))).collect();
        let mut dialogue = Dialogue {
            settings,
            unit,
            row,
            before,
            board,
            asked: Asked::Components,
            new: None,
            components: Vec::new(),
            update: None,
            looked: false,
            said: Vec::new(),
            view,
            told: false,
            repeated: Vec::new(),
            note: "nothing to say".to_owned(),
        };
        let terms =
            plan::Terms { settings, end: dialogue.before.end.as_deref(), shrink: unit.shrink, now: unit.now };
        let turn = match plan::say(row, &dialogue.board, terms) {
            Say::Nothing(after) => {
                after.into_iter().for_each(|after| dialogue.board.put(after));
                dialogue.settle()
            }
            Say::Look => dialogue.ask_components(),
            Say::Create(new) => dialogue.begin_create(new),
            Say::Update(update) => dialogue.begin_update(update),
        };
        (dialogue, turn)
    }

    /// Takes the answer to what was asked last.
    pub fn hear(&mut self, request: &Request, answer: &Answer, now: Timestamp) -> Turn {
        let unit = Unit { now, ..self.unit };
        let data = match flashduty::judge(unit, request, answer) {
            Ok(reply) => reply.data.unwrap_or(Value::Null),
            Err(refused) => return self.refused(&refused.code, refused.outcome),
        };
        let turn = match self.asked {
            Asked::Components => wire::components(&data).map(|all| self.choose(&all)),
            Asked::Active | Asked::Closed => wire::listed(&data).map(|all| self.look_through(&all)),
            Asked::Create => wire::change_id(&data).map(|change_id| self.created(change_id, answer)),
            Asked::Info => wire::shown(&data).map(|shown| self.look_at(&shown)),
            Asked::Timeline => wire::has_update(&data).then(|| self.updated(answer)),
        };
        // It may have been taken all the same: it is looked for before it is said again.
        turn.unwrap_or_else(|| {
            let why = format!("{} with an answer that is not that of a status page", answer.status);
            self.end(Outcome::Retry { after: None, why })
        })
    }

    /// An end that has nothing to do with what the peer said: there was no answer.
    pub fn end(&mut self, outcome: Outcome) -> Turn {
        let learned = match outcome {
            // What the row says is on the page. That something else should be said again is not worth a dead letter.
            Outcome::Dead { .. } if self.told => return self.finish(),
            Outcome::Dead { .. } => self.buried(),
            _ => Vec::new(),
        };
        Turn::End(End { outcome, learned })
    }

    fn refused(&mut self, code: &str, outcome: Outcome) -> Turn {
        let gone = code == "ResourceNotFound";
        match (self.asked, outcome) {
            (Asked::Info, _) if gone => self.deleted(),
            // The event, or one of its components.
            (Asked::Timeline, _) if gone && !self.looked => self.ask_info(),
            (Asked::Create | Asked::Timeline, Outcome::Suspend { why }) if gone => {
                self.end(Outcome::Dead { why })
            }
            // What is wrong with a question is wrong with the settings.
            (
                Asked::Components | Asked::Active | Asked::Closed,
                Outcome::Dead { why } | Outcome::Suspend { why },
            ) => {
                let why = format!("the page `{}` can not be read: {why}", self.settings.page_id);
                self.end(Outcome::Suspend { why })
            }
            (_, outcome) => self.end(outcome),
        }
    }

    // ---- what begins ------------------------------------------------------------------------------------------

    fn begin_create(&mut self, new: Box<New>) -> Turn {
        if new.needless && !self.before.again {
            return self.settle();
        }
        self.new = Some(new);
        self.ask_components()
    }

    fn ask_components(&mut self) -> Turn {
        self.asked = Asked::Components;
        Turn::Ask(wire::get(self.settings, self.unit.secrets, PAGE, &[]))
    }

    /// Finds the components of the settings among those of the page.
    fn choose(&mut self, all: &[Component]) -> Turn {
        let mut chosen: Vec<String> = Vec::new();
        for wanted in &self.settings.components {
            let by_name = || all.iter().filter(|component| component.name == *wanted);
            let found = all.iter().find(|component| component.id == *wanted).or_else(|| by_name().next());
            let twice = by_name().count() > 1 && all.iter().all(|component| component.id != *wanted);
            match found {
                Some(_) if twice => {
                    let why = format!(
                        "the page `{}` has several components named `{wanted}`; name it by its id in `components`",
                        self.settings.page_id
                    );
                    return self.end(Outcome::Suspend { why });
                }
                Some(found) if chosen.contains(&found.id) => {}
                Some(found) => chosen.push(found.id.clone()),
                None => {
                    let names: Vec<String> = all.iter().map(|has| format!("`{}`", has.name)).collect();
                    let why = format!(
                        "the page `{}` has no component `{wanted}`; correct `components`: it has {}",
                        self.settings.page_id,
                        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
                    );
                    return self.end(Outcome::Suspend { why: words(&why, self.unit.secrets) });
                }
            }
        }
        self.components = chosen;
        if self.new.is_none() {
            self.note = "the page has its components".to_owned();
        }
        if self.before.again { self.ask_active() } else { self.create() }
    }

    fn ask_active(&mut self) -> Turn {
        let Some(new) = &self.new else { return self.settle() };
        self.asked = Asked::Active;
        let asked = [("type", new.kind.as_str())];
        Turn::Ask(wire::get(self.settings, self.unit.secrets, ACTIVE, &asked))
    }

    /// Asks for what is over by now and was open at the time in question.
    fn ask_closed(&mut self) -> Turn {
        let Some(new) = &self.new else { return self.settle() };
        self.asked = Asked::Closed;
        let first = new.stands_at.iter().min().unwrap_or(&new.at).to_string();
        let last = new.stands_at.iter().max().unwrap_or(&new.at).to_string();
        let asked = [
            ("type", new.kind.as_str()),
            ("status", new.kind.over()),
            ("start_at_seconds", first.as_str()),
            ("end_at_seconds", last.as_str()),
        ];
        Turn::Ask(wire::get(self.settings, self.unit.secrets, LIST, &asked))
    }

    /// Looks for the notice that may have been put up before.
    fn look_through(&mut self, all: &[Shown]) -> Turn {
        let Some(new) = &self.new else { return self.settle() };
        let known = |id: i64| self.before.notices.iter().any(|notice| notice.change_id == id);
        let fits = |shown: &&Shown| {
            shown.title.trim() == new.after.title
                && shown.start.is_some_and(|start| new.stands_at.contains(&start))
                && !known(shown.change_id)
        };
        match (all.iter().find(fits), self.asked) {
            (Some(shown), _) => {
                let (change_id, is_over) = (shown.change_id, shown.status == new.kind.over());
                self.found(change_id, is_over)
            }
            (None, Asked::Active) => self.ask_closed(),
            (None, _) if new.needless => {
                self.new = None;
                self.settle()
            }
            (None, _) => self.create(),
        }
    }

    /// The notice is there. Whoever closed it, alerts that are open say so with the next thing that is said of them.
    fn found(&mut self, change_id: i64, is_over: bool) -> Turn {
        self.note = format!("found change_id={change_id}");
        let Some(mut new) = self.new.take() else { return self.settle() };
        if new.over.is_some() && !is_over {
            // It was put up before its end was known; that comes in a row of its own.
            new.over = None;
            new.after.said_at = new.at;
            new.after.stage = if new.is_ahead() { Stage::Planned } else { Stage::Open };
        }
        self.said = self.last_words(&new);
        self.put_up(new, change_id)
    }

    /// What a notice says of its components first.
    fn first_words(&self, new: &New) -> Vec<(String, ComponentStatus)> {
        let table = &self.settings.component_status;
        let says = |id: &String| match (new.kind, &new.over) {
            (Kind::Incident, Some(_)) => board::of_severity(table, new.severity),
            (Kind::Incident, None) => {
                board::of_severity(table, new.severity).max(self.board.of_alerts(id, table))
            }
            // The page begins it by itself, and shows of its components then what is said now.
            (Kind::Maintenance, None) if new.is_ahead() && new.ends.is_none() => ComponentStatus::Operational,
            (Kind::Maintenance, _) => ComponentStatus::UnderMaintenance,
        };
        self.components.iter().map(|id| (id.clone(), says(id))).collect()
    }

    /// What they show once it is there: what it says of them last, if it is told in retrospect; else the same, and nothing
    /// new if it is to come.
    fn last_words(&self, new: &New) -> Vec<(String, ComponentStatus)> {
        match new.over {
            Some(_) => self.components.iter().map(|id| (id.clone(), ComponentStatus::Operational)).collect(),
            None if new.is_ahead() => Vec::new(),
            None => self.first_words(new),
        }
    }

    fn create(&mut self) -> Turn {
        let Some(new) = self.new.take() else { return self.settle() };
        let first = self.first_words(&new);
        let status = if new.over.is_some() { new.kind.going_on() } else { new.status };
        let mut updates = vec![wire::Update {
            at_seconds: new.at,
            status,
            description: &new.description,
            component_changes: component_changes(&first),
        }];
        self.said = self.last_words(&new);
        if let Some((at, description)) = &new.over {
            let component_changes = component_changes(&self.said);
            updates.push(wire::Update {
                at_seconds: *at,
                status: new.kind.over(),
                description,
                component_changes,
            });
        }
        let body = Create {
            page_id: self.settings.page_id,
            kind: new.kind.as_str(),
            title: &new.after.title,
            status: if new.over.is_some() { new.kind.over() } else { status },
            description: &new.description,
            start_at_seconds: new.starts,
            close_at_seconds: new.over.as_ref().map(|(at, _)| *at).or(new.ends),
            updates,
            responders: &self.settings.responders,
            linked_changes: &new.linked_changes,
            notify_subscribers: self.settings.notify_subscribers,
            auto_update_by_schedule: new.ends.is_some(),
            is_retrospective: new.over.is_some(),
        };
        let request = wire::post(self.settings, self.unit.secrets, CREATE, &body);
        self.asked = Asked::Create;
        self.new = Some(new);
        Turn::Ask(request)
    }

    fn created(&mut self, change_id: i64, answer: &Answer) -> Turn {
        self.note = accepted(change_id, answer);
        match self.new.take() {
            Some(new) => self.put_up(new, change_id),
            None => self.settle(),
        }
    }

    /// The notice stands on the page.
    fn put_up(&mut self, new: Box<New>, change_id: i64) -> Turn {
        // An alert that was told of in retrospect is over: nothing follows it.
        if new.kind == Kind::Maintenance || new.over.is_none() {
            let components = std::mem::take(&mut self.components);
            self.board.put(Notice { change_id, components, ..new.after });
        }
        self.settle()
    }

    // ---- what goes on -----------------------------------------------------------------------------------------

    fn begin_update(&mut self, update: Update) -> Turn {
        self.board.put(update.after.clone());
        let look = self.before.again || update.closes();
        self.update = Some(update);
        self.looked = false;
        if look { self.ask_info() } else { self.ask_timeline() }
    }

    fn ask_info(&mut self) -> Turn {
        let Some(update) = &self.update else { return self.settle() };
        self.asked = Asked::Info;
        self.looked = true;
        let change_id = update.after.change_id.to_string();
        Turn::Ask(wire::get(self.settings, self.unit.secrets, INFO, &[("change_id", &change_id)]))
    }

    fn look_at(&mut self, shown: &Shown) -> Turn {
        let Some(update) = &mut self.update else { return self.settle() };
        // Somebody else may have said more: what is over is over for all components that the notice speaks of.
        let more = shown.components.iter().filter(|id| !update.after.components.contains(*id));
        let more: Vec<String> = if update.closes() { more.cloned().collect() } else { Vec::new() };
        update.after.components.extend(more);
        let is_said =
            |(at, status): &(Option<i64>, String)| *at == Some(update.at) && status == update.status;
        let is_over = update.closes() && shown.status == update.status;
        if shown.updates.iter().any(is_said) || is_over {
            self.note = format!("found in change_id={}", shown.change_id);
            self.say_components();
            return self.has_said();
        }
        self.ask_timeline()
    }

    /// What the update says of components.
    fn say_components(&mut self) {
        let Some(update) = &self.update else { return };
        let table = &self.settings.component_status;
        let says = |id: &String| match (update.closes(), update.kind) {
            (true, _) => ComponentStatus::Operational,
            (false, Kind::Incident) => self.board.of_alerts(id, table),
            (false, Kind::Maintenance) => ComponentStatus::UnderMaintenance,
        };
        self.said = update.after.components.iter().map(|id| (id.clone(), says(id))).collect();
    }

    fn ask_timeline(&mut self) -> Turn {
        self.say_components();
        let Some(update) = &self.update else { return self.settle() };
        self.asked = Asked::Timeline;
        let body = TimelineEntry {
            page_id: self.settings.page_id,
            change_id: update.after.change_id,
            status: update.status,
            description: &update.description,
            at_seconds: update.at,
            component_changes: component_changes(&self.said),
        };
        Turn::Ask(wire::post(self.settings, self.unit.secrets, TIMELINE, &body))
    }

    fn updated(&mut self, answer: &Answer) -> Turn {
        if let Some(update) = &self.update {
            self.note = accepted(update.after.change_id, answer);
        }
        self.has_said()
    }

    fn has_said(&mut self) -> Turn {
        if let Some(update) = self.update.take() {
            self.board.put(update.after);
        }
        self.settle()
    }

    /// Somebody deleted the notice on the page. What it was about is not told there again, unless that is new.
    fn deleted(&mut self) -> Turn {
        let Some(update) = self.update.take() else { return self.settle() };
        self.note = format!("change_id={} was deleted on the page", update.after.change_id);
        let mut notice = update.after.clone();
        notice.stage = Stage::Past;
        if let Some(new) = update.otherwise {
            self.board.put(notice);
            return self.begin_create(new);
        }
        if !update.closes() {
            notice.stage = Stage::Deleted;
        }
        self.board.put(notice);
        self.said.clear();
        self.settle()
    }

    // ---- the end ----------------------------------------------------------------------------------------------

    /// What was said is on the page. If it took something from the components of what is still open, that is said again.
    fn settle(&mut self) -> Turn {
        self.told = true;
        self.view.extend(std::mem::take(&mut self.said));
        let table = &self.settings.component_status;
        let at = self.row_seconds();
        let unsettled = self.view.iter().find_map(|(id, shown)| {
            let (notice, wanted) = self.board.speaker(id, table)?;
            (wanted != *shown && !self.repeated.contains(&notice.about)).then(|| plan::again(notice, at))
        });
        match unsettled {
            Some(update) => {
                self.repeated.push(update.after.about.clone());
                self.begin_update(update)
            }
            None => self.finish(),
        }
    }

    fn finish(&mut self) -> Turn {
        let reopen_s = i64::try_from(self.settings.reopen_within.as_secs()).unwrap_or(i64::MAX);
        let at = self.row_seconds();
        let board = std::mem::replace(&mut self.board, Board::new(Vec::new()));
        let outcome = Outcome::Accepted { note: words(&self.note, self.unit.secrets) };
        Turn::End(End { outcome, learned: board.changes(at, reopen_s) })
    }

    /// What is known after the page has refused for good what ends something: it is not counted any more.
    fn buried(&mut self) -> Vec<Notice> {
        let ends = match &self.row.content {
            Content::Alert(kind, _) => *kind == DeliveryKind::Resolve,
            Content::Change(report) => matches!(report.status, ChangeStatus::Done | ChangeStatus::Canceled),
        };
        let Some(update) = self.update.take().filter(|_| ends) else { return Vec::new() };
        let stage = match update.kind {
            Kind::Incident => Stage::Open,
            Kind::Maintenance => Stage::Past,
        };
        vec![Notice { stage, ..update.after }]
    }

    fn row_seconds(&self) -> i64 {
        self.row.time().as_secs()
    }
}

fn accepted(change_id: i64, answer: &Answer) -> String {
    let request_id = flashduty::request_id(answer).unwrap_or_else(|| "none".to_owned());
    format!("change_id={change_id} request_id={request_id}")
}

#[cfg(test)]
#[path = "../../../tests/support/status_page.rs"]
pub(crate) mod peer;

#[cfg(test)]
mod tests;
