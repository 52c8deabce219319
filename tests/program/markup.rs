//! Text that would be markup or script if the status page took it for more than text: put wherever strangers can put
//! any, and compared, element by element, with text of the same shape that could be nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::sync::Arc;

use serde_json::{Value, json};
use tripline::untrusted::{Untrusted, is_hostile};

use super::{DISK, TO_STDOUT, is_installed};
use crate::support::browser::{Browser, PROGRAMS};
use crate::support::sandbox::{Peer, Running, Sandbox};
use crate::support::script::Step;

/// What leads out of the place where a text stands, if that place is markup.
const BREAKS: [&str; 10] = [
    "",
    "\">",
    "'>",
    "--></title></textarea></style></script></noscript></template>",
    "]]></desc></svg></mtext></math>",
    "<!--",
    "<svg><desc><![CDATA[",
    "<math><mtext><table><mglyph><style><!--",
    "<p title=\"",
    "\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}",
];

/// What would then be done; `@` stands for what sets a mark. Some end in the middle.
const DEEDS: [&str; 20] = [
    "<script>@</script>",
    "<img src=x onerror=@>",
    "<svg/onload=@>",
    "<svg><animate onbegin=@ attributeName=x dur=1s></svg>",
    "<iframe srcdoc=\"<script>parent.@</script>\"></iframe>",
    "<a href=\"javascript:@\" autofocus onfocus=@>x</a>",
    "<details open ontoggle=@><summary>x",
    "<math href=\"javascript:@\"><mi xlink:href=\"javascript:@\">x",
    "<input autofocus onfocus=@ value=\"",
    "x\" autofocus tabindex=0 onfocus=\"@\" y=\"",
    "x' onmouseover='@' style='position:fixed;inset:0' y='",
    "javascript:@//",
    "data:text/html,<script>parent.@</script>",
    "&lt;script&gt;@&lt;/script&gt;&#60;img src=x onerror=@&#x3e;",
    r"\u003cscript\u003e@\u003c/script\u003e\x3cimg src=x onerror=@\x3e",
    "{{constructor.constructor('@')()}}${@}<%= @ %>#{@}",
    "<scr\0ipt>@</scr\0ipt><\u{17f}cript>@</script>\u{ff1c}script\u{ff1e}@\u{ff1c}/script\u{ff1e}",
    "\u{1b}]8;;javascript:@\u{1b}\\x\u{1b}]8;;\u{1b}\\\u{1b}[2J\u{1b}[31m",
    "<base href=/evil/><meta http-equiv=refresh content=\"0;url=javascript:@\"><link rel=stylesheet href=/evil>",
    "<template><script>@</script></template><noscript><p title=\"</noscript><img src=x onerror=@>\">",
];

fn payloads() -> Vec<String> {
    let pairs = BREAKS.iter().flat_map(|out| DEEDS.iter().map(move |deed| format!("{out}{deed}")));
    pairs.enumerate().map(|(n, text)| text.replace('@', &format!("window.mark={n}"))).collect()
}

/// As many characters, in the same folders if it is a path, and nothing that means anything anywhere.
fn harmless(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, ' ' | '/') { c } else { '~' };
    text.chars().map(plain).collect()
}

/// As it can stand in a configuration, which takes no control characters.
fn written(text: &str) -> String {
    text.replace(char::is_control, "")
}

/// A string of TOML.
fn toml(text: &str) -> String {
    json!(written(text)).to_string()
}

/// Lines, each with its number before its text.
fn lines(texts: &[String]) -> String {
    texts.iter().enumerate().map(|(n, text)| format!("{n} {text}\n")).collect()
}

/// The path of a file whose name is a text, as far as names can be: folders where it has slashes.
fn path_of(n: usize, text: &str) -> String {
    let name = format!("{n} {text}.log").replace('\0', "");
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

/// As it is shown: what could hide or reorder text is written out.
fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if is_hostile(c) { format!("\\u{{{:x}}}", u32::from(c)) } else { c.to_string() })
        .collect()
}

/// Files of a source that are shown with what is wrong with them.
const SHOWN: usize = 20;

