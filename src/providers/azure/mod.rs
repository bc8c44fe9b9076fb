//! Microsoft Azure. An account is a subscription. It is read by Azure Resource Manager, from the subscription and from its
//! billing property. Azure has no public interface for the upgrade: a person makes it in the portal, or an
//! organisation's own broker does.

mod arm;
mod broker;
mod http;
mod interpret;
mod portal;
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

pub use azure_core::credentials::Secret;

pub use self::settings::{AzureCloud, Broker, Connections, Settings};
pub use self::token::Credential;

use self::arm::Arm;
use self::interpret::Look;
use self::token::Tokens;
use super::{Accepted, BillingProvider, UpgradeRequest};
use crate::core::account::AccountId;
use crate::core::observation::Observation;
use crate::core::provider::{Capabilities, Method, ProviderError};

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
        let tokens = Tokens::new(&connections.tokens, connections.authority(cloud), tenant, credential)?;
        Ok(Self { connections: connections.clone(), cloud, tenant, tokens, method })
    }

    async fn look(&self, id: Uuid, now: &(dyn Fn() -> Timestamp + Sync)) -> Result<Observation, ProviderError> {
        let token = self.tokens.get(self.cloud.scope()).await?;
        let endpoint = self.connections.arm(self.cloud);
        let arm = Arm { client: &self.connections.reads, endpoint: &endpoint, token: &token, id };
        let (subscription, answer) = arm.subscription().await?;
        let look = Look { observed: now(), provider_time: answer.date() };
        let ambiguous = terms::depend_on_billing(&subscription.policies.quota_id);
        let billing = if ambiguous { arm.billing().await? } else { None };
        Ok(interpret::observation(&subscription, billing.as_ref(), look))
    }
}

#[async_trait]
impl BillingProvider for Azure {
    fn capabilities(&self, account: &AccountId) -> Result<Capabilities, ProviderError> {
        let id = subscription_id(account)?;
        Ok(match self.method {
            UpgradeMethod::PortalHandoff => Capabilities {
                method: portal::handoff(self.cloud, self.tenant, id),
                endpoint: self.cloud.portal().to_owned(),
            },
            UpgradeMethod::Broker => {
                Capabilities { method: Method::Broker, endpoint: self.connections.broker()?.url.to_string() }
            }
        })
    }

    async fn check(&self, deadline: Duration) -> Result<(), ProviderError> {
        within(deadline, self.tokens.get(self.cloud.scope())).await.map(|_| ())
    }

    async fn observe(
        &self,
        account: &AccountId,
        now: &(dyn Fn() -> Timestamp + Sync),
        deadline: Duration,
    ) -> Result<Observation, ProviderError> {
        within(deadline, self.look(subscription_id(account)?, now)).await
    }

    async fn upgrade(&self, account: &AccountId, request: UpgradeRequest<'_>) -> Result<Accepted, ProviderError> {
        let (id, began) = (subscription_id(account)?, Instant::now());
        if self.method == UpgradeMethod::PortalHandoff {
            let detail = "Azure has no interface for the upgrade; a person makes it in the portal".to_owned();
            return Err(ProviderError::Unsupported { detail });
        }
        let broker = self.connections.broker()?;
        // The token first, and in half of the time: it must not push the call itself to the edge of its deadline.
        let token = within(request.deadline / 2, self.tokens.get(&broker.scope)).await.map_err(not_sent)?;
        let url = broker.url.as_str().trim_end_matches('/');
        let call = broker::Call { client: &self.connections.upgrades, url, token: &token, id, request };
        call.send(request.deadline.saturating_sub(began.elapsed())).await
    }
}

/// `read`, or an error when it takes longer than `deadline`.
async fn within<T>(
    deadline: Duration,
    read: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    timeout(deadline, read).await.unwrap_or_else(|_| {
        let detail = format!("Azure has not answered in {} s", deadline.as_secs_f32());
        Err(ProviderError::Transient { detail })
    })
}

/// The error of an upgrade that failed before it was sent. An odd answer with a token proves nothing about the token, but
/// that there was no upgrade is sure.
fn not_sent(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Protocol { detail } => {
            ProviderError::Transient { detail: format!("the upgrade was not sent: {detail}") }
        }
        other => other,
    }
}

fn subscription_id(account: &AccountId) -> Result<Uuid, ProviderError> {
    match account {
        AccountId::Azure(id) => Ok(*id),
        AccountId::Aws(_) => {
            let detail = format!("{account} is not on Azure: name a BillingProvider of its own cloud");
            Err(ProviderError::Config { detail })
        }
    }
}
