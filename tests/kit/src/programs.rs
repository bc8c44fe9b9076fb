//! Where the programs are that the tests start.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;

use crate::REPOSITORY;

/// `payg-dev`, up to date: the program that simulates the clouds, and runs the operator on a billing clock that can be chosen.
///
/// Cargo builds the programs of a package for its own tests only, and this is another package's. So cargo is asked here, for the
/// one test that it would build the program for: then everything beneath it is built as for all tests.
///
/// # Panics
///
/// If it does not build.
pub fn payg_dev() -> &'static Path {
    static PAYG_DEV: LazyLock<PathBuf> = LazyLock::new(build);
    &PAYG_DEV
}

fn build() -> PathBuf {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "test",
        "--locked",
        "--workspace",
        "--no-run",
        "--test",
        "payg-dev",
        "--message-format",
        "json-render-diagnostics",
    ]);
    // What the cargo that runs this test has set is of its package. Build scripts that see it would run anew.
    let of_this = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this)) {
        cargo.env_remove(name);
    }
    let built =
        cargo.current_dir(REPOSITORY).stderr(Stdio::inherit()).output().expect("cargo is there: it runs the tests");
    assert!(built.status.success(), "payg-dev does not build: see above");
    let messages = String::from_utf8_lossy(&built.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_it = |message: &Value| message["target"]["name"] == "payg-dev" && message["target"]["kind"][0] == "bin";
    let mut programs = messages.filter(is_it).filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next().expect("cargo names the program that it has built")
}
