//! Where the programs are that the tests start.

use std::{
    env,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// The program with the simulator in it, and with a billing clock that can be set. Cargo builds it before the tests, and names
/// it in their environment.
pub fn payg_dev() -> &'static Path {
    static PAYG_DEV: LazyLock<PathBuf> = LazyLock::new(|| {
        let path = env::var_os("CARGO_BIN_EXE_payg").expect("the tests run under cargo");
        path.into()
    });
    &PAYG_DEV
}
