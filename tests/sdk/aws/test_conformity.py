"""The check that every other one makes of every answer is a check: what is wrong with an answer is found."""

import pytest


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ({"replaceField": {"path": "creditLeft", "value": 3}}, ".creditLeft: the SDK knows no such field"),
        ({"replaceField": {"path": "accountPlanType", "value": "TRIAL"}}, "no AccountPlanType"),
        ({"replaceField": {"path": "accountId", "value": "12"}}, "no AccountId"),
        ({"replaceField": {"path": "accountPlanRemainingCredits.amount", "value": "3"}}, "no GenericDouble"),
        ({"replaceField": {"path": "accountPlanRemainingCredits.unit", "value": "EUR"}}, "no CurrencyCode"),
        ({"replaceField": {"path": "accountPlanExpirationDate", "value": 1_790_000_000}}, "no SyntheticTimestamp_date_time"),
        ({"missingField": {"name": "accountPlanStatus"}}, ".accountPlanStatus: it is missing"),
        ({"missingField": {"name": "accountPlanRemainingCredits.unit"}}, ".accountPlanRemainingCredits.unit: it is missing"),
    ],
    ids=["unknown field", "unknown plan", "short id", "text for a number", "unknown currency", "epoch for a date", "no status", "no unit"],
)
def test_what_the_sdk_would_not_expect_is_found(aws, kind, found):
    aws.simulator.fault("getAccountPlanState", kind, aws.account)
    with pytest.raises(AssertionError) as caught:
        aws.plan()
    assert found in str(caught.value)
