use std::time::Duration;

use super::server::{Reply, Request, Server, error, json, reply};
use super::upgrades::{seconds_from_now, upgrade_with};
use super::{DEADLINE, TOKEN, account, azure, settings};
use crate::azure::{Settings, UpgradeMethod};
use crate::{Accepted, BillingProvider};
use payg_core::provider::Operation;

const PATH: &str = "/anywhere/1?api-version=2031-01-01&x=%2F";

/// What is taken from a 202 with these headers; `{broker}` in them is the broker.
async fn accepted(headers: &str) -> (Accepted, Server) {
    let headers = headers.to_owned();
    let server = Server::granting(move |request| {
        let broker = format!("https://{}", request.header("host").unwrap());
        let headers = format!("content-type: application/json\r\n{headers}").replace("{broker}", &broker);
        reply(202, &headers, r#"{"status": "InProgress"}"#)
    })
    .await;
    (upgrade_with(settings(&server), seconds_from_now(30), DEADLINE).await.unwrap(), server)
}

#[tokio::test]
async fn the_first_address_that_is_named_is_kept() {
    let [one, two, three] =
        ["azure-asyncoperation: {broker}/1", "operation-location: {broker}/2", "location: {broker}/3"];
    for (headers, path) in [
        (format!("{three}\r\n{two}\r\n{one}\r\n"), "/1"),
        (format!("{three}\r\n{two}\r\n"), "/2"),
        (format!("{three}\r\n"), "/3"),
        (format!("location: {{broker}}{PATH}\r\n"), PATH),
    ] {
        let (accepted, server) = accepted(&headers).await;
        assert_eq!(accepted.operation, Some(server.url(path).to_string()), "{headers}");
    }
    let (accepted, _) = accepted("").await;
    assert_eq!((accepted.operation, accepted.retry_after), (None, None));
    assert_eq!(accepted.message, r#"the broker answered HTTP 202 Accepted with the status "InProgress""#);
}

#[tokio::test]
async fn the_pause_may_be_seconds_or_a_date() {
    for (header, seconds) in [
        ("7", Some(7)),
        ("Sun, 02 Feb 2025 03:04:35 GMT", Some(30)),
        ("Sun, 02 Feb 2025 03:04:00 GMT", Some(0)),
        ("soon", None),
    ] {
        let (accepted, _) = accepted(&format!("retry-after: {header}\r\n")).await;
        assert_eq!(accepted.retry_after, seconds.map(Duration::from_secs), "{header}");
    }
}

#[tokio::test]
async fn an_address_elsewhere_is_not_kept() {
    let too_long = format!("{{broker}}/{}", "x".repeat(2048));
    for (address, odd) in [
        ("https://127.0.0.1:1/1", "is not on https://127.0.0.1:"),
        ("https://evil.example/1", "is not on https://127.0.0.1:"),
        ("https://127.0.0.1.evil.example/1", "is not on https://127.0.0.1:"),
        ("http://127.0.0.1/1", "is not on https://127.0.0.1:"),
        ("file:///etc/passwd", "is not on https://127.0.0.1:"),
        ("/broker/1", "is not an absolute URL"),
        ("{broker}/1#fragment", "a fragment"),
        ("{user}/1", "a user"),
        (&too_long, "is longer than 2048 bytes"),
    ] {
        let (accepted, server) = accepted_at(address).await;
        assert_eq!(accepted.operation, None, "{address}");
        let message = &accepted.message;
        assert!(message.contains(odd) && !message.contains("evil"), "{address}: {message}");
        assert_eq!(server.requests().len(), 1);
    }
}

async fn accepted_at(address: &str) -> (Accepted, Server) {
    let address = address.to_owned();
    let server = Server::granting(move |request| {
        let host = request.header("host").unwrap();
        let address = address.replace("{broker}", &format!("https://{host}"));
        let address = address.replace("{user}", &format!("https://user:password@{host}"));
        reply(202, &format!("azure-asyncoperation: {address}\r\nlocation: https://{host}/2\r\n"), "")
    })
    .await;
    (upgrade_with(settings(&server), seconds_from_now(30), DEADLINE).await.unwrap(), server)
}

#[tokio::test]
async fn a_state_in_the_answer_to_the_request_proves_no_more_than_that_it_was_taken() {
    for (status, state) in [(200, "Succeeded"), (201, "Failed"), (202, "Canceled"), (200, "AlreadyConverted")] {
        let server = Server::granting(move |_| json(status, &format!(r#"{{"status": "{state}"}}"#))).await;
        let accepted = upgrade_with(settings(&server), seconds_from_now(30), DEADLINE).await.unwrap();
        assert!(accepted.message.contains(state), "a person may want to know: {}", accepted.message);
        assert_eq!(accepted.operation, None);
    }
}

/// What `answer` at the address of an operation means, and the request for it.
async fn progress(answer: Reply) -> (Operation, Vec<Request>) {
    let server = Server::granting(move |_| answer.clone()).await;
    let azure = azure(settings(&server), UpgradeMethod::Broker);
    let operation = azure.progress(&account(), server.url(PATH).as_str(), DEADLINE).await;
    (operation, server.requests())
}

fn state(state: &str) -> Reply {
    json(200, &format!(r#"{{"name": "1", "status": "{state}"}}"#))
}

#[tokio::test]
async fn an_operation_is_read_at_the_address_as_it_is() {
    let (operation, requests) = progress(state("Succeeded")).await;
    assert_eq!(operation, Operation::Succeeded);
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((request.line.as_str(), request.body.as_str()), (format!("GET {PATH}").as_str(), ""));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert!(request.header("x-ms-client-request-id").is_some());
    assert_eq!(request.header("idempotency-key"), None);
}

#[tokio::test]
async fn an_answer_tells_how_far_an_operation_has_come() {
    let goes_on = |seconds| Operation::Running(Some(Duration::from_secs(seconds)));
    for (answer, told) in [
        (state("Succeeded"), Operation::Succeeded),
        (state("SUCCEEDED"), Operation::Succeeded),
        (state("InProgress"), Operation::Running(None)),
        (state("WaitingForGodot"), Operation::Running(None)),
        (reply(200, "content-type: application/json\r\nretry-after: 9\r\n", r#"{"status": "Running"}"#), goes_on(9)),
        (reply(202, "retry-after: 8\r\n", ""), goes_on(8)),
        (reply(202, "", "whatever"), Operation::Running(None)),
        (reply(204, "", ""), Operation::Succeeded),
        (reply(200, "", ""), Operation::Succeeded),
        (json(200, r#"{"properties": {}}"#), Operation::Succeeded),
    ] {
        assert_eq!(progress(answer.clone()).await.0, told, "{answer:?}");
    }
}

#[tokio::test]
async fn a_failure_is_told_in_the_brokers_words() {
    let long = "x".repeat(5000);
    for (body, said) in [
        (
            r#"{"status": "Failed", "error": {"code": "CardExpired", "message": "Renew it."}}"#,
            "Failed: CardExpired: Renew it.",
        ),
        (r#"{"status": "canceled", "error": {"code": "ByJane", "message": ""}}"#, "canceled: ByJane: "),
        (r#"{"status": "Canceled"}"#, "Canceled: the broker does not say why"),
        (&format!(r#"{{"status": "Failed", "error": {{"code": "Long", "message": "{long}"}}}}"#), "Failed: Long: xxx"),
    ] {
        let (operation, _) = progress(json(200, body)).await;
        let Operation::Failed { detail } = operation else { panic!("{body}: {operation:?}") };
        assert!(detail.starts_with(said) && detail.len() < 400, "{detail}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_says_nothing_of_the_operation() {
    for (answer, why) in [
        (error(404, "OperationNotFound"), "OperationNotFound"),
        (error(401, "Expired"), "401"),
        (error(500, "InternalServerError"), "500"),
        (reply(503, "retry-after: 30\r\n", ""), "503"),
        (reply(307, "location: https://127.0.0.1:1/\r\n", ""), "307"),
        (reply(200, "content-type: text/html\r\n", "<html>Sign in</html>"), "not JSON"),
        (json(200, r#"["Failed"]"#), "malformed"),
        (json(200, r#"{"status": 7}"#), "not a text"),
        (json(200, &" ".repeat(2 << 20)), "larger than"),
        (Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{".to_vec()), "body"),
    ] {
        let pause = matches!(&answer, Reply::Bytes(bytes) if bytes.starts_with(b"HTTP/1.1 503"))
            .then(|| Duration::from_secs(30));
        let (operation, requests) = progress(answer).await;
        let Operation::Unknown { detail, retry_after } = operation else { panic!("{why}: {operation:?}") };
        assert!(detail.contains(why) && !detail.contains(TOKEN), "{why}: {detail}");
        assert_eq!((retry_after, requests.len()), (pause, 1), "{why}");
    }
}

#[tokio::test]
async fn the_token_goes_to_no_other_host() {
    let elsewhere = Server::granting(|_| state("Succeeded")).await;
    let broker = Server::granting(|_| Reply::Nothing).await;
    let azure = azure(settings(&broker), UpgradeMethod::Broker);
    for address in
        [elsewhere.url(PATH).to_string(), broker.url("/1").to_string().replace("https", "http"), "nowhere".to_owned()]
    {
        let operation = azure.progress(&account(), &address, DEADLINE).await;
        let Operation::Unknown { detail, .. } = operation else { panic!("{operation:?}") };
        assert!(detail.contains("the address in the record is not"), "{detail}");
    }
    assert!(elsewhere.all_requests().is_empty() && broker.all_requests().is_empty(), "not even a token is asked for");
}

#[tokio::test]
async fn without_an_answer_an_operation_is_not_known() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let address = server.url(PATH).to_string();
    let with = azure(settings(&server), UpgradeMethod::Broker);
    let deadline = Duration::from_millis(500);
    let unanswered = with.progress(&account(), &address, deadline).await;
    let without = azure(Settings { broker: None, ..settings(&server) }, UpgradeMethod::Broker);
    let unconfigured = without.progress(&account(), &address, DEADLINE).await;
    for (operation, why) in [(unanswered, "not answered in 0.5 s"), (unconfigured, "--azure-broker-url")] {
        let Operation::Unknown { detail, .. } = operation else { panic!("{operation:?}") };
        assert!(detail.contains(why), "{detail}");
    }
    let refused = Server::start(|_| json(401, r#"{"error":"invalid_client","error_codes":[7000222]}"#)).await;
    let azure = azure(settings(&refused), UpgradeMethod::Broker);
    let operation = azure.progress(&account(), refused.url(PATH).as_str(), DEADLINE).await;
    assert!(matches!(operation, Operation::Unknown { .. }), "{operation:?}");
    assert!(refused.requests().is_empty());
}

/// The last of two is not taken, nor a state in other letters for none.
#[tokio::test]
async fn a_state_in_doubt_tells_nothing() {
    for body in [
        r#"{"status": "Failed", "status": "Succeeded"}"#,
        r#"{"status": "Succeeded", "status": "Succeeded"}"#,
        r#"{"Status": "InProgress"}"#,
        r#"{"status": "InProgress", "STATUS": "Failed"}"#,
        r#"{"status": null}"#,
        r#"{"status": ["Succeeded"]}"#,
    ] {
        let (operation, _) = progress(json(200, body)).await;
        assert!(matches!(operation, Operation::Unknown { .. }), "{body}: {operation:?}");
    }
}
