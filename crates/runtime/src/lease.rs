//! Which replica acts: the one that holds a Lease. The protocol is client-go's, so that any tool reads it.
//!
//! A holder renews every two seconds and stops to hold ten seconds after the beginning of its last renewal that
//! succeeded. A candidate takes over a lease that it has itself seen unchanged for fifteen seconds. Neither compares its
//! wall clock with another's, so no difference between clocks makes two holders. A process that is suspended for
//! longer can still find itself a holder that is none for a moment: a lease saves work, it does not fence.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::election::{LeaseState, View};
use super::metrics::Metrics;

/// A candidate takes over a lease that it has seen unchanged for so long.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// A holder has lost the lease so long after the beginning of its last successful renewal.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// The time between two attempts.
pub const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// One attempt, so that there is another before the deadline.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(RENEW_DEADLINE.as_secs() / 2);

/// A replica that would hold the lease.
#[derive(Debug)]
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    view: View,
    metrics: Metrics,
}

/// Why an attempt did not make this replica the holder.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("it is held by {by}")]
    Held { by: String },
    #[error("somebody else wrote it at the same moment")]
    Raced,
    #[error("the API server refused: {} ({} {})", .0.message, .0.code, .0.reason)]
    Api(Box<kube::core::Status>),
    #[error("the API server could not be asked: {0}")]
    Call(kube::Error),
    #[error("the API server did not answer within {} s", ATTEMPT_TIMEOUT.as_secs())]
    Timeout,
}

impl From<kube::Error> for Refusal {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => Self::Raced,
            kube::Error::Api(status) => Self::Api(status),
            other => Self::Call(other),
        }
    }
}

/// Logs a refusal that is another than the last.
fn tell(told: &mut String, lease: &str, what: &str, refusal: &Refusal) {
    let text = refusal.to_string();
    if *told == text {
        return;
    }
    match refusal {
        Refusal::Held { .. } | Refusal::Raced => info!(lease, "{what}: {text}"),
        Refusal::Api(_) | Refusal::Call(_) | Refusal::Timeout => warn!(lease, "{what}: {text}; trying again"),
    }
    *told = text;
}

impl Candidate {
    /// A candidate for the lease with this name in this namespace, under the pod's name and a random suffix. Needs the
    /// verbs `create`, `get` and `update` on `leases.coordination.k8s.io`.
    pub fn new(client: Client, namespace: &str, name: &str, pod_name: &str, metrics: &Metrics) -> Self {
        let identity = format!("{pod_name}_{}", uuid::Uuid::new_v4());
        metrics.leader.set(0);
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            view: View::new(identity),
            metrics: metrics.clone(),
        }
    }

    /// Under what name this replica holds the lease.
    pub fn identity(&self) -> &str {
        &self.view.identity
    }

    /// Waits until this replica holds the lease, and goes on to renew it. What stands in the way is logged when it
    /// changes. Dropping the future withdraws the candidate; if it does so in the moment in which the lease is written,
    /// the others wait for its expiry.
    pub async fn acquire(mut self) -> Leadership {
        let mut told = String::new();
        let began = loop {
            let began = Instant::now();
            match self.attempt(true).await {
                Ok(()) => break began,
                Err(refusal) => tell(&mut told, &self.name, "standing by for the lease", &refusal),
            }
            sleep(RETRY_PERIOD.mul_f64(1.0 + fastrand::f64() * 0.2)).await;
        };
        info!(lease = %self.name, identity = %self.view.identity, "this replica holds the lease");
        self.metrics.leader.set(1);
        let (lost, released) = (CancellationToken::new(), CancellationToken::new());
        // However the task ends, the lease is lost with it.
        let guard = lost.clone().drop_guard();
        let renewing = tokio::spawn({
            let released = released.clone();
            async move {
                self.renew(began, released).await;
                self.metrics.leader.set(0);
                drop(guard);
                self
            }
        });
        Leadership { lost, released, renewing: AbortOnDropHandle::new(renewing) }
    }

    /// Reads the lease and writes it if this replica may hold it: a `newcomer` takes one that is free, a holder only
    /// keeps its own.
    async fn attempt(&mut self, newcomer: bool) -> Result<(), Refusal> {
        timeout(ATTEMPT_TIMEOUT, self.read_and_write(newcomer)).await.map_err(|_elapsed| Refusal::Timeout)?
    }

    async fn read_and_write(&mut self, newcomer: bool) -> Result<(), Refusal> {
        let found = self.api.get_opt(&self.name).await?;
        let state = self.view.judge(found.as_ref(), Instant::now());
        match state {
            LeaseState::Held { by } => return Err(Refusal::Held { by }),
            LeaseState::Free if !newcomer => return Err(Refusal::Held { by: "nobody".to_owned() }),
            LeaseState::Absent | LeaseState::Free | LeaseState::Ours => {}
        }
        let exists = found.is_some();
        let lease = self.view.held(found, &self.name, Timestamp::now());
        // The resourceVersion of what was read makes this fail if anybody wrote in between.
        if exists {
            self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        } else {
            self.api.create(&PostParams::default(), &lease).await?;
        }
        Ok(())
    }

    /// Renews the lease until it is lost or released.
    async fn renew(&mut self, mut renewed: Instant, released: CancellationToken) {
        let mut told = String::new();
        loop {
            let deadline = renewed + RENEW_DEADLINE;
            tokio::select! {
                () = released.cancelled() => return,
                () = sleep_until(deadline.min(Instant::now() + RETRY_PERIOD)) => {}
            }
            let began = Instant::now();
            let outcome = timeout_at(deadline, self.attempt(false)).await.unwrap_or(Err(Refusal::Timeout));
            match outcome {
                Ok(()) => {
                    renewed = began;
                    told.clear();
                }
                Err(refusal @ Refusal::Held { .. }) => {
                    warn!(lease = %self.name, "the lease is lost: {refusal}");
                    return;
                }
                Err(refusal) if Instant::now() >= deadline => {
                    let seconds = RENEW_DEADLINE.as_secs();
                    warn!(lease = %self.name, "the lease is lost: it was not renewed for {seconds} s: {refusal}");
                    return;
                }
                Err(refusal) => tell(&mut told, &self.name, "cannot renew the lease", &refusal),
            }
        }
    }

    /// Leaves the lease to whoever asks first.
    async fn resign(&mut self) -> Result<(), Refusal> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
        if self.view.judge(Some(&lease), Instant::now()) != LeaseState::Ours {
            return Ok(());
        }
        let spec = lease.spec.get_or_insert_default();
        let now = MicroTime(Timestamp::now());
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.acquire_time = Some(now.clone());
        spec.renew_time = Some(now);
        self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        Ok(())
    }
}

