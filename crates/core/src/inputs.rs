//! All that a decision is made of.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::allowance::Allowance;
use super::approval::{Approval, PolicyCheck};
use super::desired::{Claimant, Desired};
use super::observation::{Observation, PastObservation};
use super::provider::{Capabilities, Operation, ProviderError, ProviderObject};
use super::record::{ProviderVersion, Record, Requester};

/// All that a decision is made of.
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
    /// What this reconcile's look at the account brought; `None` if none was made.
    pub observation: Option<Result<Observation, ProviderError>>,
    /// How far the open upgrade has come by the provider's word; `None` if it was not asked.
    pub operation: Option<Operation>,
    /// The other Subscriptions of the same account.
    pub claimants: Vec<Claimant>,
    /// What status remembers.
    pub previous: Previous,
    /// The ledger's entry for the account.
    pub record: Option<Record>,
    /// What people said.
    pub approvals: Vec<Approval>,
    /// What admission makes sure of.
    pub policy_check: PolicyCheck,
    /// What the operator's own settings allow.
    pub allowance: Allowance,
    /// What time it is.
    pub now: Now,
}

impl Inputs {
    /// Who makes an attempt that follows on this decision.
    pub fn requester(&self) -> Requester {
        Requester {
            namespace: self.subject.namespace.clone(),
            name: self.subject.name.clone(),
            uid: self.subject.uid.clone(),
            provider: self.provider_version.clone(),
        }
    }
}

/// What status remembers of former passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// The last observation that succeeded.
    pub observation: Option<PastObservation>,
    /// Since when the account has been restricted, if it was so at the last observation (billing clock).
    pub restricted_since: Option<Timestamp>,
    /// When its benefits were exhausted, if they were so at the last observation (billing clock).
    pub exhausted_since: Option<Timestamp>,
    /// How much credit a day was used up by the last forecast.
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

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// By the billing clock.
    pub billing: Timestamp,
    /// By the wall clock.
    pub wall: Timestamp,
}
