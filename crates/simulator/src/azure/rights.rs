//! What a client may do.

use axum::http::Method;
use serde::{Deserialize, Serialize};

use super::arm;
use super::entra::{Client, object_id};
use super::settings::Agreement;
use crate::message::Reply;

/// The roles of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rights {
    /// On each of its subscriptions.
    pub(crate) role: Role,
    /// On the billing accounts of its tenant.
    pub(crate) billing: BillingRole,
    /// Whether its role on the subscriptions contains `Microsoft.Billing/billingProperty/read`.
    pub(crate) billing_property: bool,
}

/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    #[default]
    Reader,
    Contributor,
}

/// <https://learn.microsoft.com/azure/cost-management-billing/manage/understand-mca-roles>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BillingRole {
    #[default]
    None,
    /// Of billing accounts with a customer agreement: a classic one can have no service principal as reader.
    Reader,
    /// As if it were the person who signed up, and not a service principal: sees classic billing accounts too.
    AccountAdministrator,
}

impl BillingRole {
    pub(crate) const fn sees(self, agreement: Agreement) -> bool {
        match agreement {
            Agreement::Mosp => matches!(self, Self::AccountAdministrator),
            Agreement::Mca => !matches!(self, Self::None),
        }
    }
}

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
    arm::error(403, "AuthorizationFailed", &message)
}
