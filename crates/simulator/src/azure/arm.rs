//! Azure Resource Manager: the envelope, and the checks that come before every answer.
//! <https://github.com/Azure/azure-resource-manager-rpc>, version 1.0.

use axum::http::Method;
use uuid::Uuid;

use super::account::{Snapshot, State};
use super::client::Client;
use super::entra::{self, TokenProblem};
use super::errors::error;
use super::offer::Offer;
use super::rights;
use super::state::Azure;
use crate::ground::Ground;
use crate::message::{Call, Reply};

/// The provider namespaces that a Microsoft Imagine account can use, as its error lists them. Not documented; reported
/// by users: <https://github.com/JulianHayward/Azure-MG-Sub-Governance-Reporting/issues/110>.
const IMAGINE_PROVIDERS: &str = "Microsoft.Authorization,Microsoft.Billing,Microsoft.Education,Microsoft.Features,\
    microsoft.insights,Microsoft.NotificationHubs,Microsoft.Resources,Microsoft.Sql,Microsoft.Subscription,\
    microsoft.support,microsoft.visualstudio,Microsoft.Web";

/// A request whose caller is known.
pub(crate) struct Ask<'a> {
    pub(crate) call: &'a Call,
    pub(crate) client: Client,
    /// Reads show what was so many billing seconds ago.
    pub(crate) stale: u32,
}

/// Adds the headers that every answer has:
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md>.
pub(crate) fn finish(ground: &mut Ground, call: &Call, mut reply: Reply) -> Reply {
    let request_id = ground.uuid();
    let time = ground.clock.now().strftime("%Y%m%dT%H%M%SZ");
    reply.set("x-ms-routing-request-id", &format!("SIMULATOR:{time}:{request_id}"));
    reply.set("cache-control", "no-cache");
    reply.set("x-ms-correlation-request-id", call.header("x-ms-correlation-request-id").unwrap_or(&request_id));
    reply.set("x-ms-request-id", &request_id);
    if call.header("x-ms-return-client-request-id").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        && let Some(id) = call.header("x-ms-client-request-id")
    {
        reply.set("x-ms-client-request-id", id);
    }
    reply
}

