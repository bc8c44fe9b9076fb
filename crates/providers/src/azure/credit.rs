//! What is left of the credit. Only a Microsoft Customer Agreement reports it, in the billing profile:
//! <https://learn.microsoft.com/azure/cost-management-billing/manage/mca-check-azure-credits-balance>

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::arm::{Arm, Seen};
use super::limits::Scope;
use super::list::{Listed, entries};
use super::wire::{BalanceSummary, BillingProfile, Lot, ProfileProperties};
use crate::document;
use payg_core::message::unended;
use payg_core::observation::Unread;
use payg_core::provider::ProviderError;

/// The roles are those of <https://learn.microsoft.com/azure/cost-management-billing/manage/understand-mca-roles>.
const READ_PROFILE: &str =
    "Microsoft.Billing/billingAccounts/billingProfiles/read, as in the role Billing profile reader";

/// The path of a billing profile, made of checked parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProfilePath(String);

impl ProfilePath {
    /// The path that the resource id of a billing profile is, which came in an answer.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let segments: Vec<_> = id.split('/').collect();
        let ["", providers, billing, accounts, account, profiles, profile] = segments[..] else { return None };
        let names = [providers, billing, accounts, profiles];
        let expected = ["providers", "Microsoft.Billing", "billingAccounts", "billingProfiles"];
        let is_name = |text: &str| {
            (1..=128).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte))
        };
        let fits = names.iter().zip(expected).all(|(name, expected)| name.eq_ignore_ascii_case(expected));
        (fits && is_name(account) && is_name(profile))
            .then(|| Self(format!("/providers/Microsoft.Billing/billingAccounts/{account}/billingProfiles/{profile}")))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an answer with this resource `id` is about the profile.
    fn holds(&self, id: &str) -> bool {
        id.get(..self.0.len()).is_some_and(|start| start.eq_ignore_ascii_case(&self.0))
            && matches!(id.as_bytes().get(self.0.len()), None | Some(b'/'))
    }
}

/// What was read of the credit. All of it may be missing.
#[derive(Debug, Default)]
pub(super) struct Credit {
    pub(super) balance: Option<BalanceSummary>,
    /// What the credit is made of: nothing if it was not read, empty if nothing is listed.
    pub(super) lots: Option<Vec<Lot>>,
    /// What the credentials may not read.
    pub(super) unread: Option<Unread>,
    /// What was odd about it, for people.
    pub(super) remarks: Vec<String>,
    /// Whether it may be read at another time.
    pub(super) lapsed: bool,
}

impl Credit {
    /// What `read` brought, if it brought something. Its failure is remarked on, and is no failure of the observation.
    fn take<T>(&mut self, read: Result<Seen<T>, ProviderError>) -> Option<T> {
        match read {
            Ok(Seen::Yes(seen)) => return Some(seen),
            Ok(Seen::Nothing) => {}
            Ok(Seen::Denied(unread)) => self.unread = Some(unread),
            Err(error) => {
                self.lapsed |= matches!(error, ProviderError::Throttled { .. } | ProviderError::Transient { .. });
                self.remarks.push(format!("The remaining credit could not be read: {}.", unended(&error)));
            }
        }
        None
    }
}

fn unread(what: &str) -> Unread {
    Unread { what: what.to_owned(), permission: READ_PROFILE.to_owned() }
}

impl Arm<'_> {
    /// The billing profile: `GET {profile}`, version 2024-04-01,
    /// <https://learn.microsoft.com/rest/api/billing/billing-profiles/get>.
    pub(super) async fn profile(&self, path: &ProfilePath) -> Result<Seen<ProfileProperties>, ProviderError> {
        let read = self.read(Scope::Billing, format!("the billing profile {}", path.as_str()));
        let answer = read.get(&format!("{}?api-version=2024-04-01", path.as_str())).await?;
        if answer.status != StatusCode::OK {
            return read.nothing(&answer, unread("the billing profile"));
        }
        let profile: BillingProfile = read.json(&answer)?;
        if path.holds(&profile.id) { Ok(Seen::Yes(profile.properties)) } else { Err(read.odd(&answer, ANOTHER)) }
    }

    /// What is left of the credit of `path`, and what it is made of. Takes no longer than `deadline`, and never fails.
    pub(super) async fn credit(&self, path: &ProfilePath, deadline: Duration) -> Credit {
        let both = async { tokio::join!(self.balance(path), self.lots(path)) };
        let (balance, lots) = timeout(deadline, both).await.unwrap_or_else(|_| {
            let detail = format!("Azure has not answered in {} s", deadline.as_secs());
            (Err(ProviderError::Transient { detail }), Ok(Seen::Nothing)) // one remark is enough
        });
        let mut credit = Credit::default();
        credit.balance = credit.take(balance);
        credit.lots = credit.take(lots);
        credit
    }

    async fn balance(&self, path: &ProfilePath) -> Result<Seen<BalanceSummary>, ProviderError> {
        let read = self.read(Scope::Consumption, format!("the credit of the billing profile {}", path.as_str()));
        let resource = "/providers/Microsoft.Consumption/credits/balanceSummary?api-version=2024-08-01";
        let answer = read.get(&format!("{}{resource}", path.as_str())).await?;
        match answer.status {
            StatusCode::OK => {
                let summary: BalanceSummary = read.json(&answer)?;
                let is_ours = summary.id.as_deref().is_none_or(|id| path.holds(id));
                if is_ours { Ok(Seen::Yes(summary)) } else { Err(read.odd(&answer, ANOTHER)) }
            }
            StatusCode::NO_CONTENT => Ok(Seen::Nothing),
            _ => read.nothing(&answer, unread("the credit of the billing profile")),
        }
    }

    async fn lots(&self, path: &ProfilePath) -> Result<Seen<Vec<Lot>>, ProviderError> {
        let read = self.read(Scope::Consumption, format!("the credits of the billing profile {}", path.as_str()));
        let resource = "/providers/Microsoft.Consumption/lots?api-version=2024-08-01";
        let url = format!("{}{resource}", path.as_str());
        // One that is not understood may be a credit of any amount: then nothing is known of them all.
        let lot = |entry: &RawValue| Some(document::part::<Lot>(entry));
        let entries = match entries(self, &read, &url, lot).await? {
            Listed::Entries(entries) => entries,
            Listed::Refused(answer) if answer.status == StatusCode::NO_CONTENT => return Ok(Seen::Yes(Vec::new())),
            Listed::Refused(answer) => return read.nothing(&answer, unread("the credit of the billing profile")),
        };
        let lots: Result<Vec<Lot>, _> = entries.into_iter().collect();
        lots.map(Seen::Yes).map_err(|_| ProviderError::Protocol {
            detail: format!("a credit in the list of the billing profile {} is malformed", path.as_str()),
        })
    }
}

const ANOTHER: &str = "the answer is about another billing profile";
