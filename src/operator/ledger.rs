//! The ledger of upgrades: UpgradeRecords, one per account and target offer, written before a provider is asked.
//!
//! The create is the lock, across replicas and across Subscriptions of one account. Only the pass whose own random intent
//! id is in the record may send; everybody else takes the attempt for one that may have been sent. Writes are conditional
//! and refuse fields that the cluster's CRD does not know, so that nothing is lost in silence. An attempt's outcome is
//! kept even so.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::Request;
use kube::{Api, Client, Resource, ResourceExt};
use tracing::{error, warn};
use uuid::Uuid;

use crate::api;
use crate::clock;
use crate::core::account::AccountId;
use crate::core::decide::{Note, Plan};
use crate::core::desired::Claimant;
use crate::core::provider::ProviderError;
use crate::core::record::{Attempt, Outcome, Record, RecordState, SEND_WINDOW};
use crate::providers::Accepted;

use super::{FIELD_MANAGER, parse, patch};

/// How often an ambiguous write is read back before it is left to a later pass.
const READ_BACKS: u32 = 3;

/// An attempt that is this pass's own to send.
#[derive(Debug)]
pub struct Claim {
    /// The record as it was written.
    pub record: api::UpgradeRecord,
    /// The attempt's number.
    pub number: i32,
    /// The last moment at which it may be sent (wall clock).
    pub not_after: Timestamp,
}

/// The ledger.
#[derive(Clone)]
pub struct Ledger {
    client: Client,
    records: Api<api::UpgradeRecord>,
}

impl Ledger {
    /// The ledger of the cluster behind `client`.
    pub fn new(client: Client) -> Self {
        Self { records: Api::all(client.clone()), client }
    }

    /// The entry of `account`, read live.
    pub async fn read(&self, account: &AccountId) -> kube::Result<Option<api::UpgradeRecord>> {
        self.records.get_opt(&account.upgrade_key().record_name()).await
    }

    /// The entry called `name`, read live.
    pub async fn get(&self, name: &str) -> kube::Result<Option<api::UpgradeRecord>> {
        self.records.get_opt(name).await
    }

    /// Creates the entry of `account`. What allows it was read after `read` (wall clock). `None` when the attempt is not, or
    /// not surely, this pass's own.
    pub async fn open(
        &self,
        account: &AccountId,
        requester: &Claimant,
        plan: &Plan,
        read: Timestamp,
    ) -> kube::Result<Option<Claim>> {
        let key = account.upgrade_key();
        let intent = intent(plan, read);
        let spec = api::UpgradeRecordSpec {
            key: key.as_str().to_owned(),
            account: api::RecordAccount { cloud: account.cloud().name().to_owned(), id: account.id() },
            from: api::Offer {
                class: plan.transition.from.class.name().into(),
                native: Some(plan.transition.from.native.as_str().into()),
            },
            to: api::Offer { class: plan.transition.to.name().into(), native: None },
            requester: api::Requester {
                namespace: requester.namespace.clone(),
                name: requester.name.clone(),
                uid: requester.uid.clone(),
            },
            intent: intent.clone(),
            endpoint: Some(plan.endpoint.clone()),
        };
        let record = api::UpgradeRecord::new(&key.record_name(), spec);
        let created = self.create(&record).await;
        let ours = |record: &api::UpgradeRecord| record.spec.intent.id == intent.id;
        let record = self.settle(created, &key.record_name(), ours).await?;
        Ok(record.map(|record| Claim { record, number: 1, not_after: intent.not_after_time.into() }))
    }

