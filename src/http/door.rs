//! The listener with its limits. axum lets nobody set hyper's, so they are kept where the bytes come in: how many
//! connections, how many bytes of each are read, and how long each may live.
//!
//! Whoever comes while all places are taken is let in, and the one who has held a place longest without having asked
//! has to go: somebody who opens connections and says nothing must not keep a probe waiting, or a pod is restarted for it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Sleep;

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// Bytes of request line and headers.
const HEAD_BYTES: usize = 8 << 10;
/// Bytes of what comes behind them.
pub(super) const BODY_BYTES: usize = 64 << 10;
/// From accept to the last byte of the answer.
const LIFETIME: Duration = Duration::from_secs(10);
/// The same of a connection that is told what happens. Whoever wants to hear on asks again.
const LONG_LIFETIME: Duration = Duration::from_secs(300);
/// What ends the headers.
const END_OF_HEAD: &[u8; 4] = b"\r\n\r\n";

/// A listener that lets in only so many, each only for so much.
pub(super) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// Those who were let in, the oldest first, and some who have gone since.
    inside: VecDeque<Seat>,
    lifetime: Duration,
}

/// What the door knows of somebody inside.
struct Seat {
    /// Its end lets the connection go.
    keep: oneshot::Sender<()>,
    traits: Arc<Traits>,
}

/// What may be known of a connection from outside.
#[derive(Debug, Default)]
struct Traits {
    /// Set by whoever answers with what takes long.
    stays: AtomicBool,
    /// Its question is there.
    asked: AtomicBool,
}

impl Door {
    pub(super) fn new(listener: TcpListener) -> Door {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        Door { listener, places, inside: VecDeque::new(), lifetime: LIFETIME }
    }

