"""`--vimmerse-evidence FILE`: the run of the suite, written down by whichever processes run it.

The process that began the run begins the file and seals it; workers of xdist append to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self, cast

import pytest

from pytest_vimmerse.options import setting_of
from pytest_vimmerse.report import rules_of_test
from vimmerse_contracts import ContractViolation, Target, all_rules, without_credentials
from vimmerse_contracts.runs import (
    FORMAT,
    UNFINISHED,
    Begun,
    Contract,
    Header,
    Labels,
    LineFile,
    Outcome,
    Recorder,
    Redactor,
    Verdict,
    begin,
    recording,
    seal,
)
from vimmerse_contracts.suite import FOLDER

_ORDINARY_ENDS: Final = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
_WORST: Final = (Outcome.FAILED, Outcome.SKIPPED, Outcome.PASSED)
"""Which of the outcomes of its phases is a test's."""


class _RecordedTarget:
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


class Recording:
    """Records the tests of the suite that this process runs.

    `began` is when the run began, in seconds of the epoch; all its processes share it, and
    `secret`, by which references are made.
    """

    def __init__(
        self, config: pytest.Config, path: Path, began: float, secret: bytes, *, first: bool
    ) -> None:
        self.handed_on: Final = {"path": str(path), "began": began, "secret": secret}
        self._path = path
        self._first = first
        redactor = Redactor(Labels(secret), datetime.fromtimestamp(began, UTC))
        redactor.keep_secret(
            setting_of(config, name) or ""
            for name in ("key", "other-key", "broke-key", "read-only-key")
        )
        file = LineFile(path)
        self._recorder = Recorder(file, redactor, lambda: _now().timestamp() - began)
        self._stack = ExitStack()
        self._stack.callback(file.close)
        self._stack.enter_context(recording(self._recorder))
        self._target: Target | None = None
        self._urls: list[str] = []
        self._phases: list[Verdict] = []
        config.pluginmanager.register(self, "vimmerse_recording")

    @classmethod
    def begin(cls, config: pytest.Config, path: str) -> Self:
        """Begin the file of a run.

        Raises:
            pytest.UsageError: the file cannot be written.
        """
        file, began = config.invocation_params.dir / path, _now()
        header = Header(
            format=FORMAT,
            date=began.isoformat(timespec="seconds"),
            target=without_credentials(setting_of(config, "target")),
            contract=Contract(
                version("vimmerse-mock"), {rule.id: rule.source.value for rule in all_rules()}
            ),
        )
        try:
            begin(file, header)
        except OSError as error:
            raise pytest.UsageError(
                f"--vimmerse-evidence: {file} cannot be written: {error.strerror}"
            ) from error
        return cls(config, file, began.timestamp(), secrets.token_bytes(16), first=True)

    @classmethod
    def join(cls, config: pytest.Config, handed_on: dict[str, Any]) -> Self:
        """Go on with the file that another process began."""
        path = Path(handed_on["path"])
        return cls(config, path, handed_on["began"], handed_on["secret"], first=False)

    def use_target(self, target: Target) -> Target:
        """Write a target down; the one returned shows which webhooks a test awaited."""
        self._target = target
        self._recorder.use_target(target)
        return cast("Target", _RecordedTarget(target, self._urls))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Write down which test asks, and what came of it."""
        ours = item.path.resolve().parent == FOLDER.resolve()
        # The name is the same wherever the suite is installed: `test_read::test_x[1]`.
        test = self._recorder.test = f"{item.path.stem}::{item.nodeid.partition('::')[2]}"
        rules = rules_of_test(item)
        self._phases = []
        if ours:
            self._recorder.record_begin(Begun(test, rules))
        done: Any = yield
        if ours:
            unfinished = Verdict(test, Outcome.FAILED, reason=UNFINISHED)
            phases = sorted(self._phases, key=lambda phase: _WORST.index(phase.outcome))
            worst = next(iter(phases), unfinished)
            self._recorder.record_verdict(Verdict(test, worst.outcome, rules, worst.reason))
        self._recorder.test = ""
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how a phase of a test ended."""
        report = yield
        reason = _reason(report, call)
        self._phases.append(Verdict(item.nodeid, Outcome(report.outcome), reason=reason))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Write down the webhooks that a test was sent."""
        for url in self._urls:
            for webhook in self._target.webhooks(url) if self._target else ():
                self._recorder.record_webhook(webhook)
        self._urls.clear()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Seal the file, once no worker writes any more."""
        self._stack.close()
        if not self._first:
            return
        ordinary = exitstatus in _ORDINARY_ENDS
        incidents = () if ordinary else (f"pytest ended with exit code {int(exitstatus)}",)
        try:
            seal(self._path, incidents)
        except OSError as error:
            pytest.exit(
                f"--vimmerse-evidence: {self._path} could not be sealed: {error.strerror}",
                returncode=pytest.ExitCode.INTERNAL_ERROR,
            )


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - evidence has the date of the run, in real time


def _reason(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    """Why a test was skipped or failed, by what the suite says and not by what it saw."""
    if call.excinfo is None or report.passed:
        return ""
    error = call.excinfo.value
    if report.skipped:
        return str(error)
    if isinstance(error, ContractViolation):
        return f"{error.operation}: {error.check}: expected {error.expected}"
    place = call.excinfo.traceback[-1]
    return f"{type(error).__name__} in {Path(place.path).name}:{place.lineno + 1}"
