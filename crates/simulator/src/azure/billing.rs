//! Billing accounts, profiles and subscriptions, as Microsoft.Billing has them:
//! <https://learn.microsoft.com/rest/api/billing>.

use axum::http::StatusCode;
use rust_decimal::Decimal;
use serde_json::{Number, Value, json};

use super::account::{Cause, Snapshot, State};
use super::arm::{self, Ask};
use super::billing_2020;
use super::errors::error;
use super::ids::{BillingIds, derived};
use super::paging;
use super::rights;
use super::settings::{Agreement, Settings};
use super::state::Azure;
use crate::message::Reply;

/// Who signed up.
pub(crate) const HOLDER: &str = "Jan Jansen";
pub(crate) const EMAIL: &str = "jan@contoso.example";
pub(crate) const SKU_ID: &str = "0001";
pub(crate) const SKU_DESCRIPTION: &str = "Microsoft Azure Plan";
pub(crate) const API_VERSIONS: [&str; 2] = [billing_2020::API_VERSION, "2024-04-01"];

/// An account with the names of what it is billed by.
pub(crate) type Billed<'w> = (BillingIds, Snapshot<'w>);

/// `GET /providers/Microsoft.Billing/billingAccounts`: those that the client has a role on. It is no error to have none.
pub(crate) fn accounts(azure: &Azure<'_>, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let time = azure.ground.ago(ask.stale);
    let seen = azure.state.accounts_at(time).filter(|account| {
        account.settings.tenant_id == ask.client.tenant_id
            && ask.client.rights.billing.sees(account.settings.agreement)
            && account.at(time).state != State::Gone
    });
    let mut items: Vec<_> =
        seen.map(|account| (BillingIds::of(&account.settings), &account.settings)).map(account_item).collect();
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    items.dedup_by(|(one, _), (other, _)| one == other);
    list(azure, ask, &items, in_version(version, billing_2020::account))
}

/// `GET …/billingAccounts/{account}`
pub(crate) fn account(azure: &Azure<'_>, ask: &Ask<'_>, name: &str) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let (ids, snapshot) = billed(azure, ask, name, "read")?.swap_remove(0);
    let (_, body) = account_item((ids, &snapshot.account.settings));
    Ok(Reply::new(StatusCode::OK, in_version(version, billing_2020::account)(body)))
}

/// `GET …/billingAccounts/{account}/billingProfiles`
pub(crate) fn profiles(azure: &Azure<'_>, ask: &Ask<'_>, account: &str) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let billed = billed(azure, ask, account, "billingProfiles/read")?;
    let with_profile = billed.iter().filter(|(_, snapshot)| snapshot.account.settings.agreement == Agreement::Mca);
    let mut items: Vec<_> = with_profile.map(|billed| (billed.0.profile.clone(), profile_body(billed))).collect();
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    list(azure, ask, &items, in_version(version, billing_2020::profile))
}

/// `GET …/billingAccounts/{account}/billingProfiles/{profile}`
pub(crate) fn profile(azure: &Azure<'_>, ask: &Ask<'_>, account: &str, name: &str) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let billed = billed_by_profile(azure, ask, account, name, "billingProfiles/read")?;
    Ok(Reply::new(StatusCode::OK, in_version(version, billing_2020::profile)(profile_body(&billed))))
}

/// `GET …/billingSubscriptions` of a billing account, or of one profile.
pub(crate) fn subscriptions(
    azure: &Azure<'_>,
    ask: &Ask<'_>,
    account: &str,
    profile: Option<&str>,
) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let billed = in_scope(azure, ask, account, profile, "billingSubscriptions/read")?;
    let item = |billed: &Billed<'_>| (billed.1.account.settings.subscription_id.clone(), subscription_body(billed));
    let items: Vec<_> = billed.iter().map(item).collect();
    let mut reply = list(azure, ask, &items, in_version(version, billing_2020::subscription))?;
    if version == billing_2020::API_VERSION {
        reply.body["totalCount"] = json!(items.len());
    }
    Ok(reply)
}

/// `GET …/billingAccounts/{account}/billingSubscriptions/{name}`
pub(crate) fn subscription(azure: &Azure<'_>, ask: &Ask<'_>, account: &str, name: &str) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let mut billed = billed(azure, ask, account, "billingSubscriptions/read")?.into_iter();
    let found = billed.find(|(_, snapshot)| snapshot.account.settings.subscription_id == name);
    let found = found.ok_or_else(|| not_found("billing subscription", name))?;
    Ok(Reply::new(StatusCode::OK, in_version(version, billing_2020::subscription)(subscription_body(&found))))
}

/// What makes of the newest shape the one that was asked for.
pub(crate) fn in_version(version: &str, of_2020: fn(Value) -> Value) -> fn(Value) -> Value {
    if version == billing_2020::API_VERSION { of_2020 } else { |body| body }
}

