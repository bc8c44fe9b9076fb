"""`payg-dev simulator` as a process, and a client of its control API (crates/simulator/README.md)."""

import json
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Protocol

import urllib3

# What the billing clock shows when the simulator starts. Accounts start before it: the phases of their lives need no waiting.
START = datetime(2026, 6, 1, tzinfo=timezone.utc)


class Account(Protocol):
    """An account of some cloud."""

    id: str


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
        self._http = urllib3.PoolManager(ca_certs=str(self.ca_file), retries=False)
        deadline = time.monotonic() + 30
        while not url_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the simulator did not start: {(folder / 'simulator.log').read_text()}")
            time.sleep(0.02)
        self.url = url_file.read_text()

    def stop(self) -> None:
        self._http.clear()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        sent = {} if body is None else {"body": json.dumps(body), "headers": {"Content-Type": "application/json"}}
        answer = self._http.request(method, f"{self.url}/_sim/{path}", **sent)
        if answer.status >= 400:
            raise RuntimeError(f"{method} /_sim/{path}: {answer.status} {answer.data.decode()}")
        return json.loads(answer.data) if answer.data else None

    def fault(self, operation: str, kind: Any, account: Account | None = None, count: int | None = None) -> None:
        fault = {"operation": operation, "kind": kind, "account": account.id if account else None, "count": count}
        self.control("POST", "faults", fault)

    def advance(self, **duration: float) -> None:
        """Moves the billing clock: `days=1`."""
        self.control("POST", "clock", {"advanceSeconds": int(timedelta(**duration).total_seconds())})

    def settings(self, **settings: Any) -> None:
        """Changes what is the same for all accounts."""
        self.control("POST", "settings", settings)

    def requests(self, account: Account, operation: str) -> list[dict[str, Any]]:
        """What was asked about the account, oldest first."""
        return [asked for asked in self.control("GET", f"requests?account={account.id}") if asked["operation"] == operation]


def rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
