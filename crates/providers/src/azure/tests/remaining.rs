use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::credit::Credit;
use super::super::interpret::{Stamp, observation};
use super::super::remaining::remaining;
use super::super::wire::{BillingProperty, Subscription, lot_date};
use super::interpret::{NOW, PLAN, free, with};
use super::{ID, time};
use payg_core::money::Money;
use payg_core::observation::Observation;
use payg_core::offer::{BenefitKind, BenefitState};

/// A balance after the example of Microsoft's documentation.
pub(super) fn balance(value: &str) -> Value {
    serde_json::from_str(
        &json!({"id": "/providers/Microsoft.Billing/billingAccounts/a:b_2019-05-31/billingProfiles/P-1/providers/Microsoft.Consumption/credits/balanceSummary",
            "name": "balanceSummary", "type": "Microsoft.Consumption/credits/balanceSummary", "eTag": null,
            "properties": {
                "balanceSummary": {
                    "estimatedBalance": {"currency": "USD", "value": 0.5},
                    "currentBalance": {"currency": "USD", "value": 200.0},
                    "estimatedBalanceInBillingCurrency":
                        {"currency": "EUR", "value": 52.7, "exchangeRate": 0.9196, "exchangeRateMonth": 1}},
                "pendingCreditAdjustments": {"currency": "USD", "value": 0.0},
                "expiredCredit": {"currency": "USD", "value": 0.0},
                "pendingEligibleCharges": {"currency": "USD", "value": -142.69},
                "creditCurrency": "USD", "billingCurrency": "EUR", "isEstimatedBalance": true}})
        .to_string()
        .replace("0.5", value),
    )
    .unwrap()
}

pub(super) fn lot() -> Value {
    json!({"id": "/lots/1", "name": "1", "type": "Microsoft.Consumption/lots", "eTag": null, "properties": {
        "originalAmount": {"currency": "USD", "value": 200.0}, "closedBalance": {"currency": "USD", "value": 200.0},
        "source": "PromotionalCredit", "status": "Active",
        "startDate": "2025-01-02T00:00:00Z", "expirationDate": "2025-02-01T00:00:00Z",
        "poNumber": "", "purchasedDate": "2025-01-02T00:00:00Z",
        "creditCurrency": "USD", "billingCurrency": "EUR", "isEstimatedBalance": true}})
}

fn credit(balance: Option<Value>, lots: Option<Vec<Value>>) -> Credit {
    Credit {
        balance: balance.map(|balance| serde_json::from_str(&balance.to_string()).unwrap()),
        lots: lots.map(|lots| serde_json::from_str(&json!(lots).to_string()).unwrap()),
        ..Credit::default()
    }
}

fn usd(amount: &str) -> Money {
    Money::parse(amount, "USD").unwrap()
}

fn lot_with(field: &str, value: Value) -> Value {
    with(lot(), &format!("/properties/{field}"), value)
}

#[test]
fn the_balance_counts_only_where_the_trials_credit_is_the_only_one() {
    let lots = |lots: &[Value]| Some(lots.to_vec());
    let status = |status: &str| lot_with("status", json!(status));
    let bought = lot_with("source", json!("PurchasedCredit"));
    let large = lot_with("originalAmount", json!({"currency": "USD", "value": 500}));
    let euros = lot_with("originalAmount", json!({"currency": "EUR", "value": 200}));
    for (name, value, lots, left) in [
        ("the only one", "57.31", lots(&[lot()]), Some("57.31")),
        ("an older version", "57.31", lots(&[lot_with("source", json!("Azure Promotional Credit"))]), Some("57.31")),
        ("spent", "0", lots(&[lot()]), Some("0")),
        ("spent, and complete", "0.0", lots(&[status("Complete")]), Some("0")),
        ("overdrawn", "-3.5", lots(&[lot()]), Some("-3.5")),
        ("beside one that has ended", "57.31", lots(&[status("Expired"), lot()]), Some("57.31")),
        ("beside one that is still to come", "57.31", lots(&[status("Inactive"), lot()]), Some("57.31")),
        ("beside one that was cancelled", "57.31", lots(&[status("Canceled"), lot()]), Some("57.31")),
        ("not read", "57.31", None, None),
        ("an empty list", "57.31", lots(&[]), Some("57.31")),
        ("an empty list", "200", lots(&[]), Some("200")),
        ("not read, and zero", "0", None, None),
        ("an empty list, and zero", "0", lots(&[]), None),
        ("an empty list, and larger", "200.01", lots(&[]), None),
        ("larger", "200.01", lots(&[lot()]), None),
        ("one of two", "57.31", lots(&[lot(), lot()]), None),
        ("beside one that was bought", "57.31", lots(&[lot(), bought.clone()]), None),
        ("one that was bought", "57.31", lots(&[bought]), None),
        ("beside one of an unknown status", "57.31", lots(&[lot(), status("New")]), None),
        ("of another amount", "57.31", lots(&[large]), None),
        ("of another currency", "57.31", lots(&[euros]), None),
        ("of no amount", "57.31", lots(&[lot_with("originalAmount", json!(null))]), None),
        ("of no source", "57.31", lots(&[lot_with("source", json!(null))]), None),
        ("of one that has ended", "57.31", lots(&[status("Expired")]), None),
        ("too small for a number", "1e-40", lots(&[lot()]), None),
        ("too large for one", "1e40", lots(&[lot()]), None),
        ("a text", "\"57.31\"", lots(&[lot()]), None),
        ("nothing", "null", lots(&[lot()]), None),
    ] {
        let found = remaining(&credit(Some(balance(value)), lots), Some(usd("200")));
        assert_eq!(found.left, left.map(usd), "{name}: {found:?}");
        assert_eq!(found.remark.is_some(), left.is_none(), "{name}: what is not taken is said");
    }
    for (field, value) in [
        ("/properties/balanceSummary", json!(null)),
        ("/properties/balanceSummary/estimatedBalance", json!(null)),
        ("/properties/balanceSummary/estimatedBalance/currency", json!("EUR")),
        ("/properties/balanceSummary/estimatedBalance/currency", json!("dollars")),
        ("/properties/creditCurrency", json!("EUR")),
    ] {
        let found = remaining(&credit(Some(with(balance("57.31"), field, value)), lots(&[lot()])), Some(usd("200")));
        assert!(found.left.is_none() && found.remark.is_some(), "{field}: {found:?}");
    }
}

