//! Whatever AWS answers, nothing panics, and only what is known is acted on.

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::interpret::{Stamp, State, observation};
use super::super::observation;
use super::super::plan::{Plan, PlanStatus, PlanType};
use super::*;
use crate::changes::{Change, sent, singles, subsets};
use payg_core::account::AwsAccountId;
use payg_core::offer::BenefitKind;
use payg_core::source::{Origin, Source};

fn texts(known: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(known).prop_map(str::to_owned), 1 => ".{0,12}"]
}

fn state() -> impl Strategy<Value = Option<State>> {
    prop::option::of(prop::sample::select(vec![
        State::PendingActivation,
        State::Active,
        State::Suspended,
        State::Closed,
    ]))
}

fn id() -> AwsAccountId {
    AwsAccountId::parse(ID).unwrap()
}

/// The dates that a time can be written as.
fn expires() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop_oneof![
        (-9_000_000_000_i64..200_000_000_000).prop_map(|second| Timestamp::from_second(second).unwrap().to_string()),
        ".{0,12}",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn only_known_plan_values_make_an_account_eligible(
        account in texts(&[ID, OTHER, ""]),
        kind in texts(&["FREE", "PAID"]),
        status in texts(&["ACTIVE", "EXPIRED", "NOT_STARTED"]),
        credit in prop::option::of((prop_oneof![any::<f64>(), -200.0..200.0].prop_filter("JSON", |amount| amount.is_finite()), texts(&["USD"]))),
        expires in expires(),
        state in state(),
        now in -9_000_000_000_i64..200_000_000_000,
    ) {
        let mut answer = json!({"accountId": account, "accountPlanType": kind, "accountPlanStatus": status});
        if let Some((amount, unit)) = &credit {
            answer["accountPlanRemainingCredits"] = json!({"amount": amount, "unit": unit});
        }
        if let Some(expires) = &expires {
            answer["accountPlanExpirationDate"] = json!(expires);
        }
        let plan = Plan::of(answer.to_string().as_bytes(), &id());
        let known = ["FREE", "PAID"].contains(&kind.as_str()) && ["ACTIVE", "EXPIRED", "NOT_STARTED"].contains(&status.as_str());
        prop_assert!(plan.is_err() || (account == ID && known), "{account} {kind} {status}");
        let is_money = credit.as_ref().is_none_or(|(amount, unit)| amount.abs() < 1e9 && unit == "USD");
        prop_assert!(plan.is_ok() || account != ID || !known || !is_money || expires.is_some(), "{credit:?}: {plan:?}");
        if let Ok(plan) = plan {
            let observed = Timestamp::from_second(now).unwrap();
            let stamp = Stamp { observed, provider_time: None, source: Source::from([Origin::GetAccountPlanState]) };
            let seen = observation(Some(&plan), state, None, &stamp);
            if seen.eligible {
                prop_assert_eq!(kind.as_str(), "FREE");
                prop_assert!(status != "NOT_STARTED");
                prop_assert!(!matches!(state, Some(State::Suspended | State::PendingActivation)));
            }
            // A credit that is left is never taken for spent.
            if let (Some((amount, _)), Some(credit)) = (credit, seen.benefit(BenefitKind::Credit)) {
                prop_assert!(amount <= 0.0 || !credit.is_exhausted(observed));
            }
        }
    }
}

/// That what was made of the answer is what it says. `says` is nothing where that is in doubt.
fn is_said(plan: &Plan, says: Option<&Value>, changes: &[(String, Change)]) {
    let Some(says) = says else { panic!("in doubt, and read: {changes:?} {plan:?}") };
    let kind = match plan.kind {
        PlanType::Free => "FREE",
        PlanType::Paid => "PAID",
    };
    let status = match plan.status {
        PlanStatus::NotStarted => "NOT_STARTED",
        PlanStatus::Active => "ACTIVE",
        PlanStatus::Expired => "EXPIRED",
    };
    let told = [&says["accountId"], &says["accountPlanType"], &says["accountPlanStatus"]];
    assert_eq!(told, [&json!(ID), &json!(kind), &json!(status)], "{changes:?}");
    let credit = &says["accountPlanRemainingCredits"];
    match plan.credit {
        None => assert!(credit.is_null() || plan.kind == PlanType::Paid, "{changes:?}"),
        Some(left) => {
            assert!(credit["amount"].is_number() && credit["unit"] == "USD", "{changes:?}: {left}");
            assert_eq!(left.amount, credit["amount"].to_string().parse::<Decimal>().unwrap(), "{changes:?}");
        }
    }
    let end = &says["accountPlanExpirationDate"];
    match plan.expires {
        None => assert!(end.is_null() || plan.kind == PlanType::Paid, "{changes:?}"),
        Some(time) => assert_eq!(end.as_str().map(super::time), Some(time), "{changes:?}"),
    }
}

