//! What people said about an upgrade.

use jiff::Timestamp;

/// An `UpgradeApproval` of the Subscription in question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Approval {
    /// When it ends (wall clock); a Deny has none.
    pub expires: Option<Timestamp>,
    /// When it was created (wall clock).
    pub created: Timestamp,
    /// Its uid.
    pub uid: String,
    /// Its name.
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

/// What admission makes sure of, in the namespace of the Subscription in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// What of the shipped admission policies and their bindings is missing or altered. With any of them, nothing is made
    /// sure of.
    pub flaws: Vec<Flaw>,
    /// Since when all of them that an approval depends on have been there (wall clock): only a younger one is vouched for.
    pub since: Timestamp,
    /// The kind and the name of the youngest of them.
    pub youngest: String,
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
pub enum Unguarded {
    /// Anybody could have made it: these are missing or altered.
    Flaws(Vec<Flaw>),
    /// It is older than what makes sure who made it.
    Older {
        /// The approval's name.
        approval: String,
        /// The kind and the name of what is younger.
        youngest: String,
        /// When that was created (wall clock).
        since: Timestamp,
    },
}

impl Guard {
    /// Nobody has looked, as there is nothing to vouch for. It vouches for nothing.
    pub const UNREAD: Self =
        Self { flaws: Vec::new(), since: Timestamp::MAX, youngest: String::new(), automatic_needs_approve: false };

    /// The one to act upon of those that somebody `said`; `None` if nobody said anything.
    pub fn vouched<'a>(
        &self,
        said: impl Iterator<Item = &'a Approval> + Clone,
    ) -> Result<Option<&'a Approval>, Unguarded> {
        let Some(first) = said.clone().min() else { return Ok(None) };
        if !self.flaws.is_empty() {
            return Err(Unguarded::Flaws(self.flaws.clone()));
        }
        let vouched = said.filter(|said| said.created > self.since).min();
        vouched.map(Some).ok_or_else(|| Unguarded::Older {
            approval: first.name.clone(),
            youngest: self.youngest.clone(),
            since: self.since,
        })
    }

    /// Whether `approval: Automatic` is the word of somebody who may say so, as far as the namespace demands it.
    pub fn allows_automatic(&self) -> Result<(), Unguarded> {
        if self.automatic_needs_approve && !self.flaws.is_empty() {
            return Err(Unguarded::Flaws(self.flaws.clone()));
        }
        Ok(())
    }
}
