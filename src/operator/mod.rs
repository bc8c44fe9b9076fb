//! The operator: reconciles of Subscriptions, BillingProviders and records, and the ledger of upgrades. Joins `core` (what to
//! do), `api` (what is written and read), `providers` (the clouds) and `runtime` (the engine).

mod clouds;
mod hooks;
mod index;
pub mod ledger;
mod metrics;
mod notices;
pub mod parse;
mod plan;
mod policy;
mod reads;
mod reconcile;
mod run;
mod status;
#[cfg(test)]
mod tests;
mod watches;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use tracing::warn;

use payg_clock::Clock;
use payg_runtime::ObjectKey;
use payg_runtime::events::Events;
use payg_runtime::queue::{Queue, Requeue};

use self::reconcile::{billing_provider, subscription, upgrade_record};

pub use self::clouds::Clouds;
pub use self::hooks::Endpoint as HooksEndpoint;
pub use self::notices::{Notices, read as read_receivers};
pub use self::plan::{plan, survey};
pub use self::policy::SHIPPED as SHIPPED_POLICIES;
pub use self::run::{Config, Error, Reconcile, Replica, run};
pub use self::status::render::OBSERVED;

/// Who writes, in managed fields.
const FIELD_MANAGER: &str = "payg-operator";
/// How long one observation of an account may take.
const OBSERVE_DEADLINE: Duration = Duration::from_secs(30);

/// How the operator is to work: its administrator's choice.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Decide, and request nothing.
    pub dry_run: bool,
    /// How many upgrades may be requested within an hour.
    pub upgrades_per_hour: u32,
    /// The wall clock and the billing clock.
    pub clock: Clock,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Work {
    Subscription(ObjectKey),
    Provider(ObjectKey),
    /// A record that no Subscription looks after, by name.
    Record(String),
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscription(key) => write!(f, "Subscription {key}"),
            Self::Provider(key) => write!(f, "BillingProvider {key}"),
            Self::Record(name) => write!(f, "UpgradeRecord {name}"),
        }
    }
}

struct Operator {
    client: Client,
    ledger: ledger::Ledger,
    providers: clouds::Providers,
    index: Mutex<index::Index>,
    queue: Arc<Queue<Work>>,
    events: Events,
    metrics: metrics::Metrics,
    /// Present if the administrator has named receivers.
    notices: Option<Arc<notices::Notices>>,
    settings: Settings,
    /// Held while the right to send an attempt is taken.
    claiming: tokio::sync::Mutex<()>,
}

impl Operator {
    /// One reconcile, and when the next one is due.
    async fn reconcile(&self, work: Work) -> Requeue {
        let outcome = match &work {
            Work::Subscription(key) => Box::pin(subscription::reconcile(self, key)).await,
            Work::Provider(key) => billing_provider::reconcile(self, key).await,
            Work::Record(name) => upgrade_record::reconcile(self, name).await,
        };
        outcome.unwrap_or_else(|error| {
            // Somebody wrote in between: the next reconcile reads what they wrote.
            if !matches!(&error, kube::Error::Api(status) if status.is_conflict()) {
                warn!(%work, %error, "a reconcile failed; it is retried");
            }
            Requeue::RETRY
        })
    }

    /// The time on the wall clock.
    fn wall(&self) -> Timestamp {
        self.settings.clock.wall()
    }

    /// The fleet in memory. Never held across an await.
    fn index(&self) -> MutexGuard<'_, index::Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The objects of a kind in the namespace of `key`.
    fn namespaced<K>(&self, key: &ObjectKey) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), key.namespace.as_deref().unwrap_or_default())
    }
}
