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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;
    use reqwest::{Certificate, Client};
    use serde_json::Value;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[tokio::test]
    async fn it_writes_its_files_when_it_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        let (ca, url) = (folder.path().join("ca.pem"), folder.path().join("url"));
        let (ca_text, url_text) = (ca.to_str().unwrap(), url.to_str().unwrap());
        let billing = ["--billing-start", "2026-01-01T00:00:00Z", "--billing-origin", "2026-01-01T00:00:00Z"];
        let arguments = ["simulator", "--ca-file", ca_text, "--url-file", url_text];
        assert!(Command::try_parse_from(arguments.iter().chain(&billing)).is_err(), "the rate is missing");
        let arguments = arguments.iter().chain(&billing).chain(&["--billing-rate", "60"]);
        let process = tokio::spawn(run(Command::parse_from(arguments).args));
        let url = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                if let Ok(url) = tokio::fs::read_to_string(&url).await {
                    return url;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let url = url.await.unwrap();
        let ca = Certificate::from_pem(&tokio::fs::read(&ca).await.unwrap()).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
        let clock: Value = http.get(format!("{url}/_sim/clock")).send().await.unwrap().json().await.unwrap();
        assert_eq!(clock["rate"], 60);
        process.abort();
    }
}
