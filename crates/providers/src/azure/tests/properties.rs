//! Whatever Azure, or somebody in between, answers: nothing panics, and nothing is exhausted, accepted or paid for unless
//! the answer has the documented word for it.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::credit::{Credit, ProfilePath};
use super::super::http::Answer;
use super::super::interpret::{Stamp, observation};
use super::super::list::{next_page, sighting};
use super::super::wire::{
    BalanceSummary, BillingProfile, BillingProperty, Lot, Page, Subscription, date, lot_date, money,
};
use super::interpret::{NOW, PLAN, free, with};
use super::remaining::{balance, lot};
use super::{ID, time};
use crate::document;
use payg_core::observation::Acceptance;
use payg_core::offer::{BenefitKind, BenefitState, OfferClass};

/// Words that Azure uses, words like them, dates, and nonsense.
const WORDS: [&str; 48] = [
    "LimitReached",
    "limitreached",
    "Limit Reached",
    "LimitReached ",
    "LimitRemoved",
    "Removed",
    "Active",
    "active",
    "Expired",
    "EXPIRED",
    "Expire",
    "SpendingLimitReached",
    "SpendingLimitExpired",
    "SpendingLimitRemoved",
    "Paid",
    "paid",
    "PrePaid",
    "Free",
    "Benefit",
    "On",
    "on",
    "Off",
    "OFF",
    "CurrentPeriodOff",
    "Enabled",
    "Disabled",
    "Warned",
    "Deleted",
    "FreeTrial_2014-09-01",
    "PayAsYouGo_2014-09-01",
    "PayAsYouGo_2030-01-01",
    PLAN,
    "DreamSpark_2015-02-01",
    "AzureForStudents_2018-01-01",
    "FreeAccount",
    "AzureForStudents",
    "Sponsorship",
    "MicrosoftCustomerAgreement",
    "EnterpriseAgreement",
    "2025-01-19T00:00:00Z",
    "2025-02-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "09/18/2019 21:47:31",
    "9999-12-31T23:59:59Z",
    "USD",
    "EUR",
    "",
    "\u{0}\u{202e}é",
];

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => select(&WORDS[..]).prop_map(|word| json!(word)),
        1 => Just(json!(null)),
        1 => any::<bool>().prop_map(|truth| json!(truth)),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => (-300_i64..300).prop_map(|number| json!(number)),
        1 => any::<String>().prop_map(|text| json!(text)),
    ]
}

/// What is done to one place of a document.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Remove,
    Put(Value),
    /// It becomes a list of itself.
    Wrap,
    /// It becomes a list of itself twice.
    Double,
}

pub(super) fn any_changes() -> impl Strategy<Value = Vec<(Index, Change)>> {
    let change = prop_oneof![
        2 => Just(Change::Remove),
        6 => any_scalar().prop_map(Change::Put),
        1 => Just(Change::Wrap),
        1 => Just(Change::Double),
    ];
    prop::collection::vec((any::<Index>(), change), 0..5)
}

/// The pointers to all places of `value`, as in RFC 6901.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| places(field, &format!("{at}/{}", name.replace('/', "~1")), all));
        }
        Value::Array(entries) => {
            entries.iter().enumerate().for_each(|(index, entry)| places(entry, &format!("{at}/{index}"), all));
        }
        _ => {}
    }
}

pub(super) fn changed(mut value: Value, changes: &[(Index, Change)]) -> String {
    for (index, change) in changes {
        let mut all = Vec::new();
        places(&value, "", &mut all);
        let at = &all[index.index(all.len())];
        let Some(place) = value.pointer_mut(at) else { continue };
        *place = match change {
            Change::Remove => {
                if let Some((parent, name)) = at.rsplit_once('/')
                    && let Some(Value::Object(fields)) = value.pointer_mut(parent)
                {
                    fields.remove(name);
                }
                continue;
            }
            Change::Put(new) => new.clone(),
            Change::Wrap => json!([place]),
            Change::Double => json!([place, place]),
        };
    }
    value.to_string()
}

pub(super) fn subscription() -> Value {
    json!({"id": format!("/subscriptions/{ID}"), "subscriptionId": ID, "state": "Enabled", "displayName": "x",
        "tenantId": "72f988bf-0000-4a00-9000-0000000000aa",
        "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": PLAN, "spendingLimit": "On"}})
}

