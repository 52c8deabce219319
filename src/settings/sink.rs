//! Sinks: which peers there are, how they are reached, and what is secret about that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{ComponentStatus, SinkName};
use crate::rule::When;

use super::{Body, Webhook};

/// What is told to one peer, in one queue.
#[derive(Clone, Debug)]
pub struct Sink {
    /// The name of its queue; unique.
    pub name: SinkName,
    /// The name of the `[[sink]]` that it comes from. One that speaks with several peers has a queue for each, so that
    /// none waits for another.
    pub of: SinkName,
    /// Which peer, with what it needs.
    pub peer: Peer,
    /// What only it and the peer may know, by the name of the key in TOML without `_env` or `_file`.
    pub secrets: Vec<(&'static str, SecretFrom)>,
    /// How it is reached, if by HTTP.
    pub http: Http,
    /// How often it is tried while it is suspended. Default 60 s.
    pub probe_every: Duration,
    /// Of which alerts it wants to hear; `None`: of all.
    pub when: Option<When>,
    /// The `[[sink]]` that is told instead while this one takes nothing.
    pub fallback: Option<SinkName>,
}

impl Sink {
    /// A sink that needs nothing but a name.
    pub fn new(name: SinkName, peer: Peer) -> Sink {
        Sink {
            of: name.clone(),
            name,
            peer,
            secrets: Vec::new(),
            http: Http::default(),
            probe_every: Duration::from_secs(60),
            when: None,
            fallback: None,
        }
    }
}

/// The kinds of peers.
#[derive(Clone, Debug)]
pub enum Peer {
    /// `type = "stdout"`.
    Stdout,
    /// `type = "flashduty"`: its alert integration.
    Flashduty(Flashduty),
    /// `type = "flashduty"`: its change integration.
    FlashdutyChanges(FlashdutyChanges),
    /// `type = "alertmanager"`: one instance.
    Alertmanager(Alertmanager),
    /// `type = "pagerduty"`.
    PagerDuty(PagerDuty),
    /// `type = "slack"`, `"feishu"`, `"dingtalk"` or `"wecom"`.
    Chat(Chat),
    /// `type = "webhook"`.
    Webhook(Webhook),
    /// `type = "file"`.
    File(File),
    /// `type = "exec"`.
    Exec(Exec),
    /// `type = "flashduty-status-page"`.
    StatusPage(StatusPage),
}

impl Peer {
    /// `type` in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Peer::Stdout => "stdout",
            Peer::Flashduty(_) | Peer::FlashdutyChanges(_) => "flashduty",
            Peer::Alertmanager(_) => "alertmanager",
            Peer::PagerDuty(_) => "pagerduty",
            Peer::Chat(chat) => chat.service.kind(),
            Peer::Webhook(_) => "webhook",
            Peer::File(_) => "file",
            Peer::Exec(_) => "exec",
            Peer::StatusPage(_) => "flashduty-status-page",
        }
    }

    /// True if it takes alerts.
    pub fn takes_alerts(&self) -> bool {
        match self {
            Peer::Stdout
            | Peer::Flashduty(_)
            | Peer::Alertmanager(_)
            | Peer::PagerDuty(_)
            | Peer::Chat(_)
            | Peer::Webhook(_)
            | Peer::File(_)
            | Peer::Exec(_)
            | Peer::StatusPage(_) => true,
            Peer::FlashdutyChanges(_) => false,
        }
    }

    /// True if it only writes down what it is told, as it is: to others a change only goes forward.
    pub fn is_log(&self) -> bool {
        matches!(self, Peer::Stdout | Peer::Webhook(_) | Peer::File(_) | Peer::Exec(_))
    }

    /// True if it takes what is said of changes.
    pub fn takes_changes(&self) -> bool {
        match self {
            Peer::Stdout
            | Peer::FlashdutyChanges(_)
            | Peer::PagerDuty(_)
            | Peer::Chat(_)
            | Peer::File(_)
            | Peer::Exec(_)
            | Peer::StatusPage(_) => true,
            Peer::Flashduty(_) | Peer::Alertmanager(_) => false,
            Peer::Webhook(webhook) => !matches!(webhook.body, Body::Alertmanager),
        }
    }

    /// True if it hears only of rules that name it, and of nothing that tripline says of itself: the public reads it.
    pub fn is_chosen(&self) -> bool {
        matches!(self, Peer::StatusPage(_))
    }

    /// True if signs of life can go there.
    pub fn takes_beats(&self) -> bool {
        self.takes_alerts() && !self.is_chosen()
    }
}

