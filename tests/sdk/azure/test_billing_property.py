"""The billing property of a subscription, as azure-mgmt-billing reads it, under both agreements."""

from datetime import datetime, timezone

import pytest
from azure.core.exceptions import HttpResponseError, ClientAuthenticationError
from azure.mgmt.billing.models import (
    AccountStatus,
    AccountSubType,
    AccountType,
    AgreementType,
    BillingProfileStatus,
    BillingProfileStatusReasonCode,
    BillingSubscriptionStatus,
    PaymentMethodFamily,
    SpendingLimit,
    SpendingLimitStatus,
    SpendingLimitType,
    SubscriptionBillingType,
    SubscriptionStatusReason,
    SubscriptionWorkloadType,
)


def day(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=timezone.utc)


def limit(properties):
    details = properties.billing_profile_spending_limit_details
    assert len(details) == 1
    return properties.billing_profile_spending_limit, details[0].status


def reasons(properties):
    return [detail.reason for detail in properties.subscription_billing_status_details]


def test_it_is_named_as_its_type_is(azure):
    resource = azure.read(azure.billing().billing_property.get)
    assert resource.id == f"/subscriptions/{azure.account.id}/providers/Microsoft.Billing/billingProperty/default"
    assert (resource.name, resource.type) == ("default", "Microsoft.Billing/billingProperty")


def test_a_classic_account_says_whose_it_is_and_nothing_of_its_credit(azure):
    properties = azure.billing_property()
    assert properties.billing_account_agreement_type == AgreementType.MICROSOFT_ONLINE_SERVICES_PROGRAM
    assert properties.billing_account_status == AccountStatus.ACTIVE
    assert properties.billing_account_type == AccountType.INDIVIDUAL
    assert properties.billing_tenant_id == azure.account.tenant
    assert properties.is_account_admin is False
    assert properties.subscription_workload_type == SubscriptionWorkloadType.PRODUCTION
    assert properties.billing_profile_id is None
    assert properties.billing_profile_spending_limit is None
    assert properties.billing_profile_spending_limit_details is None


def test_a_classic_trial_is_free_and_active(azure):
    properties = azure.billing_property()
    assert properties.subscription_billing_type == SubscriptionBillingType.FREE
    assert properties.subscription_billing_status == BillingSubscriptionStatus.ACTIVE
    assert properties.subscription_billing_status_details == []


def test_a_classic_trial_without_credit_says_why_it_stopped(azure):
    azure.account.do("spend", {"amount": "200"})
    properties = azure.billing_property()
    assert properties.subscription_billing_status == BillingSubscriptionStatus.DISABLED
    assert reasons(properties) == [SubscriptionStatusReason.SPENDING_LIMIT_REACHED]


def test_a_classic_trial_after_its_period_says_when_it_stopped(make):
    properties = make(startTime="2026-05-01T00:00:00Z").billing_property()
    assert reasons(properties) == [SubscriptionStatusReason.EXPIRED]
    assert properties.subscription_billing_status_details[0].effective_date == day(5, 31)


def test_a_cancelled_account_says_so(azure):
    azure.account.do("cancel")
    properties = azure.billing_property()
    assert properties.subscription_billing_status == BillingSubscriptionStatus.DISABLED
    assert reasons(properties) == [SubscriptionStatusReason.CANCELLED]


def test_an_account_that_was_not_paid_for_says_so(make):
    azure = make(offer="PayAsYouGo", pastDueDays=0, unpaidWarnedDays=0)
    azure.account.do("leave-unpaid")
    assert reasons(azure.billing_property()) == [SubscriptionStatusReason.PAST_DUE]


def test_a_deleted_account_says_so(make):
    properties = make(startTime="2026-05-01T12:00:00Z", graceDays=0).billing_property()
    assert properties.subscription_billing_status == BillingSubscriptionStatus.DELETED


def test_a_converted_account_is_paid(azure):
    azure.account.do("portal-upgrade")
    azure.account.do("spend", {"amount": "200"})
    properties = azure.billing_property()
    assert properties.subscription_billing_type == SubscriptionBillingType.PAID
    assert properties.subscription_billing_status == BillingSubscriptionStatus.ACTIVE


