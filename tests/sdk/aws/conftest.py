"""Accounts in the simulated AWS, as tests ask for them by name."""

import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from account import Account, days_ago
from cloud import Aws
from simulator import Simulator


@pytest.fixture(scope="session")
def session(simulator: Simulator) -> boto3.Session:
    """One for all clients: the classes of a service's exceptions are a session's own."""
    # Nobody's own configuration may lead elsewhere, nor the machine's credentials.
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true")
    return boto3.Session()


@pytest.fixture
def make(session: boto3.Session, simulator: Simulator) -> Callable[..., Aws]:
    """Makes an account of these settings, by default on the free plan in its tenth day."""

    def made(days: float = 10, **settings: Any) -> Aws:
        now = datetime.fromisoformat(simulator.control("GET", "clock")["billingTime"])
        start = days_ago(now.replace(microsecond=0), days)
        return Aws(session, simulator, Account(simulator, {"startTime": start, **settings}))

    return made


@pytest.fixture
def aws(make: Callable[..., Aws]) -> Aws:
    return make()


@pytest.fixture
def refused() -> Callable[..., Any]:
    """Calls what must be refused, and answers the error."""

    def call(operation: Callable[..., Any], *arguments: Any, **options: Any) -> ClientError:
        with pytest.raises(ClientError) as caught:
            operation(*arguments, **options)
        return caught.value

    return call


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the SDK makes, which take no time."""
    taken: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", taken.append)
    return taken
