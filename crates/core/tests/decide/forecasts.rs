//! When the trigger is expected to be met.

use jiff::{SignedDuration, Timestamp};

use payg_core::decide::decide;
use payg_core::desired::{ApprovalMode, Limits, When};
use payg_core::inputs::Inputs;
use payg_core::observation::Lifecycle;
use payg_core::offer::{Benefit, BenefitKind, BenefitState};
use payg_core::schedule::Requeue;
use payg_fixtures::arbitrary::any_inputs;
use payg_fixtures::given::*;
use proptest::prelude::*;
use rust_decimal::Decimal;

/// 100 are left, 10 an hour are used, and the period ends in 20 hours.
fn waiting(when: When) -> Inputs {
    let mut inputs = due();
    inputs.desired.when = when;
    inputs.seen().benefits = vec![credit("100"), period(ago(-20))];
    inputs.previous.observation.as_mut().unwrap().benefits[0].remaining = Some(money("110"));
    inputs
}

fn before(credit_below: Option<&str>, hours_left: Option<i64>) -> When {
    let time_left = hours_left.map(SignedDuration::from_hours);
    When::BeforeExhaustion(Limits { credit_below: credit_below.map(money), time_left })
}

fn expected(inputs: &Inputs) -> Option<Timestamp> {
    decide(inputs).forecast.unwrap().due
}

#[test]
fn it_is_due_by_whatever_comes_first() {
    assert_eq!(
        expected(&waiting(When::BenefitsExhausted)),
        Some(ago(-10)),
        "the credit is spent before the period ends"
    );
    assert_eq!(expected(&waiting(before(Some("30"), None))), Some(ago(-7)));
    assert_eq!(expected(&waiting(before(None, Some(15)))), Some(ago(-5)));
    assert_eq!(expected(&waiting(before(Some("30"), Some(15)))), Some(ago(-5)));
    assert_eq!(expected(&waiting(before(None, Some(2)))), Some(ago(-10)), "what is used up counts as well");
    let mut others = waiting(before(Some("30"), None));
    others.desired.when =
        When::BeforeExhaustion(Limits { credit_below: payg_core::money::Money::parse("30", "EUR"), time_left: None });
    assert_eq!(expected(&others), Some(ago(-10)), "another currency tells nothing");
}

#[test]
fn nothing_is_due_where_nothing_is_waited_for() {
    assert_eq!(expected(&waiting(When::Immediately)), None);
    assert_eq!(expected(&waiting(When::Never)), None);
    let mut paid = waiting(When::BenefitsExhausted);
    paid.seen().offer = pay_as_you_go();
    assert_eq!(expected(&paid), None);
    let mut spent = due();
    spent.seen().benefits.push(period(ago(-240)));
    spent.desired.approval = ApprovalMode::Manual;
    assert_eq!(decide(&spent).verdict.facts().reason.name(), "AwaitingApproval");
    assert_eq!(expected(&spent), None, "it is due already");
}

#[test]
fn two_readings_at_nearly_the_same_time_tell_no_rate() {
    let mut inputs = waiting(When::BenefitsExhausted);
    let before = &mut inputs.previous.observation.as_mut().unwrap().benefits[0];
    (before.as_of, before.remaining) = (now() - SignedDuration::from_secs(6), Some(money("100.01")));
    assert_eq!(decide(&inputs).forecast.unwrap().burn_per_day, None);
    inputs.previous.burn_per_day = Some(money("24").amount);
    assert_eq!(decide(&inputs).forecast.unwrap().burn_per_day, Some(money("24").amount), "it is what it was");
}

#[test]
fn the_message_tells_when() {
    let told = decide(&waiting(before(None, Some(15)))).verdict.to_string();
    let time = ago(-5).strftime("%Y-%m-%d %H:%M UTC").to_string();
    assert!(told.contains(&format!("Not due yet; expected by {time}.")), "{told}");
}

#[test]
fn the_next_look_comes_right_after_the_date_that_matters() {
    let mut inputs = due();
    inputs.seen().lifecycle = Lifecycle::Active;
    inputs.seen().benefits = vec![period(ago(-2))];
    assert_eq!(decide(&inputs).next, Requeue::At(ago(-2) + SignedDuration::from_secs(1)));
    inputs.seen().benefits = vec![period(ago(-2000))];
    assert_eq!(decide(&inputs).next, Requeue::At(ago(-6)), "and never later than in six hours");
    // The provider has not said so yet: it is asked again soon, for a day.
    let soon = Requeue::At(now() + SignedDuration::from_mins(5));
    inputs.seen().benefits = vec![Benefit { state: BenefitState::Unknown, ..period(ago(0)) }];
    assert_eq!(decide(&inputs).next, soon);
    inputs.desired.when =
        When::BeforeExhaustion(Limits { credit_below: None, time_left: Some(SignedDuration::from_hours(1)) });
    inputs.seen().benefits = vec![period(ago(-1))];
    inputs.seen().provider_time = Some(now() - SignedDuration::from_secs(2));
    let decision = decide(&inputs);
    assert_eq!(
        (decision.verdict.facts().reason.name(), decision.next),
        ("WaitingForExhaustion", soon),
        "by our clock alone"
    );
}

