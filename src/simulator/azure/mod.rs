//! Azure: Microsoft Entra tokens, Azure Resource Manager, and the upgrade broker, which is ours.

pub(crate) mod account;
pub(crate) mod arm;
mod billing_property;
pub(crate) mod broker;
pub(crate) mod entra;
pub(crate) mod settings;

use axum::http::Method;

use super::protocol::{Call, OperationName, Reply};
use super::world::World;

/// What a request asks for. Account ids are in canonical form if they are GUIDs, otherwise as they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Token { tenant: String },
    InstanceDiscovery,
    OpenIdConfiguration { tenant: String },
    Subscription { id: String },
    BillingProperty { id: String },
    OtherProvider { id: String, namespace: String },
    Upgrade { id: String },
    OperationStatus { id: String, operation: String },
    OperationResult { id: String, operation: String },
    Unknown,
}

impl Target {
    /// Paths are case-insensitive, as Azure's are.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let id = |id: &str| settings::guid("subscriptionId", id).unwrap_or_else(|_| id.to_owned());
        let text = str::to_owned;
        match (method.as_str(), segments.as_slice()) {
            ("POST", [tenant, "oauth2", "v2.0", "token"]) => Self::Token { tenant: text(tenant) },
            ("GET", ["common", "discovery", "instance"]) => Self::InstanceDiscovery,
            ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
                Self::OpenIdConfiguration { tenant: text(tenant) }
            }
            ("GET", ["subscriptions", sub]) => Self::Subscription { id: id(sub) },
            ("GET", ["subscriptions", sub, "providers", "microsoft.billing", "billingproperty", "default"]) => {
                Self::BillingProperty { id: id(sub) }
            }
            (_, ["subscriptions", sub, "providers", namespace, ..]) => {
                Self::OtherProvider { id: id(sub), namespace: text(namespace) }
            }
            (method, ["broker", "subscriptions", sub, "providers", "paygoperator.broker", rest @ ..]) => {
                match (method, rest) {
                    ("POST", ["upgrade"]) => Self::Upgrade { id: id(sub) },
                    ("GET", ["operationstatuses", op]) => Self::OperationStatus { id: id(sub), operation: text(op) },
                    ("GET", ["operationresults", op]) => Self::OperationResult { id: id(sub), operation: text(op) },
                    _ => Self::Unknown,
                }
            }
            _ => Self::Unknown,
        }
    }

    pub(crate) fn operation(&self) -> OperationName {
        match self {
            Self::Token { .. } => OperationName::Token,
            Self::InstanceDiscovery | Self::OpenIdConfiguration { .. } => OperationName::Discovery,
            Self::Subscription { .. } => OperationName::Subscription,
            Self::BillingProperty { .. } => OperationName::BillingProperty,
            Self::Upgrade { .. } => OperationName::Upgrade,
            Self::OperationStatus { .. } | Self::OperationResult { .. } => OperationName::OperationStatus,
            Self::OtherProvider { .. } | Self::Unknown => OperationName::Other,
        }
    }

    pub(crate) fn account(&self) -> Option<&str> {
        match self {
            Self::Subscription { id }
            | Self::BillingProperty { id }
            | Self::OtherProvider { id, .. }
            | Self::Upgrade { id }
            | Self::OperationStatus { id, .. }
            | Self::OperationResult { id, .. } => Some(id),
            Self::Token { .. } | Self::InstanceDiscovery | Self::OpenIdConfiguration { .. } | Self::Unknown => None,
        }
    }
}

/// Processes a request; reads show the account as it was `stale` billing seconds ago.
pub(crate) fn process(world: &mut World, call: &Call, target: &Target, stale: u32) -> Reply {
    let answer = match target {
        Target::Token { tenant } => return entra::token(world, call, tenant),
        Target::InstanceDiscovery => return entra::instance_discovery(world),
        Target::OpenIdConfiguration { tenant } => return entra::openid_configuration(world, tenant),
        Target::Subscription { id } => arm::subscription(world, call, id, stale),
        Target::BillingProperty { id } => arm::billing_property(world, call, id, stale),
        Target::OtherProvider { id, namespace } => arm::other_provider(world, call, id, namespace),
        Target::Upgrade { id } => broker::upgrade(world, call, id),
        Target::OperationStatus { id, operation } => broker::operation_status(world, call, id, operation),
        Target::OperationResult { id, operation } => broker::operation_result(world, call, id, operation),
        Target::Unknown => Err(arm::error(404, "NotFound", &format!("There is nothing at {}.", call.path))),
    };
    let reply = answer.unwrap_or_else(|refusal| refusal);
    arm::finish(world, call, reply)
}