/// This replica holds the lease. Dropping it ends the renewals without telling anybody: others wait for the expiry.
#[derive(Debug)]
#[must_use = "dropping it gives the lease up"]
pub struct Leadership {
    lost: CancellationToken,
    released: CancellationToken,
    renewing: AbortOnDropHandle<Candidate>,
}

impl Leadership {
    /// A token that is cancelled when this replica holds the lease no more. Others may then act within five seconds,
    /// so everything that acts for the leader has to end at once: let the process end.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Hands the lease over, after all that acts for the leader has ended. Best effort, within five seconds.
    pub async fn release(self) {
        if self.lost.is_cancelled() {
            return;
        }
        self.released.cancel();
        // A task that panicked has lost the lease; its panic was printed.
        let Ok(mut candidate) = self.renewing.await else { return };
        let lease = candidate.name.clone();
        let outcome = timeout(ATTEMPT_TIMEOUT, candidate.resign()).await.map_err(|_elapsed| Refusal::Timeout).flatten();
        match outcome {
            Ok(()) => info!(%lease, "the lease is released"),
            Err(refusal) => warn!(%lease, "the lease could not be released, it will expire: {refusal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::SeqCst;
    use std::sync::{Arc, Mutex};

    use axum::http::StatusCode;
    use axum::middleware::{self, Next};
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use prometheus_client::registry::Registry;
    use serde_json::{Value, json};

    use super::*;

    /// An API server with one lease, and one connection per replica that can be cut.
    #[derive(Clone, Default)]
    struct Server(Arc<Mutex<Option<Value>>>);

    impl Server {
        fn replica(&self, pod: &str) -> (Candidate, Arc<AtomicBool>) {
            let (reader, creator, writer) = (self.clone(), self.clone(), self.clone());
            let base = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";
            let cut = Arc::new(AtomicBool::new(false));
            let black_hole = {
                let cut = cut.clone();
                middleware::from_fn(move |request, next: Next| {
                    let cut = cut.clone();
                    async move {
                        if cut.load(SeqCst) {
                            std::future::pending::<()>().await;
                        }
                        next.run(request).await
                    }
                })
            };
            let router = Router::new()
                .route(base, post(async move |Json(lease): Json<Value>| creator.write(lease, true)))
                .route(
                    &format!("{base}/lease"),
                    get(async move || reader.read())
                        .put(async move |Json(lease): Json<Value>| writer.write(lease, false)),
                )
                .layer(black_hole);
            let metrics = Metrics::register(&mut Registry::default());
            (Candidate::new(Client::new(router, "ns"), "ns", "lease", pod, &metrics), cut)
        }

        fn read(&self) -> (StatusCode, Json<Value>) {
            match self.0.lock().unwrap().clone() {
                Some(lease) => (StatusCode::OK, Json(lease)),
                None => failure(StatusCode::NOT_FOUND, "NotFound"),
            }
        }

        fn write(&self, mut lease: Value, create: bool) -> (StatusCode, Json<Value>) {
            let mut stored = self.0.lock().unwrap();
            let current = stored.as_ref().map_or(Value::Null, |stored| stored["metadata"]["resourceVersion"].clone());
            if lease["metadata"]["resourceVersion"] != current || create != stored.is_none() {
                return failure(StatusCode::CONFLICT, "Conflict");
            }
            let version = current.as_str().map_or(0, |version| version.parse::<u64>().unwrap()) + 1;
            lease["metadata"]["resourceVersion"] = json!(version.to_string());
            *stored = Some(lease.clone());
            (StatusCode::OK, Json(lease))
        }

        fn holder(&self) -> String {
            let stored = self.0.lock().unwrap();
            stored.as_ref().unwrap()["spec"]["holderIdentity"].as_str().unwrap().to_owned()
        }
    }

    fn failure(code: StatusCode, reason: &str) -> (StatusCode, Json<Value>) {
        (code, Json(json!({"kind": "Status", "status": "Failure", "code": code.as_u16(), "reason": reason})))
    }

    #[tokio::test(start_paused = true)]
    async fn a_partitioned_leader_stops_before_another_starts() {
        let server = Server::default();
        let (first, cut) = server.replica("a");
        let (second, _) = server.replica("b");
        let leader = first.acquire().await;
        assert!(server.holder().starts_with("a_"));
        let standby = tokio::spawn(second.acquire());
        sleep(Duration::from_mins(5)).await;
        assert!(!standby.is_finished() && !leader.lost().is_cancelled(), "renewals keep the lease");

        cut.store(true, SeqCst);
        let began = Instant::now();
        leader.lost().cancelled().await;
        let lost = began.elapsed();
        assert!(lost <= RENEW_DEADLINE, "{lost:?}");
        assert!(!standby.is_finished(), "there are two leaders");
        let successor = standby.await.unwrap();
        let took = began.elapsed();
        assert!(took >= lost + Duration::from_secs(2), "{took:?} is too close to {lost:?}");
        assert!(took <= LEASE_DURATION + RETRY_PERIOD * 2, "{took:?}");
        assert!(server.holder().starts_with("b_"));
        drop(successor);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_outage_costs_nothing() {
        let server = Server::default();
        let (candidate, cut) = server.replica("a");
        let leader = candidate.acquire().await;
        cut.store(true, SeqCst);
        sleep(Duration::from_secs(6)).await;
        cut.store(false, SeqCst);
        sleep(Duration::from_mins(1)).await;
        assert!(!leader.lost().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_in_other_hands_is_lost_at_once() {
        let server = Server::default();
        let (candidate, _) = server.replica("a");
        let leader = candidate.acquire().await;
        server.0.lock().unwrap().as_mut().unwrap()["spec"]["holderIdentity"] = json!("somebody");
        let began = Instant::now();
        leader.lost().cancelled().await;
        assert!(began.elapsed() <= RETRY_PERIOD + Duration::from_millis(10));
        leader.release().await;
        assert_eq!(server.holder(), "somebody", "what is not ours is not released");
    }

    #[tokio::test(start_paused = true)]
    async fn a_release_hands_over_within_a_retry_period() {
        let server = Server::default();
        let (first, second) = (server.replica("a").0, server.replica("b").0);
        let metrics = first.metrics.clone();
        let leader = first.acquire().await;
        assert_eq!(metrics.leader.get(), 1);
        let standby = tokio::spawn(second.acquire());
        sleep(Duration::from_secs(30)).await;
        let began = Instant::now();
        leader.release().await;
        assert_eq!(metrics.leader.get(), 0);
        let successor = standby.await.unwrap();
        assert!(began.elapsed() <= RETRY_PERIOD * 2, "{:?}", began.elapsed());
        assert!(server.holder().starts_with("b_"));
        drop(successor);
    }
}
