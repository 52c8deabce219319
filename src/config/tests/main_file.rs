//! `tripline.toml` and its sinks.

use secrecy::ExposeSecret;

use super::*;
use crate::model::ComponentStatus;
use crate::settings::{GroupBy, OnStop, Peer, SecretFrom, Start, Stream};

#[test]
fn what_a_sink_wants_to_hear_of_is_checked() {
    let sink = |when: &str| format!("[[sink]]\nname='a'\ntype='stdout'\nwhen={when}\n");
    let check = |when: &str, expected: &[(&str, &str)]| check_main(&sink(when), expected);
    check("'severity >= warning and team == \"db\"'", &[]);
    check("'severity in [\"warning\", \"critical\"] or not rule =~ \"^ssh\"'", &[]);
    check("'severity == critical'", &[]);
    check("'severity == \"critcal\"'", &[("bad-condition", "'severity == \"critcal\"'")]);
    check("'severity >= 2'", &[("bad-condition", "'severity >= 2'")]);
    check("'team >= warning'", &[("bad-condition", "'team >= warning'")]);
    check("'severity =~ \"crit\"'", &[("bad-condition", "'severity =~ \"crit\"'")]);
    check("'severity >='", &[("bad-condition", "")]);
    check("'rule =~ \"[z-a]\"'", &[("bad-pattern", "z-a")]);
    check("7", &[("wrong-type", "7")]);
    let (settings, _) = main_file(&sink("'severity == \"critical\" and team in [\"db\"]'"));
    let settings = settings.unwrap();
    assert!(settings.sinks[0].when.as_ref().is_some_and(|when| !when.names_rules));
    let rules = "[defaults]\nsinks='a'\n[[rule]]\nname='r'\nsource='s'\nmatch='x'\nsinks=['a','onkall']\n";
    let texts = [file("r.toml", rules)];
    let problems = unknown_sinks(&texts, &settings, &[]);
    assert_eq!(told(rules, &problems), [("unknown-sink", "'onkall'")]);
    // One that is wrong is there all the same.
    assert!(unknown_sinks(&texts, &settings, &[SinkName::new("onkall")]).is_empty());
}

#[test]
fn what_is_right_of_settings_is_known_whatever_is_wrong_with_the_rest() {
    let check = |text: &str, right: &[&str], wrong: Option<&[&str]>, knows_sources: bool| {
        let draft = main_file(text).0.expect_err("something is wrong");
        let names: Vec<&str> = draft.settings.sinks.iter().map(|sink| sink.of.as_str()).collect();
        assert_eq!(names, right, "{text}");
        let others = draft.wrong_sinks.as_deref();
        let others: Option<Vec<&str>> = others.map(|names| names.iter().map(|name| name.as_str()).collect());
        assert_eq!(others.as_deref(), wrong, "{text}");
        assert_eq!(draft.knows_sources, knows_sources, "{text}");
    };
    let sink = |lines: &str| format!("[[sink]]\n{lines}\n");
    let stdout = sink("name='a'\ntype='stdout'");
    check(&(stdout.clone() + &sink("name='b'\ntype='x'")), &["a"], Some(&["b"]), true);
    check(&(stdout.clone() + &sink("name='b'\ntype='stdout'\nmade=1")), &["a"], Some(&["b"]), true);
    check(&(stdout.clone() + &sink("type='stdout'")), &["a"], None, true);
    check(&(stdout.clone() + "[[source]]\nfiles='x'\n"), &["a"], Some(&[]), false);
    check(&(stdout + "[[source]]\nname='s'\nfiles=\n"), &[], None, true);
}

