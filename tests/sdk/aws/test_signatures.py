"""Signatures: the SDK's are taken, and every mistake is told as each protocol tells it."""

from datetime import datetime, timedelta, timezone

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from cloud import code, message

# One of each protocol.
CALLS = pytest.mark.parametrize("operation", ["plan", "information", "identity"])


def expect(error, operation, json, sts):
    status = 400 if operation == "plan" else 403
    assert code(error) == (status, sts if operation == "identity" else json)


@CALLS
def test_a_wrong_secret_is_found(aws, refused, operation):
    error = refused(getattr(aws, operation), aws_secret_access_key="another")
    expect(error, operation, "InvalidSignatureException", "SignatureDoesNotMatch")
    assert message(error).startswith("The request signature we calculated does not match the signature you provided.")


@CALLS
def test_an_unknown_key_is_refused(aws, refused, operation):
    error = refused(getattr(aws, operation), aws_access_key_id="AKIANOBODYNOBODYNOBO")
    expect(error, operation, "UnrecognizedClientException", "InvalidClientTokenId")
    assert message(error) == "The security token included in the request is invalid."


@CALLS
def test_a_token_that_a_user_has_not_is_refused(aws, refused, operation):
    error = refused(getattr(aws, operation), aws_session_token="something")
    expect(error, operation, "UnrecognizedClientException", "InvalidClientTokenId")


@CALLS
def test_another_region_is_refused(aws, refused, operation):
    error = refused(getattr(aws, operation), region_name="eu-central-1")
    expect(error, operation, "InvalidSignatureException", "SignatureDoesNotMatch")
    assert message(error).strip() == "Credential should be scoped to a valid region, not 'eu-central-1'."


@CALLS
def test_another_service_is_refused(aws, refused, operation):
    service = {"plan": "freetier", "information": "account", "identity": "sts"}[operation]
    client = aws.client(service)
    client._request_signer._signing_name = "s3"
    name = {"plan": "get_account_plan_state", "information": "get_account_information", "identity": "get_caller_identity"}[operation]
    error = refused(getattr(client, name))
    expect(error, operation, "InvalidSignatureException", "SignatureDoesNotMatch")
    assert message(error).strip() == f"Credential should be scoped to correct service: '{service}'."


@CALLS
@pytest.mark.parametrize(("minutes", "says"), [(-16, "Signature expired: "), (16, "Signature not yet current: ")], ids=["late", "early"])
def test_a_clock_that_is_wrong_is_told(aws, refused, monkeypatch, operation, minutes, says):
    wrong = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: wrong)
    error = refused(getattr(aws, operation))
    expect(error, operation, "InvalidSignatureException", "SignatureDoesNotMatch")
    assert message(error).startswith(says)


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_may_be_a_little_wrong(aws, monkeypatch, minutes):
    wrong = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: wrong)
    assert aws.identity()["Account"] == aws.account.id


@CALLS
def test_a_request_that_is_not_signed_is_refused(aws, refused, operation):
    error = refused(getattr(aws, operation), config=Config(signature_version=UNSIGNED))
    expect(error, operation, "MissingAuthenticationTokenException", "MissingAuthenticationToken")


def test_operations_that_are_not_served_are_unknown(aws, refused):
    assert code(refused(aws.client("freetier").list_account_activities)) == (400, "UnknownOperationException")
    assert code(refused(aws.client("billing").list_billing_views)) == (400, "UnknownOperationException")
    assert code(refused(aws.client("sts").get_session_token)) == (400, "InvalidAction")