#[test]
fn a_list_of_credits_alone_tells_the_amount_and_perhaps_the_end() {
    let found = remaining(&credit(None, Some(vec![lot()])), Some(usd("200")));
    assert_eq!((found.left, found.granted, found.remark), (None, Some(usd("200")), None));
    assert_eq!(found.end, Some(time("2025-02-01T00:00:00Z")));
    // What is only presumed to be the trial's does not end it.
    let found = remaining(&credit(Some(balance("57.31")), Some(vec![lot()])), None);
    assert_eq!((found.left, found.granted, found.end), (Some(usd("57.31")), Some(usd("200")), None));
    assert_eq!(remaining(&credit(Some(balance("57.31")), Some(vec![])), None).left, None);
    for (start, end, found) in [
        ("2025-01-02T00:00:00Z", "02/01/2025 21:47:31", Some("2025-02-01T21:47:31Z")),
        ("2025-03-02T00:00:00Z", "2025-02-01T00:00:00Z", None),
        ("2025-01-02T00:00:00Z", "9999-12-31T00:00:00Z", None),
        ("2025-01-02T00:00:00Z", "31/12/2025 00:00:00", None),
    ] {
        let lot = with(lot_with("startDate", json!(start)), "/properties/expirationDate", json!(end));
        let end = remaining(&credit(None, Some(vec![lot])), Some(usd("200"))).end;
        assert_eq!(end, found.map(time), "{end:?}");
    }
    assert_eq!(lot_date(Some("09/18/2019 21:47:31")), Some(time("2019-09-18T21:47:31Z")));
}

/// A free account on the Azure plan with 57.31 left by the estimate.
fn seen(state: &str, billing: &Value, left: &str) -> Observation {
    let subscription = json!({"subscriptionId": ID, "state": state, "subscriptionPolicies": {"quotaId": PLAN}});
    let subscription: Subscription = serde_json::from_str(&subscription.to_string()).unwrap();
    let property = json!({"id": "", "properties": billing}).to_string();
    let property: BillingProperty = serde_json::from_str(&property).unwrap();
    let stamp = Stamp { observed: time(NOW), provider_time: None };
    observation(&subscription, Some(&property.properties), &credit(Some(balance(left)), Some(vec![lot()])), stamp)
}

#[test]
fn each_value_tells_who_told_it() {
    let seen =
        seen("Enabled", &with(free("Active"), "/billingProfileSpendingLimitDetails/0/endDate", json!(null)), "57.31");
    let (credit, period) = (seen.benefit(BenefitKind::Credit).unwrap(), seen.benefit(BenefitKind::Period).unwrap());
    assert_eq!((credit.state, credit.source.name().as_str()), (BenefitState::Active, "balanceSummary"));
    assert_eq!((credit.granted, credit.remaining), (Some(usd("200")), Some(usd("57.31"))));
    assert_eq!((period.end, period.source.name().as_str()), (Some(time("2025-02-01T00:00:00Z")), "lots"));
    assert_eq!((credit.as_of, period.as_of), (time(NOW), time(NOW)));
}

