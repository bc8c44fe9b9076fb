//! The upgrade broker: an HTTP endpoint behind which an organisation does what Azure has no public API for. The
//! protocol is **ours**, not Microsoft's; it is shaped like Resource Manager's so that clients need not learn another.
//! A broker remembers acceptances by their key for ever, and rejections never; an accepted operation that fails is a
//! rejection, only later.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::account::{Refusal, Snapshot};
use super::arm;
use super::client::Client;
use super::entra;
use super::errors::error;
use super::operations::{Failed, Operation};
use super::settings::Rejection;
use super::state::Azure;
use super::upgrades;
use crate::ground::By;
use crate::message::{Call, Reply};

const API_VERSION: &str = "2026-11-01";
const NAMESPACE: &str = "PaygOperator.Broker";

#[derive(Deserialize)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    target_offer: String,
    accept_charges: bool,
}

/// `POST …/providers/PaygOperator.Broker/upgrade`
pub(crate) fn upgrade(azure: &mut Azure<'_>, call: &Call, id: &str) -> Result<Reply, Reply> {
    let client = admit(azure, call, id)?;
    let key = idempotency_key(call)?;
    check_body(call)?;
    let action = ("PaygOperator.Broker/upgrade/action", "/providers/PaygOperator.Broker");
    let snapshot = arm::readable(azure, &client, id, 0, action)?;
    if let Some(operation) = azure.state.operations.of_key(&key) {
        if operation.account != id {
            return Err(invalid("This Idempotency-Key was used for another subscription."));
        }
        return Ok(accepted(azure, operation));
    }
    match snapshot.account.can_upgrade(&By::Key(key.clone()), snapshot.time) {
        Ok(()) => {}
        Err(Refusal::AlreadyUpgraded) => return Ok(Reply::new(StatusCode::OK, json!({"status": "AlreadyConverted"}))),
        Err(Refusal::Deleted) => {
            let message = format!("The subscription '{id}' is deleted; it can not be upgraded any more.");
            return Err(error(410, "SubscriptionDeleted", &message));
        }
        Err(Refusal::Rejected(rejection)) => return Err(rejected(rejection, id)),
    }
    if azure.state.operations.is_running(id) {
        let message = format!("Another operation on the subscription '{id}' is in progress.");
        return Err(error(409, "OperationInProgress", &message));
    }
    let (broker, now) = (snapshot.account.settings.broker.clone(), snapshot.time);
    let operation = upgrades::accept(azure, id, &key, &broker, now);
    azure
        .state
        .operations
        .get(&operation)
        .map(|operation| accepted(azure, operation))
        .ok_or_else(|| not_found(&operation))
}

/// `GET …/providers/PaygOperator.Broker/operationStatuses/{operation}`
pub(crate) fn operation_status(
    azure: &Azure<'_>,
    call: &Call,
    id: &str,
    operation: &str,
    stale: u32,
) -> Result<Reply, Reply> {
    let (operation, snapshot) = find(azure, call, id, operation, stale)?;
    let mut body = json!({
        "id": path(operation, "operationStatuses"),
        "name": operation.id,
        "startTime": operation.started,
    });
    let Some((at, failure)) = ended(operation, &snapshot) else {
        body["status"] = json!("InProgress");
        body["percentComplete"] = json!(50);
        return Ok(retry_after(Reply::new(StatusCode::OK, body), operation));
    };
    body["endTime"] = json!(at);
    if let Some(Failed { status, code }) = failure {
        body["status"] = json!(status);
        body["error"] = json!({"code": code, "message": why(id, code)});
    } else {
        body["status"] = json!("Succeeded");
        body["percentComplete"] = json!(100);
        body["properties"] = json!({"status": outcome(&snapshot)});
    }
    Ok(Reply::new(StatusCode::OK, body))
}

/// `GET …/providers/PaygOperator.Broker/operationResults/{operation}`
pub(crate) fn operation_result(
    azure: &Azure<'_>,
    call: &Call,
    id: &str,
    operation: &str,
    stale: u32,
) -> Result<Reply, Reply> {
    let (operation, snapshot) = find(azure, call, id, operation, stale)?;
    match ended(operation, &snapshot) {
        None => {
            let mut reply = accepted(azure, operation);
            reply.body = Value::Null;
            Ok(reply)
        }
        // Without a `status` of its own: that would be read as the state of an operation.
        Some((_, None)) => Ok(Reply::new(StatusCode::OK, json!({"properties": {"status": outcome(&snapshot)}}))),
        Some((_, Some(Failed { code, .. }))) => Err(error(422, code, &why(id, code))),
    }
}

