//! What comes from outside and is no file: signals, reloads and stdin, each brought to the loop as a value.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, SyncSender, sync_channel};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::streams::{self, Brought};
use super::{Input, Load, Signal, Why};
use crate::model::SourceName;

/// Bytes read at once from stdin.
const BLOCK: usize = 64 * 1024;

/// Signals become inputs of the loop.
pub(super) fn signals(runtime: &Runtime, inbox: &Sender<Input>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let _inside = runtime.enter();
    // A limit on the size of files is an error of the write that meets it, and not the end of everything: a signal that was
    // waited for once never ends the process again.
    drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
    let kinds = [
        (SignalKind::terminate(), Signal::Stop(15)),
        (SignalKind::interrupt(), Signal::Stop(2)),
        (SignalKind::hangup(), Signal::Reload),
    ];
    for (kind, means) in kinds {
        let mut signals = signal(kind)?;
        let inbox = inbox.clone();
        runtime.spawn(async move {
            while signals.recv().await.is_some() {
                let _ = inbox.send(Input::Signal(means));
            }
        });
    }
    Ok(())
}

/// A thread that loads the configuration when asked, and looks every second whether it changed.
pub(super) fn reloader(mut load: Load, inbox: Sender<Input>) -> std::io::Result<SyncSender<()>> {
    let (ask, asked) = sync_channel(1);
    std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
        loop {
            let why = match asked.recv_timeout(Duration::from_secs(1)) {
                Ok(()) => Why::Asked,
                Err(RecvTimeoutError::Timeout) => Why::Look,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Some(result) = load(why)
                && inbox.send(Input::Loaded(result.map(Box::new))).is_err()
            {
                return;
            }
        }
    })?;
    Ok(ask)
}

/// A thread that reads stdin block by block, each only after the one before was used: a slow loop makes the writer of
/// the pipe wait, instead of filling memory.
pub(super) fn stdin_reader(source: SourceName, inbox: Sender<Input>) -> std::io::Result<()> {
    let (tell_used, used) = sync_channel(1);
    let left = Arc::new(std::sync::atomic::AtomicBool::new(false));
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut block = vec![0; BLOCK];
            match stdin.read(&mut block) {
                Ok(0) => break,
                Ok(n) => block.truncate(n),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "stdin can not be read");
                    break;
                }
            }
            let block =
                streams::Block { bytes: block, cursors: Vec::new(), lost: 0, used: tell_used.clone() };
            let brought = Input::Stream(source.clone(), left.clone(), Brought::Block(block));
            if inbox.send(brought).is_err() || used.recv().is_err() {
                return;
            }
        }
        let _ = inbox.send(Input::StdinEnd(source));
    })?;
    Ok(())
}
