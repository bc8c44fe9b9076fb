//! Notices are taken by the real receivers: Alertmanager, a mail server, CloudEvents' own SDK and Flux's own type of an event.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod alertmanager;
mod cloud_events;
mod flux;
mod mail;
mod operator;
mod programs;
mod receiver;

use std::collections::BTreeMap;

use jiff::Timestamp;
use payg_notify::{Config, Contact, Notice, Occasion, ReceiverName, SendError, Severity};

/// A notice with everything in it, and with foreign text that would be a link, a mention and markup.
fn notice() -> Notice {
    Notice {
        id: "0d3c/EndAhead/7".to_owned(),
        occasion: Occasion::EndAhead,
        severity: Severity::Warning,
        starts: Timestamp::now(),
        ends: None,
        moot_after: None,
        namespace: "team-a".to_owned(),
        name: "sandbox".to_owned(),
        uid: "0d3c".to_owned(),
        labels: BTreeMap::new(),
        contacts: Contact::parse_list("jane@example.com, team-a").unwrap(),
        account: "123456789012".to_owned(),
        title: "The trial of “Zoë’s <b>lab</b>” ends in 7 days".to_owned(),
        text: "Approve the upgrade, or what runs in the account stops. https://evil.example <!channel> @here"
            .to_owned(),
        facts: vec![("Credit left", "12.40 USD".to_owned()), ("Offer", "<a href=x>Free</a>".to_owned())],
        command: Some("payg approve sandbox -n team-a".to_owned()),
        link: Some("https://portal.azure.com/#x?a=1&b=2".parse().unwrap()),
        page: Some("https://payg.example/team-a/sandbox".parse().unwrap()),
    }
}

/// The file of one receiver, `one`, with these fields, that gets everything.
fn config(fields: &str) -> Config {
    let text =
        format!("mailDomains: [example.com]\nreceivers: [{{name: one, {fields}}}]\nroutes: [{{receivers: [one]}}]");
    Config::parse(&text).unwrap()
}

async fn send(config: &Config, notice: &Notice) -> Result<(), SendError> {
    // Another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    payg_notify::send_once(config, &ReceiverName::parse("one").unwrap(), notice).await
}
