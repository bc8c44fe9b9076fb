//! The ids that billing knows an account by. They are made up, but always the same. Formats as in the examples of
//! <https://learn.microsoft.com/rest/api/billing/billing-accounts/list>.

use uuid::Uuid;

use super::settings::{Agreement, Settings};

/// The names of what an account is billed by.
pub(crate) struct BillingIds {
    /// A GUID (classic) or `guid:guid_2019-05-31` (customer agreement).
    pub(crate) account: String,
    /// The billing profile; customer agreements only.
    pub(crate) profile: String,
    pub(crate) section: String,
}

impl BillingIds {
    pub(crate) fn of(settings: &Settings) -> Self {
        let owner = settings.billing_owner.as_ref().unwrap_or(&settings.subscription_id);
        let account = derived(owner, "account");
        Self {
            account: match settings.agreement {
                Agreement::Mosp => account,
                Agreement::Mca => format!("{account}:{}_2019-05-31", derived(owner, "organization")),
            },
            profile: short(&settings.subscription_id, "profile"),
            section: short(&settings.subscription_id, "section"),
        }
    }

    pub(crate) fn account_path(&self) -> String {
        format!("/providers/Microsoft.Billing/billingAccounts/{}", self.account)
    }

    pub(crate) fn profile_path(&self) -> String {
        format!("{}/billingProfiles/{}", self.account_path(), self.profile)
    }

    pub(crate) fn section_path(&self) -> String {
        format!("{}/invoiceSections/{}", self.profile_path(), self.section)
    }
}

/// An id of something that belongs to `owner`.
pub(crate) fn derived(owner: &str, what: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{owner}/{what}").as_bytes()).to_string()
}

/// A short id, as billing profiles have: `EA6H-NTMK-BG7-TGB`.
fn short(owner: &str, what: &str) -> String {
    let digits = derived(owner, what).replace('-', "").to_uppercase();
    [&digits[..4], &digits[4..8], &digits[8..11], &digits[11..14]].join("-")
}
