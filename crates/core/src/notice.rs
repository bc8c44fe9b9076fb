//! Which notices are due: messages about an account that reach people. A notice reports and never decides.
//!
//! What is due follows from the state of the account alone, so the same notice is due in each reconcile for as long as it holds.
//! Its id stays the same over restarts and replicas; status remembers the ids that were delivered.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::decide::Decision;
use super::observation::{Observation, PastObservation};
use super::offer::{Benefit, OfferClass};
use super::record::Record;
use super::verdict::{Held, Unobserved, Verdict};

/// How urgent a notice is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it today.
    Warning,
    /// Something has stopped, or soon will.
    Critical,
}

/// Why there is a notice.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
pub enum Occasion {
    /// The trial's end, or the time at which the trigger is expected to be met, is a threshold away.
    EndAhead,
    /// The rate of use brings the end nearer by more than a threshold at once.
    EndSooner,
    /// An upgrade waits for an approval.
    ApprovalNeeded,
    /// Something else waits for a person, such as the upgrade in the portal.
    PersonNeeded,
    /// The account is switched off.
    Restricted,
    /// A deadline, such as the deletion of the account's data, is near.
    DeadlineNear,
    /// An upgrade was requested.
    Requested,
    /// The provider accepted the request.
    Accepted,
    /// The account's offer has changed.
    Converted,
    /// The provider refused the request.
    Refused,
    /// Whether an upgrade was made is unknown, and a person must find out.
    Unresolved,
    /// The account can't be read any more.
    CredentialsFailing,
    /// Somebody tests a receiver.
    Test,
}

/// How many days before the end notices are due, unless the administrator chooses others.
pub const THRESHOLDS: [u16; 5] = [30, 14, 7, 3, 1];
/// From how long before a deadline on a notice is due each day.
const DEADLINE_NEAR: SignedDuration = SignedDuration::from_hours(3 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Occasion {
    /// Whether it is something that happened once and needs nobody, so that nothing holds afterwards.
    pub fn is_news(self) -> bool {
        matches!(self, Self::Requested | Self::Accepted | Self::Converted | Self::Test)
    }
}

/// What notices depend on, beside the decision.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The ledger's entry as it is after the reconcile.
    pub record: Option<&'a Record>,
    /// Since when the thresholds are armed ([`armed`]).
    pub armed: Timestamp,
    /// When the end was expected at the last observation (billing clock).
    pub expected_before: Option<Timestamp>,
    /// When the account was first observed on the new offer, if it was before this reconcile (billing clock).
    pub converted: Option<Timestamp>,
    /// The ids of what was due at the last reconcile.
    pub due_before: &'a [String],
    /// How many days before the end notices are due.
    pub thresholds: &'a [u16],
    /// The billing time.
    pub now: Timestamp,
}

impl Context<'_> {
    /// A notice for as long as something holds. Its id says since when: what holds again later is due again.
    fn state(&self, occasion: Occasion, severity: Severity, about: impl fmt::Display) -> Due {
        let state = format!("{occasion}/{about}/since");
        let holds = self.due_before.iter().find(|id| id.starts_with(&state));
        let id = holds.cloned().unwrap_or_else(|| format!("{state}{}", self.now.as_second()));
        Due { occasion, id, day: None, severity, until: None }
    }
}

/// A notice that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Why.
    pub occasion: Occasion,
    /// Its id among the notices about the Subscription, such as `End/7d/1764590000`: the same for as long as it is due.
    pub id: String,
    /// Which day of it this is, if it is due every day.
    pub day: Option<i64>,
    /// How urgent it is. It never changes for the same id.
    pub severity: Severity,
    /// When it is moot (billing clock), if it is some day.
    pub until: Option<Timestamp>,
}

impl Due {
    fn new(occasion: Occasion, severity: Severity, about: impl fmt::Display) -> Self {
        Self { occasion, id: format!("{occasion}/{about}"), day: None, severity, until: None }
    }

