//! Whichever members of Azure's answers are missing, empty, null, of another type, there twice or in other letters: no observation claims
//! more than they say, and no token is taken that is not one.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::credit::Credit;
use super::super::http::Answer;
use super::super::imds::Imds;
use super::super::interpret::{Stamp, observation};
use super::super::token;
use super::super::wire::{BalanceSummary, BillingProfile, BillingProperty, Lot, Subscription};
use super::interpret::{NOW, free, with};
use super::properties::{profile, property, subscription};
use super::remaining::{balance, lot};
use super::{GRANTED, time};
use crate::changes::{Change, Sent, sent, singles, subsets};
use crate::document;
use crate::http::{builder, built};
use payg_core::desired::When;
use payg_core::money::Money;
use payg_core::observation::{Acceptance, Observation, PastObservation};
use payg_core::offer::{BenefitKind, BenefitState, OfferClass};
use payg_core::trigger::{MIN_OBSERVATION_GAP, TriggerState, evaluate};

/// The answers of an observation: the subscription, its billing property, the billing profile, the balance and a credit.
type Answers = [Sent; 5];

/// What is made of the answers, as an observation does: what is malformed ends it, but for the balance and the credits. Nothing if it
/// fails.
fn seen([subscription, property, profile, balance, lot]: &Answers) -> Option<Observation> {
    let subscription: Subscription = document::read(subscription.text.as_bytes()).ok()?;
    let property: BillingProperty = document::read(property.text.as_bytes()).ok()?;
    let profile: BillingProfile = document::read(profile.text.as_bytes()).ok()?;
    let mut billing = property.properties;
    billing.complete(profile.properties);
    let (balance, lot) =
        (document::read::<BalanceSummary>(balance.text.as_bytes()), document::read::<Lot>(lot.text.as_bytes()));
    let remarks = [balance.is_err(), lot.is_err()].iter().filter(|is_odd| **is_odd).map(|_| "odd".to_owned()).collect();
    let credit = Credit { balance: balance.ok(), lots: lot.ok().map(|lot| vec![lot]), remarks, ..Credit::default() };
    let stamp = Stamp { observed: time(NOW), provider_time: None };
    Some(observation(&subscription, Some(&billing), &credit, stamp))
}

fn unchanged(document: &Value) -> Sent {
    sent(document, &[])
}

