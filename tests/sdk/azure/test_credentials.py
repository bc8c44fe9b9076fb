"""Tokens of Microsoft Entra, as azure-identity gets them, and what Resource Manager says to a token that is none."""

import time

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

ARM = "https://management.azure.com/.default"


class Given:
    """A credential with a token that is given."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes, **options):
        return AccessToken(self._token, int(time.time()) + 3600)


def test_a_secret_gets_a_token_for_an_hour(azure):
    token = azure.credential().get_token(ARM)
    assert token.token.count(".") == 2
    assert 3500 < token.expires_on - time.time() <= 3600


def test_a_token_is_asked_for_once_and_kept(azure):
    credential = azure.credential()
    assert credential.get_token(ARM).token == credential.get_token(ARM).token


def test_another_audience_gets_another_token(azure):
    credential = azure.credential()
    assert credential.get_token(ARM).token != credential.get_token("api://payg-broker/.default").token


def test_the_older_audience_of_resource_manager_is_as_good(azure):
    client = azure.subscriptions(credential_scopes=["https://management.core.windows.net//.default"])
    assert client.subscriptions.get(azure.account.id).subscription_id == azure.account.id


def test_an_authority_is_found_by_its_discovery_document(azure):
    token = azure.credential(authority=azure.simulator.url + "/").get_token(ARM)
    assert token.token


def refused(credential, scope=ARM):
    with pytest.raises(ClientAuthenticationError) as caught:
        credential.get_token(scope)
    return caught.value.message


def test_a_wrong_secret_is_refused(azure):
    message = refused(azure.credential(client_secret="another"))
    assert "AADSTS7000215: Invalid client secret provided." in message
    assert "Trace ID: " in message and "Correlation ID: " in message and "Timestamp: " in message
    assert "another" not in message


def test_an_unknown_application_is_refused(azure, make):
    assert "AADSTS700016" in refused(azure.credential(client_id=make().account.client_id))


def test_an_unknown_tenant_is_refused(azure):
    message = refused(azure.credential(tenant_id="00000000-0000-4a00-9000-00000000dead"))
    assert "AADSTS90002" in message


def test_an_unknown_resource_is_refused(azure):
    assert "AADSTS500011" in refused(azure.credential(), "https://graph.example/.default")


def challenged(azure, token):
    with pytest.raises(ClientAuthenticationError) as caught:
        azure.subscriptions(credential=Given(token)).subscriptions.get(azure.account.id)
    error = caught.value
    assert error.status_code == 401
    return error


def test_a_token_that_is_none_is_challenged(azure):
    error = challenged(azure, "no.such.token")
    assert error.error.code == "InvalidAuthenticationToken"
    challenge = error.response.headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer authorization_uri="{azure.simulator.url}/{azure.account.tenant}", error="invalid_token"')


def test_a_token_for_another_audience_is_refused(azure):
    token = azure.credential().get_token("api://payg-broker/.default").token
    assert challenged(azure, token).error.code == "InvalidAuthenticationTokenAudience"


def test_a_token_that_has_expired_is_refused(azure):
    azure.account.application(tokenLifetimeSeconds=0)
    token = azure.credential().get_token(ARM).token
    error = challenged(azure, token).error
    assert error.code == "ExpiredAuthenticationToken"
    assert "is earlier than current UTC time" in error.message
