//! The reads of a billing profile, over TLS.

use std::time::Duration;

use serde_json::{Value, json as value};

use super::super::credit::ProfilePath;
use super::interpret::{PLAN, free, with};
use super::remaining::{balance, lot};
use super::server::{Reply, Request, Server, error, json, reply};
use super::{DEADLINE, ID, account, azure, settings, time};
use crate::BillingProvider;
use crate::azure::{Azure, UpgradeMethod};
use payg_core::observation::{Acceptance, Observation};
use payg_core::offer::{BenefitKind, BenefitState, OfferClass};
use payg_core::provider::ProviderError;

const PROFILE: &str = "/providers/Microsoft.Billing/billingAccounts/a:b_2019-05-31/billingProfiles/P-1";
const PERMISSION: &str =
    "Microsoft.Billing/billingAccounts/billingProfiles/read, as in the role Billing profile reader";

/// What is answered about a free account on the Azure plan.
#[derive(Clone)]
pub(super) struct Answers {
    /// Null where there is none.
    pub(super) billing: Value,
    pub(super) profile: Reply,
    pub(super) balance: Reply,
    pub(super) lots: Reply,
}

fn ok(body: &Value) -> Reply {
    json(200, &body.to_string())
}

pub(super) fn well() -> Answers {
    let limits = free("Active")["billingProfileSpendingLimitDetails"].clone();
    let profile = value!({"id": PROFILE, "name": "P-1", "properties": {
        "spendingLimit": "On", "spendingLimitDetails": limits, "status": "Active", "currency": "EUR"}});
    Answers {
        billing: with(free("Active"), "/billingProfileId", value!(PROFILE)),
        profile: ok(&profile),
        balance: ok(&balance("57.31")),
        lots: ok(&value!({"value": [lot()], "nextLink": null})),
    }
}

/// One whose billing property lacks the details of the limit.
pub(super) fn without_details() -> Answers {
    let billing = with(well().billing, "/billingProfileSpendingLimitDetails", value!(null));
    Answers { billing: with(billing, "/billingProfileSpendingLimit", value!(null)), ..well() }
}

impl Answers {
    pub(super) fn to(&self, request: &Request) -> Reply {
        let subscription =
            value!({"subscriptionId": ID, "state": "Enabled", "subscriptionPolicies": {"quotaId": PLAN}});
        let property = value!({"id": format!("/subscriptions/{ID}/x"), "properties": self.billing});
        match request.line.split('?').next().unwrap_or_default() {
            line if line.ends_with("/billingProperty/default") && self.billing.is_null() => {
                error(400, "NoRegisteredProviderFound")
            }
            line if line.ends_with("/billingProperty/default") => ok(&property),
            line if line.ends_with("/credits/balanceSummary") => self.balance.clone(),
            line if line.ends_with("/lots") => self.lots.clone(),
            line if line.contains("/billingProfiles/") => self.profile.clone(),
            _ => ok(&subscription),
        }
    }
}

pub(super) async fn observe(azure: &Azure) -> Result<Observation, ProviderError> {
    azure.observe(&account(), &|| time("2025-01-20T00:00:00Z"), DEADLINE).await
}

pub(super) async fn read_account(answers: Answers) -> (Result<Observation, ProviderError>, Vec<String>) {
    let server = Server::granting(move |request| answers.to(request)).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    let seen = observe(&azure).await;
    (seen, server.requests().into_iter().map(|request| request.line).collect())
}

fn left(seen: &Observation) -> Option<String> {
    seen.benefit(BenefitKind::Credit)?.remaining.map(|left| left.to_string())
}

#[tokio::test]
async fn a_customer_agreement_tells_what_is_left() {
    let (seen, mut lines) = read_account(well()).await;
    let seen = seen.unwrap();
    assert_eq!((seen.offer.class, left(&seen).as_deref()), (OfferClass::FreeTrial, Some("57.31 USD")));
    assert!(seen.unread.is_empty() && seen.remarks.is_empty() && !seen.lapsed, "{seen:?}");
    lines[2..].sort();
    let consumption = format!("GET {PROFILE}/providers/Microsoft.Consumption");
    assert_eq!(
        lines[2..],
        [
            format!("{consumption}/credits/balanceSummary?api-version=2024-08-01"),
            format!("{consumption}/lots?api-version=2024-08-01"),
        ]
    );
}

