//! Where Azure is. All of it is the operator's own configuration; nothing here ever comes from a custom resource.

use url::Url;

use crate::http::{Client, Transport, address, builder, built, check, https, https_once};
use payg_clock::Clock;
use payg_core::provider::ProviderError;

/// One of the separate Azures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureCloud {
    /// The worldwide one.
    Public,
    /// Azure Government, for the United States.
    UsGovernment,
    /// Azure in China, operated by 21Vianet.
    China,
}

impl AzureCloud {
    /// Where Azure Resource Manager is: <https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure>,
    /// <https://learn.microsoft.com/azure/china/resources-developer-guide>; so are the others here.
    const fn arm(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::UsGovernment => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }

    /// What a token must be for to be taken by Azure Resource Manager.
    pub(super) const fn scope(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com/.default",
            Self::UsGovernment => "https://management.core.usgovcloudapi.net/.default",
            Self::China => "https://management.chinacloudapi.cn/.default",
        }
    }

    /// Who issues tokens.
    const fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// What a token of another issuer must be for to be taken by Microsoft Entra:
    /// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>
    pub const fn exchange_audience(self) -> &'static str {
        match self {
            Self::Public => "api://AzureADTokenExchange",
            Self::UsGovernment => "api://AzureADTokenExchangeUSGov",
            Self::China => "api://AzureADTokenExchangeChina",
        }
    }

    /// Where people go.
    pub(super) const fn portal(self) -> &'static str {
        match self {
            Self::Public => "https://portal.azure.com",
            Self::UsGovernment => "https://portal.azure.us",
            Self::China => "https://portal.azure.cn",
        }
    }
}

/// The metadata service of a machine in Azure. It has no TLS, and its address leads to the machine's own host only:
/// <https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>
pub(super) const IMDS: &str = "http://169.254.169.254";

/// The operator's configuration for Azure. By default every cloud is where Microsoft runs it, and there is no broker.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Azure Resource Manager of every cloud, instead of Microsoft's: `https://` only.
    pub arm_endpoint: Option<Url>,
    /// The token issuer of every cloud, instead of Microsoft Entra: `https://` only.
    pub authority_host: Option<Url>,
    /// The metadata service that gives tokens for managed identities, instead of the machine's: `https://` only.
    pub imds_endpoint: Option<Url>,
    /// The organisation's automation for upgrades.
    pub broker: Option<Broker>,
    /// Certificates (PEM) to trust in addition to the system's.
    pub trust_anchor_pem: Option<Vec<u8>>,
    /// The clock of assertions and of deadlines.
    pub clock: Clock,
}

/// An automation of the organisation's own that upgrades accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// The address below which it speaks the broker protocol, `https://` only.
    pub url: Url,
    /// What a token must be for to be taken by it, such as `api://payg-broker/.default`.
    pub scope: String,
}

/// The settings and the HTTP clients that are made of them: one per purpose, built once, shared by all accounts.
#[derive(Clone, Debug)]
pub struct Connections {
    settings: Settings,
    /// For tokens, so that a slow Azure Resource Manager does not keep tokens from being fetched.
    pub(super) tokens: Client,
    /// For tokens of the metadata service. Where that is the machine's own, it is the only one that may do without TLS, and
    /// trusts nobody with it.
    pub(super) imds: Client,
    pub(super) reads: Client,
    pub(super) upgrades: Client,
}

impl Connections {
    /// The clients for `settings`.
    ///
    /// # Panics
    ///
    /// If the process has no default rustls crypto provider: install one first.
    pub fn new(mut settings: Settings) -> Result<Self, ProviderError> {
        settings.imds_endpoint = settings.imds_endpoint.filter(|url| url.as_str().trim_end_matches('/') != IMDS);
        let broker = settings.broker.as_ref().map(|broker| &broker.url);
        let urls = [
            ("Azure Resource Manager", settings.arm_endpoint.as_ref()),
            ("the Azure authority host", settings.authority_host.as_ref()),
            ("the Azure broker", broker),
            ("the Azure metadata service", settings.imds_endpoint.as_ref()),
        ];
        for (what, url) in urls {
            url.map_or(Ok(()), |url| check(what, url))?;
        }
        let anchors = settings.trust_anchor_pem.as_deref();
        let tokens = built(https(anchors)?)?;
        Ok(Self {
            imds: match settings.imds_endpoint {
                Some(_) => tokens.clone(),
                None => built(builder().tls_certs_only([]))?,
            },
            tokens,
            reads: built(https(anchors)?)?,
            upgrades: built(https_once(anchors)?)?,
            settings,
        })
    }

    /// The same connections, which send their requests through `transport`.
    #[must_use]
    pub fn over(self, transport: &Transport) -> Self {
        let [tokens, imds, reads, upgrades] =
            [self.tokens, self.imds, self.reads, self.upgrades].map(|client| client.over(transport));
        Self { settings: self.settings, tokens, imds, reads, upgrades }
    }

    pub(super) fn clock(&self) -> Clock {
        self.settings.clock
    }

    /// Azure Resource Manager of `cloud`.
    pub(super) fn arm(&self, cloud: AzureCloud) -> String {
        address(self.settings.arm_endpoint.as_ref(), cloud.arm())
    }

    /// The token issuer of `cloud`.
    pub(super) fn authority(&self, cloud: AzureCloud) -> String {
        address(self.settings.authority_host.as_ref(), cloud.authority())
    }

    /// The metadata service.
    pub(super) fn imds(&self) -> String {
        address(self.settings.imds_endpoint.as_ref(), IMDS)
    }

    pub(super) fn broker(&self) -> Result<&Broker, ProviderError> {
        self.settings.broker.as_ref().ok_or_else(|| ProviderError::Config {
            detail: "the BillingProvider asks for upgrades by the broker, and this operator has none: its administrator can \
                     set `--azure-broker-url`, or the BillingProvider can set `upgradeMethod: PortalHandoff`"
                .to_owned(),
        })
    }
}
