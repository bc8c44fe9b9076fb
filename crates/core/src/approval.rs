//! What people said about an upgrade.

use jiff::{SignedDuration, Timestamp};

/// An `UpgradeApproval` of the Subscription in question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Approval {
    /// When it ends (wall clock); a Deny has none.
    pub expires: Option<Timestamp>,
    /// When it was created (wall clock).
    pub created: Timestamp,
    pub uid: String,
    pub name: String,
    /// Who decided: the requesting user, as the admission policy made sure.
    pub approver: String,
    /// Why, in the approver's words.
    pub reason: String,
    /// The hash of the transition that was decided on.
    pub transition_hash: String,
    /// What was decided.
    pub decision: Decision,
}

/// What somebody decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// The transition may happen, once.
    Approve,
    /// Nothing may happen until this is deleted, whatever the transition.
    Deny,
    /// An unresolved attempt of this number may be followed by another one.
    Retry(u32),
}

impl Approval {
    /// Whether it is about the transition with `hash` and still good at `now` (wall clock).
    pub fn covers(&self, hash: &str, now: Timestamp) -> bool {
        self.transition_hash == hash && self.expires.is_some_and(|expires| now < expires)
    }
}

/// How long after its last change an admission policy is surely enforced, by every API server. An API server learns of a
/// change by a watch, within a second as a rule; one that is behind, and clocks of API servers that differ, are in it too.
/// How it was measured: `docs/adr/0050-checked-is-surely-checked.md`.
pub const SETTLED: SignedDuration = SignedDuration::from_mins(1);

/// What admission makes sure of, in the namespace of the Subscription in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCheck {
    /// What of the shipped admission policies and their bindings is missing or altered. With any of them, nothing is made
    /// sure of.
    pub flaws: Vec<Flaw>,
    /// What of them, or of the labels by which the namespace asks for them, was created or changed last.
    pub youngest: String,
    /// When that was, by the API server (wall clock); `None` if it is unknown.
    pub since: Option<Timestamp>,
    /// Whether the namespace demands the verb `approve` of whoever writes `approval: Automatic`.
    pub automatic_needs_approve: bool,
}

/// An admission policy, or the binding of one, that is not in the cluster as it is shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Its kind and its name, with a slash between.
    pub object: String,
    /// Whether it is there at all.
    pub is_missing: bool,
}

/// Why an approval does not count although it covers the transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untrusted {
    /// Anybody could have given it: these are missing or altered.
    Flaws(Vec<Flaw>),
    /// It is not surely younger than what makes sure who gave it.
    Unchecked {
        /// What says yes.
        word: Word,
        /// When that was created (wall clock).
        created: Timestamp,
        /// What is younger, or nearly so: see [`PolicyCheck::youngest`].
        youngest: String,
        /// The time from which approvals are surely checked (wall clock); `None` if that is unknown.
        settled: Option<Timestamp>,
    },
}

/// What says yes to an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The `UpgradeApproval` of this name.
    Approval(String),
    /// `approval: Automatic` in the Subscription.
    Subscription,
    /// The BillingProvider through which the Subscription upgrades by itself.
    BillingProvider,
}

impl PolicyCheck {
    /// Nobody has looked, as there is nothing to vouch for. It vouches for nothing.
    pub const UNREAD: Self =
        Self { flaws: Vec::new(), youngest: String::new(), since: None, automatic_needs_approve: false };

    /// The one to act upon of those that somebody `said`; `None` if nobody said anything.
    pub fn trusted<'a>(&self, said: impl Iterator<Item = &'a Approval>) -> Result<Option<&'a Approval>, Untrusted> {
        let Some(best) = said.min_by_key(|said| (!self.is_settled_at(said.created), *said)) else { return Ok(None) };
        self.trusts(best.created, || Word::Approval(best.name.clone())).map(|()| Some(best))
    }

    /// Whether `approval: Automatic` in a Subscription created at `subscription`, through a BillingProvider created at
    /// `provider` (wall clock), is the word of somebody who may say so, as far as the namespace demands it. An object that
    /// is older than the policies may have been written by anybody before they were there.
    pub fn allows_automatic(&self, subscription: Timestamp, provider: Timestamp) -> Result<(), Untrusted> {
        if !self.automatic_needs_approve {
            return Ok(());
        }
        self.trusts(subscription, || Word::Subscription)?;
        self.trusts(provider, || Word::BillingProvider)
    }

    /// Whether whatever was created at `created` was surely checked.
    fn trusts(&self, created: Timestamp, word: impl FnOnce() -> Word) -> Result<(), Untrusted> {
        if !self.flaws.is_empty() {
            return Err(Untrusted::Flaws(self.flaws.clone()));
        }
        if self.is_settled_at(created) {
            return Ok(());
        }
        let (youngest, settled) = (self.youngest.clone(), self.settled());
        Err(Untrusted::Unchecked { word: word(), created, youngest, settled })
    }

    fn is_settled_at(&self, created: Timestamp) -> bool {
        self.settled().is_some_and(|settled| created > settled)
    }

    /// From when on all of them are surely enforced.
    fn settled(&self) -> Option<Timestamp> {
        self.since?.checked_add(SETTLED).ok()
    }
}