#[test]
fn a_source_is_of_files_a_fifo_or_the_journal() {
    let source = |lines: &str| format!("[[source]]\nname='a'\n{lines}\n");
    let check = |lines: &str, expected: &[(&str, &str)]| check_main(&source(lines), expected);
    check("", &[("missing-key", "[[source]]")]);
    check("files='x'\nfifo='y'", &[("conflict", "'y'")]);
    check("fifo='x'\njournal={}", &[("conflict", "{}")]);
    check("fifo=' '", &[("empty", "' '")]);
    check("fifo='x'\nstart='end'", &[("no-effect", "'end'")]);
    check("fifo='x'\nexclude='y'\nfollow_symlinks=true", &[("no-effect", "'y'"), ("no-effect", "true")]);
    check(
        "journal={}\nencoding='utf-8'\nenvelope='cri'",
        &[("no-effect", "'utf-8'"), ("no-effect", "'cri'")],
    );
    check("journal={unit='x'}", &[("unknown-key", "unit")]);
    check("journal={units=[7]}", &[("wrong-type", "7")]);
    check("journal={program=''}", &[("empty", "''")]);
    check("journal={}\nstart='last:1KiB'", &[("conflict", "'last:1KiB'")]);
    check("journal='all'", &[("wrong-type", "'all'")]);
    let stream =
        |lines: &str| main_file(&source(lines)).0.ok().and_then(|found| found.sources[0].stream.clone());
    assert_eq!(stream("fifo='x'"), Some(Stream::Fifo("/etc/tripline/x".into())));
    assert_eq!(stream("files='x'"), None);
    let journal = |lines: &str| match stream(lines) {
        Some(Stream::Journal(journal)) => (journal.units, journal.program.to_string_lossy().into_owned()),
        other => panic!("{other:?}"),
    };
    assert_eq!(journal("journal={}\nstart='since:1h'"), (Vec::new(), "journalctl".to_owned()));
    let said = journal("journal={units='ssh.service', program='bin/j'}");
    assert_eq!(said, (vec!["ssh.service".to_owned()], "/etc/tripline/bin/j".to_owned()));
}

#[test]
fn a_chat_is_checked() {
    let sink = |kind: &str, line: &str| format!("[[sink]]\nname='a'\ntype='{kind}'\n{line}\n");
    let kept = |kind: &str, line: &str| {
        let (found, _) = main_file(&sink(kind, line));
        let sink = found.expect("nothing is wrong").sinks.remove(0);
        let secrets: Vec<&str> = sink.secrets.iter().map(|(name, _)| *name).collect();
        assert!(sink.peer.takes_alerts() && sink.peer.takes_changes());
        (sink.peer.kind(), secrets)
    };
    for kind in ["slack", "feishu", "dingtalk", "wecom"] {
        check_main(&sink(kind, ""), &[("missing-key", "[[sink]]")]);
        check_main(&sink(kind, "url_env='U'\nkeyword='DB'"), &[]);
        check_main(&sink(kind, "url='https://h/x?key=k'"), &[("inline-secret", "url")]);
        check_main(&sink(kind, "url='h'"), &[("bad-url", "h")]);
        check_main(&sink(kind, "url='http://h/x'"), &[("plaintext-url", "http://")]);
        check_main(&sink(kind, "url_env='U'\nurl_file='f'"), &[("several-keys", "url_file")]);
        check_main(&sink(kind, "url_env='U'\nkeyword=' '"), &[("empty", "' '")]);
        let long = format!("'{}'", "k".repeat(65));
        check_main(&sink(kind, &format!("url_env='U'\nkeyword={long}")), &[("out-of-range", &long)]);
        assert_eq!(kept(kind, "url_file='f'"), (kind, vec!["url"]));
    }
    for kind in ["feishu", "dingtalk"] {
        assert_eq!(kept(kind, "url_env='U'\nsecret_env='S'"), (kind, vec!["secret", "url"]));
        check_main(&sink(kind, "url_env='U'\nsecret='s'"), &[("inline-secret", "secret")]);
    }
    check_main(&sink("slack", "url_env='U'\nsecret_env='S'"), &[("unknown-key", "secret_env")]);
}

