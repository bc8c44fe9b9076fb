//! The small world of the model in the product's types: what a reconcile reads and which answers it gets.

use jiff::{SignedDuration, Timestamp};
use payg_core::account::AccountId;
use payg_core::approval::{Approval, Decision as Decided};
use payg_core::desired::{self, ApprovalMode, Claimant, DeclaredTrial, Desired, Lapse, Sight, Suspension};
use payg_core::inputs::Previous;
use payg_core::money::Money;
use payg_core::observation::{Acceptance, Lifecycle, Observation, PastObservation};
use payg_core::offer::{Benefit, BenefitKind, BenefitState, Offer, OfferClass};
use payg_core::provider::{Capabilities, Method, ProviderObject};
use payg_core::record::{ProviderVersion, Requester};
use payg_core::source::{Origin, Source};
use payg_core::transition::Transition;
use payg_fixtures::given::active_trial;

use crate::actions::Provider;
use crate::state::*;

/// How the clocks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    /// A tick, in seconds.
    pub tick: i64,
    /// By how many ticks the clock of replica 1 is ahead of the true time.
    pub ahead: i8,
}

impl Clock {
    /// The age in ticks from which on an attempt has settled.
    pub const fn settled(self) -> i8 {
        // 30 s to send, 20 s for the call, 60 s for clocks that differ.
        (110 + self.tick - 1).div_euclid(self.tick) as i8
    }

    pub(crate) fn age(self, age: i8) -> SignedDuration {
        match age {
            LONG_AGO => SignedDuration::from_hours(49) + SignedDuration::from_secs(120),
            ticks => SignedDuration::from_secs(i64::from(ticks) * self.tick),
        }
    }

    /// What the clock of the replica shows.
    pub(crate) fn wall(self, replica: usize) -> Timestamp {
        let ahead = if replica == 1 { i64::from(self.ahead) * self.tick } else { 0 };
        now() + SignedDuration::from_secs(ahead)
    }
}

/// The true time.
pub(crate) fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

pub(crate) fn account() -> AccountId {
    AccountId::Azure(uuid::Uuid::from_u128(1))
}

pub(crate) fn endpoint(number: u8) -> String {
    format!("https://broker-{number}.example")
}

pub(crate) fn trial() -> Offer {
    Offer { class: OfferClass::FreeTrial, native: "FreeTrial_2014-09-01".to_owned() }
}

pub(crate) fn source() -> Source {
    Source::from([Origin::Subscription])
}

pub(crate) fn benefits(spent: bool, as_of: Timestamp) -> Vec<Benefit> {
    let money = |amount| Money::parse(amount, "USD");
    vec![Benefit {
        state: if spent { BenefitState::Exhausted } else { BenefitState::Active },
        granted: money("200"),
        remaining: money(if spent { "0" } else { "50" }),
        ..Benefit::unknown(BenefitKind::Credit, as_of, source())
    }]
}

/// What an observation shows of an account in this stage.
pub(crate) fn observation(spent: bool, stage: Stage) -> Observation {
    let upgraded = stage == Stage::Converted;
    Observation {
        lifecycle: if spent && !upgraded { Lifecycle::Restricted } else { Lifecycle::Active },
        offer: if upgraded {
            Offer { class: OfferClass::PayAsYouGo, native: "PayAsYouGo".to_owned() }
        } else {
            trial()
        },
        eligible: !upgraded,
        acceptance: if stage == Stage::Accepted { Acceptance::Accepted } else { Acceptance::NotAccepted },
        benefits: if upgraded { Vec::new() } else { benefits(spent, now()) },
        source: source(),
        observed: now(),
        provider_time: Some(now()),
        ..active_trial()
    }
}

pub(crate) fn when(when: When) -> desired::When {
    match when {
        When::Exhausted => desired::When::BenefitsExhausted,
        When::Immediately => desired::When::Immediately,
        When::Never => desired::When::Never,
    }
}

pub(crate) fn method(provider: Provider) -> Method {
    match provider {
        Provider::Broker => Method::Broker,
        Provider::Api => Method::Api,
        Provider::Portal => Method::Portal,
    }
}

/// What Subscription `index` requests.
pub(crate) fn desired(index: u8, waits: When, suspend: bool) -> Desired {
    Desired {
        account: account(),
        provider_name: "azure".to_owned(),
        when: when(waits),
        approval: if is_manual(index) { ApprovalMode::Manual } else { ApprovalMode::Automatic },
        trial: DeclaredTrial::default(),
        suspend: suspend.then_some(desired::Suspension::Manifest),
    }
}

