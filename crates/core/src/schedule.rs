//! When to observe an account again. Far from the end of the benefits seldom, near it often: the next observation comes before
//! the credit can be spent at twelve times the usual rate, and right after a date that matters.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::prelude::ToPrimitive;

use super::desired::{CLAIM_WITHOUT_SIGHT, Sight, When};
use super::forecast::Forecast;
use super::inputs::Inputs;
use super::observation::Observation;
use super::offer::BenefitKind;
use super::provider::{Operation, ProviderError};
use super::record::{Record, RecordState};
use super::trigger::{MIN_OBSERVATION_GAP, NotYet};
use super::verdict::{NotEligible, Verdict};

/// When the next reconcile is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// At this time of the billing clock.
    At(Timestamp),
    /// After this time of the wall clock.
    After(Duration),
    /// With a growing pause, as something failed; not before this much wall time, where the provider said so.
    Backoff(Option<Duration>),
    /// When something changes.
    OnChange,
}

impl Requeue {
    /// The same for an account that is restricted at `now`: soon after it works again, status must say so. After an upgrade that
    /// is a matter of minutes to hours.
    #[must_use]
    pub fn while_restricted(self, verdict: &Verdict, now: Timestamp) -> Self {
        let longest = if matches!(verdict, Verdict::OfferInPlace(_)) { HOUR } else { LONGEST };
        match self {
            Self::At(time) => Self::At(time.min(now.saturating_add(longest).unwrap_or(time))),
            Self::After(_) | Self::Backoff(_) | Self::OnChange => self,
        }
    }
}

/// The shortest pause between two observations that wait for the benefits' end.
const SHORTEST: SignedDuration = SignedDuration::from_mins(5);
/// The longest: what bounds how late an unforeseen burst of use is seen.
const LONGEST: SignedDuration = SignedDuration::from_hours(6);
/// The pause where a permission is missing: somebody may grant it, or it was a hiccup.
const MAY_BE_GRANTED: SignedDuration = SignedDuration::from_mins(15);
/// The pause while a person has to decide: a request may turn out to have been taken after all.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// The pause between observations at what is not expected to change.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The pause where something outside must change first (wall clock).
const OUTSIDE_CHANGE: Duration = Duration::from_mins(1);
/// The pause between two questions about an operation, unless the provider gives one (wall clock), and between which it is
/// held: <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/async-api-reference.md>
const POLL: Duration = Duration::from_mins(1);
const SHORTEST_POLL: Duration = Duration::from_secs(1);
const LONGEST_POLL: Duration = Duration::from_mins(10);
/// How many times faster than forecast the credit may be used up without an observation coming too late.
const BURST: i64 = 12;

/// When to observe the account again after `verdict`.
pub fn next(verdict: &Verdict, inputs: &Inputs, seen: Option<&Observation>, forecast: Option<&Forecast>) -> Requeue {
    let after = |pause: SignedDuration| Requeue::At(inputs.now.billing.saturating_add(pause).unwrap_or(Timestamp::MAX));
    match verdict {
        Verdict::Suspended(_) => Requeue::OnChange,
        Verdict::ProviderNotReady { stalled: false, .. } => Requeue::After(Duration::from_secs(15)),
        Verdict::ProviderNotReady { stalled: true, .. } => Requeue::After(OUTSIDE_CHANGE),
        Verdict::RetryHeld { by, .. } => match (next(by, inputs, seen, forecast), after(HOUR)) {
            (Requeue::At(time), Requeue::At(hour)) => Requeue::At(time.min(hour)),
            (Requeue::OnChange, hour) => hour,
            (soon, _) => soon,
        },
        Verdict::Unobserved { error: ProviderError::Throttled { retry_after }, .. } => Requeue::Backoff(*retry_after),
        Verdict::Unobserved { .. } | Verdict::LedgerUnavailable { .. } => Requeue::Backoff(None),
        Verdict::Upgrading => Requeue::After(Duration::from_secs(1)),
        Verdict::VerifyingUpgrade {
            operation: Some(Operation::Running(pause) | Operation::Unknown { retry_after: pause, .. }),
            ..
        } => Requeue::After(ask_again(*pause, inputs.record.as_ref(), inputs.now.wall)),
        Verdict::VerifyingUpgrade { settled_at, .. } => match &inputs.record {
            // The provider said yes; it may take its time to show.
            Some(record) if record.state == RecordState::Accepted => after(SHORTEST),
            _ if inputs.now.wall >= *settled_at => Requeue::After(OUTSIDE_CHANGE),
            _ => Requeue::After(while_verifying(*settled_at, inputs.now.wall)),
        },
        Verdict::UpgradeRejected { next: Some(next), .. } => {
            let left: Duration = next.duration_since(inputs.now.wall).try_into().unwrap_or_default();
            Requeue::After(left.max(Duration::from_secs(5)))
        }
        Verdict::AccountConflict(holder) => match holder.sight {
            // Its claim may be about to lapse.
            Sight::Lost { since } => {
                let end = since.checked_add(CLAIM_WITHOUT_SIGHT).unwrap_or(Timestamp::MAX);
                let left: Duration = end.duration_since(inputs.now.wall).try_into().unwrap_or_default();
                Requeue::After(left + SHORTEST_POLL)
            }
            // When it goes, or claims nothing any more, a watch reports it.
            Sight::Clear { .. } | Sight::Never => after(LONGEST),
        },
        Verdict::UpgradeHeld(_) | Verdict::ApprovalPolicyMissing(_) => Requeue::After(Duration::from_mins(5)),
        Verdict::AwaitingPortalUpgrade { .. } => after(SignedDuration::from_mins(15)),
        Verdict::UpgradeUnresolved { .. } | Verdict::UpgradeContradicted { .. } => after(HOUR),
        Verdict::BenefitsUnknown { unread, .. } if !unread.is_empty() => {
            after(until_exhaustion(inputs, seen, forecast).min(MAY_BE_GRANTED))
        }
        Verdict::BenefitsUnknown { .. }
        | Verdict::WaitingForExhaustion { not_yet: NotYet::Left | NotYet::PastItsEnd, .. } => {
            after(until_exhaustion(inputs, seen, forecast))
        }
        Verdict::WaitingForExhaustion { not_yet: NotYet::TooSoon(_), .. } => after(MIN_OBSERVATION_GAP),
        Verdict::WaitingForExhaustion { .. } => after(SignedDuration::from_mins(1)),
        Verdict::UpgradeAccepted { end } => after(bounded_by(*end, inputs.now.billing, LONGEST)),
        Verdict::NotEligible { unread, .. } if !unread.is_empty() => after(MAY_BE_GRANTED),
        Verdict::NotEligible { why: NotEligible::UnknownState(_) | NotEligible::UnclearAcceptance(_), .. }
        | Verdict::AwaitingApproval { .. }
        | Verdict::WrongAccount { .. } => after(LONGEST),
        Verdict::AccountClosed
        | Verdict::UpgradeRejected { next: None, .. }
        | Verdict::OfferInPlace(_)
        | Verdict::ConversionOverdue { .. }
        | Verdict::Observing
        | Verdict::NotEligible { .. }
        | Verdict::UpgradeDenied(_) => after(DAY),
    }
}