#[test]
fn credit_that_burns_fast_is_looked_at_often() {
    let mut inputs = due();
    inputs.seen().benefits = vec![credit("90")];
    inputs.previous.observation.as_mut().unwrap().benefits[0].remaining = Some(money("100"));
    let decision = decide(&inputs);
    assert_eq!(decision.forecast.unwrap().burn_per_day.unwrap().to_string(), "240");
    assert_eq!(
        decision.next,
        Requeue::At(now() + SignedDuration::from_mins(45)),
        "90 at 10 an hour, twelve times as fast"
    );
    assert_eq!(inputs.seen().benefit(BenefitKind::Credit).unwrap().kind, BenefitKind::Credit);
}

#[test]
fn exhausted_benefits_were_exhausted_when_they_were_first_observed_so() {
    let mut inputs = due();
    inputs.seen().benefits = vec![credit("0"), period(ago(-614 * 24))];
    let exhaustion = |inputs: &Inputs| decide(inputs).forecast.unwrap().exhaustion;
    assert_eq!(exhaustion(&inputs), Some(now()), "no end that is still to come");
    inputs.previous.exhausted_since = Some(ago(30));
    assert_eq!(exhaustion(&inputs), Some(ago(30)), "it stays");
    inputs.previous.exhausted_since = None;
    inputs.seen().benefits = vec![credit("50"), period(ago(7))];
    assert_eq!(exhaustion(&inputs), Some(ago(7)), "the end is known");
    // More credit was granted: there is an end to expect again.
    inputs.previous.exhausted_since = Some(ago(30));
    inputs.seen().benefits = vec![credit("50"), period(ago(-240))];
    assert_eq!(exhaustion(&inputs), Some(ago(-240)));
}

#[test]
fn times_that_are_decided_on_have_whole_seconds() {
    let mut inputs = waiting(When::BenefitsExhausted);
    let half = SignedDuration::from_millis(500);
    inputs.seen().observed = now() + half;
    inputs.seen().benefits = vec![Benefit { as_of: now() + half, end: Some(ago(-2) + half), ..credit("50") }];
    let seen = decide(&inputs).seen.unwrap();
    assert_eq!((seen.observed, seen.benefits[0].as_of), (now(), now()));
    assert_eq!(seen.benefits[0].end, Some(ago(-2) + SignedDuration::from_secs(1)), "not over before it is");
}

#[test]
fn a_day_after_the_upgrade_costs_what_a_day_uses_now() {
    let forecast = decide(&waiting(When::BenefitsExhausted)).forecast.unwrap();
    assert_eq!(forecast.cost_per_day, Some(money("240")));
    assert_eq!(forecast.cost_per_month(), Some(money("7200")));
}

#[test]
fn the_rate_stays_when_the_credit_is_spent() {
    let mut inputs = waiting(When::BenefitsExhausted);
    inputs.previous.burn_per_day = Some(money("24").amount);
    inputs.previous.observation.as_mut().unwrap().benefits[0].remaining = Some(money("0"));
    inputs.seen().benefits[0].remaining = Some(money("0"));
    assert_eq!(decide(&inputs).forecast.unwrap().cost_per_day, Some(money("24")), "nothing can show another");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A cost is known exactly where a rate of use is, it is never negative, and it is no term of the upgrade.
    #[test]
    fn a_cost_is_never_invented(inputs in any_inputs()) {
        let decision = decide(&inputs);
        let Some(forecast) = decision.forecast else { return Ok(()) };
        let rate = forecast.burn_per_day;
        prop_assert_eq!(forecast.cost_per_day.map(|cost| cost.amount), rate);
        prop_assert!(forecast.cost_per_day.is_none_or(|cost| cost.amount >= Decimal::ZERO));
        let mut others = inputs;
        others.previous.burn_per_day = None;
        others.previous.observation = None;
        let hash = |decision: &payg_core::decide::Decision| decision.transition.as_ref().map(|one| one.hash.clone());
        let other = decide(&others);
        if decision.transition.is_some() && other.transition.is_some() {
            prop_assert_eq!(hash(&decision), hash(&other));
        }
    }
}
