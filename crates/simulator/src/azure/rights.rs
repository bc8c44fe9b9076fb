//! What a client may do.

use axum::http::Method;

use super::client::{Client, Role, object_id};
use super::errors::error;
use crate::message::Reply;

/// Refuses an action whose request method the client's role does not allow.
pub(crate) fn check_role(client: &Client, method: &Method, action: &str, scope: &str) -> Result<(), Reply> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if reads || client.rights.role == Role::Contributor { Ok(()) } else { Err(forbidden(client, action, scope)) }
}

/// The error of an action that no role of the client contains.
pub(crate) fn forbidden(client: &Client, action: &str, scope: &str) -> Reply {
    let (client, object) = (&client.id, object_id(&client.id));
    let message = format!(
        "The client '{client}' with object id '{object}' does not have authorization to perform action '{action}' over \
         scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
    );
    error(403, "AuthorizationFailed", &message)
}
