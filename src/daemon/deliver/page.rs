//! Carries the dialogue about a row to a status page and back. What is said is decided by [`crate::sink::status_page`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::super::secret::Secret;
use super::transport::{self, Transport};
use super::{Terms, log, secrets_for};
use crate::saved::Notice;
use crate::settings::StatusPage;
use crate::sink::Unit;
use crate::sink::attempt::{Attempt, Outcome};
use crate::sink::flashduty;
use crate::sink::status_page::{Dialogue, MOST_ANSWER, Turn};

/// Time between two requests: five in a second and 300 in a minute, of the 50 and 1000 that the peer allows an account
/// with all that it does besides.
const PACE: Duration = Duration::from_millis(200);

/// A status page.
pub(super) struct Page {
    settings: StatusPage,
    secrets: Arc<Vec<Secret>>,
    transport: Transport,
    /// Lets a request go when it ticks.
    pace: Mutex<Interval>,
}

impl Page {
    /// The way to a page. Must be made inside a runtime.
    pub(super) fn new(settings: StatusPage, secrets: Arc<Vec<Secret>>, transport: Transport) -> Page {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Page { settings, secrets, transport, pace: Mutex::new(pace) }
    }

    pub(super) fn secrets(&self) -> &Arc<Vec<Secret>> {
        &self.secrets
    }

    /// Makes the attempt, row by row; what the page shows then, besides what became of them.
    pub(super) async fn tell(&self, attempt: &Attempt, terms: &Terms) -> (Vec<Outcome>, Vec<Notice>) {
        let rows = attempt.deliveries.len();
        let secrets = match secrets_for(&self.secrets, &attempt.sink).await {
            Ok(secrets) => secrets,
            Err(outcome) => return (vec![outcome; rows], Vec::new()),
        };
        let (mut outcomes, mut learned) = (Vec::with_capacity(rows), Vec::new());
        // The limits of the sink give an attempt one row.
        for rows in attempt.deliveries.chunks(1) {
            let unit = Unit {
                rows,
                secrets: &secrets,
                shrink: attempt.shrink,
                now: (terms.now)(),
                purpose: attempt.purpose,
            };
            let (mut dialogue, mut turn) = Dialogue::begin(&self.settings, unit, attempt.before.clone());
            let (mut status, mut request_id) = (None, None);
            let end = loop {
                let request = match turn {
                    Turn::Ask(request) => request,
                    Turn::End(end) => break end,
                };
                self.pace.lock().await.tick().await;
                turn = match self.transport.exchange_up_to(&request, &[], unit, MOST_ANSWER).await {
                    Ok(answer) => {
                        status = Some(answer.status);
                        request_id = flashduty::request_id(&answer);
                        dialogue.hear(&request, &answer, (terms.now)())
                    }
                    Err(error) => {
                        (status, request_id) = (None, None);
                        dialogue.end(transport::unanswered(error, &secrets))
                    }
                };
            };
            log(attempt, &rows[0], &end.outcome, status, request_id.as_deref());
            outcomes.push(end.outcome);
            learned.extend(end.learned);
        }
        (outcomes, learned)
    }
}
