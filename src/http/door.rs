//! The listener with its limits. axum lets nobody set hyper's, so they are kept where the bytes come in: how many
//! connections, how many bytes of each are read, and how long each may live.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// Bytes read of one connection: request line, headers, and whatever else is sent.
const REQUEST_BYTES: usize = 8 << 10;
/// From accept to the last byte of the answer.
const LIFETIME: Duration = Duration::from_secs(10);

/// A listener that lets in only so many, each only for so much.
pub(super) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    lifetime: Duration,
}

impl Door {
    pub(super) fn new(listener: TcpListener) -> Door {
        Door { listener, places: Arc::new(Semaphore::new(CONNECTIONS)), lifetime: LIFETIME }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let cut = Box::pin(tokio::time::sleep(self.lifetime));
        (Guest { stream, cut, left: REQUEST_BYTES, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that was let in.
pub(super) struct Guest {
    stream: TcpStream,
    cut: Pin<Box<Sleep>>,
    left: usize,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    /// Fails once the time is up; until then it sees to it that somebody is woken when it is.
    fn in_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
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
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let most = self.left.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        self.left -= read;
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

/// The address of ours that a request came to; `None` if the system can not say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local(pub(super) Option<SocketAddr>);

impl Connected<IncomingStream<'_, Door>> for Local {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Local {
        Local(stream.io().stream.local_addr().ok())
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

    #[tokio::test]
    async fn no_more_than_the_limit_is_read_of_a_connection() {
        let (mut door, address) = door().await;
        let mut peer = TcpStream::connect(address).await.unwrap();
        let (mut guest, _) = door.accept().await;
        peer.write_all(&[b'x'; REQUEST_BYTES + 1]).await.unwrap();
        let mut read = Vec::new();
        let error = guest.read_to_end(&mut read).await.unwrap_err();
        assert_eq!((error.kind(), read), (io::ErrorKind::FileTooLarge, vec![b'x'; REQUEST_BYTES]));
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
