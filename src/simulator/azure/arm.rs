//! Azure Resource Manager: the envelope, the checks that come before every read, and the reads.
//! <https://github.com/Azure/azure-resource-manager-rpc>, version 1.0; the subscription as api-version 2022-12-01 has it:
//! <https://learn.microsoft.com/rest/api/resources/subscriptions/get>.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::account::{Snapshot, State};
use super::entra::{Client, TokenProblem};
use super::settings::Offer;
use super::{billing_property, entra};
use crate::simulator::protocol::{Call, Reply};
use crate::simulator::world::{World, object_id};

/// What tokens for Resource Manager are asked for, without a slash at the end.
pub(crate) const AUDIENCES: [&str; 2] = ["https://management.azure.com", "https://management.core.windows.net"];
/// The provider namespaces that a Microsoft Imagine account can use, as its error lists them. Not documented; reported
/// by users: <https://github.com/JulianHayward/Azure-MG-Sub-Governance-Reporting/issues/110>.
const IMAGINE_PROVIDERS: &str = "Microsoft.Authorization,Microsoft.Billing,Microsoft.Education,Microsoft.Features,\
    microsoft.insights,Microsoft.NotificationHubs,Microsoft.Resources,Microsoft.Sql,Microsoft.Subscription,\
    microsoft.support,microsoft.visualstudio,Microsoft.Web";

pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Reply::new(status, json!({"error": {"code": code, "message": message}}))
}

/// The error of a service that fails with this status.
pub(crate) fn failure(status: u16) -> Reply {
    let (code, message) = match status {
        502 => ("BadGateway", "The server received an invalid response from an upstream server."),
        503 => ("ServiceUnavailable", "The service is unavailable. Please try again later."),
        504 => ("GatewayTimeout", "The gateway did not receive a response from the service within the time limit."),
        _ => ("InternalServerError", "The server encountered an error. Please try again later."),
    };
    error(status, code, message)
}

/// The error of a service that throttles.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>.
pub(crate) fn throttled(account: Option<&str>, retry_after_seconds: u32) -> Reply {
    let message = format!(
        "Number of 'read' requests for subscription '{}' actor '{}' exceeded. Please try again after \
         '{retry_after_seconds}' seconds.",
        account.unwrap_or_default(),
        Uuid::nil()
    );
    error(429, "SubscriptionRequestsThrottled", &message)
        .with("retry-after", &retry_after_seconds.to_string())
        .with("x-ms-ratelimit-remaining-subscription-reads", "0")
}

/// Adds the headers that every answer has:
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md>.
pub(crate) fn finish(world: &mut World, call: &Call, mut reply: Reply) -> Reply {
    let request_id = world.uuid();
    reply.set("x-ms-correlation-request-id", call.header("x-ms-correlation-request-id").unwrap_or(&request_id));
    reply.set("x-ms-request-id", &request_id);
    if call.header("x-ms-return-client-request-id").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        && let Some(id) = call.header("x-ms-client-request-id")
    {
        reply.set("x-ms-client-request-id", id);
    }
    reply
}

/// Refuses a request without one of these api-versions.
pub(crate) fn check_api_version(call: &Call, supported: &[&str]) -> Result<(), Reply> {
    match call.query("api-version") {
        None => Err(missing_api_version()),
        Some(version) if !supported.contains(&version.as_str()) => Err(error(
            400,
            "InvalidApiVersionParameter",
            &format!("The api-version '{version}' is invalid. The supported versions are '{}'.", supported.join(",")),
        )),
        Some(_) => Ok(()),
    }
}

fn missing_api_version() -> Reply {
    let message = "The api-version query parameter (?api-version=) is required for all requests.";
    error(400, "MissingApiVersionParameter", message)
}

/// The client that the request's token was made for, if the token is for one of these audiences.
pub(crate) fn authenticate(world: &World, call: &Call, id: &str, audiences: &[&str]) -> Result<Client, Reply> {
    let problem = match entra::check(world, call, audiences) {
        Ok(client) => return Ok(client),
        Err(problem) => problem,
    };
    let (code, message) = match problem {
        TokenProblem::Missing => {
            ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.".to_owned())
        }
        TokenProblem::Unknown => ("InvalidAuthenticationToken", "The access token is invalid.".to_owned()),
        TokenProblem::Expired(at) => (
            "ExpiredAuthenticationToken",
            format!("The access token expiry UTC time '{at}' is earlier than current UTC time '{}'.", Timestamp::now()),
        ),
        TokenProblem::Audience(audience) => (
            "InvalidAuthenticationTokenAudience",
            format!(
                "The access token has been obtained for wrong audience or resource '{audience}'. It should exactly \
                 match with one of the allowed audiences '{}'.",
                audiences.join("','")
            ),
        ),
    };
    let tenant = world.account(id).map_or("common", |account| &account.settings.tenant_id);
    let challenge = format!(
        "Bearer authorization_uri=\"{}/{tenant}\", error=\"invalid_token\", error_description=\"{message}\"",
        world.url
    );
    Err(error(401, code, &message).with("www-authenticate", &challenge))
}