#[tokio::test]
async fn the_billing_profile_is_read_where_the_billing_property_lacks_the_details() {
    let (seen, lines) = read_account(without_details()).await;
    let seen = seen.unwrap();
    assert_eq!(lines[2], format!("GET {PROFILE}?api-version=2024-04-01"));
    assert_eq!((seen.offer.class, left(&seen).as_deref()), (OfferClass::FreeTrial, Some("57.31 USD")));
    let period = seen.benefit(BenefitKind::Period).unwrap();
    assert_eq!((period.source.name().as_str(), period.end), ("billingProfile", Some(time("2025-02-01T00:00:00Z"))));
    assert_eq!(seen.source.name(), "subscription, billingProperty, billingProfile");
    // Or the limit itself.
    let billing = with(well().billing, "/billingProfileSpendingLimit", value!(null));
    let (seen, lines) = read_account(Answers { billing, ..well() }).await;
    let seen = seen.unwrap();
    assert_eq!(lines[2], format!("GET {PROFILE}?api-version=2024-04-01"));
    assert_eq!(seen.acceptance, Acceptance::NotAccepted);
    assert_eq!(seen.benefit(BenefitKind::Period).unwrap().source.name(), "billingProperty");
}

/// An observation that knows less than the one before it stops everything: [`Source::goes_beyond`].
#[tokio::test]
async fn the_source_tells_when_less_is_known_and_only_then() {
    let bare = with(without_details().billing, "/billingProfileId", value!(null));
    let [whole, by_profile, by_property, by_subscription] = [
        read_account(well()).await,
        read_account(without_details()).await,
        read_account(Answers { billing: bare, ..well() }).await,
        read_account(Answers { billing: Value::Null, ..well() }).await,
    ]
    .map(|(seen, _)| seen.unwrap().source);
    for (before, now) in [(&whole, &by_profile), (&by_profile, &whole)] {
        assert!(!before.goes_beyond(now), "{before:?} {now:?}");
    }
    for (before, now) in [
        (&whole, &by_property),
        (&by_profile, &by_property),
        (&whole, &by_subscription),
        (&by_profile, &by_subscription),
        (&by_property, &by_subscription),
    ] {
        assert!(before.goes_beyond(now) && !now.goes_beyond(before), "{before:?} {now:?}");
    }
}

#[tokio::test]
async fn only_a_trial_under_a_customer_agreement_is_read_further() {
    let billing = |path: &str, new: Value| Answers { billing: with(well().billing, path, new), ..well() };
    for answers in [
        billing("/billingAccountAgreementType", value!("MicrosoftOnlineServicesProgram")),
        billing("/billingAccountAgreementType", value!("EnterpriseAgreement")),
        billing("/billingAccountAgreementType", value!(null)),
        billing("/subscriptionBillingType", value!("Paid")),
        billing("/billingProfileSpendingLimitDetails/0/type", value!("Sponsorship")),
        billing("/billingProfileSpendingLimitDetails/0/type", value!("AzureForStudentsStarter")),
        billing("/billingProfileId", value!(null)),
        billing("/billingProfileId", value!("https://example.com/steal")),
    ] {
        let (seen, lines) = read_account(answers).await;
        assert_eq!((left(&seen.unwrap()), lines.len()), (None, 2));
    }
}

#[test]
fn the_path_of_a_billing_profile_is_made_of_checked_parts() {
    let path = |id: &str| ProfilePath::parse(id).map(|path| path.as_str().to_owned());
    assert_eq!(path(PROFILE).as_deref(), Some(PROFILE));
    assert_eq!(path(&PROFILE.replace("Microsoft.Billing", "microsoft.billing")).as_deref(), Some(PROFILE));
    let long = "a".repeat(129);
    for account in ["", "..", ".", "a%2fb", "a?b", "a#b", "a b", "a/b", "a\\b", "a@b", "é", "a\r\nb", &long] {
        assert_eq!(path(&PROFILE.replace("a:b_2019-05-31", account)), None, "{account:?}");
        assert_eq!(path(&PROFILE.replace("P-1", account)), None, "{account:?}");
    }
    for id in
        ["", "/", PROFILE.trim_start_matches('/'), &format!("{PROFILE}/"), &format!("{PROFILE}/invoiceSections/S")]
    {
        assert_eq!(path(id), None, "{id}");
    }
    for (part, other) in [("providers", "tenants"), ("billingProfiles", "customers"), ("Billing/", "Network/")] {
        assert_eq!(path(&PROFILE.replace(part, other)), None);
    }
}

