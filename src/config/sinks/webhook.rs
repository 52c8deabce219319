//! `type = "webhook"`.

use std::ops::Range;
use std::time::Duration;

use secrecy::SecretString;
use toml::de::DeValue;

use super::super::diagnostic::{Problems, did_you_mean, listed, short};
use super::super::keys::sinks::BATCH;
use super::super::template::{self, IN_A_BODY, Piece as Written};
use super::super::walk::{Fields, Said, Value, check, is_identifier, missing, said};
use super::Reading;
use super::address::Form as Address;
use super::secret::Asked;
use crate::model::SinkName;
use crate::settings::{Batch, Body, Form, Peer, Piece, SecretFrom, Webhook};

const FORM: Address = Address {
    key: "url",
    example: "https://alerts.example.com/hook",
    or: "",
    parameter: None,
    carries: "alerts",
};

const URL: Asked = Asked {
    key: "url",
    env: "url_env",
    file: "url_file",
    called: "address",
    example: "HOOK_URL",
    danger: "a token in it can be read by whoever reads this file",
};

const TOKEN: Asked = Asked {
    key: "token",
    env: "token_env",
    file: "token_file",
    called: "token",
    example: "HOOK_TOKEN",
    danger: "whoever reads this file can send in our name",
};

const PASSWORD: Asked =
    Asked { key: "password", env: "password_env", file: "password_file", called: "password", ..TOKEN };

const SECRET: Asked = Asked {
    key: "secret",
    env: "secret_env",
    file: "secret_file",
    called: "secret to sign with",
    example: "HOOK_SECRET",
    danger: "whoever reads this file can sign in our name",
};

const OLD_SECRET: Asked = Asked {
    key: "old_secret",
    env: "old_secret_env",
    file: "old_secret_file",
    called: "secret that is given up",
    ..SECRET
};

/// Headers that are tripline's own business, or that of the connection.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// How long an alert may wait for others.
const LONGEST_BATCH: Duration = Duration::from_secs(5 * 60);

pub(super) fn read(reading: &mut Reading<'_, '_, '_, '_>) -> Option<Peer> {
    let fields = reading.fields;
    reading.not_blank(&["token_header", "token_scheme", "username", "body_file"]);
    let has_address = address(reading);
    let headers = headers(reading);
    let token_header =
        fields.text("token_header").map_or("Authorization", |said| said.text).to_ascii_lowercase();
    if let Some(said) = fields.text("token_header").filter(|said| !is_token(said.text)) {
        let title = format!("`{}` is not the name of a header", short(said.text));
        reading.problems.error("bad-header", said.span, title, "letters, digits and `-`");
    }
    let scheme = match fields.text("token_scheme") {
        Some(said) => Some(said.text.to_owned()),
        None => (token_header == "authorization").then(|| "Bearer".to_owned()),
    };
    let has_token = reading.secret(TOKEN, None, false);
    let username = fields.text("username").map(|said| said.text.to_owned());
    let has_password = reading.secret(PASSWORD, None, username.is_some());
    if has_password && username.is_none() {
        missing(reading.problems, reading.header, "username", "a webhook sink with a password");
    }
    if has_token && username.is_some() && token_header == "authorization" {
        let span = fields.key_span("username", reading.header);
        let title = "a sink has a token and a password in one header";
        reading.problems.error("conflict", span, title, "leave one of them out");
    }
    let signs = reading.secret(SECRET, None, false);
    if reading.secret(OLD_SECRET, None, false) && !signs {
        let header = reading.header;
        missing(reading.problems, header, "secret_env", "a webhook sink with an old secret");
    }
    let batch = fields.value("batch").and_then(|value| value.get_ref().as_table()).map(|table| {
        check(reading.problems, table, "`batch`", &[BATCH], &[]);
        let fields = Fields { table, defaults: None };
        if let Some(said) = fields.text("time").filter(|_| fields.duration("time") > Some(LONGEST_BATCH)) {
            let title = "`time` is out of range";
            reading.problems.error(
                "out-of-range",
                said.span,
                title,
                "takes at most `5m`: alerts wait for so long",
            );
        }
        Batch {
            count: fields.count("count").unwrap_or(100),
            bytes: fields.size("bytes").unwrap_or(256 * 1024),
            time: fields.duration("time").unwrap_or(Duration::from_secs(1)),
        }
    });
    let webhook = Webhook {
        receiver: SinkName::new(fields.text("name").map_or("", |name| name.text)),
        method: if fields.text("method").is_some_and(|said| said.text == "PUT") { "PUT" } else { "POST" },
        headers,
        token: (token_header, scheme),
        username,
        body: body(reading),
        success: fields.codes("success"),
        batch,
        rate: fields.rate("rate").unwrap_or(Some((10, Duration::from_secs(1)))),
    };
    has_address.then_some(Peer::Webhook(webhook))
}

