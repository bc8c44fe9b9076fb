//! Lists that Azure Resource Manager answers in pages, and the one of all subscriptions that the credentials see.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use url::Url;
use uuid::Uuid;

use super::arm::{Arm, READ_SUBSCRIPTION, Read};
use super::http::{Answer, LARGEST_PAGE};
use super::limits::Scope;
use super::wire::{Page, Subscription};
use crate::{Sighting, Survey, document};
use payg_core::account::AccountId;
use payg_core::provider::ProviderError;

/// The most pages and entries that are read of a list. A tenant has far fewer.
const MOST_PAGES: usize = 100;
const MOST_ENTRIES: usize = 20_000;

/// What came of a list.
pub(super) enum Listed<T> {
    Entries(Vec<T>),
    /// The answer to one of its pages that is no page.
    Refused(Answer),
}

/// What `each` makes of the entries of the list at `path`, page after page, so that no page is kept:
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/resource-api-reference.md#get-resource>
pub(super) async fn entries<T>(
    arm: &Arm<'_>,
    read: &Read<'_>,
    path: &str,
    each: impl Fn(&RawValue) -> Option<T>,
) -> Result<Listed<T>, ProviderError> {
    let (mut entries, mut count, mut visited) = (Vec::new(), 0, HashSet::new());
    let mut url = format!("{}{path}", arm.endpoint);
    for _ in 0..MOST_PAGES {
        visited.insert(url.clone());
        let answer = read.get_url(&url, LARGEST_PAGE).await?;
        if answer.status != reqwest::StatusCode::OK {
            return Ok(Listed::Refused(answer));
        }
        let page: Page = read.json(&answer)?;
        count += page.value.len();
        entries.extend(page.value.iter().filter_map(|entry| each(entry)));
        if count > MOST_ENTRIES {
            return Err(read.odd(&answer, &format!("the list has more than {MOST_ENTRIES} entries")));
        }
        let Some(next) = page.next_link.filter(|link| !link.is_empty()) else { return Ok(Listed::Entries(entries)) };
        url = next_page(arm.endpoint, &next).ok_or_else(|| {
            read.odd(&answer, "the list continues at an address outside Azure Resource Manager, where no token is sent")
        })?;
        if visited.contains(&url) {
            return Err(read.odd(&answer, "the pages of the list form a loop"));
        }
    }
    Err(ProviderError::Protocol {
        detail: format!("a list of Azure Resource Manager has more than {MOST_PAGES} pages"),
    })
}

/// The address of the next page, if it is one of Azure Resource Manager at `endpoint`.
pub(super) fn next_page(endpoint: &str, link: &str) -> Option<String> {
    let (endpoint, next) = (Url::parse(endpoint).ok()?, Url::parse(link).ok()?);
    let is_ours = next.scheme() == "https"
        && next.origin() == endpoint.origin()
        && next.username().is_empty()
        && next.password().is_none();
    is_ours.then(|| next.into())
}

/// Which subscriptions the credentials see: `GET /subscriptions`,
/// <https://learn.microsoft.com/rest/api/resources/subscriptions/list>. The token works, whatever comes of the list; only
/// one that Azure Resource Manager refuses does not. Takes no longer than `deadline`.
pub(super) async fn survey(arm: &Arm<'_>, deadline: Duration) -> Result<Survey, ProviderError> {
    let read = arm.read(Scope::Tenant, "the list of Azure subscriptions".to_owned());
    let listed = timeout(deadline, entries(arm, &read, "/subscriptions?api-version=2022-12-01", sighting)).await;
    let error = match listed {
        Ok(Ok(Listed::Entries(entries))) => return Ok(seen(entries)),
        Ok(Ok(Listed::Refused(answer))) => read.refused(&answer, READ_SUBSCRIPTION),
        Ok(Err(error)) => error,
        Err(_) => {
            let detail = format!("Azure has not answered in {} s", deadline.as_secs());
            ProviderError::Transient { detail }
        }
    };
    match error {
        ProviderError::Unauthenticated { .. } => Err(error),
        _ => Ok(Survey { accounts: None, seen: format!("; the subscriptions they can see are not known: {error}") }),
    }
}

fn seen(sightings: Vec<Sighting>) -> Survey {
    let marks: BTreeMap<_, _> = sightings.into_iter().map(|sighting| (sighting.account, sighting.mark)).collect();
    let seen = match marks.len() {
        0 => " and see no subscription: grant the application Reader on the subscriptions that it is to manage".into(),
        1 => " and see 1 subscription".to_owned(),
        count => format!(" and see {count} subscriptions"),
    };
    let accounts = marks.into_iter().map(|(account, mark)| Sighting { account, mark }).collect();
    Survey { accounts: Some(accounts), seen }
}

/// What an entry of the list says; nothing if it is none of a subscription.
pub(super) fn sighting(entry: &RawValue) -> Option<Sighting> {
    let found: Subscription = document::part(entry).ok()?;
    let account = AccountId::Azure(Uuid::try_parse(&found.id).ok()?);
    let limit = found.policies.spending_limit.unwrap_or_default();
    // Short, however long the words are: it is kept.
    let digest = Sha256::digest(format!("{}\n{}\n{limit}", found.state, found.policies.quota_id));
    Some(Sighting { account, mark: Uuid::from_slice(digest.get(..16)?).ok()?.simple().to_string() })
}
