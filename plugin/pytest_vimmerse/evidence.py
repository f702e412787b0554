"""`--vimmerse-evidence FILE`: the run of the suite, written down by whichever processes run it.

The process that began the run begins the file and seals it; workers of xdist append to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import pytest

import vimmerse_contracts.suite
from vimmerse_contracts.checks import ContractViolation
from vimmerse_contracts.network import without_login
from vimmerse_contracts.operations import all_rules
from vimmerse_contracts.runs.evidence.file import (
    FORMAT,
    UNFINISHED,
    Begun,
    Contract,
    Header,
    LineFile,
    Outcome,
    Verdict,
    begin,
    seal,
)
from vimmerse_contracts.runs.evidence.recorder import Recorder, recording
from vimmerse_contracts.runs.evidence.redaction import Labels, Redactor
from vimmerse_contracts.suite.rules import rules_of
from vimmerse_contracts.suite.target import ReceivedWebhook, Target
from vimmerse_mock.model.clock import SECOND, Instant, to_datetime, wall_clock

_HANDED_ON: Final = "vimmerse_evidence"
_SUITE: Final = Path(vimmerse_contracts.suite.__file__).resolve().parent
_ORDINARY_ENDS: Final = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


@dataclass(frozen=True, slots=True)
class _Run:
    """What the processes of a run share: the file, when it began, and the secret of its labels."""

    path: Path
    began: Instant
    secret: bytes

    def hand_on(self) -> dict[str, Any]:
        return {"path": str(self.path), "began": self.began, "secret": self.secret.hex()}


def open_evidence(config: pytest.Config, path: str) -> EvidencePlugin:
    """Make the plugin that records this process's part of the run.

    Raises:
        pytest.UsageError: the file cannot be written.
    """
    handed_on: Mapping[str, Any] | None = getattr(config, "workerinput", {}).get(_HANDED_ON)
    if handed_on is not None:
        secret = bytes.fromhex(handed_on["secret"])
        return EvidencePlugin(config, _Run(Path(handed_on["path"]), handed_on["began"], secret))
    run = _Run(config.invocation_params.dir / path, wall_clock(), secrets.token_bytes(16))
    try:
        begin(run.path, _header(config, run))
    except OSError as error:
        raise pytest.UsageError(
            f"--vimmerse-evidence: {run.path} cannot be written: {error.strerror}"
        ) from error
    return EvidencePlugin(config, run, first=True)


def _header(config: pytest.Config, run: _Run) -> Header:
    rules = {rule.id: rule.source.value for rule in all_rules()}
    return Header(
        format=FORMAT,
        date=to_datetime(run.began).isoformat(timespec="seconds"),
        target=without_login(config.getoption("--vimmerse-target")),
        contract=Contract(version("vimmerse-mock"), rules),
    )


class _Witnessed:
    """A target of which the URLs for webhooks are remembered."""

    def __init__(self, target: Target, urls: list[str]) -> None:
        self._target = target
        self._urls = urls

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the target has
        return getattr(self._target, name)

    def webhook_url(self) -> str:
        """Return a fresh URL, and remember it."""
        self._urls.append(self._target.webhook_url())
        return self._urls[-1]


class EvidencePlugin:
    """Records the tests of the suite that this process runs."""

    def __init__(self, config: pytest.Config, run: _Run, *, first: bool = False) -> None:
        self._run = run
        self._first = first
        self._stack = ExitStack()
        file = self._stack.enter_context(LineFile(run.path))
        redactor = Redactor(Labels(run.secret), to_datetime(run.began))
        redactor.keep_secret(
            config.getoption(name) or ""
            for name in ("--vimmerse-key", "--vimmerse-other-key", "--vimmerse-broke-key")
        )
        self._recorder = Recorder(file, redactor, self._seconds)
        self._stack.enter_context(recording(self._recorder))
        self._target: Target | None = None
        self._urls: list[str] = []
        self._phases: list[tuple[Outcome, str]] = []

    def witness(self, target: Target) -> Target:
        """Take note of a target; the one returned shows which webhooks a test awaited."""
        if self._target is not target:
            self._target = target
            self._recorder.meet(target)
        return cast("Target", _Witnessed(target, self._urls))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Meet the target before anything is asked of it."""
        made: Any = yield
        if fixturedef.argname == "vimmerse_session_target":
            self.witness(made)
        return made

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's
        """Tell a worker of xdist where to write."""
        node.workerinput[_HANDED_ON] = self._run.hand_on()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Write down which test asks, and what came of it."""
        ours = item.path.resolve().parent == _SUITE
        test = self._recorder.test = _short(item.path, item.nodeid)
        rules = rules_of(getattr(getattr(item, "obj", None), "__doc__", "") or "")
        self._phases.clear()
        if ours:
            self._recorder.begins(Begun(test, rules))
        done: Any = yield
        if ours:
            outcome, reason = _worst(self._phases)
            self._recorder.judged(Verdict(test, outcome, rules, reason))
        self._recorder.test = ""
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Take note of how a phase of a test ended."""
        report: Any = yield
        self._phases.append((report.outcome, _reason(report, call)))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Write down the webhooks that a test was sent."""
        for url in self._urls:
            for webhook in self._received(url):
                self._recorder.received(webhook)
        self._urls.clear()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Seal the file, once no worker writes any more."""
        self._stack.close()
        if self._first:
            ordinary = exitstatus in _ORDINARY_ENDS
            self._seal(() if ordinary else (f"pytest ended with exit code {int(exitstatus)}",))

    def _seal(self, incidents: tuple[str, ...]) -> None:
        try:
            seal(self._run.path, incidents)
        except OSError as error:
            pytest.exit(
                f"--vimmerse-evidence: {self._run.path} could not be sealed: {error.strerror}",
                returncode=pytest.ExitCode.INTERNAL_ERROR,
            )

    def _seconds(self) -> float:
        return (wall_clock() - self._run.began) / SECOND

    def _received(self, url: str) -> tuple[ReceivedWebhook, ...]:
        return () if self._target is None else tuple(self._target.webhooks(url))


def _short(path: Path, node_id: str) -> str:
    """Name a test in the same way wherever it is installed: `test_read::test_x[1]`."""
    return f"{path.stem}::{node_id.partition('::')[2]}"


def _worst(phases: list[tuple[Outcome, str]]) -> tuple[Outcome, str]:
    order: tuple[Outcome, ...] = ("failed", "skipped")
    for wanted in order:
        for outcome, reason in phases:
            if outcome == wanted:
                return outcome, reason
    return ("passed", "") if phases else ("failed", UNFINISHED)


def _reason(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    """Say why a test was skipped or failed, by what the suite says and not by what it saw."""
    if call.excinfo is None or report.passed:
        return ""
    error = call.excinfo.value
    if report.skipped:
        return str(error)
    if isinstance(error, ContractViolation):
        return f"{error.operation}: {error.check}: expected {error.expected}"
    place = call.excinfo.traceback[-1]
    return f"{type(error).__name__} in {Path(place.path).name}:{place.lineno + 1}"
