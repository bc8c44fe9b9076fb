//! Azure: Microsoft Entra tokens, Azure Resource Manager, and the upgrade broker, which is ours.

pub(crate) mod account;
pub(crate) mod arm;
mod assertion;
mod billing;
mod billing_2020;
mod billing_property;
mod broker;
pub(crate) mod client;
mod consumption;
pub(crate) mod entra;
pub(crate) mod errors;
pub(crate) mod ids;
mod imds;
mod management;
pub(crate) mod offer;
pub(crate) mod operations;
mod paging;
mod rights;
pub(crate) mod settings;
pub(crate) mod state;
mod subscriptions;
pub(crate) mod throttle;
pub(crate) mod upgrades;

use axum::http::Method;
use jiff::Timestamp;
use uuid::Uuid;

use self::arm::Ask;
use self::errors::error;
use self::management::Action;
use self::state::{Azure, State};
use self::throttle::Counted;
use super::faults::RetryAfter;
use super::message::{Call, Reply};
use super::operation::OperationName;

/// What a request asks for. Account ids are in canonical form if they are GUIDs, otherwise as they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Token { tenant: String },
    MachineToken,
    InstanceDiscovery,
    OpenIdConfiguration { tenant: String },
    SigningKeys,
    Tenants,
    Subscriptions,
    Subscription { id: String },
    BillingProperty { id: String },
    Manage { id: String, action: Action },
    OtherProvider { id: String, namespace: String },
    BillingAccounts,
    BillingAccount { account: String },
    BillingProfiles { account: String },
    BillingProfile { account: String, profile: String },
    BillingSubscriptions { account: String, profile: Option<String> },
    BillingSubscription { account: String, name: String },
    BalanceSummary { account: String, profile: String },
    Lots { account: String, profile: Option<String> },
    Events { account: String, profile: Option<String> },
    Upgrade { id: String },
    OperationStatus { id: String, operation: String },
    OperationResult { id: String, operation: String },
    Unknown,
}

impl Target {
    /// Paths are case-insensitive, as Azure's are.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        // SDKs escape the colon in the names of billing accounts.
        let lower = path.to_ascii_lowercase().replace("%3a", ":");
        let segments: Vec<&str> = lower.trim_matches('/').split('/').collect();
        let as_sent: Vec<&str> = path.trim_matches('/').split('/').collect();
        let id = |id: &str| settings::guid("subscriptionId", id).unwrap_or_else(|_| id.to_owned());
        let text = str::to_owned;
        match (method.as_str(), segments.as_slice()) {
            ("POST", [tenant, "oauth2", "v2.0", "token"]) => Self::Token { tenant: text(tenant) },
            ("GET", ["metadata", "identity", "oauth2", "token"]) => Self::MachineToken,
            ("GET", ["common", "discovery", "instance"]) => Self::InstanceDiscovery,
            ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
                Self::OpenIdConfiguration { tenant: text(tenant) }
            }
            ("GET", [_, "discovery", "v2.0", "keys"]) => Self::SigningKeys,
            ("GET", ["tenants"]) => Self::Tenants,
            ("GET", ["subscriptions"]) => Self::Subscriptions,
            ("GET", ["subscriptions", sub]) => Self::Subscription { id: id(sub) },
            ("GET", ["subscriptions", sub, "providers", "microsoft.billing", "billingproperty", "default"]) => {
                Self::BillingProperty { id: id(sub) }
            }
            ("POST", ["subscriptions", sub, "providers", "microsoft.subscription", "cancel"]) => {
                Self::Manage { id: id(sub), action: Action::Cancel }
            }
            ("POST", ["subscriptions", sub, "providers", "microsoft.subscription", "rename"]) => {
                Self::Manage { id: id(sub), action: Action::Rename }
            }
            ("POST", ["subscriptions", sub, "providers", "microsoft.subscription", "enable"]) => {
                Self::Manage { id: id(sub), action: Action::Enable }
            }
            (_, ["subscriptions", sub, "providers", _, ..]) => {
                Self::OtherProvider { id: id(sub), namespace: text(as_sent[3]) }
            }
            (_, ["subscriptions", sub, "resourcegroups", _, "providers", _, ..]) => {
                Self::OtherProvider { id: id(sub), namespace: text(as_sent[5]) }
            }
            (_, ["subscriptions", sub, "resourcegroups", ..]) => {
                Self::OtherProvider { id: id(sub), namespace: "Microsoft.Resources".into() }
            }
            ("GET", ["providers", "microsoft.billing", "billingaccounts", rest @ ..]) => Self::of_billing(rest),
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

