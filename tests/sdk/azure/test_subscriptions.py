"""Subscriptions, as azure-mgmt-resource-subscriptions reads them, in each phase of an account's life."""

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.resource.subscriptions.models import SpendingLimit, SubscriptionState


def shown(azure):
    """What tells the phase."""
    subscription = azure.subscription()
    policies = subscription.subscription_policies
    return subscription.state, policies.quota_id, policies.spending_limit


def test_a_subscription_reads_back_field_by_field(azure):
    subscription = azure.subscription()
    assert subscription.id == f"/subscriptions/{azure.account.id}"
    assert subscription.subscription_id == azure.account.id
    assert subscription.tenant_id == azure.account.tenant
    assert subscription.display_name == "Azure subscription 1"
    assert subscription.authorization_source == "RoleBased"
    assert subscription.subscription_policies.location_placement_id == "Public_2014-09-01"


def test_a_trial_is_enabled_and_limited(azure):
    assert shown(azure) == (SubscriptionState.ENABLED, "FreeTrial_2014-09-01", SpendingLimit.ON)


def test_a_trial_can_be_warned_on_its_last_day(make):
    azure = make(startTime="2026-05-02T12:00:00Z", warned=True)
    assert shown(azure) == (SubscriptionState.WARNED, "FreeTrial_2014-09-01", SpendingLimit.ON)


def test_an_upgraded_trial_keeps_its_offer_while_benefits_are_left(azure):
    azure.account.do("portal-upgrade")
    assert shown(azure) == (SubscriptionState.ENABLED, "FreeTrial_2014-09-01", SpendingLimit.OFF)


def test_an_upgraded_trial_is_converted_when_its_credit_is_spent(azure):
    azure.account.do("portal-upgrade")
    azure.account.do("spend", {"amount": "200"})
    assert shown(azure) == (SubscriptionState.ENABLED, "PayAsYouGo_2014-09-01", SpendingLimit.OFF)


def test_a_trial_without_credit_is_disabled(azure):
    azure.account.do("spend", {"amount": "200"})
    assert shown(azure) == (SubscriptionState.DISABLED, "FreeTrial_2014-09-01", SpendingLimit.ON)


def test_a_trial_after_its_thirty_days_is_disabled(make):
    azure = make(startTime="2026-05-01T00:00:00Z")
    assert shown(azure) == (SubscriptionState.DISABLED, "FreeTrial_2014-09-01", SpendingLimit.ON)


def test_a_disabled_trial_that_is_upgraded_works_again(make):
    azure = make(startTime="2026-05-01T00:00:00Z")
    azure.account.do("portal-upgrade")
    assert shown(azure) == (SubscriptionState.ENABLED, "PayAsYouGo_2014-09-01", SpendingLimit.OFF)


def test_a_trial_after_its_grace_is_deleted(make):
    azure = make(startTime="2026-05-01T12:00:00Z", graceDays=0)
    assert shown(azure)[0] == SubscriptionState.DELETED


def test_a_deleted_trial_is_not_found_in_the_end(make):
    azure = make(startTime="2026-01-01T00:00:00Z", graceDays=30)
    with pytest.raises(ResourceNotFoundError) as caught:
        azure.subscription()
    assert caught.value.error.code == "SubscriptionNotFound"


def test_an_imagine_account_shows_its_own_offer(make):
    assert shown(make(offer="Imagine")) == (SubscriptionState.ENABLED, "DreamSpark_2015-02-01", SpendingLimit.ON)


def test_a_students_account_shows_its_own_offer(make):
    azure = make(offer="AzureForStudents_2018-01-01", credit={"amount": "100", "currency": "USD"}, periodDays=365)
    assert shown(azure) == (SubscriptionState.ENABLED, "AzureForStudents_2018-01-01", SpendingLimit.ON)


def test_a_pay_as_you_go_account_has_no_limit(make):
    assert shown(make(offer="PayAsYouGo")) == (SubscriptionState.ENABLED, "PayAsYouGo_2014-09-01", SpendingLimit.OFF)


