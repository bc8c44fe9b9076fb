use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::config::{Config, ReceiverName};
use crate::dispatcher::send_once;
use crate::fixtures::{Request, Server, foreign, notice, reply, time};
use crate::notice::Severity;

/// What a receiver with these fields sends for `notice`; `URL` is where it sends it.
async fn sent(fields: &str, notice: &Notice) -> Request {
    let server = Server::start(|_| reply(200, "", "ok")).await;
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&file, server.url()).unwrap();
    let fields = fields.replace("URL", &server.url()).replace("FILE", file.to_str().unwrap());
    let text = format!("receivers: [{{name: one, {fields}}}]\nroutes: [{{receivers: [one]}}]");
    let config = Config::parse(&text).unwrap();
    send_once(&config, &ReceiverName::parse("one").unwrap(), notice).await.unwrap();
    server.requests().remove(0)
}

#[tokio::test]
async fn alertmanager_is_told_what_holds_and_until_when() {
    let begun = sent("alertmanager: {url: \"URL/prefix/\"}", &notice()).await;
    assert_eq!(begun.line, "POST /prefix/api/v2/alerts");
    let alert = &begun.json()[0];
    let labels = &alert["labels"];
    for (label, value) in [
        ("alertname", "PaygEndAhead"),
        ("occasion", "EndAhead"),
        ("severity", "warning"),
        ("namespace", "team-a"),
        ("subscription", "sandbox"),
        ("account", "123456789012"),
        ("notice", "0d3c/EndAhead/7"),
        ("contacts", ",team-a,"),
    ] {
        assert_eq!(labels[label], value, "{label}");
    }
    assert_eq!(labels.as_object().unwrap().len(), 8);
    assert_eq!(alert["annotations"]["facts"], "Credit left: 12.40 USD\nEnds: 2026-12-08");
    assert_eq!(alert["annotations"]["command"], "payg approve sandbox -n team-a");
    assert_eq!(alert["generatorURL"], "https://payg.example/team-a/sandbox");
    let until = time(alert["endsAt"].as_str().unwrap());
    let left = until.duration_since(jiff::Timestamp::now()).as_hours();
    assert!((25..=26).contains(&left), "an alert that is sent once a day does not end in between: {left} h");

    let ended = Notice { ends: Some(time("2026-12-02T00:00:00Z")), ..notice() };
    let ended = sent("alertmanager: {url: URL}", &ended).await;
    assert_eq!(ended.json()[0]["labels"], *labels, "it is the same alert");
    assert_eq!(ended.json()[0]["endsAt"], "2026-12-02T00:00:00Z");
    let never = Notice { ends: Some(time("2026-11-01T00:00:00Z")), ..notice() };
    let never = sent("alertmanager: {url: URL}", &never).await;
    assert_eq!(never.json()[0]["endsAt"], never.json()[0]["startsAt"], "an alert does not end before it starts");
}

#[tokio::test]
async fn a_structured_event_is_all_in_the_body() {
    let request = sent("cloudEvents: {url: URL, source: /clusters/prod}", &notice()).await;
    assert_eq!(request.header("content-type"), Some("application/cloudevents+json; charset=utf-8"));
    let event = request.json();
    for (name, value) in [
        ("specversion", "1.0"),
        ("id", "0d3c/EndAhead/7"),
        ("source", "/clusters/prod"),
        ("type", "io.payg-operator.notice.EndAhead"),
        ("subject", "team-a/sandbox"),
        ("time", "2026-12-01T10:00:00Z"),
        ("severity", "warning"),
        ("datacontenttype", "application/json"),
    ] {
        assert_eq!(event[name], value, "{name}");
    }
    let data = &event["data"];
    assert_eq!(data["contacts"], serde_json::json!(["jane@example.com", "team-a"]));
    assert_eq!(data["facts"][0], serde_json::json!({"name": "Credit left", "value": "12.40 USD"}));
    assert_eq!((&data["account"], &data["ends"]), (&"123456789012".into(), &Value::Null));
}

