//! Which of several Subscriptions has the account that all of them name.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use payg_core::decide::decide;
use payg_core::desired::{Claimant, Lapse, Sight, Suspension};
use payg_core::inputs::Inputs;
use payg_core::provider::ProviderError;
use payg_core::schedule::Requeue;
use payg_core::verdict::{Standing, Verdict};
use payg_fixtures::arbitrary::any_inputs;
use payg_fixtures::given::*;

fn older(yields: Option<Lapse>, sight: Sight) -> Claimant {
    Claimant {
        uid: "uid-a".to_owned(),
        namespace: "team-b".to_owned(),
        name: "first".to_owned(),
        yields,
        sight,
        ..due().subject
    }
}

fn with(others: Vec<Claimant>) -> Inputs {
    Inputs { claimants: others, ..due() }
}

const BY_MANIFEST: Lapse = Lapse::Suspended(Suspension::Manifest);

fn sees() -> Sight {
    Sight::Clear { last: Some(ago(1)) }
}

#[test]
fn a_claim_holds_while_it_is_alive() {
    let reason = |yields, sight| decide(&with(vec![older(yields, sight)])).verdict.facts().reason.name();
    for (sight, expected) in [
        (sees(), "AccountConflict"),
        (Sight::Clear { last: Some(ago(6 * 24)) }, "AccountConflict"),
        (Sight::Clear { last: Some(ago(7 * 24)) }, "Upgrading"),
        (Sight::Clear { last: None }, "Upgrading"),
        (Sight::Never, "Upgrading"),
        (Sight::Lost { since: now() - SignedDuration::from_mins(59) }, "AccountConflict"),
        (Sight::Lost { since: ago(1) }, "Upgrading"),
        // A clock that was set back must not end a claim.
        (Sight::Lost { since: ago(-5) }, "AccountConflict"),
    ] {
        assert_eq!(reason(None, sight), expected, "{sight:?}");
    }
    let suspended = [Suspension::Manifest, Suspension::Deletion, Suspension::NamespaceDeletion].map(Lapse::Suspended);
    for lapse in suspended.into_iter().chain([Lapse::Observes]) {
        assert_eq!(reason(Some(lapse), sees()), "Upgrading", "{lapse:?}");
    }
}

#[test]
fn both_are_told() {
    let younger = decide(&with(vec![older(Some(BY_MANIFEST), sees())])).standing;
    assert!(matches!(&younger, Standing::InPlaceOf(older, BY_MANIFEST) if older.name == "first"), "{younger:?}");
    assert!(younger.to_string().contains("team-b/first"), "{younger}");
    // From the other side: this one is suspended, and the other one is younger.
    let mut inputs = with(vec![Claimant { uid: "uid-c".to_owned(), ..older(None, sees()) }]);
    assert_eq!(decide(&inputs).standing, Standing::Unsaid, "it goes first anyway");
    inputs.desired.suspend = Some(Suspension::Manifest);
    inputs.subject.yields = Some(BY_MANIFEST);
    let elder = decide(&inputs).standing;
    assert_eq!(elder, Standing::Lapsed(BY_MANIFEST));
    assert!(!elder.to_string().contains("first"), "it has not seen the account in this pass: {elder}");
    // A squatter that never saw the account had no claim that could lapse.
    assert_eq!(decide(&with(vec![older(None, Sight::Never)])).standing, Standing::Unsaid);
}

#[test]
fn a_conflict_hides_the_holder_until_the_account_is_observed() {
    for error in [
        ProviderError::Throttled { retry_after: None },
        ProviderError::Transient { detail: "connection refused".to_owned() },
        ProviderError::Protocol { detail: "odd".to_owned() },
        ProviderError::Forbidden { permission: "Reader".to_owned(), detail: "no".to_owned() },
        ProviderError::WrongAccount { found: "another".to_owned() },
    ] {
        for has_observed_before in [true, false] {
            let mut inputs = with(vec![older(None, sees()), older(Some(BY_MANIFEST), sees())]);
            inputs.observation = Some(Err(error.clone()));
            if !has_observed_before {
                inputs.previous.observation = None;
                inputs.subject.sight = Sight::Never;
            }
            let decision = decide(&inputs);
            let text = format!("{} {}", decision.verdict, decision.standing);
            assert!(!text.contains("first") && !text.contains("team-b"), "{text}");
        }
    }
}

#[test]
fn a_waiting_claim_observes_when_the_earlier_one_may_lapse() {
    let next = |sight| decide(&with(vec![older(None, sight)])).next;
    assert_eq!(next(sees()), Requeue::At(ago(-6)));
    let failing = Sight::Lost { since: now() - SignedDuration::from_mins(45) };
    assert_eq!(next(failing), Requeue::After(Duration::from_secs(15 * 60 + 1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Of those that see the account, exactly one goes on: the first whose claim is alive, or if there is none whoever looks.
    #[test]
    fn two_live_claims_never_have_an_account_both(inputs in any_inputs(), other in any_inputs()) {
        let subject = Claimant { sight: sees(), yields: None, ..inputs.subject.clone() };
        let rival = Claimant { uid: "uid-rival".to_owned(), created: subject.created, sight: sees(), yields: None, ..other.subject.clone() };
        let conflict = |from: &Inputs, me: &Claimant, them: &Claimant| {
            let looked = Inputs { subject: me.clone(), claimants: vec![them.clone()], ..from.clone() };
            let saw = matches!(looked.observation, Some(Ok(_))) && looked.provider.is_ok() && looked.desired.suspend.is_none();
            saw.then(|| matches!(decide(&looked).verdict, Verdict::AccountConflict(_)))
        };
        if let (Some(one), Some(two)) = (conflict(&inputs, &subject, &rival), conflict(&other, &rival, &subject)) {
            prop_assert!(one != two, "both or none of them have the account");
        }
    }

    /// A name of another one is said only after an observation that succeeded.
    #[test]
    fn a_name_is_said_only_after_a_look(inputs in any_inputs()) {
        let mut inputs = inputs;
        for other in &mut inputs.claimants {
            other.name = "secret-name".to_owned();
        }
        let decision = decide(&inputs);
        if !matches!(inputs.observation, Some(Ok(_))) {
            let text = format!("{} {}", decision.verdict, decision.standing);
            prop_assert!(!text.contains("secret-name"), "{}", text);
        }
    }
}