#[test]
fn the_main_file_is_checked() {
    let source = |line: &str| format!("[[source]]\nname='a'\nfiles='x'\n{line}\n");
    let sink = |line: &str| format!("[[sink]]\nname='a'\ntype='flashduty'\n{line}\n");
    check_main("rule = ['x']", &[("unknown-key", "rule")]);
    check_main("redact = ['pin=(\\d+)']\nredact_defaults = false", &[]);
    check_main("redact = ['pin=(\\d+']", &[("bad-pattern", "(")]);
    check_main(&source("redact = 7"), &[("wrong-type", "7")]);
    check_main("state_dir = ''\nscope = \"a\\tb\"", &[("empty", "''"), ("bad-text", "\"a\\tb\"")]);
    check_main("on_stop = 'stay'", &[("bad-choice", "'stay'")]);
    check_main("rules = 'a[b'", &[("bad-glob", "'a[b'")]);
    check_main("admin = { listen = 'localhost:1' }", &[("bad-address", "'localhost:1'")]);
    check_main("[admin]\nlisten = '0.0.0.0:1'\ntoken_file = 'x'\nhosts = ['web-1.example.com']", &[]);
    check_main("[admin]\nhosts = ['a b']", &[("bad-address", "'a b'")]);
    check_main("[admin]\ntoken_file = ''", &[("empty", "''")]);
    check_main(
        "[heartbeat]\nsink = 'x'\nevery = '10ms'",
        &[("unknown-sink", "'x'"), ("out-of-range", "'10ms'")],
    );
    check_main("[[source]]\n", &[("missing-key", "[[source]]"); 2]);
    check_main("[[source]]\nname='A'\nfiles=[]\n", &[("bad-name", "'A'"), ("empty-list", "[]")]);
    check_main(&source("time = 'auto'"), &[("not-yet", "time")]);
    check_main(&source("multiline = 'java'"), &[]);
    check_main(
        &source("multiline = { start = '^\\d', max_lines = 9, max_bytes = '1MiB', flush = '1s' }"),
        &[],
    );
    check_main(&source("multiline = 'jawa'"), &[("bad-choice", "'jawa'")]);
    check_main(&source("multiline = 7"), &[("wrong-type", "7")]);
    check_main(&source("multiline = {}"), &[("missing-key", "{}")]);
    check_main(
        &source("multiline = { strat = 'x' }"),
        &[("missing-key", "{ strat = 'x' }"), ("unknown-key", "strat")],
    );
    check_main(&source("multiline = { start = '(' }"), &[("bad-pattern", "(")]);
    check_main(&source("multiline = { start = ['x'] }"), &[("wrong-type", "['x']")]);
    check_main(&source("multiline = { end = 'x', start = 'y' }"), &[("conflict", "'y'")]);
    check_main(
        &source("multiline = { end = '(', start = ')' }"),
        &[("bad-pattern", "("), ("conflict", "')'"), ("bad-pattern", ")")],
    );
    check_main(&source("multiline = { continue = '^ ', max_lines = 0 }"), &[("out-of-range", "0")]);
    check_main(&source("multiline = { continue = '^ ', max_bytes = 5 }"), &[("out-of-range", "5")]);
    check_main(&source("multiline = { continue = '^ ', flush = '0s' }"), &[("out-of-range", "'0s'")]);
    let short = "max_line = '64KiB'\nmultiline = { continue = '^ ', max_bytes = '32KiB' }";
    check_main(&source(short), &[("conflict", "'64KiB'")]);
    check_main(&source("multiline = 'go'\nrepeats = true"), &[("conflict", "true")]);
    check_main(&source("multiline = 'go'\nflush = '1s'"), &[("no-effect", "'1s'")]);
    check_main(&source("tz = 'Europe/Berln'"), &[("unknown-zone", "'Europe/Berln'")]);
    check_main(
        "[[source]]\nfiles='x'\ntz='Mars/X'\nredact='('\n",
        &[("missing-key", "[[source]]"), ("unknown-zone", "'Mars/X'"), ("bad-pattern", "(")],
    );
    check_main(&source("max_line = '64kb'"), &[("bad-size", "kb")]);
    check_main(&source("max_line = 5"), &[("out-of-range", "5")]);
    check_main(&source("[[source]]\nname='a'\nfiles='y'"), &[("duplicate-name", "'a'")]);
    check_main(
        "[[sink]]\nname='a'\ntype='exec'\nwebhook='x'\n",
        &[("missing-key", "[[sink]]"), ("unknown-key", "webhook")],
    );
    check_main("[[sink]]\nname='a'\ntype='stdot'\n", &[("unknown-type", "'stdot'")]);
    check_main("[[sink]]\nname='a'\ntype='stdout'\nurl='x'\n", &[("unknown-key", "url")]);
    check_main(&sink(""), &[("missing-key", "[[sink]]")]);
    check_main(&sink("integration_key='k'"), &[("inline-secret", "integration_key")]);
    check_main(
        &sink("integration_key_env='K'\nintegration_key_file='f'"),
        &[("several-keys", "integration_key_file")],
    );
    check_main(
        &sink("integration_key_env='K'\nurl='https://h/p?integration_key=k'"),
        &[("inline-secret", "integration_key"), ("several-keys", "integration_key")],
    );
    check_main(&sink("integration_key_env='K'\nurl='http://h'"), &[("plaintext-url", "http://")]);
    for (url, place) in [
        ("ftp://h", "ftp"),
        ("h", "h"),
        ("https://", ""),
        ("https://a b", " "),
        ("https://u:p@h/", "u:p@h"),
        ("https://h:x/", "x"),
        ("https://h/?integration_key=", "integration_key"),
    ] {
        check_main(&sink(&format!("integration_key_env='K'\nurl='{url}'")), &[("bad-url", place)]);
    }
    for url in ["http://127.0.0.1:80/x", "http://[::1]:9", "http://localhost", "https://h?a=b"] {
        check_main(&sink(&format!("integration_key_env='K'\nurl='{url}'")), &[]);
    }
    check_main(&sink("integration_key_env='K'\nurl='http://h'\nallow_plaintext=true"), &[]);
}

