//! What one delivery costs us before and after the wire, for each type of sink: put into the queue and into the rows of
//! the next commit, planned, rendered and signed, accepted, taken out. No socket and no disk: those are measured by
//! `deliver`.

#![expect(clippy::print_stdout, reason = "how long a rendered delivery is belongs to how long it takes")]

#[path = "deliver/sample.rs"]
mod sample;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tripline::model::{
    ChangeReport, ChangeStatus, Content, Delivery, DeliveryKind, FileId, KeyHash, Labels, Position, RuleName,
    Timestamp,
};
use tripline::settings::{Peer, Sink};
use tripline::sink::attempt::{Attempt, Change, Limits, Outcome};
use tripline::sink::queue::Queue;
use tripline::sink::status_page::{Dialogue, Turn};
use tripline::sink::{self, Answer, Secrets, Unit, stdout};
use tripline::store::Batch;

/// One of each type, with the least settings and every signature that it can have.
const SINKS: [(&str, &str); 11] = [
    ("flashduty", "integration_key_env = 'K'\nchange_integration_key_env = 'C'"),
    ("pagerduty", "routing_key_env = 'K'"),
    ("alertmanager", "urls = ['http://127.0.0.1:9093']"),
    ("webhook", "url = 'http://127.0.0.1:1/'\nsecret_env = 'K'"),
    ("slack", "url_env = 'K'"),
    ("feishu", "url_env = 'K'\nsecret_env = 'S'"),
    ("dingtalk", "url_env = 'K'\nsecret_env = 'S'"),
    ("wecom", "url_env = 'K'"),
    ("flashduty-status-page", "app_key_env = 'K'\npage_id = 1\ncomponents = ['API']"),
    ("file", "path = '/bench/alerts.ndjson'"),
    ("exec", "command = ['/bin/true']"),
];

/// What the status page says when it is asked which components it has.
const PAGE: &str =
    r#"{"request_id":"r","data":{"page_id":1,"components":[{"component_id":"01","name":"API"}]}}"#;

/// Fits as a key of every peer but PagerDuty, and as the secret of a signature.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// 32 letters and digits.
const ROUTING_KEY: &str = "0123456789abcdef0123456789ABCDEF";

fn render(c: &mut Criterion) {
    let mut group = c.benchmark_group("render");
    group.sample_size(50).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    for (name, settings) in SINKS {
        let text = format!("[[sink]]\nname = 's'\ntype = '{name}'\n{settings}\n");
        for sink in sample::settings(&text).sinks {
            let alerts = sink.peer.takes_alerts().then_some(("alert", alert as Make));
            let changes = sink.peer.takes_changes().then_some(("change", change as Make));
            for (what, content) in alerts.into_iter().chain(changes) {
                let mut way = Way::new(&sink);
                let bytes = way.deliver(content);
                assert!(bytes > 100, "{name}, {what}: {bytes} bytes");
                println!("{name}, {what}: {bytes} bytes");
                group.bench_function(format!("{name}, {what}"), |b| b.iter(|| way.deliver(content)));
            }
        }
    }
    group.finish();
}

/// The content of the delivery of that number.
type Make = fn(u64) -> Content;

/// The way of deliveries to one sink.
struct Way<'s> {
    sink: &'s Sink,
    secrets: Secrets,
    queue: Queue,
    seq: u64,
}