#[test]
fn an_estimate_exhausts_nothing_and_is_no_contradiction_once_the_account_is_off() {
    for (state, status, left, exhausted, remaining) in [
        ("Enabled", "Active", "0", false, Some("0")),
        ("Enabled", "LimitReached", "5", false, Some("5")),
        ("Warned", "LimitReached", "5", false, Some("5")),
        ("Enabled", "LimitReached", "0", true, Some("0")),
        ("Disabled", "LimitReached", "5", true, None),
        ("Disabled", "LimitReached", "0", true, Some("0")),
        ("Disabled", "LimitReached", "-5", true, None),
        ("Disabled", "Active", "0", false, Some("0")),
        ("Disabled", "Active", "-5", false, Some("-5")),
    ] {
        let seen = seen(state, &free(status), left);
        let credit = seen.benefit(BenefitKind::Credit).unwrap();
        assert_eq!(credit.remaining, remaining.map(usd), "{state} {status} {left}");
        assert_eq!(credit.is_exhausted(time(NOW)), exhausted, "{state} {status} {left}");
        assert_eq!(credit.is_odd(), remaining.is_some_and(|left| usd(left).amount < Decimal::ZERO));
    }
}

/// Credit left may contradict a state without a date, so it must be reported, or not be there at all.
#[test]
fn a_period_that_is_over_by_a_word_alone_is_over_only_if_no_balance_may_speak_against_it() {
    use BenefitState::{Exhausted, Unknown};
    let billing = with(free("Expired"), "/billingProfileSpendingLimitDetails/0/endDate", json!(null));
    let lot = lot_with("expirationDate", json!(null));
    let told = |balance: Option<Value>, remarks: &[&str]| {
        let credit = Credit {
            remarks: remarks.iter().map(|remark| (*remark).to_owned()).collect(),
            ..credit(balance, Some(vec![lot.clone()]))
        };
        let subscription =
            json!({"subscriptionId": ID, "state": "Disabled", "subscriptionPolicies": {"quotaId": PLAN}});
        let subscription: Subscription = serde_json::from_str(&subscription.to_string()).unwrap();
        let property = json!({"id": "", "properties": billing}).to_string();
        let property: BillingProperty = serde_json::from_str(&property).unwrap();
        let stamp = Stamp { observed: time(NOW), provider_time: None };
        let seen = observation(&subscription, Some(&property.properties), &credit, stamp);
        let (credit, period) = (seen.benefit(BenefitKind::Credit).unwrap(), seen.benefit(BenefitKind::Period).unwrap());
        (period.state, credit.remaining)
    };
    // With something left the core holds: `contradictions`.
    assert_eq!(told(Some(balance("147")), &[]), (Exhausted, Some(usd("147"))));
    assert_eq!(told(Some(balance("0")), &[]), (Exhausted, Some(usd("0"))));
    assert_eq!(told(None, &[]), (Exhausted, None), "there is no balance to read");
    assert_eq!(told(Some(balance("null")), &[]), (Unknown, None), "it cannot be read");
    assert_eq!(told(Some(balance("\"147\"")), &[]), (Unknown, None));
    assert_eq!(told(Some(balance("500")), &[]), (Unknown, None), "it is of more than the trial's credit");
    assert_eq!(told(None, &["The remaining credit could not be read."]), (Unknown, None));
}

#[test]
fn two_ends_that_disagree_are_a_contradiction() {
    use BenefitState::{Active, Exhausted, Unknown};
    let (past, ahead) = ("2025-01-19T00:00:00Z", "2025-02-01T00:00:00Z");
    for (of_limit, of_lot, state) in
        [(past, past, Exhausted), (past, ahead, Unknown), (ahead, past, Unknown), (ahead, ahead, Active)]
    {
        let billing = with(free("Active"), "/billingProfileSpendingLimitDetails/0/endDate", json!(of_limit));
        let subscription =
            json!({"subscriptionId": ID, "state": "Disabled", "subscriptionPolicies": {"quotaId": PLAN}});
        let subscription: Subscription = serde_json::from_str(&subscription.to_string()).unwrap();
        let property = json!({"id": "", "properties": billing}).to_string();
        let property: BillingProperty = serde_json::from_str(&property).unwrap();
        let credit = credit(Some(balance("57.31")), Some(vec![lot_with("expirationDate", json!(of_lot))]));
        let stamp = Stamp { observed: time(NOW), provider_time: None };
        let seen = observation(&subscription, Some(&property.properties), &credit, stamp);
        assert_eq!(seen.benefit(BenefitKind::Period).unwrap().state, state, "{of_limit} {of_lot}");
    }
}

/// The subscription is off, its limit is reached, and its billing says that it works.
#[test]
fn an_estimate_is_no_old_news_while_billing_says_that_the_account_works() {
    let billing = with(free("LimitReached"), "/subscriptionBillingStatus", json!("Active"));
    let seen = seen("Disabled", &billing, "5");
    let credit = seen.benefit(BenefitKind::Credit).unwrap();
    assert_eq!((credit.remaining, credit.is_exhausted(time(NOW))), (Some(usd("5")), false));
}
