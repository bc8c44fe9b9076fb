//! Starts a control plane, says how to reach it, and keeps it until interrupted.

use std::process::ExitCode;

use payg_test_kit::{ControlPlane, Error};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    // Listen just before reporting that it can be used, and not earlier: during the start the default is right.
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|source| Error::io("cannot wait for Ctrl-C", source))?;
    println!("export KUBECONFIG={}", control_plane.admin_kubeconfig().display());
    eprintln!("kubectl: {}", control_plane.kubectl().display());
    eprintln!("logs: {}", control_plane.dir().join("logs").display());
    eprintln!("Ctrl-C stops the control plane and removes all its files.");
    interrupt.recv().await;
    Ok(())
}
