//! `type = "slack"`, `"feishu"`, `"dingtalk"` and `"wecom"`.

use super::Reading;
use super::address::Form;
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
    if let Some(said) = fields.text("url")
        && reading.address(&said, form).is_none()
    {
        return Vec::new();
    }
    reading.not_blank(&["keyword"]);
    if let Some(said) = fields.text("keyword").filter(|said| said.text.len() > KEYWORD) {
        let title = format!("`keyword` has {} bytes", said.text.len());
        reading.problems.error("out-of-range", said.span, title, format!("at most {KEYWORD} are allowed"));
    }
    reading.secret(SECRET, None, false);
    if !reading.secret(asked, None, true) {
        return Vec::new();
    }
    let keyword = fields.text("keyword").map(|keyword| keyword.text.to_owned());
    vec![(String::new(), Peer::Chat(Chat { service, keyword }))]
}
