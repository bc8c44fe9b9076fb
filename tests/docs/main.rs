//! The documentation: its links lead somewhere, the tests that it names exist, and what it and `crds/` say of the kinds is
//! what their types say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod crds;
mod facts;
mod links;
mod reference;

use std::path::Path;

/// The folder of the project.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