    /// Adds attempt `number` to `before`, unless somebody has changed the record since. What allows it was read after
    /// `read` (wall clock). `None` when the attempt is not, or not surely, this pass's own.
    pub async fn open_again(
        &self,
        before: &api::UpgradeRecord,
        number: u32,
        plan: &Plan,
        read: Timestamp,
    ) -> kube::Result<Option<Claim>> {
        let Ok(number) = i32::try_from(number) else { return Ok(None) };
        let intent = intent(plan, read);
        let mut status = before.status.clone().unwrap_or_default();
        with_first_attempt(&mut status);
        let endpoint = Some(plan.endpoint.clone());
        status.attempts.push(api::Attempt {
            number,
            intent: Some(intent.clone()),
            endpoint,
            ..api::Attempt::default()
        });
        // From here on it may be on its way.
        status.state = RecordState::Unknown.name().map(Into::into);
        status.outcome = None;
        log(&mut status, "AttemptOpened", &format!("attempt {number}: {}", plan.evidence.summary));
        let written = self.write(before, &status).await;
        let ours = |record: &api::UpgradeRecord| {
            let attempts = record.status.iter().flat_map(|status| &status.attempts);
            attempts.filter_map(|attempt| attempt.intent.as_ref()).any(|written| written.id == intent.id)
        };
        let record = self.settle(written, &before.name_any(), ours).await?;
        Ok(record.map(|record| Claim { record, number, not_after: intent.not_after_time.into() }))
    }

    /// Writes how the attempt of `claim` ended, and returns the record as it is then. A write that fails is not made up
    /// for: the attempt then stays one that may have been sent.
    pub async fn close(
        &self,
        claim: Claim,
        sent: Timestamp,
        answer: &Result<Accepted, ProviderError>,
    ) -> (Outcome, api::UpgradeRecord) {
        let mut record = claim.record;
        let (outcome, state) = outcome(&parse::record(&record), answer);
        let message = match answer {
            Ok(accepted) => accepted.message.clone(),
            Err(error) => error.to_string(),
        };
        let mut operation = answer.as_ref().ok().and_then(|accepted| accepted.operation.clone());
        for _ in 0..READ_BACKS {
            let mut status = record.status.clone().unwrap_or_default();
            with_first_attempt(&mut status);
            for attempt in status.attempts.iter_mut().filter(|attempt| attempt.number == claim.number) {
                attempt.send_time = attempt.send_time.or(Some(sent.into()));
                attempt.outcome = Some(outcome.name().into());
                attempt.message = Some(message.as_str().into());
                attempt.operation.clone_from(&operation);
            }
            let seen_meanwhile = [RecordState::Accepted, RecordState::Confirmed];
            if !seen_meanwhile.contains(&RecordState::parse(status.state.as_deref())) {
                status.state = state.name().map(Into::into);
            }
            log(&mut status, outcome.name(), &message);
            match self.write(&record, &status).await {
                Ok(written) => return (outcome, written),
                Err(error) => {
                    warn!(record = record.name_any(), %error, "the outcome of an attempt was not written");
                    // The outcome matters more than the newest field, without which the account is just observed.
                    if is_invalid(&error) && operation.take().is_some() {
                        warn!(
                            record = record.name_any(),
                            "it is written without where the provider tells how far the upgrade has come; if the \
                             CRDs are older than this operator, apply the CRDs of this version"
                        );
                    }
                }
            }
            match self.get(&record.name_any()).await {
                Ok(Some(current)) => record = current,
                Ok(None) => break,
                Err(error) => warn!(record = record.name_any(), %error, "the record could not be read back"),
            }
        }
        error!(
            record = record.name_any(),
            "the outcome of an attempt is not in the ledger; the account is observed instead"
        );
        (outcome, record)
    }

    /// Writes what the account shows, or that a person must decide, into `record`.
    pub async fn note(&self, record: &api::UpgradeRecord, note: &Note) -> kube::Result<()> {
        let mut status = record.status.clone().unwrap_or_default();
        with_first_attempt(&mut status);
        let (state, event, text) = match note {
            Note::Accepted => {
                (RecordState::Accepted, "SeenAccepted", "the account shows that an upgrade was accepted".to_owned())
            }
            Note::Confirmed => (RecordState::Confirmed, "Confirmed", confirmation(&parse::record(record))),
            Note::Unresolved(why) => (RecordState::Unresolved, "Unresolved", why.because()),
        };
        status.state = state.name().map(Into::into);
        status.outcome = Some(text.as_str().into());
        log(&mut status, event, &text);
        self.write(record, &status).await.map(|_| ())
    }

