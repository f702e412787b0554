"""How a mock is broken: its answers changed on their way out, or one of its parts replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flask
import pytest

from vimmerse_contracts.vocabulary import CONTROL_ROOT
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.delivery import Sender
from vimmerse_mock.service import BatchService

Build = Callable[[pytest.MonkeyPatch], Mock]
Json = dict[str, Any]
Answer = flask.Response


@dataclass(frozen=True, slots=True)
class BrokenMock:
    """A mock with one fault.

    `breaks` is the rule of the contract that it breaks, `caught_by` the test of the suite that must
    fail, and `saying` a part of what that then says.
    """

    name: str
    breaks: str
    build: Build
    caught_by: str
    saying: str


def changed_batches(change: Callable[[Json], object]) -> Build:
    """Make a mock whose every Batch is changed on its way out."""

    def edit(answer: Answer) -> Answer:
        body = answer.get_json(silent=True)
        if isinstance(body, dict) and "data" in body:
            change(body["data"])
            answer.set_data(json.dumps(body))
        return answer

    return changed_answers(edit)


def changed_answers(change: Callable[[Answer], Answer]) -> Build:
    """Make a mock whose every answer of the public API is changed on its way out."""

    def change_public(answer: Answer) -> Answer:
        return answer if flask.request.path.startswith(CONTROL_ROOT) else change(answer)

    def build(_patch: pytest.MonkeyPatch) -> Mock:
        mock = create_mock()
        mock.app.after_request(change_public)
        return mock

    return build


def guarded(guard: Callable[[], None]) -> Build:
    """Make a mock that looks at every request first."""

    def build(_patch: pytest.MonkeyPatch) -> Mock:
        mock = create_mock()
        mock.app.before_request(guard)
        return mock

    return build


def patched(target: str, replacement: object) -> Build:
    """Make a mock with one of its parts replaced."""

    def build(patch: pytest.MonkeyPatch) -> Mock:
        patch.setattr(target, replacement)
        return create_mock()

    return build


def sending(sender: Sender) -> Build:
    """Make a mock that sends webhooks its own way."""
    return lambda _patch: create_mock(sender=sender)


def serving(variant: type[BatchService]) -> Build:
    """Make a mock with other use cases."""
    return patched("vimmerse_mock.app.BatchService", variant)
