//! The ledger of upgrades: UpgradeRecords, one per account and target offer, written before a provider is asked.
//!
//! The create is the lock, across replicas and across Subscriptions of one account. Only the reconcile whose own random intent
//! id is in the record may send; all others treat the attempt as possibly sent. Writes are conditional
//! and refuse fields that the cluster's CRD does not know, so that nothing is lost silently. An attempt's outcome is
//! kept even so.

pub mod entry;

use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::Request;
use kube::{Api, Client, Resource, ResourceExt};
use payg_api as api;
use payg_clock::Clock;
use payg_core::account::AccountId;
use payg_core::decide::{Note, UpgradeOrder};
use payg_core::provider::{Outcome, ProviderError};
use payg_core::record::Requester;
use payg_providers::Accepted;
use tracing::{error, warn};
use uuid::Uuid;

use self::entry::End;
use crate::operator::FIELD_MANAGER;
use crate::operator::status::patch;

/// How often an ambiguous write is read back before it is left to a later reconcile.
const READ_BACKS: u32 = 3;

/// An attempt that only this reconcile may send.
#[derive(Debug)]
pub struct Claim {
    /// The record as it was written.
    pub record: api::UpgradeRecord,
    pub number: i32,
    /// The last moment at which it may be sent (wall clock).
    pub not_after: Timestamp,
    pub requester: Requester,
}

#[derive(Clone)]
pub struct Ledger {
    client: Client,
    clock: Clock,
    records: Api<api::UpgradeRecord>,
}

impl Ledger {
    /// The ledger of the cluster behind `client`.
    pub fn new(client: Client, clock: Clock) -> Self {
        Self { records: Api::all(client.clone()), client, clock }
    }

    /// The entry of `account`, read live.
    pub async fn read(&self, account: &AccountId) -> kube::Result<Option<api::UpgradeRecord>> {
        self.records.get_opt(&account.upgrade_key().record_name()).await
    }

    /// The entry called `name`, read live.
    pub async fn get(&self, name: &str) -> kube::Result<Option<api::UpgradeRecord>> {
        self.records.get_opt(name).await
    }

    /// Creates the entry of `account`. Its preconditions were read after `read` (wall clock). `None` when the attempt is not, or
    /// not surely, this reconcile's own.
    pub async fn open(
        &self,
        account: &AccountId,
        order: &UpgradeOrder,
        read: Timestamp,
    ) -> kube::Result<Option<Claim>> {
        let intent = intent(order, read);
        let record = entry::opened(account, order, intent.clone());
        let created = self.create(&record).await;
        let record = self.settle(created, &record.name_any(), &intent.id).await?;
        Ok(record.map(|record| claim(record, 1, &intent, order)))
    }

    /// Adds attempt `number` to `before`, unless somebody has changed the record since. Its preconditions were read after
    /// `read` (wall clock). `None` when the attempt is not, or not surely, this reconcile's own.
    pub async fn open_again(
        &self,
        before: &api::UpgradeRecord,
        number: u32,
        order: &UpgradeOrder,
        read: Timestamp,
    ) -> kube::Result<Option<Claim>> {
        let Ok(number) = i32::try_from(number) else { return Ok(None) };
        let intent = intent(order, read);
        let mut status = entry::opened_again(before, number, order, intent.clone(), self.clock.wall());
        let mut written = self.write(before, &status).await;
        if written.as_ref().is_err_and(is_invalid) {
            warn!(record = before.name_any(), "an attempt is written without who makes it; {OLDER_CRDS}");
            entry::without_requester(&mut status, number);
            written = self.write(before, &status).await;
        }
        let record = self.settle(written, &before.name_any(), &intent.id).await?;
        Ok(record.map(|record| claim(record, number, &intent, order)))
    }

