//! The two operator processes: killed, started again, made to stand still; and which of them holds the lease.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use payg_test_kit::{Process, Stack};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;

const NAMES: [&str; 2] = ["operator-0", "operator-1"];

/// Both operators.
pub(crate) struct Replicas<'a> {
    stack: &'a Stack,
    cluster: Cluster,
    both: [Replica; 2],
}

struct Replica {
    name: &'static str,
    kubeconfig: PathBuf,
    process: Process,
    started: Timestamp,
    /// When it is to go on, if it stands still.
    resumes: Option<Instant>,
}

impl Replica {
    fn start(stack: &Stack, name: &'static str, kubeconfig: PathBuf) -> Self {
        let started = Timestamp::now();
        let arguments = ["--max-upgrades-per-hour", "1000000"];
        let process = stack.operator_with(&kubeconfig, name, &arguments).unwrap();
        Self { name, kubeconfig, process, started, resumes: None }
    }

    /// Whether the lease is held under the name of this replica: by it, or by one before it that was killed.
    fn is_named_by(&self, lease: &Value) -> bool {
        lease["spec"]["holderIdentity"].as_str().is_some_and(|holder| holder.starts_with(&format!("{}_", self.name)))
    }

    fn renewed_after_start(&self, lease: &Value) -> bool {
        let renewed = lease["spec"]["renewTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        renewed.is_some_and(|renewed| renewed >= self.started)
    }
}

/// How a process ended by itself.
pub(crate) enum Ended {
    LostTheLease,
    /// What it said last.
    Crashed(String),
}

impl<'a> Replicas<'a> {
    pub(crate) async fn start(stack: &'a Stack, cluster: Cluster) -> Self {
        let mut kubeconfigs = Vec::new();
        for _ in NAMES {
            kubeconfigs.push(stack.operator_kubeconfig().await.unwrap());
        }
        let mut kubeconfigs = kubeconfigs.into_iter();
        let both = NAMES.map(|name| Replica::start(stack, name, kubeconfigs.next().unwrap()));
        Self { stack, cluster, both }
    }

    /// The one that holds the lease, if it is at work.
    pub(crate) async fn leader(&self) -> Option<usize> {
        let lease = self.cluster.lease().await?;
        let leads = |one: &Replica| one.resumes.is_none() && one.is_named_by(&lease) && one.renewed_after_start(&lease);
        self.both.iter().position(leads)
    }

    /// Waits for one that holds the lease.
    pub(crate) async fn elected(&self, patience: Duration) -> Option<usize> {
        let deadline = Instant::now() + patience;
        loop {
            let leader = self.leader().await;
            if leader.is_some() || Instant::now() > deadline {
                return leader;
            }
            sleep(Duration::from_millis(30)).await;
        }
    }

    /// Kills one by SIGKILL and starts it again at once, under its own name.
    pub(crate) fn kill(&mut self, index: usize) {
        let replica = &mut self.both[index];
        replica.process.kill().unwrap();
        *replica = Replica::start(self.stack, replica.name, replica.kubeconfig.clone());
    }

    /// Frees the lease of one that was killed, so that nobody has to wait for its expiry.
    pub(crate) async fn free_lease_of_the_killed(&self, index: usize) {
        let replica = &self.both[index];
        // An API server that is away frees nothing: then the lease expires.
        let _ =
            self.cluster.free_lease(|lease| replica.is_named_by(lease) && !replica.renewed_after_start(lease)).await;
    }

    /// Pauses one for `time`. With `frees_lease`, the Lease is free meanwhile, as if it had expired.
    pub(crate) async fn pause(&mut self, index: usize, time: Duration, frees_lease: bool) {
        let replica = &mut self.both[index];
        replica.process.pause().unwrap();
        replica.resumes = Some(Instant::now() + time);
        if frees_lease {
            let _ = self.cluster.free_lease(|lease| self.both[index].is_named_by(lease)).await;
        }
    }

    /// Whether one is paused.
    pub(crate) fn is_paused(&self, index: usize) -> bool {
        self.both[index].resumes.is_some()
    }

    /// Resumes those whose pause is over, or all.
    pub(crate) fn resume(&mut self, all: bool) {
        for replica in &mut self.both {
            if replica.resumes.is_some_and(|resumes| all || resumes <= Instant::now()) {
                replica.process.resume().unwrap();
                replica.resumes = None;
            }
        }
    }

    /// Restarts the replicas that have ended by themselves, and returns how they ended.
    pub(crate) fn revive(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        for replica in &mut self.both {
            let Some(status) = replica.process.try_wait().unwrap() else { continue };
            let last = replica.process.log_tail(5);
            let lost_the_lease = last.contains("the Lease was lost, so another replica may already be active");
            ended.push(if lost_the_lease { Ended::LostTheLease } else { Ended::Crashed(format!("{status}: {last}")) });
            *replica = Replica::start(self.stack, replica.name, replica.kubeconfig.clone());
        }
        ended
    }

    /// What all the processes have said of `account`.
    pub(crate) fn log_about(&self, account: &str) -> String {
        let logs = self.both.iter().map(|replica| (replica.name, replica.process.log_path()));
        let mut about = Vec::new();
        for (name, path) in logs {
            let log = std::fs::read_to_string(path).unwrap_or_default();
            about.extend(log.lines().filter(|line| line.contains(account)).map(|line| format!("{name}: {line}")));
        }
        about.join("\n")
    }
}