fn config(texts: &[String], url: &str) -> String {
    let mut config = format!(
        "state_dir = 'state'\n[admin]\nlisten = '127.0.0.1:0'\n\
         [[source]]\nname = 'app'\nfiles = ['app.log']\n\
         [[source]]\nname = 'named'\nfiles = ['named/**/*.log']\n\
         [[sink]]\nname = 'hook'\ntype = 'webhook'\nurl = '{url}'\nrate = 'unlimited'\n"
    );
    for n in 0..texts.len() / SHOWN {
        config += &format!(
            "[[source]]\nname = 'faults-{n}'\nfiles = ['faults/{n}/**/*.log', 'behind/{n}/**/*.log']\nfollow_symlinks = true\n"
        );
    }
    config
}

/// For each text a rule that has it in its own texts too.
fn rules(texts: &[String]) -> String {
    let often = "max_raises = 'never'\nflap = 'never'\nresolve_after = '1h'\n";
    let mut rules = format!(
        "[[rule]]\nname = 'named'\nsource = 'named'\nmatch = '^(?<n>\\d+)$'\nby = ['n']\nsummary = '{{file}}'\n{often}"
    );
    for (n, text) in texts.iter().enumerate() {
        let written = toml(&text.replace('{', "{{").replace('}', "}}"));
        rules += &format!(
            "[[rule]]\nname = 'r{n}'\nsource = 'app'\nmatch = '^{n} (?<what>.*)$'\nby = ['what']\n{often}\
             summary = '{{what}}'\ndescription = {written}\nlabels = {{ note = {written} }}\n\
             runbook = 'https://wiki.example.com/{{what}}'\n"
        );
    }
    rules
}

/// A tripline that has been told these texts by everybody who can tell it any, and its page.
struct World {
    texts: Vec<String>,
    paths: Vec<String>,
    browser: Browser,
    _running: Running,
    _sandbox: Sandbox,
    _peer: Peer,
}

