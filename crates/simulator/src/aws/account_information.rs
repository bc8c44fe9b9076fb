//! Account management, as far as it shows whether an account is open.
//! <https://docs.aws.amazon.com/accounts/latest/reference/API_GetAccountInformation.html>

use serde::Deserialize;
use serde_json::json;

use super::errors::{Failure, Problem};
use super::free_tier::{iso_8601, parse};
use super::principals::Caller;
use super::settings;
use super::state::Aws;
use crate::message::{Call, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    account_id: Option<String>,
}

/// `POST /getAccountInformation`
pub(crate) fn get(aws: &Aws<'_>, caller: &Caller, call: &Call, stale: u32) -> Result<Reply, Failure> {
    const ACTION: &str = "account:GetAccountInformation";
    caller.check(ACTION)?;
    let request = if call.body.is_empty() { Request { account_id: None } } else { parse(call)? };
    if let Some(id) = request.account_id {
        if !settings::is_id(&id) {
            let text = "The account ID must have twelve digits.";
            let field = json!([{"name": "accountId", "message": text}]);
            let failure = Failure::new(Problem::Invalid, text).with("reason", json!("fieldValidationFailed"));
            return Err(failure.with("fieldList", field));
        }
        // No account here is the management account of an organization, which alone may name others.
        let text = format!("User: {} is not authorized to perform: {ACTION} on the account {id}", caller.arn);
        return Err(Failure::new(Problem::AccessDenied, text));
    }
    let time = aws.ground.ago(stale);
    let account = aws.state.account_at(&caller.account, time);
    let account = account.ok_or_else(|| Failure::new(Problem::Failed(500), "An internal error has occurred."))?;
    let body = json!({
        "AccountId": caller.account,
        "AccountName": account.settings.display_name,
        "AccountCreatedDate": iso_8601(account.created),
        "AccountState": account.at(time).state.name(),
    });
    Ok(Reply::json_of(200, "application/json", body))
}
