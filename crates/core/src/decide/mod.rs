//! The decision: one pure function from all that is known to a verdict, at most one effect and the next observation. The rules are
//! the rows of a table ([`ROWS`]), described in `docs/reference/decisions.md`. The first row that applies decides.

mod account;
mod after;
pub mod billing_provider;
mod case;
mod ledger;
pub mod orphan;
mod rows;
mod sight;
mod upgrade;

use jiff::{SignedDuration, Timestamp};

use super::approval::Approval;
use super::desired::{Claimant, Desired, Lapse};
use super::forecast::{Forecast, forecast};
use super::inputs::{Inputs, Previous};
use super::observation::{Acceptance, Observation};
use super::offer::OfferClass;
use super::outage::Outage;
use super::provider::ProviderError;
use super::record::{NoMore, Record, Requester};
use super::schedule::{Requeue, next};
use super::transition::Transition;
use super::trigger::{Evidence, NotYet};
use super::verdict::{Facts, Standing, Verdict};

use self::case::{Case, Seen};

pub use self::after::Acted;
pub use self::rows::{ROWS, Row};

/// How long a BillingProvider or its credentials may be missing before the Subscription is stalled: one commit may
/// bring a Subscription and its BillingProvider in either order.
const PROVIDER_GRACE_PERIOD: SignedDuration = SignedDuration::from_mins(5);

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The row that matched.
    pub verdict: Verdict,
    /// What was seen in this reconcile, completed with what the user declared.
    pub seen: Option<Observation>,
    /// What to do, if anything.
    pub effect: Option<Effect>,
    /// What an upgrade would do, as soon as that is known.
    pub transition: Option<Transition>,
    /// When the benefits are expected to be used up, and the trigger to be met.
    pub forecast: Option<Forecast>,
    /// Whether the account is switched off, as far as this reconcile knows.
    pub outage: Option<Outage>,
    /// Who has the account, where several Subscriptions name it.
    pub standing: Standing,
    /// When the next reconcile is due.
    pub next: Requeue,
}

impl Decision {
    /// What it means to programs.
    pub fn facts(&self) -> Facts {
        self.outage.as_ref().map_or_else(|| self.verdict.facts(), |outage| outage.facts(&self.verdict))
    }

    /// What it says to people.
    pub fn message(&self) -> String {
        self.outage.as_ref().map_or_else(|| self.verdict.to_string(), |outage| outage.message(&self.verdict))
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Create the record, then request the upgrade.
    Upgrade(UpgradeOrder),
    /// Write attempt `number` into the record, then request the upgrade, with the same key.
    Again {
        /// The attempt's number.
        number: u32,
        /// The upgrade to request.
        order: UpgradeOrder,
    },
    /// Write into the record what the account shows, or that a person must decide.
    Note(Note),
}

/// The grounds and the terms of an upgrade request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeOrder {
    /// From which offer to which.
    pub transition: Transition,
    /// Why.
    pub evidence: Evidence,
    /// The approval, if one was needed.
    pub approval: Option<Approval>,
    /// The endpoint of the request.
    pub endpoint: String,
    /// The requester.
    pub requester: Requester,
}

/// What to write into a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The account shows that an upgrade was accepted.
    Accepted,
    /// The account is on the offer.
    Confirmed,
    /// The outcome is unknown, and a person decides.
    Unresolved(NoMore),
}

/// Whether the account is to be observed in this reconcile: not while suspended, unless a call may be on its way.
pub fn wants_observation(desired: &Desired, record: Option<&Record>) -> bool {
    desired.suspend.is_none() || record.is_some_and(|record| record.is_open() || record.is_unresolved())
}

/// The address at which to read an upgrade's progress, if the account does not show it and the provider named one.
pub fn wants_progress<'a>(record: Option<&'a Record>, observation: &Observation) -> Option<&'a str> {
    let shows = observation.offer.class == OfferClass::PayAsYouGo || observation.acceptance == Acceptance::Accepted;
    let record = record.filter(|record| record.is_open() && !shows)?;
    record.last()?.operation.as_deref()
}