/// Finds out where the address comes from. One that stands in the configuration is no mistake: many hold no secret.
fn address(reading: &mut Reading<'_, '_, '_, '_>) -> bool {
    let fields = reading.fields;
    let elsewhere = fields.value("url_env").is_some() || fields.value("url_file").is_some();
    match fields.text("url") {
        Some(said) if !elsewhere => {
            reading.not_blank(&["url"]);
            let Some(address) = reading.address(&said, FORM) else { return false };
            reading.secrets.push(("url", SecretFrom::Inline(SecretString::from(address.url))));
            true
        }
        // Of another type; that has been said.
        None if fields.value("url").is_some() && !elsewhere => false,
        _ => reading.secret(URL, None, true),
    }
}

/// A token of RFC 9110, section 5.6.2, as far as anybody names a header so.
fn is_token(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn headers(reading: &mut Reading<'_, '_, '_, '_>) -> Vec<(String, String)> {
    let table = reading.fields.value("headers").and_then(|value| value.get_ref().as_table());
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in table.into_iter().flat_map(|table| table.iter()) {
        let (span, lower) = (name.span(), name.get_ref().to_ascii_lowercase());
        let problems = &mut *reading.problems;
        let shown = short(name.get_ref());
        if !is_token(&lower) {
            let title = format!("`{shown}` is not the name of a header");
            problems.error("bad-header", span, title, "letters, digits and `-`");
        } else if RESERVED.contains(&&*lower) {
            let title = format!("the header `{shown}` is set by tripline");
            problems.error("bad-header", span, title, "leave it out");
        } else if headers.iter().any(|(known, _)| *known == lower) {
            let title = format!("the header `{shown}` is there twice");
            problems.error("bad-header", span, title, "given again, in other letters");
        } else if ["auth", "cookie", "key", "password", "secret", "token"]
            .iter()
            .any(|word| lower.contains(word))
        {
            let title = format!("the header `{shown}` stands in the configuration");
            problems
                .warning("inline-secret", span, title, "whoever reads this file can send in our name")
                .help = Some("use `token_env` or `token_file`, and `token_header`".to_owned());
        }
        let Some(value) = said(value) else { continue };
        if value.text.is_empty() || !value.text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            let title = format!("the header `{shown}` cannot be sent");
            problems.error("bad-header", value.span, title, "printable ASCII, and not empty");
        } else {
            headers.push((lower, value.text.to_owned()));
        }
    }
    headers
}

fn body(reading: &mut Reading<'_, '_, '_, '_>) -> Body {
    let fields = reading.fields;
    let given: Vec<&str> =
        ["preset", "body", "body_file"].into_iter().filter(|key| fields.value(key).is_some()).collect();
    if let [first, second, ..] = given.as_slice() {
        let span = fields.key_span(second, reading.header);
        let title = format!("a sink has a `{first}` and a `{second}`");
        reading.problems.error("conflict", span, title, "leave one of them out");
    }
    if let Some(value) = fields.value("body") {
        return Body::Own(form(reading.problems, value));
    }
    if let Some(said) = fields.text("body_file") {
        return Body::Own(file(reading, &said));
    }
    match fields.text("preset").map(|said| said.text) {
        Some("alertmanager") => Body::Alertmanager,
        Some("cloudevents") => Body::CloudEvents,
        _ => Body::Tripline,
    }
}

