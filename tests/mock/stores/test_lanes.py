from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.clock import SECOND, Clock
from vimmerse_mock.model.outbox import Attempt, Message, MessageState
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.stores import Busy
from vimmerse_mock.stores.memory import MemoryStore

LEASE = 1_000 * SECOND
NOW = 100
RECEIVERS = [f"http://127.0.0.1:{port}" for port in (1, 2)]
URLS = [f"{receiver}{path}" for receiver in RECEIVERS for path in ("/a", "/b")]


class Naive:
    """What the store should do, done by looking at everything each time."""

    def __init__(self) -> None:
        self._serial = count()
        self.messages: dict[int, tuple[int, Message]] = {}
        self.leased: dict[int, str] = {}

    def put(self, message: Message) -> None:
        """Keep a message, which ends its lease."""
        self.leased.pop(message.submission, None)
        serial, _ = self.messages.get(message.submission, (next(self._serial), message))
        self.messages[message.submission] = (serial, message)

    def claim(self, avoiding: frozenset[str]) -> Message | None:
        """Lease what comes first."""
        free = [
            (message.due_at, serial, message)
            for serial, message in self.messages.values()
            if message.state is MessageState.PENDING
            and message.due_at <= NOW
            and message.lane not in self.leased.values()
            and message.receiver not in avoiding
        ]
        if not free:
            return None
        claimed = min(free, key=lambda each: each[:2])[2]
        self.leased[claimed.submission] = claimed.lane
        return claimed


class Pair:
    """The store, and what it should do, asked the same."""

    def __init__(self) -> None:
        self.store, self.naive = MemoryStore(), Naive()
        self.store.add(Snapshot(AccountState("c", "m", "k", Clock(0, 0), "s")))

    def plan(self, due_at: int, url: str, *, at_once: bool) -> None:
        """Put a new message in."""
        number = len(self.naive.messages)
        message = Message(f"m{number}", "c", "b", number, url, "success", due_at)
        self._put(replace(message, at_once=at_once))

    def change(self, number: int, change: Callable[[Message], Message]) -> None:
        """Change a message, if there is such a pending one."""
        _, message = self.naive.messages.get(number, (0, None))
        if message is not None and message.state is MessageState.PENDING:
            self._put(change(message))

    def claim(self, avoiding: frozenset[str]) -> Message | None:
        """Claim, and hold both to the same."""
        claimed = self.store.claim(NOW, LEASE, Busy(avoiding))
        assert claimed == self.naive.claim(avoiding)
        return claimed

    def _put(self, message: Message) -> None:
        self.naive.put(message)
        with self.store.transaction("c") as tx:
            tx.save_message(message)


def ended(status: int) -> Callable[[Message], Message]:
    """Make the change that an attempt brings."""
    return lambda message: message.after(Attempt(NOW - 50, status, "", 0), [10, 100])


def redirected(url: str) -> Callable[[Message], Message]:
    """Make the change that another URL brings."""
    return lambda message: replace(message, url=url)


urls = st.sampled_from(URLS)
changes = st.one_of(
    st.sampled_from([200, 500]).map(ended), urls.map(redirected), st.just(Message.withdrawn)
)
steps = st.one_of(
    st.builds(
        lambda due_at, url, at_once: lambda pair: pair.plan(due_at, url, at_once=at_once),
        st.integers(0, 2 * NOW),
        urls,
        st.booleans(),
    ),
    st.builds(
        lambda number, change: lambda pair: pair.change(number, change),
        st.integers(0, 20),
        changes,
    ),
    st.sets(st.sampled_from(RECEIVERS)).map(
        lambda avoiding: lambda pair: pair.claim(frozenset(avoiding))
    ),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(steps, max_size=60))
def test_lanes_find_what_looking_at_everything_finds(taken: list[Callable[[Pair], object]]) -> None:
    """Whatever is planned, sent, redirected or taken back: the same message comes next."""
    pair = Pair()
    for step in taken:
        step(pair)
    while pair.claim(frozenset()):
        pass
