//! Each two sources of one fact that can disagree. Whatever a manifest waits for, nothing is requested on them, and the message
//! says which two they are. What only a cloud's own answers tell is in the tests of its provider.

use jiff::SignedDuration;

use payg_core::decide::decide;
use payg_core::desired::{Limits, When};
use payg_core::inputs::Inputs;
use payg_core::observation::{Acceptance, Lifecycle, PastObservation};
use payg_core::offer::{Benefit, BenefitKind, BenefitState};
use payg_core::provider::Outcome;
use payg_core::record::RecordState;
use payg_core::source::{Origin, Source};

use payg_fixtures::given::{Given, ago, credit, due, money, now, pay_as_you_go, period, record};

/// A period that is over by the provider's word, which does not say when it ended.
fn over_by_word() -> Benefit {
    Benefit { end: None, ..period(ago(1)) }
}

fn shows(on: &mut Inputs, lifecycle: Lifecycle, benefits: Vec<Benefit>) {
    on.seen().lifecycle = lifecycle;
    on.seen().benefits.clone_from(&benefits);
    let past = on.previous.observation.as_mut().unwrap();
    past.benefits = benefits.into_iter().map(|benefit| Benefit { as_of: ago(1), ..benefit }).collect();
}

/// The decision on what `change` makes of a due upgrade, by this trigger.
fn decided(when: &When, change: impl Fn(&mut Inputs)) -> (Option<payg_core::decide::Effect>, String, &'static str) {
    let mut inputs = due();
    inputs.desired.when = when.clone();
    change(&mut inputs);
    let decision = decide(&inputs);
    (decision.effect, decision.verdict.to_string(), decision.verdict.facts().reason.name())
}

fn triggers() -> [When; 3] {
    let before = |credit_below, time_left| When::BeforeExhaustion(Limits { credit_below, time_left });
    [When::BenefitsExhausted, before(Some(money("5")), None), before(None, Some(SignedDuration::from_hours(1)))]
}

