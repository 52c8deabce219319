//! Who connects to the admin port and asks slowly, not at all, or without end.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};

use super::{DISK, TO_STDOUT, sandbox};
use crate::support::sandbox::Running;

/// How many are served at a time.
const PLACES: usize = 64;
/// Several times as many.
const CONNECTIONS: usize = 360;
/// Fewer than they would take.
const DESCRIPTORS: &str = "192";

/// How somebody keeps a connection busy: what is sent at first, what is sent bit by bit, and whether that is the end.
const WAYS: [(&str, &str, bool); 6] = [
    // Says nothing.
    ("", "", false),
    // A head that does not end.
    ("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ", "x", false),
    ("", "G", false),
    // A body that does not come, and one that comes in chunks.
    (
        "POST /api/v1/try HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n",
        "{",
        false,
    ),
    (
        "POST /api/v1/try HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        "1\r\n{\r\n",
        false,
    ),
    // Has said all that it will say, and that is no request.
    ("GET /metrics HTT", "", true),
];

/// True if the other side has not ended it.
fn is_held(mut peer: &TcpStream) -> bool {
    peer.set_nonblocking(true).expect("a connection can be asked");
    let mut answer = [0; 4096];
    loop {
        match peer.read(&mut answer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn who_asks_slowly_keeps_nobody_out_holds_no_alert_up_and_takes_few_descriptors() {
    let sandbox = sandbox(&TO_STDOUT.replace("\"app.log\"", "\"*.log\""), DISK);
    let program = sandbox.command(&["run"]);
    let mut limited = Command::new("sh");
    let limit = format!("ulimit -n {DESCRIPTORS} && exec \"$@\"");
    limited.args(["-c", &limit, "sh"]).arg(program.get_program()).args(program.get_args());
    limited.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(sandbox.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(limited);
    running.says("following");
    let address = running.admin();

    let mut peers = Vec::new();
    for n in 0..CONNECTIONS {
        let (first, _, ends) = WAYS[n % WAYS.len()];
        let mut peer = TcpStream::connect(&address).expect("it listens");
        // Some are let go of before they have sent it.
        let _ = peer.write_all(first.as_bytes());
        if ends {
            let _ = peer.shutdown(Shutdown::Write);
        }
        peers.push(peer);
        if n % 60 == 0 {
            let health = running.get("/healthz");
            assert!(health.ends_with("ok\n"), "after {n} connections: {health}");
            // Who asks comes behind all others, so by now there is room for it.
            let held = peers.iter().filter(|peer| is_held(peer)).count();
            assert!(held <= PLACES, "{held} of {n}");
            // In a file that was not there before, for which a descriptor is needed.
            sandbox.write(&format!("{n}.log"), format!("disk sd{n} bad\n"));
            assert_eq!(running.tells("disk", "critical")["labels"]["dev"], format!("sd{n}"));
        }
    }
    for round in 0..5 {
        for (n, mut peer) in peers.iter().enumerate() {
            let _ = peer.write_all(WAYS[n % WAYS.len()].1.as_bytes());
        }
        assert!(running.get("/healthz").ends_with("ok\n"), "round {round}");
        sandbox.append("app.log", format!("disk round{round} bad\n"));
        running.tells("disk", "critical");
    }
    running.stop().expect(0);
}

#[test]
fn a_head_or_body_that_is_too_long_is_cut_off_and_the_next_who_asks_is_answered() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let mut running = sandbox.watch("tripline.toml");
    let address = running.admin();
    let json = "POST /api/v1/try HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    for (head, endless) in [
        ("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ".to_owned(), "x".repeat(4096)),
        ("GET /".to_owned(), "a/".repeat(2048)),
        (format!("{json}transfer-encoding: chunked\r\n\r\n"), format!("1000\r\n{}\r\n", "[".repeat(4096))),
        (format!("{json}content-length: 60000\r\n\r\n"), "[".repeat(4096)),
    ] {
        let mut peer = TcpStream::connect(&address).expect("it listens");
        peer.write_all(head.as_bytes()).expect("it reads");
        // 64 MiB would be more than anybody reads; whoever is cut off can not write on.
        let sent = (0..16 << 10).take_while(|_| peer.write_all(endless.as_bytes()).is_ok()).count();
        assert!(sent < 16 << 10, "{head:?}");
        let mut answer = Vec::new();
        let _ = peer.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{head:?}: {}", String::from_utf8_lossy(&answer));
        let health = running.get("/healthz");
        assert!(health.ends_with("ok\n"), "{head:?}: {health}");
    }
    running.stop().expect(0);
}
