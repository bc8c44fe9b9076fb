"""Cancelling, renaming and enabling subscriptions, as azure-mgmt-subscription does it."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.resource.subscriptions.models import SubscriptionState
from azure.mgmt.subscription.models import SubscriptionName


@pytest.fixture
def azure(make):
    return contributor(make())


def contributor(azure):
    azure.account.application(role="Contributor")
    return azure


def act(azure, action, *arguments, **options):
    """What the answer says that was changed."""
    operation = getattr(azure.actions().subscription, action)
    return azure.read(operation, azure.account.id, *arguments, **options).subscription_id


def test_a_rename_shows(azure):
    assert act(azure, "rename", SubscriptionName(subscription_name="Pay-As-You-Go")) == azure.account.id
    assert azure.subscription().display_name == "Pay-As-You-Go"


def test_a_cancellation_disables(azure):
    assert act(azure, "cancel") == azure.account.id
    assert azure.subscription().state == SubscriptionState.DISABLED


def test_resources_stand_in_the_way_of_a_cancellation(make):
    azure = contributor(make(hasResources=True))
    with pytest.raises(HttpResponseError) as caught:
        act(azure, "cancel")
    assert caught.value.status_code == 400
    assert caught.value.model.code == "ResourcesExistingOnSubscription"
    assert azure.subscription().state == SubscriptionState.ENABLED


def test_resources_can_be_cancelled_with_the_subscription(make):
    azure = contributor(make(hasResources=True))
    assert act(azure, "cancel", params={"IgnoreResourceCheck": "true"}) == azure.account.id
    assert azure.subscription().state == SubscriptionState.DISABLED


def test_a_disabled_subscription_cannot_be_renamed(make):
    azure = contributor(make(startTime="2026-05-01T00:00:00Z"))
    with pytest.raises(ResourceExistsError) as caught:  # the SDK's name for any 409
        act(azure, "rename", SubscriptionName(subscription_name="Another"))
    assert (caught.value.status_code, caught.value.error.code) == (409, "ReadOnlyDisabledSubscription")
    assert azure.subscription().display_name == "Azure subscription 1"


def test_pay_as_you_go_is_enabled_again(make):
    azure = contributor(make(offer="PayAsYouGo"))
    act(azure, "cancel")
    assert act(azure, "enable") == azure.account.id
    assert azure.subscription().state == SubscriptionState.ENABLED


def test_a_trial_that_ran_out_cannot_be_enabled(make):
    azure = contributor(make(startTime="2026-05-01T00:00:00Z"))
    with pytest.raises(HttpResponseError) as caught:
        act(azure, "enable")
    assert 400 <= caught.value.status_code < 500
    assert caught.value.model.code and caught.value.model.message
    assert azure.subscription().state == SubscriptionState.DISABLED


@pytest.mark.parametrize("action", ["cancel", "enable"])
def test_a_reader_may_change_nothing(make, action):
    azure = make()
    with pytest.raises(HttpResponseError) as caught:
        act(azure, action)
    assert caught.value.status_code == 403
    assert "(AuthorizationFailed)" in caught.value.message


def test_the_older_sdk_reads_the_same_subscription(azure):
    older = azure.read(azure.actions().subscriptions.get, azure.account.id)
    newer = azure.subscription()
    assert older.id == newer.id
    assert older.state == newer.state
    assert older.subscription_policies.quota_id == newer.subscription_policies.quota_id
    assert older.subscription_policies.spending_limit == newer.subscription_policies.spending_limit
