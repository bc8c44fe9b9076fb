//! The billing property of an account, as Microsoft.Billing has it:
//! <https://learn.microsoft.com/rest/api/billing/billing-property/get>.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::account::Snapshot;
use super::arm::{self, Ask};
use super::billing::{self, EMAIL, HOLDER};
use super::billing_2020;
use super::client::BillingRole;
use super::ids::{BillingIds, derived};
use super::rights;
use super::settings::Agreement;
use super::state::Azure;
use crate::message::Reply;
use crate::patch::merge;

/// `GET /subscriptions/{id}/providers/Microsoft.Billing/billingProperty/default`
pub(crate) fn get(azure: &Azure<'_>, ask: &Ask<'_>, id: &str) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &billing::API_VERSIONS)?;
    let (action, path) =
        ("Microsoft.Billing/billingProperty/read", "/providers/Microsoft.Billing/billingProperty/default");
    let snapshot = arm::visible(azure, ask, id, (action, path))?;
    if !ask.client.rights.billing_property {
        return Err(rights::forbidden(&ask.client, action, &format!("/subscriptions/{id}{path}")));
    }
    let mut properties = common(&snapshot);
    let of_agreement = match snapshot.account.settings.agreement {
        Agreement::Mosp => classic(&snapshot),
        Agreement::Mca => customer_agreement(&snapshot),
    };
    merge(&mut properties, &of_agreement);
    properties["isAccountAdmin"] = json!(ask.client.rights.billing == BillingRole::AccountAdministrator);
    let wants = |name| ask.call.query(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if wants("includeBillingCountry") {
        properties["billingAccountSoldToCountry"] = json!("NL");
    }
    if wants("includeTransitionStatus") {
        properties["isTransitionedBillingAccount"] = json!(false);
    }
    let body = json!({
        "id": format!("/subscriptions/{id}{path}"),
        "name": "default",
        "type": "Microsoft.Billing/billingProperty",
        "properties": properties,
    });
    Ok(Reply::new(StatusCode::OK, billing::in_version(version, billing_2020::property)(body)))
}

fn common(snapshot: &Snapshot<'_>) -> Value {
    let settings = &snapshot.account.settings;
    json!({
        "billingAccountId": BillingIds::of(settings).account_path(),
        "billingAccountDisplayName": HOLDER,
        "billingAccountStatus": "Active",
        "billingAccountType": "Individual",
        "billingTenantId": settings.tenant_id,
        "subscriptionBillingStatus": billing::status(snapshot),
        "subscriptionBillingStatusDetails": billing::status_details(snapshot),
        "subscriptionBillingType": match (snapshot.is_paid(), snapshot.has_benefits()) {
            (true, _) => "Paid",
            (false, true) => "Free",
            (false, false) => "None",
        },
        "subscriptionWorkloadType": "Production",
    })
}

/// Microsoft Online Services Program: nothing reports the amount or the dates of the credit.
fn classic(_: &Snapshot<'_>) -> Value {
    json!({
        "billingAccountAgreementType": "MicrosoftOnlineServicesProgram",
        "accountAdminNotificationEmailAddress": EMAIL,
    })
}

/// Microsoft Customer Agreement: the spending limit of the billing profile has amount, dates and state of the credit.
fn customer_agreement(snapshot: &Snapshot<'_>) -> Value {
    let settings = &snapshot.account.settings;
    let ids = BillingIds::of(settings);
    let (status, reason) = billing::profile_status(snapshot);
    let mut properties = json!({
        "billingAccountAgreementType": "MicrosoftCustomerAgreement",
        "billingAccountSubType": "Individual",
        "billingCurrency": billing::currency(settings),
        "billingProfileId": ids.profile_path(),
        "billingProfileDisplayName": HOLDER,
        "billingProfileStatus": status,
        "billingProfileSpendingLimit": if snapshot.limited() { "On" } else { "Off" },
        "billingProfileSpendingLimitDetails": billing::limit_details(snapshot),
        "billingProfilePaymentMethodFamily": "CreditCard",
        "billingProfilePaymentMethodType": "visa",
        "invoiceSectionId": ids.section_path(),
        "invoiceSectionDisplayName": HOLDER,
        "invoiceSectionStatus": "Active",
        "productId": derived(&settings.subscription_id, "product"),
        "productName": settings.display_name,
        "skuId": billing::SKU_ID,
        "skuDescription": billing::SKU_DESCRIPTION,
    });
    if let Some(reason) = reason {
        properties["billingProfileStatusReasonCode"] = json!(reason);
    }
    properties
}
