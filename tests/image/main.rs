//! The image: what is in it, that it does the operator's work as the chart runs it, and that the release workflow can make it.
//! `make image-test` builds the image and runs these tests, which need podman.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, reason = "these are tests")]

mod contents;
mod pod;
mod upgrade;
mod workflow;

/// What `make image-test` calls the image that it builds.
const IMAGE: &str = "localhost/payg-operator:test";

/// What podman prints, or complains about.
fn podman(arguments: &[&str]) -> Result<String, String> {
    payg_test_kit::tools::run(std::process::Command::new("podman").args(arguments))
}
