//! `payg simulator`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use crate::simulator::{self, Config};

use super::Error;
use super::clock::ClockArgs;

/// Serve simulated cloud accounts to test against.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; port 0 takes a free one. The certificate is for 127.0.0.1 and localhost.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File to write the certificate authority to that clients must trust (PEM).
    #[arg(long, value_name = "PATH")]
    ca_file: PathBuf,
    /// File to write the URL to once the simulator listens.
    #[arg(long, value_name = "PATH")]
    url_file: Option<PathBuf>,
    #[command(flatten)]
    clock: ClockArgs,
    /// Seed of the random ids.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the simulator until SIGTERM or ctrl-c. Prints its URL, on a line of its own, when it is ready.
pub async fn run(args: Args) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let running = simulator::start(Config { listen: args.listen, clock: args.clock.clock(), seed: args.seed }).await?;
    write(&args.ca_file, running.ca_pem()).await?;
    if let Some(path) = &args.url_file {
        write(path, running.url()).await?;
    }
    println!("{}", running.url());
    tokio::select! {
        _ = terminate.recv() => {}
        interrupt = tokio::signal::ctrl_c() => interrupt?,
    }
    running.stop().await;
    Ok(())
}

/// Writes a file that appears at once and whole.
async fn write(path: &Path, text: &str) -> Result<(), Error> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written: io::Result<()> = async {
        tokio::fs::write(&partial, text).await?;
        tokio::fs::rename(&partial, path).await
    }
    .await;
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()).into())
}
