"""What the Free Tier API tells of an account's plan, in each phase of its life."""

from datetime import datetime, timedelta, timezone

from dateutil.relativedelta import relativedelta

from cloud import code, message
from simulator import rfc3339


def credit(plan):
    return plan["accountPlanRemainingCredits"]["amount"]


def test_an_account_on_the_free_plan_is_described(aws, make):
    start = aws.now().replace(microsecond=79_000) - timedelta(days=10)
    aws = make(startTime=rfc3339(start))
    assert aws.plan() == {
        "accountId": aws.account.id,
        "accountPlanType": "FREE",
        "accountPlanStatus": "ACTIVE",
        "accountPlanRemainingCredits": {"amount": 100.0, "unit": "USD"},
        "accountPlanExpirationDate": start + relativedelta(months=6),
    }


def test_a_plan_can_last_for_other_months(make):
    plan = make(startTime="2026-05-31T00:00:00Z", planMonths=1, graceDays=36_500).plan()
    assert plan["accountPlanExpirationDate"] == datetime(2026, 6, 30, tzinfo=timezone.utc)


def test_the_credit_falls_as_it_is_spent(make):
    aws = make(burnPerDay="2.5")
    assert credit(aws.plan()) == 75
    aws.account.do("spend", {"amount": "12.34"})
    assert credit(aws.plan()) == 62.66


def test_the_figure_of_the_credit_can_be_behind(make):
    aws = make(creditLagSeconds=3600)
    aws.account.do("spend", {"amount": "40"})
    assert credit(aws.plan()) == 100
    aws.simulator.advance(hours=1)
    assert credit(aws.plan()) == 60


def test_the_free_plan_ends_with_its_credit(make):
    aws = make(burnPerDay="8")
    assert aws.plan()["accountPlanStatus"] == "ACTIVE"
    aws.simulator.advance(days=2.5)
    plan = aws.plan()
    assert (plan["accountPlanType"], plan["accountPlanStatus"], credit(plan)) == ("FREE", "EXPIRED", 0)
    assert aws.information()["AccountState"] == "CLOSED"


def test_the_free_plan_ends_with_its_months(make):
    aws = make(days=0)
    end = aws.plan()["accountPlanExpirationDate"]
    aws.simulator.advance(days=(end - aws.now()).total_seconds() / 86_400 - 1)
    assert aws.plan()["accountPlanStatus"] == "ACTIVE"
    aws.simulator.advance(days=1.1)
    plan = aws.plan()
    assert (plan["accountPlanStatus"], credit(plan), plan["accountPlanExpirationDate"]) == ("EXPIRED", 100, end)


def test_an_account_can_stay_open_after_its_plan(make):
    aws = make(days=400, closesAtOnce=False, graceDays=400)
    assert (aws.plan()["accountPlanStatus"], aws.information()["AccountState"]) == ("EXPIRED", "ACTIVE")


def test_an_account_that_nobody_upgrades_is_gone(make, refused):
    aws = make(days=400)
    assert code(refused(aws.plan)) == (400, "UnrecognizedClientException")
    assert code(refused(aws.information)) == (403, "UnrecognizedClientException")
    assert code(refused(aws.identity)) == (403, "InvalidClientTokenId")


def test_a_plan_can_be_still_to_start(make):
    plan = make(days=-3).plan()
    assert (plan["accountPlanType"], plan["accountPlanStatus"]) == ("FREE", "NOT_STARTED")


def test_an_account_on_the_paid_plan_has_no_expiration_date(make):
    aws = make(plan="Paid", burnPerDay="20")
    paid = {"accountId": aws.account.id, "accountPlanType": "PAID", "accountPlanStatus": "ACTIVE"}
    assert aws.plan() == {**paid, "accountPlanRemainingCredits": {"amount": 0.0, "unit": "USD"}}
    assert aws.information()["AccountState"] == "ACTIVE"


def test_an_account_without_a_credit_has_no_figure(make):
    assert "accountPlanRemainingCredits" not in make(credit=None).plan()


def test_an_account_without_a_record_has_no_plan(make, refused):
    aws = make(plan="None")
    error = refused(aws.plan)
    assert isinstance(error, aws.client("freetier").exceptions.ResourceNotFoundException)
    assert code(error) == (400, "ResourceNotFoundException")
    assert message(error) == f"Missing data for account: {aws.account.id}"
    assert code(refused(aws.upgrade)) == (400, "ResourceNotFoundException")


def test_a_stale_read_shows_the_past(aws):
    aws.simulator.advance(hours=1)
    aws.upgrade()
    aws.simulator.fault("getAccountPlanState", {"stale": {"seconds": 1800}}, aws.account, count=1)
    assert aws.plan()["accountPlanType"] == "FREE"
    assert aws.plan()["accountPlanType"] == "PAID"


def test_nobody_reads_a_plan_without_the_permission(aws, refused):
    aws.account.user(allow=["freetier:UpgradeAccountPlan"])
    error = refused(aws.plan)
    assert isinstance(error, aws.client("freetier").exceptions.AccessDeniedException)
    assert code(error) == (400, "AccessDeniedException")
    assert message(error).startswith(f"User: {aws.account.user_arn} is not authorized to perform: freetier:GetAccountPlanState because")
