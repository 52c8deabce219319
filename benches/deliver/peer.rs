//! A webhook that takes everything, or never answers, as a process of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// The process itself: says where it listens, and how many requests it had whenever it is asked on stdin.
pub(crate) fn serve() {
    let hangs = std::env::args().any(|arg| arg == "hang");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback can be listened on");
    println!("http://{}", listener.local_addr().expect("a listener has an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, hangs));
        }
    });
    for _ in std::io::stdin().lines() {
        println!("{}", REQUESTS.load(Ordering::Relaxed));
    }
}

fn answer(stream: TcpStream, hangs: bool) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut out = stream.try_clone().ok()?;
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    let mut line = String::new();
    loop {
        let mut length = 0;
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
        if hangs {
            loop {
                std::thread::park();
            }
        }
        REQUESTS.fetch_add(1, Ordering::Relaxed);
        out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

/// That process, from outside.
pub(crate) struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
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
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let mut url = String::new();
        lines.read_line(&mut url).expect("the peer says where it is");
        let stdin = child.stdin.take();
        Peer { child, stdin, lines, url: url.trim().to_owned() }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/", self.url)
    }

    /// Requests so far.
    pub(crate) fn requests(mut self) -> u64 {
        let stdin = self.stdin.as_mut().expect("stdin is a pipe");
        stdin.write_all(b"\n").expect("the peer listens");
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the peer answers");
        line.trim().parse().expect("a number")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
