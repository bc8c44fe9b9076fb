"""Billing accounts, profiles and subscriptions, as azure-mgmt-billing reads them, and what a service principal sees of them."""

from datetime import datetime, timezone

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.billing.models import (
    AccountStatus,
    AccountSubType,
    AccountType,
    AgreementType,
    BillingProfileStatus,
    BillingProfileStatusReasonCode,
    BillingSubscriptionStatus,
    SpendingLimit,
    SpendingLimitStatus,
    SpendingLimitType,
)


@pytest.fixture
def azure(make):
    """An account under a customer agreement, whose billing the application may read."""
    azure = make(agreement="MCA")
    azure.account.application(billing="Reader")
    return azure


def accounts(azure):
    return azure.read_all(azure.billing().billing_accounts.list)


def profile(azure):
    account, name = azure.billing_names()
    return azure.read(azure.billing().billing_profiles.get, account, name).properties


def test_a_service_principal_sees_no_classic_billing_account(make):
    azure = make()
    azure.account.application(billing="Reader")
    assert accounts(azure) == []


def test_a_service_principal_without_a_billing_role_sees_none_at_all(make):
    assert accounts(make(agreement="MCA")) == []


def test_a_service_principal_has_no_claims_on_a_classic_billing_account(make):
    azure = make()
    name = azure.billing_property().billing_account_id.rpartition("/")[2]
    with pytest.raises(ClientAuthenticationError) as caught:
        azure.billing().billing_accounts.get(name)
    assert caught.value.status_code == 401
    assert "No claims present for the caller in the system" in caught.value.error.message


def test_a_service_principal_without_a_billing_role_may_not_read_a_profile(make):
    azure = make(agreement="MCA")
    with pytest.raises(HttpResponseError) as caught:
        profile(azure)
    assert (caught.value.status_code, caught.value.error.code) == (403, "AuthorizationFailed")


def test_a_reader_lists_the_billing_account(azure):
    [account] = accounts(azure)
    properties = account.properties
    assert account.id == azure.billing_property().billing_account_id
    assert account.type == "Microsoft.Billing/billingAccounts"
    assert properties.agreement_type == AgreementType.MICROSOFT_CUSTOMER_AGREEMENT
    assert (properties.account_status, properties.account_type) == (AccountStatus.ACTIVE, AccountType.INDIVIDUAL)
    assert properties.account_sub_type == AccountSubType.INDIVIDUAL
    assert properties.has_read_access is True


def test_a_reader_gets_the_billing_account(azure):
    [listed] = accounts(azure)
    assert azure.read(azure.billing().billing_accounts.get, listed.name).as_dict() == listed.as_dict()


def test_a_person_sees_a_classic_billing_account(make):
    azure = make()
    azure.account.application(billing="AccountAdministrator")
    [account] = accounts(azure)
    assert account.properties.agreement_type == AgreementType.MICROSOFT_ONLINE_SERVICES_PROGRAM
    assert account.id == azure.billing_property().billing_account_id


def test_an_unknown_billing_account_is_not_found(azure):
    with pytest.raises(ResourceNotFoundError):
        azure.billing().billing_accounts.get("00000000-0000-4a00-9000-00000000dead")


def test_billing_accounts_come_in_pages(azure):
    for _ in range(4):
        azure.another(agreement="MCA")
    azure.simulator.settings(pageSize=2)
    listed = accounts(azure)
    assert azure.pages() == 3
    assert len({account.id for account in listed}) == 5


def test_subscriptions_of_one_owner_share_the_billing_account(make):
    owner = "0b1f9c6e-0000-4a00-9000-0000000000aa"
    azure = make(agreement="MCA", billingOwner=owner)
    azure.account.application(billing="Reader")
    ids = {azure.account.id, *(azure.another(agreement="MCA", billingOwner=owner) for _ in range(2))}
    azure.simulator.settings(pageSize=2)
    [account] = accounts(azure)
    listed = azure.read_all(azure.billing().billing_subscriptions.list_by_billing_account, account.name)
    assert (azure.pages(), {item.properties.subscription_id for item in listed}) == (2, ids)


