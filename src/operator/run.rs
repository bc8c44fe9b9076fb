//! The operator as a process: watches on every replica, reconciles on the one that holds the lease.

use std::collections::HashSet;
use std::convert::identity;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use kube::Client;
use prometheus_client::registry::Registry;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use payg_core::provider::ProviderError;
use payg_notify::Outcome;
use payg_providers::{aws, azure};
use payg_runtime::events::Events;
use payg_runtime::lease::Candidate;
use payg_runtime::queue::{Bounds, Queue, Requeue};
use payg_runtime::shutdown::{self, SignalError, Tasks};
use payg_runtime::watch::Watches;
use payg_runtime::workers::{self, Limits, Pulse};
use payg_runtime::{client, http, metrics as engine};

use super::{Operator, Settings, hooks, watches};
use crate::operator::clouds::{Clouds, OBSERVE_RATE, Providers};
use crate::operator::index::Index;
use crate::operator::ledger::Ledger;
use crate::operator::metrics::{self, Metrics};
use crate::operator::notices::{self, Notices};

/// How the process is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach the cluster; in-cluster configuration if absent.
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the lease.
    pub namespace: String,
    pub pod_name: String,
    /// Where the metrics are served.
    pub listen: SocketAddr,
    /// Where the kubelet is answered: apart, so that nobody who reads metrics or sends to the webhooks can stand in its way.
    pub probes_listen: SocketAddr,
    /// Where clouds may send what they notice, if anywhere.
    pub hooks: Option<hooks::Endpoint>,
    /// The administrator's file of receivers for notices, if there is one.
    pub notify_config: Option<PathBuf>,
    /// How many reconciles run at once.
    pub workers: usize,
    pub settings: Settings,
    /// The namespaces that may use the identity of the machine that this process runs on.
    pub ambient_identity_namespaces: HashSet<String>,
    pub azure: azure::Settings,
    pub aws: aws::Settings,
}