/// The form that stands in a JSON file.
fn file(reading: &mut Reading<'_, '_, '_, '_>, said: &Said<'_>) -> Form {
    let nothing = Form::Constant(serde_json::Value::Null);
    let path = reading.base.join(said.text);
    let text = match reading.bodies.get(&path) {
        Some(Ok(text)) => text,
        Some(Err(why)) => {
            reading.problems.error("unreadable", said.span.clone(), why.clone(), "can not be read");
            return nothing;
        }
        None => {
            let title = format!("`{}` was not read", short(said.text));
            reading.problems.error("unreadable", said.span.clone(), title, "can not be read");
            return nothing;
        }
    };
    let mut inner = Problems::new(&path, text);
    let form = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => json_form(&mut inner, &literals(text), &value),
        Err(error) => {
            let before: usize =
                text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
            let at = text.floor_char_boundary(before + error.column().saturating_sub(1));
            let words = error.to_string();
            let label = words.split(" at line ").next().unwrap_or_default().to_owned();
            let title = format!("`{}` is not JSON", short(said.text));
            inner.error("bad-json", at..text.ceil_char_boundary(at + 1), title, label);
            nothing
        }
    };
    reading.others.extend(inner.finish());
    form
}

/// Every string of a JSON text, with its place.
fn literals(text: &str) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find('"').map(|offset| at + offset) {
        let mut end = start + 1;
        let mut bytes = text.as_bytes()[end..].iter();
        while let Some(byte) = bytes.next() {
            end += 1;
            match byte {
                b'\\' => end += usize::from(bytes.next().is_some()),
                b'"' => break,
                _ => {}
            }
        }
        if let Ok(decoded) = serde_json::from_str(&text[start..end]) {
            found.push((decoded, start..end));
        }
        at = end;
    }
    found
}

fn json_form(
    problems: &mut Problems<'_>,
    literals: &[(String, Range<usize>)],
    value: &serde_json::Value,
) -> Form {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Form::Constant(value.clone()),
        // Where the same text stands twice, the same is said of it.
        Value::String(said) => {
            let place =
                literals.iter().find(|(known, _)| known == said).map_or(0..0, |(_, place)| place.clone());
            text(problems, &Said::new(said, place))
        }
        Value::Array(list) => {
            Form::List(list.iter().map(|item| json_form(problems, literals, item)).collect())
        }
        Value::Object(table) => {
            let fields =
                table.iter().map(|(name, value)| (name.clone(), json_form(problems, literals, value)));
            Form::Table(fields.collect())
        }
    }
}

fn form(problems: &mut Problems<'_>, value: Value<'_, '_>) -> Form {
    match value.get_ref() {
        DeValue::String(_) => said(value).map_or(Form::Text(Vec::new()), |said| text(problems, &said)),
        DeValue::Array(list) => Form::List(list.iter().map(|item| form(problems, item)).collect()),
        DeValue::Table(table) => {
            let fields =
                table.iter().map(|(name, value)| (name.get_ref().to_string(), form(problems, value)));
            Form::Table(fields.collect())
        }
        DeValue::Boolean(switch) => Form::Constant((*switch).into()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Form::Constant(number.into()),
            Err(_) => wrong(problems, value, "out-of-range", "a number of `body` is out of range"),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Form::Constant(number.into()),
            _ => wrong(problems, value, "out-of-range", "a number of `body` is out of range"),
        },
        DeValue::Datetime(_) => wrong(problems, value, "wrong-type", "a value of `body` is none of JSON"),
    }
}

fn wrong(problems: &mut Problems<'_>, value: Value<'_, '_>, id: &'static str, title: &str) -> Form {
    problems.error(id, value.span(), title, "write it as a text, in quotes");
    Form::Constant(serde_json::Value::Null)
}

