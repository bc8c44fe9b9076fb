//! Everything that the simulator knows: the clouds on their common ground, the faults to come, and what was asked.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::aws::state::{Aws, State as AwsState};
use super::azure::state::{Azure, State as AzureState};
use super::azure::upgrades;
use super::clock::VirtualClock;
use super::faults::Fault;
use super::ground::Ground;
use super::operation::OperationName;

/// How many requests the log keeps; the oldest are dropped.
const REQUESTS_KEPT: usize = 100_000;

/// What all connections share.
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    pub(crate) fn new(world: World, stop: CancellationToken) -> Self {
        Self { world: Mutex::new(world), stop }
    }

    /// The world, with everything carried out that is due. It is never held across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // A panic while it was held fails one request; the others go on with what it left.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        upgrades::settle(&mut world.azure());
        world
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The state of all simulated clouds.
pub(crate) struct World {
    pub(crate) ground: Ground,
    pub(crate) azure: AzureState,
    pub(crate) aws: AwsState,
    pub(crate) faults: Vec<Fault>,
    pub(crate) requests: VecDeque<Asked>,
}

/// A request of the simulated protocols.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    pub(crate) wall_time: Timestamp,
    pub(crate) operation: OperationName,
    pub(crate) account: Option<String>,
    pub(crate) method: String,
    pub(crate) path: String,
    /// `None`: the connection was cut instead of an answer.
    pub(crate) status: Option<u16>,
    pub(crate) idempotency_key: Option<String>,
}

impl World {
    pub(crate) fn new(url: String, clock: VirtualClock, seed: u64) -> Self {
        Self {
            ground: Ground::new(url, clock, seed),
            azure: AzureState::default(),
            aws: AwsState::default(),
            faults: Vec::new(),
            requests: VecDeque::new(),
        }
    }

    pub(crate) fn azure(&mut self) -> Azure<'_> {
        Azure { ground: &mut self.ground, state: &mut self.azure }
    }

    pub(crate) fn aws(&mut self) -> Aws<'_> {
        Aws { ground: &mut self.ground, state: &mut self.aws }
    }

    pub(crate) fn log(&mut self, request: Asked) {
        if self.requests.len() == REQUESTS_KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }
}
