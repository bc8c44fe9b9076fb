//! Who signed a request, and sessions for those who may have one.

use jiff::Timestamp;

use super::errors::{Failure, Problem};
use super::principals::{BASE_32, Caller, Role, Session, session_arn, unique_id, user_arn};
use super::service::Service;
use super::sigv4::{self, Authorization};
use super::state::Aws;
use crate::message::Call;

/// Makes a session of a role.
pub(crate) fn begin_session(aws: &mut Aws<'_>, role: &Role, name: &str, seconds: u32) -> Session {
    const TOKEN_LENGTH: usize = 300;
    const SECRET_LENGTH: usize = 40;
    let random = &mut aws.ground.random;
    let digits: String = (0..16).map(|_| char::from(BASE_32[random.usize(..32)])).collect();
    let mut text = |length| -> String { (0..length).map(|_| random.alphanumeric()).collect() };
    let now = payg_virtual_time::wall();
    let session = Session {
        key_id: format!("ASIA{digits}"),
        role: role.arn.clone(),
        name: name.to_owned(),
        secret: text(SECRET_LENGTH),
        token: text(TOKEN_LENGTH),
        // In whole seconds, as it is reported. Adding an absolute duration saturates.
        expires: Timestamp::from_second(now.as_second() + i64::from(seconds)).unwrap_or(now),
    };
    aws.state.principals.sessions.insert(session.key_id.clone(), session.clone());
    session
}

/// Who made the request's signature, if that is good, and their account is there.
pub(crate) fn authenticate(aws: &Aws<'_>, call: &Call, service: Service) -> Result<Caller, Failure> {
    let signature_problem = |problem| match problem {
        sigv4::Problem::Missing if service == Service::Sts => {
            Failure::new(Problem::MissingAuthentication, "Request is missing Authentication Token")
        }
        sigv4::Problem::Missing => Failure::new(Problem::MissingAuthentication, "Missing Authentication Token"),
        sigv4::Problem::Incomplete(text) => Failure::new(Problem::IncompleteSignature, text),
        sigv4::Problem::Wrong(text) => Failure::new(Problem::BadSignature, text),
    };
    let authorization = Authorization::of(call).map_err(signature_problem)?;
    authorization.check_scope(service.signing_name()).map_err(signature_problem)?;
    let unknown = || Failure::new(Problem::UnknownClient, "The security token included in the request is invalid.");
    let now = payg_virtual_time::wall();
    let (caller, secret) = find(aws, call, authorization.key_id).ok_or_else(unknown)?;
    if let Some(session) = aws.state.principals.sessions.get(authorization.key_id)
        && session.expires <= now
    {
        return Err(Failure::new(Problem::ExpiredToken, "The security token included in the request is expired"));
    }
    authorization.check(call, &secret, now).map_err(signature_problem)?;
    // The accounts that are gone have no principals any more.
    let account = aws.state.account(&caller.account).ok_or_else(unknown)?;
    if account.at(aws.ground.clock.now()).is_gone() { Err(unknown()) } else { Ok(caller) }
}

/// The principal that a key is of, and the secret of the key. A key of a session goes with its token, any other with
/// none.
fn find(aws: &Aws<'_>, call: &Call, key_id: &str) -> Option<(Caller, String)> {
    let principals = &aws.state.principals;
    let token = call.header("x-amz-security-token");
    if let Some(user) = principals.users.get(key_id) {
        let arn = user_arn(&user.account, &user.name);
        let caller = Caller {
            account: user.account.clone(),
            user_id: unique_id("AIDA", &arn),
            arn,
            role: None,
            allow: user.allow.clone(),
        };
        return token.is_none().then(|| (caller, user.secret.clone()));
    }
    let session = principals.sessions.get(key_id).filter(|session| token == Some(&session.token))?;
    let role = principals.roles.get(&session.role)?;
    let caller = Caller {
        account: role.account.clone(),
        arn: session_arn(&role.arn, &session.name),
        user_id: format!("{}:{}", unique_id("AROA", &role.arn), session.name),
        role: Some(role.arn.clone()),
        allow: role.allow.clone(),
    };
    Some((caller, session.secret.clone()))
}
