//! What the operator counts, beside what the engine does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use payg_core::provider::Outcome;
use payg_core::reason::Reason;
use payg_notify::Counts;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::operator::notices::Notices;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

/// The operator's own families. Copies share their numbers.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    verdicts: Family<ByReason, Counter>,
    reads: Family<ByReason, Counter>,
    surveys: Family<ByReason, Counter>,
    attempts: Family<ByOutcome, Counter>,
    deliveries: Family<ByOutcome, Counter>,
    unwatched: Gauge,
    unwatched_names: Arc<Mutex<BTreeSet<String>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReceiver {
    receiver: String,
}

/// One of the numbers of a receiver.
type Count = fn(&Counts) -> u64;

/// Adds what the receivers of notices have done to `registry`; it is read at every scrape.
pub fn register_notices(registry: &mut Registry, notices: &Arc<Notices>) {
    let notices = Arc::clone(notices);
    payg_runtime::metrics::collect(registry, move |mut encoder| {
        let counts = notices.counts();
        let counters = [
            ("notices_sent", "Notices that a receiver has accepted", (|counts| counts.sent) as Count),
            ("notices_failed", "Attempts to send a notice that failed", |counts| counts.failed),
            ("notices_dropped", "Notices that were given up: refused, moot, or for want of room", |counts| {
                counts.dropped
            }),
        ];
        for (name, help, value) in counters {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (receiver, counts) in &counts {
                let receiver = receiver.to_string();
                ConstCounter::new(value(counts)).encode(family.encode_family(&ByReceiver { receiver })?)?;
            }
        }
        let mut family =
            encoder.encode_descriptor("notices_queued", "Notices that wait for a receiver", None, MetricType::Gauge)?;
        for (receiver, counts) in &counts {
            let queued = i64::try_from(counts.queued).unwrap_or(i64::MAX);
            ConstGauge::new(queued).encode(family.encode_family(&ByReceiver { receiver: receiver.to_string() })?)?;
        }
        Ok(())
    });
}

impl Metrics {
    /// Adds the families to `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for outcome in [Outcome::Accepted, Outcome::Rejected, Outcome::NotSent, Outcome::Unknown] {
            metrics.attempts.get_or_create(&ByOutcome { outcome: outcome.name() }).inc_by(0);
        }
        registry.register(
            "verdict_changes",
            "Changes of a Subscription's verdict, by the new one",
            metrics.verdicts.clone(),
        );
        registry.register("account_reads", "Looks at accounts, by what came of them", metrics.reads.clone());
        registry.register("surveys", "Checks of credentials, by what came of them", metrics.surveys.clone());
        registry.register("upgrade_attempts", "Upgrades that were requested, by outcome", metrics.attempts.clone());
        registry.register(
            "hook_deliveries",
            "What clouds sent to the webhooks, by what came of it",
            metrics.deliveries.clone(),
        );
        registry.register(
            "unwatched_records",
            "Upgrade records without a known outcome whose account nobody can see",
            metrics.unwatched.clone(),
        );
        metrics
    }

    /// Counts a change to the verdict with `reason`.
    pub fn verdict(&self, reason: Reason) {
        self.verdicts.get_or_create(&ByReason { reason: reason.name() }).inc();
    }

    /// Counts an observation of an account.
    pub fn read(&self, reason: Reason) {
        self.reads.get_or_create(&ByReason { reason: reason.name() }).inc();
    }

    /// Counts a check of credentials.
    pub fn survey(&self, reason: Reason) {
        self.surveys.get_or_create(&ByReason { reason: reason.name() }).inc();
    }

    /// Counts a request for an upgrade.
    pub fn attempt(&self, outcome: Outcome) {
        self.attempts.get_or_create(&ByOutcome { outcome: outcome.name() }).inc();
    }

    /// Counts what was sent to a webhook.
    pub fn delivery(&self, outcome: &'static str) {
        self.deliveries.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// Remembers whether nobody can see the account of the record called `name`.
    pub fn unwatched(&self, name: &str, unwatched: bool) {
        let mut names = self.unwatched_names.lock().unwrap_or_else(PoisonError::into_inner);
        if unwatched {
            names.insert(name.to_owned());
        } else {
            names.remove(name);
        }
        self.unwatched.set(names.len().try_into().unwrap_or(i64::MAX));
    }
}
