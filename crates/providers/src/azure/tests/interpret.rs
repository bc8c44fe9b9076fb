use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::credit::Credit;
use super::super::interpret::{Stamp, observation};
use super::super::wire::{Billing, BillingProperty, Subscription};
use super::{ID, time};
use payg_core::observation::{Acceptance, Lifecycle, Observation, PastObservation};
use payg_core::offer::{Benefit, BenefitKind, BenefitState, OfferClass};
use payg_core::trigger::{MIN_OBSERVATION_GAP, TriggerState, evaluate};

pub(super) const PLAN: &str = "EnterpriseAgreement_2014-09-01";
pub(super) const NOW: &str = "2025-01-20T00:00:00Z";

/// What the account looks like on [`NOW`].
fn seen(state: &str, quota: &str, limit: Option<&str>, billing: Option<Value>) -> Observation {
    let policies = json!({"quotaId": quota, "spendingLimit": limit});
    let subscription = json!({"subscriptionId": ID, "state": state, "subscriptionPolicies": policies}).to_string();
    let subscription: Subscription = serde_json::from_str(&subscription).unwrap();
    let billing = billing.map(|properties| json!({"id": "", "properties": properties}).to_string());
    let billing: Option<BillingProperty> = billing.map(|billing| serde_json::from_str(&billing).unwrap());
    let stamp = Stamp { observed: time(NOW), provider_time: None };
    observation(&subscription, billing.map(|billing| billing.properties).as_ref(), &Credit::default(), stamp)
}

fn of_quota(quota: &str) -> Observation {
    seen("Enabled", quota, Some("On"), None)
}

/// The billing of a free account under a Microsoft Customer Agreement whose credit is in `status`.
pub(super) fn free(status: &str) -> Value {
    json!({
        "billingAccountAgreementType": "MicrosoftCustomerAgreement",
        "billingProfileSpendingLimit": "On",
        "billingProfileSpendingLimitDetails": [{
            "amount": 200, "currency": "USD", "type": "FreeAccount", "status": status,
            "startDate": "2025-01-02T00:00:00Z", "endDate": "2025-02-01T00:00:00.0000000Z"
        }],
        "subscriptionBillingType": "Free"
    })
}

/// `value` with `new` at `path`; null takes away.
pub(super) fn with(mut value: Value, path: &str, new: Value) -> Value {
    let (parent, key) = path.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap()[key] = new;
    value
}

fn limit(path: &str, new: Value) -> Value {
    with(free("Active"), &format!("/billingProfileSpendingLimitDetails/0/{path}"), new)
}

fn benefit(seen: &Observation, kind: BenefitKind) -> &Benefit {
    seen.benefit(kind).unwrap()
}

/// The states of the credit and of the period.
fn states(billing: Option<Value>) -> (BenefitState, BenefitState) {
    let seen = seen("Disabled", "FreeTrial_2014-09-01", Some("On"), billing);
    (benefit(&seen, BenefitKind::Credit).state, benefit(&seen, BenefitKind::Period).state)
}

#[test]
fn states_become_lifecycles() {
    for (state, lifecycle) in [
        ("Enabled", Lifecycle::Active),
        ("Warned", Lifecycle::Warned),
        ("PastDue", Lifecycle::Warned),
        ("Disabled", Lifecycle::Restricted),
        ("Deleted", Lifecycle::Closed),
        ("Expired", Lifecycle::Unknown("Expired".to_owned())),
        ("enabled", Lifecycle::Unknown("enabled".to_owned())),
        ("", Lifecycle::Unknown(String::new())),
    ] {
        assert_eq!(seen(state, "FreeTrial_2014-09-01", Some("On"), None).lifecycle, lifecycle);
    }
}

