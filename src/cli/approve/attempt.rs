//! Which attempt a Retry follows.

use kube::{Api, Client};

use crate::api::{Subscription, UpgradeRecord};
use crate::core::record::RecordState;
use crate::operator::parse;

use super::super::{Error, show};

/// The number of the last attempt of the account's record, if another one may follow when a person says so. It is as
/// `given` where somebody gave it: records are of the whole cluster, and not everybody who may approve may read them.
pub async fn last(client: &Client, subscription: &Subscription, given: Option<i32>) -> Result<i32, Error> {
    if let Some(given) = given {
        return Ok(given);
    }
    let name = parse::account(&subscription.spec.account)?.upgrade_key().record_name();
    let record = match Api::<UpgradeRecord>::all(client.clone()).get_opt(&name).await {
        Ok(Some(record)) => record,
        Ok(None) => return Err("no upgrade was requested yet, so there is nothing to retry".into()),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            return Err(format!(
                "{}\nSay which attempt you mean by --record-attempt: the number that the Subscription's message names: {}",
                status.message,
                show::ready(subscription)
            )
            .into());
        }
        Err(error) => return Err(error.into()),
    };
    let record = parse::record(&record);
    if record.state != RecordState::Unresolved {
        let state = record.state.name().unwrap_or("on its way");
        return Err(format!("UpgradeRecord {name} is {state}; only one that is Unresolved takes a Retry").into());
    }
    if record.is_full() {
        let count = record.attempts.len();
        return Err(
            format!("UpgradeRecord {name} has {count} attempts and takes no Retry; upgrade in the portal").into()
        );
    }
    let last = record.last().ok_or("the UpgradeRecord has no attempt")?;
    let outcome = record.outcome.as_deref().unwrap_or("its outcome is not known");
    eprint!("{}", show::row("retry", &format!("of attempt {} of UpgradeRecord {name}: {outcome}", last.number)));
    eprintln!("Look at the account in the provider's portal first: if it is upgraded there, no Retry is needed.");
    Ok(i32::try_from(last.number)?)
}
