//! `payg crds`.

use std::io::Write;
use std::path::PathBuf;

use payg_api as api;

use super::{Error, files};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write one file per kind to this directory instead of printing them
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let Some(dir) = &args.dir else {
        std::io::stdout().write_all(api::crds_yaml().as_bytes())?;
        return Ok(());
    };
    for (name, yaml) in api::crd_files() {
        files::write(&dir.join(name), yaml.as_bytes())?;
    }
    Ok(())
}