    /// Its id for receivers that repeat nothing by themselves: each day has its own.
    pub fn id_of_day(&self) -> String {
        self.day.map_or_else(|| self.id.clone(), |day| format!("{}/day{day}", self.id))
    }

    /// Whether the notice with this id says the same, if on another day.
    pub fn is_of(&self, id: &str) -> bool {
        id.strip_prefix(&self.id).is_some_and(|rest| rest.is_empty() || rest.starts_with("/day"))
    }
}

/// All that is due after `decision`.
pub fn due(decision: &Decision, context: Context<'_>) -> Vec<Due> {
    [end(decision, context), outage(decision, context), deadline(decision, context), of_verdict(decision, context)]
        .into_iter()
        .flatten()
        .collect()
}

/// Whether a notice that is not due after `decision` is over. Without an observation nobody knows.
pub fn ends_others(decision: &Decision) -> bool {
    decision.seen.is_some() || matches!(decision.verdict, Verdict::Suspended(_))
}

/// Since when the thresholds are armed (billing clock), if they were so `before`: since this observation if it is the first, or
/// if it shows more credit or a later end than the one before it. Thresholds that were announced are then due again.
pub fn armed(before: Option<Timestamp>, past: Option<&PastObservation>, seen: &Observation) -> Timestamp {
    let (Some(before), Some(past)) = (before, past) else { return seen.observed };
    let is_more = |now: &Benefit| {
        let then = past.benefits.iter().find(|then| then.kind == now.kind);
        then.is_some_and(|then| {
            let amounts = now.remaining.zip(then.remaining);
            let has_more = amounts.is_some_and(|(now, then)| now.currency == then.currency && now.amount > then.amount);
            let is_later = now.end.zip(then.end).is_some_and(|(now, then)| now.duration_since(then) >= DAY);
            has_more || is_later
        })
    };
    if seen.benefits.iter().any(is_more) { seen.observed } else { before }
}

/// When the trigger is expected to be met or the benefits end, whichever is first, while there is something left to use.
pub fn end_ahead(decision: &Decision) -> Option<Timestamp> {
    let seen = decision.seen.as_ref().filter(|seen| seen.offer.class == OfferClass::FreeTrial)?;
    let is_over = seen.benefits.iter().any(|benefit| benefit.is_exhausted(seen.observed));
    let forecast = decision.forecast.filter(|_| !is_over)?;
    forecast.due.into_iter().chain(forecast.exhaustion).min()
}

/// The smallest threshold that the end is within. The larger ones are no longer news.
fn end(decision: &Decision, context: Context<'_>) -> Option<Due> {
    let end = end_ahead(decision)?;
    let days = |threshold: u16| DAY.saturating_mul(i32::from(threshold));
    let within = |end: Timestamp| {
        let left = end.duration_since(context.now);
        context.thresholds.iter().copied().filter(|threshold| left <= days(*threshold)).min()
    };
    let threshold = within(end)?;
    // The next larger one was skipped: by the last observation the end was further away than that.
    let larger = context.thresholds.iter().copied().filter(|other| *other > threshold).min();
    let skipped = larger.is_some_and(|larger| {
        context.expected_before.is_some_and(|before| within(before).is_none_or(|was| was > larger))
    });
    let occasion = if skipped { Occasion::EndSooner } else { Occasion::EndAhead };
    let severity = match threshold {
        0..=1 => Severity::Critical,
        2..=7 => Severity::Warning,
        _ => Severity::Info,
    };
    // Sooner or as expected: a threshold is announced once.
    let id = format!("End/{threshold}d/{}", context.armed.as_second());
    let smaller = context.thresholds.iter().copied().filter(|other| *other < threshold).max();
    let until = end.saturating_sub(days(smaller.unwrap_or_default())).ok();
    Some(Due { occasion, id, day: None, severity, until })
}

