//! Microsoft Azure. An account is a subscription. It is read by Azure Resource Manager, from the subscription and from its
//! billing property, and under a Microsoft Customer Agreement from its billing profile. Azure has no public interface for the
//! upgrade: a person makes it in the portal, or an organisation's own broker does.

mod arm;
mod assertion;
mod broker;
mod certificate;
mod credit;
pub mod hook;
mod http;
mod imds;
mod interpret;
mod limits;
mod list;
mod observation;
mod portal;
mod remaining;
mod settings;
mod terms;
#[cfg(test)]
mod tests;
mod token;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

pub use self::certificate::Certificate;
pub use self::settings::{AzureCloud, Broker, Connections, Settings};
pub use self::token::Credential;

use self::arm::Arm;
use self::limits::Limits;
use self::token::Tokens;
use super::{Accepted, BillingProvider, Secret, Survey, UpgradeRequest, not_sent, within};
use payg_core::account::AccountId;
use payg_core::observation::Observation;
use payg_core::provider::{Capabilities, Method, Operation, ProviderError};

const CLOUD: &str = "Azure";

/// How accounts are upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeMethod {
    /// By a person, in the portal.
    PortalHandoff,
    /// By the operator's broker.
    Broker,
}

/// Azure, through one credential.
pub struct Azure {
    connections: Connections,
    cloud: AzureCloud,
    tenant: Uuid,
    tokens: Tokens,
    method: UpgradeMethod,
    limits: Limits,
}

impl Azure {
    /// Azure `cloud`, through `credential` of `tenant`. Keep it: it keeps the tokens.
    pub fn new(
        connections: &Connections,
        cloud: AzureCloud,
        tenant: Uuid,
        credential: Credential,
        method: UpgradeMethod,
    ) -> Result<Self, ProviderError> {
        let tokens = Tokens::new(connections, connections.authority(cloud), tenant, credential)?;
        Ok(Self { connections: connections.clone(), cloud, tenant, tokens, method, limits: Limits::default() })
    }

    async fn read_account(
        &self,
        id: Uuid,
        now: &(dyn Fn() -> Timestamp + Sync),
        deadline: Duration,
    ) -> Result<Observation, ProviderError> {
        let token = self.tokens.get(self.cloud.scope()).await?;
        let endpoint = self.connections.arm(self.cloud);
        let (seen, trial) = observation::at(&self.arm(&endpoint, &token), id, now, deadline).await?;
        let handoff = trial.map(|trial| portal::handoff(self.cloud, self.tenant, id, trial, &seen.lifecycle));
        Ok(Observation { handoff, ..seen })
    }

    fn arm<'a>(&'a self, endpoint: &'a str, token: &'a Secret) -> Arm<'a> {
        let (client, limits) = (&self.connections.reads, &self.limits);
        Arm { client, endpoint, token, limits, correlation: Uuid::new_v4() }
    }
}

#[async_trait]
impl BillingProvider for Azure {
    fn capabilities(&self, account: &AccountId) -> Result<Capabilities, ProviderError> {
        subscription_id(account)?;
        Ok(match self.method {
            UpgradeMethod::PortalHandoff => {
                Capabilities { method: Method::Portal, endpoint: self.cloud.portal().to_owned() }
            }
            UpgradeMethod::Broker => {
                Capabilities { method: Method::Broker, endpoint: self.connections.broker()?.url.to_string() }
            }
        })
    }

    async fn survey(&self, deadline: Duration) -> Result<Survey, ProviderError> {
        let began = Instant::now();
        let token = within(CLOUD, deadline, self.tokens.get(self.cloud.scope())).await?;
        let endpoint = self.connections.arm(self.cloud);
        list::survey(&self.arm(&endpoint, &token), deadline.saturating_sub(began.elapsed())).await
    }

    async fn observe(
        &self,
        account: &AccountId,
        now: &(dyn Fn() -> Timestamp + Sync),
        deadline: Duration,
    ) -> Result<Observation, ProviderError> {
        within(CLOUD, deadline, self.read_account(subscription_id(account)?, now, deadline)).await
    }

    async fn upgrade(&self, account: &AccountId, request: UpgradeRequest<'_>) -> Result<Accepted, ProviderError> {
        let (id, began) = (subscription_id(account)?, Instant::now());
        if self.method == UpgradeMethod::PortalHandoff {
            let detail = "Azure has no API for the upgrade; a person upgrades the account in the portal".to_owned();
            return Err(ProviderError::Unsupported { detail });
        }
        let broker = self.connections.broker()?;
        // The token first, and in half of the time: it must not push the call itself to the edge of its deadline.
        let token = within(CLOUD, request.deadline / 2, self.tokens.get(&broker.scope)).await.map_err(not_sent)?;
        let client = &self.connections.upgrades;
        let call = broker::request::Call {
            client,
            clock: self.connections.clock(),
            broker: &broker.url,
            token: &token,
            id,
            request,
        };
        call.send(request.deadline.saturating_sub(began.elapsed())).await
    }

    async fn progress(&self, _account: &AccountId, operation: &str, deadline: Duration) -> Operation {
        let broker = match self.connections.broker() {
            Ok(broker) => broker,
            Err(error) => return Operation::Unknown { detail: error.to_string(), retry_after: None },
        };
        let token = self.tokens.get(&broker.scope);
        let read = broker::operation::read(&self.connections.reads, &broker.url, token, operation);
        timeout(deadline, read).await.unwrap_or_else(|_| {
            let detail = format!("the broker has not answered in {} s", deadline.as_secs_f32());
            Operation::Unknown { detail, retry_after: None }
        })
    }
}

fn subscription_id(account: &AccountId) -> Result<Uuid, ProviderError> {
    match account {
        AccountId::Azure(id) => Ok(*id),
        AccountId::Aws(_) => {
            let detail = format!("{account} is not on Azure: use a BillingProvider of its own cloud");
            Err(ProviderError::Config { detail })
        }
    }
}
