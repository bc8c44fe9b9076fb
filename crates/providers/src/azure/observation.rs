//! One observation of an account: what is read of it, and in which order.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::arm::{Arm, Seen};
use super::credit::{Credit, ProfilePath};
use super::interpret::{self, Stamp};
use super::terms::{self, Terms, Trial, depend_on_billing};
use super::wire::Billing;
use payg_core::observation::{Observation, Unread};
use payg_core::provider::ProviderError;

/// What billing says, and what it does not.
#[derive(Default)]
struct Known {
    billing: Option<Billing>,
    credit: Credit,
    unread: Vec<Unread>,
    remarks: Vec<String>,
}

/// Observes the subscription `id`, and returns the trial that it is.
pub(super) async fn at(
    arm: &Arm<'_>,
    id: Uuid,
    now: &(dyn Fn() -> Timestamp + Sync),
    deadline: Duration,
) -> Result<(Observation, Option<Trial>), ProviderError> {
    let until = Instant::now() + deadline;
    let (subscription, answer) = arm.subscription(id).await?;
    let stamp = Stamp { observed: now(), provider_time: answer.date() };
    let quota = &subscription.policies.quota_id;
    let known = if depend_on_billing(quota) { known(arm, id, quota, until).await? } else { Known::default() };
    let mut seen = interpret::observation(&subscription, known.billing.as_ref(), &known.credit, stamp);
    seen.unread = known.unread.into_iter().chain(known.credit.unread).collect();
    seen.remarks.extend(known.remarks.into_iter().chain(known.credit.remarks));
    let terms = terms::terms(quota, known.billing.as_ref());
    if Terms::is_azure_plan(quota) && terms == Terms::Unknown && seen.unread.is_empty() {
        seen.remarks.push(format!(
            "`{quota}` is the quota id of enterprise agreements and of the Azure plan; the account's billing does not tell \
             which of them this is, nor whether it is a trial."
        ));
    }
    Ok((seen, terms.trial()))
}

async fn known(arm: &Arm<'_>, id: Uuid, quota: &str, until: Instant) -> Result<Known, ProviderError> {
    let mut known = Known::default();
    let mut billing = match arm.billing(id).await? {
        Seen::Yes(billing) => billing,
        Seen::Nothing => return Ok(known),
        Seen::Denied(unread) => return Ok(Known { unread: vec![unread], ..known }),
    };
    if terms::is_customer_agreement(&billing) && terms::terms(quota, Some(&billing)) != Terms::PayAsYouGo {
        match billing.profile_id.as_deref().map(ProfilePath::parse) {
            Some(Some(path)) => of_profile(arm, &path, quota, &mut billing, &mut known, until).await?,
            Some(None) => {
                known.remarks.push("The billing property names an invalid billing profile.".to_owned());
            }
            None => {}
        }
    }
    known.billing = Some(billing);
    Ok(known)
}

/// What the billing profile adds.
async fn of_profile(
    arm: &Arm<'_>,
    path: &ProfilePath,
    quota: &str,
    billing: &mut Billing,
    known: &mut Known,
    until: Instant,
) -> Result<(), ProviderError> {
    let lacks_limit = Terms::is_azure_plan(quota) && billing.spending_limit.is_none();
    if lacks_limit || billing.limits.as_ref().is_none_or(Vec::is_empty) {
        match arm.profile(path).await? {
            Seen::Yes(profile) => billing.complete(profile),
            Seen::Nothing => {}
            // Nor is the credit to be read then, which takes the same permission.
            Seen::Denied(unread) => {
                known.unread.push(unread);
                return Ok(());
            }
        }
    }
    if terms::terms(quota, Some(billing)).trial().is_some_and(Trial::has_credit) {
        // Half of the time that is left: the observation itself is not to fail for these.
        known.credit = arm.credit(path, until.saturating_duration_since(Instant::now()) / 2).await;
    }
    Ok(())
}
