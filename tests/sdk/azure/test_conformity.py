"""The check that every other one makes of every answer is a check: what is wrong with an answer is found."""

import pytest


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ({"replaceField": {"path": "properties.creditLeft", "value": 3}}, ".properties.creditLeft: the SDK knows no such field"),
        ({"replaceField": {"path": "properties.subscriptionBillingType", "value": "Gratis"}}, "no SubscriptionBillingType"),
        ({"replaceField": {"path": "properties.isAccountAdmin", "value": "false"}}, "no bool"),
        ({"replaceField": {"path": "properties.billingProfileSpendingLimitDetails", "value": [{"amount": "200"}]}}, "no float"),
        ({"replaceField": {"path": "properties.billingProfileSpendingLimitDetails", "value": {"amount": 200}}}, "no BillingPropertyProperties"),
        ({"missingField": {"name": "type"}}, ".type: it is missing"),
    ],
    ids=["unknown field", "unknown value", "text for a truth", "text for a number", "an object for a list", "no type"],
)
def test_what_the_sdk_would_not_expect_is_found(make, kind, found):
    azure = make(agreement="MCA")
    azure.simulator.fault("billingProperty", kind, azure.account)
    with pytest.raises(AssertionError) as caught:
        azure.billing_property()
    assert found in str(caught.value)