/// What the members called `name` say, in all documents that are not in doubt.
fn said<'a>(answers: &'a Answers, name: &str) -> Vec<&'a Value> {
    fn of<'a>(value: &'a Value, name: &str, all: &mut Vec<&'a Value>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(member, value)| {
                if member == name {
                    all.push(value);
                }
                of(value, name, all);
            }),
            Value::Array(entries) => entries.iter().for_each(|entry| of(entry, name, all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    answers.iter().filter_map(|answer| answer.says.as_ref()).for_each(|says| of(says, name, &mut all));
    all
}

/// Whether one of the members called so is exactly one of these words.
fn says(answers: &Answers, names: &[&str], words: &[&str]) -> bool {
    let all = names.iter().flat_map(|name| said(answers, name));
    all.into_iter().any(|value| value.as_str().is_some_and(|text| words.contains(&text)))
}

/// Whether a member called `name` is an object that holds this amount, as a number, and its currency.
fn says_amount(answers: &Answers, name: &str, amount_in: &str, money: Money) -> bool {
    said(answers, name).into_iter().any(|place| {
        let places = place.as_array().map_or_else(|| vec![place], |entries| entries.iter().collect());
        places.into_iter().any(|place| {
            let amount = place[amount_in].is_number().then(|| place[amount_in].to_string().parse::<Decimal>().unwrap());
            amount == Some(money.amount) && place["currency"] == money.currency.to_string()
        })
    })
}

const LIMITS: [&str; 2] = ["spendingLimitDetails", "billingProfileSpendingLimitDetails"];
const REASONS: [&str; 3] = ["reason", "statusReasonCode", "billingProfileStatusReasonCode"];

/// That the observation claims nothing that its answers do not say.
fn claims_what_is_said(seen: &Observation, answers: &Answers, changes: &[(String, Change)]) {
    let quota = |words: &[&str]| says(answers, &["quotaId"], words);
    let kind = |words: &[&str]| says(answers, &["subscriptionBillingType"], words);
    match seen.offer.class {
        OfferClass::PayAsYouGo => assert!(quota(&["PayAsYouGo_2014-09-01"]) || kind(&["Paid"]), "{changes:?}"),
        OfferClass::FreeTrial => {
            let trial = says(answers, &["type"], &["FreeAccount"]) && kind(&["Free"]);
            assert!(quota(&["FreeTrial_2014-09-01"]) || trial, "{changes:?}");
        }
        _ => assert!(!seen.eligible, "{changes:?}"),
    }
    let limits = ["spendingLimit", "billingProfileSpendingLimit"];
    match seen.acceptance {
        Acceptance::Accepted => {
            assert!(says(answers, &limits, &["Off"]) || says(answers, &["status"], &["LimitRemoved"]), "{changes:?}");
        }
        Acceptance::NotAccepted if seen.eligible => {
            let limited = says(answers, &["status"], &["Active", "LimitReached", "Expired"]);
            assert!(limited || says(answers, &limits, &["On"]), "{changes:?}");
        }
        _ => {}
    }
    for benefit in &seen.benefits {
        let is_exhausted = benefit.state == BenefitState::Exhausted;
        let by_reason = |word: &str| says(answers, &REASONS, &[word]);
        match benefit.kind {
            BenefitKind::Credit if is_exhausted => {
                let reached = says(answers, &["status"], &["LimitReached"]) || by_reason("SpendingLimitReached");
                assert!(reached, "{changes:?}: {benefit:?}");
            }
            BenefitKind::Period if is_exhausted => {
                let over = says(answers, &["status"], &["Expired"]) || by_reason("SpendingLimitExpired");
                assert!(over || benefit.end.is_some_and(|end| end <= time(NOW)), "{changes:?}: {benefit:?}");
            }
            BenefitKind::FreeServices => assert!(!is_exhausted, "{changes:?}"),
            BenefitKind::Credit | BenefitKind::Period => {}
        }
        if let Some(end) = benefit.end {
            let dates = [said(answers, "endDate"), said(answers, "expirationDate")].concat();
            let told = dates.into_iter().any(|date| date.as_str().and_then(|text| text.parse().ok()) == Some(end));
            assert!(told, "{changes:?}: {benefit:?}");
        }
        if let Some(left) = benefit.remaining {
            assert!(says_amount(answers, "estimatedBalance", "value", left), "{changes:?}: {left}");
        }
        if let Some(granted) = benefit.granted {
            let of_limit = LIMITS.iter().any(|name| says_amount(answers, name, "amount", granted));
            assert!(of_limit || says_amount(answers, "originalAmount", "value", granted), "{changes:?}: {granted}");
        }
    }
}

/// The answers about an account in this state whose limit is in that one, with so much left.
fn documents(state: &str, limit: &str, left: &str) -> [Value; 5] {
    let subscription = with(subscription(), "/state", json!(state));
    let limits = free(limit)["billingProfileSpendingLimitDetails"].clone();
    let property = with(property(), "/properties/billingProfileSpendingLimitDetails", limits.clone());
    let profile = with(profile(), "/properties/spendingLimitDetails", limits);
    [subscription, property, profile, balance(left), lot()]
}

/// Whether the member at this place of the document with this index is read; the others may say what they like.
fn is_read(index: usize, at: &str) -> bool {
    let unread = [
        "locationPlacementId",
        "displayName",
        "currentBalance",
        "InBillingCurrency",
        "pending",
        "expiredCredit",
        "isEstimated",
        "billingCurrency",
        "closedBalance",
        "name",
        "eTag",
        "poNumber",
        "purchasedDate",
    ];
    let elsewhere =
        [(2, "/properties/status"), (3, "/type"), (4, "/id"), (4, "/type"), (4, "/properties/creditCurrency")];
    !unread.iter().any(|part| at.contains(part)) && !elsewhere.contains(&(index, at))
}

#[test]
fn no_look_claims_more_than_its_answers_say() {
    let (mut looks, mut failed) = (0, 0);
    for (state, limit, left) in [
        ("Enabled", "Active", "57.31"),
        ("Disabled", "Active", "57.31"),
        ("Disabled", "LimitReached", "0"),
        ("Disabled", "Expired", "147"),
        ("Enabled", "LimitRemoved", "57.31"),
    ] {
        let base = documents(state, limit, left);
        let untouched = base.each_ref().map(unchanged);
        for (index, document) in base.iter().enumerate() {
            // The pairs of small documents are all of them, with the states taken in turn; those of the large ones a share.
            for changes in subsets(document, 199, looks % 199) {
                if !changes.iter().all(|(at, _)| is_read(index, at)) {
                    continue;
                }
                let mut answers = untouched.clone();
                answers[index] = sent(document, &changes);
                match seen(&answers) {
                    Some(seen) => {
                        claims_what_is_said(&seen, &answers, &changes);
                        looks += 1;
                    }
                    None => failed += 1,
                }
            }
        }
    }
    assert!(looks > 1_500 && failed > 1_000, "{looks} {failed}");
}

/// Less to read never brings about an upgrade that more did not.
#[test]
fn nothing_that_is_taken_away_exhausts() {
    let mut looks = 0;
    for (state, limit, left) in
        [("Enabled", "Active", "57.31"), ("Disabled", "Active", "57.31"), ("Disabled", "Expired", "147")]
    {
        // An end that cannot be read, as the core compares it with what is left.
        let base = documents(state, limit, left).map(|document| without_ends(&document));
        let untouched = base.each_ref().map(unchanged);
        for (index, document) in base.iter().enumerate() {
            for change in singles(document).into_iter().filter(|(at, _)| is_read(index, at)) {
                let mut answers = untouched.clone();
                answers[index] = sent(document, std::slice::from_ref(&change));
                let Some(seen) = seen(&answers) else { continue };
                let past = PastObservation {
                    benefits: seen.benefits.clone(),
                    observed: seen.observed - MIN_OBSERVATION_GAP,
                    eligible: true,
                    closed: false,
                    source: None,
                };
                // Only a balance of nothing, as the document says, leaves the word that the period is over uncontradicted.
                let is_nothing = says_amount(&answers, "estimatedBalance", "value", Money::parse("0", "USD").unwrap());
                let trigger = evaluate(&When::BenefitsExhausted, Some(&past), &seen);
                assert!(
                    is_nothing || !matches!(trigger, TriggerState::Yes(_)),
                    "{state} {limit} {change:?}: {trigger:?}"
                );
                looks += 1;
            }
        }
    }
    assert!(looks > 300, "{looks}");
}

fn without_ends(document: &Value) -> Value {
    match document {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| !["endDate", "expirationDate"].contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), without_ends(value))).collect())
        }
        Value::Array(entries) => Value::Array(entries.iter().map(without_ends).collect()),
        other => other.clone(),
    }
}

