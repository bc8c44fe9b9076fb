//! What a cloud says and does. A provider reads accounts and asks for upgrades; there is no way to create, cancel,
//! close, delete or downgrade anything through it.

mod assertion;
pub mod aws;
pub mod azure;
#[cfg(test)]
mod changes;
mod document;
mod http;
#[cfg(test)]
mod test_server;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::timeout;
use uuid::Uuid;

pub use azure_core::credentials::Secret;

pub use self::assertion::Assertions;
pub use self::http::{NoAnswer, Transport};

use payg_core::account::AccountId;
use payg_core::observation::Observation;
use payg_core::provider::{Capabilities, Operation, ProviderError};
use payg_core::transition::Transition;

/// A cloud, through the credentials of one `BillingProvider`.
#[async_trait]
pub trait BillingProvider: Send + Sync {
    /// How `account` can be upgraded.
    fn capabilities(&self, account: &AccountId) -> Result<Capabilities, ProviderError>;

    /// Whether the credentials work at all, and which accounts they see, where the provider lists them. Reads only. What
    /// it says of an account is a hint to look at it, never a reason to act.
    async fn survey(&self, deadline: Duration) -> Result<Survey, ProviderError>;

    /// Looks at `account`: reads only, and makes sure that the answer is about `account`. `now` returns the billing time.
    async fn observe(
        &self,
        account: &AccountId,
        now: &(dyn Fn() -> Timestamp + Sync),
        deadline: Duration,
    ) -> Result<Observation, ProviderError>;

    /// Requests the upgrade of `account`: at most one write, never repeated in any layer. Nothing is written after
    /// `not_after` (wall clock). `key` is the same for every attempt, for ever.
    ///
    /// [`ProviderError::outcome`] says which errors prove that this call has not applied the upgrade.
    async fn upgrade(&self, account: &AccountId, request: UpgradeRequest<'_>) -> Result<Accepted, ProviderError>;

    /// How far an upgrade of `account` has come, by the [`operation`](Accepted::operation) that the provider named when it
    /// took it. Reads only.
    async fn progress(&self, account: &AccountId, operation: &str, deadline: Duration) -> Operation;
}

/// What credentials see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The accounts, where the provider lists them.
    pub accounts: Option<Vec<Sighting>>,
    /// What they see, for people: goes on where "The credentials (of somebody) work" ends. May be empty.
    pub seen: String,
}

/// An account in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub account: AccountId,
    /// A text that changes when there is something new to see on the account.
    pub mark: String,
}

/// What an upgrade is asked for with.
#[derive(Clone, Copy, Debug)]
pub struct UpgradeRequest<'a> {
    /// From which offer to which.
    pub transition: &'a Transition,
    /// The idempotency key.
    pub key: Uuid,
    /// The last moment to write to the socket (wall clock).
    pub not_after: Timestamp,
    /// How long the call may take.
    pub deadline: Duration,
}

/// The provider took the request. It proves nothing: only an observation does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// What it said, for people.
    pub message: String,
    /// The address at which it reports the progress of the upgrade, if it named one.
    pub operation: Option<String>,
    /// How long to wait before asking there.
    pub retry_after: Option<Duration>,
}

/// `read`, or an error when it takes longer than `deadline`.
async fn within<T>(
    cloud: &str,
    deadline: Duration,
    read: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    timeout(deadline, read).await.unwrap_or_else(|_| {
        let detail = format!("{cloud} has not answered in {} s", deadline.as_secs_f32());
        Err(ProviderError::Transient { detail })
    })
}

/// The error of an upgrade that failed before it was sent. Whatever kept it from being sent, that there was no upgrade is
/// sure: it may be tried again in minutes, and the observation before that says what is wrong.
fn not_sent(error: ProviderError) -> ProviderError {
    match error {
        throttled @ ProviderError::Throttled { .. } => throttled,
        error => ProviderError::Transient { detail: format!("the upgrade was not sent: {error}") },
    }
}