    /// What came of a write: the record, if it is `ours`. A write that was refused because of another one is not ours
    /// for certain, as it may have been repeated on its way; so it is read back, as one without a clear answer is.
    async fn settle(
        &self,
        written: kube::Result<api::UpgradeRecord>,
        name: &str,
        ours: impl Fn(&api::UpgradeRecord) -> bool,
    ) -> kube::Result<Option<api::UpgradeRecord>> {
        let mut error = match written {
            Ok(record) => return Ok(Some(record).filter(&ours)),
            Err(error) if is_definite_refusal(&error) => return Err(error),
            Err(error) => error,
        };
        for _ in 0..READ_BACKS {
            match self.get(name).await {
                Ok(Some(record)) => return Ok(Some(record).filter(&ours)),
                // It may still arrive; then nobody has the right to send it.
                Ok(None) => return Err(error),
                Err(another) => error = another,
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(error)
    }

    /// kube's own create cannot ask for strict validation.
    async fn create(&self, record: &api::UpgradeRecord) -> kube::Result<api::UpgradeRecord> {
        let body = serde_json::to_vec(record).map_err(kube::Error::SerdeError)?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let request = Request::new(api::UpgradeRecord::url_path(&(), None)).create(&params, body);
        let mut request = request.map_err(kube::Error::BuildRequest)?;
        let strict = format!("{}&fieldValidation=Strict", request.uri()).parse();
        *request.uri_mut() = strict.map_err(|error| kube::Error::Service(Box::new(error)))?;
        self.client.request(request).await
    }

    async fn write(
        &self,
        before: &api::UpgradeRecord,
        status: &api::UpgradeRecordStatus,
    ) -> kube::Result<api::UpgradeRecord> {
        let old = before.status.clone().unwrap_or_default();
        let Some(patch) = patch::status(&before.metadata, &old, status)? else { return Ok(before.clone()) };
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        self.records.patch_status(&before.name_any(), &params, &Patch::Merge(patch)).await
    }
}

/// Whether the API server said no for a reason that has nothing to do with another write.
fn is_definite_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if (400..500).contains(&status.code) && !matches!(status.code, 408 | 409 | 429))
}

/// Whether the API server refused what was written, and not that it was written.
fn is_invalid(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 422))
}

/// What an attempt is made upon. The window begins with the `read`, so that a process that was suspended after it does not
/// send upon what somebody has changed meanwhile.
fn intent(plan: &Plan, read: Timestamp) -> api::Intent {
    let window = read.saturating_add(SEND_WINDOW).unwrap_or(Timestamp::MAX);
    let not_after = plan.approval.as_ref().and_then(|approval| approval.expires).map_or(window, |end| end.min(window));
    api::Intent {
        id: Uuid::new_v4().to_string(),
        not_after_time: not_after.into(),
        approval: plan.approval.as_ref().map(|approval| api::RecordApproval {
            name: approval.name.clone(),
            uid: approval.uid.clone(),
            approver: approval.approver.clone(),
            reason: Some(approval.reason.as_str().into()),
            create_time: Some(approval.created.into()),
            expire_time: approval.expires.map(Into::into),
        }),
        evidence: api::Evidence {
            observed_time: plan.evidence.observed.into(),
            summary: plan.evidence.summary.as_str().into(),
        },
    }
}

/// The first attempt's intent is in the spec; its outcome belongs beside the others'.
fn with_first_attempt(status: &mut api::UpgradeRecordStatus) {
    if !status.attempts.iter().any(|attempt| attempt.number == 1) {
        status.attempts.insert(0, api::Attempt { number: 1, ..api::Attempt::default() });
    }
}

/// How an attempt ended, and what that makes of the record. Only a refusal after refusals alone is definite: after an
/// attempt without a known outcome, "no" may be the answer to an upgrade that has happened.
fn outcome(record: &Record, answer: &Result<Accepted, ProviderError>) -> (Outcome, RecordState) {
    let last = record.last().map(|attempt| attempt.number);
    let earlier = record.attempts.iter().filter(|attempt| Some(attempt.number) != last);
    let in_doubt = earlier.into_iter().any(|attempt| attempt.outcome == Outcome::Unknown);
    let outcome = match answer {
        Ok(_) => Outcome::Accepted,
        Err(error) => match error.outcome() {
            Outcome::Rejected if in_doubt => Outcome::Unknown,
            outcome => outcome,
        },
    };
    match outcome {
        Outcome::NotSent if in_doubt => (outcome, RecordState::Unknown),
        _ => (outcome, outcome.state()),
    }
}

