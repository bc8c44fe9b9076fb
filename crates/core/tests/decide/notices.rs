//! Which notices are due.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use payg_core::decide::decide;
use payg_core::desired::{ApprovalMode, When};
use payg_core::inputs::Inputs;
use payg_core::notice::{Context, Due, Occasion, Severity, THRESHOLDS, armed, due, end_ahead, ends_others};
use payg_core::observation::{Lifecycle, PastObservation};
use payg_core::provider::{Capabilities, Method};
use payg_fixtures::arbitrary::any_inputs;
use payg_fixtures::given::*;
use proptest::prelude::*;

fn context(now: Timestamp) -> Context<'static> {
    Context {
        record: None,
        armed: ago(1000),
        expected_before: None,
        converted: None,
        due_before: &[],
        thresholds: &THRESHOLDS,
        now,
    }
}

/// What is due of `inputs`.
fn notices(inputs: &Inputs) -> Vec<Due> {
    due(&decide(inputs), context(inputs.now.billing))
}

fn occasions(inputs: &Inputs) -> Vec<(Occasion, Severity)> {
    notices(inputs).into_iter().map(|due| (due.occasion, due.severity)).collect()
}

/// A trial that works and ends in `hours`.
fn ends_in(hours: i64) -> Inputs {
    let mut inputs = due_soon();
    inputs.seen().benefits = vec![credit("150"), period(ago(-hours))];
    inputs
}

fn due_soon() -> Inputs {
    let mut inputs = payg_fixtures::given::due();
    inputs.seen().lifecycle = Lifecycle::Active;
    inputs
}

#[test]
fn the_end_is_announced_at_the_smallest_threshold_that_it_is_within() {
    for (hours, expected) in [
        (31 * 24, None),
        (30 * 24, Some(("30d", Severity::Info))),
        (15 * 24, Some(("30d", Severity::Info))),
        (14 * 24, Some(("14d", Severity::Info))),
        (5 * 24, Some(("7d", Severity::Warning))),
        (3 * 24, Some(("3d", Severity::Warning))),
        (2, Some(("1d", Severity::Critical))),
    ] {
        let found = notices(&ends_in(hours)).pop();
        let found = found.as_ref().map(|due| (due.id.split('/').nth(1).unwrap(), due.severity));
        assert_eq!(found, expected, "{hours} hours");
    }
}

#[test]
fn an_end_that_skips_a_threshold_comes_sooner() {
    let decision = decide(&ends_in(5 * 24));
    let after = |days: i64| Context { expected_before: Some(ago(-days * 24)), ..context(now()) };
    let occasion = |context| due(&decision, context)[0].occasion;
    assert_eq!(occasion(after(20)), Occasion::EndSooner, "14 days were skipped");
    assert_eq!(occasion(after(60)), Occasion::EndSooner);
    assert_eq!(occasion(after(12)), Occasion::EndAhead);
    assert_eq!(occasion(after(6)), Occasion::EndAhead);
}

#[test]
fn a_wait_for_a_person_is_announced() {
    let manual = Inputs {
        desired: payg_core::desired::Desired { approval: ApprovalMode::Manual, ..due_soon().desired },
        ..due_soon()
    };
    assert_eq!(occasions(&manual), [(Occasion::ApprovalNeeded, Severity::Warning)]);
    let mut portal = due_soon();
    portal.provider = Ok(Capabilities { method: Method::Portal, endpoint: String::new() });
    assert_eq!(occasions(&portal), [(Occasion::PersonNeeded, Severity::Warning)]);
}

#[test]
fn an_end_is_announced_once_whether_it_came_sooner_or_not() {
    let decision = decide(&ends_in(5 * 24));
    let sooner = due(&decision, Context { expected_before: Some(ago(-20 * 24)), ..context(now()) });
    let expected = due(&decision, context(now()));
    assert_ne!(sooner[0].occasion, expected[0].occasion);
    assert_eq!(sooner[0].id, expected[0].id);
    assert_eq!(sooner[0].until, Some(ago(-2 * 24)), "then the next one is due");
}

#[test]
fn a_conversion_is_news_for_a_day() {
    let mut inputs = due_soon();
    inputs.seen().offer.class = payg_core::offer::OfferClass::PayAsYouGo;
    let decision = decide(&inputs);
    let record = record(payg_core::record::RecordState::Confirmed, payg_core::provider::Outcome::Accepted, 30);
    let told = |converted| {
        let context = Context { record: Some(&record), converted, ..context(now()) };
        due(&decision, context).iter().any(|due| due.occasion == Occasion::Converted)
    };
    assert!(told(None) && told(Some(ago(23))));
    assert!(!told(Some(ago(24))), "it is a day ago");
}

#[test]
fn without_an_observation_nothing_is_over() {
    let mut inputs = due_soon();
    assert!(ends_others(&decide(&inputs)));
    inputs.observation = Some(Err(payg_core::provider::ProviderError::Transient { detail: "down".to_owned() }));
    assert!(!ends_others(&decide(&inputs)));
    inputs.desired.suspend = Some(payg_core::desired::Suspension::Manifest);
    inputs.observation = None;
    assert!(ends_others(&decide(&inputs)), "somebody wants it left alone");
}