#[test]
fn quota_ids_become_offers() {
    use OfferClass::{Commitment, FreeTrial, Other, PayAsYouGo, Unknown};
    for (quota, class) in [
        ("FreeTrial_2014-09-01", FreeTrial),
        ("AzureForStudents_2018-01-01", FreeTrial),
        ("DreamSpark_2015-02-01", FreeTrial),
        ("PayAsYouGo_2014-09-01", PayAsYouGo),
        (PLAN, Unknown), // its billing shows it
        ("MonetaryCommitment_2015-05-01", Commitment),
        ("LegacyMonetaryCommitment_2014-09-01", Commitment),
        ("LightweightTrial_2016-09-01", Other),
        ("MSDN_2014-09-01", Other),
        ("MSDNDevTest_2014-09-01", Other),
        ("MPN_2014-09-01", Other),
        ("AzurePass_2014-09-01", Other),
        ("AzureInOpen_2014-09-01", Other),
        ("Sponsored_2016-01-01", Other),
        ("CSP_2015-05-01", Other),
        ("CSP_MG_2017-12-01", Other),
        ("CSPDEVTEST_2018-05-01", Other),
        ("Default_2014-09-01", Other),
        ("BizSpark_2014-09-01", Other),
        ("BizSparkPlus_2014-09-01", Other),
        ("Internal_2014-09-01", Other),
        ("BackupStorage_2014-09-01", Other),
        ("AzureDynamics_2014-09-01", Other),
        ("AAD_2015-09-01", Other),
        ("DevEssentials_2016-01-01", Other),
        ("FreeTrial_2030-01-01", Unknown),
        ("freetrial_2014-09-01", Unknown),
        ("", Unknown),
    ] {
        let seen = of_quota(quota);
        assert_eq!((seen.offer.class, seen.offer.native.as_str()), (class, quota));
        assert_eq!((seen.eligible, !seen.benefits.is_empty()), (class == FreeTrial, class == FreeTrial), "{quota}");
    }
}

#[test]
fn only_billing_tells_a_free_account_on_the_azure_plan() {
    use OfferClass::{Commitment, FreeTrial, Other, PayAsYouGo, Unknown};
    let kind = |kind: &str| with(free("Active"), "/subscriptionBillingType", json!(kind));
    let agreement = |name: &str| with(free("Active"), "/billingAccountAgreementType", json!(name));
    let free_trial = "FreeTrial_2014-09-01";
    for (quota, billing, class) in [
        (PLAN, free("Active"), FreeTrial),
        (PLAN, limit("type", json!("AzureForStudents")), FreeTrial),
        (PLAN, limit("type", json!("Sponsorship")), Unknown),
        (PLAN, limit("type", json!(null)), Unknown),
        (PLAN, kind("Paid"), PayAsYouGo),
        (PLAN, with(free("LimitRemoved"), "/subscriptionBillingType", json!("Paid")), PayAsYouGo),
        (PLAN, free("LimitRemoved"), FreeTrial),
        (PLAN, kind("Benefit"), Unknown),
        (PLAN, json!({"billingAccountAgreementType": "MicrosoftCustomerAgreement"}), Unknown),
        (PLAN, agreement("EnterpriseAgreement"), Commitment),
        (PLAN, agreement("MicrosoftPartnerAgreement"), Other),
        (PLAN, agreement("MicrosoftOnlineServicesProgram"), Unknown),
        (PLAN, agreement("New"), Unknown),
        (PLAN, json!({}), Unknown),
        (free_trial, free("Active"), FreeTrial),
        (free_trial, kind("Paid"), PayAsYouGo),
        (
            free_trial,
            with(agreement("MicrosoftOnlineServicesProgram"), "/subscriptionBillingType", json!("Paid")),
            FreeTrial,
        ),
        ("MSDNDevTest_2014-09-01", kind("Paid"), Other),
        ("Sponsored_2016-01-01", free("Active"), Other),
        ("New_2030-01-01", kind("Paid"), Unknown),
    ] {
        let seen = seen("Enabled", quota, Some("Off"), Some(billing.clone()));
        assert_eq!(seen.offer.class, class, "{quota} {billing}");
    }
}

