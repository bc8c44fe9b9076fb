//! What is decided on a BillingProvider whose credentials were checked: whether the wait for something that is missing goes
//! on, and when they are checked again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::provider::ProviderError;
use crate::schedule::Requeue;

use super::PROVIDER_GRACE_PERIOD;

/// The pause between two checks of credentials that work (billing clock): a change of an account that its Subscription
/// would see hours later shows in the list by then.
const WORKING: SignedDuration = SignedDuration::from_mins(5);
/// The pause between two checks of credentials that do not (wall clock).
const FAILING: Duration = Duration::from_mins(1);

/// How long credentials have failed for one reason and with one spec, according to status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// It is news.
    Newly,
    /// Since this time (wall clock), and the wait goes on.
    Since(Timestamp),
    /// For so long that the wait is over.
    Stalled,
}

/// What credentials that do not work mean for the BillingProvider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It begins now.
    Begins,
    /// It goes on.
    GoesOn,
    /// It is over: somebody must act.
    IsOver,
}

/// Whether credentials are waited for that do not work because of `error` at `wall` (wall clock). What may pass by itself,
/// and what one commit may still bring, is no reason to give up.
pub fn wait(error: &ProviderError, failing: Failing, wall: Timestamp) -> Wait {
    let passes_by_itself = matches!(error, ProviderError::Throttled { .. } | ProviderError::Transient { .. });
    match failing {
        Failing::Stalled if !passes_by_itself => Wait::IsOver,
        Failing::Since(began) if !passes_by_itself && wall.duration_since(began) >= PROVIDER_GRACE_PERIOD => {
            Wait::IsOver
        }
        Failing::Since(_) => Wait::GoesOn,
        Failing::Newly | Failing::Stalled => Wait::Begins,
    }
}

/// When credentials are checked again that `work`, or do not, at `billing` (billing clock).
pub fn next_check(work: bool, billing: Timestamp) -> Requeue {
    if work { Requeue::At(billing.saturating_add(WORKING).unwrap_or(Timestamp::MAX)) } else { Requeue::After(FAILING) }
}
