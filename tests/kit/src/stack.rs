//! A control plane with the operator's kinds, policies and roles in it, a simulator beside it, and operators that run as
//! processes under their own ServiceAccount: what the end-to-end tests and the demo stand on.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::{ControlPlane, Error, Process, Simulator};

/// The namespace and the ServiceAccount of the operator, as in `deploy/`.
const OPERATOR: &str = "payg-operator";
/// This repository.
pub const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The billing clock that the simulator and the operators share.
#[derive(Clone, Debug)]
pub struct Clock {
    /// What it shows at `origin`.
    pub start: Timestamp,
    /// The wall time at which it shows `start`.
    pub origin: Timestamp,
    /// How many times as fast as the wall clock it runs.
    pub rate: u32,
}

impl Clock {
    /// A clock that shows the present, and begins to run `rate` times as fast.
    pub fn now_at_rate(rate: u32) -> Self {
        let now = Timestamp::now();
        Self { start: now, origin: now, rate }
    }

    /// The billing time now.
    pub fn now(&self) -> Timestamp {
        let elapsed = Timestamp::now().duration_since(self.origin);
        self.start + elapsed * i32::try_from(self.rate).unwrap_or(i32::MAX)
    }

    pub(crate) fn arguments(&self) -> [String; 6] {
        [
            "--billing-start",
            &self.start.to_string(),
            "--billing-origin",
            &self.origin.to_string(),
            "--billing-rate",
            &self.rate.to_string(),
        ]
        .map(str::to_owned)
    }
}

/// All that the operator needs around it.
pub struct Stack {
    /// The control plane.
    pub control_plane: ControlPlane,
    /// The simulator.
    pub simulator: Simulator,
    /// The billing clock.
    pub clock: Clock,
    /// What operators find in their environment.
    pub environment: Vec<(String, String)>,
    payg: PathBuf,
}

impl Stack {
    /// [`Self::launch`] and [`Self::install`].
    pub async fn start(payg: &Path, rate: u32) -> Result<Self, Error> {
        let stack = Self::launch(payg, rate).await?;
        stack.install().await?;
        Ok(stack)
    }

    /// Starts a control plane and a simulator, `payg` being the operator's binary.
    pub async fn launch(payg: &Path, rate: u32) -> Result<Self, Error> {
        let control_plane = ControlPlane::start().await?;
        let clock = Clock::now_at_rate(rate);
        let simulator = Simulator::start(payg, control_plane.dir(), &clock).await?;
        Ok(Self { control_plane, simulator, clock, environment: Vec::new(), payg: payg.to_owned() })
    }

    /// Applies `deploy/kustomize/base` and waits until it is in force.
    pub async fn install(&self) -> Result<(), Error> {
        let base = format!("{REPOSITORY}/deploy/kustomize/base");
        self.kubectl(&["apply", "--server-side", "-k", &base])?;
        self.wait_until_in_force().await
    }

    /// Waits until the kinds and policies that were applied are in force.
    pub async fn wait_until_in_force(&self) -> Result<(), Error> {
        self.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"])?;
        // A policy takes effect a little after it is stored: an approval in a wrong name must be refused.
        let forged = "{apiVersion: payg-operator.io/v1alpha1, kind: UpgradeApproval, metadata: {name: forged, namespace: default}, \
                      spec: {subscriptionName: none, transitionHash: '0000000000000000', decision: Deny, approver: nobody, reason: probe}}";
        let probe = self.control_plane.dir().join("forged.yaml");
        std::fs::write(&probe, forged).map_err(|source| Error::io("cannot write a manifest", source))?;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let attempt = self.try_kubectl(&["create", "--dry-run=server", "-f", &probe.to_string_lossy()])?;
            let complaint = String::from_utf8_lossy(&attempt.stderr);
            if complaint.contains("spec.approver must be the requesting user") {
                break;
            }
            if Instant::now() > deadline {
                return Err(Error::Kubectl(format!("the admission policies do not take effect: {complaint}")));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// From when on an approval is surely checked by the policies, and so counts: a minute after the last of them was made or changed.
    /// Times are in whole seconds, so it is a second more.
    pub fn approvals_count_from(&self) -> Result<Timestamp, Error> {
        let times = "jsonpath={.items[*].metadata.creationTimestamp} {.items[*].metadata.managedFields[*].time}";
        let policies = "validatingadmissionpolicies,validatingadmissionpolicybindings";
        let made = self.kubectl(&["get", policies, "-o", times, "--show-managed-fields"])?;
        let youngest = made.split_whitespace().filter_map(|time| time.parse::<Timestamp>().ok()).max();
        let youngest = youngest.ok_or_else(|| Error::Kubectl("there are no admission policies".to_owned()))?;
        Ok(youngest + Duration::from_secs(61))
    }

    /// Starts an operator called `name` under its own ServiceAccount, with `arguments` beside those that it always gets.
    pub async fn operator(&self, name: &str, arguments: &[&str]) -> Result<Process, Error> {
        let kubeconfig = self.operator_kubeconfig().await?;
        self.operator_with(&kubeconfig, name, arguments)
    }

    /// A new kubeconfig file of the operator's ServiceAccount.
    pub async fn operator_kubeconfig(&self) -> Result<PathBuf, Error> {
        self.control_plane.service_account_kubeconfig(OPERATOR, OPERATOR).await
    }

    /// [`Self::operator`] with a kubeconfig file from before: no API server is needed to start it.
    pub fn operator_with(&self, kubeconfig: &Path, name: &str, arguments: &[&str]) -> Result<Process, Error> {
        let mut command = Command::new(&self.payg);
        command.arg("operator");
        for listens in ["--listen", "--probes-listen"] {
            if !arguments.contains(&listens) {
                command.args([listens, "127.0.0.1:0"]);
            }
        }
        command
            .args(["--namespace", OPERATOR, "--pod-name", name, "--kubeconfig"])
            .arg(kubeconfig)
            .args(self.cloud_arguments())
            .args(arguments);
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        Process::spawn(name, &command, &self.control_plane.dir().join(format!("logs/{name}.log")))
    }

    /// Where the clouds are and what time it is there, for `payg`.
    pub fn cloud_arguments(&self) -> Vec<String> {
        let (url, ca) = (self.simulator.url(), self.simulator.ca_file().display().to_string());
        let broker = format!("{url}/broker");
        let clouds = [
            ["--azure-arm-endpoint", url],
            ["--azure-authority-host", url],
            ["--azure-broker-url", &broker],
            ["--azure-broker-scope", "api://payg-broker/.default"],
            ["--aws-endpoint", url],
            ["--trust-anchor", &ca],
        ];
        clouds.as_flattened().iter().map(|&argument| argument.to_owned()).chain(self.clock.arguments()).collect()
    }

    /// What kubectl prints for the administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Error> {
        let output = self.try_kubectl(arguments)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(Error::Kubectl(format!("kubectl {}: {complaint}", arguments.join(" "))))
    }

    /// What became of kubectl, run as the administrator.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<Output, Error> {
        Command::new(self.control_plane.kubectl())
            .arg("--kubeconfig")
            .arg(self.control_plane.admin_kubeconfig())
            .args(arguments)
            .output()
            .map_err(|source| Error::io("cannot run kubectl", source))
    }
}