/// The account as it was `stale` billing seconds ago, if the client may see it. `action` and `scope` (below the
/// account) are what the error names.
pub(crate) fn readable<'w>(
    world: &'w World,
    client: &Client,
    id: &str,
    stale: u32,
    (action, scope): (&str, &str),
) -> Result<Snapshot<'w>, Reply> {
    if Uuid::try_parse(id).is_err() {
        let message = format!("The provided subscription identifier '{id}' is malformed or invalid.");
        return Err(error(400, "InvalidSubscriptionId", &message));
    }
    let time = world.ago(stale);
    let account = world.account_at(id, time).filter(|account| account.settings.tenant_id == client.tenant_id);
    let account = account.ok_or_else(|| not_found(id))?;
    if !client.subscriptions.contains(id) {
        let (client, object) = (&client.id, object_id(&client.id));
        let message = format!(
            "The client '{client}' with object id '{object}' does not have authorization to perform action '{action}' \
             over scope '/subscriptions/{id}{scope}' or the scope is invalid. If access was recently granted, please \
             refresh your credentials."
        );
        return Err(error(403, "AuthorizationFailed", &message));
    }
    Ok(account.at(time))
}

pub(crate) fn not_found(id: &str) -> Reply {
    error(404, "SubscriptionNotFound", &format!("The subscription '{id}' could not be found."))
}

/// `GET /subscriptions/{id}`
pub(crate) fn subscription(world: &World, call: &Call, id: &str, stale: u32) -> Result<Reply, Reply> {
    check_api_version(call, &["2022-12-01"])?;
    let snapshot = visible(world, call, id, stale, ("Microsoft.Resources/subscriptions/read", ""))?;
    Ok(read(subscription_body(&snapshot)))
}

/// `GET /subscriptions/{id}/providers/Microsoft.Billing/billingProperty/default`
pub(crate) fn billing_property(world: &World, call: &Call, id: &str, stale: u32) -> Result<Reply, Reply> {
    check_api_version(call, &["2024-04-01"])?;
    let action = ("Microsoft.Billing/billingProperty/read", "/providers/Microsoft.Billing/billingProperty/default");
    let snapshot = visible(world, call, id, stale, action)?;
    Ok(read(billing_property::body(&snapshot)))
}

/// Any other provider of the account: none is simulated, and an Imagine account may not even ask.
pub(crate) fn other_provider(world: &World, call: &Call, id: &str, namespace: &str) -> Result<Reply, Reply> {
    let version = call.query("api-version").ok_or_else(missing_api_version)?;
    let snapshot = visible(world, call, id, 0, ("Microsoft.Resources/subscriptions/providers/read", ""))?;
    let imagine = snapshot.account.settings.offer == Offer::Imagine && !snapshot.converted;
    if imagine && !IMAGINE_PROVIDERS.split(',').any(|allowed| allowed.eq_ignore_ascii_case(namespace)) {
        let message = format!(
            "The operation is not permitted for namespace '{namespace}'. List of permitted provider namespaces is \
             '{IMAGINE_PROVIDERS}'."
        );
        return Err(error(400, "DisallowedProvider", &message));
    }
    let message =
        format!("The resource type could not be found in the namespace '{namespace}' for api version '{version}'.");
    Err(error(404, "InvalidResourceType", &message))
}

/// The account, if Resource Manager knows it and the caller may see it.
fn visible<'w>(
    world: &'w World,
    call: &Call,
    id: &str,
    stale: u32,
    action: (&str, &str),
) -> Result<Snapshot<'w>, Reply> {
    let client = authenticate(world, call, id, &AUDIENCES)?;
    let snapshot = readable(world, &client, id, stale, action)?;
    if snapshot.state == State::Gone { Err(not_found(id)) } else { Ok(snapshot) }
}

fn read(body: Value) -> Reply {
    Reply::new(StatusCode::OK, body).with("x-ms-ratelimit-remaining-subscription-reads", "249")
}

fn subscription_body(snapshot: &Snapshot<'_>) -> Value {
    let settings = &snapshot.account.settings;
    let id = &settings.subscription_id;
    json!({
        "id": format!("/subscriptions/{id}"),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": id,
        "tenantId": settings.tenant_id,
        "displayName": settings.display_name,
        "state": format!("{:?}", snapshot.state),
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": snapshot.quota_id(),
            "spendingLimit": if snapshot.limited() { "On" } else { "Off" },
        },
    })
}
