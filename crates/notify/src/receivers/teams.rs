//! Microsoft Teams: an Adaptive Card for the webhook of a workflow:
//! <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#send-adaptive-cards-using-an-incoming-webhook>.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::dispatcher::SendError;
use crate::endpoint::{Endpoint, Poster};
use crate::foreign::{LONGEST_TEXT, LONGEST_TITLE, LONGEST_VALUE, MOST_FACTS, command, unmarked};
use crate::notice::{Notice, Severity};
use crate::receivers::{Receiver, json_headers};

pub(crate) struct Teams(Poster);

impl Teams {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self(Poster::new(endpoint))
    }
}

#[async_trait]
impl Receiver for Teams {
    async fn send(&self, notice: &Notice) -> Result<(), SendError> {
        self.0.post(&[], json_headers(), message(notice).to_string()).await
    }
}

pub(super) fn message(notice: &Notice) -> Value {
    json!({
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card(notice)}],
    })
}

fn card(notice: &Notice) -> Value {
    let facts = notice.facts.iter().take(MOST_FACTS);
    let facts: Vec<Value> =
        facts.map(|(name, value)| json!({"title": name, "value": unmarked(value, LONGEST_VALUE)})).collect();
    let about = format!("{}/{}", unmarked(&notice.namespace, LONGEST_VALUE), unmarked(&notice.name, LONGEST_VALUE));
    let mut body = vec![
        json!({
            "type": "TextBlock", "text": unmarked(&notice.title, LONGEST_TITLE), "wrap": true,
            "size": "Large", "weight": "Bolder", "color": color(notice.severity),
        }),
        json!({"type": "TextBlock", "text": about, "wrap": true, "isSubtle": true, "spacing": "None"}),
        json!({"type": "TextBlock", "text": unmarked(&notice.text, LONGEST_TEXT), "wrap": true}),
        json!({"type": "FactSet", "facts": facts}),
    ];
    if let Some(line) = &notice.command {
        // A text run knows no markup, so a command stays as it is.
        let run = json!({"type": "TextRun", "text": command(line), "fontType": "Monospace"});
        body.push(json!({"type": "RichTextBlock", "inlines": [run]}));
    }
    let actions = [("Open at the provider", &notice.link), ("Open the page", &notice.page)];
    let actions = actions.into_iter().filter_map(|(title, url)| Some((title, url.as_ref()?)));
    let actions: Vec<Value> =
        actions.map(|(title, url)| json!({"type": "Action.OpenUrl", "title": title, "url": url.as_str()})).collect();
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": actions,
    })
}

fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Accent",
        Severity::Warning => "Warning",
        Severity::Critical => "Attention",
    }
}
