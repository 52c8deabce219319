use proptest::prelude::*;
use serde_json::json;

use super::super::attempt::{Attempt, Change, Limits, Purpose};
use super::super::queue::Queue;
use super::super::{Secrets, sample};
use super::*;
use crate::model::{
    AlertKey, ChangeReport, Episode, FileId, KeyHash, Position, RuleName, SinkName, Status, Transition,
};
use crate::settings::GroupBy;

mod world;

use peer::{KEY, PAGE};

pub(super) fn settings() -> StatusPage {
    StatusPage {
        url: "https://api.flashcat.cloud".to_owned(),
        page_id: PAGE,
        components: vec!["API".to_owned()],
        responders: Vec::new(),
        notify_subscribers: false,
        component_status: [
            ComponentStatus::Degraded,
            ComponentStatus::PartialOutage,
            ComponentStatus::FullOutage,
        ],
        group_by: GroupBy::Rule,
        reopen_within: std::time::Duration::from_secs(3600),
        send_description: false,
    }
}

pub(super) fn secrets() -> Secrets {
    Secrets::new(vec![("app_key", KEY.into())])
}

/// An alert of a rule at a second; `n` tells its keys apart.
pub(super) fn alert(rule: &str, n: u8, kind: DeliveryKind, status: Status, at: i64) -> Delivery {
    let time = Timestamp::from_secs(at);
    let transition = Transition {
        key: AlertKey { rule: RuleName::new(rule), hash: KeyHash([n; 16]) },
        time,
        since: time,
        status,
        summary: format!("{rule} is in trouble"),
        episode: Episode(Position { file: FileId(1), offset: 7 }),
        ..sample::transition()
    };
    Delivery { sink: SinkName::new("page"), ..sample::alert(kind, transition) }
}

pub(super) fn report(key: &str, status: ChangeStatus, at: i64) -> ChangeReport {
    let time = Timestamp::from_secs(at);
    ChangeReport {
        change_key: key.to_owned(),
        status,
        time,
        seen: time,
        starts: None,
        ends: None,
        linked_changes: Vec::new(),
        summary: format!("deploy of {key}"),
        ..sample::report()
    }
}

fn of(report: ChangeReport) -> Delivery {
    Delivery { sink: SinkName::new("page"), ..sample::of_change(report) }
}

/// A page and what is known of it.
struct Desk {
    settings: StatusPage,
    page: peer::StatusPage,
    notices: Vec<Notice>,
    now: i64,
}

impl Desk {
    fn new(settings: StatusPage) -> Desk {
        Desk { settings, page: peer::StatusPage::default(), notices: Vec::new(), now: 1000 }
    }

    /// Says a row, with what is known of what comes after it, to a page that answers everything.
    fn tell_with(&mut self, row: Delivery, again: bool, end: Option<Delivery>) -> Outcome {
        self.now = self.now.max(row.time().as_secs());
        self.page.now = self.now;
        let before = Before { again, end: end.map(Box::new), notices: self.notices.clone() };
        let (secrets, rows) = (secrets(), [row]);
        let now = Timestamp::from_secs(self.now);
        let unit = Unit { rows: &rows, secrets: &secrets, shrink: false, now, purpose: Purpose::Owed };
        let (mut dialogue, mut turn) = Dialogue::begin(&self.settings, unit, before);
        let end = loop {
            match turn {
                Turn::Ask(request) => {
                    let answer = world::answer(&mut self.page, &request);
                    turn = dialogue.hear(&request, &answer, now);
                }
                Turn::End(end) => break end,
            }
        };
        for notice in end.learned {
            self.notices.retain(|known| known.about != notice.about);
            self.notices.extend((notice.stage != Stage::Past).then_some(notice));
        }
        end.outcome
    }

    #[track_caller]
    fn tell(&mut self, row: Delivery) {
        let outcome = self.tell_with(row, false, None);
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?} {:?}", self.page.refused);
    }

    /// What stands on the page: of each event its status and how often something was said, and what the API shows.
    #[track_caller]
    fn check(&self, events: &[(&str, usize)], api: &str) {
        let found: Vec<_> =
            self.page.events.iter().map(|event| (event.status.as_str(), event.updates.len())).collect();
        assert_eq!(found, events, "{:#?}", self.page.events);
        let shown = self.page.components.get("01KC3API").map_or("operational", String::as_str);
        assert_eq!(shown, api);
        assert_eq!(self.page.refused, [""; 0]);
    }
}

