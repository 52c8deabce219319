//! The admin port: bound, and guarded as the settings say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use secrecy::ExposeSecret as _;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::clock::{self, Clock};
use super::{Input, RunError, secret, socket};
use crate::http::access::{Doorkeeper, TOKEN_LEAST};
use crate::settings::{SecretFrom, Settings};

/// Listens where the settings say, if they do; says where that is.
///
/// # Errors
/// If the address can not be bound.
pub(super) fn listen(
    runtime: &Runtime,
    settings: &Settings,
    shown: watch::Receiver<Arc<crate::http::View>>,
    clock: Clock,
    inbox: &Sender<Input>,
) -> Result<Option<SocketAddr>, RunError> {
    let Some(address) = settings.admin.listen else { return Ok(None) };
    let refused = |error| RunError::Listen { address, error };
    let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let inbox = inbox.clone();
    let parts = crate::http::Parts {
        view: shown,
        now: Arc::new(move || clock.now().time),
        ask: Arc::new(move |question| {
            let inbox = inbox.clone();
            Box::pin(async move { socket::ask(question, &inbox).await })
        }),
        try_out: Arc::new(|sent| crate::playground::try_out(sent, clock::wall(), clock::stopwatch())),
        keeper: doorkeeper(&settings.admin),
    };
    runtime.spawn(crate::http::serve(listener, parts, std::future::pending()));
    Ok(Some(bound))
}

/// Who may ask the admin port. The token is read anew each time, so a new one holds at once.
fn doorkeeper(admin: &crate::settings::Admin) -> Doorkeeper {
    let token = admin.token_file.clone().map(|path| {
        let token = secret::Secret::new("token", SecretFrom::File(path));
        if let Some(why) = token.exposed() {
            tracing::warn!("{why}");
        }
        if let Err(error) = token.read() {
            tracing::warn!(%error, "nothing can be changed over HTTP until the token can be read");
        }
        let read: Arc<dyn Fn() -> Result<secrecy::SecretString, String> + Send + Sync> =
            Arc::new(move || {
                let token = token.read().map_err(|error| error.to_string())?;
                match token.expose_secret().len() {
                    0..TOKEN_LEAST => {
                        let least = TOKEN_LEAST;
                        Err(format!(
                            "the token of `[admin]` is too short: it takes {least} characters or more"
                        ))
                    }
                    _ => Ok(token),
                }
            });
        read
    });
    Doorkeeper { hosts: admin.hosts.clone().into(), token }
}