pub(crate) fn capabilities(provider: Provider, at: u8) -> Capabilities {
    Capabilities { method: method(provider), endpoint: endpoint(at) }
}

pub(crate) fn provider_object() -> ProviderObject {
    ProviderObject { spec: "{}".to_owned(), created: ago(1000) }
}

pub(crate) fn transition(provider: Provider, index: u8, waits: When, at: u8) -> Transition {
    Transition::new(&desired(index, waits, false), &trial(), &capabilities(provider, at), &provider_object())
}

pub(crate) fn expires(expiry: Expiry) -> Timestamp {
    match expiry {
        Expiry::Far => now() + SignedDuration::from_hours(10_000),
        Expiry::Soon => now() + SignedDuration::from_secs(5),
        Expiry::Over => ago(1),
    }
}

/// What somebody `said` of Subscription `index`.
pub(crate) fn approval(provider: Provider, index: u8, said: Said, decision: Decided) -> Approval {
    Approval {
        expires: Some(expires(said.expiry)),
        created: ago(2),
        uid: said.uid.to_string(),
        name: format!("said-{}", said.uid),
        approver: "somebody".to_owned(),
        reason: "a test".to_owned(),
        transition_hash: transition(provider, index, said.when, said.endpoint).hash,
        decision,
    }
}

pub(crate) fn approvals(provider: Provider, index: u8, says: &Says) -> Vec<Approval> {
    let deny = says.deny.then(|| Approval {
        expires: None,
        created: ago(2),
        uid: "deny".to_owned(),
        name: "deny".to_owned(),
        approver: "somebody".to_owned(),
        reason: "a test".to_owned(),
        transition_hash: String::new(),
        decision: Decided::Deny,
    });
    let approve = says.approve.map(|said| approval(provider, index, said, Decided::Approve));
    let retry = says.retry.map(|(number, said)| approval(provider, index, said, Decided::Retry(number.into())));
    [deny, approve, retry].into_iter().flatten().collect()
}

/// A Subscription as one that may make a request.
pub(crate) fn requester(index: u8) -> Requester {
    let Claimant { namespace, name, uid, .. } = claimant(index, 0, None);
    Requester { namespace, name, uid, provider: Some(provider_version()) }
}

/// The BillingProvider of each: nobody changes it here.
pub(crate) fn provider_version() -> ProviderVersion {
    ProviderVersion { uid: "uid-provider".to_owned(), generation: 1 }
}

pub(crate) fn claimant(index: u8, incarnation: u8, other: Option<Other>) -> Claimant {
    Claimant {
        namespace: if index == 0 { "team-a" } else { "team-b" }.to_owned(),
        name: "sandbox".to_owned(),
        uid: format!("uid-{index}-{incarnation}"),
        // One that is applied anew is younger than all others.
        created: ago(if incarnation == 0 { 1000 - i64::from(index) } else { 500 }),
        yields: other.is_some_and(|other| other.yields).then_some(Lapse::Suspended(Suspension::Manifest)),
        sight: match other {
            Some(Other { has_seen: true, failing: Since::Never, .. }) => Sight::Clear { last: Some(now()) },
            Some(Other { has_seen: true, failing: Since::Lately, .. }) => Sight::Lost { since: now() },
            Some(Other { has_seen: true, failing: Since::LongAgo, .. }) => Sight::Lost { since: ago(49) },
            Some(Other { has_seen: false, .. }) | None => Sight::Never,
        },
    }
}

/// Subscription 0 asks nobody, Subscription 1 asks a person.
pub const fn is_manual(index: u8) -> bool {
    index == 1
}

pub(crate) fn previous(status: &Status, wall: Timestamp) -> Previous {
    let seen = |spent, eligible| {
        Some(PastObservation {
            benefits: if eligible { benefits(spent, ago(1)) } else { Vec::new() },
            observed: ago(1),
            eligible,
            closed: false,
            source: Some(source()),
        })
    };
    Previous {
        restricted_since: None,
        exhausted_since: None,
        observation: match status.observation {
            Look::None => None,
            Look::Left => seen(false, true),
            Look::Spent => seen(true, true),
            Look::Upgraded => seen(false, false),
        },
        burn_per_day: None,
        accepted_since: status.accepted.then(now),
        not_ready_since: (status.failing == Since::LongAgo).then(|| ago(49)),
        unobserved_since: None,
        verifying_since: match status.verifying {
            Since::Never => None,
            Since::Lately => Some(wall),
            Since::LongAgo => Some(wall - SignedDuration::from_hours(49)),
        },
    }
}