#[test]
fn an_upgrade_is_accepted_when_the_limit_is_gone() {
    let unclear = |text: &str| Acceptance::Unclear(text.to_owned());
    let (on, off) = (Acceptance::NotAccepted, Acceptance::Accepted);
    let profile = |limit: Value| Some(with(free("Active"), "/billingProfileSpendingLimit", limit));
    let untold = |status: &str| Some(with(free(status), "/billingProfileSpendingLimit", json!(null)));
    let kind = "/billingProfileSpendingLimitDetails/0/type";
    let of_students = |status: &str| Some(with(free(status), kind, json!("AzureForStudents")));
    let (trial, students, imagine) = ("FreeTrial_2014-09-01", "AzureForStudents_2018-01-01", "DreamSpark_2015-02-01");
    for (quota, limit, billing, acceptance) in [
        (trial, Some("On"), None, on.clone()),
        (trial, Some("Off"), None, off.clone()),
        (trial, Some("CurrentPeriodOff"), None, unclear("CurrentPeriodOff")),
        (trial, None, None, unclear("no spending limit is reported")),
        (trial, Some("On"), Some(free("LimitRemoved")), off.clone()),
        (trial, Some("CurrentPeriodOff"), Some(free("LimitRemoved")), off.clone()),
        // What contradicts itself is doubt: to take it for accepted would let the trial end with nothing asked for.
        (trial, Some("Off"), Some(free("Active")), unclear("Off, while the trial's own is Active")),
        (trial, Some("Off"), untold("Active"), unclear("Off, while the trial's own is Active")),
        (trial, Some("Off"), untold("LimitReached"), unclear("Off, while the trial's own is LimitReached")),
        (students, Some("Off"), of_students("Expired"), unclear("Off, while the trial's own is Expired")),
        (trial, Some("Off"), untold("New"), off.clone()),
        (trial, Some("Off"), Some(free("New")), unclear("Off, while the billing profile's is On")),
        (trial, Some("Off"), Some(json!({"billingProfileSpendingLimit": "Off"})), off.clone()),
        (
            trial,
            Some("Off"),
            Some(with(free("LimitRemoved"), "/billingProfileSpendingLimit", json!("Off"))),
            off.clone(),
        ),
        (students, Some("On"), None, on.clone()),
        (students, Some("Off"), None, off.clone()),
        // An offer without credit may have no limit to remove.
        (imagine, Some("On"), None, on.clone()),
        (imagine, Some("Off"), None, unclear("Off")),
        // The Azure plan has none of its own.
        (PLAN, Some("Off"), profile(json!("On")), on.clone()),
        (PLAN, Some("Off"), profile(json!("Off")), unclear("Off, while the trial's own is Active")),
        (PLAN, Some("Off"), Some(with(free("New"), "/billingProfileSpendingLimit", json!("Off"))), off.clone()),
        (PLAN, Some("On"), profile(json!("New")), unclear("New")),
        // Where the profile's is missing, the state of the trial's limit shows that there is one.
        (PLAN, Some("Off"), profile(json!(null)), on.clone()),
        (PLAN, Some("Off"), untold("LimitReached"), on.clone()),
        (PLAN, Some("Off"), untold("Expired"), on.clone()),
        (PLAN, Some("Off"), untold("New"), unclear("no spending limit is reported")),
        (PLAN, Some("Off"), Some(free("LimitRemoved")), off),
        // Only a trial can be upgraded.
        ("Sponsored_2016-01-01", Some("Off"), None, on.clone()),
        (PLAN, Some("Off"), None, on.clone()), // nor what is not known to be one
        ("PayAsYouGo_2014-09-01", Some("Off"), None, on),
    ] {
        let seen = seen("Enabled", quota, limit, billing.clone());
        assert_eq!(seen.acceptance, acceptance, "{quota} {limit:?} {billing:?}");
    }
}

