//! The whole state of a simulator as a document, to go on with later or elsewhere. The log of requests and what is left
//! in the buckets of the throttling are not in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::aws::account::Account as AwsAccount;
use super::aws::principals::Session;
use super::aws::state::State as AwsState;
use super::azure::account::Account;
use super::azure::client::Token;
use super::azure::operations::Operations;
use super::azure::state::Settings;
use super::clock::{Reading, VirtualClock};
use super::control::clients;
use super::control::refused::{Answer, Refused};
use super::faults::Fault;
use super::ground::Applied;
use super::past::Past;
use super::world::{Shared, World};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Saved {
    settings: Settings,
    clock: Reading,
    /// The state of the random numbers, in hexadecimal digits: JSON has no integers of 64 bits.
    random: String,
    /// As they were posted.
    clients: Vec<Value>,
    tokens: BTreeMap<String, Token>,
    /// The accounts of Azure, each with its past.
    accounts: BTreeMap<String, Past<Account>>,
    operations: Operations,
    /// Older states have none of it.
    #[serde(default)]
    aws: OfAws,
    ledger: Vec<Applied>,
    faults: Vec<Fault>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfAws {
    accounts: BTreeMap<String, Past<AwsAccount>>,
    /// As they were posted.
    roles: Vec<Value>,
    clients: Vec<Value>,
    sessions: Vec<Session>,
}

impl OfAws {
    fn of(aws: &AwsState) -> Self {
        let (roles, clients) =
            aws.principals.posted.values().cloned().partition(|posted| posted.get("roleArn").is_some());
        Self {
            accounts: aws.accounts.clone(),
            roles,
            clients,
            sessions: aws.principals.sessions.values().cloned().collect(),
        }
    }

    fn restore(self, world: &mut World) -> Result<(), Invalid> {
        for (id, past) in &self.accounts {
            if past.all().any(|account| account.settings.account_id != *id) {
                return Err(Invalid(format!("aws.accounts: the past of {id} is about another account")));
            }
        }
        // The roles first: others are about them.
        for client in self.roles.into_iter().chain(self.clients) {
            clients::add(world, client).map_err(|error| Invalid(format!("aws.clients: {error}")))?;
        }
        world.aws.accounts = self.accounts;
        let sessions = self.sessions.into_iter().map(|session| (session.key_id.clone(), session));
        world.aws.principals.sessions = sessions.collect();
        Ok(())
    }
}

/// A document that is no state.
#[derive(Debug, thiserror::Error)]
#[error("this is no state of a simulator: {0}")]
pub(crate) struct Invalid(String);

impl Saved {
    pub(crate) fn of(world: &World) -> Self {
        Self {
            settings: world.azure.settings,
            clock: world.ground.clock.read(),
            random: format!("{:016x}", world.ground.random.get_seed()),
            clients: world.azure.posted.values().cloned().collect(),
            tokens: world.azure.tokens.iter().map(|(text, token)| (text.clone(), token.clone())).collect(),
            accounts: world.azure.accounts().clone(),
            operations: world.azure.operations.clone(),
            aws: OfAws::of(&world.aws),
            ledger: world.ground.ledger.clone(),
            faults: world.faults.clone(),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        serde_json::from_str(text).map_err(|error| Invalid(error.to_string()))
    }

    /// A world that goes on from here, served at `url`.
    pub(crate) fn world(self, url: String) -> Result<World, Invalid> {
        let random = u64::from_str_radix(&self.random, 16).map_err(|error| Invalid(format!("random: {error}")))?;
        let mut world = World::new(url, VirtualClock::from(self.clock), random);
        for client in self.clients {
            clients::add(&mut world, client).map_err(|error| Invalid(format!("clients: {error}")))?;
        }
        for (id, past) in self.accounts {
            if past.all().any(|account| account.settings.subscription_id != id) {
                return Err(Invalid(format!("accounts: the past of {id} is about another account")));
            }
            world.azure.put_past(id, past);
        }
        self.aws.restore(&mut world)?;
        world.azure.settings = self.settings;
        world.azure.tokens = self.tokens.into_iter().collect();
        world.azure.operations = self.operations;
        world.ground.ledger = self.ledger;
        world.faults = self.faults;
        Ok(world)
    }
}

/// The state to restore later.
pub(crate) fn save(shared: &Shared) -> String {
    serde_json::to_string_pretty(&Saved::of(&shared.world())).unwrap_or_default()
}

/// Goes on from a state that was saved; the log of requests begins anew.
pub(crate) fn restore(shared: &Shared, text: &str) -> Result<(), Invalid> {
    let mut world = shared.world();
    *world = Saved::parse(text)?.world(world.ground.url.clone())?;
    Ok(())
}

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new().route("/state", get(show).put(set).layer(DefaultBodyLimit::disable()))
}

async fn show(State(shared): State<Arc<Shared>>) -> Response {
    Json(Saved::of(&shared.world())).into_response()
}

async fn set(State(shared): State<Arc<Shared>>, text: String) -> Answer {
    restore(&shared, &text).map_err(|invalid| Refused::Wrong(invalid.to_string()))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
