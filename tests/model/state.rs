//! The world of the model, as small as it can be: everything is `Copy`, so that a state costs a few hundred bytes.
//!
//! No time is absolute. An attempt has an age, counted in ticks by the true time and capped where nothing changes any
//! more, so the number of states is finite although time goes on for ever.

/// The replicas. Both may believe that they lead: the lease saves work and fences nothing, so it is not modelled.
pub const REPLICAS: usize = 2;
/// The Subscriptions: 0 is older and of namespace `team-a`, 1 is of `team-b`. Both name the one account.
pub const SUBSCRIPTIONS: usize = 2;
/// The most attempts that fit into the model's record.
pub const ATTEMPTS: usize = 6;
/// An age that counts as long ago: 49 hours, beyond every bound of the product except the week of an operation.
pub const LONG_AGO: i8 = i8::MAX;

/// All that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// The actual state of the account at the provider.
    pub account: Account,
    /// The Subscriptions in etcd.
    pub subscriptions: [Option<Subscription>; SUBSCRIPTIONS],
    /// The `UpgradeApprovals` in etcd, by Subscription. They outlive it.
    pub says: [Says; SUBSCRIPTIONS],
    /// The `UpgradeRecord` in etcd.
    pub record: Option<Entry>,
    /// The replicas' memory.
    pub replicas: [Phase; REPLICAS],
    /// A write of the record that was given up by its sender and may still arrive.
    pub late_write: Option<LateWrite>,
    /// Requests that were given up by their sender and may still arrive, by attempt.
    pub late_requests: [Option<Request>; 2],
    /// What is left to go wrong or to be changed by people.
    pub budget: Budget,
    /// What is remembered for the properties only. The product cannot see it.
    pub ghost: Ghost,
    /// The Subscriptions before the last change by a person: what a cache may still hold. Only kept by the knock-out of
    /// the live read.
    pub stale: Option<[Option<Subscription>; SUBSCRIPTIONS]>,
}

/// The account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// Whether the benefits are used up.
    pub spent: bool,
    /// How far an upgrade has come.
    pub stage: Stage,
    /// The number of upgrades that have taken effect. It must never reach two.
    pub upgrades: u8,
    /// The idempotency keys that the provider has taken, as a set of bits.
    pub keys: u8,
    /// Which endpoint the operator's flags name.
    pub endpoint: u8,
}

/// How far an upgrade has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Trial,
    Accepted,
    Converted,
}

/// A Subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscription {
    /// Stands for the uid: one that is deleted and applied anew has another.
    pub incarnation: u8,
    /// `metadata.generation`.
    pub generation: u8,
    pub when: When,
    pub suspend: bool,
    /// Whether its credentials may read the account.
    pub sees: bool,
    pub status: Status,
}

/// `spec.upgrade.when`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    Exhausted,
    Immediately,
    Never,
}

/// What status remembers of earlier reconciles, as far as decisions use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status {
    pub observation: Look,
    /// `status.upgrade.acceptTime` is there.
    pub accepted: bool,
    /// Since when the reason `VerifyingUpgrade` holds.
    pub verifying: Since,
    /// `Ready` has the reason `AccountConflict`.
    pub conflict: bool,
    /// Since when `Observed` is False.
    pub failing: Since,
}

/// The last observation that succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    #[default]
    None,
    Left,
    Spent,
    Upgraded,
}

/// Since when something holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Since {
    #[default]
    Never,
    Lately,
    LongAgo,
}

/// What people said for one Subscription: at most one object of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Says {
    pub deny: bool,
    pub approve: Option<Said>,
    /// With the attempt that it names.
    pub retry: Option<(u8, Said)>,
}

/// An Approve or a Retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Said {
    /// Stands for the uid.
    pub uid: u8,
    /// What the approved transition waits for, and where it is to be asked for: the parts of its hash that can change here.
    pub when: When,
    pub endpoint: u8,
    pub expiry: Expiry,
}

/// When an approval ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expiry {
    /// Not within the life of the model.
    Far,
    /// Within the window of an attempt that is made now, and before the next tick.
    Soon,
    Over,
}

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    pub state: EntryState,
    /// Which Subscription asked for the first attempt.
    pub requester: u8,
    pub attempts: [Option<Attempt>; ATTEMPTS],
}

impl Entry {
    pub fn attempts(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        self.attempts.iter().flatten()
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, EntryState::Intended | EntryState::Unknown | EntryState::Accepted)
    }
}

/// The states of a record that this version writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryState {
    Intended,
    Accepted,
    Unknown,
    Rejected,
    Unresolved,
    Confirmed,
}

