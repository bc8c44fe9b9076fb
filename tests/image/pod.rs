//! A container that is run as the kubelet would run that of the chart's Deployment: with its arguments, environment and
//! security context, and the ServiceAccount's token in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use payg_test_kit::tools::{objects, only, template};
use payg_test_kit::{Process, Stack};
use serde_json::Value;

use crate::{IMAGE, podman};

const NAME: &str = "payg-operator-image-test";
/// What trusts nobody but the simulator, in the place of the image's roots, as a company's own roots would be.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(crate) struct Pod {
    process: Process,
    /// Seconds that Kubernetes would wait for it to end.
    grace: u64,
}

impl Pod {
    /// Runs what the chart makes of `values`, beside a control plane and a simulator on this machine.
    pub(crate) async fn run(stack: &Stack, values: &[&str]) -> Self {
        let manifests = objects(&template(values).unwrap());
        let spec = &only(&manifests, "Deployment")["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        let identity = service_account(stack).await;
        let _ = podman(&["rm", "--force", "--time=0", NAME]); // of a test that was killed
        let mut command = Command::new("podman");
        command.args(["run", "--rm", "--network=host", "--name", NAME]);
        // Should this test be killed, so is the container, soon.
        command.arg("--timeout=600");
        command.args(confinement(spec, container)).args(environment(container)).args(&identity.environment);
        command.args(mount(&identity.dir, "/var/run/secrets/kubernetes.io/serviceaccount"));
        command.args(mount(stack.simulator.ca_file(), ROOTS)).arg(IMAGE);
        command.args(container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()));
        let log = stack.control_plane.dir().join("logs/container.log");
        let process = Process::spawn("the container", &command, &log).unwrap();
        Self { process, grace: spec["terminationGracePeriodSeconds"].as_u64().unwrap() }
    }

    pub(crate) fn log(&self) -> String {
        self.process.log_tail(10_000)
    }

    /// Ends it as the kubelet does.
    pub(crate) async fn stop(mut self) {
        let status = self.process.stop(Duration::from_secs(self.grace)).await.unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = podman(&["rm", "--force", "--time=0", NAME]);
    }
}

/// What the security contexts demand.
fn confinement(pod: &Value, container: &Value) -> Vec<String> {
    let (pod, own) = (&pod["securityContext"], &container["securityContext"]);
    assert_eq!(own["readOnlyRootFilesystem"], true);
    assert_eq!(own["allowPrivilegeEscalation"], false);
    assert_eq!(own["capabilities"]["drop"], serde_json::json!(["ALL"]));
    let user = format!("--user={}:{}", pod["runAsUser"], pod["runAsGroup"]);
    // podman sets limits of its own, which it may not where it is limited itself.
    let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
    let rest = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"];
    [user].into_iter().chain(limits.into_iter().chain(rest).map(str::to_owned)).collect()
}

fn environment(container: &Value) -> Vec<String> {
    let variable = |variable: &Value| {
        let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
            Some("metadata.name") => NAME,
            Some("metadata.namespace") => "payg-operator",
            _ => panic!("{variable}"),
        };
        format!("--env={}={value}", variable["name"].as_str().unwrap())
    };
    container["env"].as_array().unwrap().iter().map(variable).collect()
}

fn mount(from: &Path, to: &str) -> [String; 2] {
    ["--volume".to_owned(), format!("{}:{to}:ro", from.display())]
}

struct Identity {
    dir: PathBuf,
    environment: [String; 2],
}

/// The files and variables that a pod uses to find and trust the API server, and to authenticate.
async fn service_account(stack: &Stack) -> Identity {
    let kubeconfig = stack.operator_kubeconfig().await.unwrap();
    let kubeconfig: Value = serde_json::from_slice(&fs::read(kubeconfig).unwrap()).unwrap();
    let cluster = &kubeconfig["clusters"][0]["cluster"];
    let roots = BASE64_STANDARD.decode(cluster["certificate-authority-data"].as_str().unwrap()).unwrap();
    let dir = stack.control_plane.dir().join("serviceaccount");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("ca.crt"), roots).unwrap();
    fs::write(dir.join("token"), kubeconfig["users"][0]["user"]["token"].as_str().unwrap()).unwrap();
    fs::write(dir.join("namespace"), "payg-operator").unwrap();
    let server: url::Url = cluster["server"].as_str().unwrap().parse().unwrap();
    let (host, port) = (server.host_str().unwrap(), server.port().unwrap());
    let environment =
        [format!("--env=KUBERNETES_SERVICE_HOST={host}"), format!("--env=KUBERNETES_SERVICE_PORT={port}")];
    Identity { dir, environment }
}
