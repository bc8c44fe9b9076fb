//! Where AWS is. All of it is the operator's own configuration; nothing here ever comes from a custom resource.

use std::time::SystemTime;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;
use url::Url;

use super::connector::{self, Heard, Latest};
use crate::http::{Client, Transport, address, builder, built, check, https, https_once, parse_anchors};
use payg_clock::Clock;
use payg_core::provider::ProviderError;

/// The region of all that is asked for: the Free Tier, Billing and Account Management are there and nowhere else.
/// <https://docs.aws.amazon.com/general/latest/gr/billing.html>
const REGION: &str = "us-east-1";
/// Where an upgrade is asked for. <https://docs.aws.amazon.com/general/latest/gr/billing.html>
const FREE_TIER: &str = "https://freetier.us-east-1.api.aws";

/// What the SDK takes the time of signatures from.
#[derive(Debug)]
struct OurClock(Clock);

impl TimeSource for OurClock {
    fn now(&self) -> SystemTime {
        self.0.wall().into()
    }
}

/// The operator's configuration for AWS. By default it is where Amazon runs it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// All services of AWS, instead of Amazon's: `https://` only.
    pub endpoint: Option<Url>,
    /// Certificates (PEM) to trust in addition to the system's.
    pub trust_anchor_pem: Option<Vec<u8>>,
    /// The clock of signatures, of the end of credentials, and of deadlines.
    pub clock: Clock,
}

/// The settings and the HTTP clients that are made of them: one per purpose, built once, shared by all accounts.
#[derive(Clone, Debug)]
pub struct Connections {
    pub(super) endpoint: Option<Url>,
    /// For credentials and reads.
    pub(super) reads: Client,
    /// For the agent of EKS on the operator's own machine, which speaks plain HTTP.
    agent: Client,
    upgrades: Client,
    pub(super) clock: Clock,
}

impl Connections {
    /// The clients for `settings`.
    ///
    /// # Panics
    ///
    /// If the process has no default rustls crypto provider: install one first.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        settings.endpoint.as_ref().map_or(Ok(()), |url| check("AWS", url))?;
        let anchors = settings.trust_anchor_pem.as_deref();
        Ok(Self {
            reads: built(https(anchors)?)?,
            agent: built(builder().tls_certs_merge(parse_anchors(anchors)?))?,
            upgrades: built(https_once(anchors)?)?,
            endpoint: settings.endpoint,
            clock: settings.clock,
        })
    }

    /// The same connections, which send their requests through `transport`.
    #[must_use]
    pub fn over(self, transport: &Transport) -> Self {
        let [reads, agent, upgrades] = [self.reads, self.agent, self.upgrades].map(|client| client.over(transport));
        Self { reads, agent, upgrades, ..self }
    }

    /// Where an upgrade is asked for.
    pub(super) fn upgrade_endpoint(&self) -> String {
        address(self.endpoint.as_ref(), FREE_TIER)
    }

    /// The SDK's client for the agent of EKS; the answers are `heard`.
    pub(super) fn agent(&self, heard: &Heard) -> SharedHttpClient {
        connector::over(&self.agent, heard, None)
    }

    /// What clients of the SDK are made from that read, as `credentials` or as nobody; the answers are `heard`.
    pub(super) fn reading(&self, credentials: Option<Credentials>, heard: &Heard) -> SdkConfig {
        self.config(connector::over(&self.reads, heard, None), credentials)
    }

    /// What the client of the SDK is made from that upgrades; the answer is `heard`. Nothing is written after `not_after` (wall
    /// clock).
    pub(super) fn upgrading(&self, credentials: Credentials, not_after: Timestamp, heard: &Heard) -> SdkConfig {
        self.config(
            connector::over(&self.upgrades, heard, Some(Latest { not_after, clock: self.clock })),
            Some(credentials),
        )
    }

    /// Nothing is read from the environment or from files, and nothing is repeated below the engine, which backs off: the
    /// SDK by itself would send an upgrade three times. The callers bound the time, which the SDK by itself does not. The
    /// region is given beside the endpoint, or it would sign for another one.
    fn config(&self, http: SharedHttpClient, credentials: Option<Credentials>) -> SdkConfig {
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .http_client(http)
            .retry_config(RetryConfig::disabled())
            .disable_clock_skew_correction(true) // signatures are of our clock, whatever a Date header says
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .time_source(OurClock(self.clock));
        config.set_app_name(AppName::new(concat!("payg-operator-", env!("CARGO_PKG_VERSION"))).ok());
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(address(Some(endpoint), ""));
        }
        config.set_credentials_provider(credentials.map(SharedCredentialsProvider::new));
        config.build()
    }
}