type Case = (&'static str, fn(&mut Inputs), &'static str, [&'static str; 2]);

const UNKNOWN: &str = "BenefitsUnknown";
const WAITS: &str = "WaitingForExhaustion";
const NOT: &str = "NotEligible";

/// What two sources say, what it is made of, the reason that it ends in, and what the message names.
const CASES: [Case; 11] = [
    (
        "the state of the credit: used up; its figure: something is left",
        |on| shows(on, Lifecycle::Restricted, vec![Benefit { state: BenefitState::Exhausted, ..credit("147") }]),
        UNKNOWN,
        ["credit is used up", "147.00 USD"],
    ),
    (
        "the state of the period: over, without a date; the figure of the credit: something is left",
        |on| shows(on, Lifecycle::Restricted, vec![credit("147"), over_by_word()]),
        UNKNOWN,
        ["period is over, without saying since when", "147.00 USD"],
    ),
    (
        "the state of the period: over; its date: to come",
        |on| shows(on, Lifecycle::Restricted, vec![Benefit { state: BenefitState::Exhausted, ..period(ago(-48)) }]),
        UNKNOWN,
        ["period is over", "2026-03-03 12:00 UTC"],
    ),
    (
        "the state of the period: over, without a date; that of the account: it works",
        |on| shows(on, Lifecycle::Active, vec![over_by_word()]),
        UNKNOWN,
        ["period is over, without saying since when", "account works"],
    ),
    (
        "the state of the period: it goes on; its date: passed",
        |on| shows(on, Lifecycle::Active, vec![Benefit { state: BenefitState::Active, ..period(ago(48)) }]),
        WAITS,
        ["end of the trial has passed", "does not report the trial as over"],
    ),
    (
        "the provider: the period goes on; the manifest: it is over",
        |on| {
            shows(on, Lifecycle::Active, vec![Benefit { state: BenefitState::Active, end: None, ..period(ago(1)) }]);
            on.desired.trial.end = Some(ago(48));
        },
        WAITS,
        ["end of the trial has passed", "`spec.trial`"],
    ),
    (
        "the provider: the period's date is to come; the manifest: it is over",
        |on| {
            shows(on, Lifecycle::Active, vec![period(ago(-48))]);
            on.desired.trial.end = Some(ago(48));
        },
        WAITS,
        ["expected by", "2026-03-03"],
    ),
    (
        "the provider: the period is over, without a date, with credit left; the manifest: when it ended",
        |on| {
            shows(on, Lifecycle::Restricted, vec![credit("147"), over_by_word()]);
            on.desired.trial.end = Some(ago(48));
        },
        UNKNOWN,
        ["without saying since when", "147.00 USD"],
    ),
    (
        "the credit left: less than nothing; the period: over",
        |on| shows(on, Lifecycle::Restricted, vec![credit("-1"), period(ago(1))]),
        UNKNOWN,
        ["negative", "Credit"],
    ),
    (
        "the limit: there is none any more; the trial: it has one",
        |on| on.seen().acceptance = Acceptance::Unclear("Off, while the trial's own is Active".to_owned()),
        NOT,
        ["Off", "Active"],
    ),
    (
        "the state of the account by one of two, and by the other",
        |on| on.seen().lifecycle = Lifecycle::Unknown("ACTIVE, of a CLOSED account".to_owned()),
        NOT,
        ["ACTIVE", "CLOSED"],
    ),
];

#[test]
fn on_a_contradiction_nothing_is_requested_and_it_is_said() {
    for (what, change, reason, said) in CASES {
        for when in triggers() {
            // Credit of which little is left is the other limit's affair.
            let (effect, message, found) = decided(&when, change);
            assert_eq!(effect, None, "{what}, {when:?}: {message}");
            if when == When::BenefitsExhausted {
                assert_eq!(found, reason, "{what}: {message}");
                assert!(said.iter().all(|part| message.contains(part)), "{what}: {message}");
            }
        }
    }
}

/// Without the second source, each of them would be due.
#[test]
fn consistent_signals_are_acted_upon() {
    let due: [fn(&mut Inputs); 5] = [
        |on| shows(on, Lifecycle::Restricted, vec![credit("0")]),
        |on| shows(on, Lifecycle::Restricted, vec![over_by_word()]),
        |on| shows(on, Lifecycle::Restricted, vec![credit("0"), over_by_word()]),
        |on| shows(on, Lifecycle::Restricted, vec![credit("147"), period(ago(1))]),
        |on| {
            let unknown = Benefit { state: BenefitState::Unknown, end: None, ..period(ago(1)) };
            shows(on, Lifecycle::Active, vec![unknown]);
            let past = &mut on.previous.observation.as_mut().unwrap().benefits;
            *past = vec![Benefit { source: Source::from([Origin::Declared]), ..period(ago(24)) }];
            on.desired.trial.end = Some(ago(24));
        },
    ];
    for (index, change) in due.into_iter().enumerate() {
        let (effect, message, _) = decided(&When::BenefitsExhausted, change);
        assert!(effect.is_some(), "{index}: {message}");
    }
}

/// Two clocks that differ are no contradiction of the provider's: `ClocksDiffer` reports them.
#[test]
fn a_date_between_two_clocks_is_the_clocks_affair() {
    let (effect, message, reason) = decided(&When::BenefitsExhausted, |on| {
        shows(on, Lifecycle::Restricted, vec![period(ago(2))]);
        on.seen().provider_time = Some(ago(48));
    });
    assert_eq!((effect, reason), (None, WAITS));
    assert!(message.contains("clock"), "{message}");
}

/// One observation that contradicts itself is none of the two that an upgrade takes.
#[test]
fn a_former_look_that_contradicted_itself_confirms_nothing() {
    let (effect, message, _) = decided(&When::BenefitsExhausted, |on| {
        shows(on, Lifecycle::Restricted, vec![over_by_word()]);
        on.previous.observation.as_mut().unwrap().benefits = vec![credit("147"), over_by_word()];
    });
    assert_eq!(effect, None, "{message}");
    assert!(message.contains("second read"), "{message}");
}

/// What was left is remembered while it cannot be read, and contradicts as if it were.
#[test]
fn credit_that_is_remembered_contradicts_too() {
    let (effect, message, reason) = decided(&When::BenefitsExhausted, |on| {
        shows(on, Lifecycle::Restricted, vec![over_by_word()]);
        let unread = Benefit { state: BenefitState::Unknown, remaining: None, ..credit("147") };
        on.seen().benefits.push(unread);
        on.seen().lapsed = true;
        on.previous.observation.as_mut().unwrap().benefits.push(Benefit { as_of: ago(1), ..credit("147") });
    });
    assert_eq!((effect, reason), (None, UNKNOWN), "{message}");
    assert!(message.contains("147.00 USD"), "{message}");
}

/// The offer, how far an upgrade has come, and the ledger, by two of them each.
#[test]
fn offer_acceptance_and_ledger_never_bring_about_a_request() {
    type Of = (&'static str, fn(&mut Inputs), &'static str);
    let cases: [Of; 4] = [
        ("accepted, and benefits are used up", |on| on.seen().acceptance = Acceptance::Accepted, "UpgradeAccepted"),
        (
            "on pay-as-you-go, and the benefits of a trial are used up",
            |on| on.seen().offer = pay_as_you_go(),
            "OfferInPlace",
        ),
        (
            "the ledger: upgraded; the account: a trial",
            |on| on.record = Some(record(RecordState::Confirmed, Outcome::Accepted, 9)),
            "UpgradeContradicted",
        ),
        ("a trial, and there is no way from it", |on| on.seen().eligible = false, "NotEligible"),
    ];
    for (what, change, reason) in cases {
        for when in triggers().into_iter().chain([When::Immediately]) {
            let (effect, message, found) = decided(&when, change);
            assert!(
                !matches!(
                    effect,
                    Some(payg_core::decide::Effect::Upgrade(_) | payg_core::decide::Effect::Again { .. })
                ),
                "{what}: {message}"
            );
            assert_eq!(found, reason, "{what}: {message}");
        }
    }
}

/// The two limits of a manifest are about two facts: one that is contradicted takes nothing from the other.
#[test]
fn a_limit_that_nothing_contradicts_is_met() {
    let mut inputs = due();
    let limits = Limits { credit_below: Some(money("10")), time_left: Some(SignedDuration::from_hours(1)) };
    inputs.desired.when = When::BeforeExhaustion(limits);
    let past_its_end = Benefit { state: BenefitState::Active, ..period(ago(48)) };
    let benefits = vec![credit("7"), past_its_end];
    inputs.seen().lifecycle = Lifecycle::Active;
    inputs.seen().benefits.clone_from(&benefits);
    inputs.previous.observation =
        Some(PastObservation { benefits, observed: ago(1), eligible: true, closed: false, source: None });
    assert!(decide(&inputs).effect.is_some());
    inputs.seen().benefits[0] = credit("70");
    let decision = decide(&inputs);
    assert_eq!((decision.effect, decision.verdict.facts().reason.name()), (None, WAITS));
    assert_eq!(
        decision.seen.unwrap().benefit(BenefitKind::Period).unwrap().end,
        Some(now() - SignedDuration::from_hours(48))
    );
}
