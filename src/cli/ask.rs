//! Questions to a running tripline, over the socket in its state directory.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::{Failure, load};
use crate::admin::{Answer, MOST_ASKED, Question, SOCKET};
use crate::daemon::socket::connect;

/// How long an answer is waited for. The daemon gives up earlier, and says why.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an answer, at most.
const MOST_ANSWERED: u64 = 256 << 20;

/// Which tripline is meant.
#[derive(Clone, Debug, Args)]
pub(super) struct WhichArgs {
    /// The state directory of the running tripline [default: that of the configuration]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Configuration file [default: ./tripline.toml, else /etc/tripline/tripline.toml]
    #[arg(long, short, env = "TRIPLINE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl WhichArgs {
    /// Asks, and waits for the answer; one that refuses is a failure.
    pub(super) fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        let dir = match &self.state_dir {
            Some(dir) => dir.clone(),
            None => load::state_dir(self.config.as_deref()).map_err(Failure)?,
        };
        ask(&dir, question)
    }
}

/// Which tripline is asked, and how its answer is shown.
#[derive(Clone, Debug, Args)]
pub(super) struct AskArgs {
    #[command(flatten)]
    of: WhichArgs,
    /// One JSON object
    #[arg(long)]
    pub(super) json: bool,
}

impl AskArgs {
    /// As [`WhichArgs::ask`].
    pub(super) fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        self.of.ask(question)
    }
}

/// Asks the tripline of this state directory.
pub(super) fn ask(dir: &Path, question: &Question) -> Result<Answer, Failure> {
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    if line.len() > MOST_ASKED {
        return Err(Failure(format!("that is too much to ask: a question takes {MOST_ASKED} bytes at most")));
    }
    let path = dir.join(SOCKET);
    let shown = path.display();
    let mut stream = connect(&path).map_err(|error| {
        let way = match error.kind() {
            ErrorKind::NotFound => format!(
                "no tripline runs with the state directory `{}`: there is no `{shown}`\nhint: start it with `tripline \
                 run`, or name the directory of the one that runs with `--state-dir`",
                dir.display()
            ),
            ErrorKind::ConnectionRefused => format!(
                "no tripline runs with the state directory `{}`: `{shown}` is left of one that is gone\nhint: start it \
                 with `tripline run`",
                dir.display()
            ),
            ErrorKind::PermissionDenied => format!(
                "may not open `{shown}`\nhint: only the user who runs tripline may: try `sudo -u USER tripline …`"
            ),
            _ => format!("can not talk to tripline over `{shown}`: {error}"),
        };
        Failure(way)
    })?;
    let lost = |error: std::io::Error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            Failure(format!("tripline does not answer on `{shown}` within {} s", PATIENCE.as_secs()))
        }
        _ => Failure(format!("tripline does not answer on `{shown}`: {error}")),
    };
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .map_err(lost)?;
    stream.write_all(&line).map_err(lost)?;
    let mut answer = Vec::new();
    stream.take(MOST_ANSWERED).read_to_end(&mut answer).map_err(lost)?;
    if answer.is_empty() {
        return Err(Failure(format!("tripline ended before it answered on `{shown}`")));
    }
    match serde_json::from_slice(&answer) {
        Ok(Answer::Refused(why)) => Err(Failure(why)),
        Ok(answer) => Ok(answer),
        Err(error) => Err(unexpected(&format!("{error}"))),
    }
}

/// An answer that does not belong to the question.
pub(super) fn unexpected(what: &str) -> Failure {
    Failure(format!(
        "the answer is not understood ({what}): use the `tripline` of the version that runs, this is {}",
        env!("CARGO_PKG_VERSION")
    ))
}
