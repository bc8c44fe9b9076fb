//! The parts of the protocol. Each can be taken out, and then a named property fails.

use crate::actions::{Protocol, Provider};
use crate::given::Clock;
use crate::properties;
use crate::state::Budget;

/// A part that is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KnockOut {
    /// 1. The Subscription is read from a cache, at the beginning of a reconcile and before the record is written.
    LiveRead,
    /// 1. Subscription and approvals are not read again before the record is written.
    SecondRead,
    /// 2. The request leaves first, and the record is written with its outcome.
    RecordFirst,
    /// 2. The intent id is not random: it is derived from the intent's subject, so that two reconciles have the same one.
    RandomIntentId,
    /// 2. A write without an answer is taken for one that was done.
    ReadBack,
    /// 3. The time is not checked before the request is written to the socket.
    NotAfterTime,
    /// 3. The window does not end with the approval.
    ApprovalsEnd,
    /// 3. Each attempt has a key of its own.
    ConstantKey,
    /// 4. What is not answered counts as refused.
    UnknownIsUnknown,
    /// 4. A refusal counts as definite, although an earlier attempt is in doubt.
    InDoubt,
    /// 5. An answer with success confirms the upgrade.
    Observation,
    /// 6. A request that was sent counts as settled at once.
    SettleTime,
    /// 6. A request is sent again although the other rows do not allow it any more.
    EveryOtherRow,
    /// 6. Attempts are not counted.
    ThreeAttempts,
    /// 6. A request is sent again to whatever endpoint the flags name.
    RecordedEndpoint,
    /// 6. A further attempt is written without compare-and-swap.
    CompareAndSwap,
    /// 4. A claim never lapses.
    ClaimsLapse,
    /// 6. A refusal is everybody's.
    RequestersRefusals,
    /// 7. Nobody looks after a record whose Subscription is gone.
    WorkOfTheirOwn,
}

const NONE: Budget =
    Budget { crashes: 0, writes: 0, calls: 0, refusals: 0, stale: 0, changes: 0, pauses: 0, endpoints: 0 };

/// A tick of a minute: a window is over after one, and what was sent has settled after two.
pub const MINUTES: Clock = Clock { tick: 60, ahead: 0 };

/// Every part with the smallest world in which it is missed, and the property that fails.
pub fn all() -> Vec<(Protocol, &'static str)> {
    use KnockOut::*;
    let world = |without, budget| Protocol {
        provider: Provider::Broker,
        clock: MINUTES,
        budget,
        only: Some(0),
        short_approvals: false,
        claims: false,
        without: Some(without),
    };
    let changed = Budget { changes: 1, ..NONE };
    let lost = Budget { calls: 1, ..NONE };
    let unseen = Budget { stale: 1, ..lost };
    vec![
        (world(LiveRead, changed), properties::ASKED_FOR),
        (world(SecondRead, changed), properties::ASKED_FOR),
        (world(RecordFirst, NONE), properties::RECORDED),
        (world(RandomIntentId, NONE), properties::ONE_REQUEST),
        (world(ReadBack, Budget { writes: 1, ..NONE }), properties::RECORDED),
        (world(NotAfterTime, Budget { pauses: 1, ..NONE }), properties::IN_TIME),
        (
            Protocol {
                clock: Clock { tick: 20, ahead: 0 },
                only: Some(1),
                short_approvals: true,
                ..world(ApprovalsEnd, Budget { pauses: 1, ..changed })
            },
            properties::APPROVED,
        ),
        (world(ConstantKey, unseen), properties::ONCE),
        (world(UnknownIsUnknown, lost), properties::TRUE_NO),
        (Protocol { provider: Provider::Api, ..world(InDoubt, unseen) }, properties::NO_DOUBT),
        (world(Observation, NONE), properties::SEEN),
        (world(SettleTime, lost), properties::SETTLED),
        (world(EveryOtherRow, Budget { changes: 1, ..lost }), properties::ASKED_FOR),
        (world(ThreeAttempts, Budget { calls: 3, ..NONE }), properties::FEW),
        (world(RecordedEndpoint, Budget { endpoints: 1, ..unseen }), properties::ONCE),
        (world(CompareAndSwap, lost), properties::ONE_REQUEST),
        (Protocol { only: None, claims: true, ..world(ClaimsLapse, changed) }, properties::TOLD),
        (
            Protocol { only: None, claims: true, ..world(RequestersRefusals, Budget { refusals: 1, ..changed }) },
            properties::OWN_REFUSALS,
        ),
        (world(WorkOfTheirOwn, Budget { changes: 1, ..lost }), properties::TOLD),
    ]
}
