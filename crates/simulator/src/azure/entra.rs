//! Microsoft Entra: tokens for clients with a secret or an assertion, and what SDKs look up before they ask for one.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>; error codes:
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.

use std::collections::HashMap;

use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::assertion;
use super::client::{Client, Token, object_id};
use super::errors::Refusal;
use super::state::Azure;
use crate::message::{Call, Reply};

/// What tokens for Resource Manager are asked for, without a slash at the end.
pub(crate) const RESOURCE_MANAGER: [&str; 2] = ["https://management.azure.com", "https://management.core.windows.net"];
/// What tokens for the broker are asked for.
pub(crate) const BROKER: &str = "api://payg-broker";
/// <https://learn.microsoft.com/entra/identity-platform/scopes-oidc#openid-connect-scopes>
const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Why a request's token is not accepted.
pub(crate) enum TokenProblem {
    Missing,
    Unknown,
    Expired(Timestamp),
    Audience(String),
}

/// The client of the request's token, if the token is for one of these audiences.
pub(crate) fn check(azure: &Azure<'_>, call: &Call, audiences: &[&str]) -> Result<Client, TokenProblem> {
    let header = call.header("authorization").ok_or(TokenProblem::Missing)?;
    let (scheme, token) = header.split_once(' ').ok_or(TokenProblem::Unknown)?;
    let known = azure.state.tokens.get(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"));
    let token = known.ok_or(TokenProblem::Unknown)?;
    if token.expires <= payg_virtual_time::wall() {
        return Err(TokenProblem::Expired(token.expires));
    }
    if !audiences.contains(&token.audience.as_str()) {
        return Err(TokenProblem::Audience(token.audience.clone()));
    }
    let client = azure.state.clients.get(&token.client_id).filter(|client| client.tenant_id == token.tenant_id);
    client.cloned().ok_or(TokenProblem::Unknown)
}

/// `POST /{tenant}/oauth2/v2.0/token`
pub(crate) fn token(azure: &mut Azure<'_>, call: &Call, tenant: &str) -> Reply {
    let grant = match granted(azure, call, tenant) {
        Ok(grant) => grant,
        Err(refusal) => return refusal.reply(azure.ground),
    };
    let seconds = grant.client.token_lifetime_seconds;
    let text = issue(azure, grant.client, grant.audience).text;
    let body = json!({
        "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": text,
    });
    Reply::new(StatusCode::OK, body).with("cache-control", "no-store, no-cache")
}

/// A token that was issued, and its times on the wall clock.
pub(super) struct Issued {
    pub(super) text: String,
    pub(super) now: Timestamp,
    pub(super) expires: Timestamp,
}

/// Issues a token for `audience` to `client`.
pub(super) fn issue(azure: &mut Azure<'_>, client: Client, audience: String) -> Issued {
    let now = payg_virtual_time::wall();
    let lifetime = SignedDuration::from_secs(client.token_lifetime_seconds.into());
    // Adding an absolute duration saturates; the error is for calendar units only.
    let expires = now.saturating_add(lifetime).unwrap_or(now);
    let grant = Grant { client, audience };
    let text = jwt(azure, &grant, now, expires);
    let Grant { client, audience } = grant;
    let token = Token { client_id: client.id, tenant_id: client.tenant_id, audience, expires };
    azure.state.tokens.insert(text.clone(), token);
    Issued { text, now, expires }
}

/// What a token is issued for.
struct Grant {
    client: Client,
    audience: String,
}

fn granted(azure: &Azure<'_>, call: &Call, tenant: &str) -> Result<Grant, Refusal> {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    let field = |name: &str| {
        let missing = || format!("The request body must contain the following parameter: '{name}'.");
        form.get(name).ok_or_else(|| Refusal::new(400, "invalid_request", 900_144, missing()))
    };
    if field("grant_type")? != "client_credentials" {
        let message = "The app requested an unsupported grant type; the simulator knows 'client_credentials'.";
        return Err(Refusal::new(400, "unsupported_grant_type", 70003, message));
    }
    let (client_id, scope) = (field("client_id")?.to_lowercase(), field("scope")?);
    if !azure.state.knows_tenant(tenant) {
        let message = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
             correct cloud."
        );
        return Err(Refusal::new(400, "invalid_request", 90002, message));
    }
    let client = azure.state.clients.get(&client_id).filter(|client| client.tenant_id == tenant).ok_or_else(|| {
        let message = format!("Application with identifier '{client_id}' was not found in the directory '{tenant}'.");
        Refusal::new(400, "unauthorized_client", 700_016, message)
    })?;
    match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(secret), _) if client.secret.as_ref() == Some(secret) => {}
        (Some(_), _) => {
            let message = format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                 value, not the client secret ID, for a secret added to app '{client_id}'."
            );
            return Err(Refusal::new(401, "invalid_client", 7_000_215, message));
        }
        (None, Some(shown)) => {
            assertion::check(client, &form, shown, &format!("{}/{tenant}/oauth2/v2.0/token", azure.ground.url))?;
        }
        (None, None) => {
            let message =
                "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.";
            return Err(Refusal::new(401, "invalid_client", 7_000_216, message));
        }
    }
    Ok(Grant { client: client.clone(), audience: audience(client, resource_scope(scope)?)? })
}

