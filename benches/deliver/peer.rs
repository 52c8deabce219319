//! Peers as processes of their own, so that what is counted as ours is ours alone: a webhook that takes everything, one
//! that never answers, and those of [`hostile_peer`](crate::hostile_peer).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hostile_peer;

/// Requests that were read to their end.
pub(crate) static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// The process itself: says where it listens, and how many requests it had whenever it is asked on stdin.
pub(crate) fn serve(how: &str) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback can be listened on");
    let address = listener.local_addr().expect("a listener has an address");
    match how {
        "accept" | "hang" => {
            println!("http://{address}/");
            let hangs = how == "hang";
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    std::thread::spawn(move || answer(stream, hangs));
                }
            });
        }
        hostile => hostile_peer::serve(hostile, listener),
    }
    for _ in std::io::stdin().lines() {
        println!("{}", REQUESTS.load(Ordering::Relaxed));
    }
}

fn answer(stream: TcpStream, hangs: bool) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut out = stream.try_clone().ok()?;
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    loop {
        read_request(&mut reader)?;
        if hangs {
            // Until whoever asks has had enough.
            let _ = std::io::copy(&mut reader, &mut std::io::sink());
            return None;
        }
        out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

/// Reads a request to its end; `None` if the connection is over.
pub(crate) fn read_request(reader: &mut BufReader<TcpStream>) -> Option<()> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    Some(())
}

/// That process, from outside.
pub(crate) struct Peer {
    child: Child,
    stdin: ChildStdin,
    lines: BufReader<std::process::ChildStdout>,
    url: String,
}

impl Peer {
    pub(crate) fn start(how: &str) -> Peer {
        let program = std::env::current_exe().expect("a program knows its place");
        let mut child = Command::new(program)
            .args(["serve", how])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer can be started");
        let lines = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let stdin = child.stdin.take().expect("stdin is a pipe");
        let mut peer = Peer { child, stdin, lines, url: String::new() };
        peer.url = peer.line();
        peer
    }

    /// Where it is, and behind a blank, for one that speaks TLS, the file of its certificate.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Requests so far.
    pub(crate) fn requests(&mut self) -> u64 {
        self.stdin.write_all(b"\n").expect("the peer listens");
        self.line().parse().expect("a number")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the peer answers");
        line.trim().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some((_, certificate)) = self.url.split_once(' ') {
            let _ = std::fs::remove_file(certificate);
        }
    }
}
