//! The billing property of an account, as api-version 2024-04-01 of Microsoft.Billing has it:
//! <https://learn.microsoft.com/rest/api/billing/billing-property/get>.

use rust_decimal::Decimal;
use serde_json::{Number, Value, json};
use uuid::Uuid;

use super::account::{Cause, Snapshot, State};
use super::settings::{Agreement, Offer};

pub(crate) fn body(snapshot: &Snapshot<'_>) -> Value {
    let id = &snapshot.account.settings.subscription_id;
    let mut properties = common(snapshot);
    let of_agreement = match snapshot.account.settings.agreement {
        Agreement::Mosp => classic(snapshot),
        Agreement::Mca => customer_agreement(snapshot),
    };
    if let (Value::Object(properties), Value::Object(more)) = (&mut properties, of_agreement) {
        properties.extend(more);
    }
    json!({
        "id": format!("/subscriptions/{id}/providers/Microsoft.Billing/billingProperty/default"),
        "name": "default",
        "type": "Microsoft.Billing/billingProperty",
        "properties": properties,
    })
}

fn common(snapshot: &Snapshot<'_>) -> Value {
    let settings = &snapshot.account.settings;
    json!({
        "billingAccountDisplayName": "Jan Jansen",
        "billingAccountStatus": "Active",
        "billingAccountType": "Individual",
        "billingTenantId": settings.tenant_id,
        "isAccountAdmin": false,
        "subscriptionBillingStatus": match snapshot.state {
            State::Enabled => "Active",
            State::Warned => "Warned",
            State::Disabled => "Disabled",
            State::Deleted | State::Gone => "Deleted",
        },
        "subscriptionBillingStatusDetails": status_details(snapshot),
        "subscriptionBillingType": match (snapshot.converted, snapshot.has_benefits(), &settings.offer) {
            (true, ..) | (_, _, Offer::PayAsYouGo) => "Paid",
            (false, true, _) => "Free",
            (false, false, _) => "None",
        },
        "subscriptionWorkloadType": "Production",
    })
}

fn status_details(snapshot: &Snapshot<'_>) -> Value {
    let Some(stop) = snapshot.stopped else { return json!([]) };
    let reason = match stop.cause {
        Cause::CreditSpent => "SpendingLimitReached",
        Cause::PeriodOver => "Expired",
        Cause::Cancelled => "Cancelled",
    };
    json!([{"effectiveDate": stop.at, "reason": reason}])
}

/// Microsoft Online Services Program: nothing tells the amount or the dates of the credit.
fn classic(snapshot: &Snapshot<'_>) -> Value {
    json!({
        "billingAccountAgreementType": "MicrosoftOnlineServicesProgram",
        "billingAccountId": format!("/providers/Microsoft.Billing/billingAccounts/{}", derived(snapshot, "account")),
        "accountAdminNotificationEmailAddress": "jan@contoso.example",
    })
}

/// Microsoft Customer Agreement: the spending limit of the billing profile tells amount, dates and state of the credit.
fn customer_agreement(snapshot: &Snapshot<'_>) -> Value {
    let account = format!(
        "/providers/Microsoft.Billing/billingAccounts/{}:{}_2019-05-31",
        derived(snapshot, "account"),
        derived(snapshot, "organization")
    );
    let short = |name: &str| derived(snapshot, name).to_uppercase()[..18].to_owned();
    let profile = format!("{account}/billingProfiles/{}", short("profile"));
    let section = format!("{profile}/invoiceSections/{}", short("section"));
    let (status, reason) = match snapshot.stopped.map(|stop| stop.cause) {
        Some(Cause::CreditSpent) => ("Disabled", Some("SpendingLimitReached")),
        Some(Cause::PeriodOver) => ("Disabled", Some("SpendingLimitExpired")),
        Some(Cause::Cancelled) | None => ("Active", None),
    };
    let mut properties = json!({
        "billingAccountAgreementType": "MicrosoftCustomerAgreement",
        "billingAccountId": account,
        "billingAccountSubType": "Individual",
        "billingProfileId": profile,
        "billingProfileDisplayName": "Jan Jansen",
        "billingProfileStatus": status,
        "billingProfileSpendingLimit": if snapshot.limited() { "On" } else { "Off" },
        "billingProfileSpendingLimitDetails": limit_details(snapshot),
        "billingProfilePaymentMethodFamily": "CreditCard",
        "billingProfilePaymentMethodType": "visa",
        "invoiceSectionId": section,
        "skuId": "0001",
        "skuDescription": "Microsoft Azure Plan",
    });
    if let Some(reason) = reason {
        properties["billingProfileStatusReasonCode"] = json!(reason);
    }
    properties
}

fn limit_details(snapshot: &Snapshot<'_>) -> Value {
    let settings = &snapshot.account.settings;
    let Some(credit) = &settings.credit else { return json!([]) };
    let status = match snapshot.stopped.map(|stop| stop.cause) {
        _ if snapshot.accepted => "LimitRemoved",
        Some(Cause::CreditSpent) => "LimitReached",
        Some(Cause::PeriodOver) => "Expired",
        Some(Cause::Cancelled) | None => "Active",
    };
    let mut details = json!({
        "amount": number(credit.amount),
        "currency": credit.currency,
        "startDate": settings.start_time,
        "type": match &settings.offer {
            Offer::FreeTrial => "FreeAccount",
            Offer::Quota(id) if id.starts_with("AzureForStudents_") => "AzureForStudents",
            _ => "Other",
        },
        "status": status,
    });
    if let Some(end) = snapshot.account.period_end() {
        details["endDate"] = json!(end);
    }
    json!([details])
}

/// An amount as Azure writes it: a JSON number.
fn number(amount: Decimal) -> Value {
    // Any decimal is a JSON number.
    amount.normalize().to_string().parse::<Number>().map_or(Value::Null, Value::Number)
}

/// A made up id of something that belongs to the account, always the same.
fn derived(snapshot: &Snapshot<'_>, what: &str) -> String {
    let name = format!("{}/{what}", snapshot.account.settings.subscription_id);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}
