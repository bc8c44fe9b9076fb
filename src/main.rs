//! The `payg` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    payg_operator::cli::main()
}