/// Each day of an outage.
fn outage(decision: &Decision, context: Context<'_>) -> Option<Due> {
    let since = decision.outage.as_ref()?.since;
    let day = days_between(since, context.now);
    let until = context.now.saturating_add(DAY).ok();
    let due = Due::new(Occasion::Restricted, Severity::Critical, since.as_second());
    Some(Due { day: Some(day), until, ..due })
}

/// Each of the last days before a deadline.
fn deadline(decision: &Decision, context: Context<'_>) -> Option<Due> {
    let seen = decision.seen.as_ref().filter(|seen| seen.offer.class == OfferClass::FreeTrial)?;
    let deadline = seen.deadline?;
    let left = deadline.duration_since(context.now);
    let is_near = left <= DEADLINE_NEAR && !left.is_negative();
    let day = days_between(context.now, deadline);
    let due = Due::new(Occasion::DeadlineNear, Severity::Critical, deadline.as_second());
    is_near.then_some(Due { day: Some(day), until: Some(deadline), ..due })
}

fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().div_euclid(DAY.as_secs())
}

/// What the verdict itself is a reason to tell.
fn of_verdict(decision: &Decision, context: Context<'_>) -> Option<Due> {
    use Occasion as O;
    use Severity::{Critical, Info, Warning};
    let hash = || decision.transition.as_ref().map_or_else(String::new, |transition| transition.hash.clone());
    let attempt = || {
        let attempts = context.record.map(|record| (record.name.as_str(), record.attempts.len()));
        attempts.map_or_else(String::new, |(name, number)| format!("{name}/{number}"))
    };
    let reason = || decision.verdict.facts().reason.name();
    let due = match &decision.verdict {
        Verdict::AwaitingApproval { .. } | Verdict::ApprovalPolicyMissing(_) => {
            context.state(O::ApprovalNeeded, Warning, hash())
        }
        Verdict::AwaitingPortalUpgrade { .. } | Verdict::UpgradeHeld(Held::DryRun) => {
            context.state(O::PersonNeeded, Warning, format!("{}/{}", reason(), hash()))
        }
        Verdict::WrongAccount { .. }
        | Verdict::AccountConflict(_)
        | Verdict::NotEligible { .. }
        | Verdict::BenefitsUnknown { .. }
        | Verdict::AccountClosed => context.state(O::PersonNeeded, Warning, reason()),
        Verdict::ConversionOverdue { .. } => {
            context.state(O::PersonNeeded, Warning, format!("{}/{}", reason(), attempt()))
        }
        Verdict::UpgradeUnresolved { .. } | Verdict::RetryHeld { .. } | Verdict::UpgradeContradicted { .. } => {
            Due::new(O::Unresolved, Critical, format!("{}/{}", reason(), attempt()))
        }
        Verdict::VerifyingUpgrade { .. } => Due::new(O::Requested, Info, attempt()),
        Verdict::UpgradeAccepted { .. } => Due::new(O::Accepted, Info, attempt()),
        // An account that was on the offer before anybody asked is no news, nor is one that has long been on it.
        Verdict::OfferInPlace(_)
            if context.record.is_some()
                && context.converted.is_none_or(|time| context.now.duration_since(time) < DAY) =>
        {
            Due::new(O::Converted, Info, attempt())
        }
        Verdict::UpgradeRejected { .. } => Due::new(O::Refused, Warning, attempt()),
        Verdict::ProviderNotReady { stalled: true, .. } | Verdict::Unobserved { since: Unobserved::TooLong, .. } => {
            context.state(O::CredentialsFailing, Warning, reason())
        }
        Verdict::OfferInPlace(_)
        | Verdict::Suspended(_)
        | Verdict::ProviderNotReady { stalled: false, .. }
        | Verdict::Unobserved { since: Unobserved::Always | Unobserved::Lately, .. }
        | Verdict::Observing
        | Verdict::UpgradeDenied(_)
        | Verdict::WaitingForExhaustion { .. }
        | Verdict::UpgradeHeld(Held::Cap { .. } | Held::Share { .. })
        | Verdict::Upgrading
        | Verdict::LedgerUnavailable { .. } => return None,
    };
    Some(due)
}
