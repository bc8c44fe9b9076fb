//! The Instance Metadata Service of a machine in Azure, as far as it gives tokens for managed identities:
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>. On a machine it
//! listens at 169.254.169.254, without TLS.

use axum::http::StatusCode;
use serde_json::json;

use super::client::{Client, ManagedIdentity};
use super::entra;
use super::state::Azure;
use crate::message::{Call, Reply};

/// `GET /metadata/identity/oauth2/token`
pub(crate) fn token(azure: &mut Azure<'_>, call: &Call) -> Reply {
    if !call.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return refuse("invalid_request", "Required metadata header not specified");
    }
    match call.query("api-version").as_deref() {
        Some("2018-02-01" | "2019-08-01") => {}
        Some(_) => return refuse("bad_request_102", "The api-version is not supported"),
        None => return refuse("bad_request_102", "Required api-version parameter not specified"),
    }
    let Some(resource) = call.query("resource") else {
        return refuse("invalid_request", "Required query variable 'resource' is missing");
    };
    let client = match identity(azure, call.query("client_id").as_deref()) {
        Ok(client) => client,
        Err(why) => return refuse("invalid_request", why),
    };
    let Ok(audience) = entra::audience(&client, &format!("{resource}/.default")) else {
        let why = format!(
            "AADSTS500011: The resource principal named {resource} was not found in the tenant named {}.",
            client.tenant_id
        );
        return refuse("invalid_resource", &why);
    };
    let (id, lifetime) = (client.id.clone(), client.token_lifetime_seconds.to_string());
    let issued = entra::issue(azure, client, audience);
    let body = json!({
        "access_token": issued.text, "client_id": id, "expires_in": lifetime, "ext_expires_in": lifetime,
        "expires_on": issued.expires.as_second().to_string(), "not_before": issued.now.as_second().to_string(),
        "resource": resource, "token_type": "Bearer",
    });
    Reply::new(StatusCode::OK, body)
}

/// The identity of the machine with this id; without one, the one that is meant without saying so.
fn identity(azure: &Azure<'_>, id: Option<&str>) -> Result<Client, &'static str> {
    let of_machine = || azure.state.clients.values().filter(|client| client.managed_identity.is_some());
    let found = match id {
        Some(id) => of_machine().find(|client| client.id == id.to_lowercase()),
        None => match of_machine().find(|client| client.managed_identity == Some(ManagedIdentity::SystemAssigned)) {
            None if of_machine().count() > 1 => {
                return Err(
                    "Multiple user assigned identities exist, please specify the clientId / resourceId of the \
                            identity in the token request",
                );
            }
            None => of_machine().next(),
            system => system,
        },
    };
    found.cloned().ok_or("Identity not found")
}

fn refuse(error: &str, description: &str) -> Reply {
    Reply::new(StatusCode::BAD_REQUEST, json!({"error": error, "error_description": description}))
}
