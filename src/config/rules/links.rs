//! Links of a rule, and how many lines it keeps.

use toml::de::DeValue;

use super::super::diagnostic::{Problems, short};
use super::super::template::{self, Names};
use super::super::walk::{Fields, Said, few_lines, said};
use super::Reader;
use crate::rule::{AddressTemplate, LinesKept, LinkTemplate, Segment, Template};
use crate::untrusted::is_hostile;

/// Most links of a rule.
pub(in super::super) const MOST_LINKS: usize = 10;
/// Most bytes of an address as it is written, places included.
const ADDRESS: usize = 1024;
/// Most characters of what a link is called, as it is written.
const WORDS: usize = 255;

impl Reader<'_, '_> {
    pub(super) fn links(&self, problems: &mut Problems<'_>, names: Names<'_>) -> Vec<LinkTemplate> {
        let list = self.fields.value("links").and_then(|value| value.get_ref().as_array());
        let mut links = Vec::new();
        for item in list.into_iter().flat_map(|list| list.iter()) {
            let (href, text) = match item.get_ref() {
                DeValue::Table(table) => {
                    let fields = Fields { table, defaults: None };
                    (fields.text("href"), fields.text("text"))
                }
                _ => (said(item), None),
            };
            let text = text.map(|text| {
                if text.text.chars().count() > WORDS {
                    let label = format!("at most {WORDS} characters");
                    problems.error("out-of-range", text.span.clone(), "a link's `text` is too long", label);
                }
                template::parse_line(problems, &text, names)
            });
            if let Some(said) = href {
                links.push(LinkTemplate { href: address(problems, &said, names), text });
            }
        }
        links
    }

    pub(super) fn lines_kept(&self) -> LinesKept {
        let default = LinesKept::default();
        let Some(value) = self.fields.value("lines_kept") else { return default };
        match value.get_ref() {
            DeValue::Table(table) => {
                let of = |key: &str| table.get(key).and_then(few_lines);
                LinesKept {
                    first: of("first").unwrap_or(default.first),
                    last: of("last").unwrap_or(default.last),
                }
            }
            _ => few_lines(value).map_or(default, |lines| LinesKept { first: lines, last: lines }),
        }
    }
}

/// Reads an address of the web, and says what is wrong with it.
pub(super) fn address(problems: &mut Problems<'_>, said: &Said<'_>, names: Names<'_>) -> AddressTemplate {
    let errors = problems.errors();
    let address = template::parse_line(problems, said, names);
    if problems.errors() == errors {
        check_address(problems, said, &address);
    }
    AddressTemplate(address)
}

