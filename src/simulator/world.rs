//! Everything that the simulator knows: accounts and their past, clients, what was accepted, applied and asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::azure::account::{Account, By};
use super::azure::broker::Operation;
use super::azure::entra::{Client, Token};
use super::clock::VirtualClock;
use super::faults::Fault;
use super::protocol::OperationName;

/// How many requests the log keeps; the oldest are dropped.
const REQUESTS_KEPT: usize = 100_000;

/// What all connections share.
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    pub(crate) fn new(world: World, stop: CancellationToken) -> Self {
        Self { world: Mutex::new(world), stop }
    }

    /// The world. It is never held across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // A panic while it was held fails one request; the others go on with what it left.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of all simulated clouds.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) clock: VirtualClock,
    pub(crate) random: fastrand::Rng,
    pub(crate) clients: HashMap<String, Client>,
    pub(crate) tokens: HashMap<String, Token>,
    /// The broker's acceptances by idempotency key.
    pub(crate) operations: HashMap<String, Operation>,
    pub(crate) ledger: Vec<Applied>,
    pub(crate) requests: VecDeque<Asked>,
    pub(crate) faults: Vec<Fault>,
    /// Each account with its past: what it was from when on. Never an empty list.
    accounts: HashMap<String, Vec<(Timestamp, Account)>>,
}

/// An upgrade that was really applied.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Applied {
    account: String,
    billing_time: Timestamp,
    wall_time: Timestamp,
    by: By,
}

/// A request of the simulated protocols.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    pub(crate) wall_time: Timestamp,
    pub(crate) operation: OperationName,
    pub(crate) account: Option<String>,
    pub(crate) method: String,
    pub(crate) path: String,
    /// `None`: the connection was cut instead of an answer.
    pub(crate) status: Option<u16>,
    pub(crate) idempotency_key: Option<String>,
}

impl World {
    pub(crate) fn new(url: String, clock: VirtualClock, seed: u64) -> Self {
        Self {
            url,
            clock,
            random: fastrand::Rng::with_seed(seed),
            clients: HashMap::new(),
            tokens: HashMap::new(),
            operations: HashMap::new(),
            ledger: Vec::new(),
            requests: VecDeque::new(),
            faults: Vec::new(),
            accounts: HashMap::new(),
        }
    }

    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)?.last().map(|(_, account)| account)
    }

    /// The account as it was at `time`; before its creation, as it was created.
    pub(crate) fn account_at(&self, id: &str, time: Timestamp) -> Option<&Account> {
        let past = self.accounts.get(id)?;
        past.iter().rev().find(|(since, _)| *since <= time).or(past.first()).map(|(_, account)| account)
    }

    /// Records what the account is from `now` on.
    pub(crate) fn put_account(&mut self, account: Account, now: Timestamp) {
        self.accounts.entry(account.settings.subscription_id.clone()).or_default().push((now, account));
    }

    /// Forgets the account and the broker's acceptances for it, as if it had never been.
    pub(crate) fn remove_account(&mut self, id: &str) -> bool {
        self.operations.retain(|_, operation| operation.account != id);
        self.accounts.remove(id).is_some()
    }

    /// Applies an upgrade and enters it in the ledger.
    pub(crate) fn apply_upgrade(&mut self, mut account: Account, by: By, now: Timestamp) {
        let entry = Applied {
            account: account.settings.subscription_id.clone(),
            billing_time: now,
            wall_time: Timestamp::now(),
            by: by.clone(),
        };
        account.upgrade(by, now);
        self.put_account(account, now);
        self.ledger.push(entry);
    }

    /// Whether a client or an account is of this tenant.
    pub(crate) fn knows_tenant(&self, tenant: &str) -> bool {
        let mut accounts = self.accounts.keys().filter_map(|id| self.account(id));
        self.clients.values().any(|client| client.tenant_id == tenant)
            || accounts.any(|account| account.settings.tenant_id == tenant)
    }

    pub(crate) fn log(&mut self, request: Asked) {
        if self.requests.len() == REQUESTS_KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// The time that a read shows which is this many billing seconds behind.
    pub(crate) fn ago(&self, seconds: u32) -> Timestamp {
        let now = self.clock.now();
        // Subtracting an absolute duration saturates; the error is for calendar units only.
        now.saturating_sub(SignedDuration::from_secs(seconds.into())).unwrap_or(now)
    }

    pub(crate) fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.random.u128(..).to_be_bytes()).into_uuid().to_string()
    }
}

/// The object id of the service principal of a client: made up, but always the same.
pub(crate) fn object_id(client_id: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, client_id.as_bytes()).to_string()
}
