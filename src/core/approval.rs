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