#[tokio::test]
async fn a_binary_event_has_its_attributes_in_headers() {
    let ended = Notice { id: "ü \"1\"%".to_owned(), ends: Some(time("2026-12-02T00:00:00Z")), ..notice() };
    let request = sent("cloudEvents: {url: URL, source: /clusters/prod, mode: Binary}", &ended).await;
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "%C3%BC%20%221%22%25/ended"),
        ("ce-source", "/clusters/prod"),
        ("ce-type", "io.payg-operator.notice.EndAhead"),
        ("ce-subject", "team-a/sandbox"),
        ("ce-time", "2026-12-02T00:00:00Z"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(request.json()["ends"], "2026-12-02T00:00:00Z");
}

#[tokio::test]
async fn slack_is_told_in_attachments() {
    let request = sent("slack: {urlFile: FILE}", &notice()).await;
    let message = request.json();
    let attachment = &message["attachments"][0];
    assert_eq!(message["text"], "The trial of sandbox ends in 7 days");
    assert_eq!(
        attachment["text"],
        "The trial ends on 8 December. Approve the upgrade, or what runs in the account stops.\n\
         ```\npayg approve sandbox -n team-a\n```\n\
         Provider: <https://portal.azure.com/#x?a=1&amp;b=2>\nPage: <https://payg.example/team-a/sandbox>"
    );
    assert_eq!(
        attachment["fields"][0],
        serde_json::json!({"title": "Credit left", "value": "12.40 USD", "short": true})
    );
    assert_eq!((&attachment["footer"], &attachment["color"]), (&"team-a/sandbox".into(), &"#e8a317".into()));
}

#[tokio::test]
async fn teams_is_told_by_a_card() {
    let message = sent("teams: {urlFile: FILE}", &notice()).await.json();
    let attachment = &message["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!(card["body"][0]["text"], "The trial of sandbox ends in 7 days");
    assert_eq!(card["body"][3]["facts"][1], serde_json::json!({"title": "Ends", "value": "2026-12-08"}));
    assert_eq!(card["body"][4]["inlines"][0]["text"], "payg approve sandbox -n team-a");
    assert_eq!(card["actions"][0]["url"], "https://portal.azure.com/#x?a=1&b=2");
}

#[tokio::test]
async fn flux_is_told_about_the_object_that_stands_for_the_subscriptions() {
    let fields = "flux: {url: URL, involvedObject: {kind: Kustomization, namespace: flux-system, name: accounts}}";
    let request = sent(fields, &Notice { severity: Severity::Critical, ..notice() }).await;
    assert_eq!(request.line, "POST /");
    let event = request.json();
    let object = serde_json::json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "namespace": "flux-system", "name": "accounts",
    });
    assert_eq!((&event["involvedObject"], &event["severity"]), (&object, &"error".into()));
    assert_eq!((&event["reason"], &event["reportingController"]), (&"EndAhead".into(), &"payg-operator".into()));
    assert_eq!(event["metadata"]["kustomize.toolkit.fluxcd.io/subscription"], "team-a/sandbox");
    assert_eq!(sent(fields, &notice()).await.json()["severity"], "error");
    assert_eq!(sent(fields, &Notice { severity: Severity::Info, ..notice() }).await.json()["severity"], "info");
}

#[test]
fn a_mail_says_it_in_plain_text_and_in_html() {
    let address = |text: &str| crate::MailAddress::parse(text).unwrap();
    let (from, to) = (address("payg@example.com"), address("jane@example.com"));
    let mail =
        |notice: &Notice| String::from_utf8(crate::mail::message(notice, &from, &to).unwrap().formatted()).unwrap();
    let text = mail(&notice());
    for part in [
        "From: payg-operator <payg@example.com>\r\n",
        "To: jane@example.com\r\n",
        "Subject: The trial of sandbox ends in 7 days\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Content-Type: multipart/alternative;",
        "Credit left: 12.40 USD\r\n",
        "    payg approve sandbox -n team-a\r\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(crate::mail::html(&notice()).contains("<tr><td>Credit left</td><td>12.40 USD</td></tr>"));
    let id = |text: &str| text.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
    assert!(id(&text).ends_with("@example.com>"));
    assert_eq!(
        id(&text),
        id(&mail(&Notice { title: "Else".to_owned(), ..notice() })),
        "the same notice is the same mail"
    );
    assert_ne!(id(&text), id(&mail(&Notice { id: "else".to_owned(), ..notice() })));
}

/// All texts in `value`.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What clients make links and mentions of, and what is markup.
fn is_harmless(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    let host =
        letters.windows(3).any(|three| three[1] == '.' && three[0].is_alphanumeric() && three[2].is_alphabetic());
    !host && !text.contains("://") && !text.contains(['@', '#', '[', ']', '<', '>', '`', '*', '\n', '\r'])
}

fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<!channel>",
        "<@U123>",
        "<https://evil.example|here>",
        "https://evil.example",
        "evil.example",
        "www.evil.com",
        "@here",
        "[x](https://evil.example)",
        "![i](//e.vil)",
        "`",
        "```",
        "\r\nBcc: x@evil.example",
        "<a href=x>",
        "<at>all</at>",
        "*b*",
        "mailto:a@b.cd",
        "~town-square",
        "#general",
        "\u{202e}",
        "\u{200b}",
        "&lt;",
        "javascript:x",
        "ａ.ｂ",
        "é.é",
        " ",
        "x",
        ":",
        "/",
        ".",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat()),
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(vec!['a', 'é', '.', ':', '/', '@', '<', '>', '|', '\\', '[', '(', '#', '~', '1']),
            0..30
        )
        .prop_map(String::from_iter),
    ]
}

