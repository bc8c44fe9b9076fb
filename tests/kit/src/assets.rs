//! Finds the programs of the control plane.

use std::{
    env,
    path::{self, Path, PathBuf},
};

use tokio::process::Command;

use crate::Error;

const BUILD_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../control-plane/build.sh");

#[derive(Clone)]
pub(crate) struct Assets {
    pub(crate) etcd: PathBuf,
    pub(crate) apiserver: PathBuf,
    /// `setup-envtest` does not ship it.
    pub(crate) controller_manager: Option<PathBuf>,
    pub(crate) kubectl: PathBuf,
}

impl Assets {
    pub(crate) async fn find() -> Result<Self, Error> {
        let dir = match env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()) {
            Some(dir) => path::absolute(&dir).map_err(|source| Error::io("KUBEBUILDER_ASSETS is no path", source))?,
            None => build_dir().await?,
        };
        Ok(Self {
            etcd: program(&dir, "etcd")?,
            apiserver: program(&dir, "kube-apiserver")?,
            controller_manager: program(&dir, "kube-controller-manager").ok(),
            kubectl: program(&dir, "kubectl")?,
        })
    }
}

fn program(dir: &Path, name: &str) -> Result<PathBuf, Error> {
    let program = dir.join(name);
    if program.is_file() {
        return Ok(program);
    }
    Err(Error::NoPrograms(format!(
        "{} is missing. Build the programs once with `make control-plane`, or set KUBEBUILDER_ASSETS to a directory \
         that holds them (`setup-envtest use 1.36.x -p path` prints one)",
        program.display()
    )))
}

/// Where `make control-plane` puts what it builds.
async fn build_dir() -> Result<PathBuf, Error> {
    let output = Command::new(BUILD_SCRIPT)
        .arg("--print-dir")
        .output()
        .await
        .map_err(|source| Error::NoPrograms(format!("{BUILD_SCRIPT} cannot be run ({source})")))?;
    if output.status.success() {
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
    } else {
        Err(Error::NoPrograms(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()))
    }
}
