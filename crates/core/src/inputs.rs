//! The inputs of a decision.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::allowance::Allowance;
use super::approval::{Approval, PolicyCheck};
use super::desired::{Claimant, Desired};
use super::observation::{Observation, PastObservation};
use super::provider::{Capabilities, Operation, ProviderError, ProviderObject};
use super::record::{ProviderVersion, Record, Requester};

/// The inputs of a decision.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// What the manifest asks for.
    pub desired: Desired,
    /// The Subscription itself.
    pub subject: Claimant,
    /// What its provider can do, or why there is none to ask.
    pub provider: Result<Capabilities, ProviderError>,
    /// The object that its provider is made from, where there is one.
    pub provider_object: Option<ProviderObject>,
    /// The BillingProvider as it was read, if there is one.
    pub provider_version: Option<ProviderVersion>,
    /// The result of this reconcile's observation; `None` if none was made.
    pub observation: Option<Result<Observation, ProviderError>>,
    /// The progress of the open upgrade, as the provider reports it; `None` if it was not asked.
    pub operation: Option<Operation>,
    /// The other Subscriptions of the same account.
    pub claimants: Vec<Claimant>,
    /// What status remembers.
    pub previous: Previous,
    /// The ledger's entry for the account.
    pub record: Option<Record>,
    /// The approvals of the account's Subscription.
    pub approvals: Vec<Approval>,
    /// What the admission policies guarantee.
    pub policy_check: PolicyCheck,
    /// What the operator's own settings allow.
    pub allowance: Allowance,
    /// The current time.
    pub now: Now,
}

impl Inputs {
    /// The requester of an attempt that follows from this decision.
    pub fn requester(&self) -> Requester {
        Requester {
            namespace: self.subject.namespace.clone(),
            name: self.subject.name.clone(),
            uid: self.subject.uid.clone(),
            provider: self.provider_version.clone(),
        }
    }
}

/// What status remembers of earlier reconciles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// The last observation that succeeded.
    pub observation: Option<PastObservation>,
    /// Since when the account has been restricted, if it was so at the last observation (billing clock).
    pub restricted_since: Option<Timestamp>,
    /// When its benefits were exhausted, if they were so at the last observation (billing clock).
    pub exhausted_since: Option<Timestamp>,
    /// The credit used per day, according to the last forecast.
    pub burn_per_day: Option<Decimal>,
    /// Since when an upgrade has shown as accepted (billing clock).
    pub accepted_since: Option<Timestamp>,
    /// Since when the provider has not been ready (wall clock).
    pub not_ready_since: Option<Timestamp>,
    /// Since when no observation has succeeded (wall clock).
    pub unobserved_since: Option<Timestamp>,
    /// Since when an upgrade that may have been requested has not shown (wall clock).
    pub verifying_since: Option<Timestamp>,
}

/// The current time.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// By the billing clock.
    pub billing: Timestamp,
    /// By the wall clock.
    pub wall: Timestamp,
}
