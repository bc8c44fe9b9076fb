//! What holds whatever the inputs are.

use jiff::SignedDuration;
use payg_core::allowance::Requested;
use payg_core::approval::{Approval, Decision as Said};
use payg_core::decide::{Effect, UpgradeOrder, decide};
use payg_core::desired::{ApprovalMode, Claimant, Sight, When};
use payg_core::inputs::Inputs;
use payg_core::observation::{Acceptance, Lifecycle};
use payg_core::offer::{Benefit, BenefitState, OfferClass};
use payg_core::provider::{Method, Outcome};
use payg_core::record::RecordState;
use payg_core::verdict::{Progress, Ready, Verdict};
use payg_fixtures::arbitrary::any_inputs;
use payg_fixtures::given::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// What is asked for, where an upgrade is.
fn asked(inputs: &Inputs) -> Option<UpgradeOrder> {
    match decide(inputs).effect {
        Some(Effect::Upgrade(order) | Effect::Again { order, .. }) => Some(order),
        Some(Effect::Note(_)) | None => None,
    }
}

/// Whether one benefit is used up beyond doubt, written plainly: a second opinion on `trigger`.
fn used_up(inputs: &Inputs, benefits: &[Benefit], at: jiff::Timestamp) -> bool {
    let limits = match &inputs.desired.when {
        When::BeforeExhaustion(limits) => Some(limits),
        _ => None,
    };
    let declared_over = inputs.desired.trial.end.is_some_and(|end| end <= at);
    let declared_near =
        |limit: SignedDuration| inputs.desired.trial.end.is_some_and(|end| end.duration_since(at) <= limit);
    declared_over
        || limits.and_then(|limits| limits.time_left).is_some_and(declared_near)
        || benefits.iter().any(|benefit| {
            let spent =
                benefit.state == BenefitState::Exhausted && benefit.remaining.is_none_or(|left| left.amount.is_zero());
            let over = benefit.end.is_some_and(|end| end <= at);
            let near = limits.and_then(|limits| limits.time_left).zip(benefit.end);
            let low = limits.and_then(|limits| limits.credit_below).zip(benefit.remaining);
            spent
                || over
                || near.is_some_and(|(limit, end)| end.duration_since(at) <= limit)
                || low.is_some_and(|(limit, left)| left.amount < limit.amount && left.amount >= 0.into())
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_upgrade_needs_exhaustion_shown_twice_or_an_explicit_wish(inputs in any_inputs()) {
        if asked(&inputs).is_some() && inputs.desired.when != When::Immediately {
            let Some(Ok(seen)) = &inputs.observation else { panic!("asked without a look") };
            let past = inputs.previous.observation.as_ref().expect("asked after one look");
            prop_assert!(used_up(&inputs, &seen.benefits, seen.observed));
            prop_assert!(used_up(&inputs, &past.benefits, past.observed));
            prop_assert!(past.observed <= seen.observed);
        }
    }

    #[test]
    fn an_upgrade_needs_a_valid_approval_where_one_is_needed(inputs in any_inputs()) {
        if let Some(order) = asked(&inputs) {
            let valid = |said: &Approval| {
                said.covers(&inputs.hash(), inputs.now.wall) && said.decision != Said::Deny && inputs.policy_check.flaws.is_empty()
            };
            prop_assert!(order.approval.as_ref().is_none_or(valid));
            prop_assert!(order.approval.is_some() || inputs.desired.approval == ApprovalMode::Automatic);
            let by_manifest = order.approval.is_none() && inputs.policy_check.automatic_needs_approve;
            prop_assert!(!by_manifest || inputs.policy_check.flaws.is_empty());
            prop_assert!(!inputs.approvals.iter().any(|said| said.decision == Said::Deny));
        }
    }

    #[test]
    fn no_upgrade_while_suspended_forbidden_dry_or_over_the_cap(inputs in any_inputs()) {
        if asked(&inputs).is_some() {
            prop_assert!(inputs.desired.suspend.is_none());
            prop_assert!(inputs.desired.when != When::Never);
            prop_assert!(!inputs.allowance.dry_run);
            let recent = |request: &&Requested| request.at > ago(1);
            let own = inputs.allowance.requested.iter().filter(recent).filter(|request| request.own).count();
            let others = inputs.allowance.requested.iter().filter(recent).filter(|request| !request.own).count();
            let cap = usize::try_from(inputs.allowance.per_hour).unwrap();
            prop_assert!(own + others < cap);
            prop_assert!(inputs.allowance.alone || 2 * own < cap - others);
        }
    }

    #[test]
    fn no_upgrade_of_a_wrong_conflicting_or_unknown_account(inputs in any_inputs()) {
        if asked(&inputs).is_some() {
            let Some(Ok(seen)) = &inputs.observation else { panic!("asked without a look") };
            prop_assert_eq!(seen.offer.class, OfferClass::FreeTrial);
            prop_assert!(seen.eligible);
            prop_assert_eq!(&seen.acceptance, &Acceptance::NotAccepted);
            prop_assert!(matches!(seen.lifecycle, Lifecycle::Active | Lifecycle::Warned | Lifecycle::Restricted));
            // Written down anew: an older one that wants the account, and sees it or did an hour ago, goes first.
            let sees = |other: &Claimant| match other.sight {
                Sight::Clear { last } => last.is_some_and(|last| last > ago(7 * 24)),
                Sight::Lost { since } => since > ago(1),
                Sight::Never => false,
            };
            let claims = |other: &&Claimant| other.yields.is_none() && sees(other);
            prop_assert!(!inputs.claimants.iter().filter(claims).any(|other| other.precedes(&inputs.subject)));
            let method = inputs.provider.as_ref().map(|able| &able.method);
            prop_assert!(matches!(method, Ok(Method::Api | Method::Broker)));
        }
    }

    #[test]
    fn no_second_request_while_the_first_may_be_on_its_way(inputs in any_inputs()) {
        let decision = decide(&inputs);
        if let Some(Effect::Upgrade(_)) = &decision.effect {
            prop_assert!(inputs.record.is_none(), "a record is created once");
        }
        if let (Some(Effect::Again { number, .. }), Some(record)) = (&decision.effect, &inputs.record) {
            prop_assert!(record.attempts.iter().all(|attempt| attempt.number < *number));
            prop_assert!(record.state != RecordState::Confirmed && !matches!(record.state, RecordState::Other(_)));
            prop_assert!(record.attempts.iter().all(|attempt| attempt.not_after < inputs.now.wall) || !record.is_open());
            let by_a_person = inputs.approvals.iter().any(|said| matches!(said.decision, Said::Retry(_)));
            let success = record.attempts.iter().any(|attempt| attempt.outcome == Outcome::Accepted);
            prop_assert!(!success || by_a_person, "it was answered with success");
            let unknown_elsewhere = record.attempts.iter().any(|attempt| {
                attempt.outcome == Outcome::Unknown && attempt.endpoint.as_deref() != Some(ENDPOINT)
            });
            prop_assert!(!unknown_elsewhere || by_a_person, "it may still happen there");
        }
    }

    #[test]
    fn every_verdict_can_be_told(inputs in any_inputs()) {
        let Verdicts { ready, progress, message } = told(&decide(&inputs).verdict);
        prop_assert!(!message.is_empty());
        match ready {
            Ready::True => prop_assert_eq!(progress, Progress::Settled),
            Ready::False => prop_assert!(progress != Progress::Settled),
            Ready::Unknown => prop_assert_eq!(progress, Progress::Reconciling),
            Ready::Unchanged => prop_assert_eq!(progress, Progress::Unchanged),
        }
    }

    #[test]
    fn the_order_of_lists_does_not_matter(inputs in any_inputs()) {
        let mut turned = inputs.clone();
        turned.claimants.reverse();
        turned.approvals.reverse();
        if let Some(Ok(seen)) = &mut turned.observation {
            seen.benefits.reverse();
        }
        if let Some(past) = &mut turned.previous.observation {
            past.benefits.reverse();
        }
        if let Some(record) = &mut turned.record {
            record.attempts.reverse();
        }
        let sorted = |inputs: &Inputs| {
            let mut decision = decide(inputs);
            if let Some(seen) = &mut decision.seen {
                seen.benefits.sort_by_key(|benefit| benefit.kind);
            }
            decision
        };
        prop_assert_eq!(sorted(&inputs), sorted(&turned));
    }
}

struct Verdicts {
    ready: Ready,
    progress: Progress,
    message: String,
}

fn told(verdict: &Verdict) -> Verdicts {
    Verdicts { ready: verdict.facts().ready, progress: verdict.facts().progress, message: verdict.to_string() }
}

/// The properties above say nothing if no arbitrary input is ever upgraded.
#[test]
fn arbitrary_inputs_are_upgraded_now_and_then() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = any_inputs();
    let asked = (0..8000).filter(|_| asked(&strategy.new_tree(&mut runner).unwrap().current()).is_some()).count();
    assert!(asked > 50, "only {asked} of 8000");
}
