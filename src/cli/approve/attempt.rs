//! The attempt that a Retry must name.

use kube::{Api, Client};

use crate::operator::parse;
use payg_api::{Subscription, UpgradeRecord};
use payg_core::record::RecordState;

use super::super::{Error, show};

/// The number of the last attempt of the account's record, if another one may follow when a person says so. Records are of the
/// whole cluster, and not everybody who may approve may read them: then it is as `given`, if status names a record at all.
pub async fn last(client: &Client, subscription: &Subscription, given: Option<i32>) -> Result<i32, Error> {
    let name = parse::account(&subscription.spec.account)?.upgrade_key().record_name();
    let record = match Api::<UpgradeRecord>::all(client.clone()).get_opt(&name).await {
        Ok(Some(record)) => record,
        Ok(None) => return Err(NOTHING.into()),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            if recorded(subscription).is_none() {
                return Err(NOTHING.into());
            }
            if let Some(given) = given {
                return Ok(given);
            }
            return Err(format!(
                "{}\nName the attempt with --record-attempt, using the number in the Subscription's message: {}",
                status.message,
                show::ready(subscription)
            )
            .into());
        }
        Err(error) => return Err(error.into()),
    };
    let record = parse::record(&record);
    if record.state != RecordState::Unresolved {
        let state = record.state.name().unwrap_or("in progress");
        return Err(format!("UpgradeRecord {name} is {state}; only an Unresolved one can be retried").into());
    }
    if record.is_full() {
        let count = record.attempts.len();
        return Err(
            format!("UpgradeRecord {name} already has {count} attempts and cannot be retried; upgrade the account in the provider's portal").into()
        );
    }
    let last = record.last().ok_or("the UpgradeRecord has no attempt")?;
    let number = i32::try_from(last.number)?;
    if let Some(given) = given.filter(|given| *given != number) {
        return Err(format!("the last attempt of UpgradeRecord {name} is {number}, not {given}").into());
    }
    let outcome = record.outcome.as_deref().unwrap_or("its outcome is not known");
    eprint!("{}", show::row("retry", &format!("of attempt {} of UpgradeRecord {name}: {outcome}", last.number)));
    eprintln!("Check the account in the provider's portal first: if it is upgraded there, no Retry is needed.");
    Ok(number)
}

const NOTHING: &str = "no upgrade has been requested yet, so there is nothing to retry";

/// The record that status names.
fn recorded(subscription: &Subscription) -> Option<&str> {
    subscription.status.as_ref()?.upgrade.as_ref()?.record_name.as_deref()
}
