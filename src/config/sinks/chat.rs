//! `type = "slack"`, `"feishu"`, `"dingtalk"` and `"wecom"`.

use super::Reading;
use super::address::{Address, Form};
use super::secret::Asked;
use crate::settings::{Chat, ChatService, Peer};

/// Most bytes of a keyword: it is said with everything, and some texts are short.
const KEYWORD: usize = 64;

const SECRET: Asked = Asked {
    key: "secret",
    env: "secret_env",
    file: "secret_file",
    called: "secret to sign with",
    example: "CHAT_SECRET",
    danger: "whoever reads this file can sign in our name",
};

/// Where the group is, with an address that would be right.
const fn form(example: &'static str) -> Form {
    Form {
        key: "url",
        example,
        or: ", as it is shown where the bot is made",
        parameter: None,
        carries: "alerts",
    }
}

/// The address is itself the key: whoever has it can write to the group.
fn address(example: &'static str) -> Asked {
    Asked {
        key: "url",
        env: "url_env",
        file: "url_file",
        called: "address",
        example,
        danger: "whoever reads this file can write to the group",
    }
}

/// Why no group of this service is there, as far as an address shows it. Groups of other hosts are behind a relay.
fn misplaced(service: ChatService, address: &Address) -> Option<String> {
    let (_, rest) = address.url.split_once("://")?;
    let path = rest.strip_prefix(address.host.as_str())?;
    let has = |parameter: &str| {
        path.contains(&format!("?{parameter}=")) || path.contains(&format!("&{parameter}="))
    };
    let of = match address.host.as_str() {
        "hooks.slack.com" => ChatService::Slack,
        "open.feishu.cn" | "open.larksuite.com" => ChatService::Feishu,
        "oapi.dingtalk.com" => ChatService::DingTalk,
        "qyapi.weixin.qq.com" => ChatService::WeCom,
        _ => return None,
    };
    match of {
        other if other != service => Some("`url` is an address of another service".to_owned()),
        ChatService::DingTalk if !has("access_token") => Some("`url` has no `access_token`".to_owned()),
        ChatService::WeCom if !has("key") => Some("`url` has no `key`".to_owned()),
        _ if path.trim_matches('/').is_empty() => Some("`url` has no path".to_owned()),
        _ => None,
    }
}

pub(super) fn read(reading: &mut Reading<'_, '_, '_, '_>, service: ChatService) -> Vec<(String, Peer)> {
    let fields = reading.fields;
    let (form, asked) = match service {
        ChatService::Slack => (form("https://hooks.slack.com/services/T0/B0/X"), address("SLACK_URL")),
        ChatService::Feishu => {
            (form("https://open.feishu.cn/open-apis/bot/v2/hook/X"), address("FEISHU_URL"))
        }
        ChatService::DingTalk => {
            (form("https://oapi.dingtalk.com/robot/send?access_token=X"), address("DINGTALK_URL"))
        }
        ChatService::WeCom => {
            (form("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=X"), address("WECOM_URL"))
        }
    };
    // One that comes from elsewhere is looked at when it is read.
    let said = fields.text("url");
    let read = said.as_ref().and_then(|said| reading.address(said, form));
    if let (Some(said), Some(address)) = (&said, &read)
        && let Some(title) = misplaced(service, address)
    {
        reading.problems.error("bad-url", said.span.clone(), title, "not the address of a group").help =
            Some(format!("write it like `\"{}\"`{}", form.example, form.or));
    }
    reading.not_blank(&["keyword"]);
    if let Some(said) = fields.text("keyword").filter(|said| said.text.len() > KEYWORD) {
        let title = format!("`keyword` has {} bytes", said.text.len());
        reading.problems.error("out-of-range", said.span, title, format!("at most {KEYWORD} are allowed"));
    }
    // Of the others it is an unknown key, which has been said.
    if matches!(service, ChatService::Feishu | ChatService::DingTalk) {
        reading.secret(SECRET, None, false);
    }
    let is_wrong = said.is_some() && read.is_none();
    if is_wrong || !reading.secret(asked, None, true) {
        return Vec::new();
    }
    let keyword = fields.text("keyword").map(|keyword| keyword.text.to_owned());
    vec![(String::new(), Peer::Chat(Chat { service, keyword }))]
}
