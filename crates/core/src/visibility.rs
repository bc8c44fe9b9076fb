//! An observation that shows less of an account than the one before it.

use super::inputs::Previous;
use super::observation::{Lifecycle, Observation};
use super::offer::OfferClass;
use super::provider::ProviderError;

/// What the observation that status remembers showed, and this one does not. It may have kept the account from an upgrade, such as a
/// cancellation, so nothing is decided without it. What can never be upgraded needs no such care.
pub(super) fn lost_visibility(previous: &Previous, seen: &Observation) -> Option<ProviderError> {
    let before = previous.observation.as_ref()?.source.as_ref()?;
    let may_be_a_trial = matches!(seen.offer.class, OfferClass::FreeTrial | OfferClass::Unknown);
    if !may_be_a_trial || seen.lifecycle == Lifecycle::Closed || !before.goes_beyond(&seen.source) {
        return None;
    }
    let anew = "to continue without it, delete this Subscription and apply it again";
    Some(match seen.unread.first() {
        Some(lost) => ProviderError::Forbidden {
            permission: lost.permission.clone(),
            detail: format!("{} could be read before and no longer can. Grant the permission again; {anew}", lost.what),
        },
        None => ProviderError::Unsupported {
            detail: format!(
                "the account was read from `{}` before, but now only `{}` can be read, which does not show \
                 whether somebody stopped it. Check the account in the provider's portal; {anew}",
                before.name(),
                seen.source.name()
            ),
        },
    })
}
