"""Accounts in the simulated Azure, and the SDKs' clients of them, as tests ask for them by name."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.identity import ClientSecretCredential
from azure.mgmt.billing import BillingManagementClient
from azure.mgmt.consumption import ConsumptionManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient
from azure.mgmt.subscription import SubscriptionClient as ActionsClient

from account import Account
from conformity import problems
from simulator import Simulator


class Azure:
    """One tenant of the simulated Azure, as a user of the SDKs has it."""

    def __init__(self, simulator: Simulator, account: Account) -> None:
        self.simulator, self.account = simulator, account
        self._answers: list[Any] = []

    def credential(self, **changes: Any) -> ClientSecretCredential:
        ids = {"tenant_id": self.account.tenant, "client_id": self.account.client_id, "client_secret": self.account.secret}
        return ClientSecretCredential(**{**ids, **self.authority(), **changes})

    def authority(self) -> dict[str, Any]:
        return {"authority": self.simulator.url, "disable_instance_discovery": True}

    def options(self, **changes: Any) -> dict[str, Any]:
        """What is told to every client: whom it asks, and as whom."""
        note = {"raw_response_hook": self._note, "retry_backoff_factor": 0.01}
        return {"credential": self.credential(), "base_url": self.simulator.url, **note, **changes}

    def subscriptions(self, **changes: Any) -> SubscriptionClient:
        return SubscriptionClient(**self.options(**changes))

    def actions(self, **changes: Any) -> ActionsClient:
        return ActionsClient(**self.options(**changes))

    def billing(self, **changes: Any) -> BillingManagementClient:
        return BillingManagementClient(subscription_id=self.account.id, **self.options(**changes))

    def consumption(self, **changes: Any) -> ConsumptionManagementClient:
        return ConsumptionManagementClient(subscription_id=self.account.id, **self.options(**changes))

    def read(self, operation: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The model that the operation answers, once all of the answer reads back from it."""
        model = operation(*arguments, **options)
        found = list(problems(model, json.loads(self._answers[-1].text())))
        assert not found, "\n".join(found)
        return model

    def read_all(self, operation: Callable[..., Any], *arguments: Any, **options: Any) -> list[Any]:
        """The models of all pages, once all of every page reads back from them."""
        self._answers.clear()
        models = list(operation(*arguments, **options))
        pages = [json.loads(answer.text()) for answer in self._answers]
        assert {name for page in pages for name in page} <= {"value", "nextLink", "count", "totalCount"}
        documents = [item for page in pages for item in page["value"]]
        found = [problem for pair in zip(models, documents, strict=True) for problem in problems(*pair)]
        assert not found, "\n".join(found)
        return models

    def pages(self) -> int:
        """How many pages `read_all` read."""
        return len(self._answers)

    def another(self, **settings: Any) -> str:
        """One more account in this tenant."""
        subscription = str(uuid.uuid4())
        self.account.add(subscription, settings)
        return subscription

    def billing_names(self) -> tuple[str, str]:
        """The names of the billing account and the billing profile of a customer agreement."""
        _, _, _, _, account, _, profile = self.billing_property().billing_profile_id.split("/")
        return account, profile

    def subscription(self) -> Any:
        return self.read(self.subscriptions().subscriptions.get, self.account.id)

    def billing_property(self) -> Any:
        return self.read(self.billing().billing_property.get).properties

    def _note(self, response: Any) -> None:
        if response.http_response.status_code == 200:
            self._answers.append(response.http_response)


@pytest.fixture(scope="session")
def simulator(simulator: Simulator) -> Simulator:
    os.environ["REQUESTS_CA_BUNDLE"] = str(simulator.ca_file)
    return simulator


@pytest.fixture
def make(simulator: Simulator) -> Iterator[Callable[..., Azure]]:
    """Makes a tenant with an account of these settings, by default a free trial in its tenth day."""

    def made(**settings: Any) -> Azure:
        return Azure(simulator, Account(simulator, {"startTime": "2026-05-22T00:00:00Z", **settings}))

    yield made
    simulator.settings(pageSize=100)


@pytest.fixture
def azure(make: Callable[..., Azure]) -> Azure:
    return make()
