//! Peers that want to hurt whoever asks them. Every fourth request is answered well, so that nobody gives them up; over
//! HTTP/2, where many requests meet the same connection, every second connection.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::peer::{REQUESTS, read_request};

/// Most bytes that one answer is long.
const MOST: u64 = 10_000_000_000;

/// Time between two parts of an answer that trickles.
const TRICKLE: Duration = Duration::from_millis(20);

/// Over HTTP/1.1: how its answers begin, what follows without end, and the time between two of those.
fn plain(how: &str) -> Option<(&'static str, Vec<u8>, Duration)> {
    let block = vec![b'x'; 16 * 1024];
    let chunk = [b"4000\r\n".as_slice(), &block, b"\r\n"].concat();
    let header = format!("x: {}\r\n", "y".repeat(1000)).into_bytes();
    let none = Duration::ZERO;
    Some(match how {
        "silent" => ("", Vec::new(), none),
        "endless body" => ("HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n", block, none),
        "endless chunks" => ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk, none),
        "bad chunks" => ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4;", block, none),
        "endless trailers" => ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", header, none),
        "endless header" => ("HTTP/1.1 200 OK\r\nx: ", block, none),
        "endless headers" => ("HTTP/1.1 200 OK\r\n", header, none),
        "gzip bomb" => ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", bomb(), none),
        "trickling body" => ("HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", b"z".to_vec(), TRICKLE),
        "trickling head" => ("HTTP/1.1 200 OK\r\nx:", b"y".to_vec(), TRICKLE),
        "endless hints" => ("", b"HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n".to_vec(), none),
        "garbage" => ("", (0..=255).cycle().take(16 * 1024).collect(), none),
        _ => return None,
    })
}

/// Over HTTP/2: frames that follow without end once a request is there.
fn frames(how: &str) -> Option<Vec<u8>> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let [.., b1, b2, b3] = payload.len().to_be_bytes();
        [&[b1, b2, b3, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    Some(match how {
        "http/2 pings" => frame(6, 0, 0, &[7; 8]).repeat(500),
        "http/2 settings" => frame(4, 0, 0, &[0, 4, 0, 1, 0, 0]).repeat(500),
        // A literal header that is not to be kept, of 1 000 bytes: `x`, again and again. The first has to open the block.
        "http/2 continuation" => {
            let header = [&[0, 1, b'x', 0x7f, 0xe9, 0x06], [b'y'; 1000].as_slice()].concat();
            [frame(1, 0, 1, &[0x88]), frame(9, 0, 1, &header).repeat(50)].concat()
        }
        _ => return None,
    })
}

/// All of them.
pub(crate) const KINDS: [&str; 15] = [
    "silent",
    "endless body",
    "endless chunks",
    "bad chunks",
    "endless trailers",
    "endless header",
    "endless headers",
    "gzip bomb",
    "trickling body",
    "trickling head",
    "endless hints",
    "garbage",
    "http/2 pings",
    "http/2 settings",
    "http/2 continuation",
];

fn bomb() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; 10 << 20]).expect("memory takes it");
    gzip.finish().expect("memory takes it")
}

/// Listens, and says where; behind a blank, for one that speaks TLS, the file of its certificate.
pub(crate) fn serve(how: &str, listener: TcpListener) {
    let address = listener.local_addr().expect("a listener has an address");
    let turn = Arc::new(AtomicU64::new(0));
    let well = move |of: u64| turn.fetch_add(1, Ordering::Relaxed) % of == of - 1;
    if let Some((first, again, pause)) = plain(how) {
        println!("http://{address}/");
        let well = Arc::new(well);
        let again = Arc::new(again);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (well, again) = (Arc::clone(&well), Arc::clone(&again));
                std::thread::spawn(move || answer(stream, &*well, first, &again, pause));
            }
        });
        return;
    }
    let again = Arc::new(frames(how).unwrap_or_else(|| panic!("no peer is called `{how}`")));
    let made =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate can be made");
    let file = std::env::temp_dir().join(format!("tripline-bench-{}.pem", std::process::id()));
    std::fs::write(&file, made.cert.pem()).expect("a certificate can be written");
    println!("https://{address}/ {}", file.display());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    let mut config = config.expect("the key is that of the certificate");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, well, again) = (Arc::clone(&config), well(2), Arc::clone(&again));
            std::thread::spawn(move || answer_frames(stream, config, well, &again));
        }
    });
}

fn answer(
    stream: TcpStream,
    well: &(impl Fn(u64) -> bool + Sync),
    first: &str,
    again: &[u8],
    pause: Duration,
) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    loop {
        read_request(&mut reader)?;
        if well(4) {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
            continue;
        }
        out.write_all(first.as_bytes()).ok()?;
        if again.is_empty() {
            let _ = std::io::copy(&mut reader, &mut std::io::sink());
            return None;
        }
        let mut written = 0_u64;
        while written < MOST {
            out.write_all(again).ok()?;
            written += again.len() as u64;
            #[expect(clippy::disallowed_methods, reason = "this peer is slow")]
            std::thread::sleep(pause);
        }
        return None;
    }
}

/// Speaks HTTP/2 as far as a request wants it that is the only one of its connection.
fn answer_frames(stream: TcpStream, config: Arc<ServerConfig>, well: bool, again: &[u8]) -> Option<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(config).ok()?, stream);
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).ok()?;
    // Our settings, none.
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).ok()?;
    stream.flush().ok()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).ok()?];
        stream.read_exact(&mut payload).ok()?;
        let (kind, flags) = (head[3], head[4]);
        if kind == 4 && flags & 1 == 0 {
            stream.write_all(&[0, 0, 0, 4, 1, 0, 0, 0, 0]).ok()?;
        }
        // Headers or data that end the request.
        if kind <= 1 && flags & 1 == 1 {
            break;
        }
    }
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    if well {
        // `:status: 200`, that there will be no other request, and the end.
        stream.write_all(&[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88]).ok()?;
        stream.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]).ok()?;
        stream.conn.send_close_notify();
        return stream.flush().ok();
    }
    let mut written = 0_u64;
    while written < MOST {
        stream.write_all(again).ok()?;
        written += again.len() as u64;
    }
    None
}