impl Way<'_> {
    fn new(sink: &Sink) -> Way<'_> {
        let secret = |name: &'static str| match sink.peer {
            Peer::PagerDuty(_) => (name, ROUTING_KEY.into()),
            Peer::Chat(_) if name == "url" => (name, format!("https://127.0.0.1/bot?key={SECRET}").into()),
            Peer::Webhook(_) if name == "url" => (name, "http://127.0.0.1:1/".into()),
            _ => (name, SECRET.into()),
        };
        let secrets = Secrets::new(sink.secrets.iter().map(|(name, _)| secret(name)).collect());
        // No budget, and nothing that waits for company: the cost is the same, and nobody has to wait.
        let limits = Limits {
            budgets: Vec::new(),
            linger: Duration::ZERO,
            resend: None,
            shuns_half_hours: false,
            ..sink::limits(sink)
        };
        Way { sink, secrets, queue: Queue::new(sink.name.clone(), limits, 1, Vec::new()), seq: 0 }
    }

    /// One delivery from its making to the end of its row; the bytes that leave.
    fn deliver(&mut self, content: Make) -> usize {
        self.seq += 1;
        let now = Timestamp(1_700_000_000_000_000 + i64::try_from(self.seq).unwrap_or(0) * 1_000_000);
        let (sink, content) = (self.sink.name.clone(), content(self.seq));
        let mut changes = Vec::new();
        self.queue.push(Delivery { seq: self.seq, sink, content, attempted: false }, &mut changes);
        let attempts = self.queue.plan(now, &mut changes);
        assert_eq!(attempts.len(), 1, "it may go at once");
        let bytes = attempts.iter().map(|attempt| self.render(attempt, now)).sum();
        for Attempt { id, deliveries, .. } in attempts {
            let outcomes = vec![Outcome::Accepted { note: String::new() }; deliveries.len()];
            self.queue.handle(id, outcomes, now, &mut changes);
        }
        let mut batch = Batch::default();
        for change in &changes {
            match change {
                Change::Put(row) => batch.put_delivery(row),
                Change::Remove(seq) => batch.remove_delivery(*seq),
                Change::Dead(_)
                | Change::Stand(_)
                | Change::Unstand(..)
                | Change::Refused(_)
                | Change::Unrefused(..) => {}
            }
        }
        self.queue.committed();
        assert!(!batch.is_empty() && self.queue.owed() == 0, "it was owed and is not any more");
        bytes
    }

    fn render(&self, attempt: &Attempt, now: Timestamp) -> usize {
        let Attempt { deliveries: rows, shrink, purpose, .. } = attempt;
        let unit = Unit { rows, secrets: &self.secrets, shrink: *shrink, now, purpose: *purpose };
        match &self.sink.peer {
            Peer::StatusPage(settings) => {
                let (mut dialogue, turn) = Dialogue::begin(settings, unit, attempt.before.clone());
                let Turn::Ask(question) = turn else { return 0 };
                let headers = Vec::new();
                let answer = Answer { status: 200, headers, body: PAGE.into(), whole: true };
                match dialogue.hear(&question, &answer, now) {
                    Turn::Ask(create) => create.body.len(),
                    Turn::End(_) => 0,
                }
            }
            // Both are told a line of JSON for each row.
            Peer::File(_) | Peer::Exec(_) => {
                rows.iter().map(|row| stdout::content_json(&row.content).len() + 1).sum()
            }
            peer => sink::request(peer, unit).map_or(0, |request| request.body.len()),
        }
    }
}

fn alert(key: u64) -> Content {
    Content::Alert(DeliveryKind::Raise, sample::transition(key))
}

fn change(number: u64) -> Content {
    let like = sample::transition(number);
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    let at = Position { file: FileId(1), offset: number };
    let key = format!("checkout-api-{number}");
    Content::Change(ChangeReport {
        hash: KeyHash(hash),
        labels: like.labels,
        details: Labels::from([("app".into(), "checkout-api".to_owned())]),
        summary: "deploy of checkout-api to production started".to_owned(),
        description: "2026-01-05T10:01:20Z web-1 deploy[812]: checkout-api 1.4.2 started by alice".to_owned(),
        link: Some("https://ci.example.com/checkout-api/812".to_owned()),
        ..ChangeReport::bare(RuleName::new("deploy"), key, ChangeStatus::Processing, at, like.time)
    })
}

criterion_group!(benches, render);
criterion_main!(benches);
