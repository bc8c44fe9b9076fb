//! The upgrade broker: an HTTP endpoint behind which an organisation does what Azure has no public API for. The
//! protocol is **ours**, not Microsoft's; it is shaped like Resource Manager's so that clients need not learn another.
//! A broker remembers acceptances by their key for ever, and rejections never.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::account::{By, Refusal, Snapshot};
use super::arm;
use super::entra::Client;
use super::settings::Rejection;
use crate::simulator::protocol::{Call, Reply};
use crate::simulator::world::World;

/// What tokens for the broker are asked for.
pub(crate) const AUDIENCE: &str = "api://payg-broker";
const API_VERSION: &str = "2026-11-01";
const NAMESPACE: &str = "PaygOperator.Broker";

/// An upgrade that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    id: String,
    pub(crate) account: String,
    /// Billing time.
    started: Timestamp,
}

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
pub(crate) fn upgrade(world: &mut World, call: &Call, id: &str) -> Result<Reply, Reply> {
    let client = admit(world, call, id)?;
    let key = idempotency_key(call)?;
    check_body(call)?;
    let action = ("PaygOperator.Broker/upgrade/action", "/providers/PaygOperator.Broker");
    let snapshot = arm::readable(world, &client, id, 0, action)?;
    if let Some(operation) = world.operations.get(&key) {
        if operation.account != id {
            return Err(invalid("This Idempotency-Key was used for another subscription."));
        }
        return Ok(accepted(world, operation));
    }
    let by = By::Key(key.clone());
    match snapshot.account.can_upgrade(&by, snapshot.time) {
        Ok(()) => {}
        Err(Refusal::AlreadyUpgraded) => return Ok(Reply::new(StatusCode::OK, json!({"status": "AlreadyConverted"}))),
        Err(Refusal::Deleted) => {
            let message = format!("The subscription '{id}' is deleted; it can not be upgraded any more.");
            return Err(arm::error(410, "SubscriptionDeleted", &message));
        }
        Err(Refusal::Rejected(rejection)) => return Err(rejected(rejection, id)),
    }
    let (account, now) = (snapshot.account.clone(), snapshot.time);
    let operation = Operation { id: world.uuid(), account: id.to_owned(), started: now };
    world.apply_upgrade(account, by, now);
    let reply = accepted(world, &operation);
    world.operations.insert(key, operation);
    Ok(reply)
}

/// `GET …/providers/PaygOperator.Broker/operationStatuses/{operation}`
pub(crate) fn operation_status(world: &World, call: &Call, id: &str, operation: &str) -> Result<Reply, Reply> {
    let (operation, snapshot) = find(world, call, id, operation)?;
    let mut body = json!({
        "id": path(operation, "operationStatuses"),
        "name": operation.id,
        "status": "InProgress",
        "startTime": operation.started,
        "percentComplete": 50,
    });
    if let Some(end) = ended(operation, &snapshot) {
        body["status"] = json!("Succeeded");
        body["endTime"] = json!(end);
        body["percentComplete"] = json!(100);
        body["properties"] = json!({"status": outcome(&snapshot)});
    }
    Ok(Reply::new(StatusCode::OK, body))
}

/// `GET …/providers/PaygOperator.Broker/operationResults/{operation}`
pub(crate) fn operation_result(world: &World, call: &Call, id: &str, operation: &str) -> Result<Reply, Reply> {
    let (operation, snapshot) = find(world, call, id, operation)?;
    if ended(operation, &snapshot).is_none() {
        let mut reply = accepted(world, operation);
        reply.body = serde_json::Value::Null;
        return Ok(reply);
    }
    Ok(Reply::new(StatusCode::OK, json!({"status": outcome(&snapshot)})))
}

/// The caller, if it may use the broker.
fn admit(world: &World, call: &Call, id: &str) -> Result<Client, Reply> {
    arm::check_api_version(call, &[API_VERSION])?;
    let client = arm::authenticate(world, call, id, &[AUDIENCE])?;
    if client.broker {
        return Ok(client);
    }
    let message = format!("The client '{}' may not use this broker.", client.id);
    Err(arm::error(403, "AuthorizationFailed", &message))
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
    arm::error(400, "InvalidRequestContent", message)
}

fn rejected(rejection: Rejection, id: &str) -> Reply {
    let (status, what) = match rejection {
        Rejection::NotAccountAdministrator => (403, "the broker is not account administrator of it"),
        Rejection::PaymentMethodRequired => (422, "it has no valid payment method"),
        Rejection::PhoneVerificationRequired => (422, "its account administrator must verify a phone number"),
        Rejection::OfferNotEligible => (422, "its offer is not eligible"),
    };
    let message = format!("The subscription '{id}' can not be upgraded: {what}.");
    arm::error(status, &format!("{rejection:?}"), &message)
}

fn accepted(world: &World, operation: &Operation) -> Reply {
    let url = |kind| format!("{}/broker{}?api-version={API_VERSION}", world.url, path(operation, kind));
    let body = json!({"id": path(operation, "operationStatuses"), "name": operation.id, "status": "InProgress"});
    Reply::new(StatusCode::ACCEPTED, body)
        .with("azure-asyncoperation", &url("operationStatuses"))
        .with("location", &url("operationResults"))
        .with("retry-after", "15")
}

fn path(operation: &Operation, kind: &str) -> String {
    format!("/subscriptions/{}/providers/{NAMESPACE}/{kind}/{}", operation.account, operation.id)
}

fn find<'w>(world: &'w World, call: &Call, id: &str, name: &str) -> Result<(&'w Operation, Snapshot<'w>), Reply> {
    let client = admit(world, call, id)?;
    let action = ("PaygOperator.Broker/operationStatuses/read", "/providers/PaygOperator.Broker");
    let snapshot = arm::readable(world, &client, id, 0, action)?;
    let operation = world.operations.values().find(|operation| operation.id == name && operation.account == id);
    let operation = operation
        .ok_or_else(|| arm::error(404, "OperationNotFound", &format!("The operation '{name}' could not be found.")))?;
    Ok((operation, snapshot))
}

/// When the operation was done; `None` while an account that had stopped is being reactivated.
fn ended(operation: &Operation, snapshot: &Snapshot<'_>) -> Option<Timestamp> {
    let upgrade = snapshot.account.upgrade.as_ref();
    let end = upgrade.and_then(|upgrade| snapshot.account.reactivation(upgrade)).unwrap_or(operation.started);
    Some(end).filter(|end| *end <= snapshot.time)
}

fn outcome(snapshot: &Snapshot<'_>) -> &'static str {
    if snapshot.converted { "Converted" } else { "Accepted" }
}
