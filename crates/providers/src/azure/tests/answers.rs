//! Whatever Microsoft Entra, the metadata service or a broker answers: nothing panics, only what can be sent is a token,
//! nothing of a refusal is repeated, and an upgrade is taken, refused or over only by the documented word for it.

use std::sync::{Arc, LazyLock, Mutex};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use super::properties::{any_changes, changed};
use super::server::{Reply, Server, json as in_json, reply};
use super::upgrades::{seconds_from_now, transition};
use super::{CLIENT, DEADLINE, GRANTED, SECRET, TENANT, account, settings};
use crate::azure::{Azure, AzureCloud, Connections, Credential, UpgradeMethod};
use crate::{Accepted, BillingProvider, UpgradeRequest};
use payg_core::provider::{Operation, ProviderError};

const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 206, 226, 301, 307, 400, 401, 403, 404, 408, 409, 410, 412, 418, 422, 429, 500, 501, 502, 503,
    504,
];
const KINDS: [&str; 4] = ["application/json", "application/problem+json; charset=utf-8", "text/html", ""];
/// What is in a refusal and is repeated to nobody.
const UNSAID: &str = "un~said";

/// A server whose answer is another one in each case.
struct Peer {
    runtime: Runtime,
    server: Server,
    answer: Arc<Mutex<Reply>>,
    connections: Connections,
    /// Keeps its token.
    azure: Azure,
}

impl Peer {
    /// One that answers so to everything, or grants every token before that.
    fn start(grants: bool) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let answer = Arc::new(Mutex::new(Reply::Nothing));
        let current = Arc::clone(&answer);
        let server = runtime.block_on(Server::start(move |request| {
            if grants && request.is_for_a_token() { in_json(200, GRANTED) } else { current.lock().unwrap().clone() }
        }));
        let connections = Connections::new(settings(&server)).unwrap();
        let azure = azure(&connections, secret()).unwrap();
        Self { runtime, server, answer, connections, azure }
    }

    fn answers(&self, answer: Reply) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The token that comes of `sent`, for somebody with `credential`.
    fn token(&self, credential: Credential, sent: &Sent) -> Result<String, ProviderError> {
        self.answers(sent.reply(""));
        let azure = azure(&self.connections, credential)?;
        let token = self.runtime.block_on(azure.tokens.get(AzureCloud::Public.scope()))?;
        Ok(token.secret().to_owned())
    }

    fn upgrade(&self, answer: Reply) -> Result<Accepted, ProviderError> {
        self.answers(answer);
        let (transition, key) = (transition(), account().upgrade_key().idempotency_key());
        let not_after = seconds_from_now(30);
        let request = UpgradeRequest { transition: &transition, key, not_after, deadline: DEADLINE };
        self.runtime.block_on(self.azure.upgrade(&account(), request))
    }

    fn progress(&self, sent: &Sent) -> Operation {
        self.answers(sent.reply(""));
        self.runtime.block_on(self.azure.progress(&account(), self.server.url("/1").as_str(), DEADLINE))
    }
}

fn secret() -> Credential {
    Credential::ClientSecret { client_id: CLIENT, secret: SECRET.into() }
}

fn azure(connections: &Connections, credential: Credential) -> Result<Azure, ProviderError> {
    Azure::new(connections, AzureCloud::Public, TENANT, credential, UpgradeMethod::Broker)
}

/// What a server sends.
#[derive(Clone, Debug)]
struct Sent {
    status: u16,
    kind: &'static str,
    body: String,
}

impl Sent {
    fn reply(&self, headers: &str) -> Reply {
        reply(self.status, &format!("content-type: {}\r\n{headers}", self.kind), &self.body)
    }

    /// The object in the body, if it is one and says so.
    fn object(&self) -> Option<serde_json::Map<String, Value>> {
        let body = self.kind.starts_with("application/").then(|| serde_json::from_str(&self.body).ok())??;
        if let Value::Object(body) = body { Some(body) } else { None }
    }
}