pub(super) fn property() -> Value {
    let reason = json!([{"effectiveDate": "2025-01-19T00:00:00Z", "reason": "None"}]);
    let billing = with(free("Active"), "/subscriptionBillingStatusDetails", reason);
    json!({"id": format!("/subscriptions/{ID}/x"), "properties": with(billing, "/billingProfileStatusReasonCode", json!("Other"))})
}

pub(super) fn profile() -> Value {
    json!({"id": "/providers/Microsoft.Billing/billingAccounts/a:b/billingProfiles/P-1", "properties": {
        "spendingLimit": "On", "spendingLimitDetails": free("Active")["billingProfileSpendingLimitDetails"],
        "status": "Active", "statusReasonCode": "Other"}})
}

fn answer(name: &str, value: &[u8], body: &str) -> Answer {
    let mut headers =
        HeaderMap::from_iter([(HeaderName::from_static("content-type"), HeaderValue::from_static("application/json"))]);
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(HeaderName::try_from(name).unwrap(), value);
    }
    Answer { status: StatusCode::OK, headers, body: body.as_bytes().to_vec() }
}

/// Whether what is made of these documents has the words for it.
fn holds(texts: &[String; 5]) -> Result<(), TestCaseError> {
    let [subscription, property, profile, balance, lot] = texts;
    let Ok(subscription) = document::read::<Subscription>(subscription.as_bytes()) else { return Ok(()) };
    let billing = document::read::<BillingProperty>(property.as_bytes()).ok().map(|property| {
        let mut billing = property.properties;
        if let Ok(profile) = document::read::<BillingProfile>(profile.as_bytes()) {
            billing.complete(profile.properties);
        }
        billing
    });
    let credit = Credit {
        balance: document::read::<BalanceSummary>(balance.as_bytes()).ok(),
        lots: document::read::<Lot>(lot.as_bytes()).ok().map(|lot| vec![lot]),
        ..Credit::default()
    };
    let seen =
        observation(&subscription, billing.as_ref(), &credit, Stamp { observed: time(NOW), provider_time: None });
    let said = |words: &[&str]| texts.iter().any(|text| words.iter().any(|word| text.contains(&format!("\"{word}\""))));
    for benefit in &seen.benefits {
        if benefit.state == BenefitState::Exhausted {
            let word = match benefit.kind {
                BenefitKind::Credit => said(&["LimitReached", "SpendingLimitReached"]),
                BenefitKind::Period => {
                    said(&["Expired", "SpendingLimitExpired"]) || benefit.end.is_some_and(|end| end <= time(NOW))
                }
                BenefitKind::FreeServices => false,
            };
            prop_assert!(word, "{benefit:?} {texts:?}");
        }
        // What is left of something is never more than was granted of it, nor in another currency.
        if let (Some(left), Some(granted)) = (benefit.remaining, benefit.granted) {
            prop_assert!(left.amount <= granted.amount && left.currency == granted.currency, "{benefit:?}");
        }
    }
    prop_assert!(seen.acceptance != Acceptance::Accepted || said(&["Off", "LimitRemoved"]), "{texts:?}");
    prop_assert!(seen.offer.class != OfferClass::PayAsYouGo || said(&["Paid", "PayAsYouGo_2014-09-01"]), "{texts:?}");
    prop_assert!(seen.offer.class != OfferClass::FreeTrial || seen.eligible);
    Ok(())
}