fn answer(text: &str) -> Answer {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    Answer { status: StatusCode::OK, headers, body: text.as_bytes().to_vec() }
}

#[test]
fn no_token_is_taken_but_by_the_whole_answer() {
    let entra: Value = serde_json::from_str(GRANTED).unwrap();
    let machine = json!({"access_token": "the.token", "expires_on": "1790000000", "token_type": "Bearer",
        "resource": "https://management.azure.com"});
    let _ = rustls::crypto::ring::default_provider().install_default(); // or another test has
    let imds = Imds { client: built(builder()).unwrap(), endpoint: "http://169.254.169.254".to_owned() };
    for (of_machine, base) in [(false, entra), (true, machine)] {
        let check = |text: &str| {
            if of_machine {
                imds.check(&answer(text))
            } else {
                token::check("https://login.example", &answer(text), None)
            }
        };
        check(&base.to_string()).unwrap();
        for changes in subsets(&base, 1, 0) {
            let sent = sent(&base, &changes);
            let Ok(taken) = check(&sent.text) else { continue };
            // What is not asked for may say what it likes; it may not be there twice.
            let is_sound = |(at, change): &(String, Change)| match change {
                Change::Again(..) => false,
                Change::Recase => at == "/ext_expires_in",
                Change::Remove | Change::Put(_) => true,
            };
            assert!(changes.iter().all(is_sound), "{changes:?}");
            let says: Value = serde_json::from_str(&sent.text).unwrap();
            assert!(says["access_token"].as_str().is_some_and(|token| !token.is_empty()), "{changes:?}");
            assert_eq!(says["token_type"], "Bearer", "{changes:?}");
            // It may leave its lifetime out, and write it as a number or as a text.
            let said = &says[if of_machine { "expires_on" } else { "expires_in" }];
            let number = said.as_f64().or_else(|| said.as_str()?.parse().ok());
            let is_end = number.map_or(!of_machine && said.is_null(), |seconds: f64| seconds >= 0.0);
            assert!(is_end, "{changes:?}");
            let taken: Value = serde_json::from_slice(&taken).unwrap();
            let ends = if of_machine { taken["expires_on"].is_string() } else { taken["expires_in"].is_u64() };
            assert!(ends && taken["access_token"] == says["access_token"], "{changes:?}: {taken}");
        }
    }
}
