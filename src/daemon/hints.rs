//! The thread that waits for hints about files, so that the loop can wait for everything at once.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Sender, sync_channel};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Input;

/// After each hint: whoever makes hints all the time does not turn the loop more often than this.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Says that a hint waits in one of these descriptors, and says it again only after it was told that they were emptied.
///
/// # Errors
/// If there can be no thread.
pub(super) fn hint_reader(descriptors: Vec<OwnedFd>, inbox: Sender<Input>) -> std::io::Result<()> {
    let (tell_taken, taken) = sync_channel(1);
    std::thread::Builder::new().name("hints".to_owned()).spawn(move || {
        let mut wanted: Vec<PollFd<'_>> =
            descriptors.iter().map(|descriptor| PollFd::new(descriptor, PollFlags::IN)).collect();
        loop {
            match poll(&mut wanted, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => {
                    tracing::error!(%error, "hints about files can not be waited for: files are polled");
                    return;
                }
            }
            if inbox.send(Input::Hint(tell_taken.clone())).is_err() || taken.recv().is_err() {
                return;
            }
            // A pause that is cut short is no harm.
            let _ = poll(&mut [], Some(&PAUSE));
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_hint_is_told_once_until_it_is_taken_and_the_next_one_again() {
        let patience = Duration::from_secs(30);
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (inbox, inputs) = channel();
        hint_reader(vec![reader.try_clone().unwrap()], inbox).unwrap();
        for _ in 0..2 {
            rustix::io::write(&writer, b"x").unwrap();
            let Ok(Input::Hint(taken)) = inputs.recv_timeout(patience) else { panic!("no hint") };
            assert!(inputs.try_recv().is_err());
            rustix::io::read(&reader, &mut [0; 8]).unwrap();
            taken.send(()).unwrap();
        }
        drop(inputs);
    }
}