/// The api-version that the request asks for, if it is one of these. Versions are dates: later ones compare as greater.
pub(crate) fn api_version(call: &Call, served: &[&'static str]) -> Result<&'static str, Reply> {
    let asked = call.query("api-version").ok_or_else(missing_api_version)?;
    served.iter().find(|version| **version == asked).copied().ok_or_else(|| {
        let served = served.join(",");
        let message = format!("The api-version '{asked}' is invalid. The supported versions are '{served}'.");
        error(400, "InvalidApiVersionParameter", &message)
    })
}

fn missing_api_version() -> Reply {
    let message = "The api-version query parameter (?api-version=) is required for all requests.";
    error(400, "MissingApiVersionParameter", message)
}

/// The client that the request's token was made for, if the token is for one of these audiences.
pub(crate) fn authenticate(azure: &Azure<'_>, call: &Call, id: &str, audiences: &[&str]) -> Result<Client, Reply> {
    let problem = match entra::check(azure, call, audiences) {
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
            format!(
                "The access token expiry UTC time '{at}' is earlier than current UTC time '{}'.",
                payg_virtual_time::wall()
            ),
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
    let tenant = azure.state.account(id).map_or("common", |account| &account.settings.tenant_id);
    Err(challenge(azure, tenant, code, &message, &message))
}

/// The refusal of a token, with the tenant where another is to be had. `short` is what the challenge says.
fn challenge(azure: &Azure<'_>, tenant: &str, code: &str, message: &str, short: &str) -> Reply {
    let challenge = format!(
        "Bearer authorization_uri=\"{}/{tenant}\", error=\"invalid_token\", error_description=\"{short}\"",
        azure.ground.url
    );
    error(401, code, message).with("www-authenticate", &challenge)
}

/// Refuses a token that another tenant than the account's has issued:
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>.
fn check_tenant(azure: &Azure<'_>, ask: &Ask<'_>, id: &str) -> Result<(), Reply> {
    let time = azure.ground.ago(ask.stale);
    let Some(account) = azure.state.account_at(id, time).filter(|account| account.at(time).state != State::Gone) else {
        return Ok(());
    };
    let (issuer, tenant) = (&ask.client.tenant_id, &account.settings.tenant_id);
    if issuer == tenant {
        return Ok(());
    }
    // As users report it: <https://github.com/Azure/azure-sdk-for-js/issues/23330>.
    let message = format!(
        "The access token is from the wrong issuer 'https://sts.windows.net/{issuer}/'. It must match the tenant \
         'https://sts.windows.net/{tenant}/' associated with this subscription. Please use the authority (URL) \
         '{}/{tenant}' to get the token. Note, if the subscription is transferred to another tenant there is no impact \
         to the services, but information about new tenant could take time to propagate (up to an hour). If you just \
         transferred your subscription and see this error message, please try back later.",
        azure.ground.url
    );
    let short = "The access token is from the wrong issuer. It must match the tenant associated with this \
                 subscription. Please use correct authority to get the token.";
    Err(challenge(azure, tenant, "InvalidAuthenticationTokenTenant", &message, short))
}

/// The account as it was `stale` billing seconds ago, if the client may see it. `action` and `scope` (below the
/// account) are what the error names.
pub(crate) fn readable<'w>(
    azure: &'w Azure<'_>,
    client: &Client,
    id: &str,
    stale: u32,
    (action, scope): (&str, &str),
) -> Result<Snapshot<'w>, Reply> {
    if Uuid::try_parse(id).is_err() {
        let message = format!("The provided subscription identifier '{id}' is malformed or invalid.");
        return Err(error(400, "InvalidSubscriptionId", &message));
    }
    let time = azure.ground.ago(stale);
    let account = azure.state.account_at(id, time).filter(|account| account.settings.tenant_id == client.tenant_id);
    let account = account.ok_or_else(|| not_found(id))?;
    if !client.subscriptions.contains(id) {
        return Err(rights::forbidden(client, action, &format!("/subscriptions/{id}{scope}")));
    }
    Ok(account.at(time))
}

pub(crate) fn not_found(id: &str) -> Reply {
    error(404, "SubscriptionNotFound", &format!("The subscription '{id}' could not be found."))
}

/// Any other provider of the account: none is simulated. An Imagine account may not even ask, a disabled one may not
/// write: <https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states>.
pub(crate) fn other_provider(azure: &Azure<'_>, ask: &Ask<'_>, id: &str, namespace: &str) -> Result<Reply, Reply> {
    let version = ask.call.query("api-version").ok_or_else(missing_api_version)?;
    let writes = matches!(ask.call.method, Method::PUT | Method::PATCH | Method::POST);
    let namespace = ask.call.path.split('/').nth(4).unwrap_or(namespace); // as it was sent
    let action = format!("{namespace}/{}", if writes { "write" } else { "read" });
    let snapshot = visible(azure, ask, id, (&action, ""))?;
    rights::check_role(&ask.client, &ask.call.method, &action, &format!("/subscriptions/{id}"))?;
    let imagine = snapshot.account.settings.offer == Offer::Imagine && !snapshot.converted;
    if imagine && !IMAGINE_PROVIDERS.split(',').any(|allowed| allowed.eq_ignore_ascii_case(namespace)) {
        let message = format!(
            "The operation is not permitted for namespace '{namespace}'. List of permitted provider namespaces is \
             '{IMAGINE_PROVIDERS}'."
        );
        return Err(error(400, "DisallowedProvider", &message));
    }
    if writes {
        check_writable(&snapshot, id)?;
    }
    let message =
        format!("The resource type could not be found in the namespace '{namespace}' for api version '{version}'.");
    Err(error(404, "InvalidResourceType", &message))
}

/// Refuses writes to an account that is disabled or deleted. The text is from users' reports:
/// <https://github.com/microsoft/vscode-azureappservice/issues/912>.
pub(crate) fn check_writable(snapshot: &Snapshot<'_>, id: &str) -> Result<(), Reply> {
    if !matches!(snapshot.state, State::Disabled | State::Deleted) {
        return Ok(());
    }
    let message = format!(
        "The subscription '{id}' is disabled and therefore marked as read only. You cannot perform any write actions \
         on this subscription until it is re-enabled."
    );
    Err(error(409, "ReadOnlyDisabledSubscription", &message))
}

/// The account, if Resource Manager knows it and the caller may see it.
pub(crate) fn visible<'w>(
    azure: &'w Azure<'_>,
    ask: &Ask<'_>,
    id: &str,
    action: (&str, &str),
) -> Result<Snapshot<'w>, Reply> {
    check_tenant(azure, ask, id)?;
    let snapshot = readable(azure, &ask.client, id, ask.stale, action)?;
    if snapshot.state == State::Gone { Err(not_found(id)) } else { Ok(snapshot) }
}
