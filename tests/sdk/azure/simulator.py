"""`payg simulator` as a process, and a client of its control API (src/simulator/README.md)."""

import subprocess
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import requests

# What the billing clock shows when the simulator starts. Accounts start before it: the phases of their lives need no waiting.
START = datetime(2026, 6, 1, tzinfo=timezone.utc)


class Simulator:
    """The simulator, running until `stop`."""

    def __init__(self, payg: str, folder: Path) -> None:
        self.ca_file, url_file = folder / "ca.pem", folder / "url"
        self._log = (folder / "simulator.log").open("w+")
        clock = ["--billing-start", rfc3339(START), "--billing-origin", rfc3339(datetime.now(timezone.utc)), "--billing-rate", "1"]
        files = ["--ca-file", str(self.ca_file), "--url-file", str(url_file)]
        # setpriv: it ends with this process, however that ends.
        command = ["setpriv", "--pdeathsig", "KILL", payg, "simulator", *files, *clock]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        deadline = time.monotonic() + 30
        while not url_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the simulator did not start: {(folder / 'simulator.log').read_text()}")
            time.sleep(0.02)
        self.url = url_file.read_text()
        self._http = requests.Session()
        self._http.trust_env = False  # loopback: not the environment's proxy
        self._http.verify = str(self.ca_file)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, f"{self.url}/_sim/{path}", json=body)
        if not answer.ok:
            raise RuntimeError(f"{method} /_sim/{path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def fault(self, operation: str, kind: Any, account: "Account | None" = None, count: int | None = None) -> None:
        fault = {"operation": operation, "kind": kind, "account": account.id if account else None, "count": count}
        self.control("POST", "faults", fault)

    def settings(self, **settings: Any) -> None:
        """Changes what is the same for all accounts."""
        self.control("POST", "settings", settings)

    def requests(self, account: "Account", operation: str) -> list[dict[str, Any]]:
        """What was asked about the account, oldest first."""
        return [asked for asked in self.control("GET", f"requests?account={account.id}") if asked["operation"] == operation]


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


def rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
