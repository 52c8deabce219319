//! `admin.sock`: where the command line asks the loop. Each connection brings one question and takes one answer.
//!
//! Only the user who runs tripline may connect: the socket has mode 0600 from the moment it has a name. The state
//! directory's lock is held by now, so a socket that nobody answers on is what a dead process has left.

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::Input;
use crate::admin::{Answer, Health, MOST_ASKED, Question, SOCKET};

/// Connections at a time. Further ones wait.
const CONNECTIONS: usize = 16;
/// From accept to the whole question, and from the answer to its last byte.
const PATIENCE: Duration = Duration::from_secs(5);
/// From the question to the answer of the loop, which may be reading, or waiting for a disk.
const LOOP_PATIENCE: Duration = Duration::from_secs(20);

/// Why the socket can not be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody answers on it.
    #[error(
        "another process answers on `{0}`: stop it, or use another `state_dir`; two of one state directory would both be wrong"
    )]
    Taken(PathBuf),
    /// Something else has its name.
    #[error("`{0}` is no socket: move it away")]
    Irregular(PathBuf),
    /// The system says no.
    #[error("can not listen on `{path}`: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// The socket under its name, which goes with it.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // What is left of it is replaced by the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What is said of health without asking the loop, which may be at its first sweep, or hang.
pub(super) type AskHealth = Arc<dyn Fn() -> Health + Send + Sync>;

/// Listens in `dir`, whose lock is held, and passes questions on to the loop.
pub(super) fn listen(
    runtime: &Runtime,
    dir: &Path,
    inbox: Sender<Input>,
    health: AskHealth,
) -> Result<Socket, SocketError> {
    let path = dir.join(SOCKET);
    let fail = |error| SocketError::Io { path: path.clone(), error };
    let _inside = runtime.enter();
    make_room(&path)?;
    let listener = bind(dir).map_err(fail)?;
    let socket = Socket { path };
    runtime.spawn(serve(listener, inbox, health));
    Ok(socket)
}

/// Removes the socket of a process that is gone.
fn make_room(path: &Path) -> Result<(), SocketError> {
    use std::os::unix::fs::FileTypeExt as _;
    let fail = |error| SocketError::Io { path: path.to_owned(), error };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
        Ok(facts) if !facts.file_type().is_socket() => return Err(SocketError::Irregular(path.to_owned())),
        Ok(_) => {}
    }
    match connect(path) {
        Ok(_) => Err(SocketError::Taken(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(fail)
        }
        Err(error) => Err(fail(error)),
    }
}

fn bind(dir: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    // The name is made with the mode that the socket has, so nobody else can be quicker.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    within(&dir.join(SOCKET), |path| socket.bind(path))?;
    socket.listen(u32::try_from(CONNECTIONS).unwrap_or(u32::MAX))
}

/// Connects to the socket of this path, however long it is.
///
/// # Errors
/// What the system says: `NotFound`, or `ConnectionRefused` if nobody listens any more.
pub fn connect(path: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    within(path, |path| std::os::unix::net::UnixStream::connect(path))
}

/// Does something with the path of a socket. Addresses take 107 bytes, so the directory is named by a number.
fn within<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let dir = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    act(&Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name))
}

async fn serve(listener: UnixListener, inbox: Sender<Input>, health: AskHealth) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (inbox, health) = (inbox.clone(), Arc::clone(&health));
                tokio::spawn(async move {
                    // Whoever went away does not want to know.
                    let _ = converse(stream, &inbox, &health).await;
                    drop(place);
                });
            }
            // Out of descriptors: they come back.
            Err(error) => {
                tracing::warn!(%error, "a connection to the admin socket was lost");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, inbox: &Sender<Input>, health: &AskHealth) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    let mut from = BufReader::new(read.take(MOST_ASKED as u64));
    let read = timeout(PATIENCE, from.read_until(b'\n', &mut line)).await;
    let answer = match read {
        Err(_) => Answer::Refused("the question did not come in time".to_owned()),
        Ok(Err(error)) => return Err(error),
        Ok(Ok(0)) => return Ok(()),
        Ok(Ok(_)) if !line.ends_with(b"\n") && line.len() >= MOST_ASKED => {
            Answer::Refused(format!("a question has {MOST_ASKED} bytes at most"))
        }
        Ok(Ok(_)) => match serde_json::from_slice(&line) {
            Ok(Question::Health) => Answer::Health(health()),
            Ok(question) => ask(question, inbox).await,
            Err(error) => Answer::Refused(format!(
                "this tripline (version {}) does not understand the question: {error}",
                env!("CARGO_PKG_VERSION")
            )),
        },
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    timeout(PATIENCE, async {
        write.write_all(&text).await?;
        write.shutdown().await
    })
    .await?
}

