//! Amazon Web Services. An account is upgraded by `freetier:UpgradeAccountPlan`, and read by the Free Tier API and, where the
//! credentials may, by those of Account Management and Billing.

mod access_key;
mod connector;
mod failure;
pub mod hook;
mod interpret;
mod keys;
mod observation;
mod plan;
mod settings;
#[cfg(test)]
mod tests;
mod xml;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_freetier::types::AccountPlanType;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

pub use self::access_key::AccessKey;
pub use self::keys::{Credential, Role, RoleId};
pub use self::settings::{Connections, Settings};

use self::connector::Heard;
use self::failure::Failure;
use self::keys::{KeyRing, Keys};
use self::plan::Plan;
use super::{Accepted, BillingProvider, Sighting, Survey, UpgradeRequest, not_sent, within};
use payg_core::account::{AccountId, AwsAccountId};
use payg_core::observation::Observation;
use payg_core::provider::{Capabilities, Method, Operation, ProviderError};

const CLOUD: &str = "AWS";
const UPGRADE: &str = "freetier:UpgradeAccountPlan";

/// AWS, through one credential.
pub struct Aws {
    connections: Connections,
    keys: KeyRing,
}

impl Aws {
    /// AWS through `credential`. Keep it: it keeps the credentials of sessions.
    pub fn new(connections: &Connections, credential: Credential) -> Self {
        Self { connections: connections.clone(), keys: KeyRing::new(connections, credential) }
    }

    async fn read_account(
        &self,
        account: &AwsAccountId,
        now: &(dyn Fn() -> Timestamp + Sync),
    ) -> Result<Observation, ProviderError> {
        let keys = self.keys.of(account).await?;
        let heard = Heard::default();
        observation::at(&self.connections.reading(Some(keys.credentials), &heard), &heard, account, now).await
    }

    /// One call at most, however many accounts there are: each Subscription finds out by itself whether its account lets the
    /// operator in.
    async fn first(&self) -> Result<Survey, ProviderError> {
        let seen = self
            .keys
            .first_caller()
            .await?
            .map_or_else(|| " as far as can be seen without an account".to_owned(), |caller| format!(" in {caller}"));
        Ok(Survey {
            accounts: None,
            seen: format!("{seen}; each Subscription reports whether its account trusts them"),
        })
    }

    async fn sighting(&self) -> Result<Survey, ProviderError> {
        let Keys { credentials, caller } = self.keys.of_one().await?;
        let heard = Heard::default();
        let config = self.connections.reading(Some(credentials), &heard);
        let plan = observation::plan(&config, &heard, &caller.account).await?;
        let mark = plan.map_or_else(|| "none".to_owned(), |plan| plan.mark());
        let seen = format!(" in {caller}");
        Ok(Survey { accounts: Some(vec![Sighting { account: AccountId::Aws(caller.account), mark }]), seen })
    }
}

#[async_trait]
impl BillingProvider for Aws {
    fn capabilities(&self, account: &AccountId) -> Result<Capabilities, ProviderError> {
        account_id(account)?;
        Ok(Capabilities { method: Method::Api, endpoint: self.connections.upgrade_endpoint() })
    }

    async fn survey(&self, deadline: Duration) -> Result<Survey, ProviderError> {
        if self.keys.is_of_each_account() {
            return within(CLOUD, deadline, self.first()).await;
        }
        within(CLOUD, deadline, self.sighting()).await
    }

    async fn observe(
        &self,
        account: &AccountId,
        now: &(dyn Fn() -> Timestamp + Sync),
        deadline: Duration,
    ) -> Result<Observation, ProviderError> {
        within(CLOUD, deadline, self.read_account(account_id(account)?, now)).await
    }

    /// AWS takes no idempotency key: the call declares the plan that the account should have.
    /// <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_freetier_UpgradeAccountPlan.html>
    async fn upgrade(&self, account: &AccountId, request: UpgradeRequest<'_>) -> Result<Accepted, ProviderError> {
        let (account, began) = (account_id(account)?, Instant::now());
        // The credentials first, and in half of the time: they must not push the call itself to the edge of its deadline.
        let keys = within(CLOUD, request.deadline / 2, self.keys.of(account)).await.map_err(not_sent)?;
        let heard = Heard::default();
        let config = self.connections.upgrading(keys.credentials, request.not_after, &heard);
        let client = aws_sdk_freetier::Client::new(&config);
        let call = client.upgrade_account_plan().account_plan_type(AccountPlanType::Paid).send();
        let answer = timeout(request.deadline.saturating_sub(began.elapsed()), call).await;
        let answer = answer.map_or_else(
            |_| Err(Failure::Lost(format!("no answer in {} s", request.deadline.as_secs_f32()))),
            |answer| answer.map_err(Failure::from),
        );
        answer.map_err(|failure| failure.of_upgrade(UPGRADE))?;
        Plan::upgraded(&heard.document(), account)?;
        let message = "AWS answered that the account is on the Paid plan".to_owned();
        Ok(Accepted { message, ..Accepted::default() })
    }

    async fn progress(&self, _account: &AccountId, _operation: &str, _deadline: Duration) -> Operation {
        Operation::Unknown { detail: "AWS has no operation to ask about".to_owned(), retry_after: None }
    }
}

fn account_id(account: &AccountId) -> Result<&AwsAccountId, ProviderError> {
    match account {
        AccountId::Aws(id) => Ok(id),
        AccountId::Azure(_) => {
            let detail = format!("{account} is not on AWS: use a BillingProvider of its own cloud");
            Err(ProviderError::Config { detail })
        }
    }
}