impl World {
    fn of(texts: Vec<String>) -> World {
        let words = texts.clone();
        let peer = Peer::answering(Arc::new(move |request| {
            let told: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let of_rule =
                told["rule"].as_str().and_then(|rule| rule.strip_prefix('r')?.parse::<usize>().ok());
            let body = of_rule.map_or_else(|| "no".to_owned(), |n| words[n].clone());
            Step::Answer { status: 400, headers: Vec::new(), body }
        }));
        let sandbox = Sandbox::new();
        sandbox.write("tripline.toml", config(&texts, &peer.url()));
        sandbox.write("rules/r.toml", rules(&texts));
        sandbox.write("app.log", "");
        let paths: Vec<String> = texts.iter().enumerate().map(|(n, text)| path_of(n, text)).collect();
        for (n, path) in paths.iter().enumerate() {
            sandbox.write(&format!("named/{path}"), "");
            sandbox.write(&format!("behind/{}/{path}", n / SHOWN), "");
            // It leads to itself and can not be looked at.
            let link = sandbox.path(&format!("faults/{}/{path}", n / SHOWN));
            std::fs::create_dir_all(link.parent().expect("a folder")).expect("folders can be made");
            symlink(&link, &link).expect("a link can be made");
        }
        let mut running = sandbox.watch("tripline.toml");
        running.says("following");
        let browser = Browser::open(&format!("http://{}/", running.admin()), 1280, 900);
        browser.shows("connected");
        // The page is there when they come.
        for (n, path) in paths.iter().enumerate() {
            sandbox.append(&format!("named/{path}"), format!("{n}\n"));
        }
        sandbox.append("app.log", lines(&texts));
        let all = 2 * texts.len();
        running.metric(r#"tripline_dead_letters{sink="hook"}"#, |n| n >= all as f64);
        running.metric(r#"tripline_alerts{rule="tripline_dead_letter",status="critical"}"#, |n| n == 1.0);
        running.metric(r#"tripline_outbox_deliveries{sink="hook"}"#, |n| n == 0.0);
        // Without its directory nothing can be committed, so that reading pauses and what is written waits.
        std::fs::remove_dir_all(sandbox.path("state")).expect("it is ours");
        sandbox.append("app.log", "more\n");
        running.metric(r#"tripline_alerts{rule="tripline_store_failed",status="critical"}"#, |n| n == 1.0);
        for (n, path) in paths.iter().enumerate() {
            sandbox.append(&format!("behind/{}/{path}", n / SHOWN), "unread\n");
        }
        for n in 0..texts.len() / SHOWN {
            let series = format!(r#"tripline_source_files_behind{{source="faults-{n}"}}"#);
            running.metric(&series, |n| n == SHOWN as f64);
        }
        World { texts, paths, browser, _running: running, _sandbox: sandbox, _peer: peer }
    }

    /// Shows a view with all that can be opened in it, and waits until these stand as text in what fits a selector.
    #[track_caller]
    fn look(&self, view: &str, selector: &str, wanted: &[String]) {
        let script = format!(
            "if (location.hash !== '#{view}') location.hash = '{view}'; {OPEN} \
             const text = [...document.querySelectorAll({})].map((one) => one.textContent).join('\\n'); \
             return {}.find((wanted) => !text.includes(wanted)) ?? null",
            json!(selector),
            json!(wanted)
        );
        let missing = |browser: &Browser| browser.script(&script);
        self.browser.wait_for(&format!("{} of {view}", missing(&self.browser)), |one| missing(one).is_null());
    }

    /// Has the playground try rules and lines.
    fn play(&self, rules: &str, lines: &str) {
        let typed = format!(
            "const typed = [{}, {}]; document.querySelectorAll('label.editor textarea').forEach((area, n) => {{ \
             area.value = typed[n]; area.dispatchEvent(new Event('input', {{ bubbles: true }})); }})",
            json!(rules),
            json!(lines)
        );
        self.browser.script(&typed);
    }

    /// What stands where once all has been told: a view, what fits in it, and the texts in there.
    fn places(&self) -> Vec<(&'static str, &'static str, Vec<String>)> {
        let each = |show: fn(&String) -> String, of: &[String]| of.iter().map(show).collect::<Vec<_>>();
        let texts = each(|text| shown(text), &self.texts);
        let paths = each(|path| shown(path), &self.paths);
        let escaped = each(|path| Untrusted(path).to_string(), &self.paths);
        // A peer's words have lost what hides.
        let refusals = each(|text| format!("400 {text}").trim().replace(is_hostile, " "), &self.texts);
        let last = vec![format!("r{}", self.texts.len() - 1)];
        vec![
            ("alerts", "#alerts-panel .what", texts.clone()),
            ("alerts", "#alerts-panel .what", paths),
            ("alerts", "#alerts-panel pre", texts.clone()),
            ("alerts", "#alerts-panel .description", each(|text| shown(&written(text)), &self.texts)),
            (
                "alerts",
                "#alerts-panel .labels",
                each(|text| format!("note={}", shown(&written(text))), &self.texts),
            ),
            ("alerts", "#problems", escaped.clone()),
            ("timeline", "#timeline-panel table", texts.clone()),
            ("rules", "#rules-panel", last),
            ("sources", "#sources-panel ul.problem", escaped.clone()),
            ("sources", "#sources-panel table.inner", escaped),
            ("sinks", "#sinks-panel .deliveries .text", texts),
            ("sinks", "#sinks-panel .deliveries .why", refusals),
            // It begins with an example.
            ("playground", ".results h2", vec!["Sent".to_owned()]),
        ]
    }

    /// Has the playground try a rule on all texts, and waits until it has.
    fn play_lines(&self) {
        self.play(RULE, &lines(&self.texts));
        let texts: Vec<String> = self.texts.iter().map(|text| shown(text)).collect();
        self.look("playground", ".tried .text", &texts);
        self.look("playground", ".sent .text", &texts);
    }

    /// Has the playground try rules with these names, none of which can be one.
    fn play_names(&self) {
        let named: Vec<String> = self.texts.iter().map(|text| RULE.replace("'a'", &toml(text))).collect();
        self.play(&named.concat(), "");
        // The beginning of what is wrong is said.
        let begins = self.texts.iter().map(|text| shown(&written(text).chars().take(60).collect::<String>()));
        self.look("playground", "#playground-panel .problem", &begins.collect::<Vec<_>>());
    }
}

/// A rule for the playground.
const RULE: &str = r"
[[rule]]
name = 'a'
source = 's'
match = '^(?<n>\d+) (?<what>.*)$'
by = ['what']
within = '1h'
warning = '>= 1'
max_raises = 'never'
summary = '{what}'
";

/// Waits until both pages are made of the same elements.
#[track_caller]
fn are_alike(hostile: &Browser, plain: &Browser) {
    let others = || {
        let (seen, expected) = (elements(hostile), elements(plain));
        let kinds: BTreeSet<&String> = seen.keys().chain(expected.keys()).collect();
        let other = kinds.into_iter().filter(|kind| seen.get(*kind) != expected.get(*kind));
        other
            .map(|kind| format!("{kind}: {:?}, {:?}", seen.get(kind), expected.get(kind)))
            .collect::<Vec<_>>()
    };
    hostile.wait_for(&format!("the same elements, not {:#?}", others()), |_| others().is_empty());
}

/// Opens what can be opened. What comes later is closed again.
const OPEN: &str = "document.querySelectorAll('details:not([open])').forEach((one) => { one.open = true; }); \
                    document.querySelectorAll('.opener[aria-expanded=false]').forEach((one) => one.click());";

/// Every kind of element with the names of its attributes, and how many there are, once all is open.
fn elements(browser: &Browser) -> BTreeMap<String, u64> {
    let count = "const seen = {}; for (const one of document.querySelectorAll('*')) { \
                 const kind = `${one.namespaceURI} ${one.localName} ${one.getAttributeNames().sort()}`; \
                 seen[kind] = (seen[kind] ?? 0) + 1; } return seen";
    serde_json::from_value(browser.script(&format!("{OPEN} {count}"))).expect("numbers by names")
}

/// Nothing has run, nothing leads anywhere but to the web, and nothing that the policy forbids was tried.
#[track_caller]
fn is_unharmed(browser: &Browser) {
    assert_eq!(browser.script("return window.mark ?? null"), Value::Null);
    let elsewhere = "return [...document.querySelectorAll('[href], [src]')].map((one) => one.href ?? one.src) \
                     .filter((to) => !/^https?:/.test(to))";
    assert_eq!(browser.script(elsewhere), json!([]));
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn two_hundred_texts_of_strangers_make_no_element_and_run_nothing_wherever_they_stand() {
    if !PROGRAMS.iter().all(|program| is_installed(program)) {
        return;
    }
    let hostile = World::of(payloads());
    let plain = World::of(payloads().iter().map(|text| harmless(text)).collect());
    for ((view, selector, texts), (.., plain_texts)) in hostile.places().iter().zip(plain.places()) {
        hostile.look(view, selector, texts);
        plain.look(view, selector, &plain_texts);
        are_alike(&hostile.browser, &plain.browser);
    }
    for play in [World::play_lines, World::play_names] {
        play(&hostile);
        play(&plain);
        are_alike(&hostile.browser, &plain.browser);
    }
    is_unharmed(&hostile.browser);
}

/// A host has one name, so it is all texts at once.
#[test]
fn the_name_of_the_host_is_text_whatever_it_is() {
    if !PROGRAMS.iter().all(|program| is_installed(program)) {
        return;
    }
    let open = |texts: &[String]| {
        let scope = texts.concat();
        let sandbox = Sandbox::new();
        sandbox.write("tripline.toml", format!("scope = {}\n{TO_STDOUT}", toml(&scope)));
        sandbox.write("rules/r.toml", DISK);
        sandbox.write("app.log", "");
        let mut running = sandbox.watch("tripline.toml");
        let browser = Browser::open(&format!("http://{}/", running.admin()), 1280, 900);
        browser.shows("all quiet");
        let named = browser.script("return [document.getElementById('scope').textContent, document.title]");
        let name = shown(&written(&scope));
        assert_eq!(named, json!([name, format!("(0) tripline {name}")]));
        (browser, running, sandbox)
    };
    let (hostile, ..) = &open(&payloads());
    let (plain, ..) = &open(&payloads().iter().map(|text| harmless(text)).collect::<Vec<_>>());
    are_alike(hostile, plain);
    is_unharmed(hostile);
}
