use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{
    AlertKey, ChangeReport, ChangeStatus, Content, Delivery, DeliveryKind, Image, KeyHash, Reason, RuleName,
    Status, Timestamp, Transition,
};
use crate::sink::attempt::Purpose;
use crate::sink::sample::{self, report, transition};

const SERVICES: [ChatService; 4] =
    [ChatService::Slack, ChatService::Feishu, ChatService::DingTalk, ChatService::WeCom];

const ADDRESS: &str = "https://chat.example.com/hook/CANARY-token?access_token=CANARY-query";

fn secrets(signed: bool) -> Secrets {
    let secret = signed.then(|| (SECRET, SecretString::from("CANARY-secret")));
    Secrets::new([(URL, SecretString::from(ADDRESS))].into_iter().chain(secret).collect())
}

fn chat(service: ChatService, keyword: Option<&str>) -> Chat {
    Chat { service, keyword: keyword.map(str::to_owned) }
}

fn sent(chat: &Chat, rows: &[Delivery], shrink: bool) -> Request {
    request(
        chat,
        Unit {
            rows,
            secrets: &secrets(false),
            shrink,
            purpose: Purpose::Owed,
            now: Timestamp::from_secs(1_700_000_000),
        },
    )
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// The text in what is sent.
fn text(request: &Request) -> String {
    let body = body(request);
    let places = [&body["text"], &body["content"]["text"], &body["text"]["content"]];
    places.into_iter().find_map(Value::as_str).expect("one of them is a text").to_owned()
}

/// What Slack is told of one row.
fn said(row: Delivery) -> String {
    text(&sent(&chat(ChatService::Slack, None), &[row], false))
}

fn of_rule(rule: &str, key: u8, kind: DeliveryKind, status: Status, summary: &str) -> Delivery {
    let key = AlertKey { rule: RuleName::new(rule), hash: KeyHash([key; 16]) };
    sample::alert(kind, Transition { key, status, summary: summary.to_owned(), ..transition() })
}

#[test]
fn each_service_is_asked_in_its_own_form() {
    let rows = [sample::raise(transition())];
    let text = "DB 🟠 Warning: 5 failed logins from 187.141.143.180 in 10m\n\
                level reached at 2015-12-10T09:13:10Z. Open since 2015-12-10T09:13:10Z, 7 matches.\n\
                rule: ssh_bruteforce\ninstance: web-1\nsrc_ip: 187.141.143.180\nuser: root\n\n\
                Failed password for root\nRunbook: https://wiki.example.com/ssh";
    for (service, expected) in [
        (
            ChatService::Slack,
            json!({"text": text, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false}),
        ),
        (ChatService::Feishu, json!({"msg_type": "text", "content": {"text": text}})),
        (
            ChatService::DingTalk,
            json!({"msgtype": "text", "text": {"content": text}, "at": {"atMobiles": [], "isAtAll": false}}),
        ),
        (ChatService::WeCom, json!({"msgtype": "text", "text": {"content": text}})),
    ] {
        let request = sent(&chat(service, Some("DB")), &rows, false);
        assert_eq!(body(&request), expected);
        assert_eq!((request.method, request.url.as_str()), ("POST", ADDRESS));
        let headers = [("content-type", "application/json; charset=utf-8".to_owned())];
        assert_eq!(request.headers, headers);
    }
}

#[test]
fn a_signature_is_that_of_the_vendor() {
    let now = Timestamp::from_secs(1_700_000_000);
    let signed = feishu::body("x".to_owned(), Some("abc"), now);
    assert_eq!(signed["timestamp"], "1700000000");
    assert_eq!(signed["sign"], "VIS10b0EBvzzSdFnuk4tznEmK5wHaruvf/WnViv2yR4=");
    let signed = "timestamp=1700000000000&sign=jcUpW0QmtKduN03n4JqQ0PBosVjqnM8gU7fIIvsDmCM%3D";
    for (pasted, url) in [
        ("https://h/send?access_token=t", format!("https://h/send?access_token=t&{signed}")),
        (
            "https://h/send?timestamp=1&access_token=t&sign=%3D#x",
            format!("https://h/send?access_token=t&{signed}"),
        ),
        ("https://h/send", format!("https://h/send?{signed}")),
    ] {
        assert_eq!(dingtalk::signed(pasted, Some("SECabc"), now), url);
        assert_eq!(dingtalk::signed(pasted, None, now), pasted);
    }
}

#[test]
fn a_secret_signs_what_is_sent_and_is_not_in_it() {
    let rows = [sample::raise(transition())];
    for (service, signed) in
        [(ChatService::Feishu, true), (ChatService::DingTalk, true), (ChatService::Slack, false)]
    {
        let at = |seconds| {
            let now = Timestamp::from_secs(seconds);
            let unit =
                Unit { rows: &rows, secrets: &secrets(true), shrink: false, purpose: Purpose::Owed, now };
            let request = request(&chat(service, None), unit);
            let sent = format!("{} {}", request.url, String::from_utf8(request.body).unwrap());
            assert!(!sent.contains("CANARY-secret"));
            sent
        };
        assert_eq!(at(1) != at(2), signed, "each attempt is signed anew");
    }
}

#[test]
fn what_is_worse_better_or_over_says_so() {
    let told = |kind, status, previous, reason| {
        let time = transition().since.plus(Duration::from_secs(750));
        let t = Transition { status, previous, reason, time, total: 1, ..transition() };
        said(sample::alert(kind, t)).lines().take(2).collect::<Vec<_>>().join(" | ")
    };
    let summary = "5 failed logins from 187.141.143.180 in 10m";
    let open = "at 2015-12-10T09:25:40Z. Open since 2015-12-10T09:13:10Z, 1 match.";
    use {DeliveryKind as Kind, Reason as Why, Status as Is};
    assert_eq!(
        told(Kind::Change, Is::Critical, Is::Warning, Why::LevelReached),
        format!("🔴 Critical (was warning): {summary} | level reached {open}")
    );
    assert_eq!(
        told(Kind::Change, Is::Info, Is::Critical, Why::LevelLeft),
        format!("🔵 Info (was critical): {summary} | level left {open}")
    );
    assert_eq!(
        told(Kind::Change, Is::Info, Is::Info, Why::StillOpen),
        format!("🔵 Info: {summary} | still open {open}")
    );
    assert_eq!(
        told(Kind::Resolve, Is::Ok, Is::Warning, Why::Quiet),
        format!("✅ Resolved: {summary} | quiet at 2015-12-10T09:25:40Z. Lasted 12m 30s, 1 match.")
    );
}

#[test]
fn a_change_says_how_far_it_is_and_where_to_look() {
    let image =
        Image { src: "https://g.example.com/1.png".to_owned(), href: None, alt: Some("load".to_owned()) };
    assert_eq!(
        said(sample::of_change(ChangeReport { images: vec![image], ..report() })),
        "🔧 Change Processing: api 1.4 started\n\
         api-1.4 at 2015-12-10T09:13:10Z. Begins 2015-12-10T09:13:10Z. Ends 2015-12-10T09:29:50Z.\n\
         belongs to: SHOP-7\nrule: deploy\ninstance: web-1\nteam: shop\napp: api\n\n\
         deploy api 1.4 started by ann\nLink: https://ci.example.com/api\n\
         Runbook: https://wiki.example.com/deploy\nload: https://g.example.com/1.png"
    );
}

#[test]
fn a_sign_of_life_says_the_same_each_time() {
    assert_eq!(said(sample::alert(DeliveryKind::Beat, transition())), "tripline heartbeat");
}

#[test]
fn a_title_that_is_blank_is_the_rule() {
    let title = said(sample::raise(Transition { summary: " \t".to_owned(), ..transition() }));
    assert!(title.starts_with("🟠 Warning: ssh_bruteforce\n"), "{title}");
}

/// Some alerts and a change, as they may pile up.
fn pile() -> Vec<Delivery> {
    use {DeliveryKind as Kind, Status as Is};
    vec![
        of_rule("disk", 1, Kind::Resolve, Is::Ok, "disk sda"),
        of_rule("login", 2, Kind::Raise, Is::Info, "a login of root"),
        of_rule("disk", 3, Kind::Raise, Is::Critical, "disk sdb"),
        sample::of_change(report()),
        of_rule("disk", 4, Kind::Resolve, Is::Ok, "disk sdc"),
        of_rule("cpu", 5, Kind::Change, Is::Warning, "cpu 91 %"),
    ]
}

#[test]
fn what_piled_up_is_one_text_with_counts_for_each_rule_and_the_worst_first() {
    assert_eq!(
        text(&sent(&chat(ChatService::WeCom, Some("[prod]")), &pile(), false)),
        "[prod] 📋 1 critical, 1 warning, 1 info, 2 resolved, 1 change\n\
         disk: 1 critical, 2 resolved\n🔴 Critical: disk sdb\n✅ Resolved: disk sda\n✅ Resolved: disk sdc\n\
         🟠 Warning cpu: cpu 91 %\n🔵 Info login: a login of root\n\
         🔧 Change deploy: api-1.4 Processing, api 1.4 started"
    );
}

#[test]
fn each_row_of_a_digest_has_its_share_of_the_bytes() {
    let rule = "r".repeat(64);
    for service in SERVICES {
        let unit = limits(service).unit;
        let row = |n: usize| {
            let rule = format!("{}{:02}", &rule[2..], n / 2);
            of_rule(
                &rule,
                n as u8,
                DeliveryKind::Raise,
                Status::Info,
                &format!("row {n} {}", "日".repeat(2_000)),
            )
        };
        let rows: Vec<Delivery> = (0..unit).map(row).collect();
        let keyword = "K".repeat(64);
        let text = text(&sent(&chat(service, Some(&keyword)), &rows, false));
        for n in 0..unit {
            assert!(text.contains(&format!("\n🔵 Info: row {n} 日日")), "{service:?} lacks {n}: {text}");
        }
    }
}

/// Texts that would call someone, be a link or hide something, in one of the services.
const HOSTILE: [&str; 10] = [
    "<!channel> <!here|x> <@U024BE7LH> <https://evil.example.com|login>",
    "<at user_id=\"all\">everyone</at>",
    "&lt;!channel&gt; & &amp;",
    "@13800000000 @所有人 @all",
    "<@all> <@zhangsan> <font color=\"warning\">x</font>",
    "\u{1b}[31m\u{202e}\u{200b}\r\n\0\u{7f}",
    "\"}],\"at\":{\"isAtAll\":true},\"x\":[{\"",
    "\\\\\\\\\"\"\"\"",
    "日志🦀",
    "%E2 {name} ${x}",
];

fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        proptest::sample::select(&HOSTILE[..]).prop_map(str::to_owned),
        any::<String>(),
        ("[<>&@\"\\\\日🦀…a\n]{1,8}", 1..2_000_usize).prop_map(|(text, times)| text.repeat(times)),
    ];
    proptest::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

