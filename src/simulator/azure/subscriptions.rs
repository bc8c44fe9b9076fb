//! Subscriptions and tenants, as Azure Resource Manager lists them: api-version 2022-12-01
//! (<https://learn.microsoft.com/rest/api/resources/subscriptions>), and 2016-06-01 for older SDKs.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::account::{Snapshot, State};
use super::arm::{self, Ask};
use super::paging;
use crate::simulator::protocol::Reply;
use crate::simulator::world::World;

const OLD: &str = "2016-06-01";
const NEW: &str = "2022-12-01";

/// `GET /subscriptions`: those that the client may read.
pub(crate) fn list(world: &World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    arm::check_api_version(ask.call, &[NEW, OLD])?;
    let time = world.ago(ask.stale);
    let readable = world.accounts_at(time).filter(|account| {
        let settings = &account.settings;
        settings.tenant_id == ask.client.tenant_id && ask.client.subscriptions.contains(&settings.subscription_id)
    });
    let snapshots = readable.map(|account| account.at(time)).filter(|snapshot| snapshot.state != State::Gone);
    let items: Vec<_> = snapshots
        .map(|snapshot| (snapshot.account.settings.subscription_id.clone(), body(&snapshot, is_old(ask))))
        .collect();
    let mut page = paging::page(world, ask.call, &items)?;
    if !is_old(ask) {
        page["count"] = json!({"type": "Total", "value": items.len()});
    }
    Ok(Reply::new(StatusCode::OK, page))
}

/// `GET /subscriptions/{id}`
pub(crate) fn get(world: &World, ask: &Ask<'_>, id: &str) -> Result<Reply, Reply> {
    arm::check_api_version(ask.call, &[NEW, OLD])?;
    let snapshot = arm::visible(world, ask, id, ("Microsoft.Resources/subscriptions/read", ""))?;
    Ok(Reply::new(StatusCode::OK, body(&snapshot, is_old(ask))))
}

/// `GET /tenants`: an application sees its own.
pub(crate) fn tenants(world: &World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    arm::check_api_version(ask.call, &[NEW, OLD])?;
    let id = &ask.client.tenant_id;
    let mut tenant = json!({"id": format!("/tenants/{id}"), "tenantId": id});
    if !is_old(ask) {
        let domain = "contoso.example";
        tenant["countryCode"] = json!("NL");
        tenant["displayName"] = json!("Contoso");
        tenant["domains"] = json!([domain]);
        tenant["defaultDomain"] = json!(domain);
        tenant["tenantCategory"] = json!("Home");
        tenant["tenantType"] = json!("AAD");
    }
    Ok(Reply::new(StatusCode::OK, paging::page(world, ask.call, &[(id.clone(), tenant)])?))
}

fn is_old(ask: &Ask<'_>) -> bool {
    ask.call.query("api-version").as_deref() == Some(OLD)
}

fn body(snapshot: &Snapshot<'_>, old: bool) -> Value {
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
    if !old {
        body["managedByTenants"] = json!([]);
        body["tenantId"] = json!(settings.tenant_id);
    }
    body
}
