//! `payg crds`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::api;

use super::Error;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write a file per kind into this directory instead of printing them
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let Some(dir) = &args.dir else {
        std::io::stdout().write_all(api::crds_yaml().as_bytes())?;
        return Ok(());
    };
    for (name, yaml) in api::crd_files() {
        let path = dir.join(name);
        fs::write(&path, yaml).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    Ok(())
}
