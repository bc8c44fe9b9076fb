//! What the owner of a subscription can do with it, as api-version 2021-10-01 of Microsoft.Subscription has it:
//! <https://learn.microsoft.com/rest/api/subscription>. None of it upgrades anything.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::account::Account;
use super::arm::{self, Ask};
use super::errors::error;
use super::rights;
use super::state::Azure;
use crate::message::Reply;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Cancel,
    Rename,
    Enable,
}

/// `POST /subscriptions/{id}/providers/Microsoft.Subscription/{cancel,rename,enable}`: done when answered.
pub(crate) fn act(azure: &mut Azure<'_>, ask: &Ask<'_>, id: &str, action: Action) -> Result<Reply, Reply> {
    arm::api_version(ask.call, &["2021-10-01"])?;
    let name = match action {
        Action::Cancel => "Microsoft.Subscription/cancel/action",
        Action::Rename => "Microsoft.Subscription/rename/action",
        Action::Enable => "Microsoft.Subscription/enable/action",
    };
    let snapshot = arm::visible(azure, ask, id, (name, ""))?;
    rights::check_role(&ask.client, &ask.call.method, name, &format!("/subscriptions/{id}"))?;
    let mut account = snapshot.account.clone();
    match action {
        Action::Cancel => cancel(azure, ask, &mut account)?,
        Action::Rename => {
            arm::check_writable(&snapshot, id)?;
            rename(azure, ask, &mut account)?;
        }
        Action::Enable => enable(azure, &mut account)?,
    }
    let now = azure.ground.clock.now();
    azure.state.put_account(account, now);
    Ok(Reply::new(StatusCode::OK, json!({"subscriptionId": id})))
}

fn cancel(azure: &Azure<'_>, ask: &Ask<'_>, account: &mut Account) -> Result<(), Reply> {
    let now = azure.ground.clock.now();
    if !account.at(now).state.is_running() {
        return Err(refused("SubscriptionNotActive", "The subscription is not active."));
    }
    let ignore = ask.call.query("IgnoreResourceCheck").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if account.settings.has_resources && !ignore {
        let message = "There are existing resources associated with subscription. Delete them before cancelling the \
                       subscription";
        return Err(refused("ResourcesExistingOnSubscription", message));
    }
    account.cancel(now);
    Ok(())
}

fn rename(azure: &Azure<'_>, ask: &Ask<'_>, account: &mut Account) -> Result<(), Reply> {
    let body: Value = serde_json::from_slice(&ask.call.body).unwrap_or_default();
    let name = body["subscriptionName"].as_str().filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| refused("InvalidRequestContent", "The subscriptionName is missing."))?;
    let mut settings = account.settings.clone();
    name.clone_into(&mut settings.display_name);
    account.patch(settings, azure.ground.clock.now());
    Ok(())
}

fn enable(azure: &Azure<'_>, account: &mut Account) -> Result<(), Reply> {
    let message = "The subscription can not be reactivated: only a pay-as-you-go subscription that was cancelled can.";
    account.enable(azure.ground.clock.now()).then_some(()).ok_or_else(|| refused("ReactivationNotAllowed", message))
}

/// An error of this provider: its code and message are there twice.
fn refused(code: &str, message: &str) -> Reply {
    let mut reply = error(400, code, message);
    reply.body["code"] = json!(code);
    reply.body["message"] = json!(message);
    reply
}
