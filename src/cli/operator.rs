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
    /// A kubeconfig; without one the pod's own ServiceAccount is used
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// The namespace that the operator runs in: its lease is there
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: String,
    /// The name of this replica
    #[arg(long, env = "POD_NAME", default_value = "payg-operator")]
    pod_name: String,
    /// Where /metrics is served
    #[arg(long, default_value = "[::]:8080")]
    listen: SocketAddr,
    /// Where /healthz and /readyz are served, for the kubelet
    #[arg(long, default_value = "[::]:8082")]
    probes_listen: SocketAddr,
    /// Where budget alerts and events of the clouds are taken (docs/operate/hooks.md); nowhere unless given
    #[arg(long, requires = "hooks_token_file")]
    hooks_listen: Option<SocketAddr>,
    /// A file with what whoever sends them must know
    #[arg(long, requires = "hooks_listen")]
    hooks_token_file: Option<PathBuf>,
    /// How many accounts are looked at at once: of one namespace at most a quarter of them, of one BillingProvider an eighth
    #[arg(long, default_value_t = 32)]
    workers: usize,
    /// Decide and report, and never request an upgrade
    #[arg(long)]
    dry_run: bool,
    /// How many upgrades may be requested within an hour, over all accounts: what bounds any mistake
    #[arg(long, default_value_t = 20)]
    max_upgrades_per_hour: u32,
    /// The namespaces, with commas between, whose BillingProviders may use the identity of the operator's own machine
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
    /// What a token must be for to be taken by the broker, such as api://payg-broker/.default
    #[arg(long, requires = "azure_broker_url")]
    azure_broker_scope: Option<String>,
    /// Azure Resource Manager, if not Microsoft's
    #[arg(long)]
    azure_arm_endpoint: Option<Url>,
    /// The token issuer, if not Microsoft Entra
    #[arg(long)]
    azure_authority_host: Option<Url>,
    /// The metadata service that gives tokens for managed identities, if not that of the machine (https:// only)
    #[arg(long)]
    azure_imds_endpoint: Option<Url>,
    /// AWS, all its services at one address, if not Amazon's
    #[arg(long)]
    aws_endpoint: Option<Url>,
    /// Certificates (PEM) to trust beside the system's
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
        workers: args.workers,
        settings: Settings { dry_run: args.dry_run, upgrades_per_hour: args.max_upgrades_per_hour, clock },
        ambient_identity_namespaces: args.ambient_identity_namespaces.into_iter().collect(),
        azure,
        aws,
    };
    Ok(operator::run(config).await?)
}

impl CloudArgs {
    /// The same for the providers.
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
