//! AWS: the Free Tier, Billing and Account Management APIs, the Security Token Service, and the agent of EKS Pod
//! Identity.

pub(crate) mod account;
mod account_information;
mod authentication;
mod billing;
mod errors;
mod free_tier;
mod pod_identity;
pub(crate) mod principals;
mod service;
pub(crate) mod settings;
mod sigv4;
pub(crate) mod state;
mod sts;
mod xml;

use axum::http::Method;

use self::errors::{Failure, Problem};
use self::service::Service;
use self::sigv4::Authorization;
use self::state::{Aws, State};
use self::sts::Form;
use super::ground::Ground;
use super::message::{Call, Reply};
use super::operation::OperationName;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) service: Service,
    pub(crate) operation: OperationName,
    /// As the request names it.
    name: String,
}

impl Target {
    /// `None`: the request is not for AWS. Its services have one address here, so what distinguishes them is the header
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
    pub(crate) fn account(&self, state: &State, call: &Call) -> Option<String> {
        let principals = &state.principals;
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
pub(crate) fn process(aws: &mut Aws<'_>, call: &Call, target: &Target, stale: u32) -> Reply {
    let request_id = aws.ground.uuid();
    let reply = answer(aws, call, target, stale, &request_id);
    finish(reply.unwrap_or_else(|failure| failure.reply(target.service, &request_id)), &request_id)
}

/// The answer of a service that fails with this status.
pub(crate) fn failed(ground: &mut Ground, target: &Target, status: u16) -> Reply {
    refused(ground, target, Failure::of_status(status))
}

/// The answer of a service that throttles. AWS does not say how long to wait.
pub(crate) fn throttled(ground: &mut Ground, target: &Target) -> Reply {
    refused(ground, target, Failure::throttled())
}

fn refused(ground: &mut Ground, target: &Target, failure: Failure) -> Reply {
    let request_id = ground.uuid();
    finish(failure.reply(target.service, &request_id), &request_id)
}

fn finish(reply: Reply, request_id: &str) -> Reply {
    reply.with("x-amzn-requestid", request_id)
}

fn answer(aws: &mut Aws<'_>, call: &Call, target: &Target, stale: u32, request_id: &str) -> Result<Reply, Failure> {
    match target.service {
        Service::PodIdentity => return pod_identity::credentials(aws, call, request_id),
        Service::Sts => {
            let form = Form::of(call);
            sts::check_version(&form, &target.name)?;
            return match target.operation {
                OperationName::GetCallerIdentity => sts::get_caller_identity(aws, call, request_id),
                OperationName::AssumeRole => sts::assume_role(aws, call, &form, request_id),
                OperationName::AssumeRoleWithWebIdentity => sts::assume_role_with_web_identity(aws, &form, request_id),
                _ => Err(sts::unknown(&form, &target.name)),
            };
        }
        Service::FreeTier | Service::Billing | Service::Account => {}
    }
    if target.operation == OperationName::Other {
        let text = format!("There is no operation {} here.", target.name);
        return Err(Failure::new(Problem::UnknownOperation, text));
    }
    let caller = authentication::authenticate(aws, call, target.service)?;
    match target.operation {
        OperationName::GetAccountPlanState => free_tier::get_account_plan_state(aws, &caller, call, stale),
        OperationName::UpgradeAccountPlan => free_tier::upgrade_account_plan(aws, &caller, call),
        OperationName::GetCredits => billing::get_credits(aws, &caller, call, stale),
        _ => account_information::get(aws, &caller, call, stale),
    }
}
