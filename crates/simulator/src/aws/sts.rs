//! The Security Token Service: who a caller is, and sessions of roles.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>

use std::collections::BTreeMap;

use super::authentication;
use super::errors::{Failure, Problem};
use super::principals::{self, Caller, Role, Session};
use super::service::Service;
use super::state::Aws;
use super::xml;
use crate::jwt::{CLOCK_SKEW, Federated, Token};
use crate::message::{Call, Reply};

const VERSION: &str = "2011-06-15";
/// How long a session lasts at most that a session asks for.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>
const LONGEST_CHAINED: u32 = 3600;
/// What every role allows at least.
const LEAST_MAXIMUM: u32 = 3600;

/// The parameters of a request.
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    pub(crate) fn of(call: &Call) -> Self {
        Self(url::form_urlencoded::parse(&call.body).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter of so many characters, each a letter, a digit or one of `others`.
    fn text(&self, name: &str, length: std::ops::RangeInclusive<usize>, others: &str) -> Result<Option<&str>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let shown = first_lower(name);
        let wrong = |constraint: String| {
            let message = format!(
                "1 validation error detected: Value '{text}' at '{shown}' failed to satisfy constraint: {constraint}"
            );
            Err(Failure::new(Problem::Invalid, message))
        };
        match text.chars().count() {
            count if count < *length.start() => {
                wrong(format!("Member must have length greater than or equal to {}", length.start()))
            }
            count if count > *length.end() => {
                wrong(format!("Member must have length less than or equal to {}", length.end()))
            }
            _ if !text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c)) => {
                wrong(format!("Member must satisfy regular expression pattern: [\\w{others}]*"))
            }
            _ => Ok(Some(text)),
        }
    }

    fn required(&self, name: &str, length: std::ops::RangeInclusive<usize>, others: &str) -> Result<&str, Failure> {
        self.text(name, length, others)?.ok_or_else(|| {
            let message = format!(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                first_lower(name)
            );
            Failure::new(Problem::Invalid, message)
        })
    }

    fn role_arn(&self) -> Result<&str, Failure> {
        let arn = self.required("RoleArn", 20..=2048, "+=,.@:/_-")?;
        let invalid = || Failure::new(Problem::Invalid, format!("{arn} is invalid"));
        principals::account_of_arn(arn).map(|_| arn).ok_or_else(invalid)
    }

    fn session_name(&self) -> Result<&str, Failure> {
        self.required("RoleSessionName", 2..=64, "_+=,.@-")
    }

    fn duration(&self) -> Result<Option<u32>, Failure> {
        let Some(text) = self.get("DurationSeconds") else { return Ok(None) };
        let seconds = text.parse().ok().filter(|seconds| (900..=43_200).contains(seconds));
        let wrong = || {
            let message = format!(
                "1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy constraint: Member \
                 must have a value between 900 and 43200"
            );
            Failure::new(Problem::Invalid, message)
        };
        seconds.map(Some).ok_or_else(wrong)
    }
}

