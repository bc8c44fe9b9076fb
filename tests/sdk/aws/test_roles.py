"""Roles: who a caller is, who becomes a role, and for how long."""

from datetime import datetime, timedelta, timezone

import boto3
import pytest

from cloud import code, message


def test_a_user_is_told_who_it_is(aws):
    identity = aws.identity()
    assert (identity["Account"], identity["Arn"]) == (aws.account.id, aws.account.user_arn)
    assert identity["UserId"].startswith("AIDA")


def test_a_user_needs_no_permission_to_be_told(aws):
    aws.account.user(allow=[])
    assert aws.identity()["Account"] == aws.account.id


def test_a_role_is_assumed_with_its_external_id(aws):
    role = aws.account.role(trust={"principals": [aws.account.user_arn], "externalId": "tenant/42"})
    assumed = aws.assume(role, ExternalId="tenant/42")
    arn = f"arn:aws:sts::{aws.account.id}:assumed-role/payg-operator/check"
    assert assumed["AssumedRoleUser"]["Arn"] == arn
    session = aws.as_session(assumed["Credentials"])
    assert aws.identity(**session) == {"Account": aws.account.id, "Arn": arn, "UserId": assumed["AssumedRoleUser"]["AssumedRoleId"]}
    aws.upgrade(**session)
    assert [entry["by"] for entry in aws.account.upgrades()] == [{"caller": arn}]


@pytest.mark.parametrize("fields", [{}, {"ExternalId": "tenant/43"}], ids=["none", "another"])
def test_a_role_is_not_assumed_without_its_external_id(aws, refused, fields):
    role = aws.account.role(trust={"principals": [aws.account.user_arn], "externalId": "tenant/42"})
    error = refused(aws.assume, role, **fields)
    assert code(error) == (403, "AccessDenied")
    assert message(error) == f"User: {aws.account.user_arn} is not authorized to perform: sts:AssumeRole on resource: {role}"


def test_a_role_of_another_account_is_assumed_by_whom_it_trusts(aws, make, refused):
    other = make()
    role = other.account.role(trust={"principals": [aws.account.id]})
    session = aws.as_session(aws.assume(role)["Credentials"])
    assert aws.plan(**session)["accountId"] == other.account.id
    assert code(refused(other.assume, role)) == (403, "AccessDenied")


def test_a_role_that_is_not_there_cannot_be_told_from_one_that_does_not_trust(aws, refused):
    assert code(refused(aws.assume, aws.account.role_arn("none"))) == (403, "AccessDenied")


def test_a_session_may_only_what_its_role_may(aws, refused):
    role = aws.account.role(allow=["freetier:GetAccountPlanState"], trust={"principals": ["*"]})
    session = aws.as_session(aws.assume(role)["Credentials"])
    aws.plan(**session)
    error = refused(aws.upgrade, **session)
    assert message(error).startswith(f"User: arn:aws:sts::{aws.account.id}:assumed-role/payg-operator/check is not authorized")


def test_a_session_lasts_as_long_as_it_was_asked_for(aws):
    role = aws.account.role(trust={"principals": ["*"]})
    for fields, seconds in (({}, 3600), ({"DurationSeconds": 900}, 900)):
        left = aws.assume(role, **fields)["Credentials"]["Expiration"] - datetime.now(timezone.utc)
        assert timedelta(seconds=seconds - 10) < left <= timedelta(seconds=seconds)


@pytest.mark.parametrize("operation", ["plan", "information", "identity"])
def test_a_session_that_has_expired_is_refused(aws, refused, operation):
    role = aws.account.role(sessionSeconds=0, trust={"principals": ["*"]})
    error = refused(getattr(aws, operation), **aws.as_session(aws.assume(role)["Credentials"]))
    expected = {"plan": (400, "ExpiredTokenException"), "information": (403, "ExpiredTokenException"), "identity": (403, "ExpiredToken")}
    assert code(error) == expected[operation]
    assert message(error) == "The security token included in the request is expired"


def test_a_session_cannot_be_longer_than_the_role_allows(aws, refused):
    role = aws.account.role(trust={"principals": ["*"]})
    assert code(refused(aws.assume, role, DurationSeconds=7200)) == (400, "ValidationError")


def test_a_chain_of_roles_lasts_an_hour(aws, refused):
    first = aws.account.role("first", trust={"principals": ["*"]})
    second = aws.account.role("second", sessionSeconds=7200, trust={"principals": [first]})
    session = aws.as_session(aws.assume(first)["Credentials"])
    assert aws.assume(second, session)["AssumedRoleUser"]["Arn"].endswith(":assumed-role/second/check")
    assert "role chaining" in message(refused(aws.assume, second, session, DurationSeconds=7200))


def test_a_profile_with_a_role_is_followed(aws, monkeypatch, tmp_path):
    role = aws.account.role(trust={"principals": [aws.account.user_arn], "externalId": "x-1"})
    config = tmp_path / "config"
    config.write_text(
        f"[profile payg]\nregion = us-east-1\nrole_arn = {role}\nexternal_id = x-1\nsource_profile = user\n"
        f"[profile user]\naws_access_key_id = {aws.account.key_id}\naws_secret_access_key = {aws.account.secret}\n"
    )
    for name, value in {"CONFIG_FILE": config, "ENDPOINT_URL": aws.simulator.url, "CA_BUNDLE": aws.simulator.ca_file}.items():
        monkeypatch.setenv(f"AWS_{name}", str(value))
    identity = boto3.Session(profile_name="payg").client("sts").get_caller_identity()
    assert identity["Arn"].startswith(f"arn:aws:sts::{aws.account.id}:assumed-role/payg-operator/")
