//! Who may do what in AWS: users with long-term keys, roles, and sessions of roles with keys that expire.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>

use std::collections::BTreeMap;

use jiff::Timestamp;
use ring::digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors::{Failure, Problem};
use crate::jwt::Federated;

/// The digits of the ids of principals and of keys.
pub(super) const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A user, with one of its keys.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) allow: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) allow: Vec<String>,
    /// How long its sessions last at most, on the wall clock.
    pub(crate) session_seconds: u32,
    pub(crate) trust: Trust,
}

/// Who may become a role.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Trust {
    pub(crate) external_id: Option<String>,
    /// ARNs of users and roles, ids of accounts, or `*`.
    pub(crate) principals: Vec<String>,
    pub(crate) federated: Vec<Federated>,
}

/// A role that somebody is for a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) key_id: String,
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    /// On the wall clock.
    pub(crate) expires: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct Principals {
    /// By the ids of their keys.
    pub(crate) users: BTreeMap<String, User>,
    /// By their ARNs.
    pub(crate) roles: BTreeMap<String, Role>,
    /// The ARNs of the roles that the agent of EKS Pod Identity gives, by the tokens of the pods.
    pub(crate) pods: BTreeMap<String, String>,
    /// By the ids of their keys.
    pub(crate) sessions: BTreeMap<String, Session>,
    /// All but the sessions as they were posted.
    pub(crate) posted: BTreeMap<String, Value>,
}

/// Who signed a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
    /// `AIDA…`, or `AROA…:session`.
    pub(crate) user_id: String,
    /// The ARN of the role of a session.
    pub(crate) role: Option<String>,
    pub(super) allow: Vec<String>,
}

impl Caller {
    pub(crate) fn may(&self, action: &str) -> bool {
        self.allow.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(action))
    }

    /// Refuses what the caller may not do.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
    pub(crate) fn check(&self, action: &str) -> Result<(), Failure> {
        if self.may(action) {
            return Ok(());
        }
        let message = format!(
            "User: {} is not authorized to perform: {action} because no identity-based policy allows the {action} action",
            self.arn
        );
        Err(Failure::new(Problem::AccessDenied, message))
    }
}

impl Principals {
    /// The account that a key is of.
    pub(crate) fn account_of_key(&self, key_id: &str) -> Option<&str> {
        if let Some(user) = self.users.get(key_id) {
            return Some(&user.account);
        }
        account_of_arn(&self.sessions.get(key_id)?.role)
    }

    /// Forgets a user or a role by its ARN, and what depends on it.
    pub(crate) fn remove(&mut self, arn: &str) -> bool {
        let of_user = |user: &User| user_arn(&user.account, &user.name) == arn;
        let keys: Vec<String> =
            self.users.iter().filter(|(_, user)| of_user(user)).map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.remove_key(key);
        }
        let known = self.roles.remove(arn).is_some();
        if known {
            self.posted.remove(arn);
            self.sessions.retain(|_, session| session.role != arn);
            let tokens: Vec<String> =
                self.pods.iter().filter(|(_, role)| *role == arn).map(|(token, _)| token.clone()).collect();
            for token in tokens {
                self.pods.remove(&token);
                self.posted.remove(&pod_key(&token));
            }
        }
        known || !keys.is_empty()
    }

    pub(crate) fn remove_key(&mut self, key_id: &str) -> bool {
        self.posted.remove(key_id);
        self.users.remove(key_id).is_some()
    }
}

/// Under which key a pod is posted.
pub(crate) fn pod_key(token: &str) -> String {
    format!("pod {token}")
}

pub(crate) fn user_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:user/{name}")
}

/// The account in the ARN of a role, if it is one: `arn:aws:iam::123456789012:role/path/name`.
pub(crate) fn account_of_arn(role: &str) -> Option<&str> {
    let (account, name) = role.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    (super::settings::is_id(account) && !name.is_empty()).then_some(account)
}

/// The ARN of a session; the path of the role is not in it.
pub(crate) fn session_arn(role: &str, session: &str) -> String {
    let name = role.rsplit('/').next().unwrap_or_default();
    format!("arn:aws:sts::{}:assumed-role/{name}/{session}", account_of_arn(role).unwrap_or_default())
}

/// The unique id of a user (`AIDA…`) or a role (`AROA…`): made up, but always the same.
pub(crate) fn unique_id(prefix: &str, arn: &str) -> String {
    let hash = digest::digest(&digest::SHA256, arn.as_bytes());
    let digits = hash.as_ref().iter().take(17).map(|byte| char::from(BASE_32[usize::from(byte % 32)]));
    prefix.chars().chain(digits).collect()
}
