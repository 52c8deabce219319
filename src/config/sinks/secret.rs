//! What only tripline and a peer may know: from the environment, from a file, or, warned about, from the
//! configuration itself. Read by the daemon; here it is only found out where from.

use std::ops::Range;

use secrecy::SecretString;

use super::super::diagnostic::Second;
use super::{Reading, sink_of};
use crate::settings::{SecretFrom, is_path, is_variable};

/// A secret of a peer.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// The key in TOML, to which `_env` and `_file` are added.
    pub(super) key: &'static str,
    /// The same with them.
    pub(super) env: &'static str,
    pub(super) file: &'static str,
    /// In words.
    pub(super) called: &'static str,
    /// A variable that could hold it.
    pub(super) example: &'static str,
    /// What somebody can do who has it.
    pub(super) danger: &'static str,
}

/// The way to any peer.
pub(super) const PROXY: Asked = Asked {
    key: "proxy_url",
    env: "proxy_url_env",
    file: "proxy_url_file",
    called: "address of the proxy",
    example: "PROXY_URL",
    danger: "a password in it can be read by whoever reads this file",
};

impl Reading<'_, '_, '_, '_> {
    /// Finds out where a secret comes from and keeps that; false if it is not given, or wrongly. `pasted`: it was found
    /// in an address too. A missing one is said if it is `needed`.
    pub(super) fn secret(
        &mut self,
        asked: Asked,
        pasted: Option<(Range<usize>, SecretString)>,
        needed: bool,
    ) -> bool {
        let Asked { key, env, file, called, example, danger } = asked;
        self.not_blank(&[env, file, key]);
        let mut found: Vec<(Range<usize>, SecretFrom)> = Vec::new();
        found.extend(pasted.map(|(span, secret)| (span, SecretFrom::Inline(secret))));
        let place = |key: &str| self.fields.key_span(key, self.header);
        if let Some(name) = self.fields.text(env) {
            if !is_variable(name.text) {
                // Not shown: it may be the secret itself.
                let title = format!("`{env}` is not the name of a variable");
                self.problems.error("bad-name", name.span.clone(), title, "not a name").help = Some(format!(
                    "write the name of the environment variable that holds the {called}, such as `{example}`"
                ));
            }
            found.push((place(env), SecretFrom::Env(name.text.to_owned())));
        }
        if let (Some(path), Some(said)) = (self.path(file), self.fields.text(file)) {
            if !is_path(said.text) {
                let title = format!("`{file}` is not the path of a file");
                self.problems.error("bad-name", said.span, title, "not a path").help = Some(format!(
                    "write the path of the file that holds the {called}; with a `/` at its beginning it may be any"
                ));
            }
            found.push((place(file), SecretFrom::File(path)));
        }
        if let Some(secret) = self.fields.text(key) {
            found.push((place(key), SecretFrom::Inline(SecretString::from(secret.text))));
        }
        found.sort_by_key(|(span, _)| span.start);
        for (span, _) in found.iter().filter(|(_, from)| matches!(from, SecretFrom::Inline(_))) {
            let title = format!("the {called} stands in the configuration");
            self.problems.warning("inline-secret", span.clone(), title, danger).help =
                Some(format!("use `{env}` or `{file}`"));
        }
        if let [(first, _), (second, _), ..] = found.as_slice() {
            let second_place = Second {
                file: self.problems.file.to_path_buf(),
                span: first.clone(),
                label: "first given here".to_owned(),
            };
            let title = format!("{} has more than one {called}", sink_of(self.what));
            self.problems.error("several-keys", second.clone(), title, "given again").second =
                Some(second_place);
        }
        let given = [env, file, key].iter().any(|key| self.fields.value(key).is_some());
        if found.is_empty() && !given && needed {
            let title = format!("{} needs its {called}", sink_of(self.what));
            let header = self.header.clone();
            self.problems.error("missing-key", header, title, format!("the {called} is missing")).help =
                Some(format!("add `{env} = \"{example}\"`, or `{file}`"));
        }
        let Some((_, from)) = found.into_iter().next() else { return false };
        self.secrets.push((key, from));
        true
    }
}