/// A row whose texts are these, of an alert or a change.
fn row(n: usize, texts: &[String; 5], what: usize) -> Delivery {
    let [summary, description, value, link, key] = texts.clone();
    let labels = sample::labels(&[("src", &value), ("other", &link)]);
    let image = Image { src: link.clone(), href: Some(value), alt: Some(summary.clone()) };
    let rule = RuleName::new(["r".repeat(64), "disk".to_owned()][n % 2].clone());
    let (runbook, images) = (Some(link.clone()).filter(|link| !link.is_empty()), vec![image]);
    if what == 4 {
        let linked_changes = vec![link.clone()];
        let (status, link) = (ChangeStatus::Done, Some(link));
        let (change_key, details) = (key, labels);
        return sample::of_change(ChangeReport {
            rule,
            summary,
            description,
            details,
            runbook,
            images,
            link,
            linked_changes,
            change_key,
            status,
            ..report()
        });
    }
    let (kind, status) = [
        (DeliveryKind::Raise, Status::Critical),
        (DeliveryKind::Change, Status::Warning),
        (DeliveryKind::Raise, Status::Info),
        (DeliveryKind::Resolve, Status::Ok),
    ][what];
    let key = AlertKey { rule, hash: KeyHash([n as u8; 16]) };
    let details = labels;
    sample::alert(
        kind,
        Transition { key, status, summary, description, details, runbook, images, ..transition() },
    )
}

