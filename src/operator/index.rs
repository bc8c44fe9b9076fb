//! The fleet in memory: for each Subscription just enough to find the objects that a change concerns. Decisions are never made
//! from it; every reconcile reads live.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use payg_api::Text;
use payg_core::account::AccountId;
use payg_core::allowance::Requested;
use payg_providers::Sighting;
use payg_runtime::ObjectKey;

/// What is known of one Subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its uid and generation. Only a change of these calls for a reconcile.
    pub version: (String, i64),
    pub account: AccountId,
    pub provider: ObjectKey,
    /// The value of its annotation that asks for an observation.
    pub reconcile_request: Option<Text<128>>,
    /// Whether its manifest gives up its claim to the account.
    pub yields: bool,
}

/// An attempt at an upgrade, as far as the cap per hour is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The last moment at which it may have been sent (wall clock).
    pub not_after: Timestamp,
    /// The namespace that requested it.
    pub namespace: String,
    /// Whether a provider may have accepted it: false if it was refused or never sent.
    pub may_be_taken: bool,
}

/// The effect of a new version of a Subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that calls for a reconcile, such as an echo of our own status.
    None,
    /// Somebody requests an observation.
    ReconcileRequested,
    /// It is new, or its spec has changed.
    Spec,
    /// It replaced, unseen, another one that was for this account.
    Replaced(AccountId),
}

/// The Subscriptions and the requests that the ledger holds.
#[derive(Debug, Default)]
pub struct Index {
    subscriptions: HashMap<ObjectKey, Entry>,
    by_account: HashMap<AccountId, BTreeSet<ObjectKey>>,
    by_provider: HashMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// By approval: its Subscription, which a deletion does not name.
    approvals: HashMap<ObjectKey, ObjectKey>,
    /// By record: its attempts, by number.
    requests: BTreeMap<String, BTreeMap<u32, Request>>,
    /// By BillingProvider: the marks, in its last list, of those accounts that a Subscription of it names.
    marks: HashMap<ObjectKey, HashMap<AccountId, String>>,
    /// When an observation was last brought forward (wall clock), of those Subscriptions for which that matters still.
    brought_forward: HashMap<ObjectKey, Timestamp>,
}

/// The least time between two observations of an account that somebody requests. It is more than the decision table demands between
/// two observations that count, so repeated requests delay no upgrade; and it spares the provider.
const BROUGHT_FORWARD_APART: Duration = Duration::from_mins(1);

impl Index {
    /// Takes in a Subscription, and returns what that changes.
    pub fn put(&mut self, key: &ObjectKey, entry: Entry) -> Change {
        if let Some(known) = self.subscriptions.get_mut(key) {
            let is_requested = entry.reconcile_request.is_some() && entry.reconcile_request != known.reconcile_request;
            known.reconcile_request.clone_from(&entry.reconcile_request);
            if *known == entry {
                return if is_requested { Change::ReconcileRequested } else { Change::None };
            }
        }
        let is_another = |former: &Entry| former.version.0 != entry.version.0 || former.account != entry.account;
        let former = self.remove(key).filter(is_another).map(|former| former.account);
        self.by_account.entry(entry.account.clone()).or_default().insert(key.clone());
        self.by_provider.entry(entry.provider.clone()).or_default().insert(key.clone());
        self.subscriptions.insert(key.clone(), entry);
        former.map_or(Change::Spec, Change::Replaced)
    }