fn text(problems: &mut Problems<'_>, said: &Said<'_>) -> Form {
    let written = template::pieces(problems, said);
    let alone = written.len() == 1;
    let mut pieces = Vec::new();
    for piece in written {
        let at = match piece {
            Written::Text(text) => {
                pieces.push(Piece::Text(text));
                continue;
            }
            Written::Place(at) => at,
        };
        let name = &said.text[at.clone()];
        match name {
            "labels" if alone => return Form::Labels,
            "all" if alone => return Form::All,
            "labels" | "all" => {
                let span = said.place(problems, &at);
                let title = format!("`{{{name}}}` is a table and can not stand inside of a text");
                problems.error("bad-template", span, title, "more stands beside it").help =
                    Some(format!("let it be the whole text: `\"{{{name}}}\"`"));
            }
            _ => match named(name) {
                Some(piece) => pieces.push(piece),
                None => unknown(problems, said, at),
            },
        }
    }
    Form::Text(pieces)
}

fn named(name: &str) -> Option<Piece> {
    match name.strip_prefix("label.") {
        Some(label) => is_identifier(label).then(|| Piece::Label(label.to_owned())),
        None => IN_A_BODY.iter().find(|(known, ..)| *known == name).map(|(_, place, _)| Piece::Place(*place)),
    }
}

