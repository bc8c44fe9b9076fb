//! AWS: the Free Tier, Billing and Account Management APIs, the Security Token Service, and the agent of EKS Pod
//! Identity.

pub(crate) mod account;
mod account_information;
mod billing;
mod errors;
mod free_tier;
mod pod_identity;
pub(crate) mod principals;
pub(crate) mod settings;
mod sigv4;
mod sts;
mod xml;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::http::Method;
use jiff::Timestamp;

use self::account::Account;
use self::errors::{Failure, Problem};
use self::principals::Principals;
use self::sigv4::Authorization;
use self::sts::Form;
use super::operation::OperationName;
use super::past::Past;
use super::protocol::{Call, Reply};
use super::world::World;

/// What the Free Tier and Billing APIs send.
const JSON_1_0: &str = "application/x-amz-json-1.0";

/// What is simulated of AWS beside its protocols.
#[derive(Debug, Default)]
pub(crate) struct Aws {
    /// By their ids of twelve digits.
    pub(crate) accounts: BTreeMap<String, Past<Account>>,
    pub(crate) principals: Principals,
}

impl Aws {
    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id).map(Past::now)
    }

    /// The account as it was at `time`; before its creation, as it was created.
    pub(crate) fn account_at(&self, id: &str, time: Timestamp) -> Option<&Account> {
        self.accounts.get(id).map(|past| past.at(time))
    }

    /// Records what the account is from `now` on.
    pub(crate) fn put_account(&mut self, account: Account, now: Timestamp) {
        match self.accounts.entry(account.settings.account_id.clone()) {
            Entry::Vacant(vacant) => drop(vacant.insert(Past::new(now, account))),
            Entry::Occupied(mut past) => past.get_mut().change(now, account),
        }
    }
}

/// The services, each with its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    FreeTier,
    Billing,
    Account,
    Sts,
    PodIdentity,
}

impl Service {
    /// What signatures are made for.
    const fn signing_name(self) -> &'static str {
        match self {
            Self::FreeTier => "freetier",
            Self::Billing => "billing",
            Self::Account => "account",
            Self::Sts => "sts",
            Self::PodIdentity => "",
        }
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) service: Service,
    pub(crate) operation: OperationName,
    /// As the request names it.
    name: String,
}

impl Target {
    /// `None`: the request is not for AWS. Its services have one address here, so what tells them apart is the header
    /// `X-Amz-Target` of the JSON protocols, and the content type of the query protocol.
    pub(crate) fn of(call: &Call) -> Option<Self> {
        let target = |service, operation, name: &str| Some(Self { service, operation, name: name.to_owned() });
        match (&call.method, call.path.as_str()) {
            (&Method::POST, "/getAccountInformation") => {
                target(Service::Account, OperationName::GetAccountInformation, "GetAccountInformation")
            }
            (&Method::GET, "/v1/credentials") => target(Service::PodIdentity, OperationName::PodIdentity, ""),
            (&Method::POST, "/") => {
                if let Some(named) = call.header("x-amz-target") {
                    let (prefix, name) = named.split_once('.').unwrap_or((named, ""));
                    let service = if prefix == "AWSBilling" { Service::Billing } else { Service::FreeTier };
                    let operation = match (prefix, name) {
                        ("AWSFreeTierService", "GetAccountPlanState") => OperationName::GetAccountPlanState,
                        ("AWSFreeTierService", "UpgradeAccountPlan") => OperationName::UpgradeAccountPlan,
                        ("AWSBilling", "GetCredits") => OperationName::GetCredits,
                        _ => OperationName::Other,
                    };
                    return target(service, operation, name);
                }
                let form = call.header("content-type")?.starts_with("application/x-www-form-urlencoded");
                let form = form.then(|| Form::of(call))?;
                let name = form.get("Action").unwrap_or_default();
                let operation = match name {
                    "GetCallerIdentity" => OperationName::GetCallerIdentity,
                    "AssumeRole" => OperationName::AssumeRole,
                    "AssumeRoleWithWebIdentity" => OperationName::AssumeRoleWithWebIdentity,
                    _ => OperationName::Other,
                };
                target(Service::Sts, operation, name)
            }
            _ => None,
        }
    }

    /// The account that the request is about: that of the role that is asked for, or of the key that signed.
    pub(crate) fn account(&self, world: &World, call: &Call) -> Option<String> {
        let principals = &world.aws.principals;
        let account = match self.operation {
            OperationName::AssumeRole | OperationName::AssumeRoleWithWebIdentity => {
                return principals::account_of_arn(Form::of(call).get("RoleArn")?).map(str::to_owned);
            }
            OperationName::PodIdentity => {
                principals::account_of_arn(principals.pods.get(call.header("authorization")?)?)
            }
            _ => principals.account_of_key(Authorization::of(call).ok()?.key_id),
        };
        account.map(str::to_owned)
    }
}

/// Processes a request; reads show the account as it was `stale` billing seconds ago.
pub(crate) fn process(world: &mut World, call: &Call, target: &Target, stale: u32) -> Reply {
    let request_id = world.uuid();
    let reply = answer(world, call, target, stale, &request_id);
    finish(reply.unwrap_or_else(|failure| failure.reply(target.service, &request_id)), &request_id)
}

/// The answer of a service that fails with this status.
pub(crate) fn failed(world: &mut World, target: &Target, status: u16) -> Reply {
    refused(world, target, Failure::of_status(status))
}

/// The answer of a service that throttles. AWS does not say how long to wait.
pub(crate) fn throttled(world: &mut World, target: &Target) -> Reply {
    refused(world, target, Failure::throttled())
}

fn refused(world: &mut World, target: &Target, failure: Failure) -> Reply {
    let request_id = world.uuid();
    finish(failure.reply(target.service, &request_id), &request_id)
}

fn finish(reply: Reply, request_id: &str) -> Reply {
    reply.with("x-amzn-requestid", request_id)
}

fn answer(world: &mut World, call: &Call, target: &Target, stale: u32, request_id: &str) -> Result<Reply, Failure> {
    match target.service {
        Service::PodIdentity => return pod_identity::credentials(world, call, request_id),
        Service::Sts => {
            let form = Form::of(call);
            sts::check_version(&form, &target.name)?;
            return match target.operation {
                OperationName::GetCallerIdentity => sts::get_caller_identity(world, call, request_id),
                OperationName::AssumeRole => sts::assume_role(world, call, &form, request_id),
                OperationName::AssumeRoleWithWebIdentity => {
                    sts::assume_role_with_web_identity(world, &form, request_id)
                }
                _ => Err(sts::unknown(&form, &target.name)),
            };
        }
        Service::FreeTier | Service::Billing | Service::Account => {}
    }
    if target.operation == OperationName::Other {
        let text = format!("There is no operation {} here.", target.name);
        return Err(Failure::new(Problem::UnknownOperation, text));
    }
    let caller = principals::authenticate(world, call, target.service)?;
    match target.operation {
        OperationName::GetAccountPlanState => free_tier::get_account_plan_state(world, &caller, call, stale),
        OperationName::UpgradeAccountPlan => free_tier::upgrade_account_plan(world, &caller, call),
        OperationName::GetCredits => billing::get_credits(world, &caller, call, stale),
        _ => account_information::get(world, &caller, call, stale),
    }
}