fn list(
    azure: &Azure<'_>,
    ask: &Ask<'_>,
    items: &[(String, Value)],
    shape: fn(Value) -> Value,
) -> Result<Reply, Reply> {
    let mut page = paging::page(azure, ask.call, items)?;
    for item in page["value"].as_array_mut().into_iter().flatten() {
        *item = shape(item.take());
    }
    Ok(Reply::new(StatusCode::OK, page))
}

/// The accounts that a billing account pays for, if the client has a role on it; at least one, in the order of their ids.
pub(crate) fn billed<'w>(
    azure: &'w Azure<'_>,
    ask: &Ask<'_>,
    name: &str,
    action: &str,
) -> Result<Vec<Billed<'w>>, Reply> {
    let time = azure.ground.ago(ask.stale);
    let of_tenant =
        azure.state.billed_at(name, time).filter(|(_, account)| account.settings.tenant_id == ask.client.tenant_id);
    let billed: Vec<_> = of_tenant
        .map(|(ids, account)| (ids, account.at(time)))
        .filter(|(_, snapshot)| snapshot.state != State::Gone)
        .collect();
    let (ids, snapshot) = billed.first().ok_or_else(|| not_found("billing account", name))?;
    let agreement = snapshot.account.settings.agreement;
    if ask.client.rights.billing.sees(agreement) {
        return Ok(billed);
    }
    Err(match agreement {
        // As users report it: <https://github.com/Azure/azure-sdk-for-js/issues/21953>.
        Agreement::Mosp => error(401, "Unauthorized", "No claims present for the caller in the system."),
        Agreement::Mca => {
            rights::forbidden(&ask.client, &format!("Microsoft.Billing/billingAccounts/{action}"), &ids.account_path())
        }
    })
}

/// The account that a billing profile pays for, if the client has a role on it.
pub(crate) fn billed_by_profile<'w>(
    azure: &'w Azure<'_>,
    ask: &Ask<'_>,
    account: &str,
    profile: &str,
    action: &str,
) -> Result<Billed<'w>, Reply> {
    let mut billed = billed(azure, ask, account, action)?.into_iter();
    let found = billed.find(|(ids, snapshot)| {
        snapshot.account.settings.agreement == Agreement::Mca && ids.profile.eq_ignore_ascii_case(profile)
    });
    found.ok_or_else(|| not_found("billing profile", profile))
}

/// What a billing account or one of its profiles pays for, if the client has a role on it.
pub(crate) fn in_scope<'w>(
    azure: &'w Azure<'_>,
    ask: &Ask<'_>,
    account: &str,
    profile: Option<&str>,
    action: &str,
) -> Result<Vec<Billed<'w>>, Reply> {
    match profile {
        Some(profile) => Ok(vec![billed_by_profile(azure, ask, account, profile, action)?]),
        None => billed(azure, ask, account, action),
    }
}

fn not_found(what: &str, name: &str) -> Reply {
    error(404, "NotFound", &format!("The {what} '{name}' could not be found."))
}

fn account_item((ids, settings): (BillingIds, &Settings)) -> (String, Value) {
    let mut properties = json!({
        "accountStatus": "Active",
        "accountType": "Individual",
        "agreementType": match settings.agreement {
            Agreement::Mosp => "MicrosoftOnlineServicesProgram",
            Agreement::Mca => "MicrosoftCustomerAgreement",
        },
        "displayName": HOLDER,
        "hasReadAccess": true,
    });
    match settings.agreement {
        Agreement::Mosp => properties["notificationEmailAddress"] = json!(EMAIL),
        Agreement::Mca => {
            properties["accountSubType"] = json!("Individual");
            properties["hasNoBillingProfiles"] = json!(false);
            properties["primaryBillingTenantId"] = json!(settings.tenant_id);
            properties["soldTo"] = address();
        }
    }
    let body = json!({
        "id": ids.account_path(),
        "name": ids.account,
        "type": "Microsoft.Billing/billingAccounts",
        "properties": properties,
    });
    (ids.account, body)
}

fn address() -> Value {
    json!({"addressLine1": "Stationsplein 1", "city": "Utrecht", "country": "NL", "postalCode": "3511 ED"})
}

fn profile_body((ids, snapshot): &Billed<'_>) -> Value {
    let settings = &snapshot.account.settings;
    let (status, reason) = profile_status(snapshot);
    let mut properties = json!({
        "billTo": address(),
        "billingRelationshipType": "Direct",
        "currency": currency(settings),
        "displayName": HOLDER,
        "enabledAzurePlans": [
            {"productId": derived(&settings.subscription_id, "product"), "skuId": SKU_ID, "skuDescription": SKU_DESCRIPTION},
        ],
        "hasReadAccess": true,
        "invoiceDay": 5,
        "invoiceEmailOptIn": true,
        "provisioningState": "Succeeded",
        "spendingLimit": if snapshot.limited() { "On" } else { "Off" },
        "spendingLimitDetails": limit_details(snapshot),
        "status": status,
        "systemId": ids.profile,
        "targetClouds": [],
    });
    if let Some(reason) = reason {
        properties["statusReasonCode"] = json!(reason);
    }
    json!({
        "id": ids.profile_path(),
        "name": ids.profile,
        "type": "Microsoft.Billing/billingAccounts/billingProfiles",
        "properties": properties,
    })
}

