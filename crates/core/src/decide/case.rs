//! What the rows decide on.

use crate::approval::{Approval, Decision as Said, Untrusted};
use crate::desired::{ApprovalMode, Claimant};
use crate::inputs::Inputs;
use crate::observation::{Acceptance, Lifecycle, Observation};
use crate::offer::OfferClass;
use crate::record::Record;
use crate::transition::{Transition, former_hash};
use crate::trigger::{TriggerState, evaluate};
use crate::verdict::{NotEligible, Verdict};

use super::Effect;

/// A verdict, and what to do.
pub(super) type Ruling = (Verdict, Option<Effect>);

/// What a row decides on.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub inputs: &'a Inputs,
    /// What this reconcile saw of the account; `None` if no observation succeeded.
    pub seen: Option<&'a Seen>,
    /// The ledger's entry.
    pub record: Option<&'a Record>,
    /// The Retry of a person who has decided on an unresolved record.
    pub retry: Option<&'a Approval>,
}

/// The observed account, and what follows from it.
pub(super) struct Seen {
    /// The observation, completed with what the user declared and with what status remembers.
    pub account: Observation,
    /// What an upgrade would do, where one is possible.
    pub transition: Option<Transition>,
    /// What the trigger says.
    pub trigger: TriggerState,
}

impl Seen {
    /// What the observation in `inputs` shows, if it succeeded.
    pub fn of(inputs: &Inputs) -> Option<Self> {
        let observation = inputs.observation.as_ref()?.as_ref().ok()?.clone().in_whole_seconds();
        let observation = observation.completed_by(&inputs.desired.trial);
        let account = inputs.previous.observation.iter().fold(observation, Observation::remembering);
        let transition = transition(inputs, &account);
        let trigger = evaluate(&inputs.desired.when, inputs.previous.observation.as_ref(), &account);
        Some(Self { account, transition, trigger })
    }
}

fn transition(inputs: &Inputs, seen: &Observation) -> Option<Transition> {
    let (Ok(capabilities), Some(provider)) = (&inputs.provider, &inputs.provider_object) else { return None };
    why_not_eligible(seen).is_none().then(|| Transition::new(&inputs.desired, &seen.offer, capabilities, provider))
}

/// Why there is no upgrade of the account.
pub(super) fn why_not_eligible(seen: &Observation) -> Option<NotEligible> {
    if let Lifecycle::Unknown(native) = &seen.lifecycle {
        return Some(NotEligible::UnknownState(native.clone()));
    }
    if let Acceptance::Unclear(native) = &seen.acceptance {
        return Some(NotEligible::UnclearAcceptance(native.clone()));
    }
    (seen.offer.class != OfferClass::FreeTrial || !seen.eligible).then(|| not_a_trial(seen))
}

pub(super) fn not_a_trial(seen: &Observation) -> NotEligible {
    match seen.offer.class {
        OfferClass::Unknown => NotEligible::UnknownOffer(seen.offer.native.clone()),
        OfferClass::FreeTrial | OfferClass::PayAsYouGo | OfferClass::Commitment | OfferClass::Other => {
            NotEligible::Offer(seen.offer.clone())
        }
    }
}

impl<'a> Case<'a> {
    /// The same as if there were no record: what another attempt, which the `retry` may allow, would be decided on.
    pub fn without_record(self, retry: Option<&'a Approval>) -> Self {
        Self { record: None, retry, ..self }
    }

    /// The first of the Subscriptions of the account that are older than this one and `are` so.
    pub fn first(&self, are: impl Fn(&Claimant) -> bool) -> Option<&'a Claimant> {
        let Inputs { claimants, subject, .. } = self.inputs;
        let older = claimants.iter().filter(|other| other.precedes(subject) && are(other));
        older.min_by_key(|other| (other.created, &other.uid))
    }

    /// The older Subscription that has the account.
    pub fn holder(&self) -> Option<&'a Claimant> {
        self.first(|other| other.lapse(self.inputs.now).is_none())
    }

    /// Where an upgrade would be asked for.
    pub fn endpoint(&self) -> &'a str {
        self.inputs.provider.as_ref().map_or("", |capabilities| &capabilities.endpoint)
    }

    /// The approval of `transition`, where one is needed; the verdict if it is missing.
    pub fn approval(&self, transition: &Transition) -> Result<Option<Approval>, Verdict> {
        let Inputs { desired, approvals, policy_check, now, .. } = self.inputs;
        if let Some(retry) = self.retry {
            return Ok(Some(retry.clone()));
        }
        let unchecked = match desired.approval {
            ApprovalMode::Automatic => match self.approved_by_manifest() {
                Ok(()) => return Ok(None),
                // Even if it is unknown who wrote the manifest, a person can still approve.
                Err(untrusted) => Some(Verdict::ApprovalPolicyMissing(untrusted)),
            },
            ApprovalMode::Manual => None,
        };
        let approves = || approvals.iter().filter(|said| said.decision == Said::Approve);
        let valid = approves()
            .filter(|said| said.covers(&transition.hash, now.wall))
            .filter(|said| !self.record.is_some_and(|record| record.has_used_up(&said.uid)));
        match policy_check.trusted(valid) {
            Ok(Some(approval)) => Ok(Some(approval.clone())),
            Ok(None) => Err(unchecked.unwrap_or_else(|| {
                let former = self.former(transition, approves()).map(|said| said.name.clone());
                Verdict::AwaitingApproval { hash: transition.hash.clone(), former }
            })),
            Err(untrusted) => Err(Verdict::ApprovalPolicyMissing(untrusted)),
        }
    }

    /// Whether the manifest itself approves, and its author was allowed to.
    fn approved_by_manifest(&self) -> Result<(), Untrusted> {
        let provider = self.inputs.provider_object.as_ref().map_or(jiff::Timestamp::MIN, |provider| provider.created);
        self.inputs.policy_check.allows_automatic(self.inputs.subject.created, provider)
    }

    /// The approval among `said` that names the same transition by a hash of the earlier format.
    fn former<'s>(
        &self,
        transition: &Transition,
        mut said: impl Iterator<Item = &'s Approval>,
    ) -> Option<&'s Approval> {
        let capabilities = self.inputs.provider.as_ref().ok()?;
        let first = said.next()?;
        let hash = former_hash(&self.inputs.desired, &transition.from, capabilities);
        std::iter::once(first).chain(said).find(|said| said.covers(&hash, self.inputs.now.wall))
    }
}