#[test]
fn only_a_word_of_the_provider_exhausts() {
    use BenefitState::{Active, Exhausted, Unknown};
    let reason = |reason: &str, since: Value| {
        Some(json!({"subscriptionBillingStatusDetails": [{"reason": reason, "effectiveDate": since}]}))
    };
    let reasons = |reasons: &[(&str, &str)]| {
        let details = reasons.iter().map(|(reason, since)| json!({"reason": reason, "effectiveDate": since}));
        Some(json!({"subscriptionBillingStatusDetails": details.collect::<Vec<_>>()}))
    };
    let both = |billing: Value, reason: &str| {
        Some(with(billing, "/subscriptionBillingStatusDetails", json!([{"reason": reason, "effectiveDate": null}])))
    };
    let profile = |reason: &str| Some(json!({"billingProfileStatusReasonCode": reason}));
    for (billing, credit, period) in [
        // A disabled account alone is not exhausted.
        (None, Unknown, Unknown),
        (Some(json!({})), Unknown, Unknown),
        (Some(json!({"subscriptionBillingStatus": "Disabled"})), Unknown, Unknown),
        (reason("SpendingLimitReached", json!("2025-01-19T00:00:00Z")), Exhausted, Unknown),
        (reason("SpendingLimitReached", json!(null)), Exhausted, Unknown),
        (reason("SpendingLimitReached", json!("2025-01-21T00:00:00Z")), Unknown, Unknown),
        (reason("SpendingLimitReached", json!("0001-01-01T00:00:00Z")), Unknown, Unknown),
        // It may mean that the account was cancelled.
        (reason("Expired", json!("2025-01-19T00:00:00Z")), Unknown, Unknown),
        (both(limit("endDate", json!("2025-01-19T00:00:00Z")), "Expired"), Active, Exhausted),
        (both(limit("endDate", json!("2025-01-21T00:00:00Z")), "Expired"), Active, Unknown),
        (both(limit("status", json!("New")), "SpendingLimitReached"), Unknown, Active),
        (both(limit("status", json!("Expired")), "SpendingLimitReached"), Unknown, Exhausted),
        (both(limit("status", json!(null)), "SpendingLimitReached"), Exhausted, Active),
        // Of several the last one counts.
        (
            reasons(&[("SpendingLimitReached", "2024-01-19T00:00:00Z"), ("None", "2025-01-19T00:00:00Z")]),
            Unknown,
            Unknown,
        ),
        (
            reasons(&[("SpendingLimitReached", "2025-01-19T00:00:00Z"), ("None", "2024-01-19T00:00:00Z")]),
            Exhausted,
            Unknown,
        ),
        (
            reasons(&[("SpendingLimitReached", "2025-01-19T00:00:00Z"), ("None", "2025-01-19T00:00:00Z")]),
            Unknown,
            Unknown,
        ),
        (reason("Cancelled", json!("2025-01-19T00:00:00Z")), Unknown, Unknown),
        (reason("PastDue", json!(null)), Unknown, Unknown),
        (reason("", json!(null)), Unknown, Unknown),
        (profile("SpendingLimitReached"), Exhausted, Unknown),
        (profile("SpendingLimitExpired"), Unknown, Exhausted),
        (profile("PastDue"), Unknown, Unknown),
        (Some(free("Active")), Active, Active),
        (Some(free("LimitReached")), Exhausted, Active),
        (Some(free("Expired")), Unknown, Exhausted),
        (Some(free("New")), Unknown, Active),
        (Some(limit("endDate", json!("2025-01-20T00:00:00Z"))), Active, Exhausted),
        (Some(limit("endDate", json!("2025-01-20T00:00:01Z"))), Active, Active),
        (Some(limit("endDate", json!(null))), Active, Active),
        // Contradictions are doubt.
        (Some(with(free("Active"), "/billingProfileStatusReasonCode", json!("SpendingLimitReached"))), Unknown, Active),
        (Some(with(free("Active"), "/billingProfileStatusReasonCode", json!("SpendingLimitExpired"))), Active, Unknown),
        // A limit of something else says nothing of the trial.
        (
            Some(with(limit("type", json!("VisualStudio")), "/billingProfileSpendingLimit", json!("On"))),
            Unknown,
            Unknown,
        ),
    ] {
        assert_eq!(states(billing.clone()), (credit, period), "{billing:?}");
    }
}

/// While the account works, they are of last year's credit.
#[test]
fn no_reason_exhausts_an_account_that_works() {
    let details =
        json!([{"reason": "SpendingLimitReached", "effectiveDate": "2024-01-19T00:00:00Z"}, {"reason": "Expired"}]);
    for billing in [
        json!({"subscriptionBillingStatusDetails": details}),
        json!({"billingProfileStatusReasonCode": "SpendingLimitReached"}),
        json!({"billingProfileStatusReasonCode": "SpendingLimitExpired"}),
    ] {
        let seen = seen("Enabled", "AzureForStudents_2018-01-01", Some("On"), Some(billing.clone()));
        assert!(seen.benefits.iter().all(|benefit| benefit.state == BenefitState::Unknown), "{billing}");
    }
}

