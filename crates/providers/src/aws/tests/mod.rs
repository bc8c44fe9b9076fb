//! The provider against a server of its own that answers byte by byte as a test scripts it.

mod hooks;
mod identity;
mod interpret;
mod properties;
mod reads;
mod traps;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{AccessKey, Aws, Connections, Credential, Settings};
use crate::test_server::{Reply, Request, Server, json, reply};
use crate::{Accepted, BillingProvider, UpgradeRequest};
use payg_core::account::AccountId;
use payg_core::offer::OfferClass;
use payg_core::provider::ProviderError;
use payg_fixtures::given::{Given, due};

const ID: &str = "123456789012";
const OTHER: &str = "210987654321";
const KEY_ID: &str = "AKIDEXAMPLE";
const KEY: &str = "the~secret~key";
const DEADLINE: Duration = Duration::from_secs(10);

fn account() -> AccountId {
    AccountId::parse("aws", ID).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// What is called, by the header or the form field that names it.
fn called(request: &Request) -> String {
    if let Some(target) = request.header("x-amz-target") {
        return target.rsplit('.').next().unwrap().to_owned();
    }
    let form = url::form_urlencoded::parse(request.body.as_bytes());
    let action = form.into_owned().find(|(name, _)| name == "Action").map(|(_, action)| action);
    action.unwrap_or_else(|| request.line.clone())
}

fn xml(status: u16, body: &str) -> Reply {
    reply(status, "content-type: text/xml\r\n", body)
}

/// Whose the credentials are.
fn caller(account: &str) -> Reply {
    xml(
        200,
        &format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::{account}:user/payg</Arn><UserId>AIDA</UserId><Account>{account}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
    )
}

/// An error of a service that speaks JSON.
fn refusal(status: u16, code: &str) -> Reply {
    json(status, &format!(r#"{{"__type":"com.amazonaws.freetier#{code}","message":"it said why"}}"#))
}

fn free(credit: &str) -> String {
    format!(
        r#"{{"accountId":"{ID}","accountPlanType":"FREE","accountPlanStatus":"ACTIVE","accountPlanRemainingCredits":{{"amount":{credit},"unit":"USD"}},"accountPlanExpirationDate":"2027-03-05T17:57:11.079Z"}}"#
    )
}

/// A server to which the credentials belong to the account, which may read only its plan, unless `handle` answers otherwise.
async fn server(handle: impl Fn(&Request, &str) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |request| {
        let called = called(request);
        handle(request, &called).unwrap_or_else(|| match called.as_str() {
            "GetCallerIdentity" => caller(ID),
            "GetAccountPlanState" => json(200, &free("57.31")),
            _ => refusal(400, "AccessDeniedException"),
        })
    })
    .await
}

/// One that answers an upgrade so.
async fn upgrading(answer: Reply) -> Server {
    server(move |_, called| (called == "UpgradeAccountPlan").then(|| answer.clone())).await
}

fn connections(server: &Server) -> Connections {
    let trust_anchor_pem = Some(server.certificate.clone().into_bytes());
    Connections::new(Settings { endpoint: Some(server.url("/")), trust_anchor_pem, ..Settings::default() }).unwrap()
}

fn aws(server: &Server, credential: Credential) -> Aws {
    Aws::new(&connections(server), credential)
}

fn by_key() -> Credential {
    Credential::AccessKey { key: key(None), role: None }
}

/// A key, with the token of its session if it is a temporary one.
fn key(token: Option<&str>) -> AccessKey {
    let id = if token.is_some() { "ASIATEMPORARY" } else { KEY_ID };
    AccessKey::new("a test", id.to_owned(), KEY.into(), token.map(|token| token.to_owned().into())).unwrap()
}

async fn upgrade(aws: &Aws, not_after: Timestamp, deadline: Duration) -> Result<Accepted, ProviderError> {
    let transition = &due().transition();
    let key = account().upgrade_key().idempotency_key();
    aws.upgrade(&account(), UpgradeRequest { transition, key, not_after, deadline }).await
}

/// Half a minute from now.
fn soon() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(30)
}

/// How often `name` was called.
fn calls(server: &Server, name: &str) -> usize {
    server.all_requests().iter().filter(|request| called(request) == name).count()
}