/// One of `documents`, changed; often with one of the `likely` statuses.
fn any_sent(documents: Vec<Value>, likely: &'static [u16]) -> impl Strategy<Value = Sent> {
    let status = prop_oneof![3 => select(likely), 1 => select(&STATUSES[..])];
    let kind = prop_oneof![4 => Just(KINDS[0]), 1 => select(&KINDS[..])];
    let body = prop_oneof![
        12 => (select(documents), any_changes()).prop_map(|(document, changes)| changed(document, &changes)),
        1 => Just(String::new()),
        1 => any::<String>(),
    ];
    (status, kind, body).prop_map(|(status, kind, body)| Sent { status, kind, body })
}

fn granted_or_refused() -> Vec<Value> {
    let expires = jiff::Timestamp::now().as_second() + 3600;
    vec![
        serde_json::from_str(GRANTED).unwrap(),
        json!({"access_token": "the.token", "expires_on": expires.to_string(), "expires_in": "3599",
            "token_type": "Bearer", "resource": "https://management.azure.com"}),
        json!({"error": "invalid_client", "error_description": UNSAID, "error_codes": [7_000_215], "trace_id": UNSAID}),
        json!({"error": "invalid_request", "error_description": format!("Identity not found {UNSAID}")}),
    ]
}

fn holds_of_token(sent: &Sent, outcome: Result<String, ProviderError>) -> Result<(), TestCaseError> {
    match outcome {
        Ok(token) => {
            let named = sent.object().and_then(|body| body.get("access_token")?.as_str().map(str::to_owned));
            prop_assert_eq!((sent.status, named), (200, Some(token.clone())));
            prop_assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()), "{token:?}");
        }
        Err(error) => {
            let told = error.to_string();
            prop_assert!(![UNSAID, "the.token", SECRET].iter().any(|secret| told.contains(secret)), "{told}");
            prop_assert!(!told.chars().any(char::is_control) && told.chars().count() < 1000, "{told}");
            let refused = (400..500).contains(&sent.status) && sent.kind.starts_with("application/");
            prop_assert!(!matches!(error, ProviderError::Unauthenticated { .. }) || refused, "{told}");
        }
    }
    Ok(())
}

fn is_one_of(word: Option<&Value>, words: &[&str]) -> bool {
    word.and_then(Value::as_str).is_some_and(|word| words.iter().any(|other| word.eq_ignore_ascii_case(other)))
}