    /// Lets the one go who has been inside longest without having asked, else the one who has been there longest and is
    /// not told what happens. Nobody, if all are.
    fn make_room(&mut self) {
        self.inside.retain(|seat| !seat.keep.is_closed());
        let is = |trait_of: fn(&Traits) -> &AtomicBool, seat: &Seat| {
            trait_of(&seat.traits).load(Ordering::Relaxed)
        };
        let silent = self.inside.iter().position(|seat| !is(|traits| &traits.asked, seat));
        let short = || self.inside.iter().position(|seat| !is(|traits| &traits.stays, seat));
        if let Some(seat) = silent.or_else(short).and_then(|at| self.inside.remove(at)) {
            drop(seat.keep);
        }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        if self.places.available_permits() == 0 {
            self.make_room();
        }
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        let cut = Box::pin(tokio::time::sleep(self.lifetime));
        let traits = Arc::new(Traits::default());
        let (keep, kept) = oneshot::channel();
        if self.inside.len() > 2 * CONNECTIONS {
            self.inside.retain(|seat| !seat.keep.is_closed());
        }
        self.inside.push_back(Seat { keep, traits: Arc::clone(&traits) });
        let guest = Guest {
            stream,
            cut,
            kept,
            traits,
            prolonged: false,
            head: Some(0),
            left: HEAD_BYTES,
            _place: place,
        };
        (guest, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that was let in.
pub(super) struct Guest {
    stream: TcpStream,
    cut: Pin<Box<Sleep>>,
    /// Ends when the door needs the place.
    kept: oneshot::Receiver<()>,
    traits: Arc<Traits>,
    prolonged: bool,
    /// How much of [`END_OF_HEAD`] was read; `None`: all of it.
    head: Option<usize>,
    /// Bytes that may still be read.
    left: usize,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    /// Fails once the time is up; until then it sees to it that somebody is woken when it is.
    fn in_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        // Whoever reads in vain still wants to write: what has ended must not be polled again.
        if self.kept.is_terminated() || Pin::new(&mut self.kept).poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if !self.prolonged && self.traits.stays.load(Ordering::Relaxed) {
            self.prolonged = true;
            self.cut.as_mut().reset(tokio::time::Instant::now() + LONG_LIFETIME);
        }
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Takes note of what was read: behind the headers more may come.
    fn count(&mut self, read: &[u8]) {
        self.left -= read.len();
        for (at, byte) in read.iter().enumerate() {
            let Some(seen) = self.head else { return };
            let seen = match (END_OF_HEAD[seen] == *byte, *byte) {
                (true, _) => seen + 1,
                (false, b'\r') => 1,
                (false, _) => 0,
            };
            self.head = (seen < END_OF_HEAD.len()).then_some(seen);
            if self.head.is_none() {
                self.traits.asked.store(true, Ordering::Relaxed);
                self.left = BODY_BYTES.saturating_sub(read.len() - at - 1);
            }
        }
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(cx)?;
        if self.left == 0 {
            // That nothing more comes is no fault.
            let mut more = [0];
            let mut more = ReadBuf::new(&mut more);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut more))?;
            let is_end = more.filled().is_empty();
            return Poll::Ready(if is_end { Ok(()) } else { Err(io::ErrorKind::FileTooLarge.into()) });
        }
        let most = self.left.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let read = part.filled();
        let len = read.len();
        self.count(read);
        buf.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.in_time(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What is known of a connection.
#[derive(Clone, Debug)]
pub(super) struct Local {
    /// The address of ours that it came to; `None` if the system can not say.
    pub(super) address: Option<SocketAddr>,
    traits: Arc<Traits>,
}

impl Local {
    /// Lets it live longer, because what is answered takes long.
    pub(super) fn stay(&self) {
        self.traits.stays.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Door>> for Local {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Local {
        let guest = stream.io();
        Local { address: guest.stream.local_addr().ok(), traits: Arc::clone(&guest.traits) }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn door() -> (Door, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Door::new(listener), address)
    }

    #[tokio::test]
    async fn a_place_is_taken_from_accept_until_the_connection_is_dropped() {
        let (mut door, address) = door().await;
        let _first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let (first, _) = door.accept().await;
        let (_guest, _) = door.accept().await;
        assert_eq!(door.places.available_permits(), CONNECTIONS - 2);
        drop(first);
        assert_eq!(door.places.available_permits(), CONNECTIONS - 1);
    }

    /// A flood of silent connections keeps nobody out who asks.
    #[tokio::test]
    async fn who_says_nothing_makes_room_for_who_comes() {
        let (mut door, address) = door().await;
        let mut guests = Vec::new();
        let mut peers = Vec::new();
        for n in 0..CONNECTIONS {
            let mut peer = TcpStream::connect(address).await.unwrap();
            let (mut guest, _) = door.accept().await;
            // All but the third have asked.
            if n != 2 {
                peer.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
                let mut read = [0; 18];
                guest.read_exact(&mut read).await.unwrap();
            }
            guests.push(guest);
            peers.push(peer);
        }
        peers.push(TcpStream::connect(address).await.unwrap());
        let mut silent = guests.remove(2);
        let left = tokio::spawn(async move {
            let read = silent.read_u8().await.unwrap_err().kind();
            (read, silent.write_u8(0).await.unwrap_err().kind())
        });
        let (guest, _) = door.accept().await;
        assert_eq!(left.await.unwrap(), (io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionAborted));
        // Now the oldest goes, but for those who stay.
        guests.push(guest);
        guests[0].traits.stays.store(true, Ordering::Relaxed);
        guests.iter().for_each(|guest| guest.traits.asked.store(true, Ordering::Relaxed));
        peers.push(TcpStream::connect(address).await.unwrap());
        let mut second = guests.remove(1);
        let left = tokio::spawn(async move { second.read_u8().await.unwrap_err().kind() });
        let _guest = door.accept().await;
        assert_eq!(left.await.unwrap(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn no_more_than_the_limit_is_read_of_a_connection() {
        let (mut door, address) = door().await;
        let mut peer = TcpStream::connect(address).await.unwrap();
        let (mut guest, _) = door.accept().await;
        peer.write_all(&[b'x'; HEAD_BYTES + 1]).await.unwrap();
        let mut read = Vec::new();
        let error = guest.read_to_end(&mut read).await.unwrap_err();
        assert_eq!((error.kind(), read), (io::ErrorKind::FileTooLarge, vec![b'x'; HEAD_BYTES]));
    }

    #[tokio::test]
    async fn behind_the_headers_a_body_may_come_however_they_were_cut() {
        for cut in 1..9 {
            let (mut door, address) = door().await;
            let mut peer = TcpStream::connect(address).await.unwrap();
            let (mut guest, _) = door.accept().await;
            let head = [&b"x\r\r\n\r\r\n\r\n"[..], &[b'y'; BODY_BYTES + 1]].concat();
            let (one, two) = head.split_at(cut);
            let written = async {
                peer.write_all(one).await.unwrap();
                peer.flush().await.unwrap();
                tokio::task::yield_now().await;
                // It is refused before all of it was taken.
                let _ = peer.write_all(two).await;
                peer
            };
            let mut read = Vec::new();
            let (_peer, error) = tokio::join!(written, guest.read_to_end(&mut read));
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
            assert_eq!(read.len(), 9 + BODY_BYTES, "{cut}");
        }
    }

    #[tokio::test]
    async fn who_is_told_what_happens_is_not_cut_with_the_others() {
        let (mut door, address) = door().await;
        door.lifetime = Duration::from_millis(1);
        let mut peer = TcpStream::connect(address).await.unwrap();
        let (mut guest, _) = door.accept().await;
        guest.traits.stays.store(true, Ordering::Relaxed);
        guest.write_u8(7).await.unwrap();
        assert_eq!(peer.read_u8().await.unwrap(), 7);
        assert!(guest.cut.deadline() > tokio::time::Instant::now() + LONG_LIFETIME / 2);
    }

    #[tokio::test]
    async fn whoever_says_nothing_is_cut_when_the_time_is_up() {
        let (mut door, address) = door().await;
        door.lifetime = Duration::from_millis(1);
        let _peer = TcpStream::connect(address).await.unwrap();
        let (mut guest, _) = door.accept().await;
        assert_eq!(guest.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(guest.write_u8(0).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
