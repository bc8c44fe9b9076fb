//! A situation in which an upgrade is due, to be changed by each test in what it is about.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::core::account::AccountId;
use crate::core::allowance::{Allowance, Requested};
use crate::core::approval::{Approval, Decision as Said, Flaw, Guard};
use crate::core::desired::{ApprovalMode, Claimant, Desired, Sight, When};
use crate::core::inputs::{Inputs, Now, Previous};
use crate::core::money::Money;
use crate::core::observation::{Acceptance, DeclaredTrial, Handoff, Lifecycle, Observation};
use crate::core::offer::{Benefit, BenefitKind, BenefitState, Offer, OfferClass, Source};
use crate::core::provider::{Capabilities, Method, ProviderObject};
use crate::core::record::{Attempt, Outcome, ProviderVersion, Record, RecordState};
use crate::core::transition::Transition;
use crate::core::trigger::PastLook;

pub(crate) const ENDPOINT: &str = "https://broker.example";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    time("2026-03-01T12:00:00Z")
}

pub(crate) fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

pub(crate) fn money(amount: &str) -> Money {
    Money::parse(amount, "USD").unwrap()
}

pub(crate) fn credit(left: &str) -> Benefit {
    let left = money(left);
    Benefit {
        state: if left.amount.is_zero() { BenefitState::Exhausted } else { BenefitState::Active },
        granted: Some(money("200")),
        remaining: Some(left),
        ..Benefit::unknown(BenefitKind::Credit, now(), Source::Provider("billingProperty".to_owned()))
    }
}

pub(crate) fn period(end: Timestamp) -> Benefit {
    Benefit {
        state: if end <= now() { BenefitState::Exhausted } else { BenefitState::Active },
        end: Some(end),
        ..Benefit::unknown(BenefitKind::Period, now(), Source::Provider("billingProperty".to_owned()))
    }
}

pub(crate) fn free_trial() -> Offer {
    Offer { class: OfferClass::FreeTrial, native: "FreeTrial_2014-09-01".to_owned() }
}

pub(crate) fn pay_as_you_go() -> Offer {
    Offer { class: OfferClass::PayAsYouGo, native: "PayAsYouGo_2014-09-01".to_owned() }
}

pub(crate) fn spent() -> Observation {
    Observation {
        lifecycle: Lifecycle::Restricted,
        offer: free_trial(),
        eligible: true,
        acceptance: Acceptance::NotAccepted,
        benefits: vec![credit("0"), period(ago(-240))],
        trial_length: Some(SignedDuration::from_hours(30 * 24)),
        source: Source::Provider("subscription".to_owned()),
        owner: None,
        observed: now(),
        provider_time: Some(now()),
        unread: Vec::new(),
        remarks: Vec::new(),
        lapsed: false,
        handoff: Some(Handoff { url: "https://portal.example".to_owned(), needs: "a card".to_owned() }),
        closes: false,
        deadline: None,
    }
}

/// An automatic upgrade through a broker of a trial whose credit is spent, seen twice: all clear.
pub(crate) fn due() -> Inputs {
    let subject = Claimant {
        namespace: "team-a".to_owned(),
        name: "sandbox".to_owned(),
        uid: "uid-b".to_owned(),
        created: ago(1000),
        yields: None,
        sight: Sight::Clear { last: Some(ago(1)) },
    };
    Inputs {
        desired: Desired {
            account: AccountId::Azure(Uuid::from_u128(1)),
            provider_name: "azure".to_owned(),
            when: When::BenefitsExhausted,
            approval: ApprovalMode::Automatic,
            trial: DeclaredTrial::default(),
            suspend: None,
        },
        subject,
        provider: Ok(Capabilities { method: Method::Broker, endpoint: ENDPOINT.to_owned() }),
        provider_object: Some(ProviderObject { spec: "{}".to_owned(), created: ago(900) }),
        provider_version: Some(ProviderVersion { uid: "uid-p".to_owned(), generation: 1 }),
        look: Some(Ok(spent())),
        operation: None,
        claimants: Vec::new(),
        previous: Previous {
            look: Some(PastLook {
                benefits: spent().benefits.into_iter().map(|seen| Benefit { as_of: ago(1), ..seen }).collect(),
                observed: ago(1),
                eligible: true,
                closed: false,
                source: Some(spent().source),
            }),
            ..Previous::default()
        },
        record: None,
        approvals: Vec::new(),
        guard: in_force(),
        allowance: Allowance { dry_run: false, per_hour: 10, requested: Vec::new(), alone: false },
        now: Now { billing: now(), wall: now() },
    }
}

/// `count` requests of this hour, of which each is `own` or another namespace's.
pub(crate) fn requested(count: usize, own: bool) -> Vec<Requested> {
    vec![Requested { at: now(), own }; count]
}

/// All admission policies as they are shipped, for long.
pub(crate) fn in_force() -> Guard {
    Guard {
        flaws: Vec::new(),
        since: Some(ago(2000)),
        youngest: "ValidatingAdmissionPolicy/x".to_owned(),
        automatic_needs_approve: false,
    }
}

/// The binding of one of them is missing.
pub(crate) fn broken() -> Guard {
    let object = "ValidatingAdmissionPolicyBinding/x".to_owned();
    Guard { flaws: vec![Flaw { object, is_missing: true }], ..in_force() }
}

impl Inputs {
    /// The look of this pass.
    pub(crate) fn seen(&mut self) -> &mut Observation {
        match &mut self.look {
            Some(Ok(seen)) => seen,
            other => panic!("no look: {other:?}"),
        }
    }

    pub(crate) fn hash(&self) -> String {
        self.transition().hash
    }

    pub(crate) fn transition(&self) -> Transition {
        let Some(Ok(seen)) = &self.look else { panic!("no look") };
        let Ok(capabilities) = &self.provider else { panic!("no provider") };
        Transition::new(&self.desired, &seen.offer, capabilities, self.provider_object.as_ref().unwrap())
    }
}

pub(crate) fn said(inputs: &Inputs, decision: Said) -> Approval {
    Approval {
        expires: (decision != Said::Deny).then(|| now() + SignedDuration::from_hours(1)),
        created: ago(1),
        uid: format!("uid-{decision:?}"),
        name: "word".to_owned(),
        approver: "jane".to_owned(),
        reason: "it goes on".to_owned(),
        transition_hash: inputs.hash(),
        decision,
    }
}

/// A record with one attempt that ended `hours` ago.
pub(crate) fn record(state: RecordState, outcome: Outcome, hours: i64) -> Record {
    Record {
        name: AccountId::Azure(Uuid::from_u128(1)).upgrade_key().record_name(),
        state,
        attempts: vec![Attempt {
            number: 1,
            not_after: ago(hours),
            endpoint: Some(ENDPOINT.to_owned()),
            outcome,
            sent: Some(ago(hours)),
            approval_uid: None,
            message: "PaymentMethodRequired: add a card".to_owned(),
            operation: None,
            requester: Some(due().requester()),
            lacked_rights: false,
        }],
        outcome: None,
    }
}
