//! What others on this machine, and on the way, get to see of the program.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;

use crate::support::sandbox::{Peer, Running, Sandbox};
use crate::support::script::Step;

/// Unlike anything that may stand in an output by chance; has the form of every peer's key.
const KEY: &str = "C4n4ryK3y0123456789abcdefC4n4ryK";

/// A sandbox whose `oncall` has the canary as its key, and these lines.
fn sandbox(url: &str, lines: &str) -> Sandbox {
    let sandbox = super::sandbox(&format!("{}{lines}\n", super::config(url)), super::DISK);
    sandbox.write("key", KEY);
    sandbox
}

/// `run` where every variable for proxies names that one.
fn run_with_proxies(sandbox: &Sandbox, proxy: &str) -> Running {
    let mut command = sandbox.command(&["run"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env(name, proxy);
    }
    let mut running = Running::start(command);
    running.says("following");
    running
}

#[test]
fn proxies_of_the_environment_see_nothing_unless_they_are_wanted() {
    let trap = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback can be listened on");
    trap.set_nonblocking(true).expect("a listener can be asked");
    let peer = Peer::new([]);
    let not_wanted = sandbox(&peer.url(), "");
    let address = trap.local_addr().expect("a listener has an address");
    let running = run_with_proxies(&not_wanted, &format!("http://{address}"));
    not_wanted.append("app.log", "disk sda bad\n");
    peer.wait_until("the raise", |requests| !requests.is_empty());
    running.stop().expect(0);
    let nobody = trap.accept().expect_err("nobody came");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);

    let proxy = Peer::new([]);
    let wanted = sandbox("http://127.0.0.1:1", "proxy_from_env = true");
    let running = run_with_proxies(&wanted, &proxy.url());
    wanted.append("app.log", "disk sda bad\n");
    let requests = proxy.wait_until("the raise", |requests| !requests.is_empty());
    assert!(requests[0].head.starts_with("POST http://127.0.0.1:1/event/push"), "{}", requests[0].head);
    running.stop().expect(0);
}

#[test]
fn a_proxy_sees_where_to_and_no_key() {
    let proxy = Peer::new((0..20).map(|_| Step::Close));
    let sandbox = sandbox("https://api.example.invalid", "proxy_url_file = \"proxy\"");
    sandbox.write("proxy", proxy.url());
    let mut running = sandbox.start(&["run"]);
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    let requests = proxy.wait_until("a wish to connect", |requests| !requests.is_empty());
    for request in requests {
        assert!(request.head.starts_with("CONNECT api.example.invalid:443 HTTP/1.1"), "{}", request.head);
        assert!(!request.head.contains(KEY) && request.body.is_empty(), "{}", request.head);
    }
    let finished = running.kill();
    assert!(!finished.talk().contains(KEY), "{finished:#?}");
}

