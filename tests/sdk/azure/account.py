"""Accounts of the simulated Azure, as the control API makes and changes them."""

import uuid
from typing import Any

from simulator import Simulator


class Account:
    """A simulated account in a tenant of its own, with an application that may read all of the tenant."""

    def __init__(self, simulator: Simulator, settings: dict[str, Any]) -> None:
        self._simulator = simulator
        self.id, self.tenant, self.client_id = str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4())
        self.secret = "not-a-secret"
        self.application()
        self.add(self.id, settings)

    def add(self, subscription: str, settings: dict[str, Any]) -> None:
        """Adds an account to the tenant."""
        self._simulator.control("POST", "accounts", {"subscriptionId": subscription, "tenantId": self.tenant, **settings})

    def application(self, **settings: Any) -> None:
        """Replaces the application."""
        ids = {"tenantId": self.tenant, "clientId": self.client_id, "clientSecret": self.secret}
        self._simulator.control("POST", "clients", {**ids, "subscriptions": "*", "broker": True, **settings})

    def change(self, **settings: Any) -> None:
        """Changes what is declared of the account."""
        self._simulator.control("PATCH", f"accounts/{self.id}", settings)

    def do(self, action: str, body: Any = None) -> None:
        """`spend`, `portal-upgrade`, `cancel`, `leave-unpaid` or `pay`."""
        self._simulator.control("POST", f"accounts/{self.id}/{action}", body)
