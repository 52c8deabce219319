//! A peer that plays a script: each request gets the next step, and what was asked is kept.

#![allow(dead_code, reason = "shared by several test crates, each of which plays its own scripts")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What the peer does with one request.
pub(crate) enum Step {
    /// Answers, with `content-length`.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// Answers as the step inside says, once notified.
    WhenTold(Arc<Notify>, Box<Step>),
    /// Writes these bytes and closes.
    Raw(Vec<u8>),
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and closes.
    Close,
    /// Writes these bytes and resets the connection.
    Cut(Vec<u8>),
    /// Closes without reading, which resets the connection.
    Reset,
    /// Writes a head with this status, then a body without end.
    Endless(u16),
}

impl Step {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &str) -> Step {
        let headers = vec![("content-type", "application/json".to_owned())];
        Step::Answer { status, headers, body: body.to_owned() }
    }

    /// The answer of a Flashduty that took the alert.
    pub(crate) fn accept() -> Step {
        Step::json(200, r#"{"request_id":"0acef4","data":{"alert_key":"r:01"}}"#)
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// `POST /path?query HTTP/1.1` and the header lines.
    pub(crate) head: String,
    /// As long as `content-length` said.
    pub(crate) body: Vec<u8>,
    /// The status it is answered with; `None`: it gets no answer of that kind.
    pub(crate) status: Option<u16>,
}

/// What was asked so far, and a bell for whoever waits for more.
#[derive(Default)]
struct Heard {
    requests: Mutex<Vec<Received>>,
    bell: Condvar,
}

/// What a peer does with a request once its script is over.
pub(crate) type Otherwise = Arc<dyn Fn(&Received) -> Step + Send + Sync>;

/// A running peer. Ends with its runtime.
pub(crate) struct Script {
    address: SocketAddr,
    received: Arc<Heard>,
    steps: Arc<Mutex<VecDeque<Step>>>,
}

impl Script {
    /// Listens on a free port of the loopback. After the last step every request is accepted.
    pub(crate) async fn start(steps: impl IntoIterator<Item = Step>) -> Script {
        Script::answering(steps, Arc::new(|_| Step::accept())).await
    }

    /// The same, with something else after the last step.
    pub(crate) async fn answering(steps: impl IntoIterator<Item = Step>, otherwise: Otherwise) -> Script {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("the loopback can be listened on");
        let script = Script {
            address: listener.local_addr().expect("a listener has an address"),
            received: Arc::default(),
            steps: Arc::new(Mutex::new(steps.into_iter().collect())),
        };
        let (received, steps) = (Arc::clone(&script.received), Arc::clone(&script.steps));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (received, steps) = (Arc::clone(&received), Arc::clone(&steps));
                tokio::spawn(serve(stream, received, steps, Arc::clone(&otherwise)));
            }
        });
        script
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every whole request so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.requests.lock().expect("no test thread panics with the lock").clone()
    }

    /// Blocks until the whole requests so far are what is waited for; `Err` holds them if that takes too long.
    pub(crate) fn wait_until(
        &self,
        patience: Duration,
        enough: impl Fn(&[Received]) -> bool,
    ) -> Result<Vec<Received>, Vec<Received>> {
        let requests = self.received.requests.lock().expect("no test thread panics with the lock");
        let (requests, timeout) = self
            .received
            .bell
            .wait_timeout_while(requests, patience, |requests| !enough(requests))
            .expect("no test thread panics with the lock");
        if timeout.timed_out() { Err(requests.clone()) } else { Ok(requests.clone()) }
    }

    /// Adds steps behind those that are left.
    pub(crate) fn then(&self, steps: impl IntoIterator<Item = Step>) {
        self.steps.lock().expect("no test thread panics with the lock").extend(steps);
    }
}

async fn serve(
    mut stream: TcpStream,
    received: Arc<Heard>,
    steps: Arc<Mutex<VecDeque<Step>>>,
    otherwise: Otherwise,
) {
    // A connection that is opened and not used must not eat a step.
    if stream.readable().await.is_err() || stream.peek(&mut [0]).await.unwrap_or(0) == 0 {
        return;
    }
    let step = steps.lock().expect("no test thread panics with the lock").pop_front();
    if matches!(step, Some(Step::Reset)) {
        return;
    }
    let Some(mut request) = read_request(&mut stream).await else { return };
    let mut step = step.unwrap_or_else(|| otherwise(&request));
    request.status = status(&step);
    received.requests.lock().expect("no test thread panics with the lock").push(request);
    received.bell.notify_all();
    if let Step::WhenTold(told, inner) = step {
        told.notified().await;
        step = *inner;
    }
    // A client that has left early is part of many scripts.
    let _ = match step {
        Step::Answer { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
        }
        Step::Raw(bytes) => stream.write_all(&bytes).await,
        Step::Cut(bytes) => stream.write_all(&bytes).await.and_then(|()| stream.set_zero_linger()),
        Step::Hang | Step::WhenTold(..) => std::future::pending().await,
        Step::Close | Step::Reset => Ok(()),
        Step::Endless(status) => endless(&mut stream, status).await,
    };
}

/// What a step answers.
fn status(step: &Step) -> Option<u16> {
    match step {
        Step::Answer { status, .. } => Some(*status),
        Step::WhenTold(_, inner) => status(inner),
        _ => None,
    }
}

async fn endless(stream: &mut TcpStream, status: u16) -> std::io::Result<()> {
    stream.write_all(format!("HTTP/1.1 {status} x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    loop {
        stream.write_all(&[b' '; 4096]).await?;
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8_lossy(&bytes[..end]).into_owned();
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = bytes.split_off(head.len() + 4);
    while body.len() < length.unwrap_or(0) {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Received { head, body, status: None })
}
