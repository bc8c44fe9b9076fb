//! What holds whatever the inputs are.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::given::*;
use crate::core::allowance::{Allowance, Requested};
use crate::core::approval::{Approval, Decision as Said, Guard};
use crate::core::decide::{Effect, Plan, decide};
use crate::core::desired::{ApprovalMode, Claimant, Lapse, Limits, Sight, Suspension, When};
use crate::core::inputs::Inputs;
use crate::core::observation::{Acceptance, DeclaredTrial, Lifecycle, Observation};
use crate::core::offer::{Benefit, BenefitKind, BenefitState, Offer, OfferClass};
use crate::core::provider::{Capabilities, Method, Operation, ProviderError};
use crate::core::record::{Attempt, Outcome, Record, RecordState};
use crate::core::trigger::PastLook;
use crate::core::verdict::{Progress, Ready, Verdict};

fn any_benefit() -> impl Strategy<Value = Benefit> {
    let kind = prop_oneof![Just(BenefitKind::Credit), Just(BenefitKind::Period), Just(BenefitKind::FreeServices)];
    let state = prop_oneof![1 => Just(BenefitState::Active), 3 => Just(BenefitState::Exhausted), 1 => Just(BenefitState::Unknown)];
    let left = prop_oneof![3 => Just("0"), 1 => Just("3"), 1 => Just("50"), 1 => Just("-1")].prop_map(money);
    // What is over agrees with itself more often than chance has it, so that upgrades come about.
    let agrees = prop::bool::weighted(0.7);
    (kind, state, option::of(left), option::of(-50_i64..50), 0_i64..3, agrees).prop_map(
        |(kind, state, left, end, age, agrees)| {
            let is_over = agrees && state == BenefitState::Exhausted;
            let left = left.filter(|_| kind == BenefitKind::Credit);
            Benefit {
                kind,
                state,
                granted: None,
                remaining: left.map(|left| if is_over { money("0") } else { left }),
                end: end.map(|hours| ago(if is_over { hours.abs() } else { hours })),
                as_of: ago(age),
                source: credit("1").source,
            }
        },
    )
}

fn any_benefits() -> impl Strategy<Value = Vec<Benefit>> {
    vec(any_benefit(), 0..4).prop_map(|mut benefits| {
        benefits.sort_by_key(|benefit| benefit.kind);
        benefits.dedup_by_key(|benefit| benefit.kind);
        benefits
    })
}

fn any_seen() -> impl Strategy<Value = Observation> {
    let lifecycle = prop_oneof![
        4 => Just(Lifecycle::Active),
        4 => Just(Lifecycle::Restricted),
        1 => Just(Lifecycle::Closed),
        1 => Just(Lifecycle::Unknown("Odd".to_owned())),
    ];
    let class = prop_oneof![
        12 => Just(OfferClass::FreeTrial),
        2 => Just(OfferClass::PayAsYouGo),
        1 => Just(OfferClass::Commitment),
        1 => Just(OfferClass::Unknown),
    ];
    let acceptance = prop_oneof![
        8 => Just(Acceptance::NotAccepted),
        1 => Just(Acceptance::Accepted),
        1 => Just(Acceptance::Unclear("CurrentPeriodOff".to_owned())),
    ];
    (lifecycle, class, acceptance, any_benefits(), prop::bool::weighted(0.9), option::of(-60_i64..60), any::<bool>())
        .prop_map(|(lifecycle, class, acceptance, benefits, eligible, skew, lapsed)| Observation {
            lifecycle,
            offer: Offer { class, native: "native".to_owned() },
            eligible,
            acceptance,
            benefits,
            provider_time: skew.map(ago),
            lapsed,
            ..spent()
        })
}

fn any_error() -> impl Strategy<Value = ProviderError> {
    let detail = || "detail".to_owned();
    prop_oneof![
        Just(ProviderError::Throttled { retry_after: None }),
        Just(ProviderError::Transient { detail: detail() }),
        Just(ProviderError::OutcomeUnknown { detail: detail() }),
        Just(ProviderError::Unauthenticated { detail: detail() }),
        Just(ProviderError::Forbidden { permission: detail(), detail: detail() }),
        Just(ProviderError::WrongAccount { found: detail() }),
        Just(ProviderError::Precondition { code: detail(), detail: detail() }),
        Just(ProviderError::Conflict { detail: detail() }),
        Just(ProviderError::Unsupported { detail: detail() }),
        Just(ProviderError::Protocol { detail: detail() }),
        Just(ProviderError::Config { detail: detail() }),
    ]
}

