//! The command line: one binary, `payg`. Data goes to standard output, everything else to standard error.

mod approve;
mod cluster;
pub mod columns;
mod completions;
mod crds;
mod explain;
mod files;
pub(crate) mod get;
mod import;
pub mod log;
mod man;
mod notify;
mod operator;
mod plan;
pub mod show;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use payg_clock::Clock;
use tracing::error;

use log::LogFormat;

/// Moves cloud accounts from a free trial to pay-as-you-go once the trial's benefits are exhausted.
#[derive(Debug, Parser)]
#[command(name = "payg", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Format of the log on standard error. RUST_LOG sets what is logged, for example `info` or `payg_operator=debug`
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
}

/// What `payg` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator
    Operator(Box<operator::Args>),
    /// Show what the operator would do with manifests: reads the accounts, needs no cluster
    Plan(Box<plan::Args>),
    /// List Subscriptions with their offer, remaining credit, days left and status
    #[command(after_help = "Examples:\n  payg get -A\n  payg get -n team-a sandbox -o wide")]
    Get(Box<get::Args>),
    /// Explain rule by rule why a Subscription is not upgraded yet
    #[command(after_help = "Example:\n  payg explain sandbox -n team-a")]
    Explain(explain::Args),
    /// Approve the upgrade of a Subscription, after showing what it would do
    #[command(after_help = "Example:\n  payg approve sandbox -n team-a --reason 'budget agreed' --expires-in 7d")]
    Approve(Box<approve::ApproveArgs>),
    /// Deny the upgrade of a Subscription until the Deny is deleted
    #[command(after_help = "Example:\n  payg deny sandbox -n team-a --reason 'the project ends in May'")]
    Deny(Box<approve::DenyArgs>),
    /// Allow one more request for an upgrade whose outcome is unknown
    #[command(after_help = "Example:\n  payg retry sandbox -n team-a --reason 'the broker works again'")]
    Retry(Box<approve::RetryArgs>),
    /// Write manifests for the accounts that a BillingProvider sees and no Subscription names
    #[command(
        after_help = "Examples:\n  payg import --provider azure -n team-a -o accounts/\n  payg import --provider azure -n team-a -f billing/ --when benefits-exhausted"
    )]
    Import(Box<import::Args>),
    /// Try the receivers of notices
    Notify(notify::Args),
    /// Print the CustomResourceDefinitions, or write them to a directory
    #[command(after_help = "Example:\n  payg crds | kubectl apply --server-side -f -")]
    Crds(crds::Args),
    /// Print a shell completion script
    #[command(after_help = "Example:\n  payg completions bash > ~/.local/share/bash-completion/completions/payg")]
    Completions(completions::Args),
    /// Print the manual page, or write the pages of all commands to a directory
    Man(man::Args),
    /// What kubectl_complete-payg asks
    #[command(name = "__complete", hide = true)]
    Complete(completions::KubectlArgs),
}

impl Command {
    /// What is logged, unless RUST_LOG says otherwise.
    pub fn log_level(&self) -> &'static str {
        match self {
            // They report their own progress.
            Self::Plan(_)
            | Self::Get(_)
            | Self::Explain(_)
            | Self::Approve(_)
            | Self::Deny(_)
            | Self::Retry(_)
            | Self::Notify(_)
            | Self::Import(_) => "off",
            _ => log::QUIET,
        }
    }
}

/// Why a command failed, for people.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.log_format, cli.command.log_level());
    execute(cli.command.run(Clock::real()))
}

/// Runs a command to its end, and logs why it failed.
pub fn execute(command: impl Future<Output = Result<ExitCode, Error>>) -> ExitCode {
    // One provider for all TLS in the process, as more than one may be compiled in. It can only fail if there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = outcome.map_err(Error::from).and_then(|runtime| runtime.block_on(command));
    outcome.unwrap_or_else(|error| {
        error!(target: log::FATAL, "{error}");
        ExitCode::FAILURE
    })
}

impl Command {
    /// Runs it with these clocks.
    pub async fn run(self, clock: Clock) -> Result<ExitCode, Error> {
        match self {
            Self::Operator(args) => operator::run(*args, clock).await.map(|()| ExitCode::SUCCESS),
            Self::Plan(args) => Ok(plan::run(*args, clock).await),
            Self::Get(args) => Ok(get::run(*args, clock).await),
            Self::Explain(args) => Ok(explain::run(args).await),
            Self::Approve(args) => Ok(approve::approve(*args).await),
            Self::Deny(args) => Ok(approve::deny(*args).await),
            Self::Retry(args) => Ok(approve::retry(*args).await),
            Self::Import(args) => Ok(import::run(*args, clock).await),
            Self::Notify(args) => Ok(notify::run(args).await),
            Self::Crds(args) => Ok(cluster::told(crds::run(&args))),
            Self::Completions(args) => Ok(cluster::told(completions::run(&args, Cli::command()))),
            Self::Man(args) => Ok(cluster::told(man::run(&args, Cli::command()))),
            Self::Complete(args) => Ok(cluster::told(completions::for_kubectl(&args, &Cli::command()))),
        }
    }
}
