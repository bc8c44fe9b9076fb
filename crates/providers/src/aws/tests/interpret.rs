//! What the answers mean.

use jiff::SignedDuration;
use rust_decimal::Decimal;

use super::super::interpret::{Stamp, State, observation};
use super::super::plan::{Plan, PlanStatus, PlanType};
use super::time;
use payg_core::desired::{Limits, When};
use payg_core::money::Money;
use payg_core::observation::{Lifecycle, Observation, PastObservation};
use payg_core::offer::{BenefitKind, BenefitState};
use payg_core::source::{Origin, Source};
use payg_core::trigger::{MIN_OBSERVATION_GAP, TriggerState, evaluate};

const END: &str = "2027-03-05T00:00:00Z";

fn plan(status: PlanStatus, credit: Option<&str>, expires: Option<&str>) -> Plan {
    let credit = credit.map(|amount| Money::parse(amount, "USD").unwrap());
    Plan { kind: PlanType::Free, status, credit, expires: expires.map(time) }
}

fn seen_at(now: &str, plan: &Plan, state: Option<State>) -> Observation {
    let stamp = Stamp { observed: time(now), provider_time: None, source: Source::from([Origin::GetAccountPlanState]) };
    observation(Some(plan), state, None, &stamp)
}

fn is_exhausted(seen: &Observation, kind: BenefitKind) -> bool {
    seen.benefit(kind).unwrap().is_exhausted(seen.observed)
}

const BEFORE: &str = "2027-01-01T00:00:00Z";
const AFTER: &str = "2027-03-06T00:00:00Z";
const MUCH_LATER: &str = "2027-06-10T00:00:00Z";

#[test]
fn plans_and_states_become_lifecycles() {
    use PlanStatus::{Active, Expired, NotStarted};
    let unknown = |text: &str| Lifecycle::Unknown(text.to_owned());
    for (now, status, credit, state, expected) in [
        (BEFORE, Active, "50", None, Lifecycle::Active),
        (BEFORE, Active, "50", Some(State::Active), Lifecycle::Active),
        (BEFORE, Active, "50", Some(State::Closed), Lifecycle::Closed),
        (BEFORE, Active, "50", Some(State::Suspended), unknown("SUSPENDED")),
        (BEFORE, Active, "50", Some(State::PendingActivation), unknown("PENDING_ACTIVATION")),
        (BEFORE, NotStarted, "50", Some(State::Active), unknown("FREE, NOT_STARTED")),
        (BEFORE, Expired, "0", None, Lifecycle::Restricted),
        (BEFORE, Expired, "0", Some(State::Closed), Lifecycle::Restricted),
        (BEFORE, Expired, "0", Some(State::Suspended), unknown("SUSPENDED")),
        (BEFORE, Expired, "50", None, unknown("EXPIRED, with credit and time left")),
        (BEFORE, Expired, "50", Some(State::Closed), Lifecycle::Closed),
        (BEFORE, Active, "0", Some(State::Closed), unknown("ACTIVE, of a CLOSED account")),
        (AFTER, Active, "50", Some(State::Closed), unknown("ACTIVE, of a CLOSED account")),
        (BEFORE, Expired, "0.003", None, Lifecycle::Restricted),
        (BEFORE, Expired, "-0.02", None, Lifecycle::Restricted),
        (AFTER, Expired, "50", Some(State::Closed), Lifecycle::Restricted),
        (MUCH_LATER, Expired, "50", Some(State::Closed), Lifecycle::Closed),
        (MUCH_LATER, Expired, "50", None, Lifecycle::Closed),
    ] {
        let seen = seen_at(now, &plan(status, Some(credit), Some(END)), state);
        assert_eq!(seen.lifecycle, expected, "{now} {status:?} {credit} {state:?}");
        let may_be = matches!(seen.lifecycle, Lifecycle::Active | Lifecycle::Restricted);
        assert_eq!(seen.eligible, may_be, "{now} {status:?} {credit} {state:?}");
    }
}

#[test]
fn only_a_word_of_aws_exhausts() {
    use PlanStatus::{Active, Expired};
    let credit = |now, plan: &Plan| is_exhausted(&seen_at(now, plan, None), BenefitKind::Credit);
    let period = |now, plan: &Plan| is_exhausted(&seen_at(now, plan, None), BenefitKind::Period);
    let running = plan(Active, Some("50"), Some(END));
    assert!(!credit(BEFORE, &running) && !period(BEFORE, &running));
    assert!(!period(AFTER, &running), "AWS calls the plan active: its date alone ends it not");
    assert!(credit(BEFORE, &plan(Active, Some("0.00"), Some(END))));
    assert!(!credit(BEFORE, &plan(Active, None, Some(END))), "unknown is not spent");
    assert!(!credit(BEFORE, &plan(Active, Some("0.001"), Some(END))));
    assert!(period(AFTER, &plan(Expired, Some("50"), Some(END))));
    assert!(period(BEFORE, &plan(Expired, Some("0"), Some(END))), "expired by its credit");
    assert!(period(BEFORE, &plan(Expired, None, None)));
    let overdrawn = seen_at(BEFORE, &plan(Expired, Some("-0.02"), Some(END)), None);
    assert!(!overdrawn.benefit(BenefitKind::Credit).unwrap().is_odd() && is_exhausted(&overdrawn, BenefitKind::Period));
    assert!(!period(BEFORE, &plan(Expired, Some("50"), Some(END))), "a contradiction");
}