/// Of the scopes, the one that is not about the person who signs in. There is none in this grant, but identity libraries
/// ask for those scopes always, and Microsoft Entra passes them over.
fn resource_scope(scopes: &str) -> Result<&str, Refusal> {
    let mut others = scopes.split_whitespace().filter(|scope| !OPENID_SCOPES.contains(scope));
    match (others.next(), others.next()) {
        (Some(scope), None) => Ok(scope),
        (None, _) => Ok(scopes),
        (Some(_), Some(_)) => {
            let message = format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input \
                 parameter 'scope' is not valid. The scope {scopes} is not valid."
            );
            Err(Refusal::new(400, "invalid_scope", 70_011, message))
        }
    }
}

/// The audience that a scope asks for, without a slash at the end.
pub(super) fn audience(client: &Client, scope: &str) -> Result<String, Refusal> {
    let Some(resource) = scope.strip_suffix("/.default") else {
        let message = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with \
             /.default suffixed to the resource identifier (application ID URI)."
        );
        return Err(Refusal::new(400, "invalid_scope", 1_002_012, message));
    };
    let audience = resource.trim_end_matches('/');
    let tenant = &client.tenant_id;
    if audience == BROKER {
        if client.broker {
            return Ok(audience.to_owned());
        }
        let message =
            format!("Application '{}' is not assigned to a role for the application '{audience}'.", client.id);
        return Err(Refusal::new(400, "invalid_grant", 501_051, message));
    }
    if RESOURCE_MANAGER.contains(&audience) {
        return Ok(audience.to_owned());
    }
    let message = format!("The resource principal named {resource} was not found in the tenant named {tenant}.");
    Err(Refusal::new(400, "invalid_resource", 500_011, message))
}

/// A token with the shape of a JSON Web Token. Its signature is noise: only this simulator can check it, and does so by
/// what it remembers.
fn jwt(azure: &mut Azure<'_>, grant: &Grant, now: Timestamp, expires: Timestamp) -> String {
    let client = &grant.client;
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "payg-simulator"});
    let claims = json!({
        "aud": grant.audience,
        "iss": format!("https://sts.windows.net/{}/", client.tenant_id),
        "iat": now.as_second(),
        "nbf": now.as_second(),
        "exp": expires.as_second(),
        "appid": client.id,
        // Of an application both are its service principal.
        "oid": object_id(&client.id),
        "sub": object_id(&client.id),
        "tid": client.tenant_id,
        "ver": "1.0",
    });
    let signature: Vec<u8> = std::iter::repeat_with(|| azure.ground.random.u8(..)).take(32).collect();
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    [encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()), encode(&signature)].join(".")
}

/// `GET /common/discovery/instance`: this host is an authority of its own.
pub(crate) fn instance_discovery(azure: &Azure<'_>) -> Reply {
    let host = azure.ground.url.trim_start_matches("https://");
    ok(json!({
        "tenant_discovery_endpoint": format!("{}/common/v2.0/.well-known/openid-configuration", azure.ground.url),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }))
}

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`
pub(crate) fn openid_configuration(azure: &Azure<'_>, tenant: &str) -> Reply {
    let base = format!("{}/{tenant}", azure.ground.url);
    ok(json!({
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "scopes_supported": OPENID_SCOPES,
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

/// `GET /{tenant}/discovery/v2.0/keys`: none, as no token here is signed.
pub(crate) fn signing_keys() -> Reply {
    ok(json!({"keys": []}))
}

fn ok(body: Value) -> Reply {
    Reply::new(StatusCode::OK, body)
}