#[derive(Debug, Error)]
pub enum Error {
    /// The cluster cannot be reached.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// Probes, metrics or webhooks cannot be served.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// Webhooks would be open to everybody.
    #[error(transparent)]
    Hooks(#[from] hooks::TokenError),
    /// Nobody would be notified.
    #[error(transparent)]
    Notices(#[from] notices::FileError),
    /// Signals cannot be heard.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// The administrator's settings for a provider are wrong.
    #[error("the provider settings are wrong: {0}")]
    Provider(#[from] ProviderError),
    /// Another replica may be the leader by now.
    #[error("the Lease was lost, so another replica may already be active; this process exits and can be restarted")]
    LeaseLost,
    /// A part of the process ended that should not.
    #[error("the task \"{0}\" ended, which is a bug in this program; please report it: {1}")]
    Task(&'static str, String),
}

/// The shortest time between two reconciles of the same object (wall clock).
const MIN_INTERVAL: Duration = Duration::from_millis(200);
/// How long a reconcile may take: an observation, a question about the upgrade and an upgrade call at their deadlines (30, 30 and
/// 20 s), and the API server's answers.
const RECONCILE_DEADLINE: Duration = Duration::from_mins(2);
/// How long running reconciles may go on after a SIGTERM; below Kubernetes's own 30 s.
const GRACE: Duration = Duration::from_secs(25);
/// The name of the lease, and of the writer of Events.
const NAME: &str = "payg-operator";

/// A replica that is put together and does not run yet.
pub struct Replica {
    pub(super) operator: Arc<Operator>,
    watches: Watches,
    metrics: engine::Metrics,
    workers: usize,
}

/// One reconcile of one object, and when to come back.
pub type Reconcile = Pin<Box<dyn Future<Output = Requeue> + Send>>;

/// How much of so many workers a namespace and a BillingProvider may hold at once. Several that hang leave some to the others.
const fn bounds(workers: usize) -> Bounds {
    let (group, lane) = (workers.div_ceil(4), workers.div_ceil(8));
    Bounds { min_interval: MIN_INTERVAL, group, lane, rate_limit: OBSERVE_RATE }
}

impl Replica {
    /// The replica called `name` that works with `client` and the `clouds`, on at most `workers` objects at once, and sends
    /// `notices` if there are receivers.
    pub fn new(
        client: &Client,
        clouds: Clouds,
        notices: Option<Arc<Notices>>,
        settings: Settings,
        name: &str,
        workers: usize,
        registry: &mut Registry,
    ) -> Self {
        let metrics = engine::Metrics::register(registry);
        let queue = Arc::new(Queue::new(bounds(workers)));
        let watches = Watches::new(&metrics);
        engine::register_queue(registry, &queue);
        engine::register_watches(registry, &watches);
        if let Some(notices) = &notices {
            metrics::register_notices(registry, notices);
        }
        let operator = Arc::new(Operator {
            ledger: Ledger::new(client.clone(), settings.clock),
            providers: Providers::new(client.clone(), clouds, settings.clock),
            index: Mutex::new(Index::default()),
            queue,
            events: Events::new(client.clone(), "payg-operator.io/operator", name, &metrics),
            metrics: Metrics::register(registry),
            notices,
            settings,
            claiming: tokio::sync::Mutex::default(),
            client: client.clone(),
        });
        Self { operator, watches, metrics, workers }
    }

    /// Starts the watches. Every replica watches, so that the next leader knows the cluster.
    pub fn watch(&self, tasks: &mut Tasks<()>) {
        watches::start(&self.operator, &self.watches, tasks);
    }

    /// Starts to write into the status what receivers of notices have accepted.
    pub fn remember(&self, tasks: &mut Tasks<()>, outcomes: UnboundedReceiver<Outcome>) {
        let Some(notices) = self.operator.notices.clone() else { return };
        let operator = Arc::clone(&self.operator);
        tasks.spawn("notices", async move { notices::record(&operator, &notices, outcomes).await });
    }

    /// Waits until every watch has seen its first full list.
    pub async fn synced(&self) {
        self.watches.synced().await;
    }

    /// Reconciles what the watches find until `stop`, each time inside of `around`. Only the leader does.
    pub async fn reconcile(
        &self,
        pulse: Pulse,
        stop: CancellationToken,
        around: impl Fn(Reconcile) -> Reconcile + Send + Sync + 'static,
    ) {
        let operator = Arc::clone(&self.operator);
        let reconcile = move |work| {
            let operator = Arc::clone(&operator);
            around(Box::pin(async move { operator.reconcile(work).await }))
        };
        let limits = Limits { workers: self.workers, deadline: RECONCILE_DEADLINE, grace: GRACE };
        workers::run(Arc::clone(&self.operator.queue), limits, self.metrics.clone(), pulse, stop, reconcile).await;
    }
}

/// Runs the operator until it is told to stop.
pub async fn run(config: Config) -> Result<(), Error> {
    let shutdown = shutdown::on_signal()?;
    open_all_files_that_may_be();
    let user_agent = concat!("payg-operator/", env!("CARGO_PKG_VERSION"));
    let client = client::connect(config.kubeconfig.as_deref(), user_agent)?;
    let clouds = Clouds {
        azure: azure::Connections::new(config.azure)?,
        aws: aws::Connections::new(config.aws)?,
        ambient_identity_namespaces: config.ambient_identity_namespaces,
    };
    let aws = clouds.aws.clone();
    let receivers = config.notify_config.as_deref().map(notices::read).transpose()?;
    let (notices, outcomes) = receivers.map(|receivers| Notices::start(receivers, config.settings.clock)).unzip();
    let mut registry = Registry::with_prefix("payg_operator");
    let replica = Arc::new(Replica::new(
        &client,
        clouds,
        notices.map(Arc::new),
        config.settings,
        &config.pod_name,
        config.workers,
        &mut registry,
    ));
    let pulse = Pulse::default();
    let mut tasks: Tasks<()> = Tasks::new();
    replica.watch(&mut tasks);
    if let Some(outcomes) = outcomes {
        replica.remember(&mut tasks, outcomes);
    }
    if let Some((notices, file)) = replica.operator.notices.clone().zip(config.notify_config) {
        tasks.spawn("receivers", async move { notices.reread(&file).await });
    }
    let probes = http::Probes { watches: replica.watches.clone(), pulse: pulse.clone() };
    serve(&mut tasks, "probes", config.probes_listen, http::probes(probes))?;
    serve(&mut tasks, "metrics", config.listen, http::metrics(Arc::new(registry)))?;
    let leads = Arc::new(AtomicBool::new(false));
    if let Some(endpoint) = config.hooks {
        let taking =
            hooks::Hooks::new(Arc::clone(&replica.operator), aws, endpoint.token_file, Arc::clone(&leads)).await?;
        serve(&mut tasks, "hooks", endpoint.listen, hooks::router(taking))?;
    }
    info!(version = env!("CARGO_PKG_VERSION"), dry_run = config.settings.dry_run, "started");

    let candidate = Candidate::new(client, &config.namespace, NAME, &config.pod_name, &replica.metrics);
    let elected = async {
        replica.synced().await;
        candidate.acquire().await
    };
    let leadership = tokio::select! {
        leadership = elected => leadership,
        ended = tasks.next_ended() => return Err(unexpected(ended)),
        () = shutdown.cancelled() => return Ok(()),
    };
    leads.store(true, Ordering::Relaxed); // if it ends, so does this process
    let stop = shutdown.clone();
    tasks.spawn(WORKERS, async move { replica.reconcile(pulse, stop, identity).await });
    let ended = tokio::select! {
        () = leadership.lost().cancelled_owned() => return Err(Error::LeaseLost),
        ended = tasks.next_ended() => ended,
    };
    match &ended {
        // No reconcile runs any more: another replica may take over at once.
        Some(task) if task.name == WORKERS && shutdown.is_cancelled() => {
            leadership.release().await;
            info!("stopped");
            Ok(())
        }
        _ => Err(unexpected(ended)),
    }
}

const WORKERS: &str = "workers";

/// Serves what `router` has at `address`, as the task called `name`.
fn serve(tasks: &mut Tasks<()>, name: &'static str, address: SocketAddr, router: Router) -> Result<(), http::Error> {
    let listener = http::bind(address)?;
    tasks.spawn(name, async move {
        http::serve(listener, router).await;
    });
    Ok(())
}

/// Container runtimes set the soft limit of open files to 1024 for the sake of programs that use `select`:
/// <https://0pointer.net/blog/file-descriptor-limits.html>. This one does not.
fn open_all_files_that_may_be() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        debug!(%error, "the limit of open files stays as it is");
    }
}

fn unexpected(ended: Option<shutdown::Ended<()>>) -> Error {
    match ended {
        None => Error::Task("all", "no task is left".to_owned()),
        Some(shutdown::Ended { name, result: Ok(()) }) => Error::Task(name, "it returned early".to_owned()),
        Some(shutdown::Ended { name, result: Err(panicked) }) => Error::Task(name, panicked.message),
    }
}
