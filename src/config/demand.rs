//! What a line must hold at least so that the `where` of a rule can be true of its fields: patterns for a rule that has
//! no `match`, so that its lines are watched for as those of any rule.
//!
//! Nothing here decides: what a pattern lets pass is read, and held against `where` itself. Whatever may be written in
//! another way is let pass, above all escapes: every letter of a JSON text may be written as `\u0061`.

use std::collections::BTreeSet;
use std::sync::Arc;

use regex_syntax::ParserBuilder;

use crate::model::Format;
use crate::rule::{Condition, Filter, Number, Pattern, Value, Word};

/// Bytes that a pattern may take, compiled: it is a list of literals.
const MOST_COMPILED: usize = 1 << 20;
/// The most spellings that are worth watching for at once.
const MOST_SPELLINGS: usize = 64;

/// Texts of which one stands in every line of which something is true.
type Spellings = BTreeSet<String>;

/// What is known of a rule's captures.
struct Known<'a> {
    captures: &'a [Arc<str>],
    fields: &'a [usize],
    /// Captures that are made anew before `where` looks at them.
    made: &'a BTreeSet<usize>,
    formats: &'a BTreeSet<Format>,
}

/// One pattern, with others that have to fit too, that every line fits of which `filter` may be true. `made`: captures
/// that `set` makes anew; `formats`: those of the rule's sources.
pub(super) fn patterns(
    filter: Option<&Filter>,
    captures: &[Arc<str>],
    fields: &[usize],
    made: &BTreeSet<usize>,
    formats: &BTreeSet<Format>,
) -> Vec<Pattern> {
    let known = Known { captures, fields, made, formats };
    let demands = filter.map(|filter| known.demands(&filter.condition)).unwrap_or_default();
    let mut patterns: Vec<Pattern> =
        demands.iter().filter(|all| all.len() <= MOST_SPELLINGS).filter_map(one_of).collect();
    if patterns.is_empty() {
        patterns.extend(one_of(&Spellings::from([String::new()])));
    }
    let also = patterns.split_off(patterns.len().min(1));
    patterns.into_iter().map(|first| Pattern { also: also.clone(), ..first }).collect()
}

/// The pattern that fits where one of these stands.
fn one_of(spellings: &Spellings) -> Option<Pattern> {
    let text: Vec<String> = spellings.iter().map(|text| regex_syntax::escape(text)).collect();
    let text: Arc<str> = text.join("|").into();
    let hir = ParserBuilder::new().utf8(false).build().parse(&text).ok()?;
    let regex = Pattern::engine(&hir, MOST_COMPILED)?;
    Some(Pattern { text: text.clone(), expanded: text, hir, regex, slots: Vec::new(), also: Vec::new() })
}

impl Known<'_> {
    /// The name of a field that is compared as it stands in the line.
    fn field(&self, value: &Value) -> Option<&str> {
        let Value::Capture(at) = value else { return None };
        let is_field = self.fields.contains(at) && !self.made.contains(at);
        is_field.then(|| &*self.captures[*at])
    }

    /// Of each of these one stands in every line of which the condition is true.
    fn demands(&self, condition: &Condition<Value>) -> Vec<Spellings> {
        match condition {
            Condition::All(all) => all.iter().flat_map(|one| self.demands(one)).collect(),
            Condition::Any(all) => {
                let each = all.iter().map(|one| self.demands(one).into_iter().min_by_key(Spellings::len));
                let all: Option<Vec<Spellings>> = each.collect();
                all.map(|all| all.into_iter().flatten().collect()).into_iter().collect()
            }
            // Of what is not there nothing can be said as a number, neither that it is so nor that it is not.
            Condition::Not(inner) => match &**inner {
                Condition::Compared(..) | Condition::OneOfNumbers(..) => self.demands(inner),
                Condition::Not(inner) => self.demands(inner),
                _ => Vec::new(),
            },
            Condition::Compared(left, _, right) => {
                let sides = [left, right].into_iter();
                let named =
                    sides.filter_map(|side| if let Number::Of(name) = side { Some(name) } else { None });
                named.filter_map(|name| self.is_there(name)).collect()
            }
            Condition::OneOfNumbers(name, _) => self.is_there(name).into_iter().collect(),
            Condition::Same(Word::Of(name), Word::Is(text))
            | Condition::Same(Word::Is(text), Word::Of(name)) => {
                self.is(name, std::slice::from_ref(text)).into_iter().collect()
            }
            Condition::Same(..) => Vec::new(),
            Condition::OneOf(name, texts) => self.is(name, texts).into_iter().collect(),
            Condition::Fits(name, _, regex) => {
                let fits_nothing = regex.is_match(b"");
                self.is_there(name).filter(|_| !fits_nothing).into_iter().collect()
            }
        }
    }

    /// What stands in a line that has the field, with more than the empty text.
    fn is_there(&self, value: &Value) -> Option<Spellings> {
        let name = self.field(value)?;
        let spelled = |format: &Format| -> Option<Vec<String>> {
            match format {
                Format::Plain => None,
                Format::Logfmt => Some(vec![format!("{name}=")]),
                Format::Json => {
                    // The last key may lead there together with keys around it, or be all of the name.
                    let (outer, last) =
                        name.rsplit_once('.').map_or(("", name), |(outer, last)| (outer, last));
                    let is_place = !outer.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
                    if is_place || !is_literal(last) {
                        return None;
                    }
                    let open = if outer.is_empty() { "\"" } else { "" };
                    Some(vec![format!("{open}{last}\""), "\\u".to_owned()])
                }
            }
        };
        let all: Option<Vec<Vec<String>>> = self.formats.iter().map(spelled).collect();
        Some(all?.into_iter().flatten().collect())
    }

    /// What stands in a line whose field is one of these texts.
    fn is(&self, value: &Value, texts: &[Arc<str>]) -> Option<Spellings> {
        self.field(value)?;
        let quoted = self.formats.iter().all(|format| *format == Format::Json);
        let mut all = Spellings::from(["\\u".to_owned()]);
        for text in texts {
            let whole = is_literal(text) && !text.is_empty();
            // What JSON writes without quotes begins like this.
            let bare = text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
                || ["true", "false", "NaN", "Infinity"].contains(&&**text);
            // Characters that may be written with a backslash are left out.
            let longest = text.split(|c| !is_literal_char(c)).max_by_key(|piece| piece.len())?;
            if longest.is_empty() {
                return None;
            }
            all.insert(if whole && quoted && !bare { format!("\"{text}\"") } else { longest.to_owned() });
        }
        Some(all)
    }
}

