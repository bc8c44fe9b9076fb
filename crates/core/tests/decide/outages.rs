//! An account that is switched off is never reported as healthy, whatever the operator waits for.

use jiff::SignedDuration;
use payg_core::approval::Decision as Said;
use payg_core::decide::{Decision, decide};
use payg_core::desired::{ApprovalMode, Suspension, When};
use payg_core::inputs::Inputs;
use payg_core::observation::Lifecycle;
use payg_core::provider::{Capabilities, Method};
use payg_core::schedule::Requeue;
use payg_core::verdict::{Progress, Ready};
use payg_fixtures::arbitrary::any_inputs;
use payg_fixtures::given::*;
use proptest::prelude::*;

/// What is decided of an account that has been restricted for five hours, on what `change` makes of a due upgrade.
fn restricted(change: impl FnOnce(&mut Inputs)) -> Decision {
    let mut inputs = due();
    inputs.previous.restricted_since = Some(ago(5));
    change(&mut inputs);
    decide(&inputs)
}

fn state(decision: &Decision) -> (&'static str, Ready, Progress) {
    let facts = decision.facts();
    (facts.reason.name(), facts.ready, facts.progress)
}

fn stalled(reason: &'static str) -> (&'static str, Ready, Progress) {
    (reason, Ready::False, Progress::Stalled)
}

fn portal(on: &mut Inputs) {
    on.provider = Ok(Capabilities { method: Method::Portal, endpoint: String::new() });
}

#[test]
fn a_verdict_that_waits_for_a_person_is_stalled() {
    assert_eq!(state(&restricted(portal)), stalled("AwaitingPortalUpgrade"));
    let manual = |on: &mut Inputs| on.desired.approval = ApprovalMode::Manual;
    assert_eq!(state(&restricted(manual)), stalled("AwaitingApproval"));
    let denied = |on: &mut Inputs| on.approvals = vec![said(on, Said::Deny)];
    assert_eq!(state(&restricted(denied)), stalled("UpgradeDenied"));
    assert_eq!(state(&restricted(|on| on.allowance.dry_run = true)), stalled("UpgradeHeld"));
    assert_eq!(state(&restricted(|on| on.desired.when = When::Never)), stalled("Observing"));
    let in_place = restricted(|on| on.seen().offer = pay_as_you_go());
    assert_eq!(state(&in_place), stalled("OfferInPlace"));
    assert_eq!(in_place.facts().upgraded, Some(true));
    assert!(in_place.message().ends_with("in the provider's portal."), "{}", in_place.message());
}

#[test]
fn a_verdict_that_goes_on_by_itself_is_reconciling() {
    let first = restricted(|on| on.previous.observation = None);
    assert_eq!(state(&first), ("WaitingForExhaustion", Ready::False, Progress::Reconciling));
    assert_eq!(state(&restricted(|_| {})), ("Upgrading", Ready::False, Progress::Reconciling));
}

#[test]
fn a_verdict_on_an_account_that_works_stays_ready() {
    let works = |on: &mut Inputs| {
        portal(on);
        on.seen().lifecycle = Lifecycle::Active;
    };
    let decision = restricted(works);
    assert_eq!(state(&decision), ("AwaitingPortalUpgrade", Ready::True, Progress::Settled));
    assert!(!decision.message().contains("restricted"), "{}", decision.message());
}

#[test]
fn a_suspended_subscription_remembers_the_outage() {
    let suspended = |on: &mut Inputs| {
        on.desired.suspend = Some(Suspension::Manifest);
        on.observation = None;
    };
    let decision = restricted(suspended);
    assert_eq!(state(&decision), stalled("Suspended"));
    assert!(decision.message().ends_with("set `suspend: false`."), "{}", decision.message());
    let never_off = restricted(|on| {
        suspended(on);
        on.previous.restricted_since = None;
    });
    assert_eq!(state(&never_off), ("Suspended", Ready::True, Progress::Settled));
}

#[test]
fn the_message_says_since_when_until_when_and_what_ends_it() {
    let message = restricted(|on| {
        on.desired.when = When::Never;
        on.seen().deadline = Some(ago(-48));
    })
    .message();
    for part in [
        format!("restricted since {}", ago(5).strftime("%Y-%m-%d %H:%M UTC")),
        "what runs in it has stopped".to_owned(),
        format!("deleted after {}", ago(-48).strftime("%Y-%m-%d %H:%M UTC")),
        "set another `when`".to_owned(),
        "upgrade it at https://portal.example.".to_owned(),
    ] {
        assert!(message.contains(&part), "{part} is not in: {message}");
    }
    let first = restricted(|on| {
        on.previous.restricted_since = None;
        on.desired.when = When::Never;
    });
    assert_eq!(first.outage.unwrap().since, now(), "it is first observed now");
}

#[test]
fn a_restricted_account_is_observed_every_six_hours_and_after_an_upgrade_every_hour() {
    let after = |hours| Requeue::At(now() + SignedDuration::from_hours(hours));
    assert_eq!(restricted(|on| on.desired.when = When::Never).next, after(6));
    assert_eq!(restricted(|on| on.seen().offer = pay_as_you_go()).next, after(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Whatever is decided.
    #[test]
    fn a_restricted_account_is_never_ready(inputs in any_inputs()) {
        let decision = decide(&inputs);
        let is_off = decision.seen.as_ref().is_some_and(|seen| seen.lifecycle == Lifecycle::Restricted);
        prop_assert_eq!(decision.seen.is_some() && decision.outage.is_some(), is_off);
        if is_off {
            prop_assert_ne!(decision.facts().ready, Ready::True, "{:?}", decision.verdict);
            prop_assert!(decision.message().contains("what runs in it has stopped"), "{}", decision.message());
            prop_assert!(decision.message().len() < 1024, "{}", decision.message());
        } else if decision.seen.is_some() {
            prop_assert_eq!(decision.facts(), decision.verdict.facts());
        }
    }
}
