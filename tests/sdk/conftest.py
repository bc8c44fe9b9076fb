"""The simulator, as tests ask for it by name, and how the checks are reported: the same for all clouds."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator import Simulator


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    # Nothing of the environment may lead anywhere but to the simulator.
    for name in list(os.environ):
        if name.upper().startswith(("AZURE_", "MSI_", "IDENTITY_", "AWS_", "BOTO_")) or name.upper().endswith("_PROXY"):
            del os.environ[name]
    running = Simulator(os.environ["PAYG_DEV"], tmp_path_factory.mktemp("simulator"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def no_faults_are_left(simulator: Simulator) -> Iterator[None]:
    yield
    simulator.control("DELETE", "faults")


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """A line per check: what it is about, and its name as a sentence."""
    if report.when != "call" and report.passed:
        return "", "", ""
    file, _, name = report.nodeid.partition("::")
    subject = Path(file).stem.removeprefix("test_")
    sentence = f"{subject}: {name.removeprefix('test_')}".replace("_", " ")
    # What is skipped proves nothing.
    return ("passed", f"ok      {sentence}\n", "ok") if report.passed else ("failed", f"FAILED  {sentence}\n", "FAILED")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    passed, failed, broken = (len(terminalreporter.stats.get(kind, [])) for kind in ("passed", "failed", "error"))
    terminalreporter.write_line(f"{passed} passed, {failed + broken} failed")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter.stats.get("failed"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
