//! `payg simulator`: the simulator as a process.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use super::{Config, Error, start};
use crate::clock::BillingClock;

/// Serve simulated cloud accounts to test against.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; port 0 takes a free one. The certificate is for 127.0.0.1 and localhost.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// File to write the certificate authority to that clients must trust (PEM).
    #[arg(long, value_name = "PATH")]
    pub ca_file: PathBuf,
    /// File to write the URL to once the simulator listens.
    #[arg(long, value_name = "PATH")]
    pub url_file: Option<PathBuf>,
    /// Billing time at the origin (RFC 3339). Without it the billing clock is the real one.
    #[arg(long, value_name = "TIME", requires_all = ["billing_origin", "billing_rate"])]
    pub billing_start: Option<Timestamp>,
    /// Real time at which the billing clock shows its start (RFC 3339).
    #[arg(long, value_name = "TIME", requires = "billing_start")]
    pub billing_origin: Option<Timestamp>,
    /// Billing seconds per real second.
    #[arg(long, value_name = "N", requires = "billing_start", value_parser = clap::value_parser!(u32).range(1..))]
    pub billing_rate: Option<u32>,
    /// Seed of the random ids.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl Args {
    fn clock(&self) -> BillingClock {
        match (self.billing_start, self.billing_origin, self.billing_rate) {
            (Some(start), Some(origin), Some(rate)) => BillingClock::scaled(start, origin, rate),
            _ => BillingClock::real(), // the command line takes all three or none
        }
    }
}

/// Runs the simulator until SIGTERM or ctrl-c. Prints its URL, on a line of its own, when it is ready.
pub async fn run(args: Args) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let running = start(Config { listen: args.listen, clock: args.clock(), seed: args.seed }).await?;
    write(&args.ca_file, running.ca_pem()).await?;
    if let Some(path) = &args.url_file {
        write(path, running.url()).await?;
    }
    println!("{}", running.url());
    tokio::select! {
        _ = terminate.recv() => {}
        interrupt = tokio::signal::ctrl_c() => interrupt.map_err(Error::Signals)?,
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
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}
