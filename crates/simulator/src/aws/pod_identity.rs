//! The agent of EKS Pod Identity, which gives pods credentials of their role.
//! <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html>; what it answers is in its source,
//! <https://github.com/aws/eks-pod-identity-agent>. In a cluster it listens at 169.254.170.23, without TLS.

use serde_json::json;

use super::authentication;
use super::errors::Failure;
use super::state::Aws;
use crate::message::{Call, Reply};

/// `GET /v1/credentials`, with the token of the pod's service account in `Authorization`.
pub(crate) fn credentials(aws: &mut Aws<'_>, call: &Call, request_id: &str) -> Result<Reply, Failure> {
    let refuse = |status, message: String| Err(Failure::other(status, "", message));
    let Some(token) = call.header("authorization").filter(|token| !token.is_empty()) else {
        return refuse(400, "Service account token cannot be empty".into());
    };
    let principals = &aws.state.principals;
    let Some(role) = principals.pods.get(token).and_then(|arn| principals.roles.get(arn)).cloned() else {
        let text = "(InvalidTokenException): The token included in the request is invalid., fault: client";
        return refuse(400, format!("[{request_id}]: {text}"));
    };
    let now = aws.ground.clock.now();
    if aws.state.account(&role.account).is_none_or(|account| account.at(now).is_gone()) {
        let text = "(AccessDeniedException): The account of the role cannot be used., fault: client";
        return refuse(400, format!("[{request_id}]: {text}"));
    }
    let name = format!("eks-simulator-payg-{}", aws.ground.uuid());
    let session = authentication::begin_session(aws, &role, &name, role.session_seconds);
    let body = json!({
        "AccessKeyId": session.key_id,
        "SecretAccessKey": session.secret,
        "Token": session.token,
        "AccountId": role.account,
        "Expiration": session.expires.to_string(),
    });
    Ok(Reply::json_of(200, "application/json", body))
}