pub(super) async fn ask(question: Question, inbox: &Sender<Input>) -> Answer {
    let refused = |why: &str| Answer::Refused(why.to_owned());
    let (reply, answer) = oneshot::channel();
    if inbox.send(Input::Asked(question, reply)).is_err() {
        return refused("tripline is stopping");
    }
    match timeout(LOOP_PATIENCE, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => refused("tripline is stopping"),
        Err(_) => refused("tripline is too busy to answer: what was asked for may still be done"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::sync::mpsc::channel;

    use super::*;

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    fn health() -> AskHealth {
        Arc::new(|| Health { ready: false, why: Some("starting".to_owned()) })
    }

    /// Asks, and answers in place of the loop as long as there is something to answer.
    fn check(asked: &[u8], expected: &str) {
        let (dir, runtime, (inbox, inputs)) = (tempfile::tempdir().unwrap(), runtime(), channel());
        let _socket = listen(&runtime, dir.path(), inbox, health()).unwrap();
        let mut peer = connect(&dir.path().join(SOCKET)).unwrap();
        peer.write_all(asked).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        if expected.contains("done") {
            let Ok(Input::Asked(_, reply)) = inputs.recv() else { panic!("nothing was asked") };
            reply.send(Answer::Refused("done".to_owned())).unwrap();
        }
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(expected), "{answer}");
    }

    #[test]
    fn a_question_is_answered_and_what_is_none_is_refused() {
        check(b"\"status\"\n", "{\"refused\":\"done\"}\n");
        check(b"\"status\"", "done");
        check(b"\"health\"\n", "{\"health\":{\"ready\":false,\"why\":\"starting\"}}\n");
        check(b"\"statu\"\n", "does not understand the question");
        check(b"\xff\x00\n", "does not understand the question");
        check(b"\n", "does not understand the question");
        check(b"", "");
        check(&[b' '; MOST_ASKED], "65536 bytes at most");
    }

    #[test]
    fn only_its_user_may_connect_and_its_name_goes_with_it() {
        let (dir, runtime, (inbox, _inputs)) = (tempfile::tempdir().unwrap(), runtime(), channel());
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let socket = listen(&runtime, dir.path(), inbox, health()).unwrap();
        let path = dir.path().join(SOCKET);
        assert_eq!(std::fs::symlink_metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn the_socket_of_a_dead_process_is_replaced_and_anything_else_is_left_alone() {
        let (dir, runtime, (inbox, _inputs)) = (tempfile::tempdir().unwrap(), runtime(), channel());
        let path = dir.path().join(SOCKET);
        // Its name outlives it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        drop(listen(&runtime, dir.path(), inbox.clone(), health()).unwrap());
        let alive = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let refused = listen(&runtime, dir.path(), inbox.clone(), health()).unwrap_err();
        assert!(matches!(refused, SocketError::Taken(_)), "{refused}");
        drop(alive);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let refused = listen(&runtime, dir.path(), inbox, health()).unwrap_err();
        assert!(matches!(refused, SocketError::Irregular(_)), "{refused}");
    }

    #[test]
    fn a_state_directory_may_have_a_long_name() {
        let (dir, runtime, (inbox, _inputs)) = (tempfile::tempdir().unwrap(), runtime(), channel());
        let deep = dir.path().join("x".repeat(200));
        std::fs::create_dir(&deep).unwrap();
        let _socket = listen(&runtime, &deep, inbox, health()).unwrap();
        connect(&deep.join(SOCKET)).unwrap();
    }
}