def test_the_profile_tells_the_terms_of_the_credit(azure):
    properties = profile(azure)
    assert (properties.spending_limit, properties.status) == (SpendingLimit.ON, BillingProfileStatus.ACTIVE)
    assert properties.currency == "USD"
    [details] = properties.spending_limit_details
    assert (details.amount, details.currency) == (200.0, "USD")
    assert (details.type, details.status) == (SpendingLimitType.FREE_ACCOUNT, SpendingLimitStatus.ACTIVE)
    assert details.start_date == datetime(2026, 5, 22, tzinfo=timezone.utc)
    assert details.end_date == datetime(2026, 6, 21, tzinfo=timezone.utc)


def test_the_profile_says_what_the_billing_property_says(azure):
    azure.account.do("spend", {"amount": "200"})
    properties, there = profile(azure), azure.billing_property()
    assert properties.status_reason_code == there.billing_profile_status_reason_code
    assert properties.status_reason_code == BillingProfileStatusReasonCode.SPENDING_LIMIT_REACHED
    assert properties.spending_limit_details == there.billing_profile_spending_limit_details
    assert properties.spending_limit == there.billing_profile_spending_limit


def test_the_profile_of_an_upgraded_account_has_its_limit_removed(azure):
    azure.account.do("portal-upgrade")
    properties = profile(azure)
    assert properties.spending_limit == SpendingLimit.OFF
    assert properties.spending_limit_details[0].status == SpendingLimitStatus.LIMIT_REMOVED


def test_the_profile_of_a_students_account_names_its_offer(make):
    azure = make(agreement="MCA", offer="AzureForStudents")
    azure.account.application(billing="Reader")
    [details] = profile(azure).spending_limit_details
    assert (details.type, details.amount) == (SpendingLimitType.AZURE_FOR_STUDENTS, 100.0)


def test_profiles_are_listed_below_their_account(azure):
    account, name = azure.billing_names()
    [listed] = azure.read_all(azure.billing().billing_profiles.list_by_billing_account, account)
    assert listed.name == name
    assert listed.type == "Microsoft.Billing/billingAccounts/billingProfiles"


def test_an_unknown_profile_is_not_found(azure):
    with pytest.raises(ResourceNotFoundError):
        azure.billing().billing_profiles.get(azure.billing_names()[0], "AAAA-AAAA-AAA-AAA")


def billing_subscription(azure):
    [account] = accounts(azure)
    [listed] = azure.read_all(azure.billing().billing_subscriptions.list_by_billing_account, account.name)
    assert listed.name == listed.properties.subscription_id == azure.account.id
    return listed.properties


def test_a_customer_agreement_sells_by_product(azure):
    properties = billing_subscription(azure)
    assert properties.status == BillingSubscriptionStatus.ACTIVE
    assert (properties.sku_id, properties.offer_id) == ("0001", None)
    assert properties.billing_profile_id == azure.billing_property().billing_profile_id


def test_a_billing_subscription_is_the_same_by_every_way_to_it(azure):
    (account, profile), subscriptions = azure.billing_names(), azure.billing().billing_subscriptions
    [listed] = azure.read_all(subscriptions.list_by_billing_account, account)
    [of_profile] = azure.read_all(subscriptions.list_by_billing_profile, account, profile)
    assert listed.as_dict() == of_profile.as_dict()
    assert listed.as_dict() == azure.read(subscriptions.get, account, azure.account.id).as_dict()


def test_a_classic_agreement_sells_by_offer(make):
    azure = make()
    azure.account.application(billing="AccountAdministrator")
    assert (billing_subscription(azure).offer_id, billing_subscription(azure).sku_id) == ("MS-AZR-0044P", None)
    azure.account.do("portal-upgrade")
    assert billing_subscription(azure).offer_id == "MS-AZR-0044P"
    azure.account.do("spend", {"amount": "200"})
    assert billing_subscription(azure).offer_id == "MS-AZR-0003P"


def test_a_disabled_account_is_billed_as_disabled(azure):
    azure.account.do("spend", {"amount": "200"})
    properties = billing_subscription(azure)
    assert properties.status == BillingSubscriptionStatus.DISABLED
    assert [detail.reason for detail in properties.suspension_reason_details] == ["SpendingLimitReached"]
