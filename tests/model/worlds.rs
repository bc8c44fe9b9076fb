//! What is explored: worlds, each with faults of its own, since all at once are too many.

use crate::actions::{Protocol, Provider};
use crate::given::Clock;
use crate::knockouts::MINUTES;
use crate::properties::{
    CONFIRMED, CONFIRMED_LATE, CONFLICT, ORPHAN_CONFIRMED, ORPHAN_UNRESOLVED, RETRIED, SECOND, TAKEN_OVER, UNRESOLVED,
};
use crate::state::Budget;

/// A world, and what must be possible in it.
pub struct World {
    pub name: &'static str,
    pub model: Protocol,
    pub shows: &'static [&'static str],
}

const NONE: Budget =
    Budget { crashes: 0, writes: 0, calls: 0, refusals: 0, stale: 0, changes: 0, pauses: 0, endpoints: 0 };

fn both(provider: Provider, budget: Budget) -> Protocol {
    Protocol { provider, clock: MINUTES, budget, only: None, short_approvals: false, claims: false, without: None }
}

fn only(subscription: u8, budget: Budget) -> Protocol {
    Protocol { only: Some(subscription), ..both(Provider::Broker, budget) }
}

/// Those that are explored at every run of the tests.
pub fn small() -> Vec<World> {
    use Provider::{Api, Broker, Portal};
    let lost = Budget { calls: 1, ..NONE };
    let all_but_people =
        Budget { crashes: 1, writes: 1, calls: 1, refusals: 1, stale: 1, changes: 0, pauses: 1, endpoints: 1 };
    vec![
        World {
            name: "two Subscriptions, a claim that lapses or comes back, a refusal",
            model: Protocol { claims: true, ..both(Broker, Budget { refusals: 1, changes: 1, ..NONE }) },
            shows: &[CONFIRMED, CONFLICT, TAKEN_OVER],
        },
        World {
            name: "two Subscriptions, a crash, a lost call",
            model: both(Broker, Budget { crashes: 1, ..lost }),
            shows: &[CONFIRMED, CONFIRMED_LATE, SECOND, CONFLICT],
        },
        World {
            name: "two Subscriptions, a lost call, a person",
            model: both(Broker, Budget { changes: 1, ..lost }),
            shows: &[CONFIRMED, CONFIRMED_LATE, SECOND, UNRESOLVED, CONFLICT],
        },
        World {
            name: "a crash, a lost call, a person",
            model: only(0, Budget { crashes: 1, changes: 1, ..lost }),
            shows: &[CONFIRMED, CONFIRMED_LATE, SECOND, UNRESOLVED, ORPHAN_CONFIRMED, ORPHAN_UNRESOLVED],
        },
        World {
            name: "three lost calls and a person",
            model: only(0, Budget { calls: 3, changes: 1, ..NONE }),
            shows: &[CONFIRMED_LATE, SECOND, UNRESOLVED, RETRIED],
        },
        World {
            name: "a refusal, three stale looks, two changes by people",
            model: only(0, Budget { refusals: 1, stale: 3, changes: 2, ..NONE }),
            shows: &[CONFIRMED, UNRESOLVED, RETRIED],
        },
        World {
            name: "approvals",
            model: Protocol { short_approvals: true, ..only(1, Budget { changes: 2, ..lost }) },
            shows: &[CONFIRMED, CONFIRMED_LATE, UNRESOLVED],
        },
        World {
            name: "clocks that differ, a pause, a crash, a lost call",
            model: Protocol {
                clock: Clock { ahead: 1, ..MINUTES },
                ..only(0, Budget { crashes: 1, pauses: 1, ..lost })
            },
            shows: &[CONFIRMED, CONFIRMED_LATE, SECOND],
        },
        World {
            name: "a desired state, refusals, stale looks",
            model: Protocol { provider: Api, ..only(0, Budget { refusals: 1, stale: 1, pauses: 1, ..lost }) },
            shows: &[CONFIRMED, CONFIRMED_LATE],
        },
        World { name: "only a person can", model: both(Portal, Budget { changes: 1, ..all_but_people }), shows: &[] },
    ]
}

/// Those that take long.
pub fn large() -> Vec<World> {
    use Provider::{Api, Broker};
    let lost = Budget { calls: 1, ..NONE };
    vec![
        World {
            name: "two Subscriptions, claims that lapse and come back, a refusal",
            model: Protocol { claims: true, ..both(Broker, Budget { refusals: 1, changes: 2, ..NONE }) },
            shows: &[CONFIRMED, CONFLICT, TAKEN_OVER],
        },
        World {
            name: "two Subscriptions, a lost call, a crash, a person",
            model: both(Broker, Budget { crashes: 1, changes: 1, ..lost }),
            shows: &[CONFIRMED, CONFIRMED_LATE, SECOND, UNRESOLVED, CONFLICT],
        },
        World {
            name: "two Subscriptions, a lost call, a lost write, a stale view, a desired state",
            model: both(Api, Budget { writes: 1, stale: 1, ..lost }),
            shows: &[CONFIRMED, CONFIRMED_LATE, SECOND, CONFLICT],
        },
        World {
            name: "a fault of each kind",
            model: only(0, Budget { crashes: 1, writes: 1, calls: 1, refusals: 1, stale: 1, ..NONE }),
            shows: &[CONFIRMED, CONFIRMED_LATE, SECOND],
        },
        World {
            name: "two lost calls, a pause, a person",
            model: only(0, Budget { calls: 2, changes: 1, pauses: 1, ..NONE }),
            shows: &[CONFIRMED, CONFIRMED_LATE, SECOND, UNRESOLVED],
        },
    ]
}
