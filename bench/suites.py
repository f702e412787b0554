"""What a test run pays: suites with one call in each test, beside those of other tools."""

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final

from bench.figures import Figure, Run, seconds

_HEAD: Final = """
import pytest, requests
pytestmark = pytest.mark.parametrize("number", range(300))

def create(url="https://api.vimmerse.net", key="YOUR_API_KEY"):
    form = {"image_urls": "http://images.example/1.jpg"}
    assert requests.post(url + "/batch", data=form, headers={"X-Api-Key": key}, timeout=5).ok
"""
_EMPTY: Final = """
import pytest
@pytest.mark.parametrize("number", range(300))
def test_nothing(number): pass
"""
_RESPONSES: Final = """
import responses
@responses.activate
def test_call(number):
    responses.post("https://api.vimmerse.net/batch", json={})
    create()
"""
_INTERCEPT: Final = """
from vimmerse_mock import intercept
@intercept()
def test_call(number): create()
"""
_HTTPSERVER: Final = """
def test_call(number, httpserver):
    httpserver.expect_request("/batch", method="POST").respond_with_json({})
    create(httpserver.url_for(""))
"""
_VIMMERSE: Final = "def test_call(number, vimmerse): create(vimmerse.url, vimmerse.key)"
_PLUGIN: Final = "pytest_vimmerse.plugin"


def suites(run: Run) -> list[Figure]:
    """In a test run.

    Seconds that 300 tests cost that create a batch each by `requests`, over 300 that do nothing, of
    whole runs of pytest; beside it the tool of the same kind. Then what one empty test costs with
    the plugin, over the same without it, which is beside it.
    """
    run.step("suites of 300 tests")
    (empty,), *taken = run.in_turn(
        partial(_pytest, run, _EMPTY),
        partial(_pytest, run, _HEAD + _VIMMERSE, _PLUGIN),
        partial(_pytest, run, _HEAD + _HTTPSERVER, "pytest_httpserver.pytest_plugin"),
        partial(_pytest, run, _HEAD + _INTERCEPT),
        partial(_pytest, run, _HEAD + _RESPONSES),
    )
    vimmerse, httpserver, intercept, responses = (whole - empty for (whole,) in taken)
    run.step("the plugin in an empty suite")
    one = partial(_pytest, run, "def test_nothing(): pass")
    (without,), (plugin,) = run.in_turn(one, partial(one, _PLUGIN), turns=run.amount(3, 21))
    own, without = 1e3 * (plugin - without), 1e3 * without
    return [
        Figure("fixture vimmerse, beside pytest-httpserver", vimmerse, "s", httpserver, "≤ 1 x"),
        Figure("intercept(), beside responses", intercept, "s", responses, "≤ 2 x"),
        Figure("the plugin in an empty suite", own, "ms", without, "≤ 15 ms"),
    ]


def _pytest(run: Run, suite: str, *plugins: str) -> Sequence[float]:
    """Return the seconds of a run of pytest that loads no other plugins."""
    file = run.scratch / "test_suite.py"
    file.write_text(suite)
    options = ["-q", "-p", "no:cacheprovider", *(f"-p{plugin}" for plugin in plugins)]
    command = [sys.executable, "-m", "pytest", *options, str(file)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    where = {"cwd": run.scratch, "env": environment}
    run_it = partial(subprocess.run, command, check=True, stdout=subprocess.PIPE, **where)
    return [seconds(run_it)]
