"""The upgrade to the paid plan: applied once, late, lost or refused."""

import time

import pytest
from botocore.exceptions import ConnectionClosedError

from cloud import AGAIN, code, message


def test_an_upgrade_is_applied_at_once(aws):
    paid = {"accountId": aws.account.id, "accountPlanType": "PAID", "accountPlanStatus": "ACTIVE"}
    assert aws.upgrade() == paid
    assert aws.plan() == {**paid, "accountPlanRemainingCredits": {"amount": 100.0, "unit": "USD"}}
    assert [entry["by"] for entry in aws.account.upgrades()] == [{"caller": aws.account.user_arn}]


def test_an_upgrade_is_applied_only_once(aws):
    assert aws.upgrade() == aws.upgrade()
    assert len(aws.account.upgrades()) == 1
    assert aws.account.statuses("upgradeAccountPlan") == [200, 200]


def test_an_upgrade_brings_an_expired_account_back(make):
    aws = make(burnPerDay="20")
    assert aws.information()["AccountState"] == "CLOSED"
    aws.upgrade()
    assert (aws.plan()["accountPlanStatus"], aws.information()["AccountState"]) == ("ACTIVE", "ACTIVE")


def test_an_upgrade_keeps_the_credit_and_can_add_to_it(make):
    aws = make(burnPerDay="3", upgradeBonus="20")
    aws.upgrade()
    assert aws.plan()["accountPlanRemainingCredits"]["amount"] == 90
    aws.simulator.advance(days=200)
    assert (aws.plan()["accountPlanRemainingCredits"]["amount"], aws.plan()["accountPlanStatus"]) == (0, "ACTIVE")


def test_an_upgrade_can_show_late(make):
    aws = make(upgradeSeconds=600)
    assert aws.upgrade()["accountPlanType"] == "PAID"
    assert aws.plan()["accountPlanType"] == "FREE"
    aws.simulator.advance(minutes=10)
    assert aws.plan()["accountPlanType"] == "PAID"


def test_an_upgrade_that_is_refused_is_not_applied(make, refused):
    aws = make(rejectUpgrade={"code": "ValidationException", "message": "A valid payment method is required."})
    error = refused(aws.upgrade)
    assert isinstance(error, aws.client("freetier").exceptions.ValidationException)
    assert (code(error), message(error)) == ((400, "ValidationException"), "A valid payment method is required.")
    assert aws.account.upgrades() == []
    aws.account.do("portal-upgrade")
    assert [entry["by"] for entry in aws.account.upgrades()] == [{"person": True}]


def test_there_is_no_way_back_to_the_free_plan(aws, refused):
    assert code(refused(aws.upgrade, "FREE")) == (400, "ValidationException")
    aws.upgrade()
    assert code(refused(aws.upgrade, "FREE")) == (400, "ValidationException")
    assert aws.plan()["accountPlanType"] == "PAID"


def test_nobody_upgrades_without_the_permission(aws, refused):
    aws.account.user(allow=["freetier:GetAccountPlanState"])
    error = refused(aws.upgrade)
    assert isinstance(error, aws.client("freetier").exceptions.AccessDeniedException)
    assert "freetier:UpgradeAccountPlan" in message(error)
    assert aws.account.upgrades() == []


def test_a_closed_account_is_not_upgraded(aws, refused):
    aws.account.do("cancel")
    assert code(refused(aws.upgrade)) == (400, "ValidationException")


def test_an_upgrade_whose_answer_is_lost_is_applied(aws):
    aws.simulator.fault("upgradeAccountPlan", "appliedAnswerLost", aws.account, count=1)
    with pytest.raises(ConnectionClosedError):
        aws.upgrade()
    assert aws.plan()["accountPlanType"] == "PAID"
    assert len(aws.account.upgrades()) == 1


def test_the_sdk_asks_again_for_an_upgrade_whose_answer_is_lost(aws, naps):
    aws.simulator.fault("upgradeAccountPlan", "appliedAnswerLost", aws.account, count=1)
    assert aws.upgrade(config=AGAIN)["accountPlanType"] == "PAID"
    assert aws.account.statuses("upgradeAccountPlan") == [None, 200]
    assert len(aws.account.upgrades()) == 1


def test_an_upgrade_can_be_applied_after_an_error(aws, refused):
    aws.simulator.fault("upgradeAccountPlan", {"appliedLate": {"millis": 200}}, aws.account, count=1)
    assert code(refused(aws.upgrade))[0] == 504
    deadline = time.monotonic() + 30
    while aws.plan()["accountPlanType"] == "FREE":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(aws.account.upgrades()) == 1
