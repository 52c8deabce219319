//! The status page in a real browser, clicked through, over the real program.

use std::path::PathBuf;

use super::{is_installed, sandbox};
use crate::support::browser::{Browser, PROGRAMS};
use crate::support::sandbox::{Running, Sandbox};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

const CONFIG: &str = r#"
state_dir = "state"
[admin]
listen = "127.0.0.1:0"
token_file = "token"
[[source]]
name = "app"
files = ["app.log"]
"#;

/// Disks that are bad until they are good.
const RULES: &str = r#"
[[rule]]
name = "disk"
source = "app"
match = 'disk (?<dev>\S+) bad'
resolve = 'disk (?<dev>\S+) good'
by = ["dev"]
severity = "critical"
summary = "disk {dev} is bad"
"#;

/// The program over an empty log, and the page in a browser; `None`, and said, where there is no browser.
fn open() -> Option<(Sandbox, Running, Browser)> {
    if !PROGRAMS.iter().all(|program| is_installed(program)) {
        return None;
    }
    let sandbox = sandbox(CONFIG, RULES);
    sandbox.write("token", TOKEN);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let browser = Browser::open(&format!("http://{}/", running.admin()), 1280, 900);
    browser.shows("all quiet");
    Some((sandbox, running, browser))
}

#[track_caller]
fn is_content(browser: &Browser) {
    let complaints: Vec<String> =
        browser.complaints().into_iter().filter(|said| !said.contains("401")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn an_alert_is_seen_without_a_reload_is_silenced_and_leaves_its_lane() {
    let Some((sandbox, _running, browser)) = open() else { return };
    sandbox.append("app.log", "disk sda bad\n");
    browser.shows("disk sda is bad");
    // It is silenced, and the page asks for the token once.
    browser.click("summary", "disk sda is bad");
    browser.click("button", "Silence…");
    browser.click("dialog button.first", "Silence");
    browser.fill("#token-input", TOKEN);
    browser.click("dialog:has(#token-input) button.first", "");
    browser.shows("rule=disk");
    // The end is seen too, and the lane of both is drawn.
    sandbox.append("app.log", "disk sda good\n");
    browser.shows("all quiet");
    browser.click("[role=tab]", "Timeline");
    browser.shows("disk sda is bad");
    browser.wait_for("a lane is drawn", |browser| {
        browser.script("return document.querySelectorAll('#timeline-panel svg rect').length").as_u64()
            > Some(0)
    });
    is_content(&browser);
}

#[test]
fn a_rule_is_tried_in_the_playground() {
    let Some((_sandbox, _running, browser)) = open() else { return };
    browser.click("[role=tab]", "Playground");
    browser.wait_for("both editors", |browser| {
        let named = "const [rules, lines] = document.querySelectorAll('label.editor textarea'); if (!lines) return false; \
                     rules.id = 'rules-text'; lines.id = 'lines-text'; return true";
        browser.script(named) == true
    });
    let areas = "#rules-text";
    browser.fill(areas, "[[rule]]\nname = \"oops\"\nsource = \"app\"\nmatch = 'oops (?<what>\\w+)'\nsummary = \"oops: {what}\"\n");
    browser.fill("#lines-text", "all is well\noops fire\n");
    browser.shows("oops: fire");
    browser.fill(areas, "[[rule]]\nname = \"oops\"\nsource = \"app\"\nmatch = '('\n");
    browser.shows("unclosed group");
    is_content(&browser);
}

/// For eyes: `TRIPLINE_PICTURES=DIR` keeps what the page looks like.
#[test]
fn each_view_opens_without_a_complaint_also_on_a_narrow_screen() {
    let Some((sandbox, mut running, _browser)) = open() else { return };
    sandbox.append("app.log", "disk sda bad\ndisk sdb bad\nother\n");
    let pictures = std::env::var_os("TRIPLINE_PICTURES").map(PathBuf::from);
    for width in [1280, 400] {
        let browser = Browser::open(&format!("http://{}/", running.admin()), width, 900);
        browser.shows("disk sda is bad");
        for (view, words) in [
            ("alerts", "disk sdb is bad"),
            ("timeline", "disk sda is bad"),
            ("rules", "tripline_source_blind"),
            ("sources", "app"),
            ("sinks", "stdout"),
            ("playground", "Rules (TOML)"),
        ] {
            browser.script(&format!("location.hash = '{view}'"));
            browser.wait_for(view, |browser| browser.text().to_lowercase().contains(&words.to_lowercase()));
            let wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
            assert_eq!(browser.script(wide), false, "{view} at {width}");
            if let Some(dir) = &pictures {
                use base64::Engine as _;
                let picture = base64::engine::general_purpose::STANDARD.decode(browser.picture());
                std::fs::write(dir.join(format!("{view}-{width}.png")), picture.expect("base64"))
                    .expect("the directory can be written");
            }
        }
        is_content(&browser);
    }
}
