//! Four groups of people who read along.

use super::LOAD;
use crate::support::sandbox::{Peer, Sandbox, told};
use crate::support::script::{Received, Step};

/// Unlike anything that may stand in an output by chance.
const TOKEN: &str = "C4n4ryT0ken123456789";

/// Deployments.
const DEPLOY: &str = r#"
[[rule]]
name          = "deploy"
source        = "app"
kind          = "change"
match         = 'deploy (?<app>\S+)'
change_key    = "{app}"
change_status = "Done"
summary       = "{app} is there"
"#;

/// Who would call everybody, if it were not escaped.
const HOST: &str = "<!channel><at/><@all>@13800000000";

/// A service that tells groups.
pub(super) struct Chat {
    /// The type of its sinks.
    pub(super) kind: &'static str,
    /// The way to a group, without its token.
    path: &'static str,
    /// Its answer to what it takes.
    pub(super) yes: &'static str,
    /// [`HOST`] as it is written there.
    host: &'static str,
}

pub(super) const CHATS: [Chat; 4] = [
    Chat {
        kind: "slack",
        path: "/services/T0/B0/",
        yes: "ok",
        host: "&lt;!channel&gt;&lt;at/&gt;&lt;@all&gt;@13800000000",
    },
    Chat {
        kind: "feishu",
        path: "/open-apis/bot/v2/hook/",
        yes: r#"{"code":0,"msg":"success","data":{}}"#,
        host: "＜!channel>＜at/>＜@all>@13800000000",
    },
    Chat {
        kind: "dingtalk",
        path: "/robot/send?access_token=",
        yes: r#"{"errcode":0,"errmsg":"ok"}"#,
        host: "<!channel><at/><＠all>＠13800000000",
    },
    Chat {
        kind: "wecom",
        path: "/cgi-bin/webhook/send?key=",
        yes: r#"{"errcode":0,"errmsg":"ok"}"#,
        host: "＜!channel>＜at/>＜@all>@13800000000",
    },
];

/// The lines of a text that say how something stands, by their marks.
fn stands(request: &Received) -> Vec<String> {
    let body = told(request);
    let places = [&body["text"], &body["content"]["text"], &body["text"]["content"]];
    let text = places.into_iter().find_map(|place| place.as_str()).expect("a text is in it").to_owned();
    assert!(text.starts_with("[prod] "), "the keyword is missing: {text}");
    let lines = text.lines().map(|line| line.trim_start_matches("[prod] "));
    let marked = lines.filter(|line| line.starts_with(['🔴', '🟠', '✅', '🔧']));
    marked.map(str::to_owned).collect()
}

#[test]
fn four_chats_are_told_the_same_story_and_nobody_is_called() {
    let sandbox = Sandbox::new();
    let mut config = "state_dir = 'state'\n[admin]\nlisten = 'off'\n[[source]]\nname = 'app'\n\
                      files = ['app.log']\nstart = 'beginning'\n"
        .to_owned();
    let peers: Vec<Peer> = CHATS
        .iter()
        .map(|Chat { kind, path, yes, .. }| {
            let answer = || Step::Answer { status: 200, headers: Vec::new(), body: (*yes).to_owned() };
            // A refusal that looks like a success comes first.
            let busy =
                (*kind == "feishu").then(|| Step::json(200, r#"{"code":11232,"msg":"frequency limited"}"#));
            let peer = Peer::new(busy.into_iter().chain((0..20).map(|_| answer())));
            config.push_str(&format!(
                "[[sink]]\nname = '{kind}'\ntype = '{kind}'\nurl_file = '{kind}.url'\nkeyword = '[prod]'\n"
            ));
            sandbox.write(&format!("{kind}.url"), format!("{}{path}{TOKEN}\n", peer.url()));
            peer
        })
        .collect();
    let config = config.replace("type = 'dingtalk'\n", "type = 'dingtalk'\nsecret_file = 'secret'\n");
    let config = config.replace("type = 'feishu'\n", "type = 'feishu'\nsecret_file = 'secret'\n");
    sandbox.write("secret", "C4n4ryS3cret\n");
    sandbox.write("tripline.toml", &config);
    sandbox.write("rules/r.toml", format!("{LOAD}{DEPLOY}"));
    sandbox.write("app.log", "");

    let mut running = sandbox.start(&["run"]);
    running.says("following");
    let all = |mark: &str| {
        for (peer, Chat { kind, .. }) in peers.iter().zip(CHATS) {
            peer.wait_until(&format!("`{mark}` at {kind}"), |requests| {
                requests.iter().flat_map(stands).any(|line| line.starts_with(mark))
            });
        }
    };
    sandbox.append("app.log", format!("load {HOST} 60\n"));
    all("🟠 Warning");
    sandbox.append("app.log", format!("load {HOST} 95\n"));
    all("🔴 Critical");
    sandbox.append("app.log", format!("load {HOST} 61\n"));
    all("🟠 Warning (was critical)");
    sandbox.append("app.log", format!("calm {HOST}\ndeploy api\n"));
    all("✅ Resolved");
    all("🔧 Change");
    let finished = running.stop().expect(0);

    for (peer, Chat { kind, host, .. }) in peers.iter().zip(CHATS) {
        let received = peer.received();
        let mut story: Vec<String> = received.iter().flat_map(stands).collect();
        // What was put off is said again.
        story.dedup();
        assert_eq!(story.len(), 5, "{kind}: {story:#?}");
        assert_eq!(story[0], format!("🟠 Warning: the load of {host}"), "{kind}");
        assert_eq!(story[1], format!("🔴 Critical (was warning): the load of {host}"), "{kind}");
        assert_eq!(story[2], format!("🟠 Warning (was critical): the load of {host}"), "{kind}");
        // These may come in one text or in two, in any order.
        let last = story[3..].join("\n");
        assert!(last.contains("✅ Resolved") && last.contains("🔧 Change"), "{kind}: {last}");
        assert!(last.contains("api is there") && last.contains(host), "{kind}: {last}");
        let signed = received.iter().all(|request| match kind {
            "dingtalk" => request.head.contains("&timestamp=") && request.head.contains("&sign="),
            "feishu" => told(request)["sign"].is_string(),
            _ => true,
        });
        assert!(signed, "{kind}");
    }
    for (place, text) in [("stdout", finished.answer()), ("stderr", finished.talk())] {
        assert!(!text.contains("C4n4ry"), "a secret is in {place}: {text}");
    }
    let state = sandbox.read("state/state.redb");
    assert!(!state.windows(6).any(|bytes| bytes == b"C4n4ry"), "a secret is in the state");
}
