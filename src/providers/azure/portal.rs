//! The upgrade by a person, in the Azure portal.

use uuid::Uuid;

use super::settings::AzureCloud;
use crate::core::provider::Method;

/// How a person upgrades the account. The page is the one of
/// <https://learn.microsoft.com/azure/cost-management-billing/manage/spending-limit>, which wants the right directory to be
/// open; the tenant in the path opens it, as in the links `portal.azure.com/{tenant}/?#blade/…` of Microsoft's articles on
/// Azure AD B2C. What the person needs is of
/// <https://learn.microsoft.com/azure/cost-management-billing/manage/upgrade-azure-subscription>.
pub(super) fn handoff(cloud: AzureCloud, tenant: Uuid, id: Uuid) -> Method {
    let portal = cloud.portal();
    Method::Portal {
        url: format!("{portal}/{tenant}#blade/Microsoft_Azure_Billing/RemoveSpendingLimitBlade/subscriptionId/{id}"),
        needs: "the account administrator (with a Microsoft Customer Agreement an owner of the billing account), signed in to \
                the tenant where the account was made, with a payment card that is neither virtual nor prepaid, and \
                perhaps a phone; Azure for Students and Azure for Students Starter (Microsoft Imagine), where the portal \
                does not offer it: a request to Azure support, https://aka.ms/azsupport"
            .to_owned(),
    }
}
