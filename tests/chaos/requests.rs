//! The upgrade requests that reached the simulator, whose log keeps the latest requests only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use crate::verdict::Request;
use crate::workload::World;

/// How often the log is read: well before it forgets.
const PERIOD: Duration = Duration::from_secs(20);

/// Account, time and key of each.
#[derive(Default)]
pub(crate) struct Requests(Mutex<BTreeSet<(String, Timestamp, Option<String>)>>);

impl Requests {
    /// Begins to collect. The task ends with the runtime.
    pub(crate) fn collect(world: &Arc<World>) -> Arc<Self> {
        let requests = Arc::new(Self::default());
        let (collected, world) = (Arc::clone(&requests), Arc::clone(world));
        tokio::spawn(async move {
            loop {
                collected.read(&world).await;
                sleep(PERIOD).await;
            }
        });
        requests
    }

    async fn read(&self, world: &World) {
        for operation in ["upgrade", "upgradeAccountPlan"] {
            let log = world.stack.simulator.get(&format!("requests?operation={operation}")).await.unwrap();
            let mut requests = self.0.lock().unwrap();
            for request in log.as_array().unwrap() {
                let account = request["account"].as_str().unwrap_or_default().to_owned();
                let at = request["wallTime"].as_str().unwrap().parse().unwrap();
                requests.insert((account, at, request["idempotencyKey"].as_str().map(str::to_owned)));
            }
        }
    }

    /// All of them, by account.
    pub(crate) async fn all(&self, world: &World) -> BTreeMap<String, Vec<Request>> {
        self.read(world).await;
        let mut all: BTreeMap<String, Vec<Request>> = BTreeMap::new();
        for (account, at, key) in self.0.lock().unwrap().iter().cloned() {
            all.entry(account).or_default().push(Request { at, key });
        }
        all
    }
}