fn states_of_operations() -> Vec<Value> {
    let states = ["Succeeded", "succeeded", "Failed", "CANCELED", "Cancelled", "Failed ", "InProgress", "Accepted", ""];
    let told = |state| {
        json!({"id": "/1", "name": "1", "status": state, "startTime": "2025-02-01T00:00:00Z",
            "error": {"code": "CardExpired", "message": "Renew\nit."}, "properties": {"status": "Converted"}})
    };
    states.into_iter().map(told).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_token_is_one_that_can_be_sent(sent in any_sent(granted_or_refused(), &[200, 400, 401]), of_machine in any::<bool>()) {
        static PEER: LazyLock<Peer> = LazyLock::new(|| Peer::start(false));
        let credential = if of_machine { Credential::ManagedIdentity { client_id: None } } else { secret() };
        holds_of_token(&sent, PEER.token(credential, &sent))?;
    }

    #[test]
    fn an_upgrade_is_taken_or_refused_as_described(
        sent in any_sent(
            [states_of_operations(), vec![json!({"error": {"code": "PaymentMethodRequired", "message": "it\nsaid why"}})]].concat(),
            &[200, 201, 202, 400, 422],
        ),
    ) {
        static PEER: LazyLock<Peer> = LazyLock::new(|| Peer::start(true));
        let outcome = PEER.upgrade(sent.reply(""));
        match &outcome {
            Ok(_) => {
                let said = sent.object().is_some() || (sent.status == 202 && sent.body.is_empty());
                prop_assert!((200..=202).contains(&sent.status) && said);
            }
            Err(ProviderError::Unauthenticated { .. }) => prop_assert_eq!(sent.status, 401),
            Err(ProviderError::Forbidden { .. }) => prop_assert_eq!(sent.status, 403),
            Err(ProviderError::Precondition { .. }) => prop_assert!([400, 404, 410, 422].contains(&sent.status)),
            Err(ProviderError::OutcomeUnknown { .. }) => {}
            Err(other) => prop_assert!(false, "it is not sure that nothing was sent: {other:?}"),
        }
        let told = outcome.map_or_else(|error| error.to_string(), |accepted| accepted.message);
        prop_assert!(!told.chars().any(char::is_control) && told.chars().count() < 1000, "{told}");
    }

    #[test]
    fn an_operation_is_over_only_by_the_word_for_it(sent in any_sent(states_of_operations(), &[200, 201, 202])) {
        static PEER: LazyLock<Peer> = LazyLock::new(|| Peer::start(true));
        let (body, is_read) = (sent.object(), [200, 201].contains(&sent.status));
        let status = body.as_ref().and_then(|body| body.get("status"));
        match PEER.progress(&sent) {
            Operation::Succeeded => {
                let without = body.is_some() && status.is_none();
                let said = is_one_of(status, &["Succeeded"]) || without || sent.body.is_empty();
                prop_assert!(sent.status == 204 || (is_read && said));
            }
            Operation::Failed { detail } => {
                prop_assert!(is_read && is_one_of(status, &["Failed", "Canceled"]));
                prop_assert!(!detail.chars().any(char::is_control) && detail.chars().count() < 700, "{detail}");
            }
            Operation::Running(_) => prop_assert!(sent.status == 202 || (is_read && status.is_some())),
            Operation::Unknown { .. } => {}
        }
    }

    #[test]
    fn the_address_of_an_operation_is_on_the_broker_or_not_kept(
        header in select(vec!["azure-asyncoperation", "operation-location", "location"]),
        address in prop_oneof![
            4 => (
                select(vec!["https://", "HTTPS://", "http://", "https:/", "https:", "wss://", "//", "", "\\\\"]),
                select(vec!["", "", "", "user@", "user:password@", ":@", "{host}@"]),
                select(vec!["{host}", "{host}", "{host}", "{host}.evil.example", "{host}0", "evil.example", "127.0.0.1",
                    "0x7f.1", "localhost", "[::1]", "{host}\\@evil.example", "evil.example\\@{host}", "evil.example#{host}"]),
                select(vec!["", "/1", "/../1?x=%2F", "/1#fragment", "?@evil.example", "/\t1", ":443/1"]),
            ).prop_map(|(scheme, user, host, path)| format!("{scheme}{user}{host}{path}")),
            1 => "[ -~]{0,60}",
        ],
    ) {
        static PEER: LazyLock<Peer> = LazyLock::new(|| Peer::start(true));
        let broker = PEER.server.url("/");
        let address = address.replace("{host}", broker.as_str().trim_start_matches("https://").trim_end_matches('/'));
        let sent = Sent { status: 202, kind: KINDS[0], body: "{}".to_owned() };
        let accepted = PEER.upgrade(sent.reply(&format!("{header}: {address}\r\n")));
        if let Some(kept) = accepted.ok().and_then(|accepted| accepted.operation) {
            let url = Url::parse(&kept).unwrap();
            prop_assert_eq!(url.origin(), broker.origin());
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{kept}");
            prop_assert!(url.as_str() == kept && kept.len() <= 2048, "{kept}");
        }
    }
}

/// The documents that are changed above are good ones, so that each outcome comes up.
#[test]
fn plain_answers_are_understood() {
    let peer = Peer::start(true);
    let sent = |status, body: Value| Sent { status, kind: KINDS[0], body: body.to_string() };
    assert_eq!(peer.progress(&sent(200, states_of_operations()[0].clone())), Operation::Succeeded);
    let failed = peer.progress(&sent(200, states_of_operations()[3].clone()));
    assert_eq!(failed, Operation::Failed { detail: "CANCELED: CardExpired: Renew\\nit.".to_owned() });
    let address = peer.server.url("/1");
    let taken = peer.upgrade(sent(202, json!({})).reply(&format!("location: {address}\r\n"))).unwrap();
    assert_eq!(taken.operation, Some(address.to_string()));
    let tokens = Peer::start(false);
    let [entra, machine, ..] = &granted_or_refused()[..] else { unreachable!() };
    assert_eq!(tokens.token(secret(), &sent(200, entra.clone())), Ok("the.token".to_owned()));
    let identity = Credential::ManagedIdentity { client_id: None };
    assert_eq!(tokens.token(identity, &sent(200, machine.clone())), Ok("the.token".to_owned()));
}
