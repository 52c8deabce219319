//! What a rule says of containers, where no file of its sources is one of a container.

use std::path::{Component, Path};

use super::super::captured::{Captured, bare};
use super::super::diagnostic::{Problems, listed};
use super::super::walk::Said;
use super::{Around, Reader};
use crate::model::{ContainerPath, Envelope, SourceName};

impl Reader<'_, '_> {
    /// Says which names are empty for every line, as far as the globs of the sources tell.
    pub(super) fn check_containers(
        &self,
        problems: &mut Problems<'_>,
        around: &Around<'_>,
        (inline, sources): (Option<&SourceName>, &[Said<'_>]),
        captured: &Captured,
    ) {
        let names = captured.of_containers();
        let is_seen = |name: &SourceName| match inline {
            Some(inline) => name == inline,
            None => sources.iter().any(|source| source.text == name.as_str()),
        };
        let known = around.sources.configured().unwrap_or_default().iter().chain(&around.inline);
        let mut globs =
            known.filter(|source| is_seen(&source.name)).flat_map(|source| &source.files).peekable();
        // Of sources that are not known here nothing is either.
        if names.is_empty() || globs.peek().is_none() || globs.any(|glob| may_be_of_containers(glob)) {
            return;
        }
        let by = self.fields.texts("by").into_iter().find(|said| names.contains(bare(said.text).0));
        let span = by.map_or_else(|| self.header.clone(), |said| said.span);
        let (is, say) = if names.len() == 1 { ("is", "says it") } else { ("are", "says them") };
        let title = format!("{} {is} empty for every line", listed(names.iter().copied()));
        let label = format!("no path that the files of its sources can have {say}");
        let problem = problems.warning("no-container", span, title, label);
        problem.note = Some(
            "they are taken from `NAMESPACE_POD_UID/CONTAINER/0.log` and `POD_NAMESPACE_CONTAINER-ID.log`"
                .to_owned(),
        );
        problem.help = Some(if captured.has_fields() {
            "a field of that name stands between backticks".to_owned()
        } else {
            "capture it in `match`, or name files below `/var/log/pods` or `/var/log/containers`".to_owned()
        });
    }
}

/// False for globs of which all files are surely of no container.
fn may_be_of_containers(glob: &Path) -> bool {
    let is_open = |part: &str| part.contains(['*', '?', '[', '{']);
    let parts: Vec<_> = glob
        .components()
        .filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy()),
            _ => None,
        })
        .collect();
    if Envelope::usual_for(glob).is_some() || parts.iter().any(|part| part == "**") {
        return true;
    }
    let Some((file, directories)) = parts.split_last() else { return false };
    // A name with a wildcard may be one of a link if it has room for its parts, and a directory for those of a pod.
    let is_link =
        is_open(file) && (file.contains('_') || directories.last().is_some_and(|name| name == "containers"));
    let is_pod = directories.iter().rev().nth(1).is_some_and(|pod| is_open(pod));
    is_link || is_pod || ContainerPath::of(glob).is_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_of_containers_are_known() {
        for (glob, may) in [
            ("/var/log/pods/*/*/*.log", true),
            ("/var/log/containers/*.log", true),
            ("/var/lib/docker/containers/*/*.log", true),
            ("/host/var/log/pods/shop_*/*/*.log", true),
            ("/host/containers/*.log", true),
            ("/logs/*_shop_*.log", true),
            ("/logs/**/*.log", true),
            ("/logs/shop_web-0_1/main/0.log", true),
            ("/var/log/app.log", false),
            ("/var/log/*.log", false),
            ("/var/log/nginx/*.log", false),
            ("/srv/*/app.log", false),
            ("/srv/containers/app.log", false),
            ("app.log", false),
        ] {
            assert_eq!(may_be_of_containers(Path::new(glob)), may, "{glob}");
        }
    }
}
