use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::list::next_page;
use super::server::{Reply, Server, error, json, reply};
use super::{DEADLINE, azure, settings};
use crate::azure::UpgradeMethod;
use crate::{BillingProvider, Survey};
use payg_core::account::AccountId;
use payg_core::provider::ProviderError;

const ONE: &str = "6f1a3c1e-0000-4a00-9000-000000000001";
const TWO: &str = "6f1a3c1e-0000-4a00-9000-000000000002";

fn entry(id: &str, state: &str) -> String {
    format!(
        r#"{{"id":"/subscriptions/{id}","subscriptionId":"{id}","state":"{state}","displayName":"x","tags":{{"a":"b"}},
        "subscriptionPolicies":{{"quotaId":"FreeTrial_2014-09-01","spendingLimit":"On"}}}}"#
    )
}

/// A page with these entries that goes on at `next`.
fn page(entries: &[String], next: &str) -> Reply {
    json(200, &format!(r#"{{"value":[{}],"count":{{"type":"Total","value":9}}{next}}}"#, entries.join(",")))
}

async fn survey(server: &Server) -> Result<Survey, ProviderError> {
    azure(settings(server), UpgradeMethod::PortalHandoff).survey(DEADLINE).await
}

/// What a survey brings that is answered by one page.
async fn of(answer: Reply) -> Survey {
    let server = Server::granting(move |_| answer.clone()).await;
    survey(&server).await.unwrap()
}

#[tokio::test]
async fn a_list_ends_where_no_page_follows() {
    for next in ["", r#","nextLink":null"#, r#","nextLink":"""#] {
        let seen = of(page(&[entry(TWO, "Enabled"), entry(ONE, "Disabled")], next)).await;
        let marks: Vec<_> = seen.accounts.unwrap().into_iter().map(|seen| (seen.account, seen.mark)).collect();
        let account = |id| AccountId::parse("azure", id).unwrap();
        assert_eq!(marks.iter().map(|(account, _)| account).collect::<Vec<_>>(), [&account(ONE), &account(TWO)]);
        assert!(marks[0].1 != marks[1].1 && marks.iter().all(|(_, mark)| mark.len() == 32), "{marks:?}");
        let again = of(page(&[entry(ONE, "Disabled")], "")).await.accounts.unwrap();
        assert_eq!(again[0].mark, marks[0].1, "what has not changed has the same mark");
        assert_eq!(seen.seen, " and see 2 subscriptions");
    }
    assert_eq!(of(page(&[entry(ONE, "Enabled")], "")).await.seen, " and see 1 subscription");
    let none = of(page(&[], "")).await;
    assert_eq!(none.accounts, Some(Vec::new()));
    assert!(none.seen.starts_with(" and see no subscription: grant the application Reader"), "{}", none.seen);
}

#[tokio::test]
async fn a_page_may_be_as_large_as_azure_makes_it() {
    let long = entry(ONE, "Enabled").replace(r#""a":"b""#, &format!(r#""a":"{}""#, "b".repeat(7 << 20)));
    assert_eq!(of(page(&[long], "")).await.seen, " and see 1 subscription");
}

#[tokio::test]
async fn pages_are_followed_and_each_account_is_told_once() {
    let (asked, port) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, at) = (Arc::clone(&asked), Arc::clone(&port));
    let server = Server::granting(move |request| {
        let port = at.load(Ordering::Relaxed);
        let next = |page| {
            format!(r#","nextLink":"https://127.0.0.1:{port}/subscriptions?api-version=2022-12-01&$skiptoken={page}""#)
        };
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => page(&[entry(ONE, "Enabled")], &next(2)),
            1 if request.line.ends_with("skiptoken=2") => page(&[entry(ONE, "Enabled"), "{}".to_owned()], &next(3)),
            2 if request.line.ends_with("skiptoken=3") => page(&[entry(TWO, "Enabled")], ""),
            _ => error(400, "BadRequest"),
        }
    })
    .await;
    port.store(server.url("").port().unwrap().into(), Ordering::Relaxed);
    let seen = survey(&server).await.unwrap();
    assert_eq!(seen.accounts.unwrap().len(), 2);
    assert_eq!(server.requests().len(), 3);
    assert_eq!(server.requests()[0].line, "GET /subscriptions?api-version=2022-12-01");
    let correlation = |index: usize| server.requests()[index].header("x-ms-correlation-request-id").unwrap().to_owned();
    assert_eq!(correlation(0), correlation(2));
}

#[test]
fn a_token_follows_no_list_elsewhere() {
    let arm = "https://management.azure.com";
    for link in [
        "http://management.azure.com/subscriptions?$skiptoken=2",
        "https://management.azure.com.example/subscriptions",
        "https://management.azure.com:8443/subscriptions",
        "https://management.azure.com@example.com/subscriptions",
        "https://user@management.azure.com/subscriptions",
        "https://user:word@management.azure.com/subscriptions",
        "https://example.com/?https://management.azure.com",
        "//example.com/subscriptions",
        "/subscriptions?$skiptoken=2",
        "ftp://management.azure.com/",
        "data:text/plain,",
        "nonsense",
    ] {
        assert_eq!(next_page(arm, link), None, "{link}");
    }
    let link = "https://management.azure.com/subscriptions?api-version=2022-12-01&%24skiptoken=eyJ%2BIn0%3D";
    assert_eq!(next_page(arm, link).as_deref(), Some(link));
    assert!(next_page(arm, "https://MANAGEMENT.azure.com:443/x").is_some());
}

#[tokio::test]
async fn a_list_that_cannot_be_trusted_or_read_is_said_and_leaves_the_credentials_working() {
    let html = |status| reply(status, "content-type: text/html\r\n", "<html>");
    let elsewhere = Server::granting(|_| page(&[], "")).await;
    let away = format!(r#","nextLink":"{}""#, elsewhere.url("/subscriptions"));
    for (name, answer, says) in [
        ("403", error(403, "AuthorizationFailed"), "the credentials lack Microsoft.Resources/subscriptions/read"),
        ("404", error(404, "NotFound"), "NotFound"),
        ("400", error(400, "DisallowedOperation"), "DisallowedOperation"),
        ("429", reply(429, "retry-after: 7\r\n", ""), "is rate limiting requests"),
        ("500", html(500), "could not be reached"),
        ("closed", Reply::Bytes(Vec::new()), "could not be reached"),
        ("a page", html(200), "not JSON"),
        ("no content", reply(204, "", ""), "cannot be trusted"),
        ("no list", json(200, r#"{"values":[]}"#), "malformed"),
        ("no list but one", json(200, r#"{"value":{}}"#), "malformed"),
        ("a link that is none", page(&[], r#","nextLink":7"#), "malformed"),
        ("a link elsewhere", page(&[entry(ONE, "Enabled")], &away), "where no token is sent"),
        ("too large", json(200, &" ".repeat(9 << 20)), "larger than 8388608"),
    ] {
        let seen = of(answer).await;
        assert_eq!(seen.accounts, None, "{name}");
        assert!(seen.seen.starts_with("; the subscriptions they can see are not known: "), "{name}: {}", seen.seen);
        assert!(seen.seen.contains(says) && seen.seen.len() < 1500, "{name}: {}", seen.seen);
    }
    assert!(elsewhere.all_requests().is_empty());
}

#[tokio::test]
async fn a_token_that_azure_refuses_does_not_work() {
    let server = Server::granting(|_| error(401, "InvalidAuthenticationToken")).await;
    assert_eq!(survey(&server).await.unwrap_err().reason(), "Unauthenticated");
    let server = Server::start(|_| json(400, r#"{"error":"unauthorized_client","error_codes":[700016]}"#)).await;
    assert_eq!(survey(&server).await.unwrap_err().reason(), "Unauthenticated");
}

#[tokio::test]
async fn a_list_without_an_end_is_left() {
    // Round in circles, and on and on.
    for circle in [true, false] {
        let (asked, port) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let at = Arc::clone(&port);
        let server = Server::granting(move |_| {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let number = if circle { number % 2 } else { number };
            let port = at.load(Ordering::Relaxed);
            page(&[], &format!(r#","nextLink":"https://127.0.0.1:{port}/subscriptions?page={number}""#))
        })
        .await;
        port.store(server.url("").port().unwrap().into(), Ordering::Relaxed);
        let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
        let seen = azure.survey(Duration::from_mins(2)).await.unwrap();
        let says = if circle { "the pages of the list form a loop" } else { "more than 100 pages" };
        assert!(seen.accounts.is_none() && seen.seen.contains(says), "{}", seen.seen);
        assert_eq!(server.requests().len(), if circle { 3 } else { 100 });
    }
}

#[tokio::test]
async fn a_list_that_is_never_answered_leaves_the_credentials_working() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    let seen = azure.survey(Duration::from_secs(1)).await.unwrap();
    assert!(seen.accounts.is_none() && seen.seen.contains("has not answered"), "{}", seen.seen);
}