#[test]
fn no_word_in_any_one_place_is_taken_for_another() {
    let documents = [subscription(), property(), profile(), balance("57.31"), lot()];
    for (index, document) in documents.iter().enumerate() {
        let mut all = Vec::new();
        places(document, "", &mut all);
        for (at, word) in all.iter().flat_map(|at| WORDS.iter().map(move |word| (at, word))) {
            let mut texts = documents.each_ref().map(Value::to_string);
            let mut changed = document.clone();
            *changed.pointer_mut(at).unwrap() = json!(word);
            texts[index] = changed.to_string();
            holds(&texts).unwrap_or_else(|problem| panic!("{at} {word}: {problem}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_over_or_accepted_without_the_word_for_it(
        of_subscription in any_changes(),
        of_property in any_changes(),
        of_profile in any_changes(),
        of_balance in any_changes(),
        of_lot in any_changes(),
    ) {
        let texts = [
            changed(subscription(), &of_subscription),
            changed(property(), &of_property),
            changed(profile(), &of_profile),
            changed(balance("57.31"), &of_balance),
            changed(lot(), &of_lot),
        ];
        holds(&texts)?;
    }

    #[test]
    fn a_list_is_read_or_refused(changes in any_changes()) {
        let page = json!({"value": [subscription(), subscription()], "count": {"type": "Total", "value": 2},
            "nextLink": "https://management.azure.com/subscriptions?$skiptoken=2"});
        if let Ok(page) = document::read::<Page>(changed(page, &changes).as_bytes()) {
            prop_assert!(page.value.iter().filter_map(|entry| sighting(entry)).count() <= page.value.len());
            if let Some(next) = page.next_link.and_then(|link| next_page("https://management.azure.com", &link)) {
                prop_assert!(next.starts_with("https://management.azure.com/"));
            }
        }
    }

    #[test]
    fn an_error_is_one_short_line(changes in any_changes()) {
        let envelope = json!({"error": {"code": "AuthorizationFailed", "message": "it\nsaid why", "target": null,
            "details": [{"code": "a", "message": "b"}], "additionalInfo": [{"type": "c", "info": {}}]}});
        if let Some(error) = answer("x-test", b"", &changed(envelope, &changes)).error() {
            let said = error.text();
            prop_assert!(!error.code.is_empty() && said.chars().count() <= 301 && !said.chars().any(char::is_control));
        }
    }

    #[test]
    fn headers_are_understood_or_not_there(value in prop_oneof![
        any::<Vec<u8>>(),
        "[0-9-]{0,30}".prop_map(String::into_bytes),
        "(Sun|Mon|Xyz), [0-9]{1,3} (Feb|Foo) [0-9]{1,5} [0-9]{1,2}:[0-9]{2}:[0-9]{2} (GMT|CET|[+-][0-9]{4})".prop_map(String::into_bytes),
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}".prop_map(String::into_bytes),
    ]) {
        for name in ["retry-after", "retry-after-ms", "x-ms-retry-after-ms"] {
            let pause = answer(name, &value, "").retry_after();
            prop_assert!(pause.is_none_or(|pause| pause.as_secs() <= 3600), "{pause:?}");
        }
        let _ = answer("date", &value, "").date();
        let _ = answer("x-ms-ratelimit-remaining-tenant-reads", &value, "").reads_left();
        prop_assert!(answer("x-ms-request-id", &value, "").request_id().is_none_or(|id| id.len() == 36));
    }

    #[test]
    fn the_path_of_a_profile_has_two_names_and_nothing_else(
        account in prop_oneof![any::<String>(), "[ -~]{0,12}", "[A-Za-z0-9:_-]{1,130}"],
        profile in prop_oneof![any::<String>(), "[ -~]{0,12}", "[A-Za-z0-9:_-]{1,130}"],
        rest in prop_oneof![8 => Just(""), 1 => select(vec!["/", "/x", "?x", "#x", "%2F"])],
    ) {
        let id = format!("/providers/Microsoft.Billing/billingAccounts/{account}/billingProfiles/{profile}{rest}");
        let is_name = |text: &str| {
            (1..=128).contains(&text.len())
                && text.chars().all(|letter| letter.is_ascii_alphanumeric() || ":_-".contains(letter))
        };
        match ProfilePath::parse(&id) {
            Some(path) => {
                let segments: Vec<_> = path.as_str().split('/').collect();
                prop_assert_eq!(segments.len(), 7);
                prop_assert!(is_name(segments[4]) && is_name(segments[6]), "{}", path.as_str());
            }
            None => prop_assert!(!(is_name(&account) && is_name(&profile) && rest.is_empty()), "{id}"),
        }
    }

    #[test]
    fn texts_are_amounts_and_dates_or_nothing(
        text in prop_oneof![any::<String>(), "[0-9TZ:/ .+-]{0,30}", "-?[0-9]{0,40}(\\.[0-9]{0,40})?([eE]-?[0-9]{1,20})?"],
        link in any::<String>(),
    ) {
        let _ = (date(Some(&text)), lot_date(Some(&text)));
        if let Ok(digits) = RawValue::from_string(text.clone())
            && let Some(money) = money(Some(&*digits), Some("USD"))
        {
            // Something never reads as nothing.
            let digits = text.trim().split(['e', 'E']).next().unwrap_or_default();
            let nothing = digits.chars().all(|digit| "0.-".contains(digit));
            prop_assert_eq!(money.amount.is_zero(), nothing, "{}", text);
        }
        let next = next_page("https://management.azure.com", &link);
        prop_assert!(next.is_none_or(|next| next.starts_with("https://management.azure.com/")));
    }
}
