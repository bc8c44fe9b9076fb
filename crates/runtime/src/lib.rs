//! How a program puts the parts together:
//!
//! ```no_run
//! use std::{error::Error, sync::Arc, time::Duration};
//!
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::Api;
//! use payg_runtime::{
//!     ObjectKey, client, http, lease::Candidate, metrics::{self, Metrics}, rate_limit::Rate,
//!     queue::{Bounds, Place, Queue, Requeue}, shutdown::{self, Tasks}, watch::{Event, Watches},
//!     workers::{self, Limits, Pulse},
//! };
//! use prometheus_client::registry::Registry;
//!
//! # async fn program() -> Result<(), Box<dyn Error + Send + Sync>> {
//! let shutdown = shutdown::on_signal()?;
//! let client = client::connect(None, "example/1")?;
//! let mut registry = Registry::with_prefix("example");
//! let metrics = Metrics::register(&mut registry);
//! let (watches, pulse) = (Watches::new(&metrics), Pulse::default());
//! let rate_limit = Rate { burst: 8, interval: Duration::from_millis(125) };
//! let bounds = Bounds { min_interval: Duration::from_secs(1), group: 2, lane: 1, rate_limit };
//! let queue = Arc::new(Queue::new(bounds));
//! metrics::register_queue(&mut registry, &queue);
//! metrics::register_watches(&mut registry, &watches);
//!
//! let mut tasks: Tasks<()> = Tasks::new();
//! let listener = http::bind("[::]:8080".parse()?)?;
//! let probes = http::probes(http::Probes { watches: watches.clone(), pulse: pulse.clone() });
//! let served = probes.merge(http::metrics(Arc::new(registry)));
//! tasks.spawn("http", async { http::serve(listener, served).await; });
//!
//! let changed = queue.clone();
//! let watch = watches.watch("configmaps", Api::all(client.clone()), move |event: Event<ConfigMap>| match event {
//!     Event::Applied(object) => {
//!         let key = ObjectKey::of(&object.metadata);
//!         let group = key.namespace.clone().unwrap_or_default();
//!         changed.assign(&key, &Place { group, lane: None });
//!         changed.add(key);
//!     }
//!     Event::Deleted(key) => changed.forget(&key),
//!     Event::Invalid { .. } | Event::Synced => {}
//! });
//! tasks.spawn("watch configmaps", watch);
//!
//! let candidate = Candidate::new(client, "example", "example-leader", "example-0", &metrics);
//! let elected = async {
//!     watches.synced().await;
//!     candidate.acquire().await
//! };
//! let leadership = tokio::select! {
//!     leadership = elected => leadership,
//!     Some(ended) = tasks.next_ended() => return Err(format!("{} ended: {:?}", ended.name, ended.result).into()),
//!     () = shutdown.cancelled() => return Ok(()),
//! };
//! let limits = Limits { workers: 8, deadline: Duration::from_secs(60), grace: Duration::from_secs(20) };
//! let reconcile = |key: ObjectKey| async move { Requeue::After(Duration::from_secs(key.name.len() as u64)) };
//! let work = workers::run(queue, limits, metrics, pulse, shutdown.clone(), reconcile);
//! tasks.spawn("workers", work);
//! let ended = tokio::select! {
//!     () = leadership.lost().cancelled_owned() => return Err("the lease is lost".into()), // the process ends at once
//!     Some(ended) = tasks.next_ended() => ended,
//! };
//! if ended.name == "workers" && shutdown.is_cancelled() {
//!     leadership.release().await; // no reconcile runs any more
//!     return Ok(());
//! }
//! Err(format!("{} ended: {:?}", ended.name, ended.result).into())
//! # }
//! ```

mod backoff;
pub mod client;
mod diff;
mod election;
pub mod events;
pub mod http;
mod kubeconfig;
pub mod lease;
pub mod metrics;
mod object_key;
mod proxy;
pub mod queue;
pub mod rate_limit;
mod schedule;
pub mod shutdown;
mod token_file;
mod unreachable;
pub mod watch;
pub mod workers;

pub use object_key::ObjectKey;
