//! Incoming webhooks of Slack, and of those who take the same: Mattermost, Discord (`/slack`), Rocket.Chat. They share the
//! attachments of <https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>, and not the blocks.

use async_trait::async_trait;
use serde_json::{Value, json};
use url::Url;

use crate::dispatcher::SendError;
use crate::endpoint::{Endpoint, Poster};
use crate::foreign::{LONGEST_TEXT, LONGEST_TITLE, LONGEST_VALUE, MOST_FACTS, command, unmarked};
use crate::notice::{Notice, Severity};
use crate::receivers::{Receiver, json_headers};

pub(crate) struct Slack(Poster);

impl Slack {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self(Poster::new(endpoint))
    }
}

#[async_trait]
impl Receiver for Slack {
    async fn send(&self, notice: &Notice) -> Result<(), SendError> {
        self.0.post(&[], json_headers(), message(notice).to_string()).await
    }
}

pub(super) fn message(notice: &Notice) -> Value {
    let facts = notice.facts.iter().take(MOST_FACTS);
    let fields: Vec<Value> =
        facts.map(|(name, value)| json!({"title": name, "value": safe(value, LONGEST_VALUE), "short": true})).collect();
    let title = safe(&notice.title, LONGEST_TITLE);
    let footer = format!("{}/{}", safe(&notice.namespace, LONGEST_VALUE), safe(&notice.name, LONGEST_VALUE));
    let text = text(notice);
    json!({
        "text": title,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "attachments": [{
            "color": color(notice.severity),
            "fallback": title,
            "text": text,
            "fields": fields,
            "footer": footer,
            "ts": notice.starts.as_second(),
            "mrkdwn_in": ["text"],
        }],
    })
}

fn text(notice: &Notice) -> String {
    let command = notice.command.as_ref().map(|line| format!("```\n{}\n```", escaped(&command(line))));
    let link = notice.link.as_ref().map(|url| format!("Provider: <{}>", address(url)));
    let page = notice.page.as_ref().map(|url| format!("Page: <{}>", address(url)));
    let text = safe(&notice.text, LONGEST_TEXT);
    [Some(text), command, link, page].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn safe(text: &str, longest: usize) -> String {
    escaped(&unmarked(text, longest))
}

/// The three characters that mean something, by <https://docs.slack.dev/messaging/formatting-message-text>.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Between `<` and `>`, what is after a `|` would be the text of the link.
fn address(url: &Url) -> String {
    escaped(&url.as_str().replace('|', "%7C"))
}

fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#2f6fdb",
        Severity::Warning => "#e8a317",
        Severity::Critical => "#d0021b",
    }
}
