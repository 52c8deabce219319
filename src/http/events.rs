//! `/api/v1/events`: tells a page when there is something new to ask for. Server-sent events, as the HTML standard
//! describes them (section 9.2).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::door::Local;
use super::{Generations, Shown, View, api};

/// Pages that listen at a time. Others are refused, so that listeners never take all connections.
pub(super) const LISTENERS: usize = 16;
/// Between two tellings, at least.
const CALM: Duration = Duration::from_secs(1);
/// Silence after which a sign of life is sent.
const BEAT: Duration = Duration::from_secs(10);

pub(super) async fn listen(
    State(shown): State<Shown>,
    ConnectInfo(local): ConnectInfo<Local>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = api::refuse_listener(&shown, &headers, &local) {
        return refused;
    }
    let Ok(place) = Arc::clone(&shown.listeners).try_acquire_owned() else { return api::too_many() };
    local.stay();
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(tell_on(shown.view.clone(), tell, place));
    let stream = Body::from_stream(Told(told));
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], stream).into_response()
}

/// Tells what is new until nobody listens, or tripline stops.
async fn tell_on(
    mut view: watch::Receiver<Arc<View>>,
    tell: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
) {
    let mut known: Option<Generations> = None;
    loop {
        let (at, now) = {
            let view = view.borrow_and_update();
            (view.ticked, view.generations)
        };
        let text = if known == Some(now) {
            ": beat\n\n".to_owned()
        } else {
            known = Some(now);
            let Generations { alerts, sources, sinks, rules, history } = now;
            let data = json!({
                "at": at.to_string(), "alerts": alerts, "sources": sources, "sinks": sinks, "rules": rules,
                "history": history,
            });
            format!("event: changed\ndata: {data}\n\n")
        };
        if tell.send(Bytes::from(text)).await.is_err() {
            return;
        }
        sleep(CALM).await;
        let is_new = |view: &Arc<View>| Some(view.generations) != known;
        if let Ok(Err(_)) = timeout(BEAT - CALM, view.wait_for(is_new)).await {
            return;
        }
    }
}

/// What is told, as a stream.
struct Told(mpsc::Receiver<Bytes>);

impl Stream for Told {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|told| told.map(Ok))
    }
}