/// The caller, if it may use the broker.
fn admit(azure: &Azure<'_>, call: &Call, id: &str) -> Result<Client, Reply> {
    arm::api_version(call, &[API_VERSION])?;
    let client = arm::authenticate(azure, call, id, &[entra::BROKER])?;
    if client.broker {
        return Ok(client);
    }
    let message = format!("The client '{}' may not use this broker.", client.id);
    Err(error(403, "AuthorizationFailed", &message))
}

fn idempotency_key(call: &Call) -> Result<String, Reply> {
    let key = call.header("idempotency-key").ok_or_else(|| invalid("The header Idempotency-Key is required."))?;
    let key = Uuid::try_parse(key).map_err(|_| invalid("The header Idempotency-Key must be a UUID."))?;
    Ok(key.to_string())
}

fn check_body(call: &Call) -> Result<(), Reply> {
    let body: Body = serde_json::from_slice(&call.body).map_err(|error| {
        invalid(&format!("The request content was invalid and could not be deserialized: '{error}'."))
    })?;
    if body.properties.target_offer != "PayAsYouGo" {
        return Err(invalid("properties.targetOffer must be 'PayAsYouGo'."));
    }
    if !body.properties.accept_charges {
        return Err(invalid("properties.acceptCharges must be true: an upgrade starts real charges."));
    }
    Ok(())
}

fn invalid(message: &str) -> Reply {
    error(400, "InvalidRequestContent", message)
}

fn rejected(rejection: Rejection, id: &str) -> Reply {
    let status = if rejection == Rejection::NotAccountAdministrator { 403 } else { 422 };
    let code = upgrades::rejection_code(rejection);
    error(status, &code, &why(id, &code))
}

/// Why a subscription is not upgraded, in words.
fn why(id: &str, code: &str) -> String {
    let what = match code {
        "NotAccountAdministrator" => "the broker is not account administrator of it",
        "PaymentMethodRequired" => "it has no valid payment method",
        "PhoneVerificationRequired" => "its account administrator must verify a phone number",
        "OfferNotEligible" => "its offer is not eligible",
        _ => "the operation did not succeed",
    };
    format!("The subscription '{id}' can not be upgraded: {what}.")
}

fn accepted(azure: &Azure<'_>, operation: &Operation) -> Reply {
    let url = |kind| format!("{}/broker{}?api-version={API_VERSION}", azure.ground.url, path(operation, kind));
    let body = json!({"id": path(operation, "operationStatuses"), "name": operation.id, "status": "InProgress"});
    let reply = Reply::new(StatusCode::ACCEPTED, body)
        .with("azure-asyncoperation", &url("operationStatuses"))
        .with("location", &url("operationResults"));
    retry_after(reply, operation)
}

fn retry_after(reply: Reply, operation: &Operation) -> Reply {
    match operation.broker.retry_after_seconds {
        Some(seconds) => reply.with("retry-after", &seconds.to_string()),
        None => reply,
    }
}

fn path(operation: &Operation, kind: &str) -> String {
    format!("/subscriptions/{}/providers/{NAMESPACE}/{kind}/{}", operation.account, operation.id)
}

fn find<'w>(
    azure: &'w Azure<'_>,
    call: &Call,
    id: &str,
    name: &str,
    stale: u32,
) -> Result<(&'w Operation, Snapshot<'w>), Reply> {
    let client = admit(azure, call, id)?;
    let action = ("PaygOperator.Broker/operationStatuses/read", "/providers/PaygOperator.Broker");
    let snapshot = arm::readable(azure, &client, id, stale, action)?;
    let of_account = |operation: &&Operation| operation.account == id && operation.started <= snapshot.time;
    let operation = azure.state.operations.get(name).filter(of_account);
    Ok((operation.ok_or_else(|| not_found(name))?, snapshot))
}

fn not_found(name: &str) -> Reply {
    error(404, "OperationNotFound", &format!("The operation '{name}' could not be found."))
}

/// When the operation was done and why it failed, if it did; `None` while it is going on, or an account that had stopped
/// is being reactivated.
fn ended<'w>(operation: &'w Operation, snapshot: &Snapshot<'_>) -> Option<(Timestamp, Option<&'w Failed>)> {
    let end = operation.end.as_ref()?;
    let reactivation =
        snapshot.account.upgrade.as_ref().and_then(|upgrade| snapshot.account.reactivation(upgrade)).unwrap_or(end.at);
    let at = if end.failure.is_some() { end.at } else { end.at.max(reactivation) };
    Some((at, end.failure.as_ref())).filter(|(at, _)| *at <= snapshot.time)
}

fn outcome(snapshot: &Snapshot<'_>) -> &'static str {
    if snapshot.converted { "Converted" } else { "Accepted" }
}