#[test]
fn nothing_written_is_a_configuration() {
    let (found, problems) = main_file("");
    assert!(problems.is_empty());
    let found = found.unwrap();
    assert_eq!(found.rules, [PathBuf::from("/etc/tripline/rules/*.toml")]);
    assert_eq!(found.state_dir, Some("/var/lib/tripline".into()));
    assert_eq!(found.admin.listen.unwrap().to_string(), "127.0.0.1:7437");
    assert!(matches!(found.sinks[0].peer, Peer::Stdout));
    assert_eq!((found.on_stop, found.stop_budget, found.threads), (None, Duration::from_secs(25), None));
    let (_, problems) = main_file("scope = 'x'");
    assert_eq!(told("scope = 'x'", &problems), [("no-source", "")]);
}

#[test]
fn a_full_main_file_is_believed() {
    let text = r#"
rules     = ["r/*.toml", "/abs/x.toml"]
state_dir = "state"
scope     = "web"
on_stop   = "resolve"
stop_budget = "5s"
threads = 4
[labels]
cluster = "nj"
[admin]
listen = "off"
[heartbeat]
sink  = "oncall"
every = "30s"
[[source]]
name    = "auth"
files   = ["/var/log/auth.log", "secure"]
exclude = ["*.gz"]
start   = "beginning"
tz      = "Asia/Shanghai"
max_age = "1h"
flush   = "1s"
max_line = 2048
[source.labels]
dc = "1"
[[sink]]
name = "oncall"
type = "flashduty"
url  = "https://api.flashcat.cloud/event/push/alert/standard?a=b&integration_key=abc"
title_rule = "$x"
ca_file = "ca.pem"
probe_every = "2m"
[[sink]]
name = "out"
type = "stdout"
"#;
    let (found, problems) = main_file(text);
    assert_eq!(told(text, &problems), [("inline-secret", "integration_key")]);
    let found = found.unwrap();
    assert_eq!(found.rules, [PathBuf::from("/etc/tripline/r/*.toml"), PathBuf::from("/abs/x.toml")]);
    assert_eq!(found.state_dir, Some("/etc/tripline/state".into()));
    assert_eq!((found.scope.as_deref(), found.on_stop), (Some("web"), Some(OnStop::Resolve)));
    assert!(found.admin.listen.is_none());
    assert_eq!(found.heartbeat.unwrap().every, Duration::from_secs(30));
    let source = &found.sources[0];
    assert_eq!(source.files[1], PathBuf::from("/etc/tripline/secure"));
    assert_eq!((source.start, source.max_line), (Start::Beginning, 2048));
    assert_eq!(source.tz.iana_name(), Some("Asia/Shanghai"));
    assert_eq!(source.labels, [("dc".into(), "1".to_owned())]);
    let Peer::Flashduty(peer) = &found.sinks[0].peer else { panic!("{:?}", found.sinks[0]) };
    assert_eq!(peer.url, "https://api.flashcat.cloud/event/push/alert/standard?a=b");
    let [("integration_key", SecretFrom::Inline(key))] = &found.sinks[0].secrets[..] else { panic!() };
    assert_eq!(key.expose_secret(), "abc");
}

