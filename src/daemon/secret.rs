//! Keys, read where the settings say. Errors name the variable or the file, never the value.
#![expect(clippy::disallowed_methods, reason = "secrets come from the environment and from files")]

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use secrecy::{ExposeSecret as _, SecretString};

use crate::settings::{SecretFrom, is_unusual_file, is_unusual_variable};

/// A key is a line; more is the wrong file.
const MOST_BYTES: u64 = 8 * 1024;

const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is missing or not UTF-8. Shown as `***` if its name may be the key.
    #[error("the environment variable `{variable}` is not set; set it, or use `{key}_file`")]
    NotSet {
        /// Which.
        variable: String,
        /// The key in TOML.
        key: &'static str,
    },
    /// systemd gave no credentials.
    #[error(
        "`$CREDENTIALS_DIRECTORY` is not set; start tripline by systemd with `LoadCredential=`, or name the file itself"
    )]
    NoCredentials,
    /// The file cannot be read. Its name is shown as `***` if it is not there and may be the key.
    #[error("cannot read the key file `{path}`: {error}")]
    NotRead {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Nothing but white space.
    #[error("{0} is empty; put the key there")]
    Empty(Place),
    /// A key as it stands in other files.
    #[error("{place} holds {what}; put the key there alone")]
    Dressed {
        /// Where.
        place: Place,
        /// What is around the key.
        what: &'static str,
    },
    /// Letters that are in no key.
    #[error(
        "{0} holds a character that is in no key, such as a letter with an accent or a typographic dash; copy it anew"
    )]
    NotAscii(Place),
    /// More than a key.
    #[error("{0} holds more than a key: it must be one word on one line")]
    NotAKey(Place),
}

/// Where a secret was looked for.
#[derive(Clone, Debug)]
pub enum Place {
    /// The variable of that name.
    Env(String),
    /// The file of that name.
    File(PathBuf),
    /// The configuration itself.
    Inline,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Env(name) => write!(f, "the environment variable `{name}`"),
            Place::File(path) => write!(f, "the key file `{}`", path.display()),
            Place::Inline => f.write_str("the key in the configuration"),
        }
    }
}

/// One secret and what it was when it was last read, to notice a rotation.
#[derive(Debug)]
pub struct Secret {
    name: &'static str,
    from: SecretFrom,
    /// What [`Secret::read`] gave last, or why it could not; `None`: it was never asked.
    last: Mutex<Option<Result<SecretString, String>>>,
}

impl Secret {
    /// The secret that comes from there; `name` is its key in TOML. Reads nothing yet.
    pub fn new(name: &'static str, from: SecretFrom) -> Secret {
        Secret { name, from, last: Mutex::new(None) }
    }

    /// Its key in TOML.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The secret as it is now. A file is read each time, so a rotated key is used from the next attempt on.
    /// Blocks on the file.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let now = self.fetch();
        let last = now.as_ref().cloned().map_err(ToString::to_string);
        *self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(last);
        now
    }

    /// True if it is not what [`Secret::read`] gave last, even if it is the same as before because only the permissions of
    /// its file are better, or if there is another reason now why it can not be had: time to release a suspended sink.
    /// Not if it could be read and can not any more. Blocks on the file.
    pub fn changed(&self) -> bool {
        let now = self.fetch();
        let last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match (now, &*last) {
            (Ok(now), Some(Ok(last))) => last.expose_secret() != now.expose_secret(),
            (Ok(_), _) => true,
            (Err(now), Some(Err(last))) => *last != now.to_string(),
            (Err(_), _) => false,
        }
    }

    /// What is wrong with who may read its file, or change it; `None`: nothing, or it is in no file. A mounted secret of
    /// Kubernetes is readable for all inside its container, so this is a warning.
    pub fn exposed(&self) -> Option<String> {
        let SecretFrom::File(path) = &self.from else { return None };
        let path = expand(path).ok()?;
        let mode = std::fs::metadata(&path).ok()?.permissions().mode();
        let who = match mode {
            mode if mode & 0o020 != 0 => "its group can replace",
            mode if mode & 0o004 != 0 => "everybody on this machine can read",
            _ => return None,
        };
        Some(format!("{who} the key file `{}`; `chmod 600` helps", path.display()))
    }

    fn fetch(&self) -> Result<SecretString, SecretError> {
        match &self.from {
            SecretFrom::Env(name) => {
                let value = std::env::var(name)
                    .map_err(|_| SecretError::NotSet { variable: shown(name), key: self.name })?;
                self.believe(&value, || Place::Env(name.clone()))
            }
            SecretFrom::File(path) => {
                let path = expand(path)?;
                let text = read_file(&path)
                    .map_err(|error| SecretError::NotRead { path: shown_path(&path), error })?;
                self.believe(&text, || Place::File(path))
            }
            SecretFrom::Inline(value) => self.believe(value.expose_secret(), || Place::Inline),
        }
    }

    fn believe(&self, text: &str, place: impl FnOnce() -> Place) -> Result<SecretString, SecretError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretError::Empty(place()));
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(SecretError::NotAKey(place()));
        }
        // People choose passwords as they like.
        let chosen = self.name == "password";
        match dressed(text) {
            _ if chosen => Ok(SecretString::from(text)),
            _ if !text.is_ascii() => Err(SecretError::NotAscii(place())),
            Some(what) => Err(SecretError::Dressed { place: place(), what }),
            None => Ok(SecretString::from(text)),
        }
    }
}

