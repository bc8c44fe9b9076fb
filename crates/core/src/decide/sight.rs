//! Rows 1 to 5: whether the account can be seen.

use jiff::{SignedDuration, Timestamp};

use crate::inputs::{Inputs, Previous};
use crate::provider::ProviderError;
use crate::verdict::{Unobserved, Verdict};
use crate::visibility::lost_visibility;

use super::case::{Case, Ruling};
use super::{PROVIDER_GRACE_PERIOD, wants_observation};

/// How long a status stays trustworthy while no observation succeeds.
const STATUS_BELIEVED: SignedDuration = SignedDuration::from_hours(1);

/// Row 1.
pub(super) fn suspended(case: &Case<'_>) -> Option<Ruling> {
    let why = case.inputs.desired.suspend?;
    let is_left_alone = !wants_observation(&case.inputs.desired, case.record);
    is_left_alone.then_some((Verdict::Suspended(why), None))
}

/// Row 2.
pub(super) fn provider_not_ready(case: &Case<'_>) -> Option<Ruling> {
    let problem = problem(case)?;
    let now = case.inputs.now.wall;
    let since = case.inputs.previous.not_ready_since.unwrap_or(now);
    let stalled = now.duration_since(since) >= PROVIDER_GRACE_PERIOD;
    Some((Verdict::ProviderNotReady { problem, stalled }, None))
}

/// What is missing or wrong with the BillingProvider or its rights.
fn problem(case: &Case<'_>) -> Option<ProviderError> {
    let Inputs { provider, observation, previous, .. } = case.inputs;
    if let Err(problem) = provider {
        return Some(problem.clone());
    }
    match observation.as_ref()? {
        Err(
            problem @ (ProviderError::Unauthenticated { .. }
            | ProviderError::Forbidden { .. }
            | ProviderError::Unsupported { .. }
            | ProviderError::Config { .. }),
        ) => Some(problem.clone()),
        // Where an older Subscription has the account, row 4 says so instead.
        Ok(seen) if case.holder().is_none() => lost_visibility(previous, seen),
        Ok(_) | Err(_) => None,
    }
}

/// Row 3.
pub(super) fn wrong_account(case: &Case<'_>) -> Option<Ruling> {
    let Some(Err(ProviderError::WrongAccount { found })) = &case.inputs.observation else { return None };
    Some((Verdict::WrongAccount { found: found.clone() }, None))
}

/// Row 4. Nobody learns who has an account before they have seen it with credentials of their own.
pub(super) fn account_conflict(case: &Case<'_>) -> Option<Ruling> {
    let holder = case.holder().filter(|_| case.seen.is_some())?;
    Some((Verdict::AccountConflict(holder.clone()), None))
}

/// Row 5.
pub(super) fn unobserved(case: &Case<'_>) -> Option<Ruling> {
    let error = match &case.inputs.observation {
        Some(Ok(_)) => return None,
        Some(Err(error)) => error.clone(),
        None => not_observed(),
    };
    Some((for_want_of_sight(&case.inputs.previous, case.inputs.now.wall, error), None))
}

/// The error that stands for an observation that was not made.
pub(super) fn not_observed() -> ProviderError {
    ProviderError::Transient { detail: "the account was not observed in this reconcile".to_owned() }
}

/// The verdict of row 5.
pub(super) fn for_want_of_sight(previous: &Previous, wall: Timestamp, error: ProviderError) -> Verdict {
    let since = previous.unobserved_since.unwrap_or(wall);
    let since = match previous.observation {
        None => Unobserved::Always,
        Some(_) if wall.duration_since(since) >= STATUS_BELIEVED => Unobserved::TooLong,
        Some(_) => Unobserved::Lately,
    };
    Verdict::Unobserved { error, since }
}