#[test]
fn stopped_accounts_are_not_eligible() {
    let lifecycle =
        |state: &str, billing: Value| seen(state, "FreeTrial_2014-09-01", Some("On"), Some(billing)).lifecycle;
    let stopped = |state: &str, reason: &str| Lifecycle::Unknown(format!("{state} ({reason})"));
    let since = |reason: &str, since: Value| json!({"subscriptionBillingStatusDetails": [{"reason": reason, "effectiveDate": since}]});
    // An odd date proves nothing, and one to come changes nothing.
    for date in
        [json!("2025-01-19T00:00:00Z"), json!("0001-01-01T00:00:00Z"), json!("2025-01-21T00:00:00Z"), json!(null)]
    {
        for reason in ["Cancelled", "SuspiciousActivity", "PolicyViolation", "Transferred"] {
            for state in ["Disabled", "Warned", "PastDue", "Enabled"] {
                assert_eq!(lifecycle(state, since(reason, date.clone())), stopped(state, reason), "{date}");
            }
        }
        // A reason that is not known may be one of these, if the account does not work.
        for reason in ["PastDue", "Other", "New"] {
            assert_eq!(lifecycle("Disabled", since(reason, date.clone())), stopped("Disabled", reason), "{date}");
            assert_eq!(lifecycle("Enabled", since(reason, date.clone())), Lifecycle::Active);
        }
        for reason in ["None", "SpendingLimitReached", "Expired", ""] {
            assert_eq!(lifecycle("Disabled", since(reason, date.clone())), Lifecycle::Restricted, "{reason}");
        }
        assert_eq!(lifecycle("Deleted", since("Cancelled", date)), Lifecycle::Closed);
    }
    for (path, word) in [
        ("billingProfileStatusReasonCode", "UnusualActivity"),
        ("billingProfileStatusReasonCode", "New"),
        ("subscriptionBillingStatus", "Cancelled"),
        ("subscriptionBillingStatus", "Suspended"),
    ] {
        assert_eq!(lifecycle("Disabled", json!({path: word})), stopped("Disabled", word));
    }
    let one_of_two =
        json!({"subscriptionBillingStatusDetails": [{"reason": "SpendingLimitReached"}, {"reason": "Cancelled"}]});
    assert_eq!(lifecycle("Disabled", one_of_two), stopped("Disabled", "Cancelled"));
    assert_eq!(lifecycle("Disabled", json!({"subscriptionBillingStatus": "Disabled"})), Lifecycle::Restricted);
    // What is paid for already is in the state that it is in.
    let paid = with(free("Active"), "/subscriptionBillingType", json!("Paid"));
    let unpaid = with(paid, "/billingProfileStatusReasonCode", json!("PastDue"));
    assert_eq!(seen("Warned", PLAN, None, Some(unpaid)).lifecycle, Lifecycle::Warned);
}

#[test]
fn a_trial_that_the_provider_lets_run_on_is_not_over() {
    let past = Some(limit("endDate", json!("2025-01-19T00:00:00Z")));
    for state in ["Enabled", "Warned", "PastDue"] {
        let seen = seen(state, "FreeTrial_2014-09-01", Some("On"), past.clone());
        assert_eq!(benefit(&seen, BenefitKind::Period).state, BenefitState::Unknown, "{state}");
    }
}

#[test]
fn dates_that_no_trial_has_are_unknown() {
    for end in [
        json!("0001-01-01T00:00:00Z"),
        json!("1970-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59Z"),
        json!("2024-12-31T00:00:00Z"), // before its start
        json!("2025-01-02T00:00:00Z"), // no time at all
        json!("2025-01-10"),
        json!("2025-01-10T00:00:00"), // of which zone?
        json!("soon"),
        json!(""),
        json!(null),
    ] {
        let seen = seen("Enabled", PLAN, Some("On"), Some(limit("endDate", end.clone())));
        let period = benefit(&seen, BenefitKind::Period);
        assert_eq!((period.end, period.state), (None, BenefitState::Active), "{end}");
    }
}

