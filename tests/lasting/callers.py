"""Clients that keep a mock busy, and remember what they were promised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from random import Random
from threading import Event, Thread
from typing import Any, Final, Self

import requests

from support.waiting import pause

_AWAY_SECONDS: Final = 0.02
_TIMEOUT_SECONDS: Final = 60
_IMAGE: Final = "http://images.example/1.jpg"


_HOSTILE_PATHS: Final = (
    *("", "/", "?", "/%00%ff/%2e%2e/..", "/;'--", "/{0}%s", "/\u00fc/\u65e5\u672c"),
    *("/" + "%F0%9F%92%A5" * 150, "?" + "a" * 1_900, "/" + "a/" * 900),
)
"""Paths that a webhook's address may have, and that nobody may trip over."""
_HOSTILE_TEXTS: Final = ("", "'; DROP TABLE batches; --", "\u202e%s{0}", "\U0001f4a5" * 400)


class Outcome(Enum):
    """What a caller knows of a request afterwards."""

    DONE = auto()
    """It was acknowledged."""
    REFUSED = auto()
    """It was answered that nothing was done."""
    DOUBTFUL = auto()
    """There was no answer, or none that says: it may have been done."""


@dataclass(slots=True)
class Promise:
    """What was acknowledged of one batch: any of `titles`, at least `submissions` submissions.

    `doubtful` more were asked for, and may be there.
    """

    batch_id: str
    titles: set[str]
    submissions: int = 1
    doubtful: int = 0

    def retitled(self, title: str, outcome: Outcome) -> None:
        """Note that a title was asked for."""
        if outcome is Outcome.DONE:
            self.titles = {title}
        elif outcome is Outcome.DOUBTFUL:
            self.titles.add(title)

    def resubmitted(self, outcome: Outcome) -> None:
        """Note that a further submission was asked for."""
        self.submissions += outcome is Outcome.DONE
        self.doubtful += outcome is Outcome.DOUBTFUL


@dataclass(slots=True)
class Caller:
    """One client: creates, updates and concats, one request at a time, and none of them twice.

    `url` is where the mock is at the moment, "" while it is nowhere. An answer that no request
    may get is a surprise.
    """

    name: str
    url: Callable[[], str]
    key: str
    webhook_url: str
    random: Random
    promises: list[Promise] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    doubtful_creations: int = 0
    _session: requests.Session = field(default_factory=requests.Session)
    _numbers: count[int] = field(default_factory=count)

    def run(self, stopping: Event) -> None:
        """Make requests until it is to stop."""
        with self._session:
            while not stopping.is_set():
                self._act()

    def _act(self) -> None:
        choices: Sequence[Callable[[], None]] = (self._create, self._create)
        if self.promises:
            choices = (*choices, self._retitle, self._resubmit, self._concat, self._concat)
        self.random.choice(choices)()

    def _create(self) -> None:
        title = self._new_title()
        url = self.webhook_url + self._hostile_path()
        form = {"image_urls": _IMAGE, "title": title, "webhook_url": url}
        outcome, batch = self._ask("POST", "/batch", form)
        if outcome is Outcome.DONE:
            self.promises.append(Promise(batch["id"], {title}))
        self.doubtful_creations += outcome is Outcome.DOUBTFUL

    def _retitle(self) -> None:
        promise, title = self.random.choice(self.promises), self._new_title()
        outcome, _ = self._ask("PUT", f"/batch/{promise.batch_id}/edit", {"title": title})
        promise.retitled(title, outcome)

    def _resubmit(self) -> None:
        promise = self.random.choice(self.promises[-5:])  # which may still process
        outcome, _ = self._ask("PUT", f"/batch/{promise.batch_id}/edit", {"prompt": "again"})
        promise.resubmitted(outcome)

    def _concat(self) -> None:
        promise = self.random.choice(self.promises)
        outcome, _ = self._ask("POST", f"/batch/{promise.batch_id}/concat", {}, may_be_early=True)
        promise.resubmitted(outcome)

    def _new_title(self) -> str:
        return f"{self.name}-{next(self._numbers)} {self.random.choice(_HOSTILE_TEXTS)}".strip()

    def _hostile_path(self) -> str:
        """Choose an end of a webhook's address; some are random, and so cannot be compressed."""
        if self.random.random() < 0.2:
            return f"/{self.random.randbytes(900).hex()}"
        return self.random.choice(_HOSTILE_PATHS)

    def _ask(
        self, method: str, path: str, form: dict[str, str], *, may_be_early: bool = False
    ) -> tuple[Outcome, Any]:
        url = self.url()
        if not url:
            pause(_AWAY_SECONDS)
            return Outcome.REFUSED, None
        try:
            answer = self._session.request(
                method,
                url + path,
                data=form,
                headers={"X-Api-Key": self.key},
                timeout=_TIMEOUT_SECONDS,
            )
        except requests.Timeout:
            self.surprises.append(f"{method} {path}: no answer within {_TIMEOUT_SECONDS} s")
            return Outcome.DOUBTFUL, None
        except requests.RequestException:
            pause(_AWAY_SECONDS)
            return Outcome.DOUBTFUL, None
        return self._judge(answer, may_be_early=may_be_early)

    def _judge(self, answer: requests.Response, *, may_be_early: bool) -> tuple[Outcome, Any]:
        if answer.status_code == requests.codes.ok:
            return Outcome.DONE, answer.json()["data"]
        if answer.status_code == requests.codes.service_unavailable:
            return Outcome.DOUBTFUL, None
        if not (may_be_early and answer.status_code == requests.codes.bad_request):
            asked = f"{answer.request.method} {answer.request.path_url}"
            self.surprises.append(f"{asked}: {answer.status_code} {answer.text[:200]}")
        return Outcome.REFUSED, None


class Crowd:
    """Callers at work, each in a thread of its own, until the block ends."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self.callers = callers
        self._stopping = Event()
        self._threads = [
            Thread(target=caller.run, args=(self._stopping,), name=caller.name, daemon=True)
            for caller in callers
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT_SECONDS)
