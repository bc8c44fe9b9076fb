//! Alertmanager, by its API v2:
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use payg_clock::Clock;
use serde_json::{Map, Value, json};

use crate::contact::Contact;
use crate::dispatcher::SendError;
use crate::endpoint::{Endpoint, Poster};
use crate::foreign::{LONGEST_TEXT, LONGEST_TITLE, LONGEST_VALUE, MOST_FACTS, command, line, unmarked};
use crate::notice::Notice;
use crate::receivers::{Receiver, json_headers};

/// An alert that nobody sends again is resolved after this. What holds is sent at least once a day.
const KEPT: SignedDuration = SignedDuration::from_hours(26);

pub(crate) struct Alertmanager {
    poster: Poster,
    clock: Clock,
}

impl Alertmanager {
    pub(crate) fn new(endpoint: Endpoint, clock: Clock) -> Self {
        Self { poster: Poster::new(endpoint), clock }
    }
}

#[async_trait]
impl Receiver for Alertmanager {
    async fn send(&self, notice: &Notice) -> Result<(), SendError> {
        let alerts = json!([alert(notice, self.clock.wall())]);
        self.poster.post(&["api", "v2", "alerts"], json_headers(), alerts.to_string()).await
    }
}

/// The labels are what the alert is known by, so they say nothing that changes while it holds.
pub(super) fn alert(notice: &Notice, now: Timestamp) -> Value {
    let mut labels = Map::new();
    let mut label = |name: &str, value: String| {
        labels.insert(name.to_owned(), value.into());
    };
    label("alertname", format!("Payg{}", notice.occasion));
    label("occasion", notice.occasion.to_string());
    label("severity", notice.severity.to_string());
    label("namespace", line(&notice.namespace, LONGEST_VALUE));
    label("subscription", line(&notice.name, LONGEST_VALUE));
    label("account", unmarked(&notice.account, LONGEST_VALUE));
    label("notice", line(&notice.id, LONGEST_VALUE));
    label("contacts", words(&notice.contacts));
    let ends = notice.ends.unwrap_or_else(|| now.saturating_add(KEPT).unwrap_or(now));
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations(notice),
        "startsAt": notice.starts.to_string(),
        "endsAt": ends.max(notice.starts).to_string(),
    });
    if let Some(url) = notice.page.as_ref().or(notice.link.as_ref()) {
        alert["generatorURL"] = url.as_str().into();
    }
    alert
}

/// Templates show them as they are, in Slack too.
fn annotations(notice: &Notice) -> Map<String, Value> {
    let facts = notice.facts.iter().take(MOST_FACTS);
    let facts: Vec<_> = facts.map(|(name, value)| format!("{name}: {}", unmarked(value, LONGEST_VALUE))).collect();
    let annotations = [
        ("summary", unmarked(&notice.title, LONGEST_TITLE)),
        ("description", unmarked(&notice.text, LONGEST_TEXT)),
        ("facts", facts.join("\n")),
        ("command", notice.command.as_deref().map(command).unwrap_or_default()),
        ("link", notice.link.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("page", notice.page.as_ref().map(ToString::to_string).unwrap_or_default()),
    ];
    let there = annotations.into_iter().filter(|(_, value)| !value.is_empty());
    there.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// The words among the contacts, with a comma around each, so that `.*,team-a,.*` finds one. Empty, which is no label, if
/// there are none.
fn words(contacts: &[Contact]) -> String {
    let words = contacts.iter().filter_map(|contact| match contact {
        Contact::Word(word) => Some(format!("{word},")),
        Contact::Mail(_) => None,
    });
    let words: String = words.collect();
    if words.is_empty() { words } else { format!(",{words}") }
}