const RAISE: DeliveryKind = DeliveryKind::Raise;
const CHANGE: DeliveryKind = DeliveryKind::Change;
const RESOLVE: DeliveryKind = DeliveryKind::Resolve;

#[test]
fn an_incident_is_told_with_every_field() {
    let settings = StatusPage {
        components: vec!["API".to_owned(), "01KC3WEB".to_owned()],
        responders: vec![7, 8],
        notify_subscribers: true,
        send_description: true,
        ..settings()
    };
    let mut desk = Desk::new(settings);
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2000));
    let expected = json!({
        "page_id": PAGE, "type": "incident", "title": "db is in trouble", "status": "investigating",
        "description": "db is in trouble\n\nFailed password for root", "start_at_seconds": 2000,
        "updates": [{
            "at_seconds": 2000, "status": "investigating",
            "description": "db is in trouble\n\nFailed password for root",
            "component_changes": [
                { "component_id": "01KC3API", "status": "partial_outage" },
                { "component_id": "01KC3WEB", "status": "partial_outage" },
            ],
        }],
        "responders": [7, 8], "notify_subscribers": true,
    });
    assert_eq!(desk.page.events[0].body, expected);
}

#[test]
fn an_alert_is_raised_gets_worse_gets_better_and_ends() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2000));
    desk.check(&[("investigating", 1)], "partial_outage");
    desk.tell(alert("db", 1, CHANGE, Status::Critical, 2060));
    desk.check(&[("investigating", 2)], "full_outage");
    desk.tell(alert("db", 1, CHANGE, Status::Info, 2060));
    desk.check(&[("investigating", 3)], "degraded");
    desk.tell(alert("db", 1, RESOLVE, Status::Ok, 2120));
    desk.check(&[("resolved", 4)], "operational");
    let said: Vec<_> =
        desk.page.events[0].updates.iter().map(|update| (update.0, update.2.as_str())).collect();
    // Two updates never have one time.
    let words = "db is in trouble";
    assert_eq!(said, [(2000, words), (2060, words), (2061, words), (2120, "Over: db is in trouble")]);
}

#[test]
fn alerts_of_a_rule_are_counted_in_one_incident() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2000));
    // Another one that is no worse is counted in silence.
    desk.tell(alert("db", 2, RAISE, Status::Info, 2001));
    desk.check(&[("investigating", 1)], "partial_outage");
    desk.tell(alert("db", 3, RAISE, Status::Critical, 2002));
    desk.check(&[("investigating", 2)], "full_outage");
    desk.tell(alert("db", 1, RESOLVE, Status::Ok, 2003));
    desk.check(&[("investigating", 2)], "full_outage");
    desk.tell(alert("db", 3, RESOLVE, Status::Ok, 2004));
    desk.check(&[("investigating", 3)], "degraded");
    desk.tell(alert("db", 2, RESOLVE, Status::Ok, 2005));
    desk.check(&[("resolved", 4)], "operational");
    // Nobody heard of it.
    desk.tell(alert("db", 4, RESOLVE, Status::Ok, 2006));
    desk.check(&[("resolved", 4)], "operational");
}

#[test]
fn each_alert_is_an_incident_if_so_wanted() {
    let mut desk = Desk::new(StatusPage { group_by: GroupBy::Alert, ..settings() });
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2000));
    desk.tell(alert("db", 2, RAISE, Status::Critical, 2001));
    desk.check(&[("investigating", 1), ("investigating", 1)], "full_outage");
    desk.tell(alert("db", 2, RESOLVE, Status::Ok, 2002));
    desk.check(&[("investigating", 2), ("resolved", 2)], "partial_outage");
    assert!(desk.page.events[0].updates[1].2 == "Still open", "{:?}", desk.page.events[0]);
}

