//! An approval is about everything that can bring an upgrade about: what decides differently has another hash.

use std::collections::HashSet;

use proptest::prelude::*;
use uuid::Uuid;

use payg_core::account::AccountId;
use payg_core::approval::Decision as Said;
use payg_core::decide::{Effect, decide};
use payg_core::desired::{ApprovalMode, Limits, Suspension, When};
use payg_core::inputs::Inputs;
use payg_core::provider::{Capabilities, Method};
use payg_core::transition::{TERMS, former_hash};
use payg_fixtures::arbitrary::any_inputs;
use payg_fixtures::given::*;

/// A change of each of the [`TERMS`], in their order.
const CHANGES: [fn(&mut Inputs); TERMS.len()] = [
    |on| on.desired.account = AccountId::Azure(Uuid::from_u128(2)),
    // There is no other offer to ask for yet, so the one in force stands in for it.
    |on| on.seen().offer = pay_as_you_go(),
    |on| "another".clone_into(&mut on.desired.provider_name),
    |on| on.desired.suspend = Some(Suspension::Manifest),
    |on| on.desired.trial.credit = Some(money("5")),
    |on| on.desired.trial.end = Some(ago(1)),
    |on| on.desired.trial.start = Some(ago(900)),
    |on| on.desired.approval = ApprovalMode::Manual,
    |on| on.desired.when = When::BeforeExhaustion(Limits { credit_below: Some(money("6")), time_left: None }),
    |on| {
        let time_left = Some(jiff::SignedDuration::from_hours(1));
        on.desired.when = When::BeforeExhaustion(Limits { credit_below: None, time_left });
    },
    |on| on.desired.when = When::Immediately,
    |on| "{\"azure\":{}}".clone_into(&mut on.provider_object.as_mut().unwrap().spec),
    |on| on.seen().offer.class = payg_core::offer::OfferClass::Other,
    |on| "another".clone_into(&mut on.seen().offer.native),
    |on| on.provider = Ok(Capabilities { method: Method::Api, endpoint: ENDPOINT.to_owned() }),
    |on| on.provider = Ok(Capabilities { method: Method::Broker, endpoint: "https://elsewhere.example".to_owned() }),
];

#[test]
fn every_term_is_in_the_hash() {
    let mut hashes = HashSet::from([due().hash()]);
    for (term, change) in TERMS.iter().zip(CHANGES) {
        let mut inputs = due();
        change(&mut inputs);
        let hash = inputs.hash();
        assert!(hash.len() == 32 && hashes.insert(hash), "{term} is not in the hash");
    }
}

#[test]
fn equal_terms_have_equal_hashes() {
    let with = |amount: &str| {
        let mut inputs = due();
        inputs.desired.when = When::BeforeExhaustion(Limits { credit_below: Some(money(amount)), time_left: None });
        inputs.hash()
    };
    assert_eq!(with("5.00"), with("5"));
    assert_ne!(with("5.00"), with("500"));
}

#[test]
fn changing_observations_are_not_in_the_hash() {
    let mut later = due();
    later.seen().benefits = vec![credit("120")];
    later.now.billing = ago(-10);
    later.now.wall = ago(-10);
    later.provider_object.as_mut().unwrap().created = ago(1);
    assert_eq!(later.hash(), due().hash());
}

#[test]
fn an_approval_by_the_former_hash_does_not_count_and_is_named() {
    let mut inputs = due();
    inputs.desired.approval = ApprovalMode::Manual;
    let Ok(capabilities) = &inputs.provider else { panic!("no provider") };
    let former = former_hash(&inputs.desired, &free_trial(), capabilities);
    // What was approved with the first versions of this operator: the words in that hash never change.
    assert_eq!(former, "dde5c5ee264d571cfce0200dc53ecfee");
    let mut word = said(&inputs, Said::Approve);
    word.transition_hash = former;
    inputs.approvals = vec![word];
    let decision = decide(&inputs);
    assert_eq!((decision.verdict.facts().reason.name(), decision.effect), ("AwaitingApproval", None));
    let message = decision.verdict.to_string();
    assert!(message.contains("UpgradeApproval word does not count"), "{message}");
}

fn acts(inputs: &Inputs) -> bool {
    matches!(decide(inputs).effect, Some(Effect::Upgrade(_) | Effect::Again { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// If a change of one field lets an upgrade happen that would not have happened without it, whoever approved the one has
    /// not approved the other.
    #[test]
    fn every_term_that_can_cause_an_upgrade_is_in_the_hash(inputs in any_inputs(), term in 0..TERMS.len()) {
        let (before, mut after) = (inputs.clone(), inputs);
        if !matches!(&before.observation, Some(Ok(_))) || before.provider.is_err() {
            return Ok(()); // nothing happens on no observation
        }
        CHANGES[term](&mut after);
        if acts(&before) != acts(&after) {
            prop_assert_ne!(before.hash(), after.hash(), "{}", TERMS[term]);
        }
    }
}