/// `type = "flashduty"`: alerts of a standard alert integration. Its secret is `integration_key`.
#[derive(Clone, Debug)]
pub struct Flashduty {
    /// Base URL, or a whole push URL as pasted from the console; query parameters are kept, a key in it is moved
    /// into the secrets by `config`.
    pub url: String,
    /// Sent as `title_rule` untouched, instead of the rendered summary.
    pub title_rule: Option<String>,
}

/// `type = "flashduty"`: changes, to an integration of their own. Its secret is `change_integration_key`.
#[derive(Clone, Debug)]
pub struct FlashdutyChanges {
    /// Base URL, or a whole push URL of changes as pasted from the console; as that of [`Flashduty`].
    pub url: String,
}

/// `type = "alertmanager"`: one instance of a cluster. Its secrets are `token` and `password`.
#[derive(Clone, Debug)]
pub struct Alertmanager {
    /// Base URL, with the path prefix if it has one.
    pub url: String,
    /// For basic authentication with the password.
    pub username: Option<String>,
    /// How often what fires is told again, 1 s or more. Default 1 min.
    pub resend: Duration,
    /// For how long what fires is to be believed after a clean stop; `None`: as ever, four times `resend`.
    pub hold_on_shutdown: Option<Duration>,
    /// Leave it to the peer when an alert is over that it hears no more of: for clocks that disagree.
    pub omit_ends_at: bool,
    /// Severity is a label, so that an alert that gets worse is another one there.
    pub severity_label: bool,
}

/// `type = "pagerduty"`: alerts and changes of one integration. Its secret is `routing_key`.
#[derive(Clone, Debug)]
pub struct PagerDuty {
    /// Base URL.
    pub url: String,
    /// Where a click on the name of the client leads.
    pub client_url: Option<String>,
    /// A change that may have arrived is not sent again: there is no key by which the peer would know it.
    pub drop_unsure_changes: bool,
    /// What `info`, `warning` and `critical` are called there.
    pub severities: [&'static str; 3],
}

/// A group of people who read along. Its secrets are `url`, the whole address, and `secret` where it is signed.
#[derive(Clone, Debug)]
pub struct Chat {
    /// Whose.
    pub service: ChatService,
    /// What all that is said begins with, untouched; at most 64 bytes.
    pub keyword: Option<String>,
}

/// The services that have groups which can be written to by HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatService {
    /// `type = "slack"`: an incoming webhook.
    Slack,
    /// `type = "feishu"`: a custom bot; Lark too.
    Feishu,
    /// `type = "dingtalk"`: a custom robot.
    DingTalk,
    /// `type = "wecom"`: a group bot.
    WeCom,
}

impl ChatService {
    /// `type` in the configuration.
    pub fn kind(self) -> &'static str {
        match self {
            ChatService::Slack => "slack",
            ChatService::Feishu => "feishu",
            ChatService::DingTalk => "dingtalk",
            ChatService::WeCom => "wecom",
        }
    }
}

/// `type = "file"`: JSON lines.
#[derive(Clone, Debug)]
pub struct File {
    /// Where they are written.
    pub path: PathBuf,
    /// The bytes from which on a new file is begun; `None`: never.
    pub max_size: Option<u64>,
    /// Older files that are kept, as `path.1` and so on.
    pub keep: usize,
    /// The permissions of a new file.
    pub mode: u32,
}

