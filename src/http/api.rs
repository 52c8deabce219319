//! `/api/v1`: what the page stands on, in JSON.
//!
//! Whatever is asked of the core is asked once a second at most, however many ask: the answer is kept for so long. So
//! nobody who connects can slow the core down.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::Shown;
use super::access::is_of_another_page;
use super::door::Local;
use crate::admin::{Answer, End, Question, Silence};

/// How long an answer of the core is good for.
const FRESH: Duration = Duration::from_secs(1);

/// How a question reaches the core.
pub type Ask = Arc<dyn Fn(Question) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// The playground: rules and lines as JSON → what comes of them as JSON, or why it can not be told. Takes its time.
pub type TryOut = Arc<dyn Fn(&[u8]) -> Result<String, String> + Send + Sync>;

/// The core, asked so often and no oftener.
pub(super) struct Core {
    ask: Ask,
    try_out: TryOut,
    status: Kept,
    activity: Kept,
    history: Kept,
    sinks: Kept,
    outbox: Kept,
    /// One plays at a time.
    playing: Semaphore,
}

/// The last answer.
type Kept = Mutex<Option<(Instant, Bytes)>>;

/// Why it was not done.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal(status, why) = self;
        let mut answer = body(status, &json!({ "error": why }));
        if status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

impl Core {
    pub(super) fn new(ask: Ask, try_out: TryOut) -> Core {
        Core {
            ask,
            try_out,
            status: Kept::default(),
            activity: Kept::default(),
            history: Kept::default(),
            sinks: Kept::default(),
            outbox: Kept::default(),
            playing: Semaphore::new(1),
        }
    }

    /// The answer of a moment ago, or a new one. Those who ask meanwhile wait for the same.
    async fn kept(&self, kept: &Kept, question: Question) -> Result<Bytes, Refusal> {
        let mut kept = kept.lock().await;
        if let Some((at, bytes)) = &*kept
            && at.elapsed() < FRESH
        {
            return Ok(bytes.clone());
        }
        let bytes = Bytes::from(match (self.ask)(question).await {
            Answer::Status(report) => text(&report),
            Answer::Activity(activity) => text(&activity),
            Answer::History(history) => text(&history),
            Answer::Sinks(sinks) => text(&json!({ "sinks": sinks })),
            Answer::Outbox(outbox) => text(&outbox),
            other => return Err(unexpected(other)),
        });
        *kept = Some((Instant::now(), bytes.clone()));
        Ok(bytes)
    }

    /// Forgets what was kept: something has been changed by who asks next.
    async fn forget(&self) {
        for kept in [&self.status, &self.activity, &self.history, &self.sinks, &self.outbox] {
            *kept.lock().await = None;
        }
    }
}

fn text(of: &impl Serialize) -> String {
    let text = serde_json::to_string(of).expect("texts, numbers and tables of them have a JSON form");
    crate::untrusted::json(&text)
}

fn body(status: StatusCode, of: &impl Serialize) -> Response {
    bytes(status, Bytes::from(text(of)))
}

fn bytes(status: StatusCode, bytes: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(bytes)).into_response()
}

fn unexpected(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(why) => Refusal(StatusCode::SERVICE_UNAVAILABLE, why),
        _ => Refusal(StatusCode::INTERNAL_SERVER_ERROR, "the core answered something else".to_owned()),
    }
}

/// Lets in who may read.
fn reads(shown: &Shown, headers: &HeaderMap, local: &Local) -> Result<(), Refusal> {
    let access = shown.keeper.access(headers, local.address);
    match (access.read, access.wrong, &shown.keeper.token) {
        (_, true, Some(_)) => {
            Err(Refusal(StatusCode::UNAUTHORIZED, "the token is not the right one".to_owned()))
        }
        (true, ..) => Ok(()),
        (false, _, Some(_)) => {
            Err(Refusal(StatusCode::UNAUTHORIZED, "reading from elsewhere needs the token".to_owned()))
        }
        (false, _, None) => {
            let why = "from elsewhere than this machine nothing can be read without a token: set `token_file` in \
                       `[admin]`";
            Err(Refusal(StatusCode::FORBIDDEN, why.to_owned()))
        }
    }
}