    /// What is below the billing accounts.
    fn of_billing(segments: &[&str]) -> Self {
        let text = |text: &str| text.to_owned();
        let Some((account, rest)) = segments.split_first() else { return Self::BillingAccounts };
        let account = text(account);
        let (profile, rest) = match rest {
            ["billingprofiles", profile, rest @ ..] => (Some(text(profile)), rest),
            _ => (None, rest),
        };
        match (profile, rest) {
            (None, []) => Self::BillingAccount { account },
            (None, ["billingprofiles"]) => Self::BillingProfiles { account },
            (profile, ["billingsubscriptions"]) => Self::BillingSubscriptions { account, profile },
            (None, ["billingsubscriptions", name]) => Self::BillingSubscription { account, name: text(name) },
            (Some(profile), []) => Self::BillingProfile { account, profile },
            (Some(profile), ["providers", "microsoft.consumption", "credits", "balancesummary"]) => {
                Self::BalanceSummary { account, profile }
            }
            (profile, ["providers", "microsoft.consumption", "lots"]) => Self::Lots { account, profile },
            (profile, ["providers", "microsoft.consumption", "events"]) => Self::Events { account, profile },
            _ => Self::Unknown,
        }
    }

    pub(crate) fn operation(&self) -> OperationName {
        match self {
            Self::Token { .. } | Self::MachineToken => OperationName::Token,
            Self::InstanceDiscovery | Self::OpenIdConfiguration { .. } | Self::SigningKeys => OperationName::Discovery,
            Self::Tenants => OperationName::TenantList,
            Self::Subscriptions => OperationName::SubscriptionList,
            Self::Subscription { .. } => OperationName::Subscription,
            Self::BillingProperty { .. } => OperationName::BillingProperty,
            Self::Manage { action: Action::Cancel, .. } => OperationName::Cancel,
            Self::Manage { action: Action::Rename, .. } => OperationName::Rename,
            Self::Manage { action: Action::Enable, .. } => OperationName::Enable,
            Self::BillingAccounts => OperationName::BillingAccountList,
            Self::BillingAccount { .. } => OperationName::BillingAccount,
            Self::BillingProfiles { .. } => OperationName::BillingProfileList,
            Self::BillingProfile { .. } => OperationName::BillingProfile,
            Self::BillingSubscriptions { .. } => OperationName::BillingSubscriptionList,
            Self::BillingSubscription { .. } => OperationName::BillingSubscription,
            Self::BalanceSummary { .. } => OperationName::BalanceSummary,
            Self::Lots { .. } => OperationName::Lots,
            Self::Events { .. } => OperationName::Events,
            Self::Upgrade { .. } => OperationName::Upgrade,
            Self::OperationStatus { .. } | Self::OperationResult { .. } => OperationName::OperationStatus,
            Self::OtherProvider { .. } | Self::Unknown => OperationName::Other,
        }
    }