def test_an_invoice_that_is_not_paid_shows(make):
    azure = make(offer="PayAsYouGo")
    azure.account.do("leave-unpaid")
    assert shown(azure) == (SubscriptionState.PAST_DUE, "PayAsYouGo_2014-09-01", SpendingLimit.OFF)
    azure.account.do("pay")
    assert shown(azure) == (SubscriptionState.ENABLED, "PayAsYouGo_2014-09-01", SpendingLimit.OFF)


@pytest.mark.parametrize(("days", "state"), [(1, SubscriptionState.WARNED), (0, SubscriptionState.DISABLED)])
def test_an_invoice_that_is_not_paid_for_long_stops_the_account(make, days, state):
    azure = make(offer="PayAsYouGo", pastDueDays=0, unpaidWarnedDays=days)
    azure.account.do("leave-unpaid")
    assert shown(azure) == (state, "PayAsYouGo_2014-09-01", SpendingLimit.OFF)


def test_an_unknown_subscription_is_not_found(azure):
    with pytest.raises(ResourceNotFoundError) as caught:
        azure.subscriptions().subscriptions.get("6f1a3c1e-0000-4a00-9000-00000000dead")
    assert caught.value.status_code == 404
    assert caught.value.error.code == "SubscriptionNotFound"
    assert "could not be found" in caught.value.error.message


def test_a_subscription_of_another_tenant_wants_a_token_of_that(azure, make):
    other = make().account
    with pytest.raises(ClientAuthenticationError) as caught:
        azure.subscriptions().subscriptions.get(other.id)
    assert (caught.value.status_code, caught.value.error.code) == (401, "InvalidAuthenticationTokenTenant")
    challenge = caught.value.response.headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer authorization_uri="{azure.simulator.url}/{other.tenant}", error="invalid_token"')


def test_a_subscription_without_a_role_is_forbidden(azure):
    azure.account.application(subscriptions=[])
    with pytest.raises(HttpResponseError) as caught:
        azure.subscription()
    assert caught.value.status_code == 403
    assert caught.value.error.code == "AuthorizationFailed"
    assert "'Microsoft.Resources/subscriptions/read'" in caught.value.error.message


def test_a_malformed_subscription_id_is_refused(azure):
    with pytest.raises(HttpResponseError) as caught:
        azure.subscriptions().subscriptions.get("not-a-guid")
    assert (caught.value.status_code, caught.value.error.code) == (400, "InvalidSubscriptionId")


def test_an_api_version_that_never_was_is_refused(azure):
    with pytest.raises(HttpResponseError) as caught:
        azure.subscriptions(api_version="1999-01-01").subscriptions.get(azure.account.id)
    assert (caught.value.status_code, caught.value.error.code) == (400, "InvalidApiVersionParameter")


def test_all_subscriptions_of_the_tenant_are_listed(azure, make):
    ids = {azure.account.id, azure.another(), azure.another(offer="PayAsYouGo")}
    make()
    assert {listed.subscription_id for listed in azure.read_all(azure.subscriptions().subscriptions.list)} == ids


def test_subscriptions_come_in_pages(azure):
    ids = {azure.account.id, *(azure.another() for _ in range(4))}
    azure.simulator.settings(pageSize=2)
    listed = azure.read_all(azure.subscriptions().subscriptions.list)
    assert azure.pages() == 3
    assert (len(listed), {subscription.subscription_id for subscription in listed}) == (5, ids)


def test_a_listed_subscription_is_as_it_is_got(azure):
    [listed] = azure.read_all(azure.subscriptions().subscriptions.list)
    assert listed.as_dict() == azure.subscription().as_dict()


def test_a_client_that_may_read_none_lists_none(azure):
    azure.account.application(subscriptions=[])
    assert azure.read_all(azure.subscriptions().subscriptions.list) == []


def test_a_page_that_is_throttled_is_asked_for_again(azure):
    ids = {azure.account.id, azure.another(), azure.another()}
    azure.simulator.settings(pageSize=1)
    azure.simulator.fault("subscriptionList", {"throttle": {"retryAfterSeconds": 1}}, count=1)
    assert {listed.subscription_id for listed in azure.read_all(azure.subscriptions().subscriptions.list)} == ids


def test_the_tenant_is_listed(azure):
    [tenant] = azure.read_all(azure.subscriptions().tenants.list)
    assert (tenant.id, tenant.tenant_id) == (f"/tenants/{azure.account.tenant}", azure.account.tenant)