/// Lets in who may change things.
fn writes(shown: &Shown, headers: &HeaderMap, local: &Local) -> Result<(), Refusal> {
    let Some(token) = &shown.keeper.token else {
        let why = "nothing can be changed here: set `token_file` in `[admin]`, or use the command line";
        return Err(Refusal(StatusCode::FORBIDDEN, why.to_owned()));
    };
    if shown.keeper.access(headers, local.address).write {
        return Ok(());
    }
    Err(match token() {
        Ok(_) => Refusal(StatusCode::UNAUTHORIZED, "changes need the token".to_owned()),
        Err(why) => Refusal(StatusCode::FORBIDDEN, why),
    })
}

/// Reads what was sent. A form of another page can not say that it is JSON.
fn read<T: for<'de> Deserialize<'de>>(headers: &HeaderMap, sent: &Bytes) -> Result<T, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        let why = "what is sent has to be JSON, and `Content-Type: application/json`".to_owned();
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    serde_json::from_slice(sent).map_err(|error| {
        Refusal(StatusCode::UNPROCESSABLE_ENTITY, format!("this is not understood: {error}"))
    })
}

/// The same of a table with no fields but these: of what is misspelt less would be left, and so more alerts be meant.
fn read_only<T: for<'de> Deserialize<'de>>(
    headers: &HeaderMap,
    sent: &Bytes,
    known: &[&str],
) -> Result<T, Refusal> {
    let table: serde_json::Map<String, Value> = read(headers, sent)?;
    if let Some(name) = table.keys().find(|name| !known.contains(&name.as_str())) {
        let known = known.join("`, `");
        let why = format!("this is not understood: unknown field `{name}`, expected one of `{known}`");
        return Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    read(headers, sent)
}

/// What says which dead letters are meant.
const WHICH: [&str; 3] = ["numbers", "sink", "all"];

pub(super) async fn access(
    State(shown): State<Shown>,
    ConnectInfo(local): ConnectInfo<Local>,
    headers: HeaderMap,
) -> Response {
    let access = shown.keeper.access(&headers, local.address);
    let may = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "may_read": access.read,
        "may_write": access.write,
        "has_token": shown.keeper.token.is_some(),
    });
    match access.wrong && shown.keeper.token.is_some() {
        true => {
            Refusal(StatusCode::UNAUTHORIZED, "the token is not the right one".to_owned()).into_response()
        }
        false => body(StatusCode::OK, &may),
    }
}

/// A question whose answer is kept.
macro_rules! kept {
    ($name:ident, $question:expr) => {
        pub(super) async fn $name(
            State(shown): State<Shown>,
            ConnectInfo(local): ConnectInfo<Local>,
            headers: HeaderMap,
        ) -> Response {
            let answer = async {
                reads(&shown, &headers, &local)?;
                shown.core.kept(&shown.core.$name, $question).await
            };
            answer.await.map_or_else(Refusal::into_response, |text| bytes(StatusCode::OK, text))
        }
    };
}

kept!(status, Question::Status);
kept!(activity, Question::Activity);
kept!(history, Question::History);
kept!(sinks, Question::Sinks);
kept!(outbox, Question::Outbox);

/// What is to be silent, as it is sent.
#[derive(Deserialize)]
struct NewSilence {
    terms: Vec<String>,
    seconds: u64,
    #[serde(default)]
    comment: String,
}

pub(super) async fn silence(
    State(shown): State<Shown>,
    ConnectInfo(local): ConnectInfo<Local>,
    headers: HeaderMap,
    sent: Bytes,
) -> Response {
    change(&shown, &local, &headers, async || {
        let known = ["terms", "seconds", "comment"];
        let NewSilence { terms, seconds, comment } = read_only(&headers, &sent, &known)?;
        Ok(Question::Silence(Silence { terms, end: End::After(seconds), comment }))
    })
    .await
}

pub(super) async fn unsilence(
    State(shown): State<Shown>,
    ConnectInfo(local): ConnectInfo<Local>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    change(&shown, &local, &headers, async || {
        let none = |_| Refusal(StatusCode::NOT_FOUND, "a silence is named by its number".to_owned());
        Ok(Question::Unsilence(id.parse().map_err(none)?))
    })
    .await
}

pub(super) async fn resolve(
    State(shown): State<Shown>,
    ConnectInfo(local): ConnectInfo<Local>,
    headers: HeaderMap,
    sent: Bytes,
) -> Response {
    let known = ["which", "labels", "all"];
    change(&shown, &local, &headers, async || Ok(Question::Resolve(read_only(&headers, &sent, &known)?)))
        .await
}

