"""Accounts of the simulated AWS and their principals, as the control API makes and changes them."""

import itertools
import secrets
from datetime import datetime, timedelta
from typing import Any

from simulator import Simulator, rfc3339

IDS = itertools.count(111_111_111_111)
ALL = ["*"]


class Account:
    """A simulated account, with a user who may do everything."""

    def __init__(self, simulator: Simulator, settings: dict[str, Any]) -> None:
        self._simulator = simulator
        self.id = str(next(IDS))
        self.key_id, self.secret = "AKIA" + secrets.token_hex(8).upper(), "not-a-secret"
        self.settings = {"accountId": self.id, **settings}
        simulator.control("POST", "accounts", self.settings)
        self.user()

    @property
    def user_arn(self) -> str:
        return f"arn:aws:iam::{self.id}:user/payg"

    def role_arn(self, name: str = "payg-operator") -> str:
        return f"arn:aws:iam::{self.id}:role/{name}"

    def user(self, allow: list[str] = ALL) -> None:
        """Replaces the user."""
        keys = {"accessKeyId": self.key_id, "secretAccessKey": self.secret}
        self._simulator.control("POST", "clients", {"accountId": self.id, "allow": allow, **keys})

    def role(self, name: str = "payg-operator", allow: list[str] = ALL, **settings: Any) -> str:
        """Makes or replaces a role. The answer is its ARN."""
        role = {"accountId": self.id, "roleArn": self.role_arn(name), "allow": allow, **settings}
        self._simulator.control("POST", "clients", role)
        return self.role_arn(name)

    def pod(self, token: str, role: str) -> None:
        """Lets the agent of Pod Identity give a role for a token."""
        self._simulator.control("POST", "clients", {"podIdentity": {"token": token, "roleArn": role}})

    def change(self, **settings: Any) -> None:
        """Changes what is declared of the account."""
        self._simulator.control("PATCH", f"accounts/{self.id}", settings)

    def do(self, action: str, body: Any = None) -> None:
        """`spend`, `portal-upgrade` or `cancel`."""
        self._simulator.control("POST", f"accounts/{self.id}/{action}", body)

    def upgrades(self) -> list[dict[str, Any]]:
        """What was really applied to the account."""
        return [entry for entry in self._simulator.control("GET", "ledger") if entry["account"] == self.id]

    def statuses(self, operation: str) -> list[int | None]:
        """How the requests of an operation on the account were answered; `None`: the connection was cut."""
        return [asked["status"] for asked in self._simulator.requests(self, operation)]


def days_ago(now: datetime, days: float) -> str:
    return rfc3339(now - timedelta(days=days))