#[test]
fn a_status_page_is_checked() {
    let sink = |line: &str| {
        format!(
            "[[sink]]\nname='p'\ntype='flashduty-status-page'\npage_id=5750613685214\ncomponents=['API', 123]\n{line}\n"
        )
    };
    let keyed = |line: &str| sink(&format!("app_key_env='K'\n{line}"));
    check_main(&keyed(""), &[]);
    check_main(&sink(""), &[("missing-key", "[[sink]]")]);
    // An app key can do too much to stand here.
    check_main(&sink("app_key='k'"), &[("inline-secret", "app_key")]);
    check_main(&keyed("app_key='k'"), &[("inline-secret", "app_key")]);
    check_main(&sink("url='https://h?x=1&app_key=k'"), &[("inline-secret", "app_key")]);
    check_main(&keyed("url='http://h'"), &[("plaintext-url", "http://")]);
    check_main(&keyed("component_status={ warning='major_outage' }"), &[("bad-choice", "'major_outage'")]);
    check_main(&keyed("component_status={ warnung='degraded' }"), &[("unknown-key", "warnung")]);
    check_main(
        &keyed("component_status={ info='under_maintenance' }"),
        &[("bad-choice", "'under_maintenance'")],
    );
    check_main(&keyed("component_status={ info=1 }"), &[("wrong-type", "1")]);
    check_main(&keyed("component_status='degraded'"), &[("wrong-type", "'degraded'")]);
    check_main(&keyed("responders=[1, 0, 'ann']"), &[("out-of-range", "0"), ("wrong-type", "'ann'")]);
    check_main(
        &keyed("group_by='sink'\nreopen_within='soon'"),
        &[("bad-choice", "'sink'"), ("bad-duration", "s")],
    );
    let bare = "[[sink]]\nname='p'\ntype='flashduty-status-page'\napp_key_env='K'\n";
    check_main(bare, &[("missing-key", "[[sink]]"), ("missing-key", "[[sink]]")]);
    check_main(&format!("{bare}page_id=-5\ncomponents=[]"), &[("out-of-range", "-5"), ("empty-list", "[]")]);
    check_main(
        &format!("{bare}page_id='5'\ncomponents=[' ', true]"),
        &[("wrong-type", "'5'"), ("empty", "' '"), ("wrong-type", "true")],
    );
    // The public is told of no sign of life, and of nothing that was meant for others.
    check_main(&keyed("[[sink]]\nname='o'\ntype='stdout'\nfallback='p'"), &[("bad-fallback", "'p'")]);
    check_main(&keyed("[heartbeat]\nsink='p'"), &[("unknown-sink", "'p'")]);

    let text = keyed(
        "component_status={ info='operational' }\nresponders=[7]\ngroup_by='alert'\nreopen_within='5m'\nurl='https://h/x?y=1'",
    );
    let found = settings(&file("tripline.toml", &text), &TimeZone::UTC).0.unwrap();
    let Peer::StatusPage(page) = &found.sinks[0].peer else { panic!("{:?}", found.sinks[0]) };
    assert_eq!(
        (page.page_id, page.url.as_str(), page.components.as_slice()),
        (5_750_613_685_214, "https://h/x?y=1", ["API".to_owned(), "123".to_owned()].as_slice())
    );
    assert_eq!(
        page.component_status.map(ComponentStatus::as_str),
        ["operational", "partial_outage", "full_outage"]
    );
    assert_eq!(
        (page.responders.as_slice(), page.group_by, page.reopen_within.as_secs()),
        ([7].as_slice(), GroupBy::Alert, 300)
    );
    let usual = settings(&file("tripline.toml", &keyed("")), &TimeZone::UTC).0.unwrap();
    let Peer::StatusPage(page) = &usual.sinks[0].peer else { panic!("{:?}", usual.sinks[0]) };
    assert!(!page.notify_subscribers && !page.send_description && page.group_by == GroupBy::Rule);
    assert_eq!(page.url, "https://api.flashcat.cloud");
}