/// Pairs of answers about one fact that cannot both be true: the provider acts on neither.
#[test]
fn contradicting_observations_are_never_acted_on() {
    use PlanStatus::{Active, Expired, NotStarted};
    const SOON: &str = "2027-03-04T12:00:00Z";
    for (what, now, plan, state) in [
        ("expired, and credit and time are left", BEFORE, plan(Expired, Some("50"), Some(END)), None),
        ("expired, and time is left; the credit is not told", BEFORE, plan(Expired, None, Some(END)), None),
        ("the same, of a closed account", BEFORE, plan(Expired, None, Some(END)), Some(State::Closed)),
        ("expired, not when, and credit is left", BEFORE, plan(Expired, Some("50"), None), None),
        ("the same, of a closed account", BEFORE, plan(Expired, Some("50"), None), Some(State::Closed)),
        ("expired half a day before its date, and credit is left", SOON, plan(Expired, Some("50"), Some(END)), None),
        ("active, and its date has passed", AFTER, plan(Active, Some("50"), Some(END)), None),
        ("not started, and nothing is left", AFTER, plan(NotStarted, Some("0"), Some(END)), None),
        ("active and spent, of a closed account", BEFORE, plan(Active, Some("0"), Some(END)), Some(State::Closed)),
        ("expired, of a suspended account", AFTER, plan(Expired, Some("0"), Some(END)), Some(State::Suspended)),
    ] {
        for when in [When::BenefitsExhausted, time_left()] {
            let seen = seen_at(now, &plan, state);
            assert!(!is_due(&when, &seen), "{what}: {seen:?}");
        }
    }
    // And without the contradiction each of them is.
    for (now, plan, state) in [
        (AFTER, plan(Expired, Some("50"), Some(END)), None),
        (AFTER, plan(Expired, None, Some(END)), Some(State::Closed)),
        (BEFORE, plan(Expired, Some("0"), Some(END)), None),
        (BEFORE, plan(Expired, Some("0.003"), Some(END)), None),
        (BEFORE, plan(Expired, Some("-0.02"), Some(END)), None),
        (BEFORE, plan(Expired, None, None), None),
        (BEFORE, plan(Active, Some("0"), Some(END)), None),
    ] {
        let seen = seen_at(now, &plan, state);
        assert!(is_due(&When::BenefitsExhausted, &seen), "{plan:?} {state:?}: {seen:?}");
    }
}

fn time_left() -> When {
    When::BeforeExhaustion(Limits { credit_below: None, time_left: Some(SignedDuration::from_hours(1)) })
}

/// Whether an upgrade is due by an observation that shows this a second time.
fn is_due(when: &When, seen: &Observation) -> bool {
    let past = PastObservation {
        benefits: seen.benefits.clone(),
        observed: seen.observed - MIN_OBSERVATION_GAP,
        eligible: true,
        closed: false,
        source: None,
    };
    seen.eligible && matches!(evaluate(when, Some(&past), seen), TriggerState::Yes(_))
}

#[test]
fn more_credit_than_was_granted_is_said_and_not_shown() {
    let stamp =
        Stamp { observed: time(BEFORE), provider_time: None, source: Source::from([Origin::GetAccountPlanState]) };
    let plan = plan(PlanStatus::Active, Some("50"), Some(END));
    for (granted, is_shown) in [("100", true), ("50", true), ("49.99", false)] {
        let granted = Money::parse(granted, "USD");
        let seen = observation(Some(&plan), None, granted, &stamp);
        let shown = seen.benefit(BenefitKind::Credit).unwrap().granted;
        assert_eq!((shown, seen.remarks.is_empty()), (granted.filter(|_| is_shown), is_shown), "{granted:?}");
    }
}

#[test]
fn a_credit_that_is_left_after_the_upgrade_is_no_trials() {
    let paid = Plan { kind: PlanType::Paid, ..plan(PlanStatus::Active, Some("0"), None) };
    assert!(seen_at(AFTER, &paid, None).benefits.is_empty());
    let paid = Plan { kind: PlanType::Paid, ..plan(PlanStatus::Active, Some("140"), None) };
    let seen = seen_at(AFTER, &paid, None);
    assert_eq!(seen.benefits[0].state, BenefitState::Active);
    assert_eq!(seen.benefits[0].remaining.unwrap().amount, Decimal::from(140));
    assert!(!seen.closes && seen.deadline.is_none());
}

#[test]
fn it_is_said_until_when_an_upgrade_brings_the_account_back() {
    let seen = seen_at(BEFORE, &plan(PlanStatus::Active, Some("50"), Some(END)), None);
    assert_eq!((seen.closes, seen.deadline), (true, Some(time("2027-06-03T00:00:00Z"))));
}