proptest! {
    #[test]
    fn no_foreign_text_makes_a_link_a_mention_or_markup_in_chats(text in hostile()) {
        let notice = foreign(&text);
        let mut found = Vec::new();
        let slack = slack::message(&notice);
        for part in [&slack["text"], &slack["attachments"][0]["text"], &slack["attachments"][0]["fallback"], &slack["attachments"][0]["fields"][0]["value"]] {
            found.push(part.as_str().unwrap().replace("&lt;", "").replace("&gt;", "").replace("&amp;", "&"));
        }
        let card = teams::message(&notice);
        for block in card["attachments"][0]["content"]["body"].as_array().unwrap() {
            texts(&block["text"], &mut found);
            texts(&block["facts"], &mut found);
        }
        for text in found {
            prop_assert!(is_harmless(&text), "{text:?}");
            prop_assert!(!text.chars().any(payg_text::is_hidden), "{text:?}");
        }
    }

    #[test]
    fn no_foreign_text_makes_a_link_or_a_mention_through_alertmanager_and_flux(text in hostile()) {
        let notice = foreign(&text);
        let mut found = Vec::new();
        texts(&alertmanager::alert(&notice, notice.starts)["annotations"], &mut found);
        found.push(alertmanager::alert(&notice, notice.starts)["labels"]["account"].as_str().unwrap().to_owned());
        for text in flux::message(&notice).split('\n') {
            found.push(text.to_owned());
        }
        for text in found {
            prop_assert!(is_harmless(&text), "{text:?}");
        }
    }

    #[test]
    fn no_foreign_text_adds_a_header_or_an_element_to_a_mail(text in hostile()) {
        let address = |text: &str| crate::MailAddress::parse(text).unwrap();
        let (from, to) = (address("payg@example.com"), address("jane@example.com"));
        let mail = |notice: &Notice| crate::mail::message(notice, &from, &to).unwrap();
        let (plain, hostile) = (mail(&foreign("x")), mail(&foreign(&text)));
        prop_assert_eq!(hostile.envelope(), plain.envelope());
        let names = |mail: &lettre::Message| -> Vec<String> {
            let formatted = String::from_utf8(mail.formatted()).unwrap();
            let head = formatted.split_once("\r\n\r\n").unwrap().0.to_owned();
            let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
            lines.map(|line| line.split(':').next().unwrap().to_owned()).collect()
        };
        prop_assert_eq!(names(&hostile), names(&plain));
        let elements = |notice: &Notice| crate::mail::html(notice).matches('<').count();
        prop_assert_eq!(elements(&foreign(&text)), elements(&foreign("x")));
    }

    /// Teams takes 28 KB.
    #[test]
    fn no_message_is_too_large(letter in any::<char>(), facts in 0_usize..40) {
        let long = String::from(letter).repeat(5000);
        let mut notice = foreign(&long);
        notice.facts = vec![("Offer", long); facts];
        for message in [slack::message(&notice), teams::message(&notice), serde_json::json!([alertmanager::alert(&notice, notice.starts)])] {
            prop_assert!(message.to_string().len() < 28 << 10, "{}", message.to_string().len());
        }
    }
}