    /// The subscription in the path.
    pub(crate) fn subscription(&self) -> Option<&str> {
        match self {
            Self::Subscription { id }
            | Self::BillingProperty { id }
            | Self::Manage { id, .. }
            | Self::OtherProvider { id, .. }
            | Self::Upgrade { id }
            | Self::OperationStatus { id, .. }
            | Self::OperationResult { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The billing account and the billing profile in the path.
    fn billed_by(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Self::BillingAccount { account }
            | Self::BillingProfiles { account }
            | Self::BillingSubscription { account, .. } => Some((account, None)),
            Self::BillingProfile { account, profile } | Self::BalanceSummary { account, profile } => {
                Some((account, Some(profile)))
            }
            Self::BillingSubscriptions { account, profile }
            | Self::Lots { account, profile }
            | Self::Events { account, profile } => Some((account, profile.as_deref())),
            _ => None,
        }
    }

    /// The account that the request is about: the one in the path, or the only one that the billing account or profile
    /// in the path pays for.
    pub(crate) fn account(&self, state: &State, now: Timestamp) -> Option<String> {
        if let Some(id) = self.subscription() {
            return Some(id.to_owned());
        }
        let (account, profile) = self.billed_by()?;
        let mut billed = state
            .billed_at(account, now)
            .filter(|(ids, _)| profile.is_none_or(|profile| ids.profile.eq_ignore_ascii_case(profile)));
        let (_, only) = billed.next()?;
        billed.next().is_none().then(|| only.settings.subscription_id.clone())
    }
}

/// Processes a request; reads show the account as it was `stale` billing seconds ago.
pub(crate) fn process(azure: &mut Azure<'_>, call: &Call, target: &Target, stale: u32) -> Reply {
    let answer = match target {
        Target::Token { tenant } => return entra::token(azure, call, tenant),
        Target::MachineToken => return imds::token(azure, call),
        Target::InstanceDiscovery => return entra::instance_discovery(azure),
        Target::OpenIdConfiguration { tenant } => return entra::openid_configuration(azure, tenant),
        Target::SigningKeys => return entra::signing_keys(),
        Target::Upgrade { id } => broker::upgrade(azure, call, id),
        Target::OperationStatus { id, operation } => broker::operation_status(azure, call, id, operation, stale),
        Target::OperationResult { id, operation } => broker::operation_result(azure, call, id, operation, stale),
        _ => resource_manager(azure, call, target, stale),
    };
    let reply = answer.unwrap_or_else(|refusal| refusal);
    arm::finish(azure.ground, call, reply)
}

fn resource_manager(azure: &mut Azure<'_>, call: &Call, target: &Target, stale: u32) -> Result<Reply, Reply> {
    if *target == Target::Unknown {
        return Err(error(404, "NotFound", &format!("There is nothing at {}.", call.path)));
    }
    let client = arm::authenticate(azure, call, target.subscription().unwrap_or_default(), &entra::RESOURCE_MANAGER)?;
    let counted = Counted::of(target.subscription(), &call.method, &client.tenant_id);
    let left = azure.state.buckets.take(azure.state.settings.throttling, &client, &counted)?;
    let ask = &Ask { call, client, stale };
    let mut reply = answer(azure, ask, target).unwrap_or_else(|refusal| refusal);
    counted.mark(&mut reply, left);
    Ok(reply)
}

fn answer(azure: &mut Azure<'_>, ask: &Ask<'_>, target: &Target) -> Result<Reply, Reply> {
    match target {
        Target::Tenants => subscriptions::tenants(azure, ask),
        Target::Subscriptions => subscriptions::list(azure, ask),
        Target::Subscription { id } => subscriptions::get(azure, ask, id),
        Target::BillingProperty { id } => billing_property::get(azure, ask, id),
        Target::BillingAccounts => billing::accounts(azure, ask),
        Target::BillingAccount { account } => billing::account(azure, ask, account),
        Target::BillingProfiles { account } => billing::profiles(azure, ask, account),
        Target::BillingProfile { account, profile } => billing::profile(azure, ask, account, profile),
        Target::BillingSubscriptions { account, profile } => {
            billing::subscriptions(azure, ask, account, profile.as_deref())
        }
        Target::BillingSubscription { account, name } => billing::subscription(azure, ask, account, name),
        Target::BalanceSummary { account, profile } => consumption::balance_summary(azure, ask, account, profile),
        Target::Lots { account, profile } => consumption::lots(azure, ask, account, profile.as_deref()),
        Target::Events { account, profile } => consumption::events(azure, ask, account, profile.as_deref()),
        Target::Manage { id, action } => management::act(azure, ask, id, *action),
        Target::OtherProvider { id, namespace } => arm::other_provider(azure, ask, id, namespace),
        // The others are no business of Resource Manager.
        _ => Err(error(404, "NotFound", &format!("There is nothing at {}.", ask.call.path))),
    }
}

/// The error of a request that a fault throttles. Microsoft.Consumption reports the wait in a header of its own:
/// <https://learn.microsoft.com/rest/api/consumption/credits/get#errorresponse>.
pub(crate) fn throttled(target: &Target, call: &Call, retry_after: RetryAfter) -> Reply {
    match target {
        Target::BalanceSummary { .. } | Target::Lots { .. } | Target::Events { .. } => {
            error(429, "429", "Too many requests. Please retry.")
                .with("x-ms-ratelimit-microsoft.consumption-retry-after", &retry_after.to_string())
        }
        _ => Counted::of(target.subscription(), &call.method, "").refusal(&Uuid::nil().to_string(), retry_after),
    }
}
