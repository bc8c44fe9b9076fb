//! The command line: one binary, `payg`. Data goes to standard output, everything else to standard error.

mod approve;
mod clock;
mod cluster;
mod columns;
mod completions;
mod crds;
#[cfg(feature = "demo")]
mod demo;
mod explain;
mod files;
mod get;
mod log;
mod man;
mod operator;
mod plan;
mod show;
#[cfg(feature = "simulator")]
mod simulator;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use tracing::error;

use log::LogFormat;

/// Moves cloud accounts from a free trial to pay-as-you-go once the trial's benefits are exhausted.
#[derive(Debug, Parser)]
#[command(name = "payg", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How to write the log, on standard error. What is logged is chosen by RUST_LOG, such as `info` or `payg_operator=debug`.
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator
    Operator(Box<operator::Args>),
    /// Say what the operator would make of manifests, by a look at the accounts, without a cluster
    Plan(Box<plan::Args>),
    /// List Subscriptions: offer, credit and days left, and how it stands
    Get(Box<get::Args>),
    /// Say why a Subscription is not upgraded yet, with what is known
    Explain(explain::Args),
    /// Approve the upgrade that a Subscription asks for, after a look at what it would do
    Approve(Box<approve::ApproveArgs>),
    /// Deny it, until the Deny is deleted
    Deny(Box<approve::DenyArgs>),
    /// Let an upgrade whose outcome cannot be told be requested once more
    Retry(Box<approve::RetryArgs>),
    /// Print the CustomResourceDefinitions, or write them into a directory
    Crds(crds::Args),
    /// Print what makes a shell complete commands
    Completions(completions::Args),
    /// Print the manual page, or write those of all commands into a directory
    Man(man::Args),
    /// What kubectl_complete-payg asks
    #[command(name = "__complete", hide = true)]
    Complete(completions::KubectlArgs),
    /// Run simulated clouds, for demos and tests
    #[cfg(feature = "simulator")]
    Simulator(simulator::Args),
    /// Show the operator at work on a real local API server with simulated clouds
    #[cfg(feature = "demo")]
    Demo(demo::Args),
}

impl Command {
    /// What is logged, unless RUST_LOG says otherwise.
    fn log_level(&self) -> &'static str {
        match self {
            // They tell by themselves what happens.
            #[cfg(feature = "demo")]
            Self::Demo(_) => "off",
            Self::Plan(_) | Self::Get(_) | Self::Explain(_) | Self::Approve(_) | Self::Deny(_) | Self::Retry(_) => {
                "off"
            }
            _ => log::QUIET,
        }
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.log_format, cli.command.log_level());
    // One provider for all TLS in the process, as more than one may be compiled in. It can only fail if there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let outcome: Result<ExitCode, Error> = runtime.block_on(async {
        let succeeded = |()| ExitCode::SUCCESS;
        match cli.command {
            Command::Operator(args) => operator::run(*args).await.map(succeeded),
            Command::Plan(args) => Ok(plan::run(*args).await),
            Command::Get(args) => Ok(get::run(*args).await),
            Command::Explain(args) => Ok(explain::run(args).await),
            Command::Approve(args) => Ok(approve::approve(*args).await),
            Command::Deny(args) => Ok(approve::deny(*args).await),
            Command::Retry(args) => Ok(approve::retry(*args).await),
            Command::Crds(args) => Ok(cluster::told(crds::run(&args))),
            Command::Completions(args) => Ok(cluster::told(completions::run(&args, Cli::command()))),
            Command::Man(args) => Ok(cluster::told(man::run(&args, Cli::command()))),
            Command::Complete(args) => Ok(cluster::told(completions::for_kubectl(&args, &Cli::command()))),
            #[cfg(feature = "simulator")]
            Command::Simulator(args) => simulator::run(args).await.map(succeeded),
            #[cfg(feature = "demo")]
            Command::Demo(args) => demo::run(args).await,
        }
    });
    match outcome {
        Ok(code) => code,
        Err(error) => failed(error.as_ref()),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    error!(target: log::FATAL, "{error}");
    ExitCode::FAILURE
}
