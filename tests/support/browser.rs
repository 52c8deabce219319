//! A real browser, Chromium without a window, driven over WebDriver (W3C) as far as the tests of the page need it.

#![expect(clippy::disallowed_methods, reason = "this is the world around the program")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::sandbox::PATIENCE;

/// The driver and the program that it drives, as Debian has them.
pub(crate) const PROGRAMS: [&str; 2] = ["chromedriver", "chromium"];

/// How WebDriver calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A page in a browser. It never outlives its test.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Opens `url` in a window of this size.
    pub(crate) fn open(url: &str, width: u32, height: u32) -> Browser {
        let mut command = Command::new(PROGRAMS[0]);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().expect("the driver can be started");
        let said = BufReader::new(driver.stdout.take().expect("stdout is a pipe"));
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let profile = tempfile::tempdir().expect("a temporary directory can be made");
        let mut browser = Browser {
            driver,
            port: port.expect("the driver says its port"),
            session: String::new(),
            _profile: profile,
        };
        let options = json!({
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", format!("--window-size={width},{height}"),
                format!("--user-data-dir={}", browser._profile.path().display()),
            ],
        });
        let capabilities = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "pageLoad": PATIENCE.as_millis() as u64 },
        });
        let session = browser.send("POST", "", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        let id = session["sessionId"].as_str().expect("a session has an id").to_owned();
        browser.session = format!("/{id}");
        browser.send("POST", "/url", &json!({ "url": url }));
        browser
    }

    /// What a script gives back. `arguments` is there for it.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.send("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// All text that is shown.
    pub(crate) fn text(&self) -> String {
        self.script("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows these words.
    #[track_caller]
    pub(crate) fn shows(&self, words: &str) {
        self.wait_for(words, |browser| browser.text().contains(words));
    }

    /// Waits until something holds.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, holds: impl Fn(&Browser) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "never: {what}\n{}\n{:#?}", self.text(), self.complaints());
            std::thread::yield_now();
        }
    }

    /// The first visible element that fits a CSS selector, and whose text holds these words.
    #[track_caller]
    fn find(&self, selector: &str, words: &str) -> String {
        let script = format!(
            "return [...document.querySelectorAll({})].find((e) => e.checkVisibility() && \
             (e.innerText ?? '').includes({})) ?? null",
            json!(selector),
            json!(words)
        );
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(id) = self.script(&script)[ELEMENT].as_str() {
                return id.to_owned();
            }
            assert!(Instant::now() < until, "no `{selector}` with {words:?}\n{}", self.text());
            std::thread::yield_now();
        }
    }

    /// Clicks on it, as a mouse does: what covers it is hit instead, and that is an error.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str, words: &str) {
        let id = self.find(selector, words);
        self.send("POST", &format!("/element/{id}/click"), &json!({}));
    }

    /// Types into it, in place of what stands there.
    #[track_caller]
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let id = self.find(selector, "");
        self.send("POST", &format!("/element/{id}/clear"), &json!({}));
        self.send("POST", &format!("/element/{id}/value"), &json!({ "text": text }));
    }

    /// What the page or the browser complained of: errors of scripts, and what the policy of the page forbade.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.send("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().filter_map(|entry| Some(entry["message"].as_str()?.to_owned())).collect()
    }

    /// A picture of the window, as PNG in base64.
    pub(crate) fn picture(&self) -> String {
        self.send("GET", "/screenshot", &Value::Null).as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} /session{}{path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.session,
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver answers");
        stream.write_all(request.as_bytes()).expect("the driver listens");
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).expect("the driver speaks HTTP");
            if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = said.trim().parse().expect("a length is a number");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut text = vec![0; length];
        answer.read_exact(&mut text).expect("the answer is whole");
        let mut answer: Value = serde_json::from_slice(&text).expect("the driver speaks JSON");
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{method} {path} {body}: {value:#}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Also of a test that fails: a browser without its driver would stay for ever.
        if !self.session.is_empty() {
            let _ = catch_unwind(AssertUnwindSafe(|| self.send("DELETE", "", &json!({}))));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