#[tokio::test]
async fn a_forbidden_credit_read_is_reported_and_fails_nothing() {
    for denied in [
        error(401, "NoClaims"),
        error(403, "AuthorizationFailed"),
        error(404, "NotFound"),
        json(401, r#""User is not authorized to access this resource.""#),
        reply(403, "", ""),
        reply(403, "content-type: text/html\r\n", "<html>"),
    ] {
        let (seen, _) = read_account(Answers { balance: denied.clone(), lots: denied.clone(), ..well() }).await;
        let seen = seen.unwrap();
        assert_eq!((left(&seen), seen.benefit(BenefitKind::Credit).unwrap().state), (None, BenefitState::Active));
        assert_eq!(seen.unread.len(), 1);
        assert_eq!(seen.unread[0].permission, PERMISSION);
        // Without the details nobody knows what the Azure plan is.
        let (seen, lines) = read_account(Answers { profile: denied, ..without_details() }).await;
        let seen = seen.unwrap();
        assert_eq!((seen.offer.class, seen.eligible, lines.len()), (OfferClass::Unknown, false, 3));
        assert_eq!(
            (seen.unread[0].what.as_str(), seen.unread[0].permission.as_str()),
            ("the billing profile", PERMISSION)
        );
    }
    let nothing = reply(204, "", "");
    let (seen, _) = read_account(Answers { balance: nothing.clone(), lots: nothing, ..well() }).await;
    let seen = seen.unwrap();
    assert!(left(&seen).is_none() && seen.unread.is_empty() && seen.remarks.is_empty(), "{seen:?}");
    // Nor is a balance taken without knowing of what it is.
    let (seen, _) = read_account(Answers { lots: error(403, "AuthorizationFailed"), ..well() }).await;
    let seen = seen.unwrap();
    assert_eq!((left(&seen), seen.unread.len(), seen.remarks.len()), (None, 1, 1), "{seen:?}");
    let (seen, _) = read_account(Answers { lots: reply(204, "", ""), ..well() }).await;
    assert_eq!(left(&seen.unwrap()).as_deref(), Some("57.31 USD"), "it does not exceed what was granted");
}

#[tokio::test]
async fn trouble_with_the_credit_alone_fails_no_look_and_is_said() {
    let html = |status| reply(status, "content-type: text/html\r\n", "<html>");
    let another = with(balance("57.31"), "/id", value!(PROFILE.replace("P-1", "P-10")));
    for (name, answer, lapsed) in [
        ("throttled", reply(429, "retry-after: 9\r\n", ""), true),
        ("down", html(503), true),
        ("closed", Reply::Bytes(Vec::new()), true),
        ("400", error(400, "BadRequest"), false),
        ("a page", html(200), false),
        ("no JSON", json(200, "{"), false),
        ("no properties", json(200, "{}"), false),
        ("another profile", ok(&another), false),
        ("a redirect", reply(307, "location: https://127.0.0.1:1/\r\n", ""), false),
        ("too large", json(200, &" ".repeat(2 << 20)), false),
    ] {
        let (seen, _) = read_account(Answers { balance: answer, ..well() }).await;
        let seen = seen.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((left(&seen), seen.lapsed), (None, lapsed), "{name}");
        assert!(seen.remarks[0].starts_with("The remaining credit could not be read: "), "{name}: {seen:?}");
        assert_eq!(seen.benefit(BenefitKind::Credit).unwrap().state, BenefitState::Active, "{name}");
    }
    for (name, lots) in [
        ("a lot that is none", value!({"value": [lot(), 7]})),
        ("a lot of another kind", value!({"value": [with(lot(), "/properties/status", value!(1))]})),
        ("a list elsewhere", value!({"value": [lot()], "nextLink": "https://example.com/lots"})),
    ] {
        let (seen, _) = read_account(Answers { lots: ok(&lots), ..well() }).await;
        let seen = seen.unwrap();
        assert_eq!((left(&seen), seen.remarks.len(), seen.lapsed), (None, 1, false), "{name}");
    }
    for (name, lots) in [("throttled", reply(429, "retry-after: 9\r\n", "")), ("down", html(503))] {
        let (seen, _) = read_account(Answers { lots, ..well() }).await;
        let seen = seen.unwrap();
        assert_eq!((left(&seen), seen.remarks.len(), seen.lapsed), (None, 1, true), "{name}");
    }
    let (seen, _) = read_account(Answers { profile: html(503), ..without_details() }).await;
    assert_eq!(seen.unwrap_err().reason(), "ProviderUnreachable", "what the account is hangs on it");
}

#[tokio::test]
async fn a_credit_that_is_never_answered_leaves_the_look_its_time() {
    let answers = Answers { balance: Reply::Nothing, ..well() };
    let server = Server::granting(move |request| answers.to(request)).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    let seen = azure.observe(&account(), &|| time("2025-01-20T00:00:00Z"), Duration::from_secs(2)).await.unwrap();
    assert!(seen.lapsed && left(&seen).is_none(), "{seen:?}");
}
