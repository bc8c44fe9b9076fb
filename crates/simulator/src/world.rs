//! Everything that the simulator knows: accounts and their past, clients, what was accepted, applied and asked.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroU16;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::aws::Aws;
use super::aws::account::Account as AwsAccount;
use super::azure::account::Account;
use super::azure::entra::{Client, Token};
use super::azure::ids::BillingIds;
use super::azure::operations::{self, Operations};
use super::azure::throttle::{Buckets, Limits};
use super::clock::VirtualClock;
use super::faults::Fault;
use super::operation::OperationName;
use super::past::Past;
use super::state::{Invalid, State};

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

    /// The world, with everything carried out that is due. It is never held across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // A panic while it was held fails one request; the others go on with what it left.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        operations::settle(&mut world);
        world
    }

    /// Goes on from a state that was saved; the log of requests begins anew.
    pub(crate) fn restore(&self, text: &str) -> Result<(), Invalid> {
        let mut world = self.world();
        *world = State::parse(text)?.world(world.url.clone())?;
        Ok(())
    }

    /// The state to restore later.
    pub(crate) fn save(&self) -> String {
        serde_json::to_string_pretty(&State::of(&self.world())).unwrap_or_default()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The state of all simulated clouds.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) clock: VirtualClock,
    pub(crate) random: fastrand::Rng,
    pub(crate) clients: HashMap<String, Client>,
    /// The clients as they were posted.
    pub(crate) posted: BTreeMap<String, Value>,
    pub(crate) tokens: HashMap<String, Token>,
    /// What the broker accepted.
    pub(crate) operations: Operations,
    pub(crate) ledger: Vec<Applied>,
    pub(crate) requests: VecDeque<Asked>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) settings: Settings,
    pub(crate) buckets: Buckets,
    pub(crate) aws: Aws,
    /// The accounts of Azure.
    accounts: BTreeMap<String, Past<Account>>,
    /// The accounts that have or had a billing account, by its name in lower case.
    billed: BTreeMap<String, BTreeSet<String>>,
}

/// What is the same for all accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// How many items a page of a list has.
    pub(crate) page_size: NonZeroU16,
    pub(crate) throttling: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self { page_size: NonZeroU16::MIN.saturating_add(99), throttling: Limits::default() }
    }
}

/// Who upgraded an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum By {
    /// A caller of the broker, by its idempotency key.
    Key(String),
    /// A caller of the cloud's own API, by its name there.
    Caller(String),
    /// A person, on the cloud's own pages.
    Person(bool),
}

/// An upgrade that was really applied.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Applied {
    pub(crate) account: String,
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
            posted: BTreeMap::new(),
            tokens: HashMap::new(),
            operations: Operations::default(),
            ledger: Vec::new(),
            requests: VecDeque::new(),
            faults: Vec::new(),
            settings: Settings::default(),
            buckets: Buckets::default(),
            aws: Aws::default(),
            accounts: BTreeMap::new(),
            billed: BTreeMap::new(),
        }
    }

    pub(crate) fn accounts(&self) -> &BTreeMap<String, Past<Account>> {
        &self.accounts
    }

    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id).map(Past::now)
    }

    /// The account as it was at `time`; before its creation, as it was created.
    pub(crate) fn account_at(&self, id: &str, time: Timestamp) -> Option<&Account> {
        self.accounts.get(id).map(|past| past.at(time))
    }

    /// Records what the account is from `now` on.
    pub(crate) fn put_account(&mut self, account: Account, now: Timestamp) {
        let id = account.settings.subscription_id.clone();
        let billed_by = BillingIds::of(&account.settings).account.to_lowercase();
        self.billed.entry(billed_by).or_default().insert(id.clone());
        match self.accounts.entry(id) {
            Entry::Vacant(vacant) => drop(vacant.insert(Past::new(now, account))),
            Entry::Occupied(mut past) => past.get_mut().change(now, account),
        }
    }

    /// Puts back an account with its past.
    pub(crate) fn put_past(&mut self, id: String, past: Past<Account>) {
        for account in past.all() {
            let billed_by = BillingIds::of(&account.settings).account.to_lowercase();
            self.billed.entry(billed_by).or_default().insert(id.clone());
        }
        self.accounts.insert(id, past);
    }

    /// All accounts as they were at `time`, in the order of their ids.
    pub(crate) fn accounts_at(&self, time: Timestamp) -> impl Iterator<Item = &Account> {
        self.accounts.keys().filter_map(move |id| self.account_at(id, time))
    }

    /// The accounts that were billed by the billing account with this name at `time`, in the order of their ids.
    pub(crate) fn billed_at(&self, name: &str, time: Timestamp) -> impl Iterator<Item = (BillingIds, &Account)> {
        let accounts = self.billed.get(&name.to_lowercase()).into_iter().flatten();
        let now = accounts.filter_map(move |id| self.account_at(id, time));
        now.map(|account| (BillingIds::of(&account.settings), account))
            .filter(|(ids, _)| ids.account.eq_ignore_ascii_case(name))
    }

    /// Forgets the account and the broker's acceptances for it, as if it had never been.
    pub(crate) fn remove_account(&mut self, id: &str) -> bool {
        self.operations.forget(id);
        self.accounts.remove(id).is_some()
    }

    /// Applies an upgrade and enters it in the ledger.
    pub(crate) fn apply_upgrade(&mut self, mut account: Account, by: By, now: Timestamp) {
        self.enter(account.settings.subscription_id.clone(), by.clone(), now);
        account.upgrade(by, now);
        self.put_account(account, now);
    }

    /// Applies an upgrade of an account of AWS and enters it in the ledger.
    pub(crate) fn apply_aws_upgrade(&mut self, mut account: AwsAccount, by: By, now: Timestamp) {
        self.enter(account.settings.account_id.clone(), by.clone(), now);
        account.upgrade(by, now);
        self.aws.put_account(account, now);
    }

    /// Enters an upgrade in the ledger.
    fn enter(&mut self, account: String, by: By, now: Timestamp) {
        self.ledger.push(Applied { account, billing_time: now, wall_time: payg_virtual_time::wall(), by });
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
