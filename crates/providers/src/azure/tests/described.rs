//! What the client does is what `docs/reference/broker.openapi.yaml` says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::server::{Reply, Server, reply};
use super::upgrades::{seconds_from_now, upgrade_with};
use super::{DEADLINE, ID, account, azure, settings};
use crate::BillingProvider;
use crate::azure::UpgradeMethod;
use payg_core::provider::{Operation, Outcome, ProviderError};

const PREFIX: &str = "/paths/~1subscriptions~1{subscriptionId}~1providers~1PaygOperator.Broker~1";

fn document() -> Value {
    serde_saphyr::from_str(include_str!("../../../../../docs/reference/broker.openapi.yaml")).unwrap()
}

/// What `value` stands for.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference}")),
        None => value,
    }
}

/// Each answer that is described below `path`: its status, its body and what it is taken as. `default` is 599.
fn answers(document: &Value, path: &str) -> Vec<(u16, Option<Value>, String)> {
    let responses = document.pointer(&format!("{PREFIX}{path}/responses")).unwrap().as_object().unwrap();
    let mut answers = Vec::new();
    for (status, response) in responses {
        let status = status.parse().unwrap_or(599);
        let response = resolved(document, response);
        let examples = response.pointer("/content/application~1json/examples").and_then(Value::as_object);
        for example in examples.into_iter().flat_map(|examples| examples.values()) {
            let taken_as =
                example.get("x-taken-as").or(response.get("x-taken-as")).unwrap_or_else(|| panic!("{status}"));
            answers.push((status, Some(example["value"].clone()), taken_as.as_str().unwrap().to_owned()));
        }
        if examples.is_none() {
            answers.push((status, None, response["x-taken-as"].as_str().unwrap().to_owned()));
        }
    }
    answers
}

/// A server that answers what it is told to.
async fn told() -> (Server, Arc<Mutex<Reply>>) {
    let answer = Arc::new(Mutex::new(Reply::Nothing));
    let told = Arc::clone(&answer);
    (Server::granting(move |_| told.lock().unwrap().clone()).await, answer)
}

fn written(status: u16, body: Option<&Value>) -> Reply {
    match body {
        Some(body) => reply(status, "content-type: application/json\r\n", &body.to_string()),
        None => reply(status, "", ""),
    }
}

#[tokio::test]
async fn every_answer_to_the_request_is_taken_as_described() {
    let document = document();
    let described = answers(&document, "upgrade/post");
    let (server, answer) = told().await;
    let statuses: BTreeSet<u16> = described.iter().map(|(status, ..)| *status).collect();
    // What is not described is taken as the rest is, whatever it says.
    let rest = (200..230).chain(300..310).chain(400..455).chain(500..512).filter(|status| !statuses.contains(status));
    let rest = rest.map(|status| (status, Some(described[0].1.clone().unwrap()), "unknown".to_owned()));
    for (status, body, taken_as) in described.iter().cloned().chain(rest) {
        *answer.lock().unwrap() = written(status, body.as_ref());
        let result = upgrade_with(settings(&server), seconds_from_now(30), DEADLINE).await;
        let outcome = result.as_ref().map_or_else(ProviderError::outcome, |_| Outcome::Accepted);
        assert_eq!(outcome.name().to_lowercase(), taken_as, "{status} {body:?}: {result:?}");
    }
}

#[tokio::test]
async fn every_answer_about_an_operation_is_taken_as_described() {
    let document = document();
    let (server, answer) = told().await;
    let azure = azure(settings(&server), UpgradeMethod::Broker);
    for path in ["operationStatuses~1{operationId}/get", "operationResults~1{operationId}/get"] {
        for (status, body, taken_as) in answers(&document, path) {
            *answer.lock().unwrap() = written(status, body.as_ref());
            let told = match azure.progress(&account(), server.url("/1").as_str(), DEADLINE).await {
                Operation::Running(_) => "running",
                Operation::Succeeded => "succeeded",
                Operation::Failed { .. } => "failed",
                Operation::Unknown { .. } => "unknown",
            };
            assert_eq!(told, taken_as, "{path} {status} {body:?}");
        }
    }
}

#[tokio::test]
async fn the_requests_are_as_described() {
    let document = document();
    let (server, answer) = told().await;
    *answer.lock().unwrap() = written(202, Some(&Value::Object(serde_json::Map::new())));
    upgrade_with(settings(&server), seconds_from_now(30), DEADLINE).await.unwrap();
    let azure = azure(settings(&server), UpgradeMethod::Broker);
    azure.progress(&account(), server.url("/1").as_str(), DEADLINE).await;
    for (request, path) in server.requests().iter().zip(["upgrade/post", "operationStatuses~1{operationId}/get"]) {
        let operation = document.pointer(&format!("{PREFIX}{path}")).unwrap();
        let mut headers = vec!["authorization", "host", "user-agent", "accept", "content-length", "content-type"];
        for parameter in operation["parameters"].as_array().unwrap() {
            let parameter = resolved(&document, parameter);
            let name = parameter["name"].as_str().unwrap();
            if parameter["in"] == "header" {
                let value = request.header(name).unwrap_or_else(|| panic!("{path}: {name}"));
                let constant = parameter["schema"]["const"].as_str().unwrap_or(value);
                assert_eq!(value, constant, "{name}");
                headers.push(name);
            }
        }
        for name in request.head.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name) {
            assert!(headers.iter().any(|known| known.eq_ignore_ascii_case(name)), "{path}: {name} is not described");
        }
    }
    let request = &server.requests()[0];
    let version = document.pointer("/components/parameters/ApiVersion/schema/const").unwrap().as_str().unwrap();
    let path = "/broker/subscriptions/{subscriptionId}/providers/PaygOperator.Broker/upgrade";
    assert_eq!(request.line, format!("POST {}?api-version={version}", path.replace("{subscriptionId}", ID)));
    assert_eq!(document["info"]["version"], version);
    let example = "/requestBody/content/application~1json/examples/upgrade/value";
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(Some(&body), document.pointer(&format!("{PREFIX}upgrade/post{example}")));
    let key = document.pointer("/components/parameters/IdempotencyKey/example").unwrap().as_str();
    assert_eq!(request.header("idempotency-key"), key, "the key of the examples is that of their subscription");
}
