//! Servers that want to hurt whoever asks them: what they cost is counted in bytes, and what is set is the time.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::tests::script::{Script, Step};
use super::tests::{AMPLE, attempt, courier, sink};
use super::*;
use std::time::Duration;

/// What is written after the first part, again and again.
struct Flood {
    first: Vec<u8>,
    again: Vec<u8>,
    /// Between two of them.
    pause: Duration,
}

/// Most bytes of a hostile answer that leave the server: what is read, and what the buffers of two sockets hold.
const MOST_TAKEN: usize = 32 << 20;

/// A server that floods everybody who asks; its URL and how many bytes it could write. It writes 10 GB at most.
async fn flooding(flood: Flood) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let written = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&written);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            if stream.read(&mut asked).await.unwrap_or(0) == 0
                || stream.write_all(&flood.first).await.is_err()
            {
                continue;
            }
            while count.load(Ordering::SeqCst) < 10_000_000_000 {
                if stream.write_all(&flood.again).await.is_err() {
                    break;
                }
                count.fetch_add(flood.again.len(), Ordering::SeqCst);
                if !flood.pause.is_zero() {
                    // The peer is slow; the test waits for the outcome.
                    let _ = tokio::time::timeout(flood.pause, std::future::pending::<()>()).await;
                }
            }
        }
    });
    (url, written)
}

async fn check(first: &[u8], again: &[u8], time: Duration, pause: Duration) {
    let (url, written) = flooding(Flood { first: first.to_vec(), again: again.to_vec(), pause }).await;
    let (courier, mut done) = courier(&sink(&url), time);
    courier.send(attempt());
    let outcome = format!("{:?}", done.recv().await.unwrap().outcomes);
    assert!(outcome.starts_with("[Retry"), "{outcome}");
    assert!(outcome.len() < 1000 && !outcome.contains("CANARY"), "{outcome}");
    assert!(written.load(Ordering::SeqCst) < MOST_TAKEN, "{}", written.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_flood_is_left_as_soon_as_it_is_more_than_an_answer() {
    let block = [b'x'; 16 * 1024];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; 10 << 20]).unwrap();
    let bomb = gzip.finish().unwrap();
    let chunk = [b"4000\r\n".as_slice(), &block, b"\r\n"].concat();
    let header = format!("x: {}\r\n", "y".repeat(1000));
    for (first, again) in [
        // A body of 10 GB, with and without its length, and in chunks.
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n"[..], &block[..]),
        (b"HTTP/1.1 500 x\r\n\r\n", &block),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &chunk),
        // Bad chunks; an extension of a chunk, and trailers, without end.
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n", &block),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4;", &block),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", header.as_bytes()),
        // Nobody asked for it packed, and nobody unpacks it.
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", &bomb),
        // One endless header, endless headers, an endless status line, lines without end.
        (b"HTTP/1.1 200 OK\r\nx: ", &block),
        (b"HTTP/1.1 200 OK\r\n", header.as_bytes()),
        (b"HTTP/1.1 200 ", &block),
        (b"", &b"\r\n".repeat(8192)),
        (b"", &block),
        // HTTP/2 that was not agreed on.
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0; 9 * 1024]),
    ] {
        check(first, again, AMPLE, Duration::ZERO).await;
    }
}

#[tokio::test]
async fn a_trickle_costs_the_set_time_and_no_more() {
    let (time, pause) = (Duration::from_millis(500), Duration::from_millis(1));
    for (first, again) in [
        (&b""[..], &b"H"[..]),
        (b"HTTP/1.1 200 OK\r\nx:", b"y"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", b"z"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n"),
    ] {
        check(first, again, time, pause).await;
    }
}

#[tokio::test]
async fn ten_sinks_that_hang_do_not_hold_up_the_eleventh() {
    let mut sinks = Vec::new();
    let mut peers = Vec::new();
    for at in 0..11 {
        let peer =
            if at < 10 { Script::start((0..8).map(|_| Step::Hang)).await } else { Script::start([]).await };
        sinks.push(settings::Sink { name: SinkName::new(format!("s{at}")), ..sink(&peer.url()) });
        peers.push(peer);
    }
    let (mut courier, mut done) = courier(&sinks[0], AMPLE);
    courier.attach(&sinks).unwrap();
    for (id, sink) in sinks.iter().enumerate().take(10) {
        for _ in 0..8 {
            courier.send(Attempt { id: id as u64, sink: sink.name.clone(), ..attempt() });
        }
    }
    while peers.iter().take(10).any(|peer| peer.received().len() < 8) {
        tokio::task::yield_now().await;
    }
    courier.send(Attempt { id: 10, sink: sinks[10].name.clone(), ..attempt() });
    let first = done.recv().await.unwrap();
    assert_eq!((first.attempt, first.sink.as_str()), (10, "s10"));
    assert!(matches!(first.outcomes[..], [Outcome::Accepted { .. }]), "{first:?}");
}

#[tokio::test]
async fn a_name_that_is_none_is_tried_again_and_said_without_the_key() {
    let (courier, mut done) = courier(&sink("https://tripline-test.invalid"), AMPLE);
    courier.send(attempt());
    let outcome = format!("{:?}", done.recv().await.unwrap().outcomes);
    assert!(outcome.starts_with("[Retry") && !outcome.contains("CANARY"), "{outcome}");
    assert!(outcome.contains("dns error") || outcome.contains("timed out"), "{outcome}");
}

#[tokio::test]
async fn addresses_of_this_link_are_refused_unless_they_are_allowed() {
    let terms = || Terms::new(Arc::new(|| Timestamp::MIN));
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xa9.0xfe.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "100.100.100.200",
    ] {
        for scheme in ["http", "https"] {
            let mut sink = sink(&format!("{scheme}://{host}/CANARY"));
            sink.http.allow_plaintext = true;
            let mut courier = Courier::new(Handle::current(), terms(), Arc::new(|_| ()));
            let error = courier.attach(std::slice::from_ref(&sink)).unwrap_err().to_string();
            assert!(error.contains("allow_link_local = true") && !error.contains("CANARY"), "{error}");
            sink.http.allow_link_local = true;
            courier.attach(&[sink]).unwrap();
        }
    }
}
