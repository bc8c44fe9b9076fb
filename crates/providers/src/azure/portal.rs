//! The upgrade by a person, in the Azure portal.

use uuid::Uuid;

use super::settings::AzureCloud;
use super::terms::Trial;
use payg_core::observation::{Handoff, Lifecycle};

/// How a person upgrades an account on `trial`:
/// <https://learn.microsoft.com/azure/cost-management-billing/manage/upgrade-azure-subscription>. The right directory must
/// be open; the tenant in the path opens it, as in the links `portal.azure.com/{tenant}/?#blade/…` of Microsoft's articles
/// on Azure AD B2C.
pub(super) fn handoff(cloud: AzureCloud, tenant: Uuid, id: Uuid, trial: Trial, lifecycle: &Lifecycle) -> Handoff {
    let portal = format!("{}/{tenant}", cloud.portal());
    // <https://learn.microsoft.com/azure/azure-portal/supportability/how-to-create-azure-support-request>
    let support = format!("{portal}#blade/Microsoft_Azure_Support/HelpAndSupportBlade/newsupportrequest");
    let (url, needs) = match trial {
        // The page of <https://learn.microsoft.com/azure/cost-management-billing/manage/spending-limit>.
        Trial::Free => (
            format!("{portal}#blade/Microsoft_Azure_Billing/RemoveSpendingLimitBlade/subscriptionId/{id}"),
            format!("{WHO}, {CARD}"),
        ),
        // The page of the subscription, where Microsoft's article begins.
        Trial::Students => (
            format!("{}/#@{tenant}/resource/subscriptions/{id}/overview", cloud.portal()),
            format!("{WHO}, {CARD}; and where that page offers no upgrade, a request to Azure support: {support}"),
        ),
        // No way to pay-as-you-go but this one is documented.
        Trial::Imagine => (
            support,
            format!(
                "{WHO}. The page opens a request to Azure support: ask there to move subscription {id} to pay-as-you-go. \
                 Whoever may still have an Azure free account can upgrade to that in the portal instead"
            ),
        ),
    };
    let back = if *lifecycle == Lifecycle::Restricted {
        "; machines that are off come back with the upgrade, and are charged from then on"
    } else {
        ""
    };
    Handoff { url, needs: format!("{needs}{back}") }
}

const WHO: &str = "the account administrator (with a Microsoft Customer Agreement an owner of the billing account), signed in \
                   to the tenant where the account was made";
const CARD: &str =
    "and a payment card that is neither virtual nor prepaid; Azure may ask for a phone number to confirm";