#[test]
fn no_plan_claims_more_than_its_document_says() {
    let (mut read, mut refused) = (0, 0);
    for kind in ["FREE", "PAID"] {
        let base: Value = serde_json::from_str(&free("57.31").replace("FREE", kind)).unwrap();
        for changes in subsets(&base, 1, 0) {
            let sent = sent(&base, &changes);
            match Plan::of(sent.text.as_bytes(), &id()) {
                // Of a paid plan neither the credit nor the date is decided on.
                Ok(plan) if plan.kind == PlanType::Paid && sent.says.is_none() => {
                    assert!(
                        changes.iter().any(|(at, _)| at.starts_with("/accountPlanRemainingCredits/")),
                        "{changes:?}"
                    );
                    assert_eq!(plan.credit, None, "{changes:?}");
                }
                Ok(plan) => {
                    is_said(&plan, sent.says.as_ref(), &changes);
                    read += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read > 20 && refused > 5_000, "{read} {refused}");
}

#[test]
fn an_upgrade_is_taken_only_by_the_whole_answer() {
    let base = json!({"accountId": ID, "accountPlanType": "PAID", "accountPlanStatus": "ACTIVE"});
    Plan::upgraded(base.to_string().as_bytes(), &id()).unwrap();
    for changes in subsets(&base, 1, 0) {
        let error = Plan::upgraded(sent(&base, &changes).text.as_bytes(), &id()).expect_err("one is missing");
        assert_eq!(error.outcome(), payg_core::provider::Outcome::Unknown, "{changes:?}: {error}");
    }
}

#[test]
fn no_state_is_told_but_by_the_word_for_it() {
    let base = json!({"AccountId": ID, "AccountState": "ACTIVE"});
    for changes in subsets(&base, 1, 0) {
        let sent = sent(&base, &changes);
        if let Ok(state) = observation::told(sent.text.as_bytes(), &id()) {
            let says = sent.says.expect("what is in doubt is refused");
            assert_eq!(
                (&says["AccountId"], &says["AccountState"], state),
                (&json!(ID), &json!("ACTIVE"), State::Active)
            );
        }
    }
}

#[test]
fn no_credit_is_granted_but_by_its_whole_entry() {
    let credit = |amount: &str| {
        json!({"accountId": ID, "creditStatus": "ENABLED",
            "initialAmount": {"currencyCode": "USD", "currencyAmount": amount}})
    };
    let base = json!({"credits": [credit("100.00"), credit("20.00")]});
    assert_eq!(observation::sum(base.to_string().as_bytes(), &id()).unwrap().unwrap().amount, Decimal::from(120));
    for change in singles(&base) {
        let sent = sent(&base, std::slice::from_ref(&change));
        match observation::sum(sent.text.as_bytes(), &id()) {
            Err(_) => {}
            // Another one is of another account, or there is none; a text of digits is an amount.
            Ok(None) => assert_eq!(sent.says.unwrap()["credits"], json!([]), "{change:?}"),
            Ok(Some(sum)) => {
                let says = sent.says.expect("what is in doubt is refused");
                let of = |index: usize| says["credits"][index]["initialAmount"]["currencyAmount"].as_str();
                let own = (0..2).filter(|index| says["credits"][*index]["accountId"] == ID);
                let told: Decimal = own.filter_map(of).map(|text| text.parse::<Decimal>().unwrap()).sum();
                assert_eq!(sum.amount, told, "{change:?}");
            }
        }
    }
}

#[tokio::test]
async fn garbage_for_an_answer_is_an_error_and_nothing_else() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..60 {
        let good = free("57.31");
        let mut bytes = good.into_bytes();
        for _ in 0..random.usize(1..8) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(32..127);
        }
        let body = String::from_utf8(bytes).unwrap();
        let (read, upgraded) = (json(200, &body), json(if round % 2 == 0 { 200 } else { 400 }, &body));
        let server = server(move |_, called| match called {
            "GetAccountPlanState" => Some(read.clone()),
            "UpgradeAccountPlan" => Some(upgraded.clone()),
            _ => None,
        })
        .await;
        let aws = aws(&server, by_key());
        // Some changes are harmless; none makes another account, plan or currency of it.
        if let Ok(seen) = aws.observe(&account(), &Timestamp::now, DEADLINE).await {
            assert!(seen.offer.class == OfferClass::FreeTrial, "{body}");
        }
        let error = upgrade(&aws, soon(), DEADLINE).await.unwrap_err();
        assert_ne!(error.outcome(), payg_core::provider::Outcome::Rejected, "{body}: {error}");
    }
}
