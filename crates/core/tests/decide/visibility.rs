//! An account of which less is known than before, or that was in no state to be upgraded a moment ago: one observation with a part
//! of the truth upgrades nothing.

use payg_core::decide::{Decision, decide};
use payg_core::desired::When;
use payg_core::inputs::Inputs;
use payg_core::observation::{Lifecycle, Unread};
use payg_core::offer::{Offer, OfferClass};
use payg_core::provider::Outcome;
use payg_core::record::RecordState;
use payg_core::source::Source;
use payg_fixtures::given::*;

/// The decision where billing was read before, and may not be read any more.
fn lost(change: impl FnOnce(&mut Inputs)) -> Decision {
    let mut on = due();
    on.previous.observation.as_mut().unwrap().source = Some(Source::parse("subscription, billing"));
    on.seen().unread = vec![Unread { what: "the billing".to_owned(), permission: "billing/read".to_owned() }];
    change(&mut on);
    decide(&on)
}

#[test]
fn a_permission_that_is_lost_stops_everything() {
    for when in [When::BenefitsExhausted, When::Immediately] {
        let decision = lost(|on| on.desired.when = when);
        assert_eq!((decision.verdict.facts().reason.name(), decision.effect), ("ProviderNotReady", None));
        assert_eq!(decision.seen, None, "what was seen before stays");
        let message = decision.verdict.to_string();
        assert!(message.contains("the billing could be read before") && message.contains("billing/read"), "{message}");
    }
}

#[test]
fn a_source_that_disappears_stops_everything() {
    for when in [When::BenefitsExhausted, When::Immediately] {
        let decision = lost(|on| {
            on.desired.when = when;
            on.seen().unread.clear();
        });
        assert_eq!((decision.verdict.facts().reason.name(), decision.effect), ("ProviderNotReady", None));
        assert_eq!(decision.seen, None, "what was seen before stays");
        let message = decision.verdict.to_string();
        assert!(
            message.contains("subscription, billing") && message.contains("can be read, which does not show"),
            "{message}"
        );
        assert!(message.contains("delete this Subscription"), "{message}");
    }
}

#[test]
fn lost_visibility_is_ignored_if_no_upgrade_is_possible() {
    for unread in [false, true] {
        let decided = |change: fn(&mut Inputs)| {
            let decision = lost(|on| {
                if !unread {
                    on.seen().unread.clear();
                }
                change(on);
            });
            assert_eq!(decision.effect, None);
            decision.verdict.facts().reason.name()
        };
        let deleted = decided(|on| on.seen().lifecycle = Lifecycle::Closed);
        assert_eq!(deleted, "AccountClosed", "the billing of a deleted account is gone");
        let other = |on: &mut Inputs| {
            on.seen().offer = Offer { class: OfferClass::Other, native: "Sponsored_2016-01-01".to_owned() };
        };
        assert_eq!(decided(other), "NotEligible");
        // An offer that only billing could tell may be a trial.
        let unknown = |on: &mut Inputs| on.seen().offer.class = OfferClass::Unknown;
        assert_eq!(decided(unknown), "ProviderNotReady");
    }
}

#[test]
fn a_permission_that_was_never_there_is_not_missed() {
    let never = lost(|on| on.previous.observation.as_mut().unwrap().source = Some(spent().source));
    assert_eq!(never.verdict.facts().reason.name(), "Upgrading");
    let more = lost(|on| on.seen().source = Source::parse("subscription, billing, profile"));
    assert_eq!(more.verdict.facts().reason.name(), "Upgrading", "more is read than before");
    let done = lost(|on| on.seen().offer = pay_as_you_go());
    assert_eq!(done.verdict.facts().reason.name(), "OfferInPlace", "there is nothing left to be careful about");
}

#[test]
fn an_account_that_was_stopped_a_moment_ago_is_looked_at_twice() {
    for when in [When::BenefitsExhausted, When::Immediately] {
        let mut on = due();
        on.desired.when = when;
        on.previous.observation.as_mut().unwrap().eligible = false;
        let decision = decide(&on);
        assert_eq!((decision.verdict.facts().reason.name(), decision.effect), ("WaitingForExhaustion", None));
    }
}

#[test]
fn an_upgrade_that_never_showed_is_given_up_in_time_whatever_happens_in_between() {
    let mut on = due();
    on.record = Some(record(RecordState::Accepted, Outcome::Accepted, 72));
    on.previous.verifying_since = Some(ago(2)); // an observation that failed in between began the wait anew
    assert_eq!(decide(&on).verdict.facts().reason.name(), "UpgradeUnresolved");
    on.previous.accepted_since = Some(ago(70));
    assert_eq!(decide(&on).verdict.facts().reason.name(), "VerifyingUpgrade", "it has shown, and may be back");
}