/// The decision on `inputs`.
pub fn decide(inputs: &Inputs) -> Decision {
    let seen = Seen::of(inputs);
    let case = Case { inputs, seen: seen.as_ref(), record: inputs.record.as_ref(), retry: None };
    let (row, (verdict, effect)) = rows::rule(&case).unwrap_or_else(|| {
        // Some row applies to every case, row 5 or 21 at the latest. If none did, nothing would be done.
        let nothing_known = sight::for_want_of_sight(&inputs.previous, inputs.now.wall, sight::not_observed());
        (rows::LAST_BEFORE_SIGHT, (nothing_known, None))
    });
    let standing = standing(&case, &verdict);
    let (seen, transition) = match seen {
        Some(seen) if row > rows::LAST_BEFORE_SIGHT => (Some(seen.account), seen.transition),
        Some(_) | None => (None, None),
    };
    let waits = matches!(
        verdict,
        Verdict::WaitingForExhaustion { not_yet: NotYet::Left, .. } | Verdict::BenefitsUnknown { .. }
    );
    let waits_for = waits.then_some(&inputs.desired.when);
    let forecast = seen.as_ref().and_then(|seen| forecast(&inputs.previous, seen, waits_for));
    let verdict = with_expectation(verdict, forecast.as_ref(), inputs.now.billing);
    let outage = Outage::of(&verdict, seen.as_ref(), &inputs.previous);
    let next = next(&verdict, inputs, seen.as_ref(), forecast.as_ref());
    let next = if outage.is_some() { next.while_restricted(&verdict, inputs.now.billing) } else { next };
    Decision { verdict, seen, effect, transition, forecast, outage, standing, next }
}

/// Row 5, for a reconcile that could not read its inputs.
pub fn unobserved(previous: &Previous, wall: Timestamp, error: ProviderError) -> Decision {
    let verdict = sight::for_want_of_sight(previous, wall, error);
    let (standing, next) = (Standing::Unchanged, Requeue::Backoff(None));
    Decision { verdict, seen: None, effect: None, transition: None, forecast: None, outage: None, standing, next }
}

/// What is reported about the claims to the account.
fn standing(case: &Case<'_>, verdict: &Verdict) -> Standing {
    let inputs = case.inputs;
    if let Verdict::AccountConflict(holder) = verdict {
        return Standing::Second(holder.clone());
    }
    let has_observed = matches!(inputs.observation, Some(Ok(_)));
    let lapsed = if has_observed { inputs.subject.yields } else { inputs.subject.lapse(inputs.now) };
    match lapsed.filter(|lapse| *lapse != Lapse::NeverSeen) {
        Some(lapse) if inputs.claimants.iter().any(Claimant::is_able) => return Standing::Lapsed(lapse),
        Some(_) => return Standing::Unsaid,
        None if !has_observed && !inputs.claimants.is_empty() => return Standing::Unchanged,
        None => {}
    }
    let lapsed = |other: &Claimant| other.lapse(inputs.now).filter(|lapse| *lapse != Lapse::NeverSeen);
    case.first(|other| lapsed(other).is_some())
        .and_then(|older| Some(Standing::InPlaceOf(older.clone(), lapsed(older)?)))
        .unwrap_or(Standing::Unsaid)
}

/// Drops an expected time that has passed.
fn with_expectation(verdict: Verdict, forecast: Option<&Forecast>, now: Timestamp) -> Verdict {
    match verdict {
        Verdict::WaitingForExhaustion { not_yet, closes, .. } => Verdict::WaitingForExhaustion {
            closes,
            not_yet,
            expected: forecast.and_then(|forecast| forecast.due).filter(|at| *at > now),
        },
        other => other,
    }
}