    /// Forgets a Subscription, and returns what it was.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Entry> {
        let entry = self.subscriptions.remove(key)?;
        take_out(&mut self.by_account, &entry.account, key);
        take_out(&mut self.by_provider, &entry.provider, key);
        Some(entry)
    }

    /// How long an observation of the account of the Subscription at `key` must wait that somebody asks for at `now` (wall clock).
    /// A request during that wait is served by the same observation.
    pub fn bring_forward(&mut self, key: &ObjectKey, now: Timestamp) -> Duration {
        self.brought_forward.retain(|_, at| *at + BROUGHT_FORWARD_APART > now);
        let last = self.brought_forward.get(key).copied();
        let at = last.map_or(now, |last| if last > now { last } else { last + BROUGHT_FORWARD_APART });
        // A clock that was set back must not put an observation off.
        let at = at.min(now + BROUGHT_FORWARD_APART);
        self.brought_forward.insert(key.clone(), at);
        at.duration_since(now).unsigned_abs()
    }

    /// Whether the Subscription at `key` is known as one that claims its account.
    pub fn claims(&self, key: &ObjectKey) -> bool {
        self.subscriptions.get(key).is_some_and(|entry| !entry.yields)
    }

    /// Whether there is a Subscription at `key`.
    pub fn contains(&self, key: &ObjectKey) -> bool {
        self.subscriptions.contains_key(key)
    }

    /// The Subscriptions of `account`.
    pub fn of_account(&self, account: &AccountId) -> Vec<ObjectKey> {
        self.by_account.get(account).into_iter().flatten().cloned().collect()
    }

    /// The Subscriptions that use `provider`.
    pub fn of_provider(&self, provider: &ObjectKey) -> Vec<ObjectKey> {
        self.by_provider.get(provider).into_iter().flatten().cloned().collect()
    }

    /// The Subscriptions in the namespace of `key`. Walks through all of them; for rare events.
    pub fn of_namespace(&self, key: &ObjectKey) -> Vec<ObjectKey> {
        self.subscriptions.keys().filter(|other| other.namespace == key.namespace).cloned().collect()
    }

    /// Takes in a list of the accounts that `provider` sees, and returns the Subscriptions to reconcile because their account
    /// shows differently than in the list before it. A Subscription that is new since then is returned if it is listed.
    pub fn put_list(&mut self, provider: &ObjectKey, list: Vec<Sighting>) -> Vec<ObjectKey> {
        let mut changed = self.of_provider(provider);
        let account = |key: &ObjectKey| self.subscriptions.get(key).map(|entry| &entry.account);
        let named: HashSet<_> = changed.iter().filter_map(account).collect();
        let named = list.into_iter().filter(|seen| named.contains(&seen.account));
        let marks: HashMap<_, _> = named.map(|seen| (seen.account, seen.mark)).collect();
        let former = self.marks.get(provider);
        changed.retain(|key| {
            let (former, account) = (former, account(key));
            former.zip(account).is_some_and(|(former, account)| marks.get(account) != former.get(account))
        });
        self.marks.insert(provider.clone(), marks);
        changed
    }

    /// Forgets the list of `provider`.
    pub fn remove_list(&mut self, provider: &ObjectKey) {
        self.marks.remove(provider);
    }

    /// Takes in an approval of the Subscription at `subscription`.
    pub fn put_approval(&mut self, approval: ObjectKey, subscription: ObjectKey) {
        self.approvals.insert(approval, subscription);
    }

    /// Forgets an approval, and returns the Subscription that it was about.
    pub fn remove_approval(&mut self, approval: &ObjectKey) -> Option<ObjectKey> {
        self.approvals.remove(approval)
    }

    /// Takes in attempts of the record called `name`. One that is known and not among them stays: what a watch reports may be
    /// older than what was written meanwhile.
    pub fn put_requests(&mut self, name: &str, requests: impl IntoIterator<Item = (u32, Request)>) {
        self.requests.entry(name.to_owned()).or_default().extend(requests);
    }

    /// Whether there is a record called `name`.
    pub fn has_record(&self, name: &str) -> bool {
        self.requests.contains_key(name)
    }

    /// Forgets the record called `name`.
    pub fn remove_requests(&mut self, name: &str) {
        self.requests.remove(name);
    }

    /// The requests within the hour before `now` (wall clock) that may have been taken, as one for `namespace` sees them.
    pub fn requested(&self, namespace: &str, now: Timestamp) -> Vec<Requested> {
        let hour_ago = now.checked_sub(Duration::from_hours(1)).unwrap_or(Timestamp::MIN);
        let recent = self.requests.values().flat_map(BTreeMap::values).filter(|request| request.not_after > hour_ago);
        let taken = recent.filter(|request| request.may_be_taken);
        taken.map(|request| Requested { at: request.not_after, own: request.namespace == namespace }).collect()
    }

    /// Whether there are Subscriptions in no namespace but `namespace`.
    pub fn is_alone(&self, namespace: &str) -> bool {
        self.subscriptions.keys().all(|key| key.namespace.as_deref() == Some(namespace))
    }
}