#[test]
fn a_change_of_which_everything_is_long_is_within_the_limit() {
    let long = ["s", "d", "v", "https://example.com/", "k"].map(|text| text.repeat(3_000));
    let short = ["s", "d", "v", "https://example.com/", "k"].map(|text| text.repeat(20));
    for n in 0..10 {
        // All of them are long, or one is not.
        let texts = std::array::from_fn(|at| if at == n { short[at].clone() } else { long[at].clone() });
        let rows = [row(0, &texts, 4)];
        for (shrink, most) in [(false, 2_048), (true, 1_024)] {
            let text = text(&sent(&chat(ChatService::WeCom, Some(&"K".repeat(64))), &rows, shrink));
            assert!(text.len() <= most, "{n} {shrink}: {} in {text}", text.len());
            assert!(text.contains("\nbelongs to: ") && text.contains("\nrule: "), "{text}");
        }
    }
}

fn rows() -> impl Strategy<Value = Vec<Delivery>> {
    let texts = [hostile(), hostile(), hostile(), hostile(), hostile()];
    proptest::collection::vec((texts, 0..5_usize), 1..50)
        .prop_map(|rows| rows.iter().enumerate().map(|(n, (texts, what))| row(n, texts, *what)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_log_text_breaks_a_limit_calls_anyone_or_hides_another_row(rows in rows(), shrink: bool) {
        let keyword = "K".repeat(64);
        for service in SERVICES {
            let rows = &rows[..rows.len().min(limits(service).unit)];
            let chat = chat(service, Some(&keyword));
            let request = sent(&chat, rows, shrink);
            let text = text(&request);
            prop_assert!(text.starts_with(&format!("{keyword} ")), "{text}");
            let most = if service == ChatService::WeCom { 2_048 } else { 8_000 };
            prop_assert!(text.len() <= if shrink && rows.len() == 1 { most / 2 } else { most }, "{}", text.len());
            prop_assert!(request.body.len() <= 20_000, "{}", request.body.len());
            let pings: &[char] = match service {
                ChatService::Slack => &['<', '>'],
                ChatService::Feishu | ChatService::WeCom => &['<'],
                ChatService::DingTalk => &['@'],
            };
            prop_assert!(!text.contains(pings), "{text}");
            if service == ChatService::Slack {
                let whole = |at: usize| ["&amp;", "&lt;", "&gt;"].iter().any(|c| text[at..].starts_with(c));
                prop_assert!(text.match_indices('&').all(|(at, _)| whole(at)), "{text}");
            }
            prop_assert!(!text.chars().any(|c| c != '\n' && c != '\t' && crate::untrusted::is_hostile(c)));
            let at = body(&request)["at"].clone();
            let nobody = at.is_null() || at == json!({"atMobiles": [], "isAtAll": false});
            prop_assert!(nobody, "{at}");
            if rows.len() > 1 {
                for (sign, stand) in [("🔴 Critical", 0), ("✅ Resolved", 3), ("🔧 Change", 4)] {
                    let is = |row: &&Delivery| match &row.content {
                        Content::Alert(_, t) => stand == 0 && t.status == Status::Critical
                            || stand == 3 && t.status == Status::Ok,
                        Content::Change(_) => stand == 4,
                    };
                    let lines = text.lines().filter(|line| line.starts_with(sign)).count();
                    prop_assert_eq!(lines, rows.iter().filter(is).count(), "{}", text);
                }
            }
        }
    }
}

#[test]
fn a_text_is_cut_at_a_character_and_links_are_whole() {
    let long = Transition {
        summary: "日".repeat(3_000),
        description: "é".repeat(9_000),
        details: sample::labels(&[("user", &"🦀".repeat(500))]),
        ..transition()
    };
    for (service, most) in [(ChatService::Slack, 8_000), (ChatService::WeCom, 2_048)] {
        let text = text(&sent(&chat(service, None), &[sample::raise(long.clone())], false));
        assert!((most - 3..=most).contains(&text.len()), "{} bytes", text.len());
        assert!(text.ends_with("é…\nRunbook: https://wiki.example.com/ssh"), "{text}");
        assert!(text.lines().next().unwrap().ends_with("日…") && text.contains("🦀…\n"), "{text}");
    }
    let lost = Transition { runbook: Some(format!("https://h/{}", "x".repeat(600))), ..transition() };
    let text = text(&sent(&chat(ChatService::WeCom, None), &[sample::raise(lost)], false));
    assert!(!text.contains("https://h/"), "a cut link leads nowhere: {text}");
}

#[test]
fn labels_that_do_not_fit_are_counted() {
    let many: Vec<String> = (0..60).map(|n| format!("label_{n:02}")).collect();
    let pairs: Vec<(&str, &str)> =
        many.iter().map(|name| (name.as_str(), "a value of some length")).collect();
    let t = Transition { details: sample::labels(&pairs), ..transition() };
    let text = text(&sent(&chat(ChatService::WeCom, None), &[sample::raise(t)], false));
    let shown = text.lines().filter(|line| line.starts_with("label_")).count();
    assert!(shown > 5 && text.contains(&format!("\n{} more labels\n", 60 - shown)), "{text}");
}

#[test]
fn what_was_too_large_is_said_with_less() {
    let t = Transition { description: "x".repeat(20_000), ..transition() };
    let text = text(&sent(&chat(ChatService::Slack, None), &[sample::raise(t)], true));
    assert!(text.len() < 4_000 && !text.contains("xxx") && !text.contains("user: root"), "{text}");
    assert!(text.contains("src_ip: 187.141.143.180") && text.ends_with("/ssh"), "{text}");
}

/// What an answer means for rows whose texts are `summary`.
fn judged(
    service: ChatService,
    summary: &str,
    rows: usize,
    status: u16,
    body: &str,
    whole: bool,
) -> Vec<Outcome> {
    let row = |n: usize| of_rule("r", n as u8, DeliveryKind::Raise, Status::Critical, summary);
    let rows: Vec<Delivery> = (0..rows).map(row).collect();
    let secrets = secrets(true);
    let unit = Unit {
        rows: &rows,
        secrets: &secrets,
        shrink: false,
        purpose: Purpose::Owed,
        now: Timestamp::from_secs(0),
    };
    let request = request(&chat(service, None), unit);
    let headers = if status == 429 { vec![("retry-after".to_owned(), "7".to_owned())] } else { Vec::new() };
    let answer = Answer { status, headers, body: body.as_bytes().to_vec(), whole };
    classify(service, unit, &request, &answer)
}

/// The class of one row's outcome, with the wait.
fn class(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { .. } => "accepted".to_owned(),
        Outcome::Retry { after: Some(after), .. } => format!("retry {}", after.as_secs()),
        Outcome::Retry { after: None, .. } => "retry".to_owned(),
        Outcome::Suspend { .. } => "suspend".to_owned(),
        Outcome::Shrink { .. } => "shrink".to_owned(),
        Outcome::Alone { .. } => "alone".to_owned(),
        Outcome::Dead { .. } => "dead".to_owned(),
    }
}

fn check(service: ChatService, status: u16, body: &str, expected: &str) {
    let outcomes = judged(service, "x", 1, status, body, true);
    assert_eq!(outcomes.len(), 1);
    assert_eq!(class(&outcomes[0]), expected, "{status} {body}: {outcomes:?}");
}

#[test]
fn answers_of_slack() {
    for (status, body, expected) in [
        (200, "ok", "accepted"),
        (200, "ok\n", "accepted"),
        (200, "", "retry"),
        (200, "okay", "retry"),
        (200, "<html>log in</html>", "retry"),
        (400, "invalid_payload", "dead"),
        (400, "no_text", "dead"),
        (400, "msg_too_long", "shrink"),
        (400, "something_new", "dead"),
        (403, "action_prohibited", "suspend"),
        (403, "invalid_token", "suspend"),
        (404, "no_service", "suspend"),
        (404, "channel_not_found", "suspend"),
        (410, "channel_is_archived", "suspend"),
        (413, "", "shrink"),
        (429, "rate_limited", "retry 7"),
        (429, "", "retry 7"),
        (500, "rollup_error", "retry"),
        (500, "ok", "retry"),
        (503, "", "retry"),
        (302, "ok", "suspend"),
    ] {
        check(ChatService::Slack, status, body, expected);
    }
}

#[test]
fn answers_of_feishu() {
    let said = |code: i64, words: &str| json!({"code": code, "msg": words, "data": {}}).to_string();
    for (status, body, expected) in [
        (200, said(0, "success"), "accepted"),
        (200, r#"{"StatusCode":0,"StatusMessage":"success"}"#.to_owned(), "accepted"),
        (200, said(11232, "frequency limited psm[lark.oapi]"), "retry"),
        (429, said(11232, "frequency limited"), "retry 7"),
        (200, said(9499, "too many request"), "retry"),
        (400, said(9499, "Bad Request"), "shrink"),
        (200, said(19001, "param invalid: incoming webhook access token invalid"), "suspend"),
        (
            200,
            said(19021, "sign match fail or timestamp is not within one hour from current time"),
            "suspend",
        ),
        (200, said(19022, "Ip Not Allowed"), "suspend"),
        (200, said(19024, "Key Words Not Found"), "suspend"),
        (404, "404 page not found".to_owned(), "suspend"),
        (429, String::new(), "retry 7"),
        (413, String::new(), "shrink"),
        (500, said(0, "success"), "retry"),
        (502, "<html>".to_owned(), "retry"),
        (301, said(0, "success"), "suspend"),
        (200, said(77777, "something new"), "retry"),
        (400, said(77777, "something new"), "dead"),
        (200, "{}".to_owned(), "retry"),
        (200, "[0]".to_owned(), "retry"),
        (200, "\u{feff}{\"code\":0}".to_owned(), "retry"),
        (200, String::new(), "retry"),
    ] {
        check(ChatService::Feishu, status, &body, expected);
    }
}

#[test]
fn answers_of_dingtalk() {
    let said = |code: i64, words: &str| json!({"errcode": code, "errmsg": words}).to_string();
    for (body, expected) in [
        (said(0, "ok"), "accepted"),
        (said(130101, "send too fast, exceed 20 times per minute"), "retry 600"),
        (said(410100, "send too fast"), "retry 60"),
        (said(-1, "系统繁忙"), "retry 60"),
        (said(310000, "keywords not in content"), "suspend"),
        (said(310000, "sign not match"), "suspend"),
        (said(310000, "ip 1.2.3.4 not in whitelist"), "suspend"),
        (said(300001, "token is not exist"), "suspend"),
        (said(300005, "token is not exist"), "suspend"),
        (said(400101, "access_token不存在"), "suspend"),
        (said(400102, "机器人已停用"), "suspend"),
        (said(400013, "群已被解散"), "suspend"),
        (said(400106, "机器人不存在"), "suspend"),
        (said(40035, "缺少参数 json"), "dead"),
        (said(43004, "无效的HTTP HEADER Content-Type"), "dead"),
        (said(400105, "不支持的消息类型"), "dead"),
        (said(460101, "message too long, exceed 20000 bytes"), "shrink"),
        (said(77777, "something new"), "retry"),
        ("{\"errcode\":\"0\"}".to_owned(), "retry"),
        ("garbage".to_owned(), "retry"),
    ] {
        check(ChatService::DingTalk, 200, &body, expected);
    }
    check(ChatService::DingTalk, 502, "", "retry");
    check(ChatService::DingTalk, 308, "", "suspend");
}

#[test]
fn answers_of_wecom() {
    let said = |code: i64, words: &str| json!({"errcode": code, "errmsg": words}).to_string();
    for (body, expected) in [
        (said(0, "ok"), "accepted"),
        (said(45009, "api freq out of limit"), "retry 60"),
        (said(45033, "api concurrent out of limit"), "retry 60"),
        (said(-1, "system error"), "retry 60"),
        (said(93000, "invalid webhook url"), "suspend"),
        (said(93004, "robot is disabled"), "suspend"),
        (said(93008, "robot is not in the group"), "suspend"),
        (said(40058, "text.content exceed max length 2048"), "shrink"),
        (said(45002, "content size out of limit"), "shrink"),
        (said(40035, "invalid parameter"), "dead"),
        (said(44004, "empty content"), "dead"),
        (said(77777, "something new"), "retry"),
        ("{\"errmsg\":\"ok\"}".to_owned(), "retry"),
    ] {
        check(ChatService::WeCom, 200, &body, expected);
    }
    check(ChatService::WeCom, 404, "", "suspend");
}

#[test]
fn an_answer_that_broke_off_is_none() {
    for (service, yes) in [
        (ChatService::Slack, "ok"),
        (ChatService::Feishu, r#"{"code":0}"#),
        (ChatService::DingTalk, r#"{"errcode":0}"#),
        (ChatService::WeCom, r#"{"errcode":0}"#),
    ] {
        check(service, 200, yes, "accepted");
        assert_eq!(class(&judged(service, "x", 1, 200, yes, false)[0]), "retry", "{yes}");
    }
}

#[test]
fn log_text_that_an_answer_repeats_decides_nothing() {
    let feishu = |summary: &str, words: &str| {
        class(
            &judged(
                ChatService::Feishu,
                summary,
                1,
                400,
                &json!({"code": 9499, "msg": words}).to_string(),
                true,
            )[0],
        )
    };
    assert_eq!(feishu("too many request", "Bad Request: too many request"), "shrink");
    assert_eq!(feishu("too many request", "too many request"), "retry");
    assert_eq!(feishu("x", "request refused: Too Many Requests"), "retry");
    let dingtalk = |summary: &str, words: &str| {
        let body = json!({"errcode": 77777, "errmsg": words}).to_string();
        class(&judged(ChatService::DingTalk, summary, 1, 200, &body, true)[0])
    };
    assert_eq!(dingtalk("it took too long", "busy with: it took too long"), "retry");
    assert_eq!(dingtalk("x", "the text is too long"), "shrink");
    for service in SERVICES {
        let words = "ok errcode 0 code 0 invalid_token keywords not in content";
        let body = json!({"code": 5, "errcode": 5, "msg": words, "errmsg": words}).to_string();
        assert_eq!(class(&judged(service, words, 1, 200, &body, true)[0]), "retry", "{service:?}");
    }
}

#[test]
fn why_a_robot_takes_nothing_is_said_with_the_way_out() {
    for (words, hint) in [
        ("keywords not in content, more: [DB]", "`keyword` is not one of"),
        ("description:机器人发送签名不匹配", "`secret` is not that of"),
        ("ip not in whitelist", "this machine's address"),
        ("refused", "keyword, signature or address"),
    ] {
        let body = json!({"errcode": 310_000, "errmsg": words}).to_string();
        let outcome = &judged(ChatService::DingTalk, "x", 1, 200, &body, true)[0];
        assert!(matches!(outcome, Outcome::Suspend { why } if why.contains(hint)), "{outcome:?}");
    }
}

#[test]
fn rows_that_were_refused_together_are_tried_one_by_one() {
    for (service, status, body) in [
        (ChatService::Slack, 400, "invalid_payload"),
        (ChatService::DingTalk, 200, r#"{"errcode":40035,"errmsg":"x"}"#),
        (ChatService::WeCom, 200, r#"{"errcode":40058,"errmsg":"x"}"#),
        (ChatService::WeCom, 200, r#"{"errcode":40035,"errmsg":"x"}"#),
    ] {
        let outcomes = judged(service, "x", 3, status, body, true);
        assert_eq!(outcomes.iter().map(class).collect::<Vec<_>>(), ["shrink"; 3], "{body}");
    }
    assert_eq!(judged(ChatService::Slack, "x", 3, 200, "ok", true).len(), 3);
}

#[test]
fn no_part_of_the_address_and_no_secret_is_repeated() {
    let words = format!("{ADDRESS} CANARY-token access_token=CANARY-query CANARY%2Dtoken CANARY-secret");
    for service in SERVICES {
        for (status, code) in [(200, 5), (400, 9499), (200, 310_000), (200, 93_000), (404, 1), (500, 0)] {
            let body = json!({"code": code, "errcode": code, "msg": words, "errmsg": words}).to_string();
            for body in [&body, &words] {
                let shown = format!("{:?}", judged(service, "x", 1, status, body, true));
                assert!(!shown.contains("CANARY"), "{shown}");
            }
        }
    }
}

#[test]
fn only_feishu_wants_to_be_left_alone_at_the_half_hour() {
    for service in [ChatService::Slack, ChatService::Feishu, ChatService::DingTalk, ChatService::WeCom] {
        assert_eq!(limits(service).shuns_half_hours, service == ChatService::Feishu);
    }
}