fn confirmation(record: &Record) -> String {
    let not_ours = |attempt: &Attempt| matches!(attempt.outcome, Outcome::Rejected | Outcome::NotSent);
    let nobody_of_us = record.attempts.iter().all(not_ours);
    let by = if nobody_of_us { "; no request of ours was taken, so somebody else upgraded it" } else { "" };
    format!("the account is on the offer{by}")
}

/// The most entries that a timeline holds.
const TIMELINE_MAX: usize = 64;

fn log(status: &mut api::UpgradeRecordStatus, event: &str, message: &str) {
    if status.timeline.len() >= TIMELINE_MAX {
        // The beginning tells more than the middle.
        status.timeline.remove(TIMELINE_MAX / 2);
    }
    let message = Some(message).filter(|text| !text.is_empty()).map(Into::into);
    status.timeline.push(api::TimelineEntry { time: clock::wall().into(), event: event.into(), message });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::desired::When;
    use crate::core::offer::{Offer, OfferClass};
    use crate::core::provider::Method;
    use crate::core::transition::Transition;
    use crate::core::trigger::{Cause, Evidence};

    fn record(earlier: &[Outcome]) -> Record {
        let now = Timestamp::now();
        let attempt = |(number, outcome)| Attempt {
            number,
            not_after: now,
            endpoint: None,
            outcome,
            sent: Some(now),
            approval_uid: None,
            message: String::new(),
            operation: None,
        };
        // The last one is the one that has just been answered.
        let outcomes = earlier.iter().copied().chain([Outcome::Unknown]);
        let attempts = (1..).zip(outcomes).map(attempt).collect();
        Record { name: "up-1".to_owned(), state: RecordState::Unknown, attempts, outcome: None }
    }

    fn refusal() -> ProviderError {
        ProviderError::Precondition { code: "PaymentMethodRequired".to_owned(), detail: String::new() }
    }

    fn unsent() -> ProviderError {
        ProviderError::Transient { detail: "connection refused".to_owned() }
    }

    fn lost() -> ProviderError {
        ProviderError::OutcomeUnknown { detail: "reset".to_owned() }
    }

    #[test]
    fn what_was_read_long_ago_is_not_sent_upon() {
        let account = AccountId::Azure(Uuid::nil());
        let from = Offer { class: OfferClass::FreeTrial, native: "FreeTrial_2014-09-01".to_owned() };
        let read = Timestamp::now() - jiff::SignedDuration::from_hours(1);
        let plan = Plan {
            transition: Transition::new(&account, &from, Method::Broker, &When::Immediately),
            evidence: Evidence { cause: Cause::Asked, observed: read, summary: String::new() },
            approval: None,
            endpoint: "https://broker.example".to_owned(),
        };
        assert_eq!(Timestamp::from(intent(&plan, read).not_after_time), read + SEND_WINDOW);
    }

    #[test]
    fn no_is_definite_only_while_nothing_is_in_doubt() {
        use Outcome::{Accepted, NotSent, Rejected, Unknown};
        for (earlier, answer, outcome_is, state) in [
            (&[][..], Ok(super::Accepted::default()), Accepted, RecordState::Accepted),
            (&[], Err(refusal()), Rejected, RecordState::Rejected),
            (&[], Err(unsent()), NotSent, RecordState::Rejected),
            (&[], Err(lost()), Unknown, RecordState::Unknown),
            (&[Rejected, NotSent], Err(refusal()), Rejected, RecordState::Rejected),
            (&[Unknown], Err(refusal()), Unknown, RecordState::Unknown),
            (&[Unknown], Err(unsent()), NotSent, RecordState::Unknown),
            (&[Unknown, NotSent], Err(unsent()), NotSent, RecordState::Unknown),
        ] {
            assert_eq!(outcome(&record(earlier), &answer), (outcome_is, state), "{earlier:?} {answer:?}");
        }
    }

    #[test]
    fn a_timeline_keeps_its_beginning_and_its_end() {
        let mut status = api::UpgradeRecordStatus::default();
        for number in 0..100 {
            log(&mut status, &format!("E{number}"), "");
        }
        assert_eq!(status.timeline.len(), TIMELINE_MAX);
        assert_eq!((&*status.timeline[0].event, &*status.timeline[63].event), ("E0", "E99"));
    }
}
