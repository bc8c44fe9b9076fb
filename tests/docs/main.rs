//! The documentation: every link in it leads somewhere, and the reference of the fields is what the kinds say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod links;
mod reference;

use std::path::Path;

/// The folder of the project.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