def test_a_customer_agreement_tells_the_terms_of_the_credit(make):
    properties = make(agreement="MCA").billing_property()
    assert properties.billing_account_agreement_type == AgreementType.MICROSOFT_CUSTOMER_AGREEMENT
    assert properties.billing_account_sub_type == AccountSubType.INDIVIDUAL
    assert properties.billing_profile_status == BillingProfileStatus.ACTIVE
    assert properties.billing_profile_payment_method_family == PaymentMethodFamily.CREDIT_CARD
    assert properties.sku_id == "0001"
    assert limit(properties) == (SpendingLimit.ON, SpendingLimitStatus.ACTIVE)
    details = properties.billing_profile_spending_limit_details[0]
    assert (details.amount, details.currency, details.type) == (200.0, "USD", SpendingLimitType.FREE_ACCOUNT)
    assert (details.start_date, details.end_date) == (day(5, 22), day(6, 21))


def test_a_customer_agreement_names_its_account_profile_and_section_below_each_other(make):
    properties = make(agreement="MCA").billing_property()
    assert properties.billing_profile_id.startswith(properties.billing_account_id + "/billingProfiles/")
    assert properties.invoice_section_id.startswith(properties.billing_profile_id + "/invoiceSections/")
    assert properties.billing_account_id.endswith("_2019-05-31")


def test_a_customer_agreement_without_credit_has_reached_its_limit(make):
    azure = make(agreement="MCA")
    azure.account.do("spend", {"amount": "200"})
    properties = azure.billing_property()
    assert limit(properties) == (SpendingLimit.ON, SpendingLimitStatus.LIMIT_REACHED)
    assert properties.billing_profile_status == BillingProfileStatus.DISABLED
    assert properties.billing_profile_status_reason_code == BillingProfileStatusReasonCode.SPENDING_LIMIT_REACHED
    assert reasons(properties) == [SubscriptionStatusReason.SPENDING_LIMIT_REACHED]


def test_a_customer_agreement_after_its_period_has_expired(make):
    properties = make(agreement="MCA", startTime="2026-05-01T00:00:00Z").billing_property()
    assert limit(properties) == (SpendingLimit.ON, SpendingLimitStatus.EXPIRED)
    assert properties.billing_profile_status_reason_code == BillingProfileStatusReasonCode.SPENDING_LIMIT_EXPIRED


def test_an_upgraded_customer_agreement_has_its_limit_removed(make):
    azure = make(agreement="MCA")
    azure.account.do("portal-upgrade")
    properties = azure.billing_property()
    assert limit(properties) == (SpendingLimit.OFF, SpendingLimitStatus.LIMIT_REMOVED)
    assert properties.subscription_billing_type == SubscriptionBillingType.FREE


def test_a_converted_customer_agreement_is_paid(make):
    azure = make(agreement="MCA")
    azure.account.do("portal-upgrade")
    azure.account.do("spend", {"amount": "200"})
    properties = azure.billing_property()
    assert limit(properties) == (SpendingLimit.OFF, SpendingLimitStatus.LIMIT_REMOVED)
    assert properties.subscription_billing_type == SubscriptionBillingType.PAID


def test_an_imagine_account_may_ask_billing(make):
    assert make(offer="Imagine").billing_property().subscription_billing_type == SubscriptionBillingType.FREE


def test_an_imagine_account_may_not_ask_other_providers(make):
    azure = make(offer="Imagine")
    with pytest.raises(HttpResponseError) as caught:
        list(azure.consumption().budgets.list(f"/subscriptions/{azure.account.id}"))
    assert (caught.value.status_code, caught.value.error.code) == (400, "DisallowedProvider")
    assert "not permitted for namespace 'Microsoft.Consumption'" in caught.value.error.message
    assert "Microsoft.Billing" in caught.value.error.message


def test_an_account_of_another_tenant_wants_a_token_of_that(azure, make):
    client = make().billing(credential=azure.credential())
    with pytest.raises(ClientAuthenticationError) as caught:
        client.billing_property.get()
    assert caught.value.error.code == "InvalidAuthenticationTokenTenant"


def test_an_account_without_a_role_is_forbidden(azure):
    azure.account.application(subscriptions=[])
    with pytest.raises(HttpResponseError) as caught:
        azure.billing_property()
    assert (caught.value.status_code, caught.value.error.code) == (403, "AuthorizationFailed")
    assert "'Microsoft.Billing/billingProperty/read'" in caught.value.error.message