fn any_provider() -> impl Strategy<Value = Result<Capabilities, ProviderError>> {
    let method = prop_oneof![4 => Just(Method::Broker), 1 => Just(Method::Api), 1 => Just(Method::Portal)];
    let capabilities = method.prop_map(|method| Capabilities { method, endpoint: ENDPOINT.to_owned() });
    prop_oneof![9 => capabilities.prop_map(Ok), 1 => any_error().prop_map(Err)]
}

fn any_when() -> impl Strategy<Value = When> {
    let limits = (option::of(Just(money("5"))), option::of((0_i64..48).prop_map(SignedDuration::from_hours)));
    prop_oneof![
        5 => Just(When::BenefitsExhausted),
        2 => limits.prop_map(|(credit_below, time_left)| When::BeforeExhaustion(Limits { credit_below, time_left })),
        2 => Just(When::Immediately),
        1 => Just(When::Never),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    let state = prop_oneof![
        Just(RecordState::Intended),
        Just(RecordState::Accepted),
        Just(RecordState::Unknown),
        Just(RecordState::Rejected),
        Just(RecordState::Unresolved),
        Just(RecordState::Confirmed),
        Just(RecordState::Other("Newer".to_owned())),
    ];
    let outcome =
        prop_oneof![Just(Outcome::Accepted), Just(Outcome::Rejected), Just(Outcome::NotSent), Just(Outcome::Unknown)];
    let attempts = vec((outcome, -1_i64..60), 0..5);
    (state, attempts, any::<bool>()).prop_map(|(state, attempts, same)| {
        let template = record(state.clone(), Outcome::Unknown, 0);
        let attempts = attempts.into_iter().zip(1..).map(|((outcome, hours), number)| {
            let used = Some("uid-Approve".to_owned()).filter(|_| hours % 2 == 0);
            let first = template.attempts[0].clone();
            let endpoint = Some(if same { ENDPOINT } else { "https://elsewhere.example" }.to_owned());
            let sent = Some(ago(hours));
            Attempt { number, outcome, not_after: ago(hours), approval_uid: used, endpoint, sent, ..first }
        });
        Record { attempts: attempts.collect(), ..template }
    })
}

fn any_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (0_u64..9999).prop_map(|seconds| Operation::Running(Some(Duration::from_secs(seconds)))),
        Just(Operation::Succeeded),
        Just(Operation::Failed { detail: "PaymentMethodRequired".to_owned() }),
        Just(Operation::Unknown { detail: "no answer".to_owned(), retry_after: None }),
    ]
}

fn any_claimant() -> impl Strategy<Value = Claimant> {
    let yields = prop_oneof![Just(Lapse::Suspended(Suspension::Deletion)), Just(Lapse::Observes)];
    let sight = prop_oneof![
        Just(Sight::Never),
        Just(Sight::Clear { last: None }),
        (0_i64..300).prop_map(|hours| Sight::Clear { last: Some(ago(hours)) }),
        (-1_i64..4).prop_map(|hours| Sight::Lost { since: ago(hours) }),
    ];
    (option::weighted(0.2, yields), sight, 998_i64..1003, "[a-c]").prop_map(|(yields, sight, age, letter)| Claimant {
        uid: format!("other-{letter}"),
        created: ago(age),
        yields,
        sight,
        ..due().subject
    })
}