/// What stands around a key that was copied with what it was written with.
fn dressed(text: &str) -> Option<&'static str> {
    let quoted = |quote: char| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if quoted('"') || quoted('\'') {
        return Some("quotes around the key");
    }
    let (name, value) = text.split_once('=')?;
    let sound = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let is_name = name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(sound);
    // Base64 ends with `=`.
    (is_name && value.contains(|c| c != '=')).then_some("a name and `=` before the key")
}

/// What is shown of a variable that is not there.
fn shown(variable: &str) -> String {
    if is_unusual_variable(variable) { "***".to_owned() } else { variable.to_owned() }
}

/// What is shown of a file that can not be read.
fn shown_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_there = std::fs::symlink_metadata(path).is_ok();
    if !is_there && is_unusual_file(&name) { path.with_file_name("***") } else { path.to_owned() }
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    // A FIFO waits for who writes it, and whoever waits for a key does nothing else.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).expect("flags of `open` are an `int`");
    let file = std::fs::File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no regular file; name one that holds the key"));
    }
    // Whoever puts his own key there hears of every alert.
    if file.metadata()?.permissions().mode() & 0o002 != 0 {
        return Err(std::io::Error::other("everybody on this machine can replace it; `chmod 600` helps"));
    }
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other(format!("it is longer than {MOST_BYTES} bytes")));
    }
    // The error of a failed conversion would carry the bytes.
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8"))
}

