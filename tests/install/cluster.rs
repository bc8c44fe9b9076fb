//! A control plane of a test's own, and Helm and kubectl on it.

use std::path::Path;
use std::process::Command;

use payg_test_kit::ControlPlane;
use payg_test_kit::tools::{run, tool};
use serde_json::Value;

pub(crate) struct Cluster {
    pub(crate) control_plane: ControlPlane,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self { control_plane: ControlPlane::start().await.unwrap() }
    }

    /// What kubectl prints for the administrator, or complains about.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let mut kubectl = Command::new(self.control_plane.kubectl());
        run(kubectl.arg("--kubeconfig").arg(self.control_plane.admin_kubeconfig()).args(arguments))
    }

    /// The object, if it is there.
    pub(crate) fn find(&self, resource: &str, name: &str, namespace: &str) -> Option<Value> {
        let found =
            self.kubectl(&["get", resource, name, "-n", namespace, "-o", "json", "--ignore-not-found"]).unwrap();
        (!found.is_empty()).then(|| serde_json::from_str(&found).unwrap())
    }

    /// Applies an object as a user would.
    pub(crate) fn apply(&self, object: &Value) {
        let path = self.control_plane.dir().join("applied.json");
        std::fs::write(&path, object.to_string()).unwrap();
        self.kubectl(&["apply", "-f", path.to_str().unwrap()]).unwrap();
    }

    /// What Helm prints for the administrator, or complains about.
    pub(crate) fn helm(&self, arguments: &[&str]) -> Result<String, String> {
        helm(self.control_plane.admin_kubeconfig(), arguments)
    }
}

pub(crate) fn helm(kubeconfig: &Path, arguments: &[&str]) -> Result<String, String> {
    run(tool("helm").arg("--kubeconfig").arg(kubeconfig).args(arguments))
}
