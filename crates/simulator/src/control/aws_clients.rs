//! Clients of AWS: users, roles, and the pods that get a role.

use serde::Deserialize;
use serde_json::Value;

use super::refused::Refused;
use crate::aws::principals::{Role, Trust, User, account_of_arn, pod_key};
use crate::aws::settings::check_id;
use crate::world::World;

enum New {
    Pod(Pod),
    Role(NewRole),
    User(NewUser),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUser {
    account_id: String,
    access_key_id: String,
    secret_access_key: String,
    #[serde(default = "user_name")]
    user_name: String,
    #[serde(default)]
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewRole {
    account_id: String,
    role_arn: String,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default = "hour")]
    session_seconds: u32,
    #[serde(default)]
    trust: Trust,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pod {
    /// That of the role, if it is given.
    account_id: Option<String>,
    pod_identity: PodIdentity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodIdentity {
    token: String,
    role_arn: String,
}

fn user_name() -> String {
    "payg".into()
}

fn hour() -> u32 {
    3600
}

/// Whether a document describes a client of AWS.
pub(super) fn is_one(posted: &Value) -> bool {
    posted.get("accountId").is_some() || posted.get("podIdentity").is_some()
}

/// Makes or replaces what was posted.
pub(super) fn add(world: &mut World, posted: Value) -> Result<(), Refused> {
    let wrong = |what: &str, error: serde_json::Error| {
        Refused::Wrong(format!("this is no {what}: {error}; see the simulator's documentation"))
    };
    // What it is depends on one field, so that mistakes in the others are reported as such.
    let new = if posted.get("podIdentity").is_some() {
        New::Pod(Pod::deserialize(&posted).map_err(|error| wrong("pod identity", error))?)
    } else if posted.get("roleArn").is_some() {
        New::Role(NewRole::deserialize(&posted).map_err(|error| wrong("role", error))?)
    } else {
        New::User(NewUser::deserialize(&posted).map_err(|error| wrong("user", error))?)
    };
    let principals = &mut world.aws.principals;
    let key = match new {
        New::User(user) => {
            check_id(&user.account_id)?;
            let id = user.access_key_id;
            if !(16..=128).contains(&id.len()) || !id.bytes().all(|c| c.is_ascii_alphanumeric()) {
                let text = "accessKeyId must have 16 to 128 letters and digits; write it as AKIAIOSFODNN7EXAMPLE";
                return Err(Refused::Wrong(text.into()));
            }
            let (name, secret) = (user.user_name, user.secret_access_key);
            let user = User { account: user.account_id, name, secret, allow: user.allow };
            principals.users.insert(id.clone(), user);
            id
        }
        New::Role(role) => {
            check_role(&role.role_arn, &role.account_id)?;
            let arn = role.role_arn;
            let role = Role {
                account: role.account_id,
                arn: arn.clone(),
                allow: role.allow,
                session_seconds: role.session_seconds,
                trust: role.trust,
            };
            principals.roles.insert(arn.clone(), role);
            arn
        }
        New::Pod(Pod { account_id, pod_identity: PodIdentity { token, role_arn } }) => {
            let role = principals.roles.get(&role_arn);
            let role = role.ok_or_else(|| Refused::Missing(format!("role {role_arn}; post it first")))?;
            if account_id.is_some_and(|id| id != role.account) {
                return Err(Refused::Wrong("accountId is not that of the role".into()));
            }
            let key = pod_key(&token);
            principals.pods.insert(token, role_arn);
            key
        }
    };
    principals.posted.insert(key, posted);
    Ok(())
}

/// Deletes a user or a role by its ARN.
pub(super) fn remove(world: &mut World, arn: &str) -> Result<(), Refused> {
    let removed = world.aws.principals.remove(arn);
    removed.then_some(()).ok_or_else(|| Refused::Missing(format!("client {arn}")))
}

fn check_role(arn: &str, account: &str) -> Result<(), Refused> {
    check_id(account)?;
    match account_of_arn(arn) {
        Some(found) if found == account => Ok(()),
        Some(_) => Err(Refused::Wrong(format!("roleArn {arn:?} is of another account than accountId"))),
        None => Err(Refused::Wrong(format!(
            "roleArn {arn:?} is none; write it as arn:aws:iam::123456789012:role/payg-operator"
        ))),
    }
}