#[test]
fn a_component_shows_the_worst_of_what_is_open_on_it() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, RAISE, Status::Critical, 2000));
    // The milder one does not make it better.
    desk.tell(alert("web", 2, RAISE, Status::Info, 2001));
    desk.check(&[("investigating", 1), ("investigating", 1)], "full_outage");
    desk.tell(alert("web", 2, CHANGE, Status::Warning, 2002));
    desk.check(&[("investigating", 1), ("investigating", 2)], "full_outage");
    // When one is over, all of its components are operational for a moment: what is still open is said again.
    desk.tell(alert("db", 1, RESOLVE, Status::Ok, 2003));
    desk.check(&[("resolved", 2), ("investigating", 3)], "partial_outage");
    desk.tell(alert("web", 2, RESOLVE, Status::Ok, 2004));
    desk.check(&[("resolved", 2), ("resolved", 4)], "operational");
}

#[test]
fn what_comes_back_soon_is_the_same_incident() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2000));
    desk.tell(alert("db", 1, RESOLVE, Status::Ok, 2100));
    desk.tell(alert("db", 2, RAISE, Status::Critical, 5700));
    desk.check(&[("investigating", 3)], "full_outage");
    desk.tell(alert("db", 2, RESOLVE, Status::Ok, 5800));
    desk.tell(alert("db", 1, RAISE, Status::Info, 9401));
    desk.check(&[("resolved", 4), ("investigating", 1)], "degraded");
}

#[test]
fn an_episode_that_is_over_already_is_told_in_retrospect() {
    let mut desk = Desk::new(settings());
    let end = alert("db", 1, RESOLVE, Status::Ok, 2600);
    let outcome = desk.tell_with(alert("db", 1, RAISE, Status::Critical, 2000), false, Some(end.clone()));
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?} {:?}", desk.page.refused);
    desk.tell(end);
    desk.check(&[("resolved", 2)], "operational");
    let body = &desk.page.events[0].body;
    assert_eq!((&body["is_retrospective"], &body["close_at_seconds"]), (&json!(true), &json!(2600)));
    assert_eq!(body["updates"][0]["component_changes"][0]["status"], "full_outage");
    assert_eq!(body["updates"][1]["at_seconds"], 2600);
    // What follows is no part of it.
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2700));
    desk.check(&[("resolved", 2), ("investigating", 1)], "partial_outage");
}

#[test]
fn a_change_is_planned_begun_and_done() {
    let mut desk = Desk::new(settings());
    desk.tell(of(report("api-1", ChangeStatus::Planned, 2000)));
    desk.check(&[("scheduled", 1)], "operational");
    desk.tell(of(report("api-1", ChangeStatus::Ready, 2010)));
    desk.check(&[("scheduled", 1)], "operational");
    desk.tell(of(report("api-1", ChangeStatus::Processing, 2020)));
    desk.tell(of(report("api-1", ChangeStatus::Processing, 2021)));
    desk.check(&[("ongoing", 2)], "under_maintenance");
    desk.tell(of(report("api-1", ChangeStatus::Done, 2030)));
    desk.tell(of(report("api-1", ChangeStatus::Done, 2031)));
    desk.check(&[("completed", 3)], "operational");
    // The next one of that name.
    desk.tell(of(report("api-1", ChangeStatus::Processing, 2040)));
    desk.check(&[("completed", 3), ("ongoing", 1)], "under_maintenance");
    desk.tell(of(report("api-1", ChangeStatus::Canceled, 2050)));
    desk.check(&[("completed", 3), ("completed", 2)], "operational");
    assert!(desk.page.events[1].updates[1].2.starts_with("Canceled: "));
}

