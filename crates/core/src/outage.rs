//! An account that the provider has switched off. Whatever the operator waits for, that is never reported as healthy.

use std::fmt;

use jiff::Timestamp;

use super::desired::Suspension;
use super::inputs::Previous;
use super::message::minute;
use super::observation::{Lifecycle, Observation};
use super::trigger::NotYet;
use super::verdict::{Facts, Held, Progress, Ready, Verdict};

/// An outage: what runs in the account has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When it was first observed (billing clock).
    pub since: Timestamp,
    /// Until when the account can be upgraded, where the provider publishes that (billing clock). Its data may be deleted then.
    pub deadline: Option<Timestamp>,
    /// Where a person can upgrade the account, where one can.
    pub url: Option<String>,
}

impl Outage {
    /// The outage that a reconcile with this `verdict` knows of: from what it has `seen`, or from the last observation if it
    /// makes none because the Subscription is suspended.
    pub fn of(verdict: &Verdict, seen: Option<&Observation>, previous: &Previous) -> Option<Self> {
        let Some(seen) = seen else {
            let since = previous.restricted_since.filter(|_| matches!(verdict, Verdict::Suspended(_)))?;
            return Some(Self { since, deadline: None, url: None });
        };
        (seen.lifecycle == Lifecycle::Restricted).then(|| Self {
            since: previous.restricted_since.map_or(seen.observed, |since| since.min(seen.observed)),
            deadline: seen.deadline,
            url: seen.handoff.as_ref().map(|handoff| handoff.url.clone()),
        })
    }

    /// What `verdict` means to programs during the outage: nothing that waits is ready. It is stalled, unless the operator or
    /// the provider ends the outage without a person.
    pub fn facts(&self, verdict: &Verdict) -> Facts {
        let facts = verdict.facts();
        let progress = if ends_by_itself(verdict) { Progress::Reconciling } else { Progress::Stalled };
        match facts.ready {
            Ready::True => Facts { ready: Ready::False, progress, ..facts },
            Ready::False | Ready::Unknown | Ready::Unchanged => facts,
        }
    }

    /// What `verdict` says during the outage: what has happened, and what ends it.
    pub fn message(&self, verdict: &Verdict) -> String {
        let mut message = format!("{self} {verdict}");
        message.push_str(match verdict {
            Verdict::Suspended(Suspension::Manifest) => " To let the operator upgrade it, set `suspend: false`.",
            Verdict::Observing => " To have it upgraded, set another `when`.",
            Verdict::OfferInPlace(_) => " If it stays so, check its state and its bills in the provider's portal.",
            Verdict::UpgradeHeld(Held::DryRun) => " To have it upgraded, run the operator without --dry-run.",
            _ => "",
        });
        if let Some(url) = self.url.as_ref().filter(|_| waits_for_a_person(verdict)) {
            return format!("{message} A person can also upgrade it at {url}.");
        }
        message
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The account has been restricted since {}: what runs in it has stopped", minute(self.since))?;
        match self.deadline {
            Some(deadline) => write!(f, ", and its data may be deleted after {}.", minute(deadline)),
            None => f.write_str("."),
        }
    }
}

/// Whether the outage ends without a person, if all goes well.
fn ends_by_itself(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::UpgradeAccepted { .. }
            | Verdict::WaitingForExhaustion {
                not_yet: NotYet::Unconfirmed(_) | NotYet::TooSoon(_) | NotYet::WentBack,
                ..
            }
    )
}

/// Whether only a person can end the outage, and `verdict` names no link.
fn waits_for_a_person(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Observing | Verdict::UpgradeDenied(_) | Verdict::AwaitingApproval { .. } | Verdict::UpgradeHeld(_)
    )
}
