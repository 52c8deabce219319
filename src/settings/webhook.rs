//! A webhook: what it is told, in which words, and how often.

use std::time::Duration;

use crate::model::SinkName;

/// `type = "webhook"`. Its secrets are `url` (also if it stands in the configuration), and perhaps `token`, `password`,
/// `secret` and `old_secret`.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The `[[sink]]` it comes from: who receives, in the words of Alertmanager.
    pub receiver: SinkName,
    /// `POST` or `PUT`.
    pub method: &'static str,
    /// Sent with each request; names and values are fit for it.
    pub headers: Vec<(String, String)>,
    /// The header that the secret `token` stands in, and the word before it.
    pub token: (String, Option<String>),
    /// With the secret `password`: HTTP's basic authentication.
    pub username: Option<String>,
    /// What is said.
    pub body: Body,
    /// The codes that mean that it was taken; none: any 2xx.
    pub success: Vec<u16>,
    /// Whether several rows go together.
    pub batch: Option<Batch>,
    /// Most requests in a time; `None`: as many as there are.
    pub rate: Option<(u32, Duration)>,
}

/// Rows that go together, in a list.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Most of them, 1 or more.
    pub count: usize,
    /// Most bytes of their JSON lines.
    pub bytes: usize,
    /// How long one waits for others.
    pub time: Duration,
}

/// What is said.
#[derive(Clone, Debug)]
pub enum Body {
    /// The JSON line.
    Tripline,
    /// What Alertmanager sends to its webhooks, version 4. Knows no changes.
    Alertmanager,
    /// CloudEvents 1.0 with the JSON line as `data`.
    CloudEvents,
    /// What the author wrote.
    Own(Form),
}

/// JSON with places.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// As it is: a number, `true` or `false`.
    Constant(serde_json::Value),
    /// A text with its pieces.
    Text(Vec<Piece>),
    /// The labels as a table of texts.
    Labels,
    /// The whole JSON line.
    All,
    /// A list.
    List(Vec<Form>),
    /// A table; its names are the author's.
    Table(Vec<(String, Form)>),
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Said as it is.
    Text(String),
    /// Filled in.
    Place(Place),
    /// The value of that label; empty if there is none.
    Label(String),
}

/// What can be filled in. What an alert or a change does not have is the empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `alert` or `change`.
    Kind,
    /// The same for every attempt of what is said.
    Id,
    /// Of the alert or the change.
    Key,
    /// The rule's name.
    Rule,
    /// How it stands.
    Status,
    /// How the alert stood before.
    Previous,
    /// `firing` or `resolved`.
    State,
    /// How bad it is; at the end how bad it was.
    Severity,
    /// Why the alert stands so.
    Reason,
    /// The number that was compared.
    Value,
    /// Matches in the window.
    Count,
    /// Matches of the episode.
    Total,
    /// When the alert was raised.
    Since,
    /// When it became so.
    Time,
    /// The rule's text.
    Summary,
    /// The rule's longer text.
    Description,
    /// The rule's link for those who are called.
    Runbook,
    /// The link of the change.
    Link,
}