/// `type = "exec"`: a program for each row.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The program and its arguments; not empty. A program without `/` is looked for in `PATH`.
    pub command: Vec<String>,
    /// Time until it must have ended.
    pub timeout: Duration,
    /// Variables of the environment that it sees, besides the usual ones.
    pub env: Vec<String>,
    /// Most of them at a time, 1 or more.
    pub concurrency: usize,
}

/// `type = "flashduty-status-page"`. Its secret is `app_key`.
#[derive(Clone, Debug)]
pub struct StatusPage {
    /// Base URL; query parameters are kept.
    pub url: String,
    /// Which page.
    pub page_id: i64,
    /// What its notices speak of: ids or names of the page's components, at least one.
    pub components: Vec<String>,
    /// Ids of those who answer for it.
    pub responders: Vec<i64>,
    /// Whether those who subscribed to the page are called for each notice and what is said in it.
    pub notify_subscribers: bool,
    /// What an alert makes of the components, by its severity from `info` on.
    pub component_status: [ComponentStatus; 3],
    /// What has a notice of its own.
    pub group_by: GroupBy,
    /// A notice that was closed so long ago at most is opened again. Default 1 h.
    pub reopen_within: Duration,
    /// Whether descriptions of rules are sent, and not their summaries alone.
    pub send_description: bool,
}

/// What has a notice of its own on a status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// All alerts of a rule have one.
    Rule,
    /// Each alert has one.
    Alert,
}

/// How a peer is reached by HTTP.
#[derive(Clone, Debug)]
pub struct Http {
    /// A private certificate authority, PEM.
    pub ca_file: Option<PathBuf>,
    /// Only `ca_file` counts, and no public authority.
    pub ca_only: bool,
    /// A certificate for ourselves and its key, PEM.
    pub client_cert: Option<(PathBuf, PathBuf)>,
    /// By which way.
    pub proxy: Proxy,
    /// `http://` to a host that is not this machine is allowed.
    pub allow_plaintext: bool,
    /// An address that only this link or the machine of a cloud has is allowed.
    pub allow_link_local: bool,
    /// Time until a connection must stand, TLS included. 5 s.
    pub connect_timeout: Duration,
    /// Time until the answer must be read. 15 s.
    pub timeout: Duration,
}

impl Default for Http {
    fn default() -> Http {
        Http {
            ca_file: None,
            ca_only: false,
            client_cert: None,
            proxy: Proxy::None,
            allow_plaintext: false,
            allow_link_local: false,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(15),
        }
    }
}

impl Http {
    /// True for an address at which no peer is: that of this link, where clouds tell a machine its own credentials.
    pub fn bars(&self, address: IpAddr) -> bool {
        let link_local = match address.to_canonical() {
            IpAddr::V4(v4) => v4.is_link_local() || v4 == Ipv4Addr::new(100, 100, 100, 200),
            IpAddr::V6(v6) => {
                v6.is_unicast_link_local() || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
            }
        };
        link_local && !self.allow_link_local
    }
}

/// A proxy on the way to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// None, whatever the environment says.
    None,
    /// What `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the environment say.
    FromEnv,
    /// The one whose address is the secret `proxy_url`: a password may stand in it.
    Url,
}

/// Where a secret comes from; read by the daemon, never by `config`.
#[derive(Clone)]
pub enum SecretFrom {
    /// An environment variable.
    Env(String),
    /// A file, trimmed; read again when it changes. `$CREDENTIALS_DIRECTORY` is expanded.
    File(PathBuf),
    /// Written in the configuration (warned about).
    Inline(secrecy::SecretString),
}

impl std::fmt::Debug for SecretFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SecretFrom::Env(name) => write!(f, "Env({name})"),
            SecretFrom::File(path) => write!(f, "File({})", path.display()),
            SecretFrom::Inline(_) => f.write_str("Inline(***)"),
        }
    }
}
