//! `kind = "change"`: what a match says of a change.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use super::super::diagnostic::{Problems, did_you_mean, listed, short};
use super::super::keys::rules::{ALERT_ONLY, CHANGE};
use super::super::pattern::Compiled;
use super::super::possible;
use super::super::template::{self, Names};
use super::super::walk::{Fields, Said, Value, parse, require, said};
use super::super::{Diagnostic, Text};
use super::Reader;
use super::captures::check_captured;
use super::links;
use super::never::Known;
use crate::model::ChangeStatus;
use crate::rule::{Change, StatusOf, Template};
use crate::scan::stamp;
use crate::settings::Sink;

/// What may stand in a key or a stamp: neither how far the change has come nor when.
const OF_ITS_LINE: usize = 9;

/// True if a rule speaks of changes. Says which of its keys mean nothing then, or mean nothing otherwise.
pub(super) fn check_kind(problems: &mut Problems<'_>, table: &DeTable<'_>) -> bool {
    let of_changes = table.get("kind").is_some_and(|kind| kind.get_ref().as_str() == Some("change"));
    for (name, _) in table.iter() {
        let (span, name) = (name.span(), name.get_ref().as_ref());
        if of_changes && ALERT_ONLY.contains(&name) {
            let title = format!("`{name}` means nothing with `kind = \"change\"`");
            let label = match name {
                "by" => "`change_key` says which change it is",
                "resolve" => "a change is ended by a line whose `change_status` says so",
                "active" | "mute" => "a change is told whenever it comes",
                _ => "a change has no number, no window and no end",
            };
            let help = match name {
                "active" | "mute" => {
                    "leave it out: nobody is called, and what was done at night explains alerts"
                }
                _ => "leave it out, or make a rule of its own of it",
            };
            problems.error("alert-only", span, title, label).help = Some(help.to_owned());
        } else if !of_changes && CHANGE.iter().any(|key| key.name == name) {
            let title = format!("`{name}` means nothing without `kind = \"change\"`");
            problems.error("change-only", span, title, "an alert has none").help =
                Some("add `kind = \"change\"`, or leave it out".to_owned());
        }
    }
    of_changes
}

/// Warns of each rule of which nobody is told: it speaks of changes, and none of the sinks it goes to takes them, or all
/// that it names only stand in for others.
pub(in crate::config) fn untold(texts: &[Text], sinks: &[Sink]) -> Vec<Diagnostic> {
    let stands_in = |name: &str| {
        let mut fallbacks = sinks.iter().filter_map(|sink| Some((sink, sink.fallback.as_ref()?)));
        fallbacks.find_map(|(sink, fallback)| (fallback.as_str() == name).then_some(&sink.of))
    };
    let is_taken = |named: &[Said<'_>]| {
        let mut told =
            sinks.iter().filter(|sink| sink.peer.takes_changes() && stands_in(sink.of.as_str()).is_none());
        told.any(|sink| match named {
            [] => !sink.peer.is_chosen(),
            named => named.iter().any(|said| said.text == sink.of.as_str()),
        })
    };
    let of_text = |text: &Text| {
        // What is wrong with it otherwise has been said.
        let document = parse(&mut Problems::new(&text.path, &text.text));
        let mut problems = Problems::new(&text.path, &text.text);
        let file = Fields { table: &document, defaults: None };
        let defaults = file.value("defaults").and_then(|value| value.get_ref().as_table());
        for (_, table) in file.tables("rule") {
            let fields = Fields { table, defaults };
            let named = fields.texts("sinks");
            if !fields.switch("enabled").unwrap_or(true) {
                continue;
            }
            if let Some(first) =
                named.first().filter(|_| named.iter().all(|said| stands_in(said.text).is_some()))
            {
                let title = "every sink that this rule names only stands in for another";
                let problem =
                    problems.warning("fallback-only", first.span.clone(), title, "told nothing by itself");
                problem.note = Some(
                    "a `fallback` is told only what another sink is owed while that one takes nothing"
                        .to_owned(),
                );
                let other = stands_in(first.text).map(|other| short(other.as_str()));
                problem.help = other.map(|other| format!("name `{other}`, for which it stands in"));
                continue;
            }
            let Some(kind) = fields.text("kind").filter(|kind| kind.text == "change") else { continue };
            if !is_taken(&named) {
                let title = "no sink takes what this rule says of changes";
                problems.warning("change-untold", kind.span, title, "nobody is told").help =
                    Some("add a `[[sink]]` of type \"stdout\"".to_owned());
            }
        }
        problems.finish()
    };
    texts.iter().flat_map(of_text).collect()
}

