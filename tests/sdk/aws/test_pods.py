"""The agent of EKS Pod Identity."""

import pytest
from botocore.credentials import ContainerProvider
from botocore.exceptions import CredentialRetrievalError
from botocore.httpsession import URLLib3Session
from botocore.utils import ContainerMetadataFetcher


@pytest.fixture
def pod(aws, tmp_path):
    """The SDK in a pod that has a token."""

    def provider(token):
        (tmp_path / "token").write_text(token)
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{aws.simulator.url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
        }
        session = URLLib3Session(verify=str(aws.simulator.ca_file), timeout=10)
        return ContainerProvider(environ, ContainerMetadataFetcher(session, sleep=lambda _: None))

    return provider


def test_a_pod_gets_the_credentials_of_its_role(aws, pod):
    token = f"token-of-{aws.account.id}"
    aws.account.pod(token, aws.account.role())
    credentials = pod(token).load()
    keys = credentials.get_frozen_credentials()
    session = {"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret_key, "aws_session_token": keys.token}
    arn = aws.identity(**session)["Arn"]
    assert arn.startswith(f"arn:aws:sts::{aws.account.id}:assumed-role/payg-operator/eks-")
    assert credentials.account_id == aws.account.id
    assert not credentials.refresh_needed(600)
    assert aws.account.statuses("podIdentity") == [200]


def test_an_unknown_pod_gets_none(pod):
    with pytest.raises(CredentialRetrievalError) as caught:
        pod("nobodys-token").load()
    assert "InvalidTokenException" in str(caught.value)


def test_an_agent_that_fails_is_asked_again(aws, pod):
    token = f"token-of-{aws.account.id}"
    aws.account.pod(token, aws.account.role())
    aws.simulator.fault("podIdentity", "cut", aws.account, count=1)
    assert pod(token).load().access_key.startswith("ASIA")
    assert aws.account.statuses("podIdentity") == [None, 200]
