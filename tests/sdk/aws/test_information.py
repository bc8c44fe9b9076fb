"""Account Management: whether an account is open."""

from datetime import datetime, timezone

from cloud import code


def test_an_account_is_described(make):
    aws = make(displayName="Sandbox", startTime="2026-04-05T17:57:11.079Z", plan="Paid")
    assert aws.information() == {
        "AccountId": aws.account.id,
        "AccountName": "Sandbox",
        "AccountCreatedDate": datetime(2026, 4, 5, 17, 57, 11, 79000, timezone.utc),
        "AccountState": "ACTIVE",
    }


def test_an_account_that_its_owner_closes_is_closed_and_then_gone(aws, refused):
    aws.account.do("cancel")
    assert (aws.information()["AccountState"], aws.plan()["accountPlanStatus"]) == ("CLOSED", "ACTIVE")
    aws.simulator.advance(days=91)
    assert code(refused(aws.information)) == (403, "UnrecognizedClientException")


def test_nobody_reads_it_without_the_permission(aws, refused):
    aws.account.user(allow=[])
    error = refused(aws.information)
    assert isinstance(error, aws.client("account").exceptions.AccessDeniedException)
    assert error.response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == "AccessDeniedException"


def test_no_account_is_asked_about_another(aws, make, refused):
    call = aws.client("account").get_account_information
    assert code(refused(call, AccountId=make().account.id)) == (403, "AccessDeniedException")
    error = refused(call, AccountId="12")
    assert isinstance(error, aws.client("account").exceptions.ValidationException)
    assert error.response["reason"] == "fieldValidationFailed"
