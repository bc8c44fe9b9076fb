//! What AWS knows: accounts and their past, and who has keys.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;

use super::account::Account;
use super::principals::Principals;
use crate::ground::{By, Ground};
use crate::past::Past;

#[derive(Debug, Default)]
pub(crate) struct State {
    /// By their ids of twelve digits.
    pub(crate) accounts: BTreeMap<String, Past<Account>>,
    pub(crate) principals: Principals,
}

impl State {
    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id).map(Past::now)
    }

    /// The account as it was at `time`; before its creation, as it was created.
    pub(crate) fn account_at(&self, id: &str, time: Timestamp) -> Option<&Account> {
        self.accounts.get(id).map(|past| past.at(time))
    }

    /// Records what the account is from `now` on.
    pub(crate) fn put_account(&mut self, account: Account, now: Timestamp) {
        match self.accounts.entry(account.settings.account_id.clone()) {
            Entry::Vacant(vacant) => drop(vacant.insert(Past::new(now, account))),
            Entry::Occupied(mut past) => past.get_mut().change(now, account),
        }
    }
}

/// AWS as a request meets it: its own state, on the common ground.
pub(crate) struct Aws<'w> {
    pub(crate) ground: &'w mut Ground,
    pub(crate) state: &'w mut State,
}

impl Aws<'_> {
    /// Applies an upgrade and enters it in the ledger.
    pub(crate) fn apply_upgrade(&mut self, mut account: Account, by: By, now: Timestamp) {
        self.ground.enter(account.settings.account_id.clone(), by.clone(), now);
        account.upgrade(by, now);
        self.state.put_account(account, now);
    }
}