#[test]
fn amounts_are_decimals_or_unknown() {
    for (digits, granted) in [
        ("200", Some("200.00 USD")),
        ("199.99", Some("199.99 USD")),
        ("2e2", Some("200.00 USD")),
        ("0.1", Some("0.10 USD")),
        ("0", None),
        ("-200", None),
        ("1e400", None),
        ("1e-400", None),
        ("1E99999999999999999999", None),
        ("99999999999999999999999999999999999999", None),
        ("1000000000000", None),
        ("null", None),
        ("\"200\"", None),
        ("\"NaN\"", None),
        ("{}", None),
    ] {
        let billing = limit("amount", json!("AMOUNT")).to_string().replace("\"AMOUNT\"", digits);
        let property: BillingProperty =
            serde_json::from_str(&format!(r#"{{"id":"","properties":{billing}}}"#)).unwrap();
        let subscription = json!({"subscriptionId": ID, "state": "Enabled", "subscriptionPolicies": {"quotaId": PLAN}});
        let subscription: Subscription = serde_json::from_value(subscription).unwrap();
        let stamp = Stamp { observed: time(NOW), provider_time: None };
        let seen = observation(&subscription, Some(&property.properties), &Credit::default(), stamp);
        let credit = benefit(&seen, BenefitKind::Credit);
        assert_eq!(credit.granted.map(|money| money.to_string()).as_deref(), granted, "{digits}");
        assert_eq!(credit.state, BenefitState::Active, "{digits}");
    }
    for currency in [json!("usd"), json!("Dollar"), json!(null)] {
        let seen = seen("Enabled", PLAN, Some("On"), Some(limit("currency", currency)));
        assert_eq!(benefit(&seen, BenefitKind::Credit).granted, None);
    }
}

#[test]
fn each_trial_has_its_benefits_and_its_length() {
    use BenefitKind::{Credit, FreeServices, Period};
    for (quota, kinds, days) in [
        ("FreeTrial_2014-09-01", vec![Credit, Period], Some(30)),
        ("AzureForStudents_2018-01-01", vec![Credit, Period], Some(365)),
        // Free services are not used up by time, so that a declared beginning implies no end.
        ("DreamSpark_2015-02-01", vec![FreeServices], None),
    ] {
        let seen = of_quota(quota);
        assert_eq!(seen.benefits.iter().map(|benefit| benefit.kind).collect::<Vec<_>>(), kinds);
        assert!(seen.benefits.iter().all(|benefit| benefit.state == BenefitState::Unknown));
        assert_eq!(seen.trial_length, days.map(|days| SignedDuration::from_hours(days * 24)));
    }
    assert_eq!(of_quota("PayAsYouGo_2014-09-01").trial_length, None);
}

#[test]
fn the_latest_of_several_limits_counts() {
    let mut billing = free("Expired");
    let details = billing["billingProfileSpendingLimitDetails"].as_array_mut().unwrap();
    let mut renewed = details[0].clone();
    renewed["type"] = json!("AzureForStudents");
    renewed["status"] = json!("Active");
    renewed["startDate"] = json!("2025-01-10T00:00:00Z");
    renewed["endDate"] = json!("2026-01-10T00:00:00Z");
    details.insert(0, renewed);
    let seen = seen("Enabled", PLAN, Some("On"), Some(billing));
    assert_eq!(seen.trial_length, Some(SignedDuration::from_hours(365 * 24)));
    let period = benefit(&seen, BenefitKind::Period);
    assert_eq!((period.state, period.end), (BenefitState::Active, Some(time("2026-01-10T00:00:00Z"))));
}

#[test]
fn which_of_two_limits_of_the_same_time_counts_is_not_known() {
    let mut other = free("LimitReached")["billingProfileSpendingLimitDetails"][0].clone();
    for start in [json!("2025-01-02T00:00:00Z"), json!(null)] {
        other["startDate"] = start.clone();
        for first in [0, 1] {
            let mut billing = limit("startDate", start.clone());
            billing["billingProfileSpendingLimitDetails"].as_array_mut().unwrap().insert(first, other.clone());
            assert_eq!(states(Some(billing)), (BenefitState::Unknown, BenefitState::Unknown), "{start} {first}");
        }
        let twice = json!([other, other]);
        let billing = with(free("Active"), "/billingProfileSpendingLimitDetails", twice);
        assert_eq!(states(Some(billing)).0, BenefitState::Exhausted, "the same twice is no doubt");
    }
}

/// Each two of Azure's answers, or words of one, that tell of the same and cannot both be so: none of them brings an upgrade
/// about, and the observation says what they are.
#[test]
fn a_contradicting_plan_is_not_eligible() {
    let free_trial = "FreeTrial_2014-09-01";
    let told = |field: &str, value: &str| with(free("LimitReached"), &format!("/{field}"), json!(value));
    let kind = |kind: &str| with(free("LimitReached"), "/billingProfileSpendingLimitDetails/0/type", json!(kind));
    for (what, quota, limit, billing, said) in [
        ("two trials", free_trial, "On", kind("AzureForStudents"), "AzureForStudents"),
        (
            "a trial of free services, and one with a credit",
            "DreamSpark_2015-02-01",
            "On",
            free("LimitReached"),
            "FreeAccount",
        ),
        ("a trial, and prepaid", free_trial, "On", told("subscriptionBillingType", "PrePaid"), "PrePaid"),
        (
            "a trial, and paid under another agreement",
            free_trial,
            "On",
            with(
                told("subscriptionBillingType", "Paid"),
                "/billingAccountAgreementType",
                json!("MicrosoftOnlineServicesProgram"),
            ),
            "Paid",
        ),
        (
            "a trial, and an enterprise's",
            free_trial,
            "On",
            told("billingAccountAgreementType", "EnterpriseAgreement"),
            "Enterprise",
        ),
        (
            "a trial, and a partner's",
            free_trial,
            "On",
            told("billingAccountAgreementType", "MicrosoftPartnerAgreement"),
            "Partner",
        ),
        ("a limit, and none by the profile", free_trial, "On", told("billingProfileSpendingLimit", "Off"), "Off"),
        (
            "a limit, and a word of the profile that is not known",
            free_trial,
            "On",
            told("billingProfileSpendingLimit", "New"),
            "New",
        ),
        ("no limit, and one that is reached", free_trial, "Off", free("LimitReached"), "LimitReached"),
        ("off, and cancelled", free_trial, "On", told("subscriptionBillingStatus", "Cancelled"), "Cancelled"),
    ] {
        let seen = seen("Disabled", quota, Some(limit), Some(billing));
        let doubts = match (&seen.lifecycle, &seen.acceptance) {
            (Lifecycle::Unknown(doubt), _) | (_, Acceptance::Unclear(doubt)) => doubt.clone(),
            other => panic!("{what}: {other:?}"),
        };
        assert!(doubts.contains(said), "{what}: {doubts}");
    }
    let seen = seen("Disabled", free_trial, Some("On"), Some(free("LimitReached")));
    assert_eq!(
        (seen.lifecycle, seen.acceptance),
        (Lifecycle::Restricted, Acceptance::NotAccepted),
        "and without it is one"
    );
}

#[test]
fn billing_property_and_profile_count_both() {
    let completed = |property: Value, profile: Value| {
        let mut billing: Billing = serde_json::from_str(&property.to_string()).unwrap();
        billing.complete(serde_json::from_str(&profile.to_string()).unwrap());
        let subscription = json!({"subscriptionId": ID, "state": "Disabled", "subscriptionPolicies": {"quotaId": "FreeTrial_2014-09-01", "spendingLimit": "On"}});
        let subscription: Subscription = serde_json::from_str(&subscription.to_string()).unwrap();
        let stamp = Stamp { observed: time(NOW), provider_time: None };
        observation(&subscription, Some(&billing), &Credit::default(), stamp)
    };
    let limits = |status: &str| free(status)["billingProfileSpendingLimitDetails"].clone();
    let own = |status: &str| json!({"spendingLimitDetails": limits(status)});
    let credit = |seen: &Observation| benefit(seen, BenefitKind::Credit).state;
    assert_eq!(credit(&completed(free("LimitReached"), own("LimitReached"))), BenefitState::Exhausted);
    assert_eq!(credit(&completed(free("LimitReached"), json!({}))), BenefitState::Exhausted);
    for (told, own_word) in [("LimitReached", "Active"), ("Active", "LimitReached")] {
        assert_eq!(credit(&completed(free(told), own(own_word))), BenefitState::Unknown, "{told} {own_word}");
    }
    let seen = completed(free("LimitReached"), json!({"spendingLimit": "Off"}));
    assert!(
        matches!(&seen.acceptance, Acceptance::Unclear(doubt) if doubt.contains("On") && doubt.contains("Off")),
        "{seen:?}"
    );
    let told = with(free("LimitReached"), "/billingProfileStatusReasonCode", json!("SpendingLimitReached"));
    let seen = completed(told, json!({"statusReasonCode": "UnusualActivity"}));
    assert!(matches!(&seen.lifecycle, Lifecycle::Unknown(word) if word.contains("UnusualActivity")), "{seen:?}");
}

/// From the answer to the decision.
#[test]
fn exhausted_benefits_meet_the_trigger() {
    use payg_core::desired::When;
    for (billing, met) in [(free("LimitReached"), true), (free("Active"), false), (free("Expired"), false)] {
        let seen = seen("Disabled", PLAN, Some("On"), Some(billing.clone()));
        let past = PastObservation {
            benefits: seen.benefits.clone(),
            observed: seen.observed - MIN_OBSERVATION_GAP,
            eligible: true,
            closed: false,
            source: None,
        };
        let trigger = evaluate(&When::BenefitsExhausted, Some(&past), &seen);
        // `Expired` before the end that is reported with it is a contradiction.
        assert_eq!(matches!(trigger, TriggerState::Yes(_)), met, "{billing}: {trigger:?}");
    }
}