#[test]
fn a_key_where_a_name_or_a_path_is_wanted_is_refused_and_never_said() {
    let key = "R0ABCDEFGHIJ0123456789abcdef0123";
    let address = "https://hooks.slack.com/services/T0/B0/R0ABCDEFGHIJ";
    let pagerduty = |line: String| format!("[[sink]]\nname='p'\ntype='pagerduty'\n{line}\n");
    let slack = |line: String| format!("[[sink]]\nname='p'\ntype='slack'\n{line}\n");
    for (text, pasted) in [
        (pagerduty(format!("routing_key_env='{key}'")), key),
        (pagerduty(format!("routing_key_file='{key}'")), key),
        (pagerduty(format!("routing_key_env='K'\nproxy_url_file='{address}'")), address),
        (slack(format!("url_env='{address}'")), address),
        (slack(format!("url_file='{address}'")), address),
        (slack("url_env='sk_live_R0ABCabcdefgh'".to_owned()), "sk_live_R0ABCabcdefgh"),
        (slack("url_file='xoxb-12345-R0ABC-abc'".to_owned()), "xoxb-12345-R0ABC-abc"),
    ] {
        check_main(&text, &[("bad-name", &format!("'{pasted}'"))]);
        let file = Text { path: "tripline.toml".into(), text: text.clone() };
        let said = format!("{:?}", settings(&file, &TimeZone::UTC).1);
        assert!(!said.contains("R0ABC"), "{said}");
    }
    check_main(&pagerduty("routing_key_file='secrets/pagerduty'".to_owned()), &[]);
}

#[test]
fn an_address_is_that_of_the_peer_as_it_is_pasted_from_there() {
    let sink = |lines: &str| format!("[[sink]]\nname='p'\n{lines}\n");
    let flashduty = "type='flashduty'\nintegration_key_env='K'\nchange_integration_key_env='C'\n";
    for (lines, url) in [
        (format!("{flashduty}url="), "https://api.flashcat.cloud/event/push/change/standard"),
        (format!("{flashduty}change_url="), "https://api.flashcat.cloud/event/push/alert/standard"),
        (format!("{flashduty}url="), "https://events.pagerduty.com/v2/enqueue"),
        ("type='alertmanager'\nurls=".to_owned(), "http://127.0.0.1:9093/api/v1/alerts"),
    ] {
        check_main(&sink(&format!("{lines}'{url}'")), &[("bad-url", &format!("'{url}'"))]);
    }
    for (kind, url) in [
        ("slack", "https://open.feishu.cn/open-apis/bot/v2/hook/X"),
        ("slack", "https://hooks.slack.com"),
        ("dingtalk", "https://oapi.dingtalk.com/robot/send"),
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?x=1"),
    ] {
        let said = [("inline-secret", "url"), ("bad-url", &*format!("'{url}'"))];
        check_main(&sink(&format!("type='{kind}'\nurl='{url}'")), &said);
    }
    for path in ["", "/", "/v2/enqueue", "/v2/change/enqueue/"] {
        let text = sink(&format!("type='pagerduty'\nrouting_key_env='K'\nurl='https://h/x{path}'"));
        let (found, _) = main_file(&text);
        let Peer::PagerDuty(peer) = &found.unwrap().sinks[0].peer else { panic!("another peer") };
        assert_eq!(peer.url, "https://h/x", "{path}");
    }
}

#[test]
fn a_way_out_is_none_that_is_wrong_itself() {
    let helps = |text: &str| -> Vec<Option<String>> {
        let file = Text { path: "tripline.toml".into(), text: text.to_owned() };
        let problems = settings(&file, &TimeZone::UTC).1.into_iter();
        problems.filter(|problem| problem.id != "no-source").map(|problem| problem.help).collect()
    };
    let when = |when: &str| helps(&format!("[[sink]]\nname='a'\ntype='stdout'\nwhen='{when}'\n"));
    assert_eq!(when("severity => warning"), [Some("write `>=`".to_owned())]);
    assert_eq!(when("severity =< warning"), [Some("write `<=`".to_owned())]);
    assert_eq!(when("severity = warning"), [Some("write `==`".to_owned())]);
    let circle = "[[sink]]\nname='s'\ntype='stdout'\nfallback='t'\n\
                  [[sink]]\nname='t'\ntype='file'\npath='x'\nfallback='s'\n";
    assert!(helps(circle).iter().flatten().all(|help| !help.contains("did you mean")), "{:?}", helps(circle));
}
