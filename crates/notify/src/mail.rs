//! A notice as a mail: plain text, and the same in HTML.

use lettre::Message;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use sha2::{Digest, Sha256};

use crate::contact::MailAddress;
use crate::foreign::{LONGEST_TEXT, LONGEST_TITLE, LONGEST_VALUE, MOST_FACTS, entities, line, plain};
use crate::notice::Notice;

/// That no person wrote it, so that no machine answers: RFC 3834.
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The mail of `notice`; fails with what is wrong with it.
pub(crate) fn message(notice: &Notice, from: &MailAddress, to: &MailAddress) -> Result<Message, String> {
    let mailbox = |address: &MailAddress, name: Option<&str>| {
        let parsed =
            address.to_string().parse().map_err(|_| format!("{address} is no address that mail can be sent to"));
        Ok::<_, String>(Mailbox::new(name.map(str::to_owned), parsed?))
    };
    let message = Message::builder()
        .from(mailbox(from, Some("payg-operator"))?)
        .to(mailbox(to, None)?)
        .subject(line(&notice.title, LONGEST_TITLE))
        .message_id(Some(message_id(notice, from)))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(text(notice), html(notice)));
    message.map_err(|error| format!("no mail can be made of it: {error}"))
}

/// The same for the same notice, so that a mail that is sent again is seen to be the same.
fn message_id(notice: &Notice, from: &MailAddress) -> String {
    let hash = Sha256::digest(notice.id.as_bytes());
    let hash: Vec<_> = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let hash = hash.concat();
    format!("<{hash}@{}>", from.domain())
}

fn text(notice: &Notice) -> String {
    let mut text = format!("{}\n", plain(&notice.text, LONGEST_TEXT));
    let facts = notice.facts.iter().take(MOST_FACTS);
    let facts: Vec<_> = facts.map(|(name, value)| format!("{name}: {}\n", plain(value, LONGEST_VALUE))).collect();
    if !facts.is_empty() {
        text = format!("{text}\n{}", facts.concat());
    }
    if let Some(command) = &notice.command {
        text = format!("{text}\nRun:\n    {}\n", line(command, LONGEST_TEXT));
    }
    for (what, url) in [("Provider", &notice.link), ("Page", &notice.page)] {
        if let Some(url) = url {
            text = format!("{text}\n{what}: {url}\n");
        }
    }
    format!("{text}\n-- \n{}\n", about(notice))
}

pub(crate) fn html(notice: &Notice) -> String {
    let safe = |text: &str, longest| entities(&plain(text, longest));
    let facts = notice.facts.iter().take(MOST_FACTS);
    let facts: Vec<_> = facts
        .map(|(name, value)| format!("<tr><td>{}</td><td>{}</td></tr>", entities(name), safe(value, LONGEST_VALUE)))
        .collect();
    let mut html = format!(
        "<!DOCTYPE html><html><body><h3>{}</h3><p>{}</p><table cellpadding=\"4\">{}</table>",
        safe(&notice.title, LONGEST_TITLE),
        safe(&notice.text, LONGEST_TEXT),
        facts.concat()
    );
    if let Some(command) = &notice.command {
        html = format!("{html}<p>Run:</p><pre>{}</pre>", entities(&line(command, LONGEST_TEXT)));
    }
    for (what, url) in [("Open at the provider", &notice.link), ("Open the page", &notice.page)] {
        if let Some(url) = url {
            html = format!("{html}<p><a href=\"{}\">{what}</a></p>", entities(url.as_str()));
        }
    }
    format!("{html}<p><small>{}</small></p></body></html>", entities(&about(notice)))
}

/// Which Subscription it is about.
fn about(notice: &Notice) -> String {
    let (namespace, name) = (plain(&notice.namespace, LONGEST_VALUE), plain(&notice.name, LONGEST_VALUE));
    format!("payg-operator, about Subscription {namespace}/{name}, account {}", plain(&notice.account, LONGEST_VALUE))
}
