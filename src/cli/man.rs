//! `payg man`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;

use super::{Error, cluster, files};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write one page per command to this directory instead of printing the page of payg
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub fn run(args: &Args, command: Command) -> Result<(), Error> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return cluster::print(&String::from_utf8(page)?);
    };
    fs::create_dir_all(dir).map_err(|error| format!("{} cannot be written: {error}", dir.display()))?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write(&command, dir)
}

/// Writes the page of the command and those of what is below it: `clap_mangen::generate_to` would write through links.
fn write(command: &Command, dir: &Path) -> Result<(), Error> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(below, dir)?;
    }
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    files::write(&dir.join(page.get_filename()), &text)
}
