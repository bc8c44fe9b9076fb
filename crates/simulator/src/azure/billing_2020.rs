//! Microsoft.Billing as api-version 2020-05-01 has it, which released SDKs for JavaScript, Go and Python ask for: what it
//! lacks of the newest version, and what it calls otherwise.
//! <https://github.com/Azure/azure-rest-api-specs/tree/main/specification/billing/resource-manager/Microsoft.Billing/stable/2020-05-01>

use serde_json::{Value, json};

pub(crate) const API_VERSION: &str = "2020-05-01";

const PROPERTY: [&str; 16] = [
    "accountAdminNotificationEmailAddress",
    "billingTenantId",
    "billingAccountId",
    "billingAccountDisplayName",
    "billingProfileId",
    "billingProfileDisplayName",
    "billingProfileStatus",
    "billingProfileStatusReasonCode",
    "billingProfileSpendingLimit",
    "invoiceSectionId",
    "invoiceSectionDisplayName",
    "isAccountAdmin",
    "productId",
    "productName",
    "skuId",
    "skuDescription",
];
const ACCOUNT: [&str; 7] = [
    "displayName",
    "soldTo",
    "agreementType",
    "accountType",
    "accountStatus",
    "hasReadAccess",
    "notificationEmailAddress",
];
const PROFILE: [&str; 13] = [
    "displayName",
    "billingRelationshipType",
    "billTo",
    "invoiceEmailOptIn",
    "invoiceDay",
    "currency",
    "enabledAzurePlans",
    "hasReadAccess",
    "systemId",
    "status",
    "statusReasonCode",
    "spendingLimit",
    "targetClouds",
];
const AZURE_PLAN: [&str; 2] = ["skuId", "skuDescription"];
const SUBSCRIPTION: [&str; 10] = [
    "displayName",
    "subscriptionId",
    "subscriptionBillingStatus",
    "billingProfileId",
    "billingProfileDisplayName",
    "invoiceSectionId",
    "invoiceSectionDisplayName",
    "skuId",
    "skuDescription",
    "suspensionReasons",
];

pub(crate) fn property(mut body: Value) -> Value {
    keep(&mut body["properties"], &PROPERTY);
    body
}

pub(crate) fn account(mut body: Value) -> Value {
    keep(&mut body["properties"], &ACCOUNT);
    body
}

pub(crate) fn profile(mut body: Value) -> Value {
    let properties = &mut body["properties"];
    keep(properties, &PROFILE);
    for plan in properties["enabledAzurePlans"].as_array_mut().into_iter().flatten() {
        keep(plan, &AZURE_PLAN);
    }
    body
}

pub(crate) fn subscription(mut body: Value) -> Value {
    let properties = &mut body["properties"];
    properties["subscriptionBillingStatus"] = match properties["status"].as_str() {
        Some("Disabled") => json!("Inactive"),
        Some("Warned") => json!("Warning"),
        _ => properties["status"].clone(),
    };
    keep(properties, &SUBSCRIPTION);
    // Of classic accounts only.
    if properties.get("billingProfileId").is_some()
        && let Some(properties) = properties.as_object_mut()
    {
        properties.remove("suspensionReasons");
    }
    body
}

/// Takes all but these members away.
fn keep(object: &mut Value, names: &[&str]) {
    if let Some(members) = object.as_object_mut() {
        members.retain(|name, _| names.contains(&name.as_str()));
    }
}