prop_compose! {
    pub(crate) fn any_inputs()(
        when in any_when(),
        manual in any::<bool>(),
        declared in option::of(-50_i64..50),
        suspend in option::weighted(0.1, prop_oneof![Just(Suspension::Manifest), Just(Suspension::Deletion), Just(Suspension::NamespaceDeletion)]),
        provider in any_provider(),
        look in option::weighted(0.95, prop_oneof![9 => any_seen().prop_map(Ok), 1 => any_error().prop_map(Err)]),
        past in option::weighted(0.9, (any_benefits(), -1_i64..5)),
        claimants in vec(any_claimant(), 0..3),
        record in option::weighted(0.3, any_record()),
        said in vec((prop_oneof![6 => Just(Said::Approve), 1 => Just(Said::Deny), 3 => (1_u32..4).prop_map(Said::Retry)], -2_i64..3, prop::bool::weighted(0.8)), 0..3),
        operation in option::of(any_operation()),
        guarded in prop::bool::weighted(0.8),
        needs_approve in prop::bool::weighted(0.3),
        allowance in (prop::bool::weighted(0.1), 0_u32..5, vec((any::<bool>(), 0_i64..3), 0..5), any::<bool>()),
    ) -> Inputs {
        let mut inputs = Inputs {
            provider,
            look: look.clone(),
            claimants,
            record,
            operation,
            guard: Guard { automatic_needs_approve: needs_approve, ..if guarded { in_force() } else { broken() } },
            allowance: Allowance {
                dry_run: allowance.0,
                per_hour: allowance.1,
                requested: allowance.2.into_iter().map(|(own, hours)| Requested { at: ago(hours), own }).collect(),
                alone: allowance.3,
            },
            ..due()
        };
        // No two objects have the same uid.
        inputs.claimants.sort_by(|one, other| one.uid.cmp(&other.uid));
        inputs.claimants.dedup_by(|one, other| one.uid == other.uid);
        inputs.desired.when = when;
        inputs.desired.approval = if manual { ApprovalMode::Manual } else { ApprovalMode::Automatic };
        inputs.desired.trial = DeclaredTrial { end: declared.map(ago), ..DeclaredTrial::default() };
        inputs.desired.suspend = suspend;
        inputs.previous.look = past.map(|(benefits, hours)| PastLook { benefits, observed: ago(hours), eligible: hours != 4, closed: false, source: None });
        let hash = match (&inputs.look, &inputs.provider) {
            (Some(Ok(_)), Ok(_)) => inputs.hash(),
            _ => "0".repeat(32),
        };
        inputs.approvals = said
            .into_iter()
            .map(|(decision, hours, same)| Approval {
                expires: Some(ago(hours)),
                created: ago(1),
                transition_hash: if same { hash.clone() } else { "1".repeat(32) },
                uid: format!("uid-{decision:?}"),
                name: "word".to_owned(),
                approver: "jane".to_owned(),
                reason: String::new(),
                decision,
            })
            .collect();
        inputs
    }
}

/// What is asked for, where an upgrade is.
fn asked(inputs: &Inputs) -> Option<Plan> {
    match decide(inputs).effect {
        Some(Effect::Upgrade(plan) | Effect::Again { plan, .. }) => Some(plan),
        Some(Effect::Note(_)) | None => None,
    }
}

/// Whether one benefit is used up beyond doubt, told plainly: a second opinion on `trigger`.
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
            let Some(Ok(seen)) = &inputs.look else { panic!("asked without a look") };
            let past = inputs.previous.look.as_ref().expect("asked after one look");
            prop_assert!(used_up(&inputs, &seen.benefits, seen.observed));
            prop_assert!(used_up(&inputs, &past.benefits, past.observed));
            prop_assert!(past.observed <= seen.observed);
        }
    }

    #[test]
    fn an_upgrade_needs_a_valid_approval_where_one_is_needed(inputs in any_inputs()) {
        if let Some(plan) = asked(&inputs) {
            let valid = |said: &Approval| {
                said.covers(&inputs.hash(), inputs.now.wall) && said.decision != Said::Deny && inputs.guard.flaws.is_empty()
            };
            prop_assert!(plan.approval.as_ref().is_none_or(valid));
            prop_assert!(plan.approval.is_some() || inputs.desired.approval == ApprovalMode::Automatic);
            let by_manifest = plan.approval.is_none() && inputs.guard.automatic_needs_approve;
            prop_assert!(!by_manifest || inputs.guard.flaws.is_empty());
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
            let Some(Ok(seen)) = &inputs.look else { panic!("asked without a look") };
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
        if let Some(Ok(seen)) = &mut turned.look {
            seen.benefits.reverse();
        }
        if let Some(past) = &mut turned.previous.look {
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
    Verdicts { ready: verdict.ready(), progress: verdict.progress(), message: verdict.to_string() }
}

/// The properties above say nothing if no arbitrary input is ever upgraded.
#[test]
fn arbitrary_inputs_are_upgraded_now_and_then() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = any_inputs();
    let asked = (0..8000).filter(|_| asked(&strategy.new_tree(&mut runner).unwrap().current()).is_some()).count();
    assert!(asked > 50, "only {asked} of 8000");
}