/// An attempt. Its number is its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    pub intent: Intent,
    pub outcome: Outcome,
    /// Whether `sendTime` is written.
    pub sent: bool,
    /// The endpoint that it names.
    pub endpoint: u8,
    /// Which Subscription made it.
    pub by: u8,
    /// It was refused for want of rights.
    pub lacked_rights: bool,
}

/// An intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intent {
    /// Stands for the random id: unlike every other one that anybody can still remember.
    pub id: u8,
    /// How many ticks ago the attempt was opened, by the true time. Below zero if by a clock that is ahead.
    pub age: i8,
    /// `notAfterTime` is the end of the approval and not that of the window.
    pub cut: bool,
    /// The uid of the approval.
    pub approval: Option<u8>,
    /// Whether that was a Retry. The product knows by the uid.
    pub retry: bool,
}

/// `core::provider::Outcome`; what is not written yet is `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    Accepted,
    Rejected,
    NotSent,
    Unknown,
}

/// Where a replica is in its reconcile. A phase holds what the process has in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    Idle,
    /// After `operator::subscription::read`.
    Read(Read),
    /// After `decide`, when it said that an upgrade is to be requested.
    Decided(Read, Demand),
    /// The write of the record has not been answered, so it is to be read back (`Ledger::settle`).
    Unanswered(Pass, Demand, Intent),
    /// It holds a `Claim`: the intent in the record is its own.
    Claimed(Pass, Demand, Claim),
    /// The provider's answer is there, and is to be written (`Ledger::close`).
    Answered(Pass, Status, Claim, Answer),
}

/// The part of its input that a reconcile still needs after it has written the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pass {
    pub index: u8,
    pub subscription: Subscription,
    pub endpoint: u8,
}

/// What a reconcile has read, live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Read {
    /// Which Subscription.
    pub index: u8,
    pub subscription: Subscription,
    pub says: Says,
    pub record: Option<Entry>,
    /// The other Subscription, if it is among the claimants.
    pub other: Option<Other>,
    /// The flags of the process.
    pub endpoint: u8,
}

/// The other Subscription as a claimant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Other {
    pub has_seen: bool,
    /// It is suspended, or says `when: Never`.
    pub yields: bool,
    pub failing: Since,
}

impl Other {
    pub fn new(subscription: &Subscription) -> Self {
        Self {
            has_seen: subscription.status.observation != Look::None,
            yields: subscription.suspend || subscription.when == When::Never,
            failing: subscription.status.failing,
        }
    }

    /// Whether its claim is alive: written down here again, and not asked of the product.
    pub fn claims(self) -> bool {
        self.has_seen && !self.yields && self.failing != Since::LongAgo
    }
}

/// What is to be requested: `core::decide::UpgradeOrder` with the number of the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Demand {
    pub number: u8,
    pub approval: Option<Said>,
    pub retry: bool,
    /// What status says after the reconcile.
    pub status: Status,
    /// Ghost: whether spec, approvals and the account allowed the upgrade when they were last read.
    pub allowed: bool,
}

/// The right to send one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    pub number: u8,
    pub intent: Intent,
    /// Ghost: whether the ledger is known to hold the intent.
    pub acknowledged: bool,
}

/// What the provider, or the network, answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    Success,
    /// A definite rejection, for a reason that lies with the account.
    Refused,
    /// A definite rejection for want of rights.
    Forbidden,
    /// Certainly not sent: too late, no connection, asked to slow down.
    NotSent,
    /// No answer, or one that proves nothing.
    Lost,
}

/// A request at the provider's door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    pub number: u8,
    pub key: u8,
    pub endpoint: u8,
}

/// A write that may still arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LateWrite {
    /// The record that it was made on; none for a create.
    pub before: Option<Entry>,
    pub after: Entry,
}

/// What may still go wrong, or be changed by people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Budget {
    /// Crashes, each at any step.
    pub crashes: u8,
    /// Writes to the API server that are lost, answered with a loss, or late.
    pub writes: u8,
    /// Upgrade calls that are lost, whose answer is lost, that are doubled or late.
    pub calls: u8,
    /// Upgrade calls that are refused, or cannot be sent.
    pub refusals: u8,
    /// Looks that show the account as it was, and indexes that do not know the other Subscription.
    pub stale: u8,
    /// Changes by people: suspend, Deny, Approve, Retry, delete, apply anew, another `when`.
    pub changes: u8,
    /// Ticks, or days, that reconcile while a reconcile is under way.
    pub pauses: u8,
    /// Changes of the endpoint in the operator's flags.
    pub endpoints: u8,
}

/// What only the properties see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ghost {
    /// The attempts whose request has left, a bit each.
    pub sent: u8,
    /// The attempts whose request has been taken by the provider, a bit each.
    pub taken: u8,
    /// What has been broken by a step: a bit for each of `properties::Broken`.
    pub broken: u16,
    /// How many uids of approvals have been given out.
    pub uids: u8,
}