/// True for a text that is written as it is, if nothing of it is written as `\u0061`.
fn is_literal(text: &str) -> bool {
    text.chars().all(is_literal_char)
}

fn is_literal_char(c: char) -> bool {
    !c.is_ascii_control() && !['"', '\\', '/'].contains(&c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Sources, Text, ruleset_probed};
    use crate::model::FileId;
    use crate::rule::{Rule, Ruleset};
    use crate::scan::{Block, Captures, Scanned, Scanner, Tail};

    /// A rule without `match`.
    fn rule(condition: &str, set: &str, format: Format) -> Rule {
        let text = format!(
            "[[rule]]\nname = 'r'\nsource = 's'\nwhere = '''{condition}'''\nset = {{ {set} }}\nby = ['x']"
        );
        let text = Text { path: "a".into(), text };
        let mut probe = crate::config::probe::Probe::none();
        let (ruleset, problems) = ruleset_probed(
            &[text],
            Sources::Any(&[format]),
            &crate::config::csv::Files::new(),
            &[],
            &jiff::tz::TimeZone::UTC,
            &mut probe,
        );
        let mut ruleset = ruleset.unwrap_or_else(|| panic!("{condition}: {problems:?}"));
        ruleset.rules.swap_remove(0)
    }

    fn check(condition: &str, format: Format, expected: &[&str]) {
        let rule = rule(condition, "", format);
        let patterns = rule.patterns.iter().flat_map(|first| std::iter::once(first).chain(&first.also));
        let texts: Vec<&str> = patterns.map(|pattern| &*pattern.text).collect();
        assert_eq!(texts, expected, "{condition}");
    }

    #[test]
    fn a_field_that_is_compared_has_to_stand_in_the_line() {
        check("status >= 500", Format::Json, &[r#""status"|\\u"#]);
        check("not status >= 500", Format::Json, &[r#""status"|\\u"#]);
        check("http.status in [500, 503]", Format::Json, &[r#"\\u|status""#]);
        check("took > 1s and http.status == 500", Format::Json, &[r#""took"|\\u"#, r#"\\u|status""#]);
        check("path =~ \"^/a\"", Format::Logfmt, &["path="]);
        check("took > other", Format::Logfmt, &["took=", "other="]);
    }

    #[test]
    fn a_text_that_a_field_has_to_be_stands_in_the_line() {
        check("level == \"error\"", Format::Json, &[r#""error"|\\u"#]);
        check("level == \"error\"", Format::Logfmt, &[r"\\u|error"]);
        check("level in [\"error\", \"fatal\"]", Format::Json, &[r#""error"|"fatal"|\\u"#]);
        check("ok == \"false\"", Format::Json, &[r"\\u|false"]);
        check("path == \"/api/checkout\"", Format::Json, &[r"\\u|checkout"]);
    }

    #[test]
    fn one_of_several_conditions_has_to_be_met() {
        check("level == \"error\" or status >= 500", Format::Json, &[r#""error"|"status"|\\u"#]);
        check("level == \"a\" or (b == \"c\" and d == \"e\")", Format::Json, &[r#""a"|"c"|\\u"#]);
    }

    #[test]
    fn where_nothing_has_to_stand_every_line_is_read() {
        for condition in [
            "level != \"error\"",
            "level == \"\"",
            "level in [\"error\", \"\"]",
            "not level =~ \"x\"",
            "level =~ \"x?\"",
            "level == \"error\" or other != \"x\"",
            "list.0 > 5",
            "path == \"/\"",
            "line =~ \"x\"",
        ] {
            check(condition, Format::Json, &[""]);
        }
        let made = rule("level == \"error\"", "level = 'lower(level)'", Format::Json);
        assert_eq!(&*made.patterns[0].text, "");
    }

    /// The lines that a rule finds and of which its `where` is true.
    fn true_of(rule: Rule, text: &str, format: Format) -> Vec<String> {
        let ruleset = Ruleset { rules: vec![rule] };
        let mut scanned = Scanned::default();
        let bytes = text.as_bytes();
        let block = Block { file: FileId(1), offset: 0, bytes, skipping: false, tail: Tail::Wait };
        Scanner::structured(&ruleset, |_| true, 4096, format).scan(block, &mut scanned);
        let filter = ruleset.rules[0].filter.as_ref().expect("a condition");
        let holds = |captures: Captures<'_>| {
            filter.condition.holds(&|value| match value {
                Value::Capture(at) => captures.get(*at).unwrap_or_default(),
                _ => b"",
            })
        };
        let found = scanned.matches(bytes).filter(|found| holds(found.captures) == Ok(true));
        found.map(|found| String::from_utf8_lossy(found.line).into_owned()).collect()
    }

    fn any_condition() -> impl Strategy<Value = String> {
        let leaf = (
            proptest::sample::select(vec!["x", "x.y", "`x y`", "`é/`", "`l.0`"]),
            proptest::sample::select(vec![
                ">= 5",
                "== 5",
                "!= 5",
                "in [5, 7]",
                "== \"error\"",
                "!= \"error\"",
                "== \"\"",
                "in [\"error\", \"a/b\"]",
                "not in [\"5\"]",
                "== \"5\"",
                "== \"true\"",
                "== \"a/b\"",
                "== \"é\"",
                "=~ \"^e\"",
                "=~ \"e*\"",
                "!~ \"e\"",
            ]),
        )
            .prop_map(|(name, rest)| format!("{name} {rest}"));
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} and {other})")),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} or {other})")),
                inner.prop_map(|one| format!("not ({one})")),
            ]
        })
    }

    fn any_lines(format: Format) -> impl Strategy<Value = String> {
        let (keys, values, join) = if format == Format::Json {
            (
                vec![
                    r#""x""#,
                    r#""x.y""#,
                    r#""x":{"y""#,
                    r#""x y""#,
                    r#""é\/""#,
                    r#""é/""#,
                    r#""\u0078""#,
                    r#""l":{"0""#,
                ],
                vec![
                    "5",
                    "\"5\"",
                    "7.0",
                    "true",
                    "null",
                    r#""error""#,
                    r#""\u0065rror""#,
                    r#""a/b""#,
                    r#""a\/b""#,
                    r#""é""#,
                ],
                ",",
            )
        } else {
            (
                vec!["x", "x.y", "é/", "l.0", "y"],
                vec!["5", "\"5\"", "7.0", "", "error", r#""\u0065rror""#, "a/b", r#""a\/b""#, "\"é\""],
                " ",
            )
        };
        let pair = (proptest::sample::select(keys), proptest::sample::select(values)).prop_map(
            move |(key, value)| {
                let (sign, close) =
                    if format == Format::Json { (":", key.matches('{').count()) } else { ("=", 0) };
                format!("{key}{sign}{value}{}", "}".repeat(close))
            },
        );
        let line = proptest::collection::vec(pair, 0..4).prop_map(move |pairs| {
            let pairs = pairs.join(join);
            if format == Format::Json { format!("{{{pairs}}}\n") } else { pairs + "\n" }
        });
        proptest::collection::vec(line, 1..6).prop_map(|lines| lines.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(500), ..ProptestConfig::default() })]
        #[test]
        fn whatever_a_condition_is_true_of_is_let_pass(
            condition in any_condition(),
            (format, text) in proptest::sample::select(vec![Format::Json, Format::Logfmt])
                .prop_flat_map(|format| (Just(format), any_lines(format))),
        ) {
            let quick = rule(&condition, "", format);
            let mut plain = quick.clone();
            plain.patterns = one_of(&Spellings::from([String::new()])).into_iter().collect();
            let expected = true_of(plain, &text, format);
            prop_assert_eq!(true_of(quick, &text, format), expected, "{} {}", condition, text);
        }
    }
}
