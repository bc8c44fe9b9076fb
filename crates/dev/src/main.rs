//! `payg-dev`: what developers run beside `payg`. It simulates clouds, shows the demo, and has every command of `payg` with a
//! billing clock that can be chosen, so that a trial of 30 days reconciles in half a minute.

mod clock;
mod demo;
mod simulator;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use payg_operator::cli::log::LogFormat;
use payg_operator::cli::{self, Error, log};

use clock::ClockArgs;

/// Simulated clouds, the demo, and `payg` on a billing clock of its own.
#[derive(Debug, Parser)]
#[command(name = "payg-dev", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    clock: ClockArgs,
    /// How to write the log, on standard error
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the operator at work on a real local API server with simulated clouds
    Demo(demo::Args),
    /// Run simulated clouds, for demos and tests
    Simulator(simulator::Args),
    #[command(flatten)]
    Payg(cli::Command),
}

fn main() -> ExitCode {
    let Cli { command, clock, log_format } = Cli::parse();
    let log_level = match &command {
        Command::Demo(_) => "off", // it reports by itself what happens
        Command::Simulator(_) => log::QUIET,
        Command::Payg(command) => command.log_level(),
    };
    log::start(log_format, log_level);
    cli::execute(run(command, clock))
}

async fn run(command: Command, clock: ClockArgs) -> Result<ExitCode, Error> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Simulator(args) => simulator::run(args, clock.clock()).await.map(|()| ExitCode::SUCCESS),
        Command::Payg(command) => command.run(clock.clock()).await,
    }
}
