//! What a former observation showed and this one cannot: the credit left, and that the account was closed.

use jiff::SignedDuration;

use payg_core::decide::decide;
use payg_core::desired::{Limits, When};
use payg_core::inputs::Inputs;
use payg_core::observation::Lifecycle;
use payg_core::offer::{Benefit, BenefitKind, BenefitState};
use payg_core::trigger::NotYet;
use payg_core::verdict::Verdict;

use payg_fixtures::given::{Given, ago, credit, due, money, now, period};

/// An account with `before` left an hour ago, of which nothing could be read now; an upgrade is wanted below 10.
fn lapsed(before: &str) -> Inputs {
    let mut on = due();
    on.desired.when = When::BeforeExhaustion(Limits { credit_below: Some(money("10")), time_left: None });
    let seen = on.seen();
    seen.lifecycle = Lifecycle::Active;
    seen.lapsed = true;
    seen.benefits = vec![Benefit { remaining: None, state: BenefitState::Active, ..credit("0") }, period(ago(-240))];
    let past = on.previous.observation.as_mut().unwrap();
    past.benefits = vec![Benefit { as_of: ago(1), ..credit(before) }];
    on
}

fn remaining(on: &Inputs) -> Option<(String, jiff::Timestamp)> {
    let seen = decide(on).seen.unwrap();
    let credit = seen.benefit(BenefitKind::Credit).unwrap();
    credit.remaining.map(|left| (left.to_string(), credit.as_of))
}

#[test]
fn the_last_known_credit_is_kept_with_its_age() {
    let on = lapsed("57.31");
    assert_eq!(remaining(&on), Some(("57.31 USD".to_owned(), ago(1))));
    let verdict = decide(&on).verdict;
    assert!(
        matches!(verdict, Verdict::WaitingForExhaustion { not_yet: NotYet::Left, .. }),
        "no change for the worse: {verdict}"
    );
}

#[test]
fn it_is_not_remembered_for_more_than_a_day_nor_where_it_is_not_to_be_read_at_all() {
    let mut on = lapsed("57.31");
    on.previous.observation.as_mut().unwrap().benefits[0].as_of = ago(25);
    assert_eq!(remaining(&on), None);
    let mut on = lapsed("57.31");
    on.seen().lapsed = false;
    assert_eq!(remaining(&on), None);
    assert!(matches!(decide(&on).verdict, Verdict::BenefitsUnknown { .. }));
    let mut on = lapsed("57.31");
    on.previous.observation = None;
    assert_eq!(remaining(&on), None);
}

#[test]
fn one_reading_is_not_two() {
    let mut on = lapsed("5");
    let decision = decide(&on);
    assert!(matches!(decision.verdict, Verdict::WaitingForExhaustion { not_yet: NotYet::Unconfirmed(_), .. }));
    assert_eq!(decision.effect, None);
    // A reading of its own is the second.
    on.seen().lapsed = false;
    on.seen().benefits[0].remaining = Some(money("5"));
    assert!(decide(&on).effect.is_some());
}

#[test]
fn it_does_not_contradict_the_end_of_an_account_that_is_off() {
    let mut on = lapsed("5");
    on.desired.when = When::BenefitsExhausted;
    on.previous.observation.as_mut().unwrap().benefits[0] = Benefit { remaining: None, as_of: ago(1), ..credit("0") };
    on.seen().benefits[0].state = BenefitState::Exhausted;
    on.seen().lifecycle = Lifecycle::Restricted;
    assert!(decide(&on).effect.is_some());
    on.previous.observation.as_mut().unwrap().benefits[0] = Benefit { as_of: ago(1), ..credit("5") };
    assert_eq!(remaining(&on), None);
    // While it works, the word that the credit is spent stays in doubt.
    on.seen().lifecycle = Lifecycle::Active;
    assert_eq!(decide(&on).effect, None);
    assert_eq!(remaining(&on), Some(("5.00 USD".to_owned(), ago(1))));
}

#[test]
fn two_looks_at_once_are_one() {
    for (apart, is_due) in [(0, false), (4, false), (5, true)] {
        let mut on = due();
        on.previous.observation.as_mut().unwrap().observed = now() - SignedDuration::from_secs(apart);
        let decision = decide(&on);
        assert_eq!(decision.effect.is_some(), is_due, "{apart} seconds: {}", decision.verdict);
    }
}

/// AWS shows an account that its owner closed as one whose plan has expired, once it has.
#[test]
fn an_account_that_was_closed_is_closed_until_it_works_again() {
    let mut on = due();
    on.previous.observation.as_mut().unwrap().closed = true;
    for evaluate in [Lifecycle::Restricted, Lifecycle::Unknown("EXPIRED".to_owned()), Lifecycle::Closed] {
        on.seen().lifecycle = evaluate;
        let decision = decide(&on);
        assert_eq!((decision.verdict, decision.effect), (Verdict::AccountClosed, None));
        assert_eq!(decision.seen.unwrap().lifecycle, Lifecycle::Closed, "and it is remembered again");
    }
    on.seen().lifecycle = Lifecycle::Active;
    assert!(!matches!(decide(&on).verdict, Verdict::AccountClosed));
}
