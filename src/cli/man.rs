//! `payg man`.

use std::fs;
use std::path::PathBuf;

use clap::Command;

use super::{Error, cluster};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write a page per command into this directory instead of printing that of payg
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub fn run(args: &Args, command: Command) -> Result<(), Error> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return cluster::print(&String::from_utf8(page)?);
    };
    let fail = |error| format!("{} cannot be written: {error}", dir.display());
    fs::create_dir_all(dir).map_err(fail)?;
    clap_mangen::generate_to(command, dir).map_err(fail)?;
    Ok(())
}