pub(super) async fn retry(
    State(shown): State<Shown>,
    ConnectInfo(local): ConnectInfo<Local>,
    headers: HeaderMap,
    sent: Bytes,
) -> Response {
    change(&shown, &local, &headers, async || Ok(Question::Retry(read_only(&headers, &sent, &WHICH)?))).await
}

pub(super) async fn drop_letters(
    State(shown): State<Shown>,
    ConnectInfo(local): ConnectInfo<Local>,
    headers: HeaderMap,
    sent: Bytes,
) -> Response {
    change(&shown, &local, &headers, async || Ok(Question::Drop(read_only(&headers, &sent, &WHICH)?))).await
}

/// Asks the core to do something, for who may want that, and says what became of it.
async fn change(
    shown: &Shown,
    local: &Local,
    headers: &HeaderMap,
    question: impl AsyncFnOnce() -> Result<Question, Refusal>,
) -> Response {
    let done = async {
        writes(shown, headers, local)?;
        let answer = (shown.core.ask)(question().await?).await;
        shown.core.forget().await;
        outcome(answer)
    };
    done.await.map_or_else(Refusal::into_response, |done| body(StatusCode::OK, &done))
}

/// What was done.
fn outcome(answer: Answer) -> Result<Value, Refusal> {
    Ok(match answer {
        Answer::Resolved { alerts, .. } if alerts.is_empty() => {
            return Err(Refusal(StatusCode::NOT_FOUND, "no such alert is open".to_owned()));
        }
        Answer::Resolved { alerts, more } => json!({ "resolved": alerts, "more": more }),
        Answer::Several { alerts, more } => {
            let meant = alerts.len() as u64 + more;
            let why = format!("{meant} alerts are meant: say `\"all\": true`, or name one");
            return Err(Refusal(StatusCode::CONFLICT, why));
        }
        Answer::Silenced { silence, told, covers, doubts } => {
            json!({ "silence": silence, "told": told, "covers": covers, "doubts": doubts })
        }
        Answer::Unsilenced(Some(silence)) => json!({ "ended": silence }),
        Answer::Unsilenced(None) => {
            return Err(Refusal(StatusCode::NOT_FOUND, "there is no such silence".to_owned()));
        }
        Answer::Letters(letters) => json!(letters),
        Answer::Refused(why) => return Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, why)),
        other => return Err(unexpected(other)),
    })
}

pub(super) async fn try_out(
    State(shown): State<Shown>,
    ConnectInfo(local): ConnectInfo<Local>,
    headers: HeaderMap,
    sent: Bytes,
) -> Response {
    let played = async {
        reads(&shown, &headers, &local)?;
        // Whatever is read here is text; what it is made of is seen where it is played.
        read::<serde::de::IgnoredAny>(&headers, &sent)?;
        let _place = shown.core.playing.acquire().await;
        let try_out = Arc::clone(&shown.core.try_out);
        let played = tokio::task::spawn_blocking(move || try_out(&sent)).await;
        let broken = |_| Refusal(StatusCode::INTERNAL_SERVER_ERROR, "the playground broke".to_owned());
        played.map_err(broken)?.map_err(|why| Refusal(StatusCode::UNPROCESSABLE_ENTITY, why))
    };
    played.await.map_or_else(Refusal::into_response, |text| bytes(StatusCode::OK, Bytes::from(text)))
}

/// What no path is answered with below `/api`.
pub(super) async fn unknown() -> Response {
    Refusal(StatusCode::NOT_FOUND, "there is no such path: see docs/api.md".to_owned()).into_response()
}

/// Refuses what another page asks, whatever it asks for.
pub(super) fn refuse_others(headers: &HeaderMap) -> Option<Response> {
    let why = "another page asks this: open the page of tripline itself".to_owned();
    is_of_another_page(headers).then(|| Refusal(StatusCode::FORBIDDEN, why).into_response())
}

/// Refuses who may not hear what happens.
pub(super) fn refuse_listener(shown: &Shown, headers: &HeaderMap, local: &Local) -> Option<Response> {
    reads(shown, headers, local).err().map(Refusal::into_response)
}

/// Too many listen.
pub(super) fn too_many() -> Response {
    Refusal(StatusCode::SERVICE_UNAVAILABLE, "too many pages listen already: close one".to_owned())
        .into_response()
}