#[test]
fn each_day_has_its_own_id_and_is_of_the_same_notice() {
    let mut inputs = payg_fixtures::given::due();
    inputs.desired.when = When::Never;
    inputs.previous.restricted_since = Some(ago(49));
    let due = notices(&inputs).remove(0);
    assert!(due.id_of_day().ends_with("/day2"), "{due:?}");
    assert!(due.is_of(&due.id_of_day()) && due.is_of(&due.id) && !due.is_of(&format!("{}7", due.id)));
}

#[test]
fn an_outage_is_due_every_day() {
    let mut inputs = payg_fixtures::given::due();
    inputs.desired.when = When::Never;
    inputs.previous.restricted_since = Some(ago(5));
    let first = notices(&inputs);
    assert_eq!(occasions(&inputs), [(Occasion::Restricted, Severity::Critical)]);
    inputs.previous.restricted_since = Some(ago(29));
    let second = notices(&inputs);
    assert_eq!((first[0].day, second[0].day), (Some(0), Some(1)));
}

#[test]
fn a_deadline_is_due_on_each_of_its_last_three_days() {
    let mut inputs = due_soon();
    inputs.desired.when = When::Never;
    let days = |inputs: &mut Inputs, hours: i64| {
        inputs.seen().deadline = Some(ago(-hours));
        notices(inputs).into_iter().filter(|due| due.occasion == Occasion::DeadlineNear).count()
    };
    assert_eq!(days(&mut inputs, 73), 0);
    assert_eq!(days(&mut inputs, 72), 1);
    assert_eq!(days(&mut inputs, 1), 1);
    assert_eq!(days(&mut inputs, -1), 0, "it has passed");
}

#[test]
fn thresholds_are_armed_again_by_a_top_up_and_by_nothing_else() {
    let inputs = ends_in(48);
    let seen = decide(&inputs).seen.unwrap();
    let past =
        |benefits| Some(PastObservation { benefits, observed: ago(1), eligible: true, closed: false, source: None });
    let armed_after = |past: Option<PastObservation>| armed(Some(ago(500)), past.as_ref(), &seen);
    assert_eq!(armed_after(past(vec![credit("160"), period(ago(-48))])), ago(500), "some of it was used");
    assert_eq!(armed_after(past(vec![credit("50"), period(ago(-48))])), now(), "credit was granted");
    assert_eq!(armed_after(past(vec![credit("150"), period(ago(-24))])), now(), "the trial was extended");
    assert_eq!(armed_after(None), now(), "it is the first observation");
    assert_eq!(armed(None, past(vec![]).as_ref(), &seen), now());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// As time goes by and nothing else changes, thresholds follow each other downwards, each at most once.
    #[test]
    fn thresholds_follow_each_other_downwards(inputs in any_inputs(), steps in prop::collection::vec(0_i64..200, 1..40)) {
        let decision = decide(&inputs);
        let Some(end) = end_ahead(&decision) else { return Ok(()) };
        let mut now = end - SignedDuration::from_hours(60 * 24);
        let (mut said, mut last) = (BTreeSet::new(), u16::MAX);
        for hours in steps {
            now += SignedDuration::from_hours(hours);
            let due = due(&decision, context(now));
            let end = due.iter().find(|due| matches!(due.occasion, Occasion::EndAhead | Occasion::EndSooner));
            let Some(end) = end.filter(|due| said.insert(due.id.clone())) else { continue };
            let threshold: u16 = end.id.split(['/', 'd']).nth(2).unwrap().parse().unwrap();
            prop_assert!(threshold < last, "{} after {}", threshold, last);
            last = threshold;
        }
    }

    /// What is due goes by the same id for as long as it is due, and what has ended and holds again by another.
    #[test]
    fn ids_stay(inputs in any_inputs(), hours in 1_i64..500) {
        let decision = decide(&inputs);
        let first = due(&decision, context(now()));
        let ids: Vec<String> = first.iter().map(|due| due.id.clone()).collect();
        let later = now() + SignedDuration::from_hours(hours);
        let is_state = |due: &&Due| due.id.contains("/since");
        let again = due(&decision, Context { due_before: &ids, ..context(later) });
        let states: Vec<_> = again.iter().filter(is_state).collect();
        prop_assert!(states.iter().all(|due| ids.contains(&due.id)), "{:?} after {:?}", states, ids);
        let anew = due(&decision, context(later));
        prop_assert!(anew.iter().filter(is_state).all(|due| !ids.contains(&due.id)));
    }

    /// Nothing is due twice at once, and an end is announced only while there is something left.
    #[test]
    fn what_is_due_is_due_once(inputs in any_inputs()) {
        let due = notices(&inputs);
        let ids: BTreeSet<_> = due.iter().map(|due| &due.id).collect();
        prop_assert_eq!(ids.len(), due.len());
        let is_over = |seen: &payg_core::observation::Observation| {
            seen.benefits.iter().any(|benefit| benefit.is_exhausted(seen.observed))
        };
        if decide(&inputs).seen.as_ref().is_some_and(is_over) {
            prop_assert!(due.iter().all(|due| !matches!(due.occasion, Occasion::EndAhead | Occasion::EndSooner)));
        }
    }
}