/// `$CREDENTIALS_DIRECTORY/name` and `${CREDENTIALS_DIRECTORY}/name` as systemd means them.
fn expand(path: &Path) -> Result<PathBuf, SecretError> {
    let variable =
        |first: &std::ffi::OsStr| first == "$CREDENTIALS_DIRECTORY" || first == "${CREDENTIALS_DIRECTORY}";
    let mut parts = path.components();
    // A relative path was made absolute with the configuration's directory before it.
    let Some(_) = parts.find(|part| variable(part.as_os_str())) else { return Ok(path.to_owned()) };
    let directory = std::env::var_os(CREDENTIALS).ok_or(SecretError::NoCredentials)?;
    Ok(Path::new(&directory).join(parts.as_path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, Secret) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, content).unwrap();
        (dir, Secret::new("integration_key", SecretFrom::File(path)))
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        for path in [path, dir.path().to_owned(), "/dev/null".into()] {
            let why = Secret::new("token", SecretFrom::File(path)).read().unwrap_err().to_string();
            assert!(why.contains("it is no regular file"), "{why}");
        }
    }

    #[test]
    fn a_file_is_trimmed_and_read_again_when_it_changes() {
        let (dir, secret) = file(b"  first\n");
        assert!(secret.changed(), "never read");
        assert_eq!(secret.read().unwrap().expose_secret(), "first");
        assert!(!secret.changed());
        std::fs::write(dir.path().join("key"), "second\r\n").unwrap();
        assert!(secret.changed());
        assert_eq!(secret.read().unwrap().expose_secret(), "second");
        std::fs::remove_file(dir.path().join("key")).unwrap();
        assert!(!secret.changed());
        assert!(matches!(secret.read(), Err(SecretError::NotRead { .. })));
        // Another reason is one to tell.
        assert!(!secret.changed());
        std::fs::write(dir.path().join("key"), "two words").unwrap();
        assert!(secret.changed());
        assert!(matches!(secret.read(), Err(SecretError::NotAKey(_))) && !secret.changed());
    }

    #[test]
    fn permissions_that_were_put_right_are_a_change_though_the_key_is_the_same() {
        let (dir, secret) = file(b"CANARY");
        let set = |mode| {
            std::fs::set_permissions(dir.path().join("key"), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        assert!(secret.read().is_ok());
        set(0o666);
        assert!(!secret.changed(), "nobody has tried it yet");
        assert!(secret.read().is_err() && !secret.changed());
        set(0o600);
        assert!(secret.changed());
        assert!(secret.read().is_ok() && !secret.changed());
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let long = vec![b'x'; 9_000];
        for (content, says) in [
            (&b" \n"[..], "is empty"),
            (b"CANARY\nCANARY2\n", "holds more than a key"),
            (b"CANARY\xff", "it is not UTF-8"),
            ("CANARY\u{2013}1".as_bytes(), "holds a character that is in no key"),
            (b"\"CANARY\"\n", "holds quotes around the key"),
            (b"'CANARY'", "holds quotes around the key"),
            (b"SLACK_URL2=CANARY\n", "holds a name and `=` before the key"),
            (&long, "longer than 8192 bytes"),
        ] {
            let (_dir, secret) = file(content);
            let error = secret.read().unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(says) && text.contains("key") && !text.contains("CANARY"), "{text}");
        }
    }

    #[test]
    fn a_file_that_others_can_replace_is_refused_and_one_that_they_can_read_is_told_of() {
        for (mode, refused, told) in [
            (0o600, false, None),
            (0o440, false, None),
            (0o644, false, Some("everybody on this machine can read the key file")),
            (0o660, false, Some("its group can replace the key file")),
            (0o602, true, None),
            (0o666, true, Some("its group can replace")),
        ] {
            let (dir, secret) = file(b"CANARY");
            let path = dir.path().join("key");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = secret.read().map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(read.is_err(), refused, "{mode:o} {read:?}");
            assert!(
                read.err().is_none_or(|error| error.contains("can replace it") && !error.contains("CANARY"))
            );
            let exposed = secret.exposed();
            assert_eq!(exposed.is_some(), told.is_some(), "{mode:o} {exposed:?}");
            assert!(exposed.is_none_or(|why| told.is_some_and(|told| why.starts_with(told))), "{mode:o}");
        }
        assert_eq!(Secret::new("k", SecretFrom::Env("HOME".to_owned())).exposed(), None);
    }

    #[test]
    fn keys_of_any_form_and_passwords_are_taken_as_they_are() {
        for key in ["QUJD=", "QUJDRA==", "https://h/?KEY=x", "a=b", "\"half", "x'y'z", "KEY="] {
            let (_dir, secret) = file(key.as_bytes());
            assert_eq!(secret.read().unwrap().expose_secret(), key);
        }
        for password in ["\"quoted\"", "USER=me", "se\u{f1}a"] {
            let inline = SecretFrom::Inline(SecretString::from(password));
            assert_eq!(Secret::new("password", inline).read().unwrap().expose_secret(), password);
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let secret = Secret::new("integration_key", SecretFrom::Env("TRIPLINE_NO_SUCH_KEY".to_owned()));
        let error = secret.read().unwrap_err().to_string();
        assert!(error.contains("`TRIPLINE_NO_SUCH_KEY` is not set"), "{error}");
    }

    #[test]
    fn what_may_be_a_key_in_the_place_of_a_name_is_not_shown_unless_it_is_there() {
        let says = |from: SecretFrom| Secret::new("token", from).read().unwrap_err().to_string();
        let told = says(SecretFrom::Env("canarycanarycanary".to_owned()));
        assert!(told.starts_with("the environment variable `***` is not set") && !told.contains("canary"));
        let dir = tempfile::tempdir().unwrap();
        let told = says(SecretFrom::File(dir.path().join("canarycanarycanary")));
        assert!(told.contains("/***`: No such file") && !told.contains("canary"), "{told}");
        let told = says(SecretFrom::File(dir.path().join("flashduty-integration-key")));
        assert!(told.contains("/flashduty-integration-key`: No such file"), "{told}");
        std::fs::create_dir(dir.path().join("canarycanarycanary")).unwrap();
        let told = says(SecretFrom::File(dir.path().join("canarycanarycanary")));
        assert!(told.contains("/canarycanarycanary`"), "{told}");
    }

    #[test]
    fn a_variable_and_the_configuration_can_hold_a_key() {
        let path = Secret::new("integration_key", SecretFrom::Env("CARGO_PKG_NAME".to_owned()));
        assert_eq!(path.read().unwrap().expose_secret(), "tripline");
        let inline = Secret::new("integration_key", SecretFrom::Inline(SecretString::from("CANARY")));
        assert_eq!(inline.read().unwrap().expose_secret(), "CANARY");
        assert!(!format!("{inline:?}").contains("CANARY"));
        let empty = Secret::new("integration_key", SecretFrom::Inline(SecretString::from("")));
        assert!(matches!(empty.read(), Err(SecretError::Empty(Place::Inline))));
    }

    #[test]
    fn systemd_credentials_need_their_directory() {
        let path = Path::new("/etc/tripline/$CREDENTIALS_DIRECTORY/oncall");
        match std::env::var_os(CREDENTIALS) {
            Some(directory) => assert_eq!(expand(path).unwrap(), Path::new(&directory).join("oncall")),
            None => assert!(expand(path).unwrap_err().to_string().contains("CREDENTIALS_DIRECTORY")),
        }
        assert_eq!(expand(Path::new("/run/key")).unwrap(), Path::new("/run/key"));
    }
}
