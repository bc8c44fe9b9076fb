//! The engine's own metric families. The caller owns the registry, gives it a prefix and adds its own families.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::queue::Queue;
use super::watch::Watches;

/// Seconds. A reconcile that only looks takes some tens of milliseconds; one that calls a slow provider takes seconds.
const RECONCILE_SECONDS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByOutcome {
    pub(super) outcome: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByWatch {
    pub(super) watch: &'static str,
}

/// What the engine counts. Copies share their numbers.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) reconciles: Family<ByOutcome, Counter>,
    pub(super) reconcile_seconds: Histogram,
    pub(super) watch_errors: Family<ByWatch, Counter>,
    pub(super) invalid_objects: Family<ByWatch, Gauge>,
    pub(super) leader: Gauge,
    pub(super) event_failures: Counter,
}

impl Metrics {
    /// Adds the engine's families to the registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciles: Family::default(),
            reconcile_seconds: Histogram::new(RECONCILE_SECONDS),
            watch_errors: Family::default(),
            invalid_objects: Family::default(),
            leader: Gauge::default(),
            event_failures: Counter::default(),
        };
        registry.register(
            "reconciles",
            "Reconciles that ended, by what follows: after (a later reconcile), on_change (nothing until a change), retry \
             (it failed), timeout (it reached its deadline), panic (a bug), abandoned (the shutdown cut it short)",
            metrics.reconciles.clone(),
        );
        for outcome in ["after", "on_change", "retry", "timeout", "panic", "abandoned"] {
            metrics.reconciles.get_or_create(&ByOutcome { outcome }).inc_by(0); // a rate needs the zero before the first one
        }
        registry.register_with_unit(
            "reconcile",
            "How long reconciles took",
            Unit::Seconds,
            metrics.reconcile_seconds.clone(),
        );
        registry.register("watch_errors", "Failures of a list or a watch", metrics.watch_errors.clone());
        registry.register(
            "invalid_objects",
            "Objects that exist and cannot be read as their kind; the log names each",
            metrics.invalid_objects.clone(),
        );
        registry.register("leader", "1 if this replica holds the lease, else 0", metrics.leader.clone());
        registry.register(
            "event_failures",
            "Kubernetes Events that could not be written",
            metrics.event_failures.clone(),
        );
        metrics
    }
}

/// Adds the families of a queue to the registry; they are read from the queue at every scrape.
pub fn register_queue<K>(registry: &mut Registry, queue: &Arc<Queue<K>>)
where
    K: Clone + Eq + std::hash::Hash + Send + 'static,
{
    let queue = Arc::clone(queue);
    collect(registry, move |mut encoder| {
        let load = queue.load();
        let mut gauge = |name, help, unit, value| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
        };
        gauge("queue_due", "Keys that are due and wait for a worker", None, count(load.due))?;
        gauge("queue_scheduled", "Keys that are requeued for later", None, count(load.scheduled))?;
        gauge("reconciles_running", "Reconciles that run now", None, count(load.running))?;
        let oldest = load.oldest_wait.as_secs_f64();
        gauge("queue_oldest_wait", "How long the first due key has been due", Some(&Unit::Seconds), oldest)
    });
}

/// Adds the state of the watches to the registry; it is read at every scrape.
pub fn register_watches(registry: &mut Registry, watches: &Watches) {
    let watches = watches.clone();
    collect(registry, move |mut encoder| {
        let help = "How long ago the watch was last known to work; since the start of the process if it never was";
        let mut family = encoder.encode_descriptor("watch_age", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for (watch, age) in watches.ages() {
            ConstGauge::new(age.as_secs_f64()).encode(family.encode_family(&ByWatch { watch })?)?;
        }
        Ok(())
    });
}

#[expect(clippy::cast_precision_loss, reason = "no queue holds 2^53 keys")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Metrics that are read when they are asked for.
struct Reading<F>(F);

impl<F> fmt::Debug for Reading<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Reading")
    }
}

impl<F> Collector for Reading<F>
where
    F: Fn(DescriptorEncoder<'_>) -> fmt::Result + Send + Sync + 'static,
{
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0(encoder)
    }
}

/// Adds families to the registry that `read` reads at every scrape.
pub fn collect(registry: &mut Registry, read: impl Fn(DescriptorEncoder<'_>) -> fmt::Result + Send + Sync + 'static) {
    registry.register_collector(Box::new(Reading(read)));
}