fn unknown(problems: &mut Problems<'_>, said: &Said<'_>, at: Range<usize>) {
    let name = &said.text[at.clone()];
    let known = || IN_A_BODY.iter().map(|(known, ..)| *known).chain(["label.NAME", "labels", "all"]);
    let span = said.place(problems, &if at.is_empty() { at.start - 1..at.end + 1 } else { at });
    let title = format!("`{{{}}}` is not known", short(name));
    let problem = problems.error("unknown-name", span, title, "nothing that is said has this name");
    problem.note = Some(format!("the names are {}", listed(known())));
    problem.help = did_you_mean(name, known());
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::tests::{check, peer, sink};
    use super::*;
    use crate::settings::Place;

    const URL: &str = "type='webhook'\nurl='https://h.example.com/hook?team=db'\n";

    fn webhook(lines: &str) -> Webhook {
        let Peer::Webhook(webhook) = peer(&format!("{URL}{lines}")) else { panic!("another peer") };
        webhook
    }

    fn wrong(lines: &str, expected: &[(&str, &str)]) {
        check(&format!("{URL}{lines}"), expected);
    }

    #[test]
    fn a_webhook_needs_nothing_but_its_address() {
        let found = webhook("");
        assert_eq!((found.method, found.receiver.as_str()), ("POST", "a"));
        assert!(matches!(found.body, Body::Tripline) && found.batch.is_none() && found.success.is_empty());
        assert_eq!(found.token, ("authorization".to_owned(), Some("Bearer".to_owned())));
        assert_eq!(found.rate, Some((10, Duration::from_secs(1))));
        let [("url", SecretFrom::Inline(url))] = &sink(URL).secrets[..] else { panic!("one secret") };
        assert_eq!(url.expose_secret(), "https://h.example.com/hook?team=db");
        assert_eq!(sink(URL).http.timeout, Duration::from_secs(30));
    }

    #[test]
    fn the_address_comes_from_one_place() {
        let from = |lines: &str| format!("{:?}", sink(&format!("type='webhook'\n{lines}")).secrets);
        assert_eq!(from("url_env='HOOK'"), "[(\"url\", Env(HOOK))]");
        assert_eq!(from("url_file='hook'"), "[(\"url\", File(/etc/tripline/hook))]");
        check("type='webhook'", &[("missing-key", "[[sink]]")]);
        check("type='webhook'\nurl='http://h/'", &[("plaintext-url", "http://")]);
        check("type='webhook'\nurl='h/'", &[("bad-url", "h/")]);
        check("type='webhook'\nurl=7", &[("wrong-type", "7")]);
        wrong("url_env='HOOK'", &[("inline-secret", "url"), ("several-keys", "url_env")]);
    }

    #[test]
    fn everything_can_be_said() {
        let found = webhook(
            "method='PUT'\nheaders={ X-Team='db' }\ntoken_file='t'\ntoken_header='X-Tok'\nusername='ann'\n\
             password_env='P'\npreset='alertmanager'\nsecret_env='S'\nold_secret_env='O'\nsuccess=[200, 409]\n\
             batch={ count=7, bytes='64KiB', time='2s' }\nrate='600/1m'",
        );
        assert_eq!((found.method, found.success), ("PUT", vec![200, 409]));
        assert_eq!(found.headers, [("x-team".to_owned(), "db".to_owned())]);
        assert_eq!((found.token, found.username.as_deref()), (("x-tok".to_owned(), None), Some("ann")));
        let batch = found.batch.unwrap();
        assert_eq!((batch.count, batch.bytes, batch.time), (7, 64 << 10, Duration::from_secs(2)));
        assert_eq!(found.rate, Some((600, Duration::from_secs(60))));
        assert!(matches!(found.body, Body::Alertmanager));
        assert_eq!(webhook("token_env='T'\ntoken_scheme='GenieKey'").token.1.as_deref(), Some("GenieKey"));
        assert_eq!(webhook("rate='unlimited'").rate, None);
        let batch = webhook("batch={}").batch.unwrap();
        assert_eq!((batch.count, batch.bytes, batch.time), (100, 256 << 10, Duration::from_secs(1)));
    }

    #[test]
    fn a_body_is_a_table_whose_texts_have_places() {
        let Body::Own(form) = webhook(
            "[sink.body]\ntext='{{{rule}}} of {label.team}'\nn=7\nx=-0.5\non=true\nlabels='{labels}'\n\
             list=['{all}', { a='' }]",
        )
        .body
        else {
            panic!("another body")
        };
        let text = |text: &str| Piece::Text(text.to_owned());
        let title = [text("{"), Piece::Place(Place::Rule), text("} of "), Piece::Label("team".to_owned())];
        let inner = Form::Table(vec![("a".to_owned(), Form::Text(Vec::new()))]);
        let expected = [
            ("text", Form::Text(title.to_vec())),
            ("n", Form::Constant(7.into())),
            ("x", Form::Constant((-0.5).into())),
            ("on", Form::Constant(true.into())),
            ("labels", Form::Labels),
            ("list", Form::List(vec![Form::All, inner])),
        ];
        assert_eq!(form, Form::Table(expected.map(|(name, form)| (name.to_owned(), form)).to_vec()));
    }

    #[test]
    fn what_is_wrong_with_a_body_is_pointed_at() {
        wrong("body={ a='{sumary}' }", &[("unknown-name", "sumary")]);
        wrong("body={ a=['x {} y'] }", &[("unknown-name", "{}")]);
        wrong("body={ a='{label.a-b}' }", &[("unknown-name", "label.a-b")]);
        wrong("body={ a='{' }", &[("bad-template", "{")]);
        wrong("body={ a='all: {all}' }", &[("bad-template", "all")]);
        wrong("body={ a=2026-01-01 }", &[("wrong-type", "2026-01-01")]);
        wrong("body={ a=inf }", &[("out-of-range", "inf")]);
        wrong("body='{summary}'", &[("wrong-type", "'{summary}'")]);
        wrong("preset='tripline'\nbody={}", &[("conflict", "body")]);
    }

    /// What is said of a sink whose body stands in a file, with the text under the caret.
    fn of_file(json: &str) -> (Vec<(&'static str, String)>, Option<Body>) {
        let text = crate::config::Text {
            path: "/etc/tripline/tripline.toml".into(),
            text: format!("[[sink]]\nname='a'\n{URL}body_file='b/desk.json'\n"),
        };
        let wanted = crate::config::body_files(&text);
        assert_eq!(wanted, [std::path::Path::new("/etc/tripline/b/desk.json")]);
        let bodies = [(wanted[0].clone(), Ok(json.to_owned()))].into();
        let (found, problems) = crate::config::settings_with(&text, &jiff::tz::TimeZone::UTC, &bodies);
        let problems = problems.iter().filter(|problem| problem.id != "no-source");
        let told = problems.map(|problem| {
            let of = if problem.file == wanted[0] { json } else { &text.text };
            (problem.id, of[problem.span.clone()].to_owned())
        });
        let body = found.ok().and_then(|mut found| match found.sinks.remove(0).peer {
            Peer::Webhook(webhook) => Some(webhook.body),
            _ => None,
        });
        (told.collect(), body)
    }

    #[test]
    fn a_body_may_stand_in_a_json_file() {
        let json = "{\"a\": [null, 7, true, \"{key} \\u00e9\"], \"all\": \"{all}\"}";
        let (told, body) = of_file(json);
        assert_eq!(told, []);
        let text = Form::Text(vec![Piece::Place(Place::Key), Piece::Text(" é".to_owned())]);
        let list = vec![
            Form::Constant(serde_json::Value::Null),
            Form::Constant(7.into()),
            Form::Constant(true.into()),
            text,
        ];
        let fields = [("a", Form::List(list)), ("all", Form::All)];
        let expected = Form::Table(fields.map(|(name, form)| (name.to_owned(), form)).to_vec());
        assert!(matches!(body, Some(Body::Own(form)) if form == expected));
    }

    #[test]
    fn what_is_wrong_with_a_json_file_is_pointed_at_in_the_file() {
        let check = |json: &str, expected: &[(&'static str, &str)]| {
            let (told, body) = of_file(json);
            let told: Vec<(&str, &str)> = told.iter().map(|(id, place)| (*id, place.as_str())).collect();
            assert_eq!(told, expected, "{json}");
            assert!(body.is_none());
        };
        check("{\"a\": \"x\", \"b\": \"\\\"{sumary}\"}", &[("unknown-name", "sumary")]);
        check("{\n\"a\": \"é{\"}", &[("bad-template", "{")]);
        check("{\"a\": 1,\n \"b\" 2}", &[("bad-json", "2")]);
        check("{\"a\": ", &[("bad-json", " ")]);
        check("", &[("bad-json", "")]);
        check("é", &[("bad-json", "é")]);
        wrong("body_file='none.json'", &[("unreadable", "'none.json'")]);
        wrong("body_file='b.json'\nbody={}", &[("conflict", "body_file")]);
    }

    #[test]
    fn what_is_wrong_with_a_webhook_is_pointed_at() {
        check(
            "type='webhook'\nurl='ftp://h'\ntoken_header='a b'\nbody={x='{nobody}'}",
            &[("bad-url", "ftp"), ("bad-header", "'a b'"), ("unknown-name", "nobody")],
        );
        wrong("method='GET'", &[("bad-choice", "'GET'")]);
        wrong("headers={ 'a b'='x' }", &[("bad-header", "'a b'")]);
        wrong("headers={ Host='x' }", &[("bad-header", "Host")]);
        wrong("headers={ X-A='x', x-a='y' }", &[("bad-header", "x-a")]);
        wrong("headers={ X-A=\"a\\nb\" }", &[("bad-header", "\"a\\nb\"")]);
        wrong("headers={ X-A=7 }", &[("wrong-type", "7")]);
        wrong("headers={ X-Api-Key='x' }", &[("inline-secret", "X-Api-Key")]);
        wrong("token_env='T'\ntoken_header='a b'", &[("bad-header", "'a b'")]);
        wrong("token='t'", &[("inline-secret", "token")]);
        wrong("username='ann'", &[("missing-key", "[[sink]]")]);
        wrong("password_env='P'", &[("missing-key", "[[sink]]")]);
        wrong("token_env='T'\nusername='ann'\npassword_env='P'", &[("conflict", "username")]);
        wrong("old_secret_env='O'", &[("missing-key", "[[sink]]")]);
        wrong("success=[200, 99, 'x']", &[("out-of-range", "99"), ("wrong-type", "'x'")]);
        wrong("success=[]", &[("empty-list", "[]")]);
        wrong("success=[409, 429, 501, 503]", &[("out-of-range", "429"), ("out-of-range", "503")]);
        wrong("batch={ time='3h' }", &[("out-of-range", "'3h'")]);
        wrong("batch={ count=0 }", &[("out-of-range", "0")]);
        wrong("batch={ cuont=1 }", &[("unknown-key", "cuont")]);
        wrong("rate='10'", &[("bad-rate", "10")]);
    }
}
