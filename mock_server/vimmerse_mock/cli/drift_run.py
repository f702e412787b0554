"""The evidence of the mock as it is now: the contract suite, run against it.

In a process of its own, since pytest takes along the settings and plugins of whoever calls it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console

from vimmerse_contracts.evidence.reader import Evidence, load_evidence

_JUDGED: Final = (0, 1)
"""Exit codes of pytest after which there is a verdict on every test."""
_OTHERS_SETTINGS: Final = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
_TAIL: Final = 2_000


class RunError(RuntimeError):
    """The suite could not be run; the message says what pytest said."""


def recorded_now() -> Evidence:
    """Run the suite against a mock, and return the evidence.

    Raises:
        RunError: pytest did not get to the end of it.
    """
    with TemporaryDirectory(prefix="vimmerse-drift-") as folder:
        file = Path(folder) / "mock.jsonl"
        with Console(stderr=True).status("Running the contract suite against the mock"):
            _run(Path(folder), file)
        return load_evidence(file)


def _run(folder: Path, file: Path) -> None:
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "--pyargs", "vimmerse_contracts.suite"]
    command += ["--vimmerse-target=mock", f"--vimmerse-evidence={file}", f"-c{settings}"]
    command += ["-q", "-pno:cacheprovider", "-pno:randomly"]
    done = subprocess.run(  # noqa: S603 - this Python, and this project's own suite
        command,
        cwd=folder,
        env=_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in _JUDGED:
        said = (done.stdout + done.stderr).strip()[-_TAIL:]
        raise RunError(
            f"the contract suite could not be run against the mock; pytest said:\n{said}"
        )


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in _OTHERS_SETTINGS}
