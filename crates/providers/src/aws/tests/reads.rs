//! What is read of an account.

use rust_decimal::Decimal;

use super::*;
use payg_core::observation::{Lifecycle, Observation};
use payg_core::offer::{BenefitKind, BenefitState};

async fn read_account(server: &Server) -> Result<Observation, ProviderError> {
    aws(server, by_key()).observe(&account(), &|| time("2026-11-25T00:00:00Z"), DEADLINE).await
}

#[tokio::test]
async fn an_account_is_read_from_three_answers() {
    let server = server(|request, called| match called {
        "POST /getAccountInformation" => Some(json(
            200,
            r#"{"AccountId":"123456789012","AccountName":"sandbox","AccountCreatedDate":"2026-09-05T17:57:11Z","AccountState":"ACTIVE"}"#,
        )),
        "GetCredits" => {
            assert!(request.body.contains(r#""accountId":"123456789012""#), "{}", request.body);
            let credit = |id: &str, amount: &str, status: &str| {
                format!(
                    r#"{{"creditId":"{id}","accountId":"123456789012","creditType":"Promotion","initialAmount":{{"currencyCode":"USD","currencyAmount":"{amount}"}},"remainingAmount":{{"currencyCode":"USD","currencyAmount":"1"}},"description":"Free Tier","startDate":1788631031,"creditStatus":"{status}"}}"#
                )
            };
            let credits =
                [credit("a", "100.00", "ENABLED"), credit("b", "20.00", "ENABLED"), credit("c", "7", "DISABLED")];
            Some(json(200, &format!(r#"{{"credits":[{}]}}"#, credits.join(","))))
        }
        _ => None,
    })
    .await;
    let seen = read_account(&server).await.unwrap();
    assert_eq!(
        (seen.lifecycle.clone(), seen.offer.class, seen.eligible),
        (Lifecycle::Active, OfferClass::FreeTrial, true)
    );
    let credit = seen.benefit(BenefitKind::Credit).unwrap();
    assert_eq!(credit.remaining.unwrap().amount, Decimal::new(5731, 2));
    assert_eq!(credit.granted.unwrap().amount, Decimal::from(120));
    assert_eq!(seen.benefit(BenefitKind::Period).unwrap().end, Some(time("2027-03-05T17:57:11.079Z")));
    assert_eq!(seen.provider_time, Some(time("2025-02-02T03:04:05Z")), "the Date of the answer");
    assert_eq!(seen.source.name(), "GetAccountPlanState, GetAccountInformation");
    assert!(seen.unread.is_empty() && seen.remarks.is_empty(), "{:?} {:?}", seen.unread, seen.remarks);
}

#[tokio::test]
async fn with_the_plan_alone_less_is_known_and_it_is_said() {
    let server = server(|_, _| None).await;
    let seen = read_account(&server).await.unwrap();
    assert!(seen.eligible);
    assert_eq!(seen.unread[0].permission, "account:GetAccountInformation");
    assert!(seen.remarks[0].contains("billing:GetCredits"), "{:?}", seen.remarks);
    assert_eq!(seen.source.name(), "GetAccountPlanState");
}

#[tokio::test]
async fn an_account_without_a_plan_record_is_shown_and_never_acted_on() {
    let server =
        server(|_, called| (called == "GetAccountPlanState").then(|| refusal(400, "ResourceNotFoundException"))).await;
    let seen = read_account(&server).await.unwrap();
    assert_eq!((seen.offer.class, seen.offer.native.as_str()), (OfferClass::Other, "no plan record"));
    assert!(!seen.eligible && seen.benefits.is_empty());
    assert!(seen.remarks[0].contains("no plan record"), "{:?}", seen.remarks);
}

#[tokio::test]
async fn a_paid_account_is_read_from_one_answer_and_keeps_its_credit() {
    let body = r#"{"accountId":"123456789012","accountPlanType":"PAID","accountPlanStatus":"ACTIVE","accountPlanRemainingCredits":{"amount":140.0,"unit":"USD"}}"#;
    let server = server(move |_, called| (called == "GetAccountPlanState").then(|| json(200, body))).await;
    let seen = read_account(&server).await.unwrap();
    assert_eq!((seen.offer.class, seen.lifecycle.clone()), (OfferClass::PayAsYouGo, Lifecycle::Active));
    assert_eq!(seen.benefit(BenefitKind::Credit).unwrap().remaining.unwrap().amount, Decimal::from(140));
    assert_eq!((calls(&server, "POST /getAccountInformation"), calls(&server, "GetCredits")), (0, 0));
}

#[tokio::test]
async fn unknown_values_are_never_acted_on() {
    let good = free("57.31");
    for (from, to) in [
        ("FREE", "TRIAL"),
        ("ACTIVE", "PAUSED"),
        ("USD", "EUR"),
        (ID, ""),
        (ID, "12345"),
        ("57.31", "1e300"),
        ("57.31", "\"NaN\""),
        ("57.31", "\"Infinity\""),
        ("57.31", "\"x\""),
        ("2027-03-05T17:57:11.079Z", "soon"),
    ] {
        let body = good.replace(from, to);
        assert_ne!(body, good);
        let answered = json(200, &body);
        let server = server(move |_, called| (called == "GetAccountPlanState").then(|| answered.clone())).await;
        let error = read_account(&server).await.unwrap_err();
        assert!(matches!(error, ProviderError::Protocol { .. }), "{from} → {to}: {error}");
    }
    for state in [r#""AccountState":"DORMANT""#, r#""AccountName":"x""#] {
        let answered = json(200, &format!(r#"{{"AccountId":"123456789012",{state}}}"#));
        let server = server(move |_, called| (called == "POST /getAccountInformation").then(|| answered.clone())).await;
        let error = read_account(&server).await.unwrap_err();
        assert!(matches!(error, ProviderError::Protocol { .. }), "{state}: {error}");
    }
}

#[tokio::test]
async fn an_answer_about_another_account_is_no_answer() {
    let answered = json(200, &free("57.31").replace(ID, OTHER));
    let server = server(move |_, called| (called == "GetAccountPlanState").then(|| answered.clone())).await;
    let error = read_account(&server).await.unwrap_err();
    assert!(matches!(&error, ProviderError::WrongAccount { found } if found.contains(OTHER)), "{error}");
}

#[tokio::test]
async fn a_credit_is_read_to_the_last_digit() {
    for (written, read, state) in [
        ("0.0", "0", BenefitState::Exhausted),
        ("0.004", "0.004", BenefitState::Active),
        ("4.999", "4.999", BenefitState::Active),
        ("100", "100", BenefitState::Active),
        ("-1.5", "-1.5", BenefitState::Active),
        ("5.115699530655604e-15", "0.000000001", BenefitState::Active),
        ("1e-300", "0.000000001", BenefitState::Active),
        ("-5.115699530655604e-15", "0", BenefitState::Exhausted),
    ] {
        let answered = json(200, &free(written));
        let server = server(move |_, called| (called == "GetAccountPlanState").then(|| answered.clone())).await;
        let seen = read_account(&server).await.unwrap();
        let credit = seen.benefit(BenefitKind::Credit).unwrap();
        assert_eq!((credit.remaining.unwrap().amount, credit.state), (read.parse().unwrap(), state), "{written}");
        assert_eq!(credit.is_odd(), written == "-1.5");
    }
}

#[tokio::test]
async fn a_refused_read_names_what_to_grant() {
    let server =
        server(|_, called| (called == "GetAccountPlanState").then(|| refusal(400, "AccessDeniedException"))).await;
    let error = read_account(&server).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::Forbidden { permission, .. } if permission == "freetier:GetAccountPlanState"),
        "{error}"
    );
    let survey = aws(&server, by_key()).survey(DEADLINE).await.unwrap_err();
    assert_eq!(survey, error, "the BillingProvider says so too");
}

#[tokio::test]
async fn a_survey_tells_whose_the_credentials_are_and_shows_a_change() {
    let server = server(|_, _| None).await;
    let survey = aws(&server, by_key()).survey(DEADLINE).await.unwrap();
    assert_eq!(survey.seen, " in AWS account 123456789012 (arn:aws:iam::123456789012:user/payg)");
    let sightings = survey.accounts.unwrap();
    assert_eq!((sightings.len(), &sightings[0].account), (1, &account()));
    let mut marks = vec![sightings[0].mark.clone()];
    let good = free("57.31");
    for (from, to) in [("57.31", "56.99"), ("ACTIVE", "EXPIRED"), ("FREE", "PAID")] {
        let answered = json(200, &good.replace(from, to));
        let server = super::server(move |_, called| (called == "GetAccountPlanState").then(|| answered.clone())).await;
        let survey = aws(&server, by_key()).survey(DEADLINE).await.unwrap();
        let mark = survey.accounts.unwrap().remove(0).mark;
        assert!(!marks.contains(&mark), "{from} → {to} does not show: {mark}");
        marks.push(mark);
    }
}

#[tokio::test]
async fn a_missing_grant_hides_nothing_else() {
    let server = server(|_, called| (called == "GetCredits").then_some(Reply::Nothing)).await;
    let seen = read_account(&server).await.unwrap();
    assert!(seen.eligible && seen.remarks[0].contains("no answer in time"), "{:?}", seen.remarks);
}

#[tokio::test]
async fn an_odd_number_does_not_keep_a_paid_plan_from_being_seen() {
    let answered = json(200, &free("57.31").replace("FREE", "PAID").replace("USD", "EUR"));
    let server = server(move |_, called| (called == "GetAccountPlanState").then(|| answered.clone())).await;
    assert_eq!(read_account(&server).await.unwrap().offer.class, OfferClass::PayAsYouGo);
}