/// The pause before the operation of the last attempt is asked about again, where the provider asks for `pause`. The longer
/// it takes already at `wall` (wall clock), the longer, whatever the provider says: each question comes with an observation.
pub fn ask_again(pause: Option<Duration>, record: Option<&Record>, wall: Timestamp) -> Duration {
    let sent = record.and_then(|record| record.last()?.sent).unwrap_or(wall);
    let by_age = Duration::try_from(wall.duration_since(sent)).unwrap_or_default() / 20;
    poll(pause.unwrap_or(POLL).max(by_age))
}

/// The pause until the trigger may be met, by credit and by date.
fn until_exhaustion(inputs: &Inputs, seen: Option<&Observation>, forecast: Option<&Forecast>) -> SignedDuration {
    let now = inputs.now.billing;
    let by_credit = seen.zip(forecast).and_then(|(seen, forecast)| credit_pause(inputs, seen, forecast));
    let margin = match &inputs.desired.when {
        When::BeforeExhaustion(limits) => limits.time_left.unwrap_or_default(),
        _ => SignedDuration::ZERO,
    };
    let date = seen.and_then(Observation::period_end).and_then(|end| end.checked_sub(margin).ok());
    match date {
        // The provider takes its time to say so, or our clock is ahead of its: the next minutes matter.
        Some(date) if date <= now && now.duration_since(date) < DAY => SHORTEST,
        _ => bounded_by(date, now, by_credit.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)),
    }
}

/// The pause before an operation is asked about, where the provider asks for `pause`.
pub fn poll(pause: Duration) -> Duration {
    pause.clamp(SHORTEST_POLL, LONGEST_POLL)
}

/// The pause while it is watched whether an upgrade shows that may be on its way until `settled_at` (both wall clock).
pub fn while_verifying(settled_at: Timestamp, now: Timestamp) -> Duration {
    let left: Duration = settled_at.duration_since(now).try_into().unwrap_or_default();
    (left / 20).clamp(Duration::from_secs(5), Duration::from_mins(5))
}

fn credit_pause(inputs: &Inputs, seen: &Observation, forecast: &Forecast) -> Option<SignedDuration> {
    let left = seen.benefit(BenefitKind::Credit)?.remaining?;
    let limit = match &inputs.desired.when {
        When::BeforeExhaustion(limits) => limits.credit_below.map_or_else(Default::default, |limit| limit.amount),
        _ => rust_decimal::Decimal::ZERO,
    };
    let days = left.amount.checked_sub(limit)?.checked_div(forecast.burn_per_day?)?;
    let seconds = days.checked_mul(86_400.into())?.checked_div(BURST.into())?.to_i64()?;
    Some(SignedDuration::from_secs(seconds.max(0)))
}

/// `pause`, or the time until just after `date` where that comes first.
fn bounded_by(date: Option<Timestamp>, now: Timestamp, pause: SignedDuration) -> SignedDuration {
    match date {
        Some(date) if date > now => pause.min(date.duration_since(now) + SignedDuration::from_secs(1)),
        _ => pause,
    }
}