fn take_out<K: std::hash::Hash + Eq>(map: &mut HashMap<K, BTreeSet<ObjectKey>>, at: &K, key: &ObjectKey) {
    if let Some(keys) = map.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            map.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(generation: i64, account: u128) -> Entry {
        Entry {
            version: ("uid".to_owned(), generation),
            account: AccountId::Azure(uuid::Uuid::from_u128(account)),
            provider: ObjectKey::namespaced("team-a", "azure"),
            reconcile_request: None,
            yields: false,
        }
    }

    #[test]
    fn only_a_change_of_the_spec_calls_for_a_pass() {
        let (mut index, key) = (Index::default(), ObjectKey::namespaced("team-a", "sandbox"));
        assert_eq!(index.put(&key, entry(1, 1)), Change::Spec);
        assert_eq!(index.put(&key, entry(1, 1)), Change::None, "an echo of our own status");
        assert_eq!(index.put(&key, entry(2, 1)), Change::Spec);
    }

    #[test]
    fn requests_for_an_observation_are_told_apart() {
        let (mut index, key) = (Index::default(), ObjectKey::namespaced("team-a", "sandbox"));
        let asking = |generation, reconcile_request: &str| Entry {
            reconcile_request: Some(reconcile_request.into()),
            ..entry(generation, 1)
        };
        index.put(&key, entry(1, 1));
        assert_eq!(index.put(&key, asking(1, "now")), Change::ReconcileRequested);
        assert_eq!(index.put(&key, asking(1, "now")), Change::None, "an echo of our own status");
        assert_eq!(index.put(&key, asking(1, "again")), Change::ReconcileRequested);
        assert_eq!(index.put(&key, entry(1, 1)), Change::None, "who takes it back asks for nothing");
        assert_eq!(index.put(&key, asking(2, "again")), Change::Spec);
    }

    #[test]
    fn one_that_took_the_place_of_another_unseen_is_told_apart() {
        let (mut index, key) = (Index::default(), ObjectKey::namespaced("team-a", "sandbox"));
        index.put(&key, entry(1, 1));
        let younger = Entry { version: ("another uid".to_owned(), 1), ..entry(1, 1) };
        let former = entry(1, 1).account;
        assert_eq!(index.put(&key, younger), Change::Replaced(former), "who waited for the former one is to look");
    }

    #[test]
    fn looks_that_are_asked_for_are_a_minute_apart() {
        let (mut index, key) = (Index::default(), ObjectKey::namespaced("team-a", "sandbox"));
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let at = |second| now + Duration::from_secs(second);
        let seconds = Duration::from_secs;
        assert_eq!(index.bring_forward(&key, at(0)), seconds(0));
        assert_eq!(index.bring_forward(&key, at(10)), seconds(50));
        assert_eq!(index.bring_forward(&key, at(20)), seconds(40), "that is the one at 60");
        assert_eq!(index.bring_forward(&ObjectKey::namespaced("team-a", "other"), at(20)), seconds(0));
        assert_eq!(index.bring_forward(&key, at(70)), seconds(50));
        assert_eq!(index.bring_forward(&key, at(181)), seconds(0));
        assert_eq!(index.brought_forward.len(), 1, "what does not matter any more is forgotten");
        assert_eq!(index.bring_forward(&key, now - Duration::from_hours(3)), seconds(60), "a clock that was set back");
    }

    #[test]
    fn nothing_of_a_subscription_stays_behind() {
        let (mut index, key) = (Index::default(), ObjectKey::namespaced("team-a", "sandbox"));
        index.put(&key, entry(1, 1));
        assert_eq!(index.put(&key, entry(2, 2)), Change::Replaced(entry(1, 1).account));
        assert_eq!(index.of_account(&entry(1, 1).account), []);
        assert_eq!(index.of_account(&entry(1, 2).account), vec![key.clone()]);
        index.remove(&key);
        assert_eq!(index.of_provider(&entry(1, 1).provider), []);
    }

    #[test]
    fn a_list_tells_whose_account_shows_differently() {
        let (mut index, provider) = (Index::default(), ObjectKey::namespaced("team-a", "azure"));
        let key = |name| ObjectKey::namespaced("team-a", name);
        for (account, name) in [(1, "one"), (2, "two"), (3, "three")] {
            index.put(&key(name), entry(1, account));
        }
        let list = |seen: &[(u128, &str)]| {
            let sighting = |(account, mark): &(u128, &str)| Sighting {
                account: AccountId::Azure(uuid::Uuid::from_u128(*account)),
                mark: (*mark).to_owned(),
            };
            seen.iter().map(sighting).collect::<Vec<_>>()
        };
        assert_eq!(index.put_list(&provider, list(&[(1, "on"), (2, "on")])), [], "there is none before the first");
        assert_eq!(index.put_list(&provider, list(&[(2, "on"), (1, "on")])), []);
        assert_eq!(index.put_list(&provider, list(&[(1, "on"), (2, "off"), (9, "on")])), [key("two")]);
        assert_eq!(index.put_list(&provider, list(&[(1, "on"), (3, "on")])), [key("three"), key("two")]);
        assert_eq!(index.put_list(&key("other"), list(&[(1, "off")])), []);
        index.remove_list(&provider);
        assert_eq!(index.put_list(&provider, list(&[(1, "off")])), []);
    }

    #[test]
    fn only_those_accounts_of_a_list_are_kept_that_a_subscription_names() {
        let mut index = Index::default();
        let (provider, other) = (entry(1, 1).provider, ObjectKey::namespaced("team-a", "other"));
        index.put(&ObjectKey::namespaced("team-a", "mine"), entry(1, 1));
        index.put(&ObjectKey::namespaced("team-a", "theirs"), Entry { provider: other, ..entry(1, 2) });
        let account = |account| entry(1, account).account;
        let list = || (1..=20).map(|number| Sighting { account: account(number), mark: "on".to_owned() }).collect();
        index.put_list(&provider, list());
        assert_eq!(index.marks[&provider].keys().collect::<Vec<_>>(), [&account(1)]);
        let new = ObjectKey::namespaced("team-a", "new");
        index.put(&new, entry(1, 3));
        assert_eq!(index.put_list(&provider, list()), [new], "what changed before it came is not missed");
        assert_eq!(index.put_list(&provider, list()), []);
    }

    #[test]
    fn possibly_accepted_requests_count_for_their_namespace() {
        let mut index = Index::default();
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let request =
            |namespace: &str, may_be_taken| Request { not_after: now, namespace: namespace.to_owned(), may_be_taken };
        index.put_requests("up-1", [(1, request("team-a", false)), (2, request("team-b", true))]);
        index.put_requests("up-2", [(1, request("team-a", true))]);
        let old = Request { not_after: now - Duration::from_hours(2), ..request("team-a", true) };
        index.put_requests("up-3", [(1, old)]);
        let own = |own| Requested { at: now, own };
        assert_eq!(index.requested("team-a", now), [own(false), own(true)]);
        index.put_requests("up-1", [(1, request("team-a", false))]);
        assert_eq!(index.requested("team-a", now).len(), 2, "a watch that is behind takes nothing back");
        index.put_requests("up-2", [(1, request("team-a", false))]);
        assert_eq!(index.requested("team-a", now), [own(false)], "it was refused");
    }

    #[test]
    fn a_lone_namespace_is_recognised() {
        let mut index = Index::default();
        index.put(&ObjectKey::namespaced("team-a", "one"), entry(1, 1));
        assert!(index.is_alone("team-a"));
        index.put(&ObjectKey::namespaced("team-b", "one"), entry(1, 2));
        assert!(!index.is_alone("team-a") && !index.is_alone("team-b"));
    }
}
