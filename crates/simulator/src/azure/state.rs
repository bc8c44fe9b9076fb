//! What Azure knows: accounts and their past, clients, tokens, and what the broker accepted.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU16;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::Account;
use super::client::{Client, Token};
use super::ids::BillingIds;
use super::operations::Operations;
use super::throttle::{Buckets, Limits};
use crate::ground::{By, Ground};
use crate::past::Past;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) clients: HashMap<String, Client>,
    /// The clients as they were posted.
    pub(crate) posted: BTreeMap<String, Value>,
    pub(crate) tokens: HashMap<String, Token>,
    /// What the broker accepted.
    pub(crate) operations: Operations,
    pub(crate) settings: Settings,
    pub(crate) buckets: Buckets,
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

impl State {
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
    pub(crate) fn remove_account(&mut self, id: &str) {
        self.operations.forget(id);
        self.accounts.remove(id);
    }

    /// Whether a client or an account is of this tenant.
    pub(crate) fn knows_tenant(&self, tenant: &str) -> bool {
        let mut accounts = self.accounts.values().map(Past::now);
        self.clients.values().any(|client| client.tenant_id == tenant)
            || accounts.any(|account| account.settings.tenant_id == tenant)
    }
}

/// Azure as a request meets it: its own state, on the common ground.
pub(crate) struct Azure<'w> {
    pub(crate) ground: &'w mut Ground,
    pub(crate) state: &'w mut State,
}

impl Azure<'_> {
    /// Applies an upgrade and enters it in the ledger.
    pub(crate) fn apply_upgrade(&mut self, mut account: Account, by: By, now: Timestamp) {
        self.ground.enter(account.settings.subscription_id.clone(), by.clone(), now);
        account.upgrade(by, now);
        self.state.put_account(account, now);
    }
}
