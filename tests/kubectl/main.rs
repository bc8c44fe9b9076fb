//! What kubectl and `payg` make of the same files, run side by side on a real API server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod kubeconfigs;
mod manifests;
mod proxies;
mod scalars;

use std::process::{Command, Output};

use payg_test_kit::ControlPlane;
use serde_json::json;
use tokio::sync::OnceCell;

const PAYG: &str = env!("CARGO_BIN_EXE_payg");

static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();

/// The one control plane of this process, with our kinds, a user called robot, and a Subscription in each of two namespaces.
/// The name of the Subscription shows in which namespace a command looked.
async fn control_plane() -> &'static ControlPlane {
    let start = async || {
        let control_plane = ControlPlane::start().await.unwrap();
        let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
        admin(&control_plane, &["apply", "--server-side", "-k", crds]);
        admin(&control_plane, &["wait", "--for=condition=Established", "crd", "--all"]);
        admin(&control_plane, &["create", "serviceaccount", "robot"]);
        admin(&control_plane, &["create", "namespace", "team-a"]);
        for namespace in ["default", "team-a"] {
            let subscription = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
                "metadata": {"name": format!("in-{namespace}"), "namespace": namespace},
                "spec": {"providerName": "aws", "account": {"aws": {"accountId": "123456789012"}}, "offer": "PayAsYouGo",
                    "upgrade": {"when": "Never", "approval": "Manual"}}});
            let file = control_plane.dir().join(format!("in-{namespace}.json"));
            std::fs::write(&file, subscription.to_string()).unwrap();
            admin(&control_plane, &["apply", "-f", file.to_str().unwrap()]);
        }
        control_plane
    };
    CONTROL_PLANE.get_or_init(start).await
}

/// What kubectl prints for the administrator.
fn admin(control_plane: &ControlPlane, arguments: &[&str]) -> String {
    let mut command = Command::new(control_plane.kubectl());
    let output = command.arg("--kubeconfig").arg(control_plane.admin_kubeconfig()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