#[test]
fn memory_is_private_and_no_core_is_written() {
    const NOBODY: u32 = 65534;
    let peer = Peer::new([]);
    let sandbox = sandbox(&peer.url(), "");
    let mut command = sandbox.command(&["run"]);
    // For root everything belongs to root, so that nothing could be seen.
    if rustix::process::geteuid().is_root() {
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(sandbox.path(""), open).expect("the sandbox is ours");
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut running = Running::start(command);
    running.says("following");
    let process = std::path::PathBuf::from(format!("/proc/{}", running.id()));
    let read = |name: &str| std::fs::read_to_string(process.join(name)).expect("everybody may read it");
    let limits = read("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("Linux has it");
    let core: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(core, ["0", "0"], "{limits}");
    assert!(!read("cmdline").contains(KEY));
    // What is not to be looked into belongs to root, whoever runs it.
    assert_ne!(std::fs::metadata(&process).expect("it runs").uid(), 0);
    assert_eq!(std::fs::metadata(process.join("environ")).expect("it runs").uid(), 0);
    sandbox.append("app.log", "disk sda bad\n");
    peer.wait_until("the raise", |requests| !requests.is_empty());
    running.stop().expect(0);
}

#[test]
fn the_keys_of_all_sinks_are_nowhere_whatever_their_peers_say() {
    let quoting = |status| Step::json(status, &format!(r#"{{"error":{{"message":"{KEY}"}},"msg":"{KEY}"}}"#));
    let faults = [200, 400, 401, 413, 429, 500].map(quoting).into_iter();
    let location = vec![("location", format!("http://127.0.0.1:1/{KEY}"))];
    let elsewhere = Step::Answer { status: 302, headers: location, body: format!("<a href={KEY}>") };
    let broken = Step::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{KEY}").into());
    let peer = Peer::new(faults.chain([elsewhere, broken, Step::Close, Step::Reset]));
    let url = peer.url();
    let others = format!(
        r#"
[[sink]]
name = "by-env"
type = "flashduty"
url = "{url}"
integration_key_env = "ENV_KEY"
change_integration_key = "{KEY}"
[[sink]]
name = "am"
type = "alertmanager"
urls = ["{url}"]
token_file = "key"
[[sink]]
name = "am-basic"
type = "alertmanager"
urls = ["{url}"]
username = "u"
password = "{KEY}"
[[sink]]
name = "pager"
type = "pagerduty"
url = "{url}"
routing_key_file = "$CREDENTIALS_DIRECTORY/pager"
[[sink]]
name = "slack"
type = "slack"
url = "{url}/{KEY}"
probe_every = "1s"
[[sink]]
name = "feishu"
type = "feishu"
url_env = "ENV_URL"
secret = "{KEY}"
[[sink]]
name = "ding"
type = "dingtalk"
url_file = "address"
secret_file = "key"
[[sink]]
name = "wecom"
type = "wecom"
url = "{url}/?key={KEY}"
[[sink]]
name = "hook"
type = "webhook"
url = "{url}/hook/{KEY}"
token_file = "key"
token_header = "x-token"
secret = "whsec_{KEY}"
old_secret_env = "ENV_SECRET"
probe_every = "1s"
[[sink]]
name = "hook-basic"
type = "webhook"
url_env = "ENV_URL"
username = "u"
password_file = "key"
[[sink]]
name = "page"
type = "flashduty-status-page"
url = "{url}"
app_key_file = "key"
page_id = 5750613685214
components = ["API"]
probe_every = "1s"
[[sink]]
name = "proxied"
type = "flashduty"
url = "https://api.example.invalid"
integration_key_file = "key"
proxy_url = "http://u:{KEY}@127.0.0.1:1"
"#
    );
    let sandbox = sandbox(&url, &others);
    sandbox.write("address", format!("{url}/?access_token={KEY}"));
    sandbox.write("credentials/pager", KEY);
    // A status page hears of rules that name it, and of nothing else.
    let named = super::DISK.replace("\"disk\"", "\"disk_public\"") + "sinks = [\"page\", \"hook\"]\n";
    sandbox.write("rules/page.toml", named);
    let command = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command.env("ENV_KEY", KEY).env("ENV_URL", format!("{url}/{KEY}")).env("TRIPLINE_LOG", "trace");
        command.env("ENV_SECRET", format!("whsec_{KEY}"));
        command.env("CREDENTIALS_DIRECTORY", sandbox.path("credentials"));
        command
    };
    let mut running = Running::start(command(&["run"]));
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    peer.wait_until("every fault, every alert, and all secrets of a webhook and a page", |requests| {
        let asked = |words: &str| requests.iter().any(|request| request.head.contains(words));
        let all = ["POST /hook/", "x-token: ", "authorization: Basic ", "/status-page/", "app_key="];
        requests.len() >= 16 && all.into_iter().all(asked)
    });
    sandbox.append("app.log", "disk sda good\n");
    // Whom the end is told is up to who met which fault.
    running.metric("tripline_rule_recoveries_total{rule=\"disk\"}", |ends| ends == 1.0);

    let mut shown =
        vec![("admin", ["/metrics", "/", "/readyz", "/api/status"].map(|path| running.get(path)).concat())];
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["sinks"],
        &["sinks", "--json"],
        &["outbox"],
        &["outbox", "list", "--json"],
        &["check"],
        &["check", "--json"],
        &["sinks", "test", "hook"],
        &["sinks", "test", "page"],
    ] {
        let finished = Running::start(command(arguments)).finish();
        assert!(finished.code.is_some_and(|code| code <= 1), "{arguments:?} {finished:#?}");
        shown.push((arguments[0], finished.answer() + &finished.talk()));
    }
    let cmdline = std::fs::read(format!("/proc/{}/cmdline", running.id())).expect("it runs");
    shown.push(("cmdline", String::from_utf8_lossy(&cmdline).into_owned()));
    let finished = running.stop();
    shown.push(("run", finished.answer() + &finished.talk()));
    let mut dry = Running::start(command(&["run", "--dry-run"]));
    dry.says("following");
    let finished = dry.stop().expect(0);
    shown.push(("dry run", finished.answer() + &finished.talk()));
    for (place, text) in shown {
        assert!(!text.is_empty() && !text.contains(KEY), "the key is in {place}: {text}");
    }
    let state = sandbox.read("state/state.redb");
    assert!(!state.windows(KEY.len()).any(|bytes| bytes == KEY.as_bytes()), "the key is in the state");
}