#[test]
fn a_planned_window_is_begun_and_ended_by_the_page() {
    let mut desk = Desk::new(settings());
    let window = |starts, ends| ChangeReport {
        starts: Some(Timestamp::from_secs(starts)),
        ends: Some(Timestamp::from_secs(ends)),
        linked_changes: vec!["SHOP-7".to_owned()],
        ..report("api-1", ChangeStatus::Planned, 2000)
    };
    desk.tell(of(window(90_000, 93_600)));
    let expected = json!({
        "page_id": PAGE, "type": "maintenance", "title": "deploy of api-1", "status": "scheduled",
        "description": "deploy of api-1", "start_at_seconds": 90_000, "close_at_seconds": 93_600,
        "updates": [{
            "at_seconds": 2000, "status": "scheduled", "description": "deploy of api-1",
            "component_changes": [{ "component_id": "01KC3API", "status": "under_maintenance" }],
        }],
        "linked_changes": ["SHOP-7"], "notify_subscribers": false, "auto_update_by_schedule": true,
    });
    assert_eq!(desk.page.events[0].body, expected);
    // More than thirty days ahead the page does not take it; then lines have to say that it begins and ends.
    let mut desk = Desk::new(settings());
    desk.tell(of(window(90_000, 2000 + 31 * 86_400)));
    assert_eq!(desk.page.events[0].body.get("auto_update_by_schedule"), None);
    desk.check(&[("scheduled", 1)], "operational");
    // What lies in the past when it is told is told as past.
    let mut desk = Desk::new(settings());
    desk.now = 100_000;
    desk.tell(of(window(90_000, 93_600)));
    desk.check(&[("completed", 2)], "operational");
    assert_eq!((desk.page.events[0].start, desk.page.events[0].updates[1].0), (90_000, 93_600));
}

#[test]
fn a_change_that_is_over_already_is_told_in_retrospect_once() {
    let mut desk = Desk::new(settings());
    let done = of(report("api-1", ChangeStatus::Done, 2300));
    let rows = [
        (report("api-1", ChangeStatus::Planned, 2000), true),
        (report("api-1", ChangeStatus::Processing, 2100), true),
        (report("api-1", ChangeStatus::Done, 2300), false),
    ];
    for (report, ends) in rows {
        let outcome = desk.tell_with(of(report), false, ends.then(|| done.clone()));
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
    desk.check(&[("completed", 2)], "operational");
    assert_eq!((desk.page.events[0].start, desk.page.events[0].updates[1].0), (2100, 2300));
    // Without a word of its beginning it is a moment, or begins when it was planned to.
    let mut desk = Desk::new(settings());
    desk.tell(of(report("api-2", ChangeStatus::Done, 3000)));
    desk.tell(of(ChangeReport {
        starts: Some(Timestamp::from_secs(2500)),
        ..report("api-3", ChangeStatus::Done, 3000)
    }));
    desk.check(&[("completed", 2), ("completed", 2)], "operational");
    assert_eq!(desk.page.events.iter().map(|event| event.start).collect::<Vec<_>>(), [2999, 2500]);
    // What was never announced is not called off.
    desk.tell(of(report("api-4", ChangeStatus::Canceled, 3100)));
    assert_eq!(desk.page.events.len(), 2);
}

#[test]
fn what_was_put_up_before_its_answer_was_lost_is_found_and_counts_as_said() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, RAISE, Status::Critical, 2000));
    let rows = [
        alert("web", 2, RAISE, Status::Warning, 2010),
        alert("db", 1, CHANGE, Status::Warning, 2020),
        of(report("api-1", ChangeStatus::Planned, 2030)),
        of(report("api-1", ChangeStatus::Done, 2040)),
        of(report("api-2", ChangeStatus::Done, 2050)),
        alert("db", 1, RESOLVE, Status::Ok, 2060),
        alert("web", 2, RESOLVE, Status::Ok, 2070),
    ];
    for row in rows {
        let before = desk.notices.clone();
        desk.tell(row.clone());
        let page = (desk.page.events.clone(), desk.page.components.clone());
        // Nothing was remembered of that, and it is tried again.
        let known = std::mem::replace(&mut desk.notices, before);
        let outcome = desk.tell_with(row, true, None);
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        assert_eq!((&desk.page.events, &desk.page.components), (&page.0, &page.1));
        assert_eq!(desk.notices, known);
    }
    assert!(desk.page.events.iter().all(|event| !event.is_active()));
}

#[test]
fn maintenance_hides_no_alert() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, RAISE, Status::Critical, 2000));
    desk.tell(of(report("api-1", ChangeStatus::Processing, 2100)));
    desk.check(&[("investigating", 2), ("ongoing", 1)], "full_outage");
    desk.tell(alert("db", 1, RESOLVE, Status::Ok, 2200));
    desk.check(&[("resolved", 3), ("ongoing", 2)], "under_maintenance");
    desk.tell(of(report("api-1", ChangeStatus::Done, 2300)));
    desk.check(&[("resolved", 3), ("completed", 3)], "operational");
}

