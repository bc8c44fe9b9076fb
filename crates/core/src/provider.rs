//! What a provider can do, and what can go wrong with it: a closed set, each with one reaction.

use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use super::reason::Reason;

/// How an account is upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub enum Method {
    /// The provider has an interface for it. Repeating the call changes nothing: it declares a desired state.
    Api,
    /// The organisation's own automation. It never upgrades twice for one idempotency key.
    Broker,
    /// Only a person can, in the provider's portal: [`Handoff`](super::observation::Handoff).
    #[strum(serialize = "PortalHandoff")]
    Portal,
}

impl Method {
    /// The name in hashes and messages; never changes.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What a provider can do for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// How the account is upgraded.
    pub method: Method,
    /// Where the upgrade is requested, as the record stores it.
    pub endpoint: String,
}

/// The BillingProvider behind the name in a Subscription, as it was read. Its spec belongs to the terms of an upgrade: who
/// approves one approves it through this provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderObject {
    /// Its spec as text, the same text for the same spec.
    pub spec: String,
    /// When it was created (wall clock).
    pub created: Timestamp,
}

/// The progress of an upgrade that the provider accepted and does not finish at once. It proves nothing about the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is in progress. Ask again after this pause, if the provider gave one.
    Running(Option<Duration>),
    /// The provider says that it is done.
    Succeeded,
    /// The provider says that it has not upgraded the account and will not.
    Failed {
        /// What it said.
        detail: String,
    },
    /// Its progress could not be read. That says nothing about the upgrade.
    Unknown {
        /// Why not.
        detail: String,
        /// How long to wait before asking again, where the provider said so.
        retry_after: Option<Duration>,
    },
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
pub enum Outcome {
    /// The provider took the request.
    Accepted,
    /// The provider refused, definitely.
    Rejected,
    /// It never left this process.
    NotSent,
    /// Unknown: no answer, or one that proves nothing.
    Unknown,
}

impl Outcome {
    /// The name in the record.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The outcome that a record calls `name`; a name of another version proves nothing.
    pub fn parse(name: Option<&str>) -> Self {
        name.and_then(|name| name.parse().ok()).unwrap_or(Self::Unknown)
    }
}

/// Why a provider did not do what was requested.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProviderError {
    /// Slow down. Reaction: back off; not a failure.
    #[error("the provider is rate limiting requests")]
    Throttled {
        /// How long, where it said.
        retry_after: Option<Duration>,
    },
    /// It may work next time. Reaction: back off. Of an upgrade it says that nothing was sent.
    #[error("the provider could not be reached: {detail}")]
    Transient {
        /// What happened.
        detail: String,
    },
    /// A write may or may not have been applied. Reaction: observe; no second write until observed.
    #[error("it is not known whether the upgrade was applied: {detail}")]
    OutcomeUnknown {
        /// What happened.
        detail: String,
    },
    /// The credentials do not work. Reaction: a condition, slow retry.
    #[error("the credentials were refused: {detail}")]
    Unauthenticated {
        /// What the provider said.
        detail: String,
    },
    /// The credentials work and may not do this. Reaction: a condition that names the permission, slow retry.
    #[error("the credentials lack {permission}: {detail}")]
    Forbidden {
        /// What to grant.
        permission: String,
        /// What the provider said.
        detail: String,
    },
    /// The credentials or the answer are of another account. Reaction: stop, never write.
    #[error("the answer is for another account: {found}")]
    WrongAccount {
        /// Whose they are.
        found: String,
    },
    /// The provider refuses until a person fixes something. Reaction: report it, retry slowly.
    #[error("{code}: {detail}")]
    Precondition {
        /// The provider's own code.
        code: String,
        /// What the provider said.
        detail: String,
    },
    /// Another request is in progress. Reaction: observe again.
    #[error("the provider reports a conflict: {detail}")]
    Conflict {
        /// What the provider said.
        detail: String,
    },
    /// This provider or version cannot do that. Reaction: a condition.
    #[error("{detail}")]
    Unsupported {
        /// What cannot be done, and what can.
        detail: String,
    },
    /// The answer breaks the protocol. Reaction: hold, say so, never write on it.
    #[error("the provider's answer cannot be trusted: {detail}")]
    Protocol {
        /// What is odd about it.
        detail: String,
    },
    /// The manifest or the operator's configuration is wrong. Reaction: a condition, wait for a change.
    #[error("{detail}")]
    Config {
        /// What is wrong and how to fix it.
        detail: String,
    },
}

impl ProviderError {
    /// The outcome that this answer to an upgrade proves.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Throttled { .. } | Self::Transient { .. } => Outcome::NotSent,
            Self::Unauthenticated { .. }
            | Self::Forbidden { .. }
            | Self::Precondition { .. }
            | Self::Unsupported { .. }
            | Self::Config { .. } => Outcome::Rejected,
            Self::OutcomeUnknown { .. } | Self::WrongAccount { .. } | Self::Conflict { .. } | Self::Protocol { .. } => {
                Outcome::Unknown
            }
        }
    }

    /// Whether it is about who asks, by its `reason` as a record keeps it: about their credentials, their rights or their
    /// configuration, and not about the account.
    pub fn is_about_who_asks(reason: &str) -> bool {
        let about = [Reason::Unauthenticated, Reason::Forbidden, Reason::Unsupported, Reason::InvalidConfiguration];
        about.iter().any(|about| *about == reason)
    }

    /// The reason of the condition and the label of the metric.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Throttled { .. } => Reason::Throttled,
            Self::Transient { .. } => Reason::ProviderUnreachable,
            Self::OutcomeUnknown { .. } => Reason::OutcomeUnknown,
            Self::Unauthenticated { .. } => Reason::Unauthenticated,
            Self::Forbidden { .. } => Reason::Forbidden,
            Self::WrongAccount { .. } => Reason::WrongAccount,
            Self::Precondition { .. } => Reason::PreconditionFailed,
            Self::Conflict { .. } => Reason::ProviderConflict,
            Self::Unsupported { .. } => Reason::Unsupported,
            Self::Protocol { .. } => Reason::UnexpectedAnswer,
            Self::Config { .. } => Reason::InvalidConfiguration,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_about_the_requester_are_recognised() {
        let detail = String::new;
        for (error, is_about_who_asks) in [
            (ProviderError::Unauthenticated { detail: detail() }, true),
            (ProviderError::Forbidden { permission: detail(), detail: detail() }, true),
            (ProviderError::Unsupported { detail: detail() }, true),
            (ProviderError::Config { detail: detail() }, true),
            (ProviderError::Precondition { code: detail(), detail: detail() }, false),
            (ProviderError::Conflict { detail: detail() }, false),
            (ProviderError::OutcomeUnknown { detail: detail() }, false),
        ] {
            assert_eq!(ProviderError::is_about_who_asks(error.reason().name()), is_about_who_asks, "{error:?}");
        }
    }
}
