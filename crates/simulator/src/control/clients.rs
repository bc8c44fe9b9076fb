//! Clients: who gets tokens or has keys, and what they may do.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::Value;

use super::aws_clients;
use super::refused::{Answer, Refused};
use crate::azure::client::{BillingRole, Certificate, Client, ManagedIdentity, Rights, Role, Subscriptions};
use crate::azure::settings::guid;
use crate::jwt::Federated;
use crate::world::{Shared, World};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewClient {
    tenant_id: String,
    client_id: String,
    client_secret: Option<String>,
    #[serde(default)]
    federated: Vec<Federated>,
    #[serde(default)]
    certificates: Vec<Certificate>,
    managed_identity: Option<ManagedIdentity>,
    subscriptions: Readable,
    #[serde(default)]
    role: Role,
    #[serde(default)]
    billing: BillingRole,
    #[serde(default = "yes")]
    billing_property: bool,
    #[serde(default)]
    broker: bool,
    #[serde(default = "token_lifetime")]
    token_lifetime_seconds: u32,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Readable {
    Ids(Vec<String>),
    All(String),
}

fn yes() -> bool {
    true
}

fn token_lifetime() -> u32 {
    3599
}

pub(super) async fn create(State(shared): State<Arc<Shared>>, Json(posted): Json<Value>) -> Answer {
    add(&mut shared.world(), posted)?;
    Ok(StatusCode::CREATED.into_response())
}

/// Makes or replaces the client that was posted.
pub(crate) fn add(world: &mut World, posted: Value) -> Result<(), Refused> {
    if aws_clients::is_one(&posted) {
        return aws_clients::add(world, posted);
    }
    let wrong = |error| Refused::Wrong(format!("this is no client: {error}; see the simulator's documentation"));
    let new = NewClient::deserialize(&posted).map_err(wrong)?;
    let subscriptions = match new.subscriptions {
        Readable::All(star) if star == "*" => Subscriptions::All,
        Readable::All(_) => return Err(Refused::Wrong("subscriptions must be \"*\" or a list of ids".into())),
        Readable::Ids(ids) => {
            Subscriptions::Some(ids.iter().map(|id| guid("subscriptions", id)).collect::<Result<_, _>>()?)
        }
    };
    let client = Client {
        tenant_id: guid("tenantId", &new.tenant_id)?,
        id: guid("clientId", &new.client_id)?,
        secret: new.client_secret,
        federated: new.federated,
        certificates: new.certificates,
        managed_identity: new.managed_identity,
        subscriptions,
        rights: Rights { role: new.role, billing: new.billing, billing_property: new.billing_property },
        broker: new.broker,
        token_lifetime_seconds: new.token_lifetime_seconds,
    };
    world.azure.posted.insert(client.id.clone(), posted);
    world.azure.clients.insert(client.id.clone(), client);
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ByArn {
    arn: String,
}

/// Deletes a user or a role of AWS: their ARNs have slashes.
pub(super) async fn delete_by_arn(State(shared): State<Arc<Shared>>, Query(by): Query<ByArn>) -> Answer {
    aws_clients::remove(&mut shared.world(), &by.arn)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Deletes a client of Azure by its id, or a key of a user of AWS by its own.
pub(super) async fn delete(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    if shared.world().aws.principals.remove_key(&id) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let id = guid("clientId", &id)?;
    let mut world = shared.world();
    world.azure.tokens.retain(|_, token| token.client_id != id);
    world.azure.posted.remove(&id);
    let removed = world.azure.clients.remove(&id);
    removed.map(|_| StatusCode::NO_CONTENT.into_response()).ok_or_else(|| Refused::Missing(format!("client {id}")))
}
