//! What is decided on the record of an upgrade whose Subscription is gone or does not see the account. It is closed by
//! observation; nothing is ever requested on its behalf.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::inputs::Now;
use crate::observation::{Acceptance, Observation};
use crate::offer::OfferClass;
use crate::provider::Operation;
use crate::reason::Reason;
use crate::record::{NoMore, Record, RecordState};
use crate::schedule::{Requeue, ask_again, while_verifying};

use super::Note;
use super::ledger::{may_still_be_accepted, not_shown};

/// The pause after something was written into the record.
const AFTER_A_NOTE: Duration = Duration::from_secs(5);
/// The pause between observations that wait for the upgrade's outcome (billing clock).
const WHILE_IT_MAY_SHOW: SignedDuration = SignedDuration::from_mins(5);

/// Whether a Subscription looks after the record of its account, with this reason of `Ready` and whether it has `observed`
/// the account.
pub fn looks_after(observed: bool, ready: Option<Reason>) -> bool {
    observed && ready != Some(Reason::AccountConflict)
}

/// Whether a Subscription with this reason of `Ready` may not have seen a record that is open: no reconcile that has seen
/// one comes to such a verdict. The record may have come to be later.
pub const fn may_have_missed(ready: Reason) -> bool {
    match ready {
        Reason::OfferInPlace
        | Reason::Suspended
        | Reason::Observing
        | Reason::NotEligible
        | Reason::UpgradeDenied
        | Reason::BenefitsUnknown
        | Reason::WaitingForExhaustion
        | Reason::AwaitingApproval
        | Reason::AwaitingPortalUpgrade => true,
        Reason::ProviderNotReady
        | Reason::WrongAccount
        | Reason::AccountConflict
        | Reason::Pending
        | Reason::ObservationStale
        | Reason::AccountClosed
        | Reason::UpgradeAccepted
        | Reason::ConversionOverdue
        | Reason::VerifyingUpgrade
        | Reason::UpgradeUnresolved
        | Reason::UpgradeContradicted
        | Reason::ApprovalPolicyMissing
        | Reason::UpgradeRejected
        | Reason::UpgradeHeld
        | Reason::Upgrading
        | Reason::LedgerUnavailable
        | Reason::InvalidSpec
        | Reason::ClaimLapsed
        | Reason::ClaimTakenOver
        | Reason::RecordUnwatched
        | Reason::Observed
        | Reason::CredentialsAccepted
        | Reason::Listed
        | Reason::NotListed
        | Reason::Throttled
        | Reason::ProviderUnreachable
        | Reason::OutcomeUnknown
        | Reason::Unauthenticated
        | Reason::Forbidden
        | Reason::PreconditionFailed
        | Reason::ProviderConflict
        | Reason::Unsupported
        | Reason::UnexpectedAnswer
        | Reason::InvalidConfiguration => false,
    }
}

/// When to observe the account again, after the `note`, if any, was written into the record.
pub fn next(record: &Record, note: Option<&Note>, operation: Option<&Operation>, now: Now) -> Requeue {
    if note.is_some() {
        return Requeue::After(AFTER_A_NOTE);
    }
    if let Some(Operation::Running(pause) | Operation::Unknown { retry_after: pause, .. }) = operation {
        return Requeue::After(ask_again(*pause, Some(record), now.wall));
    }
    let settled_at = record.settled_at(None);
    match record.state {
        RecordState::Intended | RecordState::Unknown if now.wall < settled_at => {
            Requeue::After(while_verifying(settled_at, now.wall))
        }
        // The provider takes its time, by the calendar of billing.
        _ => Requeue::At(now.billing.saturating_add(WHILE_IT_MAY_SHOW).unwrap_or(Timestamp::MAX)),
    }
}

/// What to write into a record without a Subscription, from what the account shows at `wall` (wall clock) and the
/// provider says of the `operation`. While it `is_claimed`, there is a Subscription of the account that does not see it for
/// now: that may still want the upgrade.
pub fn note(
    record: &Record,
    seen: &Observation,
    operation: Option<&Operation>,
    is_claimed: bool,
    wall: Timestamp,
) -> Option<Note> {
    if seen.offer.class == OfferClass::PayAsYouGo {
        return (record.state != RecordState::Confirmed).then_some(Note::Confirmed);
    }
    if seen.acceptance == Acceptance::Accepted {
        return may_still_be_accepted(record).then_some(Note::Accepted);
    }
    if let Some(Operation::Failed { detail }) = operation {
        return record.is_open().then(|| Note::Unresolved(NoMore::OperationFailed(detail.clone())));
    }
    let (until, why) = match record.state {
        RecordState::Accepted => (Record::shown_by(record.settled_at(None), operation), not_shown(operation)),
        _ if is_claimed => return None,
        _ => (record.settled_at(None), NoMore::NoLongerWanted),
    };
    (record.is_open() && wall >= until).then_some(Note::Unresolved(why))
}