/// A table without the keys that only alerts have.
pub(super) fn without_alerts<'i>(table: &DeTable<'i>) -> DeTable<'i> {
    let kept = table.iter().filter(|(name, _)| !ALERT_ONLY.contains(&name.get_ref().as_ref()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Reader<'_, '_> {
    /// `None`: something is wrong, which has been said.
    pub(super) fn change(
        &self,
        problems: &mut Problems<'_>,
        matches: &[Compiled],
        names: &Names<'_>,
        set: &[&str],
    ) -> Option<Change> {
        let own = self.fields.own();
        for key in ["change_key", "change_status"] {
            require(problems, own.table, &self.header, key, "a rule with `kind = \"change\"`");
        }
        let of_its_line = Names { built_in: &names.built_in[..OF_ITS_LINE], ..*names };
        let errors = problems.errors();
        let text = |problems: &mut Problems<'_>, key: &str, names: Names<'_>| -> Option<Template> {
            own.text(key).map(|said| template::parse(problems, &said, names))
        };
        let key = text(problems, "change_key", of_its_line);
        let is_read = problems.errors() == errors;
        let [time, starts, ends] =
            ["change_time", "starts", "ends"].map(|key| text(problems, key, of_its_line));
        for key in ["change_time", "starts", "ends"] {
            let Some(said) = own.text(key).filter(|said| !said.text.contains('{')) else { continue };
            if stamp::find(said.text.trim().as_bytes()).is_none() {
                let title = format!("`{key}` is no time");
                problems.error("bad-stamp", said.span, title, "the same for every line, and no stamp").help =
                    Some("write a place for what a line says: `\"{start}\"`".to_owned());
            }
        }
        let link = own.text("link").map(|said| links::address(problems, &said, *names));
        let linked = own.texts("linked_changes");
        let linked_changes = linked.iter().map(|said| template::parse(problems, said, *names)).collect();
        if let Some(key) = key.as_ref().filter(|_| is_read) {
            self.check_key(problems, key);
        }
        let status = self.change_status(problems, matches, names, set);
        Some(Change { key: key?, status: status?, time, starts, ends, link, linked_changes })
    }

    /// All lines would speak of one change, for ever.
    fn check_key(&self, problems: &mut Problems<'_>, key: &Template) {
        let Some(said) = self.fields.own().text("change_key").filter(|_| key.is_constant()) else { return };
        let title = "`change_key` is the same for every line";
        problems.warning("constant-change-key", said.span, title, "no `{name}` tells changes apart").help =
            Some("capture what tells them apart, such as a version, a ticket or a day".to_owned());
    }

    fn change_status(
        &self,
        problems: &mut Problems<'_>,
        matches: &[Compiled],
        names: &Names<'_>,
        set: &[&str],
    ) -> Option<StatusOf> {
        let value = self.fields.own().value("change_status")?;
        let table = match value.get_ref() {
            DeValue::Table(table) => table,
            _ => return ChangeStatus::parse(said(value)?.text).map(StatusOf::Word),
        };
        // What is of another type has been said.
        if table.iter().any(|(_, words)| !words.get_ref().is_table() && !words.get_ref().is_str()) {
            return None;
        }
        let captured = names.captured;
        let capture_at = |name: &str| match captured.of_match(name, |_| None) {
            Some(crate::rule::Value::Capture(at)) => Some(at),
            _ => None,
        };
        let named: Vec<_> = table.iter().filter(|(_, words)| words.get_ref().is_table()).collect();
        let (capture, words) = match named.as_slice() {
            [] => (self.capture_of(problems, value, table, matches, set)?, table),
            [(name, words)] if table.len() == 1 => {
                let known = Said::new(name.get_ref(), name.span());
                if capture_at(known.text).is_none() {
                    let captures = captured.known_of_match()?;
                    let known = || captures.iter().map(|capture| &**capture);
                    let title = format!("no pattern of `match` captures `{}`", short(name.get_ref()));
                    let problem = problems.error("unknown-name", name.span(), title, "captured nowhere");
                    problem.help = did_you_mean(name.get_ref(), known());
                    problem.note =
                        (!captures.is_empty()).then(|| format!("the names are {}", listed(known())));
                    return None;
                }
                if !set.contains(&known.text) && !captured.is_only_field(known.text) {
                    check_captured(problems, &known, matches, &captured.note(known.text));
                }
                let groups = Known { matches, captured, set }.groups(known.text);
                let words = words.get_ref().as_table()?;
                for (word, _) in words.iter().filter(|(word, _)| !possible::can_be(&groups, word.get_ref())) {
                    let title = format!("`{}` is never `{}`", short(name.get_ref()), short(word.get_ref()));
                    let values: Option<Vec<BTreeSet<Vec<u8>>>> =
                        matches.iter().map(|one| possible::values(one, name.get_ref())).collect();
                    let values = values
                        .into_iter()
                        .flatten()
                        .flatten()
                        .filter_map(|value| String::from_utf8(value).ok());
                    let values: Vec<String> = values.collect();
                    problems
                        .warning("never-equal", word.span(), title, "no line makes a change by it")
                        .help = did_you_mean(word.get_ref(), values.iter().map(String::as_str));
                }
                (known.text, words)
            }
            _ => {
                let title = "`change_status` names more than one capture";
                problems.error("change-status-unclear", value.span(), title, "which of them decides?").help =
                    Some("leave one, as in `{ phase = { started = \"Processing\" } }`".to_owned());
                return None;
            }
        };
        if words.is_empty() {
            let title = "`change_status` is empty";
            problems.error("empty-table", value.span(), title, "no line would make a change");
            return None;
        }
        let capture = capture_at(capture)?;
        let pair = |(word, status): (&toml::Spanned<_>, Value<'_, '_>)| {
            let word: &std::borrow::Cow<'_, str> = word.get_ref();
            Some((Box::from(word.as_ref()), ChangeStatus::parse(status.get_ref().as_str()?)?))
        };
        let words: Option<BTreeMap<Box<str>, ChangeStatus>> = words.iter().map(pair).collect();
        Some(StatusOf::Capture(capture, words?))
    }

    /// The only capture that can be exactly the words of a table.
    fn capture_of<'m>(
        &self,
        problems: &mut Problems<'_>,
        value: Value<'_, '_>,
        table: &DeTable<'_>,
        matches: &'m [Compiled],
        set: &[&str],
    ) -> Option<&'m str> {
        let words: BTreeSet<Vec<u8>> =
            table.iter().map(|(word, _)| word.get_ref().as_bytes().to_vec()).collect();
        if words.is_empty() {
            let title = "`change_status` is empty";
            problems.error("empty-table", value.span(), title, "no line would make a change");
            return None;
        }
        let names: BTreeSet<&str> = matches.iter().flat_map(Compiled::names).collect();
        let fits = |name: &&str| {
            let of_each: Option<Vec<BTreeSet<Vec<u8>>>> =
                matches.iter().map(|m| possible::values(m, name)).collect();
            let is_all = |of_each: Vec<BTreeSet<Vec<u8>>>| {
                of_each.into_iter().flatten().collect::<BTreeSet<_>>() == words
            };
            !set.contains(name) && of_each.is_some_and(is_all)
        };
        let fitting: Vec<&str> = names.iter().copied().filter(fits).collect();
        if let [only] = fitting.as_slice() {
            return Some(only);
        }
        let title = "it is not clear which capture `change_status` looks at";
        let label = match fitting.as_slice() {
            [] => "no capture is an alternation of exactly these words".to_owned(),
            several => format!("{} are all alternations of these words", listed(several.iter().copied())),
        };
        // What tells changes apart hardly says how far they are.
        let key = self.fields.own().text("change_key").map_or("", |key| key.text);
        let other =
            matches.iter().flat_map(Compiled::names).find(|name| !key.contains(&format!("{{{name}}}")));
        let name = fitting.first().copied().or(other).unwrap_or("phase");
        let (word, status) = table.iter().next().map_or(("started", "Processing"), |(word, status)| {
            (word.get_ref().as_ref(), status.get_ref().as_str().unwrap_or("Processing"))
        });
        let (name, word, status) = (short(name), short(word), short(status));
        problems.error("change-status-unclear", value.span(), title, label).help =
            Some(format!("name the capture: `{{ {name} = {{ {word} = \"{status}\", … }} }}`"));
        None
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::{Severity, ruleset, settings};

    const DEPLOY: &str = r"match = 'deploy (?<app>\S+) (?<version>\S+) (?<phase>started|finished|failed)'";

    fn rule(lines: &str) -> Text {
        let text = format!("[[rule]]\nname = 'r'\nsource = 's'\nkind = 'change'\n{lines}\n");
        Text { path: "r.toml".into(), text }
    }

    /// One rule about changes, and the ids and places of what is wrong with it.
    fn check(lines: &str, expected: &[(&str, &str)]) {
        let text = rule(lines);
        let (found, problems) = ruleset(std::slice::from_ref(&text), None, &[], &TimeZone::UTC);
        let told: Vec<_> = problems.iter().map(|told| (told.id, &text.text[told.span.clone()])).collect();
        assert_eq!(told, expected, "{lines}\n{problems:#?}");
        assert_eq!(
            found.is_some(),
            problems.iter().all(|told| told.severity == Severity::Warning),
            "{lines}"
        );
    }

    /// The same with the patterns of a deployment and a key.
    fn check_deploy(lines: &str, expected: &[(&str, &str)]) {
        check(&format!("{DEPLOY}\nchange_key = '{{app}}-{{version}}'\n{lines}"), expected);
    }

    /// Which capture decides, and the words.
    fn status(lines: &str) -> (String, Vec<(String, &'static str)>) {
        let (found, problems) = ruleset(&[rule(lines)], None, &[], &TimeZone::UTC);
        let rule = &found.unwrap_or_else(|| panic!("{lines}: {problems:?}")).rules[0];
        match &rule.change.as_ref().unwrap().status {
            StatusOf::Word(status) => (String::new(), vec![(String::new(), status.as_str())]),
            StatusOf::Capture(capture, words) => {
                let words = words.iter().map(|(word, status)| (word.to_string(), status.as_str()));
                (rule.captures[*capture].to_string(), words.collect())
            }
        }
    }

    #[test]
    fn the_keys_of_a_change_are_checked() {
        let status = "change_status = 'Done'";
        check_deploy(status, &[]);
        check("match = 'x'", &[("missing-key", "[[rule]]"), ("missing-key", "[[rule]]")]);
        check_deploy("change_status = 'done'", &[("bad-choice", "'done'")]);
        check_deploy("change_status = 5", &[("wrong-type", "5")]);
        check_deploy("change_status = {}", &[("empty-table", "{}")]);
        check_deploy("change_status = { phase = {} }", &[("empty-table", "{ phase = {} }")]);
        let words = "change_status = { started = 'Begun', finished = 'Done', failed = 'Done' }";
        check_deploy(words, &[("bad-choice", "'Begun'")]);
        check_deploy("change_status = { phase = { started = 7 } }", &[("wrong-type", "7")]);
        check_deploy("change_status = { phase = ['Done'] }", &[("wrong-type", "['Done']")]);
        check_deploy(&format!("{status}\nlink = 'https://x/{{ap}}'"), &[("unknown-name", "ap")]);
        check_deploy(&format!("{status}\nlinked_changes = ['{{app}}', 5]"), &[("wrong-type", "5")]);
        check_deploy(&format!("{status}\nstarts = '{{status}}'"), &[("unknown-name", "status")]);
        check_deploy(&format!("{status}\nsummary = '{{status}} {{time}} {{line}} {{app}}'"), &[]);
        check_deploy(&format!("{status}\nsummary = '{{count}}'"), &[("unknown-name", "count")]);
        check(&format!("match = 'x'\nchange_key = 'all'\n{status}"), &[("constant-change-key", "'all'")]);
        check(&format!("match = 'x'\nchange_key = '{{time}}'\n{status}"), &[("unknown-name", "time")]);
    }

    #[test]
    fn what_only_alerts_have_is_refused_and_what_only_changes_have_too() {
        check_deploy(
            "change_status = 'Done'\nby = ['app']\nwithin = '5m'\nresolve = '('\nmeasure = 'p0'",
            &[
                ("alert-only", "by"),
                ("alert-only", "within"),
                ("alert-only", "resolve"),
                ("alert-only", "measure"),
            ],
        );
        let text =
            "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\nchange_key = '{line}'\nlink = 'https://x/'\n";
        let (_, problems) =
            ruleset(&[Text { path: "r".into(), text: text.into() }], None, &[], &TimeZone::UTC);
        let told: Vec<_> = problems.iter().map(|told| (told.id, &text[told.span.clone()])).collect();
        assert_eq!(told, [("change-only", "change_key"), ("change-only", "link")]);
    }

    #[test]
    fn defaults_that_only_alerts_have_do_not_reach_it() {
        let text = "[defaults]\nsource = 's'\nby = ['src_ip']\nfor = '5s'\nwarning = '>= 5'\nunless = 'gone'\n\
                    labels = { team = 'shop' }\n[[rule]]\nname = 'r'\nkind = 'change'\nmatch = '(?<v>x)'\n\
                    change_key = '{v}'\nchange_status = 'Done'\n";
        let (found, problems) =
            ruleset(&[Text { path: "r".into(), text: text.into() }], None, &[], &TimeZone::UTC);
        let rule = &found.unwrap_or_else(|| panic!("{problems:?}")).rules[0];
        assert!(rule.by.is_empty() && rule.unless.is_empty() && rule.labels.len() == 1, "{rule:?}");
    }

    #[test]
    fn a_table_of_words_finds_its_capture_where_there_is_only_one() {
        let words = "change_status = { started = 'Processing', finished = 'Done', failed = 'Canceled' }";
        let found = ["failed", "finished", "started"].map(str::to_owned).into_iter();
        let found: Vec<_> = found.zip(["Canceled", "Done", "Processing"]).collect();
        let key = "change_key = '{app}'";
        for (patterns, capture) in [
            (DEPLOY, "phase"),
            // In several patterns, and in one that has nothing of it.
            (
                "match = ['(?<app>a) (?<phase>started)', '(?<app>a) (?<phase>failed|finished)', '(?<app>b)']",
                "phase",
            ),
            ("match = '(?<app>\\S+) (?<how>(?:start|finish|fail)ed)'", "how"),
            ("match_all = ['(?<app>a)', '^x (?<phase>started|finished|failed)?$']", "phase"),
        ] {
            assert_eq!(status(&format!("{patterns}\n{key}\n{words}")), (capture.to_owned(), found.clone()));
        }
        for patterns in [
            "match = '(?<app>a) (?<phase>\\w+)'",
            "match = '(?<app>a) (?<phase>started|finished|failed|paused)'",
            "match = '(?<app>a) (?<phase>started|finished)'",
            "match = '(?<app>a) (?i)(?<phase>started|finished|failed)'",
            "match = '(?<app>a) (?<phase>started|finished|failed) (?<then>started|finished|failed)'",
            "match = '(?<app>a) (?<phase>started|finished|failed)'\nset = { phase = 'upper(phase)' }",
        ] {
            let table = words.split_once(" = ").unwrap().1;
            check(&format!("{patterns}\n{key}\n{words}"), &[("change-status-unclear", table)]);
        }
    }

    #[test]
    fn a_table_may_name_its_capture() {
        let of = |lines: &str| status(&format!("{DEPLOY}\nchange_key = '{{app}}'\n{lines}"));
        let done = || vec![("x".to_owned(), "Done")];
        assert_eq!(of("change_status = { version = { x = 'Done' } }"), ("version".to_owned(), done()));
        let made = "set = { how = 'lower(phase)' }\nchange_status = { how = { x = 'Done' } }";
        assert_eq!(of(made), ("how".to_owned(), done()));
        check_deploy("change_status = { phas = { x = 'Done' } }", &[("unknown-name", "phas")]);
        let two = "{ phase = { x = 'Done' }, app = { y = 'Done' } }";
        check_deploy(&format!("change_status = {two}"), &[("change-status-unclear", two)]);
        let mixed = "{ phase = { x = 'Done' }, y = 'Done' }";
        check_deploy(&format!("change_status = {mixed}"), &[("change-status-unclear", mixed)]);
        check(
            "match = ['(?<a>x)', '(?<b>y)']\nchange_key = '{line}'\nchange_status = { a = { x = 'Done' } }",
            &[("by-not-captured", "a")],
        );
    }

    #[test]
    fn no_rule_waits_for_the_alerts_of_a_change() {
        let change = rule("match = '(?<v>x)'\nchange_key = '{v}'\nchange_status = 'Done'").text;
        let text = format!("{change}[[rule]]\nname = 'a'\nsource = 's'\nmatch = 'x'\nunless = 'r'\n");
        let texts = [Text { path: "r".into(), text: text.clone() }];
        let (_, problems) = ruleset(&texts, None, &[], &TimeZone::UTC);
        let told: Vec<_> = problems.iter().map(|told| (told.id, &text[told.span.clone()])).collect();
        assert_eq!(told, [("no-alerts", "'r'")]);
    }

    #[test]
    fn a_rule_of_which_no_sink_is_told_is_warned_of() {
        let change = "match = '(?<v>x)'\nchange_key = '{v}'\nchange_status = 'Done'";
        let flashduty = "[[sink]]\nname = 'f'\ntype = 'flashduty'\nintegration_key_env = 'K'\n";
        let stdout = "[[sink]]\nname = 'o'\ntype = 'stdout'\n";
        let page = "[[sink]]\nname = 'p'\ntype = 'flashduty-status-page'\napp_key_env = 'K'\npage_id = 5\ncomponents = 'API'\n";
        let named = |sink: &str| rule(&format!("{change}\nsinks = '{sink}'"));
        let alerts = |lines: &str| {
            let text = format!("[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\n{lines}\n");
            Text { path: "r".into(), text }
        };
        let file = "[[sink]]\nname = 'e'\ntype = 'file'\npath = 'e.nd'\n";
        let fallback = format!(
            "{flashduty}fallback = 'o'\n{stdout}{file}{}fallback = 'e'\n",
            flashduty.replace("'f'", "'g'")
        );
        for (sinks, rule, expected) in [
            (flashduty.to_owned(), rule(change), Some("change-untold")),
            (format!("{flashduty}{stdout}"), rule(change), None),
            (String::new(), rule(change), None),
            // A status page hears of what names it.
            (page.to_owned(), rule(change), Some("change-untold")),
            (page.to_owned(), named("p"), None),
            (format!("{flashduty}{stdout}"), named("f"), Some("change-untold")),
            (flashduty.to_owned(), rule(&format!("{change}\nenabled = false")), None),
            // What stands in for another hears nothing by itself.
            (fallback.clone(), alerts("sinks = 'o'"), Some("fallback-only")),
            (fallback.clone(), alerts("sinks = ['o', 'e']"), Some("fallback-only")),
            (fallback.clone(), named("o"), Some("fallback-only")),
            (fallback.clone(), rule(change), Some("change-untold")),
            (fallback.clone(), alerts("sinks = ['o', 'f']"), None),
            (fallback.clone(), alerts(""), None),
            (fallback.clone(), alerts("sinks = 'o'\nenabled = false"), None),
            (format!("{flashduty}{stdout}"), alerts("sinks = 'o'"), None),
            (flashduty.to_owned(), Text { path: "r".into(), text: "[[rule]]\nname = 'r'\n".into() }, None),
        ] {
            let main = Text { path: "tripline.toml".into(), text: sinks.clone() };
            let settings = settings(&main, &TimeZone::UTC).0.unwrap();
            let told = untold(&[rule], &settings.sinks);
            assert_eq!(told.first().map(|told| told.id), expected, "{sinks}");
            assert!(told.iter().all(|told| told.severity == Severity::Warning));
        }
    }
}
