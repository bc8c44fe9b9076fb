//! Each api-version that released SDKs ask for, in its own shape: what that version's specification has, and no more.

use std::collections::BTreeSet;

use super::*;

async fn get(sim: &Sim, path: &str) -> Value {
    let response = sim.read(path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A simulator with an account under this agreement and somebody who may read all of it.
async fn billed(agreement: &str) -> Sim {
    let currency = json!({"currency": "EUR", "exchangeRate": "0.9196"});
    let sim = Sim::with_account(json!({"agreement": agreement, "billingCurrency": currency})).await;
    sim.client(json!({"subscriptions": "*", "billing": "AccountAdministrator"})).await;
    sim
}

#[tokio::test]
async fn subscriptions_and_tenants_grow_with_the_versions() {
    let sim = Sim::with_account(json!({})).await;
    let first = ["authorizationSource", "displayName", "id", "state", "subscriptionId", "subscriptionPolicies"];
    let of_tenant = [
        ("2018-06-01", vec!["country", "countryCode", "displayName", "domains"]),
        ("2019-06-01", vec!["tenantCategory"]),
        ("2020-01-01", vec!["defaultDomain", "tenantType"]),
    ];
    for (version, added) in [
        ("2016-06-01", vec![]),
        ("2018-06-01", vec!["tenantId"]),
        ("2019-06-01", vec!["tenantId", "managedByTenants"]),
        ("2019-11-01", vec!["tenantId", "managedByTenants"]),
        ("2020-01-01", vec!["tenantId", "managedByTenants"]),
        ("2021-01-01", vec!["tenantId", "managedByTenants"]),
        ("2022-12-01", vec!["tenantId", "managedByTenants"]),
    ] {
        let one = get(&sim, &format!("/subscriptions/{SUB}?api-version={version}")).await;
        let expected: BTreeSet<_> = first.into_iter().chain(added).collect();
        assert_eq!(names(&one), expected, "{version}");
        let list = get(&sim, &format!("/subscriptions?api-version={version}")).await;
        assert_eq!(list["value"], json!([one]), "{version}");
        assert_eq!(list.get("count").is_some(), version == "2022-12-01", "{version}");
        let tenants = get(&sim, &format!("/tenants?api-version={version}")).await;
        let since =
            of_tenant.iter().filter(|(since, _)| *since <= version).flat_map(|(_, names)| names.iter().copied());
        let expected: BTreeSet<_> = ["id", "tenantId"].into_iter().chain(since).collect();
        assert_eq!(names(&tenants["value"][0]), expected, "{version}");
    }
}

#[tokio::test]
async fn the_last_page_of_subscriptions_and_tenants_has_an_empty_link() {
    let sim = Sim::with_account(json!({})).await;
    for path in [
        "/subscriptions?api-version=2016-06-01",
        "/subscriptions?api-version=2022-12-01",
        "/tenants?api-version=2022-12-01",
    ] {
        assert_eq!(get(&sim, path).await["nextLink"], "", "{path}: the specification requires the member");
    }
    sim.client(json!({"subscriptions": []})).await;
    let none = get(&sim, "/subscriptions?api-version=2022-12-01").await;
    assert_eq!((&none["value"], &none["nextLink"]), (&json!([]), &json!("")));
}

#[tokio::test]
async fn billing_of_2020_has_its_own_words() {
    let sim = billed("MCA").await;
    sim.control(Method::POST, &format!("/accounts/{SUB}/spend"), json!({"amount": "200"})).await;
    let property = billing_path(SUB).replace("2024-04-01", "2020-05-01");
    let property = get(&sim, &property).await;
    let profile = property["properties"]["billingProfileId"].as_str().unwrap();
    let expected = [
        "billingAccountDisplayName",
        "billingAccountId",
        "billingProfileDisplayName",
        "billingProfileId",
        "billingProfileSpendingLimit",
        "billingProfileStatus",
        "billingProfileStatusReasonCode",
        "billingTenantId",
        "invoiceSectionDisplayName",
        "invoiceSectionId",
        "isAccountAdmin",
        "productId",
        "productName",
        "skuDescription",
        "skuId",
    ];
    assert_eq!(names(&property["properties"]), BTreeSet::from(expected));
    let newest = sim.billing().await;
    for name in expected {
        assert_eq!(property["properties"][name], newest[name], "{name}");
    }

    let (account, _) = profile.split_once("/billingProfiles").unwrap();
    let read = async |path: &str| get(&sim, &format!("{path}?api-version=2020-05-01")).await;
    let accounts = read("/providers/Microsoft.Billing/billingAccounts").await;
    assert_eq!(accounts["value"], json!([read(account).await]));
    let expected = ["accountStatus", "accountType", "agreementType", "displayName", "hasReadAccess", "soldTo"];
    assert_eq!(names(&accounts["value"][0]["properties"]), BTreeSet::from(expected));

    let one = read(profile).await;
    assert_eq!(read(&format!("{account}/billingProfiles")).await["value"], json!([one]));
    let expected = [
        "billTo",
        "billingRelationshipType",
        "currency",
        "displayName",
        "enabledAzurePlans",
        "hasReadAccess",
        "invoiceDay",
        "invoiceEmailOptIn",
        "spendingLimit",
        "status",
        "statusReasonCode",
        "systemId",
        "targetClouds",
    ];
    assert_eq!(names(&one["properties"]), BTreeSet::from(expected));
    assert_eq!(names(&one["properties"]["enabledAzurePlans"][0]), BTreeSet::from(["skuDescription", "skuId"]));

    let one = read(&format!("{account}/billingSubscriptions/{SUB}")).await;
    for scope in [account, profile] {
        let list = read(&format!("{scope}/billingSubscriptions")).await;
        assert_eq!((&list["value"], &list["totalCount"]), (&json!([one]), &json!(1)), "{scope}");
    }
    let expected = [
        "billingProfileDisplayName",
        "billingProfileId",
        "displayName",
        "invoiceSectionDisplayName",
        "invoiceSectionId",
        "skuDescription",
        "skuId",
        "subscriptionBillingStatus",
        "subscriptionId",
    ];
    assert_eq!(names(&one["properties"]), BTreeSet::from(expected));
    assert_eq!(one["properties"]["subscriptionBillingStatus"], "Inactive", "it had no word for Disabled");
}

#[tokio::test]
async fn a_classic_account_of_2020_tells_whom_it_writes_to_and_why_it_stopped() {
    let sim = billed("MOSP").await;
    let property = get(&sim, &billing_path(SUB).replace("2024-04-01", "2020-05-01")).await;
    let properties = &property["properties"];
    assert_eq!(properties["accountAdminNotificationEmailAddress"], "jan@contoso.example");
    assert_eq!(properties["isAccountAdmin"], true);
    let account = properties["billingAccountId"].as_str().unwrap();
    let read = async || {
        let path = format!("{account}/billingSubscriptions/{SUB}?api-version=2020-05-01");
        get(&sim, &path).await["properties"].clone()
    };
    assert_eq!(read().await["subscriptionBillingStatus"], "Active");
    sim.control(Method::POST, &format!("/accounts/{SUB}/spend"), json!({"amount": "200"})).await;
    let stopped = read().await;
    assert_eq!(stopped["subscriptionBillingStatus"], "Inactive");
    assert_eq!(stopped["suspensionReasons"], json!(["SpendingLimitReached"]));
    assert!(stopped.get("offerId").is_none(), "{stopped}");
}

#[tokio::test]
async fn credits_of_2021_say_nothing_of_estimates() {
    let sim = billed("MCA").await;
    let profile = sim.billing().await["billingProfileId"].as_str().unwrap().to_owned();
    let (account, _) = profile.split_once("/billingProfiles").unwrap();
    for (scope, path, gone) in [
        (profile.as_str(), "credits/balanceSummary?", vec!["isEstimatedBalance"]),
        (account, "lots?", vec!["isEstimatedBalance"]),
        (profile.as_str(), "lots?", vec!["isEstimatedBalance"]),
        (
            profile.as_str(),
            "events?startDate=2025-12-31&endDate=2026-12-31&",
            vec!["billingAccountDisplayName", "billingAccountId", "isEstimatedBalance"],
        ),
    ] {
        let read = async |version: &str| {
            let body = get(&sim, &format!("{scope}/providers/Microsoft.Consumption/{path}api-version={version}")).await;
            let one = if body["value"].is_array() { body["value"][0].clone() } else { body };
            one["properties"].clone()
        };
        let (old, new) = (read("2021-10-01").await, read("2024-08-01").await);
        let missing: Vec<_> = names(&new).difference(&names(&old)).copied().map(str::to_owned).collect();
        assert_eq!(missing, gone, "{path}");
        for name in names(&old) {
            assert_eq!(old[name], new[name], "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_version_that_is_not_served_is_refused_with_those_that_are() {
    let sim = billed("MCA").await;
    let profile = sim.billing().await["billingProfileId"].as_str().unwrap().to_owned();
    for (path, served) in [
        (
            format!("/subscriptions/{SUB}"),
            "'2016-06-01,2018-06-01,2019-06-01,2019-11-01,2020-01-01,2021-01-01,2022-12-01'",
        ),
        (
            format!("/subscriptions/{SUB}/providers/Microsoft.Billing/billingProperty/default"),
            "'2020-05-01,2024-04-01'",
        ),
        (profile.clone(), "'2020-05-01,2024-04-01'"),
        (format!("{profile}/providers/Microsoft.Consumption/lots"), "'2021-10-01,2024-08-01'"),
    ] {
        for unknown in ["2015-01-01", "2099-01-01", "2020-05-01-preview", "2019-07-01", "2024-04-02", ""] {
            let response = sim.read(&format!("{path}?api-version={unknown}")).send().await.unwrap();
            assert_eq!(response.status(), 400, "{path} {unknown}");
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["error"]["code"], "InvalidApiVersionParameter", "{path} {unknown}");
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains(served), "{message}");
        }
    }
}
