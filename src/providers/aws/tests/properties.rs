//! Whatever AWS answers, nothing panics, and only what is known is acted on.

use aws_sdk_freetier::operation::get_account_plan_state::GetAccountPlanStateOutput;
use aws_sdk_freetier::primitives::DateTime;
use aws_sdk_freetier::types::{AccountPlanStatus, AccountPlanType, CurrencyCode, MonetaryAmount};
use proptest::prelude::*;

use super::super::interpret::{Look, State, observation};
use super::super::plan::Plan;
use super::*;
use crate::core::account::AwsAccountId;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn whatever_a_plan_says_only_what_is_known_makes_an_account_eligible(
        id in texts(&[ID, OTHER, ""]),
        kind in texts(&["FREE", "PAID"]),
        status in texts(&["ACTIVE", "EXPIRED", "NOT_STARTED"]),
        credit in prop::option::of((prop_oneof![any::<f64>(), -200.0..200.0], texts(&["USD"]))),
        expires in prop::option::of((any::<i64>(), 0..1_000_000_000_u32)),
        state in state(),
        now in -9_000_000_000_i64..200_000_000_000,
    ) {
        let (known, name) = (["FREE", "PAID"].contains(&kind.as_str()), kind.clone());
        let answer = GetAccountPlanStateOutput::builder()
            .account_id(&id)
            .account_plan_type(AccountPlanType::from(kind.as_str()))
            .account_plan_status(AccountPlanStatus::from(status.as_str()))
            .set_account_plan_remaining_credits(credit.clone().map(|(amount, unit)| {
                MonetaryAmount::builder().amount(amount).unit(CurrencyCode::from(unit.as_str())).build().unwrap()
            }))
            .set_account_plan_expiration_date(expires.map(|(seconds, nanos)| DateTime::from_secs_and_nanos(seconds, nanos)))
            .build()
            .unwrap();
        let plan = Plan::of(&answer, &AwsAccountId::parse(ID).unwrap());
        if id != ID || !known || !["ACTIVE", "EXPIRED", "NOT_STARTED"].contains(&status.as_str()) {
            prop_assert!(plan.is_err(), "{id} {name} {status}");
        }
        let is_money = |amount: f64| amount.is_finite() && amount.abs() < 1e9;
        if id == ID && known && credit.as_ref().is_some_and(|(amount, unit)| is_money(*amount) && unit == "USD") && expires.is_none()
            && ["ACTIVE", "EXPIRED", "NOT_STARTED"].contains(&status.as_str())
        {
            prop_assert!(plan.is_ok(), "{credit:?}: {plan:?}");
        }
        if let Ok(plan) = plan {
            let observed = Timestamp::from_second(now).unwrap();
            let look = Look { observed, provider_time: None, source: "GetAccountPlanState".to_owned() };
            let seen = observation(Some(&plan), state, None, &look);
            if seen.eligible {
                prop_assert_eq!(name.as_str(), "FREE");
                prop_assert!(status != "NOT_STARTED");
                prop_assert!(!matches!(state, Some(State::Suspended | State::PendingActivation)));
            }
            // A credit that is left is never taken for spent.
            if let (Some((amount, _)), Some(credit)) = (credit, seen.benefit(crate::core::offer::BenefitKind::Credit)) {
                prop_assert!(amount <= 0.0 || !credit.is_exhausted(observed));
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
        assert_ne!(error.outcome(), crate::core::record::Outcome::Rejected, "{body}: {error}");
    }
}