fn subscription_body((ids, snapshot): &Billed<'_>) -> Value {
    let settings = &snapshot.account.settings;
    let id = &settings.subscription_id;
    let details = status_details(snapshot);
    let reasons: Vec<_> = details.as_array().into_iter().flatten().map(|detail| &detail["reason"]).collect();
    let mut properties = json!({
        "beneficiaryTenantId": settings.tenant_id,
        "displayName": settings.display_name,
        "operationStatus": "None",
        "provisioningState": "Succeeded",
        "status": status(snapshot),
        "subscriptionId": id,
        "suspensionReasons": reasons,
        "suspensionReasonDetails": details,
    });
    match settings.agreement {
        Agreement::Mosp => {
            if let Some(offer) = snapshot.offer().offer_id() {
                properties["offerId"] = json!(offer);
            }
        }
        Agreement::Mca => {
            properties["billingProfileId"] = json!(ids.profile_path());
            properties["billingProfileName"] = json!(ids.profile);
            properties["billingProfileDisplayName"] = json!(HOLDER);
            properties["invoiceSectionId"] = json!(ids.section_path());
            properties["invoiceSectionName"] = json!(ids.section);
            properties["invoiceSectionDisplayName"] = json!(HOLDER);
            properties["productTypeId"] = json!("AzurePlan");
            properties["purchaseDate"] = json!(settings.start_time);
            properties["skuId"] = json!(SKU_ID);
            properties["skuDescription"] = json!(SKU_DESCRIPTION);
        }
    }
    json!({
        "id": format!("{}/billingSubscriptions/{id}", ids.account_path()),
        "name": id,
        "type": "Microsoft.Billing/billingAccounts/billingSubscriptions",
        "properties": properties,
    })
}

/// What invoices are in.
pub(crate) fn currency(settings: &Settings) -> &str {
    let of_credit = settings.credit.as_ref().map(|credit| &credit.currency);
    let of_invoices = settings.billing_currency.as_ref().map(|billing| &billing.currency);
    of_invoices.or(of_credit).map_or("USD", String::as_str)
}

/// The status of the billing profile, and the reason code if there is one.
pub(crate) fn profile_status(snapshot: &Snapshot<'_>) -> (&'static str, Option<&'static str>) {
    match snapshot.stopped.map(|stop| stop.cause) {
        Some(Cause::CreditSpent) => ("Disabled", Some("SpendingLimitReached")),
        Some(Cause::PeriodOver) => ("Disabled", Some("SpendingLimitExpired")),
        Some(Cause::PastDue) => ("Disabled", Some("PastDue")),
        None if snapshot.is_paid() && snapshot.state == State::Warned => ("Warned", Some("PastDue")),
        Some(Cause::Cancelled) | None => ("Active", None),
    }
}

/// The spending limit: one for the credit that the account started with.
pub(crate) fn limit_details(snapshot: &Snapshot<'_>) -> Value {
    let settings = &snapshot.account.settings;
    let Some(credit) = &settings.credit else { return json!([]) };
    let status = match snapshot.stopped.map(|stop| stop.cause) {
        _ if snapshot.accepted => "LimitRemoved",
        Some(Cause::CreditSpent) => "LimitReached",
        Some(Cause::PeriodOver) => "Expired",
        Some(Cause::Cancelled | Cause::PastDue) | None => "Active",
    };
    let mut details = json!({
        "amount": number(credit.amount),
        "currency": credit.currency,
        "startDate": settings.start_time,
        "type": settings.offer.limit_type(),
        "status": status,
    });
    if let Some(end) = snapshot.account.period_end() {
        details["endDate"] = json!(end);
    }
    json!([details])
}

/// An amount as Azure writes it: a JSON number.
pub(crate) fn number(amount: Decimal) -> Value {
    // Any decimal is a JSON number.
    amount.normalize().to_string().parse::<Number>().map_or(Value::Null, Value::Number)
}

/// How billing calls the account's state. It has no word for `PastDue`.
pub(crate) fn status(snapshot: &Snapshot<'_>) -> &'static str {
    match snapshot.state {
        State::Enabled | State::PastDue => "Active",
        State::Warned => "Warned",
        State::Disabled => "Disabled",
        State::Deleted | State::Gone => "Deleted",
    }
}

/// Why the account does not work, and since when.
pub(crate) fn status_details(snapshot: &Snapshot<'_>) -> Value {
    let Some(stop) = snapshot.stopped else { return json!([]) };
    let reason = match stop.cause {
        Cause::CreditSpent => "SpendingLimitReached",
        Cause::PeriodOver => "Expired",
        Cause::Cancelled => "Cancelled",
        Cause::PastDue => "PastDue",
    };
    json!([{"effectiveDate": stop.at, "reason": reason}])
}