#[test]
fn what_is_planned_says_nothing_of_what_is_open() {
    for window in [None, Some((90_000, 93_600))] {
        let mut desk = Desk::new(settings());
        desk.tell(alert("db", 1, RAISE, Status::Critical, 2000));
        desk.tell(alert("db", 2, RAISE, Status::Critical, 2000));
        for n in 0..30 {
            desk.tell(of(ChangeReport {
                starts: window.map(|(starts, _)| Timestamp::from_secs(starts)),
                ends: window.map(|(_, ends)| Timestamp::from_secs(ends)),
                ..report(&format!("api-{n}"), ChangeStatus::Planned, 2001)
            }));
        }
        desk.tell(alert("db", 1, RESOLVE, Status::Ok, 2002));
        let incident = desk.page.events[0].clone();
        assert_eq!((incident.status.as_str(), incident.updates.len()), ("investigating", 1), "{incident:?}");
        assert_eq!(desk.page.components["01KC3API"], "full_outage");
        // What is over says when it was over.
        desk.tell(alert("db", 2, RESOLVE, Status::Ok, 2003));
        assert_eq!(desk.page.events[0].updates[1].0, 2003);
        assert_eq!(desk.page.components["01KC3API"], "operational");
        assert_eq!(desk.page.refused, [""; 0]);
    }
}

#[test]
fn what_somebody_deleted_on_the_page_is_not_brought_back_before_it_is_over() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2000));
    desk.page.delete(9001);
    for row in [
        alert("db", 1, CHANGE, Status::Critical, 2010),
        alert("db", 2, RAISE, Status::Critical, 2020),
        alert("db", 1, RESOLVE, Status::Ok, 2030),
        alert("db", 2, RESOLVE, Status::Ok, 2040),
    ] {
        desk.tell(row);
        assert_eq!(desk.page.events.len(), 0);
    }
    assert_eq!(desk.notices, []);
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2050));
    desk.tell(alert("db", 1, RESOLVE, Status::Ok, 2060));
    // Of one that was closed nothing is left to open again.
    desk.page.delete(9001);
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2070));
    desk.check(&[("investigating", 1)], "partial_outage");
}

#[test]
fn what_somebody_said_by_hand_is_over_too_when_it_is_over() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2000));
    let by_hand = json!({
        "page_id": PAGE, "change_id": 9001, "status": "identified", "description": "the shop too", "at_seconds": 2500,
        "component_changes": [{ "component_id": "01KC3WEB", "status": "full_outage" }],
    });
    let path = format!("{TIMELINE}?app_key=CANARY%2Fapp%2Bkey");
    let (status, _) = desk.page.answer("POST", &path, by_hand.to_string().as_bytes());
    assert_eq!(status, 200);
    desk.tell(alert("db", 1, RESOLVE, Status::Ok, 3000));
    desk.check(&[("resolved", 3)], "operational");
    assert_eq!(desk.page.components["01KC3WEB"], "operational");
    // Closed by hand, it is not closed again; alerts that go on say so.
    desk.tell(alert("web", 2, RAISE, Status::Warning, 4000));
    let close = |id: i64, at: i64| {
        json!({
            "page_id": PAGE, "change_id": id, "status": "resolved", "description": "fixed", "at_seconds": at,
            "component_changes": [{ "component_id": "01KC3API", "status": "operational" }],
        })
    };
    assert_eq!(desk.page.answer("POST", &path, close(9002, 4500).to_string().as_bytes()).0, 200);
    desk.tell(alert("web", 2, RESOLVE, Status::Ok, 5000));
    desk.check(&[("resolved", 3), ("resolved", 2)], "operational");
}

/// Says a raise to a page with other components than the settings name.
fn refused_for(components: &[&str]) -> String {
    let components = components.iter().map(|name| (*name).to_owned()).collect();
    let mut desk = Desk::new(StatusPage { components, ..settings() });
    let outcome = desk.tell_with(alert("db", 1, RAISE, Status::Warning, 2000), false, None);
    assert_eq!(desk.page.events, []);
    let Outcome::Suspend { why } = outcome else { panic!("{outcome:?}") };
    why
}

