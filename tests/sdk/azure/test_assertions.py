"""Signing in without a secret: certificates, tokens of another issuer (workload identity), managed identities."""

import time
from datetime import datetime, timedelta, timezone

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    CredentialUnavailableError,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

ARM = "https://management.azure.com/.default"
ISSUER, SUBJECT = "https://oidc.example/cluster", "system:serviceaccount:team-a:payg"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key):
    """A certificate of its own, in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "payg")])
    now = datetime.now(timezone.utc)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    made = made.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def private(key):
    kinds = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *kinds)


def assertion(key, **changes):
    """The token of a ServiceAccount."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": ["api://AzureADTokenExchange"], "iat": now, "nbf": now, "exp": now + 600}
    return jwt.encode({**claims, **changes}, key, algorithm="RS256", headers={"kid": "one"})


@pytest.fixture
def trusted(azure, key):
    """A tenant whose application trusts the tokens of a cluster."""
    public = {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "one"}
    federated = {"issuer": ISSUER, "subject": SUBJECT, "audience": "api://AzureADTokenExchange", "jwks": {"keys": [public]}}
    azure.account.application(clientSecret=None, federated=[federated])
    return azure


def by_assertion(azure, token):
    account = azure.account
    return ClientAssertionCredential(account.tenant, account.client_id, lambda: token, **azure.authority())


def reads(azure, credential):
    """Whether a token of the credential opens the account."""
    client = azure.subscriptions(credential=credential)
    return azure.read(client.subscriptions.get, azure.account.id).subscription_id == azure.account.id


def refused(credential):
    with pytest.raises(ClientAuthenticationError) as caught:
        credential.get_token(ARM)
    return caught.value.message


def by_certificate(azure, pem):
    return CertificateCredential(azure.account.tenant, azure.account.client_id, certificate_data=pem, **azure.authority())


def test_a_certificate_takes_the_place_of_a_secret(azure, key):
    registered = certificate(key)
    azure.account.application(clientSecret=None, certificates=[registered.decode()])
    assert reads(azure, by_certificate(azure, private(key) + registered))


def test_a_certificate_that_is_not_registered_is_refused(azure, key):
    azure.account.application(clientSecret=None, certificates=[certificate(key).decode()])
    assert "AADSTS700027" in refused(by_certificate(azure, private(key) + certificate(key)))


def test_the_token_of_a_service_account_takes_the_place_of_a_secret(trusted, key):
    assert reads(trusted, by_assertion(trusted, assertion(key)))


@pytest.mark.parametrize(
    "code, change",
    [
        ("AADSTS700211", {"iss": "https://oidc.example/another"}),
        ("AADSTS700213", {"sub": "system:serviceaccount:team-b:payg"}),
        ("AADSTS700212", {"aud": "api://another"}),
        ("AADSTS700024", {"exp": 1}),
    ],
)
def test_a_token_that_is_not_as_registered_is_refused(trusted, key, code, change):
    assert code in refused(by_assertion(trusted, assertion(key, **change)))


def test_a_token_with_another_signature_is_refused(trusted):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert "AADSTS50013" in refused(by_assertion(trusted, assertion(other)))


def test_an_application_that_trusts_no_issuer_refuses_all(azure, key):
    azure.account.application(clientSecret=None)
    assert "AADSTS70025" in refused(by_assertion(azure, assertion(key)))


def test_workload_identity_works_by_what_the_webhook_injects(trusted, key, tmp_path, monkeypatch):
    token = tmp_path / "azure-identity-token"
    token.write_text(assertion(key))
    monkeypatch.setenv("AZURE_CLIENT_ID", trusted.account.client_id)
    monkeypatch.setenv("AZURE_TENANT_ID", trusted.account.tenant)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token))
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", trusted.simulator.url + "/")
    assert reads(trusted, WorkloadIdentityCredential(disable_instance_discovery=True))


def test_a_secret_works_from_the_environment(azure, monkeypatch):
    monkeypatch.setenv("AZURE_CLIENT_ID", azure.account.client_id)
    monkeypatch.setenv("AZURE_TENANT_ID", azure.account.tenant)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", azure.account.secret)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", azure.simulator.url)
    assert reads(azure, EnvironmentCredential(disable_instance_discovery=True))


@pytest.fixture
def machine(azure, monkeypatch):
    """A machine, whose identity service is the simulator's."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", azure.simulator.url)
    yield azure
    azure.simulator.control("DELETE", f"clients/{azure.account.client_id}")


def test_the_identity_of_the_machine_gets_a_token(machine):
    machine.account.application(clientSecret=None, managedIdentity="systemAssigned")
    credential = ManagedIdentityCredential()
    assert 3500 < credential.get_token(ARM).expires_on - time.time() <= 3600
    assert reads(machine, credential)


def test_an_identity_that_is_assigned_is_chosen_by_its_client_id(machine):
    machine.account.application(clientSecret=None, managedIdentity="userAssigned")
    assert reads(machine, ManagedIdentityCredential(client_id=machine.account.client_id))


def test_an_identity_that_the_machine_does_not_have_is_not_available(machine):
    with pytest.raises(CredentialUnavailableError) as caught:
        ManagedIdentityCredential(client_id=machine.account.client_id).get_token(ARM)
    assert "Identity not found" in caught.value.message