fn first_lower(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// Refuses what is not an operation of this version.
pub(crate) fn check_version(form: &Form, operation: &str) -> Result<(), Failure> {
    let version = form.get("Version").unwrap_or_default();
    if version == VERSION {
        return Ok(());
    }
    Err(unknown(form, operation))
}

pub(crate) fn unknown(form: &Form, operation: &str) -> Failure {
    let version = form.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
    let message = format!("Could not find operation {operation} for version {version}");
    Failure::new(Problem::UnknownOperation, message)
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>: no permission is needed.
pub(crate) fn get_caller_identity(aws: &Aws<'_>, call: &Call, request_id: &str) -> Result<Reply, Failure> {
    let caller = authentication::authenticate(aws, call, Service::Sts)?;
    let result =
        [xml::text("Arn", &caller.arn), xml::text("UserId", &caller.user_id), xml::text("Account", &caller.account)];
    Ok(Reply::xml(200, xml::answer("GetCallerIdentity", &result.concat(), request_id)))
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>. Policies, tags and codes of devices are
/// ignored.
pub(crate) fn assume_role(aws: &mut Aws<'_>, call: &Call, form: &Form, request_id: &str) -> Result<Reply, Failure> {
    let caller = authentication::authenticate(aws, call, Service::Sts)?;
    let (arn, name, duration) = (form.role_arn()?, form.session_name()?, form.duration()?);
    let external_id = form.text("ExternalId", 2..=1224, "_+=,.@:/-")?;
    let role = live_role(aws, arn).filter(|role| trusts(role, &caller, external_id)).cloned();
    let denied = |why: &str| {
        let text = format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}{why}", caller.arn);
        Failure::new(Problem::AccessDenied, text)
    };
    let role = role.ok_or_else(|| denied(""))?;
    // A role that names a principal of its own account allows all that is needed; anybody else needs a permission too:
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    let named = role.account == caller.account && role.trust.principals.iter().any(|one| is_named(one, &caller));
    if !named && !caller.may("sts:AssumeRole") {
        return Err(denied(" because no identity-based policy allows the sts:AssumeRole action"));
    }
    if caller.role.is_some() && duration.is_some_and(|seconds| seconds > LONGEST_CHAINED) {
        let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(Failure::new(Problem::Invalid, text));
    }
    let session = begin(aws, &role, name, duration)?;
    Ok(Reply::xml(200, xml::answer("AssumeRole", &told(&session), request_id)))
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>: not signed. The texts of its
/// errors are those that users report.
pub(crate) fn assume_role_with_web_identity(
    aws: &mut Aws<'_>,
    form: &Form,
    request_id: &str,
) -> Result<Reply, Failure> {
    let (arn, name, duration) = (form.role_arn()?, form.session_name()?, form.duration()?);
    let text = form.required("WebIdentityToken", 4..=20_000, "._-")?;
    let invalid = |message: String| Failure::other(400, "InvalidIdentityToken", message);
    let token = Token::parse(text).ok_or_else(|| {
        invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)".into())
    })?;
    let denied = || Failure::new(Problem::AccessDenied, "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let role = live_role(aws, arn).cloned().ok_or_else(denied)?;
    check_token(aws, &role, &token)?;
    let trusted = |one: &Federated| {
        one.issuer == token.claims.iss && one.subject == token.claims.sub && token.claims.aud.is(&one.audience)
    };
    let trusted = role.trust.federated.iter().find(|one| trusted(one)).ok_or_else(denied)?;
    let audience = trusted.audience.clone();
    let session = begin(aws, &role, name, duration)?;
    let result = [
        told(&session),
        xml::text("SubjectFromWebIdentityToken", &token.claims.sub),
        xml::text("Audience", &audience),
        xml::text("Provider", &token.claims.iss),
    ];
    Ok(Reply::xml(200, xml::answer("AssumeRoleWithWebIdentity", &result.concat(), request_id)))
}

/// Whether the token is of a provider that the role's account knows, and good. The keys and the audiences of a provider
/// are those of all roles that name it.
fn check_token(aws: &Aws<'_>, role: &Role, token: &Token) -> Result<(), Failure> {
    let invalid = |message: String| Err(Failure::other(400, "InvalidIdentityToken", message));
    let claims = &token.claims;
    let of_account = aws.state.principals.roles.values().filter(|other| other.account == role.account);
    let provider: Vec<&Federated> =
        of_account.flat_map(|role| &role.trust.federated).filter(|one| one.issuer == claims.iss).collect();
    if provider.is_empty() {
        return invalid(format!("No OpenIDConnect provider found in your account for {}", claims.iss));
    }
    let mut keys = provider.iter().flat_map(|one| &one.jwks.keys).filter(|key| key.kid == token.header.kid);
    if !keys.any(|key| key.has_signed(token)) {
        return invalid(
            "Couldn't retrieve verification key from your identity provider,  please reference \
             AssumeRoleWithWebIdentity documentation for requirements"
                .into(),
        );
    }
    let now = payg_virtual_time::wall().as_duration().as_secs_f64();
    if claims.exp <= now {
        let (now, end) = (now.floor(), claims.exp.floor());
        let text = format!("Token expired: current date/time {now} must be before the expiration date/time {end}");
        return Err(Failure::other(400, "ExpiredTokenException", text));
    }
    if claims.nbf > now + CLOCK_SKEW {
        return invalid("Token is not yet valid".into());
    }
    if !provider.iter().any(|one| claims.aud.is(&one.audience)) {
        return invalid("Incorrect token audience".into());
    }
    Ok(())
}

/// The role, if there is one, and its account is not gone.
fn live_role<'w>(aws: &'w Aws<'_>, arn: &str) -> Option<&'w Role> {
    let role = aws.state.principals.roles.get(arn)?;
    let account = aws.state.account(&role.account)?;
    (!account.at(aws.ground.clock.now()).is_gone()).then_some(role)
}

/// Whether the role takes this caller.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html>
fn trusts(role: &Role, caller: &Caller, external_id: Option<&str>) -> bool {
    let trust = &role.trust;
    let principal = trust.principals.iter().any(|one| {
        let account = one.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root")).unwrap_or(one);
        one == "*" || account == caller.account || is_named(one, caller)
    });
    principal && trust.external_id.as_deref().is_none_or(|wanted| external_id == Some(wanted))
}

/// Whether this is the ARN of the caller, or of its role.
fn is_named(principal: &str, caller: &Caller) -> bool {
    principal == caller.arn || caller.role.as_deref() == Some(principal)
}

fn begin(aws: &mut Aws<'_>, role: &Role, name: &str, duration: Option<u32>) -> Result<Session, Failure> {
    if duration.is_some_and(|seconds| seconds > role.session_seconds.max(LEAST_MAXIMUM)) {
        let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(Failure::new(Problem::Invalid, text));
    }
    let seconds = duration.map_or(role.session_seconds, |wanted| wanted.min(role.session_seconds));
    Ok(authentication::begin_session(aws, role, name, seconds))
}

/// The credentials of a session, and whom it is.
fn told(session: &Session) -> String {
    let credentials = [
        xml::text("AccessKeyId", &session.key_id),
        xml::text("SecretAccessKey", &session.secret),
        xml::text("SessionToken", &session.token),
        xml::text("Expiration", &session.expires.to_string()),
    ];
    let id = format!("{}:{}", principals::unique_id("AROA", &session.role), session.name);
    let user =
        [xml::text("AssumedRoleId", &id), xml::text("Arn", &principals::session_arn(&session.role, &session.name))];
    xml::element("Credentials", &credentials.concat()) + &xml::element("AssumedRoleUser", &user.concat())
}
