//! `payg operator`.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

use crate::operator::{self, Config, HooksEndpoint, Settings};
use payg_clock::Clock;
use payg_providers::{aws, azure};

use super::Error;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Path of a kubeconfig; default: the pod's own ServiceAccount
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Namespace that the operator runs in; it holds the Lease for leader election
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: String,
    /// Name of this replica
    #[arg(long, env = "POD_NAME", default_value = "payg-operator")]
    pod_name: String,
    /// Address that serves /metrics
    #[arg(long, default_value = "[::]:8080")]
    listen: SocketAddr,
    /// Address that serves /healthz and /readyz for the kubelet
    #[arg(long, default_value = "[::]:8082")]
    probes_listen: SocketAddr,
    /// Address that accepts budget alerts and events of the clouds (docs/operate/hooks.md); closed by default
    #[arg(long, requires = "hooks_token_file")]
    hooks_listen: Option<SocketAddr>,
    /// File with the token that senders of alerts and events must present
    #[arg(long, requires = "hooks_listen")]
    hooks_token_file: Option<PathBuf>,
    /// File of receivers that are notified of what happens to accounts (docs/operate/notices.md); nobody is by default
    #[arg(long, env = "NOTIFY_CONFIG", value_name = "FILE")]
    notify_config: Option<PathBuf>,
    /// Number of accounts to read at once; one namespace uses at most a quarter of them, one BillingProvider an eighth
    #[arg(long, default_value_t = 32)]
    workers: usize,
    /// Decide and report, but never request an upgrade
    #[arg(long)]
    dry_run: bool,
    /// Maximum number of upgrade requests per hour over all accounts, which bounds any mistake
    #[arg(long, default_value_t = 20)]
    max_upgrades_per_hour: u32,
    /// Comma-separated namespaces whose BillingProviders may use the identity of the operator's own machine
    #[arg(long, env = "AMBIENT_IDENTITY_NAMESPACES", value_delimiter = ',', value_name = "NAMESPACES")]
    ambient_identity_namespaces: Vec<String>,
    #[command(flatten)]
    clouds: CloudArgs,
}

/// Where the clouds are.
#[derive(Debug, clap::Args)]
pub struct CloudArgs {
    /// Your own automation that upgrades Azure accounts (docs/reference/broker.md); for BillingProviders with `upgradeMethod: Broker`
    #[arg(long, requires = "azure_broker_scope")]
    azure_broker_url: Option<Url>,
    /// Scope of the tokens that the broker accepts, for example api://payg-broker/.default
    #[arg(long, requires = "azure_broker_url")]
    azure_broker_scope: Option<String>,
    /// URL of Azure Resource Manager, if not Microsoft's
    #[arg(long)]
    azure_arm_endpoint: Option<Url>,
    /// URL of the token issuer, if not Microsoft Entra
    #[arg(long)]
    azure_authority_host: Option<Url>,
    /// URL of the metadata service that issues tokens for managed identities, if not that of the machine (https:// only)
    #[arg(long)]
    azure_imds_endpoint: Option<Url>,
    /// URL of AWS with all its services at one address, if not Amazon's
    #[arg(long)]
    aws_endpoint: Option<Url>,
    /// File of certificates (PEM) to trust in addition to the system's
    #[arg(long)]
    trust_anchor: Option<PathBuf>,
}

pub async fn run(args: Args, clock: Clock) -> Result<(), Error> {
    let (azure, aws) = args.clouds.settings(clock)?;
    let config = Config {
        kubeconfig: args.kubeconfig,
        namespace: args.namespace,
        pod_name: args.pod_name,
        listen: args.listen,
        probes_listen: args.probes_listen,
        hooks: args
            .hooks_listen
            .zip(args.hooks_token_file)
            .map(|(listen, token_file)| HooksEndpoint { listen, token_file }),
        notify_config: args.notify_config,
        workers: args.workers,
        settings: Settings { dry_run: args.dry_run, upgrades_per_hour: args.max_upgrades_per_hour, clock },
        ambient_identity_namespaces: args.ambient_identity_namespaces.into_iter().collect(),
        azure,
        aws,
    };
    Ok(operator::run(config).await?)
}

impl CloudArgs {
    /// The settings of the providers.
    pub fn settings(self, clock: Clock) -> Result<(azure::Settings, aws::Settings), Error> {
        let read =
            |path: PathBuf| fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()));
        let trust_anchor_pem = self.trust_anchor.map(read).transpose()?;
        let azure = azure::Settings {
            arm_endpoint: self.azure_arm_endpoint,
            authority_host: self.azure_authority_host,
            imds_endpoint: self.azure_imds_endpoint,
            broker: self.azure_broker_url.zip(self.azure_broker_scope).map(|(url, scope)| azure::Broker { url, scope }),
            trust_anchor_pem: trust_anchor_pem.clone(),
            clock,
        };
        Ok((azure, aws::Settings { endpoint: self.aws_endpoint, trust_anchor_pem, clock }))
    }
}