#[test]
fn a_component_that_is_not_there_suspends_the_sink_with_words() {
    let why = refused_for(&["API", "Shop"]);
    assert_eq!(
        why,
        "the page `5750613685214` has no component `Shop`; correct `components`: it has `API`, `Web shop`, `Web shop (old)`"
    );
    let mut desk = Desk::new(StatusPage { page_id: 5, ..settings() });
    let outcome = desk.tell_with(alert("db", 1, RAISE, Status::Warning, 2000), false, None);
    let Outcome::Suspend { why } = outcome else { panic!("{outcome:?}") };
    assert_eq!(why, "the page `5` can not be read: 400 ResourceNotFound: page not found");
}

#[test]
fn a_look_at_the_page_says_nothing_to_anybody() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, DeliveryKind::Beat, Status::Warning, 2000));
    assert_eq!(desk.page.asked, ["GET /status-page/info"]);
    desk.settings.components.push("Shop".to_owned());
    let outcome = desk.tell_with(alert("db", 1, DeliveryKind::Beat, Status::Warning, 2000), false, None);
    assert!(matches!(outcome, Outcome::Suspend { .. }), "{outcome:?}");
}

#[test]
fn of_two_components_with_one_name_none_is_guessed() {
    let all = [
        Component { id: "1".to_owned(), name: "API".to_owned() },
        Component { id: "2".to_owned(), name: "API".to_owned() },
    ];
    let check = |wanted: &str| {
        let settings = StatusPage { components: vec![wanted.to_owned()], ..settings() };
        let (secrets, rows) = (secrets(), [alert("db", 1, RAISE, Status::Warning, 2000)]);
        let unit = Unit {
            rows: &rows,
            secrets: &secrets,
            shrink: false,
            now: Timestamp::from_secs(2000),
            purpose: Purpose::Owed,
        };
        let (mut dialogue, _) = Dialogue::begin(&settings, unit, Before::default());
        match dialogue.choose(&all) {
            Turn::Ask(request) => String::from_utf8(request.body).unwrap(),
            Turn::End(end) => format!("{:?}", end.outcome),
        }
    };
    assert!(check("API").contains("several components named `API`"));
    assert!(check("2").contains(r#""component_id":"2""#));
}

/// What the peer may answer, and what becomes of the row: to a question about the page, to a create and to an update.
#[test]
fn every_answer_means_what_it_should() {
    let error = |status: u16, code: &str, message: &str| {
        let body = json!({ "request_id": "r", "error": { "code": code, "message": message } });
        (status, body.to_string())
    };
    let plain = |status: u16, body: &str| (status, body.to_owned());
    let (retry, suspend, dead, shrink) = ("Retry", "Suspend", "Dead", "Shrink");
    for (answer, question, write) in [
        (error(400, "InvalidParameter", "title is bad"), suspend, dead),
        (error(400, "InvalidParameter", "app_key CANARY/app+key is not valid"), suspend, suspend),
        (error(400, "BadRequest", "no"), suspend, dead),
        (error(400, "ReferenceExist", "no"), suspend, dead),
        (error(400, "ResourceNotFound", "no component"), suspend, dead),
        (error(400, "NoLicense", ""), suspend, suspend),
        (error(401, "Unauthorized", "CANARY%2Fapp%2Bkey"), suspend, suspend),
        (error(402, "BalanceNotEnough", ""), suspend, suspend),
        (error(403, "AccessDenied", ""), suspend, suspend),
        (error(404, "RouteNotFound", ""), suspend, suspend),
        (error(405, "MethodNotAllowed", ""), suspend, suspend),
        (error(409, "UndonedOrderExist", ""), retry, retry),
        (error(413, "EntityTooLarge", ""), shrink, shrink),
        (error(423, "RequestLocked", ""), retry, retry),
        (error(428, "RequestVerifyRequired", ""), suspend, suspend),
        (error(429, "RequestTooFrequently", ""), retry, retry),
        (error(500, "InternalError", ""), retry, retry),
        (error(503, "ServiceUnavailable", ""), retry, retry),
        (error(200, "InternalError", ""), retry, retry),
        (plain(200, "<html>"), retry, retry),
        (plain(200, "{}"), retry, retry),
        (plain(200, r#"{"data":null}"#), retry, retry),
        (plain(200, r#"{"data":{"items":7,"components":7,"change_id":"x","update_id":""}}"#), retry, retry),
        (plain(302, ""), suspend, suspend),
        (plain(400, ""), suspend, dead),
        (plain(502, "bad gateway"), retry, retry),
    ] {
        let settings = settings();
        let secrets = secrets();
        let rows = [alert("db", 1, RAISE, Status::Warning, 2000)];
        let now = Timestamp::from_secs(2000);
        let unit = Unit { rows: &rows, secrets: &secrets, shrink: false, now, purpose: Purpose::Owed };
        let mut page = peer::StatusPage::default();
        for (at, expected) in [(0, question), (1, write)] {
            let (mut dialogue, mut turn) = Dialogue::begin(&settings, unit, Before::default());
            let mut asked = 0;
            let end = loop {
                match turn {
                    Turn::Ask(request) => {
                        let said = match asked == at {
                            true => Answer {
                                status: answer.0,
                                headers: Vec::new(),
                                body: answer.1.clone().into_bytes(),
                                whole: true,
                            },
                            false => world::answer(&mut page, &request),
                        };
                        asked += 1;
                        turn = dialogue.hear(&request, &said, now);
                    }
                    Turn::End(end) => break end,
                }
            };
            let shown = format!("{:?}", end.outcome);
            assert!(shown.starts_with(expected), "{answer:?} at {at}: {shown}");
            assert!(!shown.contains("CANARY") && end.learned.is_empty(), "{shown}");
        }
    }
}

#[test]
fn what_ends_and_is_refused_for_good_keeps_nothing_open() {
    let mut desk = Desk::new(settings());
    desk.tell(alert("db", 1, RAISE, Status::Warning, 2000));
    desk.tell(alert("db", 2, RAISE, Status::Warning, 2001));
    // The page takes no update whose time lies before its start.
    desk.page.events[0].start = 9000;
    desk.tell(alert("db", 1, RESOLVE, Status::Ok, 2010));
    let outcome = desk.tell_with(alert("db", 2, RESOLVE, Status::Ok, 2020), false, None);
    assert!(matches!(outcome, Outcome::Dead { .. }), "{outcome:?}");
    assert_eq!((desk.notices[0].open.len(), desk.notices[0].stage), (0, Stage::Open));
    desk.page.events[0].start = 2000;
    desk.page.refused.clear();
    desk.tell(alert("db", 3, RAISE, Status::Critical, 2030));
    desk.tell(alert("db", 3, RESOLVE, Status::Ok, 2040));
    desk.check(&[("resolved", 3)], "operational");
}

#[test]
fn what_was_closed_long_ago_and_what_never_ends_is_forgotten() {
    let mut desk = Desk::new(settings());
    for n in 0..1100 {
        desk.tell(of(report(&format!("c{n}"), ChangeStatus::Processing, 2000 + n)));
        assert!(desk.notices.len() <= 1001);
    }
    let closed = of(report("c1099", ChangeStatus::Done, 4000));
    desk.tell(closed);
    desk.tell(alert("db", 1, RAISE, Status::Warning, 4000 + 3601));
    assert!(desk.notices.iter().all(|notice| !matches!(notice.stage, Stage::Closed(_))));
    assert!(desk.notices.iter().any(|notice| notice.about == NoticeOf::Change("c1098".to_owned())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, failure_persistence: None, ..ProptestConfig::default() })]
    /// Whatever is raised, changed and resolved, whatever requests and answers are lost and whenever the process dies:
    /// when all is told, the page shows what is open, and nothing stands on it twice.
    #[test]
    fn the_page_shows_what_is_open_whatever_is_lost(
        seed in any::<u64>(),
        by_alert in any::<bool>(),
        reopens in any::<bool>(),
        steps in prop::collection::vec((0u8..10, 0u8..4, 0u8..8, 1i64..3000), 1..40),
    ) {
        let mut settings = settings();
        settings.group_by = if by_alert { GroupBy::Alert } else { GroupBy::Rule };
        settings.reopen_within = std::time::Duration::from_secs(if reopens { 3600 } else { 0 });
        let mut world = world::World::new(settings, seed);
        for (kind, which, how, wait) in steps {
            world.step(kind, which, how, wait);
        }
        world.drain();
        world.check();
    }
}
