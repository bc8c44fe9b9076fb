//! `payg-dev simulator`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{SignalKind, signal};

use payg_simulator::{Config, Running};

use payg_clock::Clock;
use payg_operator::cli::Error;

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
    /// Seed of the random ids.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// File to go on from if it exists, and to write the whole state to on a clean stop. It contains secrets. Its clock
    /// and its random numbers win over the options above.
    #[arg(long, value_name = "PATH")]
    state_file: Option<PathBuf>,
}

/// Runs the simulator until SIGTERM or ctrl-c. Prints its URL, on a line of its own, when it is ready.
pub async fn run(args: Args, clock: Clock) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    serve(args, clock, async {
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupt = tokio::signal::ctrl_c() => interrupt,
        }
    })
    .await
}

/// Runs it until `stopped`.
async fn serve(args: Args, clock: Clock, stopped: impl Future<Output = io::Result<()>>) -> Result<(), Error> {
    let running = payg_simulator::start(Config { listen: args.listen, clock, seed: args.seed }).await?;
    if let Some(path) = &args.state_file {
        restore(&running, path).await?;
    }
    write(&args.ca_file, running.ca_pem(), 0o644).await?;
    if let Some(path) = &args.url_file {
        write(path, running.url(), 0o644).await?;
    }
    println!("{}", running.url());
    stopped.await?;
    let state = running.stop().await;
    match &args.state_file {
        Some(path) => write(path, &state, 0o600).await,
        None => Ok(()),
    }
}

/// Goes on from the state in a file, if there is one.
async fn restore(running: &Running, path: &Path) -> Result<(), Error> {
    let state = match tokio::fs::read_to_string(path).await {
        Ok(state) => state,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{} cannot be read: {error}", path.display()).into()),
    };
    running.restore(&state).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Writes a file that appears at once and whole, with these permissions.
async fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written: io::Result<()> = async {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&partial).await?;
        file.write_all(text.as_bytes()).await?;
        file.flush().await?;
        tokio::fs::rename(&partial, path).await
    }
    .await;
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use clap::Parser;
    use reqwest::{Certificate, Client};
    use serde_json::Value;

    use super::*;
    use crate::clock::ClockArgs;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
        #[command(flatten)]
        clock: ClockArgs,
    }

    /// Waits for the URL, and asks the simulator for `path`.
    async fn get(folder: &Path, path: &str) -> Value {
        let url = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                if let Ok(url) = tokio::fs::read_to_string(folder.join("url")).await {
                    return url;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let url = url.await.unwrap();
        let ca = Certificate::from_pem(&tokio::fs::read(folder.join("ca.pem")).await.unwrap()).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
        http.get(format!("{url}/_sim/{path}")).send().await.unwrap().json().await.unwrap()
    }

    fn arguments(folder: &Path) -> Vec<String> {
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let files = ["--ca-file", &file("ca.pem"), "--url-file", &file("url"), "--state-file", &file("state.json")];
        let billing = ["--billing-start", "2026-01-01T00:00:00Z", "--billing-origin", "2026-01-01T00:00:00Z"];
        ["simulator"].iter().chain(&files).chain(&billing).map(|&text| text.to_owned()).collect()
    }

    #[tokio::test]
    async fn it_writes_its_files_when_it_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = arguments(folder.path());
        assert!(Command::try_parse_from(&arguments).is_err(), "the rate is missing");
        arguments.extend(["--billing-rate".into(), "60".into()]);
        let process = tokio::spawn({
            let Command { args, clock } = Command::parse_from(arguments);
            run(args, clock.clock())
        });
        assert_eq!(get(folder.path(), "clock").await["rate"], 60);
        process.abort();
    }

    #[tokio::test]
    async fn it_goes_on_from_its_state_file() {
        let folder = tempfile::tempdir().unwrap();
        let start = |rate: &str| {
            let mut arguments = arguments(folder.path());
            arguments.extend(["--billing-rate".into(), rate.into()]);
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let stopped = async { stopped.await.map_err(io::Error::other) };
            let Command { args, clock } = Command::parse_from(arguments);
            (stop, tokio::spawn(serve(args, clock.clock(), stopped)))
        };
        let (stop, process) = start("60");
        get(folder.path(), "clock").await;
        tokio::fs::remove_file(folder.path().join("url")).await.unwrap();
        stop.send(()).unwrap();
        process.await.unwrap().unwrap();
        let mode = folder.path().join("state.json").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it has secrets");

        let (stop, process) = start("1");
        assert_eq!(get(folder.path(), "clock").await["rate"], 60, "that of the file");
        stop.send(()).unwrap();
        process.await.unwrap().unwrap();

        tokio::fs::write(folder.path().join("state.json"), "{}").await.unwrap();
        let (_stop, process) = start("1");
        let error = process.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("state.json: this is no state of a simulator: "), "{error}");
    }
}