    /// Writes how the attempt of `claim` ended, and returns the record as it is then. A failed write is not made up
    /// for: the attempt then stays one that may have been sent.
    pub async fn close(
        &self,
        claim: Claim,
        sent: Timestamp,
        answer: &Result<Accepted, ProviderError>,
    ) -> (Outcome, api::UpgradeRecord) {
        let mut record = claim.record;
        let mut end = End::new(sent, answer, claim.requester);
        for _ in 0..READ_BACKS {
            let (outcome, status) = entry::closed(&record, claim.number, &end, self.clock.wall());
            match self.write(&record, &status).await {
                Ok(written) => return (outcome, written),
                Err(error) => {
                    warn!(record = record.name_any(), %error, "the outcome of an attempt was not written");
                    // The outcome matters more than the newest fields: drop the requester first, then the
                    // operation, without which the account is just observed.
                    if is_invalid(&error) && end.of.take().is_some() {
                        warn!(record = record.name_any(), "it is written without whose the attempt was; {OLDER_CRDS}");
                    } else if is_invalid(&error) && end.operation.take().is_some() {
                        warn!(
                            record = record.name_any(),
                            "it is written without where the provider tells how far the upgrade has come; {OLDER_CRDS}"
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
        (end.proves, record)
    }

    /// Writes what the account shows, or that a person must decide, into `record`.
    pub async fn note(&self, record: &api::UpgradeRecord, note: &Note) -> kube::Result<()> {
        let status = entry::noted(record, note, self.clock.wall());
        self.write(record, &status).await.map(|_| ())
    }

    /// The result of a write: the record, if it names our `intent`. A write that was refused because of another one is not ours
    /// for certain, as it may have been repeated on its way; so it is read back, as one without a clear answer is.
    async fn settle(
        &self,
        written: kube::Result<api::UpgradeRecord>,
        name: &str,
        intent: &str,
    ) -> kube::Result<Option<api::UpgradeRecord>> {
        let ours = |record: &api::UpgradeRecord| entry::names(record, intent);
        let mut error = match written {
            Ok(record) => return Ok(Some(record).filter(ours)),
            Err(error) if is_definite_refusal(&error) => return Err(error),
            Err(error) => error,
        };
        for _ in 0..READ_BACKS {
            match self.get(name).await {
                Ok(Some(record)) => return Ok(Some(record).filter(ours)),
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

/// What the API server does with unknown fields.
const OLDER_CRDS: &str = "if the CRDs are older than this operator, apply the CRDs of this version";

fn claim(record: api::UpgradeRecord, number: i32, intent: &api::Intent, order: &UpgradeOrder) -> Claim {
    Claim { record, number, not_after: intent.not_after_time.into(), requester: order.requester.clone() }
}

/// Whether the API server refused for a reason other than a competing write.
fn is_definite_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if (400..500).contains(&status.code) && !matches!(status.code, 408 | 409 | 429))
}

/// Whether the API server refused the content, and not the act of writing.
fn is_invalid(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 422))
}

/// A new intent to carry out `order`: nobody else has its id.
fn intent(order: &UpgradeOrder, read: Timestamp) -> api::Intent {
    entry::intent(order, Uuid::new_v4().to_string(), read)
}

#[cfg(test)]
mod tests {
    use payg_test_kit::fake_api::FakeApi;

    use super::*;
    use payg_core::trigger::{Cause, Evidence};
    use payg_fixtures::given::{Given, due};
    use payg_runtime::client::over;

    const RECORDS: &str = include_str!("../../../crds/upgraderecords.payg-operator.io.yaml");

    fn ledger() -> Ledger {
        ledger_beside(RECORDS)
    }

    fn ledger_beside(crds: &str) -> Ledger {
        let api = FakeApi::new(Timestamp::now);
        api.install_crds(crds);
        Ledger::new(over(api.service()), Clock::real())
    }

    fn order() -> UpgradeOrder {
        UpgradeOrder {
            transition: due().transition(),
            evidence: Evidence { cause: Cause::Asked, observed: Timestamp::now(), summary: "asked for".to_owned() },
            approval: None,
            endpoint: "https://cloud.example".to_owned(),
            requester: due().requester(),
        }
    }

    /// One replica stands still with its answer, while another takes the attempt for settled and makes the next one.
    #[tokio::test]
    async fn an_answer_that_comes_late_takes_nothing_out_of_the_record() {
        let account = AccountId::parse("aws", "123456789012").unwrap();
        let (ledger, order) = (ledger(), order());
        let first = ledger.open(&account, &order, Timestamp::now()).await.unwrap().unwrap();
        let second = ledger.open_again(&first.record, 2, &order, Timestamp::now()).await.unwrap().unwrap();
        let lost = Err(ProviderError::OutcomeUnknown { detail: "no answer".to_owned() });
        ledger.close(first, Timestamp::now(), &lost).await;
        let attempts = ledger.read(&account).await.unwrap().unwrap().status.unwrap().attempts;
        assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(attempts[0].message.as_deref(), Some("it is not known whether the upgrade was applied: no answer"));
        assert!(attempts[1].intent.is_some());
        ledger.close(second, Timestamp::now(), &Ok(Accepted::default())).await;
        let status = ledger.read(&account).await.unwrap().unwrap().status.unwrap();
        assert_eq!(status.state.as_deref(), Some("Accepted"));
        assert_eq!(status.attempts.len(), 2);
    }

    fn forbidden() -> Result<Accepted, ProviderError> {
        Err(ProviderError::Forbidden { permission: "to upgrade".to_owned(), detail: String::new() })
    }

    /// Two attempts that are refused, and how the ledger records them.
    async fn refused_twice(ledger: &Ledger) -> payg_core::record::Record {
        let account = AccountId::parse("aws", "123456789012").unwrap();
        let order = order();
        let first = ledger.open(&account, &order, Timestamp::now()).await.unwrap().unwrap();
        let (_, record) = ledger.close(first, Timestamp::now(), &forbidden()).await;
        let second = ledger.open_again(&record, 2, &order, Timestamp::now()).await.unwrap().unwrap();
        ledger.close(second, Timestamp::now(), &forbidden()).await;
        crate::operator::parse::record(&ledger.read(&account).await.unwrap().unwrap())
    }

    #[tokio::test]
    async fn attempts_record_their_requester() {
        let record = refused_twice(&ledger()).await;
        for attempt in &record.attempts {
            assert_eq!(attempt.requester, Some(due().requester()), "attempt {}", attempt.number);
            assert!(attempt.lacked_rights && attempt.outcome == Outcome::Rejected);
        }
    }

    #[tokio::test]
    async fn crds_of_an_older_version_lose_whose_an_attempt_was_and_nothing_else() {
        let mut older: serde_json::Value = serde_saphyr::from_str(RECORDS).unwrap();
        let attempts = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/attempts/items/properties";
        let fields = older.pointer_mut(attempts).unwrap().as_object_mut().unwrap();
        for field in ["requester", "provider", "reason"] {
            fields.remove(field).unwrap();
        }
        let record = refused_twice(&ledger_beside(&serde_saphyr::to_string(&older).unwrap())).await;
        let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [Outcome::Rejected, Outcome::Rejected]);
        assert!(record.attempts.iter().all(|attempt| !attempt.lacked_rights), "so it binds everybody");
        assert_eq!(record.attempts[1].requester, None);
    }
}
