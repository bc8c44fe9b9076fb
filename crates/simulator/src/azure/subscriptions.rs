//! Subscriptions and tenants, as Azure Resource Manager lists them:
//! <https://learn.microsoft.com/rest/api/resources/subscriptions>.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::account::{Snapshot, State};
use super::arm::{self, Ask};
use super::paging;
use super::state::Azure;
use crate::message::Reply;

/// What released SDKs and tools ask for. Each has what the one before it has, and perhaps more.
const API_VERSIONS: [&str; 7] =
    ["2016-06-01", "2018-06-01", "2019-06-01", "2019-11-01", "2020-01-01", "2021-01-01", "2022-12-01"];

/// `GET /subscriptions`: those that the client may read.
pub(crate) fn list(azure: &Azure<'_>, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let time = azure.ground.ago(ask.stale);
    let readable = azure.state.accounts_at(time).filter(|account| {
        let settings = &account.settings;
        settings.tenant_id == ask.client.tenant_id && ask.client.subscriptions.contains(&settings.subscription_id)
    });
    let snapshots = readable.map(|account| account.at(time)).filter(|snapshot| snapshot.state != State::Gone);
    let items: Vec<_> = snapshots
        .map(|snapshot| (snapshot.account.settings.subscription_id.clone(), body(&snapshot, version)))
        .collect();
    let mut page = page(azure, ask, &items)?;
    if version >= "2022-12-01" {
        page["count"] = json!({"type": "Total", "value": items.len()});
    }
    Ok(Reply::new(StatusCode::OK, page))
}

/// `GET /subscriptions/{id}`
pub(crate) fn get(azure: &Azure<'_>, ask: &Ask<'_>, id: &str) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let snapshot = arm::visible(azure, ask, id, ("Microsoft.Resources/subscriptions/read", ""))?;
    Ok(Reply::new(StatusCode::OK, body(&snapshot, version)))
}

/// `GET /tenants`: an application sees its own.
pub(crate) fn tenants(azure: &Azure<'_>, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let id = &ask.client.tenant_id;
    let mut tenant = json!({"id": format!("/tenants/{id}"), "tenantId": id});
    let domain = "contoso.example";
    if version >= "2018-06-01" {
        tenant["country"] = json!("The Netherlands");
        tenant["countryCode"] = json!("NL");
        tenant["displayName"] = json!("Contoso");
        tenant["domains"] = json!([domain]);
    }
    if version >= "2019-06-01" {
        tenant["tenantCategory"] = json!("Home");
    }
    if version >= "2020-01-01" {
        tenant["defaultDomain"] = json!(domain);
        tenant["tenantType"] = json!("AAD");
    }
    Ok(Reply::new(StatusCode::OK, page(azure, ask, &[(id.clone(), tenant)])?))
}

/// A page of a list whose specification requires `nextLink`: on the last one it is empty.
fn page(azure: &Azure<'_>, ask: &Ask<'_>, items: &[(String, Value)]) -> Result<Value, Reply> {
    let mut page = paging::page(azure, ask.call, items)?;
    if page.get("nextLink").is_none() {
        page["nextLink"] = json!("");
    }
    Ok(page)
}

fn body(snapshot: &Snapshot<'_>, version: &str) -> Value {
    let settings = &snapshot.account.settings;
    let id = &settings.subscription_id;
    let mut body = json!({
        "id": format!("/subscriptions/{id}"),
        "authorizationSource": "RoleBased",
        "subscriptionId": id,
        "displayName": settings.display_name,
        "state": format!("{:?}", snapshot.state),
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": snapshot.quota_id(),
            "spendingLimit": if snapshot.limited() { "On" } else { "Off" },
        },
    });
    if version >= "2018-06-01" {
        body["tenantId"] = json!(settings.tenant_id);
    }
    if version >= "2019-06-01" {
        body["managedByTenants"] = json!([]);
    }
    body
}
