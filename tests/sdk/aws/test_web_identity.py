"""Roles for tokens of a cluster (IAM roles for service accounts)."""

import time

import boto3
import jwt
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import rsa

from cloud import answer, code, message

ISSUER, SUBJECT, AUDIENCE = "https://oidc.example/cluster", "system:serviceaccount:team-a:payg", "sts.amazonaws.com"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def role(aws, key):
    public = {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "1"}
    provider = {"issuer": ISSUER, "subject": SUBJECT, "audience": AUDIENCE, "jwks": {"keys": [public]}}
    return aws.account.role(trust={"federated": [provider]})


def token(key, kid="1", **changes):
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 600, **changes}
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def ask(aws, role, text):
    client = aws.client("sts", config=Config(signature_version=UNSIGNED))
    return answer(client.assume_role_with_web_identity(RoleArn=role, RoleSessionName="check", WebIdentityToken=text))


def test_a_role_takes_the_token_that_it_names(aws, role, key):
    assumed = ask(aws, role, token(key))
    assert (assumed["SubjectFromWebIdentityToken"], assumed["Audience"], assumed["Provider"]) == (SUBJECT, AUDIENCE, ISSUER)
    assert aws.plan(**aws.as_session(assumed["Credentials"]))["accountId"] == aws.account.id


def test_the_environment_of_a_pod_is_all_that_the_sdk_needs(aws, role, key, monkeypatch, tmp_path):
    (tmp_path / "token").write_text(token(key))
    told = {"ROLE_ARN": role, "WEB_IDENTITY_TOKEN_FILE": tmp_path / "token", "REGION": "us-east-1", "DEFAULT_REGION": "us-east-1"}
    for name, value in {**told, "ENDPOINT_URL": aws.simulator.url, "CA_BUNDLE": aws.simulator.ca_file}.items():
        monkeypatch.setenv(f"AWS_{name}", str(value))
    assert boto3.Session().client("freetier").get_account_plan_state()["accountId"] == aws.account.id


@pytest.mark.parametrize(
    ("changes", "name", "says"),
    [
        ({"iss": "https://oidc.example/other"}, "InvalidIdentityTokenException", "No OpenIDConnect provider found in your account for https://oidc.example/other"),
        ({"aud": "https://kubernetes.default.svc"}, "InvalidIdentityTokenException", "Incorrect token audience"),
        ({"kid": "2"}, "InvalidIdentityTokenException", "Couldn't retrieve verification key from your identity provider"),
        ({"nbf": 4_000_000_000}, "InvalidIdentityTokenException", "not yet valid"),
        ({"exp": 1_000_000_000}, "ExpiredTokenException", "Token expired: current date/time "),
    ],
    ids=["issuer", "audience", "key", "early", "expired"],
)
def test_a_token_that_is_not_good_is_refused(aws, role, key, refused, changes, name, says):
    error = refused(ask, aws, role, token(key, **changes))
    assert isinstance(error, getattr(aws.client("sts").exceptions, name))
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert says in message(error)


def test_the_token_of_another_service_account_is_refused(aws, role, key, refused):
    error = refused(ask, aws, role, token(key, sub="system:serviceaccount:team-b:payg"))
    assert (code(error), message(error)) == ((403, "AccessDenied"), "Not authorized to perform sts:AssumeRoleWithWebIdentity")


def test_a_token_that_somebody_else_signed_is_refused(aws, role, refused):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    error = refused(ask, aws, role, token(stranger))
    assert isinstance(error, aws.client("sts").exceptions.InvalidIdentityTokenException)


def test_what_is_no_token_is_refused(aws, role, refused):
    error = refused(ask, aws, role, "not.a.token")
    assert "is not a valid JWT" in message(error)
