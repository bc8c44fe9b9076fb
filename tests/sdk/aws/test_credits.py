"""The Billing API: the credits of an account, in numbers and dates."""

from datetime import timedelta

import pytest

from cloud import code


def dollars(amount):
    return {"currencyCode": "USD", "currencyAmount": amount}


def test_the_credit_is_described(make):
    aws = make(burnPerDay="1")
    (credit,) = aws.credits()
    start = (aws.now() - timedelta(days=10)).date()
    assert (credit["accountId"], credit["creditType"], credit["creditStatus"]) == (aws.account.id, "Promotion", "ENABLED")
    assert (credit["initialAmount"], credit["estimatedAmount"]) == (dollars("100.00"), dollars("90.00"))
    assert credit["startDate"].date() == start
    assert credit["endDate"] == credit["startDate"].replace(year=start.year + 1)
    assert "exhaustDate" not in credit


def test_what_remains_is_of_the_last_bill_and_the_estimate_of_now(make):
    aws = make(days=70, burnPerDay="1")
    (credit,) = aws.credits()
    first = aws.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    spent = (first - credit["startDate"]) / timedelta(days=1)
    assert float(credit["remainingAmount"]["currencyAmount"]) == pytest.approx(100 - spent, abs=0.01)
    assert credit["estimatedAmount"] == dollars("30.00")


def test_a_credit_that_is_spent_tells_when(make):
    aws = make(days=70, burnPerDay="2")
    (credit,) = aws.credits()
    assert credit["estimatedAmount"] == dollars("0.00")
    assert credit["exhaustDate"] == credit["startDate"] + timedelta(days=50)


def test_an_upgrade_can_add_to_the_credit(make):
    aws = make(upgradeBonus="20")
    aws.upgrade()
    (credit,) = aws.credits()
    assert (credit["initialAmount"], credit["estimatedAmount"]) == (dollars("120.00"), dollars("120.00"))


def test_a_credit_of_another_period_is_not_listed(aws):
    now = aws.now()
    assert aws.credits(startDate=now - timedelta(days=40), endDate=now - timedelta(days=20)) == []
    assert len(aws.credits(startDate=now - timedelta(days=40), endDate=now)) == 1


@pytest.mark.parametrize("settings", [{"credit": None}, {"creditsListed": False}], ids=["without one", "not listed"])
def test_there_can_be_no_credit(make, settings):
    assert make(**settings).credits() == []


@pytest.mark.parametrize(
    ("field", "days"), [("startDate", 1), ("startDate", -370), ("endDate", 1), ("endDate", -1)], ids=["future", "too old", "future end", "end first"]
)
def test_a_period_must_be_within_the_last_year(aws, refused, field, days):
    error = refused(aws.credits, **{field: aws.now() + timedelta(days=days)})
    assert isinstance(error, aws.client("billing").exceptions.ValidationException)
    assert error.response["reason"] == "fieldValidationFailed"
    assert [problem["name"] for problem in error.response["fieldList"]] == [field]


def test_the_credits_of_another_account_are_not_told(aws, make, refused):
    error = refused(aws.credits, accountId=make().account.id)
    assert isinstance(error, aws.client("billing").exceptions.AccessDeniedException)


def test_nobody_reads_credits_without_the_permission(aws, refused):
    aws.account.user(allow=["freetier:GetAccountPlanState"])
    assert code(refused(aws.credits)) == (400, "AccessDeniedException")
