"""The ordeal: a mock under load is killed again and again, and must have lost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import requests

from lasting.books import money_problems, promise_problems, read_books, webhook_problems
from lasting.callers import Caller, Crowd, Promise
from support.serving import Serve, Victim
from support.waiting import await_condition, pause
from vimmerse_contracts.unfrozen import monotonic
from vimmerse_mock.app import create_mock
from vimmerse_mock.model.clock import SECOND
from vimmerse_mock.model.outbox import LEASE, MessageState
from vimmerse_mock.receiving.inbox import Inbox, Listener
from vimmerse_mock.stores import Store, open_store

KEYS: Final = ("YOUR_API_KEY", 'it\'s"mine";--', "%00%ff{0}%s", "k" * 250)
"""Keys that a careless query, format or index would trip over."""
_OPTIONS: Final = (
    *("--workers", "2"),
    *("--customer-id", "O'Brien;--?a=%2F&#é"),
    *("--speed", "20"),
    *("--credits", "100000000"),
    *("--concat-price", "1"),
    *(word for key in KEYS[1:] for word in ("--account", f"{key}:100000000")),
)
_CALLERS: Final = 16
_LONGEST_LIFE_SECONDS: Final = 1.2
_LONGEST_START_SECONDS: Final = 0.6
_SETTLING_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be endured.

    A killed process keeps the messages that it had claimed from others until its lease ends, half a
    minute later: `waits_for_leases` does that; else a further mock, for whom it is that much later
    already, delivers what is left.
    """

    store_url: str
    folder: Path
    kills: int
    seed: str
    waits_for_leases: bool = False
    longest_seconds: float = 1_800
    on_kill: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Report:
    """What was endured, and what is wrong afterwards."""

    kills: dict[Victim, int] = field(default_factory=lambda: dict.fromkeys(Victim, 0))
    creations: int = 0
    doubtful_creations: int = 0
    submissions: int = 0
    charges: int = 0
    messages: int = 0
    webhooks: int = 0
    seconds: float = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in a few lines, every problem in one of its own."""
        kills = ", ".join(f"{count} of {victim}" for victim, count in self.kills.items())
        lines = (
            f"{sum(self.kills.values())} kills ({kills}) in {self.seconds:.0f} s",
            f"{self.creations} creations acknowledged, {self.doubtful_creations} in doubt",
            f"{self.submissions} submissions, {self.charges} charges",
            f"{self.messages} webhooks planned, {self.webhooks} arrivals",
            f"{len(self.problems)} problems",
        )
        return "\n".join((*lines, *self.problems))


class Ordeal:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = Random(plan.seed)  # noqa: S311 - meant to repeat
        self._report = Report()
        self._url = ""
        self._serves: list[Serve] = []

    def run(self) -> Report:
        """Endure it, and report."""
        began = monotonic()
        listener = Listener()
        try:
            inbox = listener.open_inbox()
            crowd = self._endure(self._callers(inbox), began + self._plan.longest_seconds)
            self._settle()
            self._check(crowd, inbox)
        finally:
            for serve in self._serves:
                serve.destroy()
            listener.stop()
        self._report.seconds = monotonic() - began
        return self._report

    def _callers(self, inbox: Inbox) -> list[Caller]:
        return [
            Caller(
                name=f"caller-{i}",
                url=lambda: self._url,
                key=KEYS[i % len(KEYS)],
                webhook_url=inbox.url,
                random=Random(f"{self._plan.seed}/{i}"),  # noqa: S311 - meant to repeat
            )
            for i in range(_CALLERS)
        ]

    def _endure(self, callers: Sequence[Caller], deadline: float) -> Sequence[Caller]:
        """Kill as often as planned, while the callers call."""
        self._start().await_url()
        with Crowd(callers):
            for _ in range(self._plan.kills):
                if monotonic() > deadline:
                    self._report.problems.append("the time was up before all kills were done")
                    break
                self._live_and_die(callers)
                self._plan.on_kill()
            self._run()
        return callers

    def _live_and_die(self, callers: Sequence[Caller]) -> None:
        """Run the mock for a random while, and kill it, or a part of it.

        Unless it is killed while it starts, it has acknowledged something, so that there is
        something to lose.
        """
        starts = self._random.random() < 0.2
        serve = self._start() if starts else self._run()
        if not starts:
            before = _acknowledged(callers)
            await_condition(lambda: _acknowledged(callers) > before, "a creation is acknowledged")
        longest = _LONGEST_START_SECONDS if starts else _LONGEST_LIFE_SECONDS
        pause(self._random.uniform(0, longest))
        victim = self._random.choice(list(Victim))
        serve.kill(victim, self._random.choice)
        self._report.kills[victim] += 1

    def _start(self) -> Serve:
        """Start another `serve` on the store, after the one before has been killed."""
        self._url = ""
        for serve in self._serves:
            if serve.is_alive:
                serve.kill(Victim.EVERYTHING)
        self._serves.append(Serve(self._plan.folder, "--store", self._plan.store_url, *_OPTIONS))
        return self._serves[-1]

    def _run(self) -> Serve:
        """Have a `serve` that answers; one that was killed is started again."""
        serve = self._serves[-1] if self._serves[-1].is_alive else self._start()
        self._url = serve.await_url()
        return serve

    def _settle(self) -> None:
        """Wait until every webhook is delivered, and no process is left but the one that runs."""
        for serve in self._serves[:-1]:
            self._note(serve.await_end)
        if self._plan.waits_for_leases:
            self._note(self._await_settled)
        else:
            self._stop()
            self._note(self._deliver_later)

    def _await_settled(self) -> None:
        with closing(open_store(self._plan.store_url)) as store:
            _await_settled(store)

    def _deliver_later(self) -> None:
        """Deliver what is left with a mock for whom every lease has ended."""
        store = open_store(self._plan.store_url)
        mock = create_mock(store=store, real_time=lambda: store.real_time() + LEASE + SECOND)
        mock.dispatcher.start()
        try:
            _await_settled(store)
        finally:
            mock.close()

    def _stop(self) -> None:
        code = self._run().stop()
        if code:
            self._report.problems.append(f"asked to stop, serve ended with code {code}")

    def _note(self, work: Callable[[], None]) -> None:
        """Do what may take too long, which is a problem, but not the end."""
        try:
            work()
        except TimeoutError as error:
            self._report.problems.append(str(error))

    def _check(self, callers: Sequence[Caller], inbox: Inbox) -> None:
        """Find out what is wrong, over HTTP and in the store itself."""
        url = self._run().await_url()
        for caller in callers:
            self._report.problems += caller.surprises
            self._report.problems += _http_problems(url, caller.key, caller.promises)
        self._stop()
        promises = [promise for caller in callers for promise in caller.promises]
        self._report.creations = len(promises)
        self._report.doubtful_creations = sum(caller.doubtful_creations for caller in callers)
        self._report.webhooks = len(inbox.received)
        self._audit(promises, [webhook.body for webhook in inbox.received])

    def _audit(self, promises: Sequence[Promise], received: Sequence[object]) -> None:
        report = self._report
        books = read_books(self._plan.store_url)
        report.problems += promise_problems(promises, books)
        for account in books:
            report.submissions += len(account.submissions)
            report.charges += sum(bool(entry.batch_id) for entry in account.ledger)
            report.messages += len(account.messages)
            report.problems += money_problems(account)
            report.problems += webhook_problems(account, received)


def _acknowledged(callers: Sequence[Caller]) -> int:
    return sum(len(caller.promises) for caller in callers)


def _await_settled(store: Store) -> None:
    """Wait until no webhook is left to deliver."""

    def pending() -> list[str]:
        messages = (m for customer in store.customers() for m in store.messages(customer))
        return [message.id for message in messages if message.state is MessageState.PENDING]

    await_condition(lambda: not pending(), "every webhook is delivered", _SETTLING_SECONDS)


def _http_problems(url: str, key: str, promises: Sequence[Promise]) -> Iterator[str]:
    """Return which acknowledged batches cannot be read as they should be."""
    with requests.Session() as session:
        session.headers["X-Api-Key"] = key
        for promise in promises:
            answer = session.get(f"{url}/batch/{promise.batch_id}", timeout=60)
            if answer.status_code != requests.codes.ok:
                yield f"GET of batch {promise.batch_id}: {answer.status_code} {answer.text[:200]}"
            elif answer.json()["data"]["title"] not in promise.titles:
                yield f"GET of batch {promise.batch_id}: its title is none of {promise.titles}"