/// Says what is wrong with an address: where it leads is the author's to say and never a line's.
fn check_address(problems: &mut Problems<'_>, said: &Said<'_>, href: &Template) {
    if said.text.len() > ADDRESS {
        let label = format!("at most {ADDRESS} bytes");
        problems.error("out-of-range", said.span.clone(), "an address is too long", label);
        return;
    }
    let begin = match href.0.first() {
        Some(Segment::Text(text)) => &**text,
        _ => "",
    };
    let scheme = ["https://", "http://"].into_iter().find(|scheme| begin.starts_with(scheme));
    let Some(scheme) = scheme else {
        let title = format!("`{}` is not an address of the web", short(said.text));
        problems
            .error("bad-link", said.span.clone(), title, "does not begin with `https://` or `http://`")
            .help = Some("places may stand behind the host: `https://wiki.example.com/{name}`".to_owned());
        return;
    };
    let behind = &begin[scheme.len()..];
    let end = behind.find(['/', '?', '#']);
    if end.is_none() && href.0.len() > 1 {
        // Braces that stand before it would be in the text of the host.
        let at = said.text.find('{').unwrap_or(0);
        let close = said.text[at..].find('}').map_or(said.text.len(), |length| at + length + 1);
        let span = said.place(problems, &(at..close));
        let title = "the host of an address cannot come from a line";
        problems.error("bad-link", span, title, "a place in the host").help =
            Some("places may stand behind the host: `https://wiki.example.com/{name}`".to_owned());
        return;
    }
    let host = &behind[..end.unwrap_or(behind.len())];
    let is_part = |c: char| c.is_alphanumeric() || "-_.:[]".contains(c);
    if host.is_empty() || !host.chars().all(is_part) {
        let title = format!("`{}` is not an address of the web", short(said.text));
        problems.error("bad-link", said.span.clone(), title, format!("`{}` is not a host", short(host)));
        return;
    }
    let breaks = |c: char| c.is_whitespace() || is_hostile(c) || "<>\"\\^`".contains(c);
    let constant = href.0.iter().filter_map(|segment| match segment {
        Segment::Text(text) => Some(text),
        Segment::Value(_) => None,
    });
    if let Some(wrong) = constant.flat_map(|text| text.chars()).find(|c| breaks(*c)) {
        let title = format!("`{}` is not an address of the web", short(said.text));
        let label = format!("holds `{}`", short(&wrong.to_string()));
        problems.error("bad-link", said.span.clone(), title, label).help =
            Some("write it percent-encoded: `%20` for a blank".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use crate::config::{Text, ruleset};
    use crate::rule::{LinesKept, Rule, Segment, Value};

    fn read(lines: &str) -> (Option<Rule>, Vec<(&'static str, String)>) {
        let text = format!("[[rule]]\nname = 'r'\nsource = 's'\nmatch = '(?<a>x)'\n{lines}\n");
        let file = Text { path: "r.toml".into(), text: text.clone() };
        let (found, problems) = ruleset(&[file], None, &[], &TimeZone::UTC);
        let told =
            problems.iter().map(|problem| (problem.id, text[problem.span.clone()].to_owned())).collect();
        (found.map(|mut found| found.rules.swap_remove(0)), told)
    }

    fn check_wrong(lines: &str, expected: &[(&str, &str)]) {
        let (found, told) = read(lines);
        let told: Vec<(&str, &str)> = told.iter().map(|(id, place)| (*id, place.as_str())).collect();
        assert_eq!(told, expected, "{lines}");
        assert!(found.is_none(), "{lines}");
    }

    fn good(lines: &str) -> Rule {
        let (found, told) = read(lines);
        found.unwrap_or_else(|| panic!("{lines}: {told:?}"))
    }

    #[test]
    fn a_link_leads_where_its_author_says_whatever_a_line_says() {
        for lines in [
            "links = ['http://localhost:8080/{a}', { href = 'https://[::1]/?q={a}#{a}', text = '{a} of {lines}' }]",
            "links = [{ href = 'https://wiki.example.com' }, 'https://münchen.example?{a}']",
            "links = []",
        ] {
            good(lines);
        }
        let bad = |href: &str, place: &str| {
            check_wrong(&format!("links = ['{href}']"), &[("bad-link", place)]);
        };
        for href in [
            "wiki/x",
            "",
            "{a}",
            "{a}://x/",
            "ftp://x/",
            "javascript:{a}",
            "https:/x",
            "https://",
            "https:///{a}",
        ] {
            bad(href, &format!("'{href}'"));
        }
        bad("https://{a}/x", "{a}");
        bad("https://{a}", "{a}");
        bad("https://x{a}.example/", "{a}");
        bad("https://x.example:{a}/", "{a}");
        for href in [
            "https://x.example@evil/",
            "https://a b/",
            "https://x/a b",
            "https://x\\\\evil/{a}",
            "https://x/{{",
        ] {
            let (found, told) = read(&format!("links = [\"{href}\"]"));
            // A brace is nothing that breaks an address.
            assert_eq!(found.is_some(), href.ends_with("{{"), "{href}: {told:?}");
        }
    }

    #[test]
    fn wherever_an_address_stands_it_is_one_of_the_web_and_its_authors() {
        let change = "kind = 'change'\nchange_key = '{a}'\nchange_status = 'Done'\nlink = ";
        for key in ["runbook = ", "images = [SAID]", "images = [{ src = 'https://x/', href = SAID }]", change]
        {
            let lines = |said: &str| match key.contains("SAID") {
                true => key.replace("SAID", said),
                false => format!("{key}{said}"),
            };
            good(&lines("'https://x.example/{a}?b={a}'"));
            check_wrong(&lines("'{a}'"), &[("bad-link", "'{a}'")]);
            check_wrong(&lines("'https://{a}/x'"), &[("bad-link", "{a}")]);
            check_wrong(&lines("'javascript:alert(1)'"), &[("bad-link", "'javascript:alert(1)'")]);
        }
    }

    #[test]
    fn links_are_few_and_short() {
        let many = |n: usize| format!("links = [{}]", "'https://x/',".repeat(n));
        good(&many(10));
        check_wrong(&many(11), &[("out-of-range", &many(11)["links = ".len()..])]);
        let long = format!("'https://x/{}'", "a".repeat(1020));
        check_wrong(&format!("links = [{long}]"), &[("out-of-range", &long)]);
        let long = format!("'{}'", "a".repeat(256));
        check_wrong(
            &format!("links = [{{ href = 'https://x/', text = {long} }}]"),
            &[("out-of-range", &long)],
        );
        check_wrong("links = 'https://x/'", &[("wrong-type", "'https://x/'")]);
        check_wrong("links = [5, { text = 'x' }]", &[("wrong-type", "5"), ("missing-key", "{ text = 'x' }")]);
        check_wrong(
            "links = [{ href = 'https://x/{b}', txt = 'x' }]",
            &[("unknown-name", "b"), ("unknown-key", "txt")],
        );
    }

    #[test]
    fn so_many_lines_are_kept_of_each_end() {
        let check = |lines: &str, first: usize, last: usize| {
            assert_eq!(good(lines).lines_kept, LinesKept { first, last }, "{lines}");
        };
        check("", 5, 5);
        check("lines_kept = 0", 0, 0);
        check("lines_kept = 20", 20, 20);
        check("lines_kept = { last = 0 }", 5, 0);
        check("lines_kept = { first = 1, last = 2 }", 1, 2);
        check_wrong("lines_kept = 21", &[("out-of-range", "21")]);
        check_wrong("lines_kept = -1", &[("out-of-range", "-1")]);
        check_wrong(
            "lines_kept = { first = 21, lst = 1 }",
            &[("out-of-range", "21"), ("unknown-key", "lst")],
        );
        check_wrong("lines_kept = '5'", &[("wrong-type", "'5'")]);
        let change = "kind = 'change'\nchange_key = '{a}'\nchange_status = 'Done'\nlines_kept = 5";
        check_wrong(change, &[("alert-only", "lines_kept")]);
    }

    #[test]
    fn lines_are_lines_in_a_description_and_a_number_where_one_line_is_wanted() {
        let rule = good("summary = '{lines}'\ndescription = '{lines}'\nrunbook = 'https://x/{lines}'");
        let only = |value: Value| vec![Segment::Value(value)];
        assert_eq!(rule.description.0, only(Value::Lines));
        assert_eq!(rule.summary.0, only(Value::Count));
        assert_eq!(rule.runbook.expect("it is written").0.0[1..], only(Value::Count));
        assert_eq!(good("").description.0, only(Value::Lines));
    }
}
