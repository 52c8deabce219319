//! The observer's name: what keeps two triplines apart that watch alike things.
#![expect(clippy::disallowed_methods, reason = "the environment and the host are asked here")]

use crate::settings::{OnStop, Settings};

/// The scope: as configured, else the node's name, else the pod's name where alerts end with the pod, else the
/// host's name.
pub fn scope(settings: &Settings, on_stop: OnStop) -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    settings
        .scope
        .clone()
        .or_else(|| variable("NODE_NAME"))
        .or_else(|| variable("POD_NAME").filter(|_| on_stop == OnStop::Resolve))
        .unwrap_or_else(hostname)
}

/// What happens to open alerts at a clean stop: as configured; without a word they are kept, but for a sidecar
/// that will not remember them.
pub fn on_stop(settings: &Settings) -> OnStop {
    let sidecar = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && settings.state_dir.is_none();
    settings.on_stop.unwrap_or(if sidecar { OnStop::Resolve } else { OnStop::Keep })
}

/// The host's name.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
