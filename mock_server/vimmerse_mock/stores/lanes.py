"""The pending messages of one account in memory, in lanes: of one lane, one after another."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import count

from vimmerse_mock.model.clock import Instant
from vimmerse_mock.model.outbox import Message, MessageKey

_Entry = tuple[Instant, int, MessageKey]
_Front = tuple[Instant, int, str]


@dataclass(slots=True)
class _Lane:
    receiver: str
    entries: list[_Entry] = field(default_factory=list)
    busy: int = 0


@dataclass(slots=True)
class Lanes:
    """Finds what comes next, by instant and then by the order of planning.

    A lane is a heap; `fronts` is a heap of the first entries of all lanes. What is not
    current any more, as `is_current` knows, is dropped when it comes up. Fronts to receivers that
    are avoided lie `aside` meanwhile.
    """

    is_current: Callable[[Instant, MessageKey, str], bool]
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _fronts: list[_Front] = field(default_factory=list)
    _aside: dict[str, list[_Front]] = field(default_factory=dict)
    _serials: dict[MessageKey, int] = field(default_factory=dict)
    _serial: Iterator[int] = field(default_factory=count)

    def add(self, message: Message, key: MessageKey) -> None:
        """Plan a message, for the first time or anew: it keeps its place among its like."""
        name = message.lane
        lane = self._lanes.setdefault(name, _Lane(message.receiver))
        if key not in self._serials:
            self._serials[key] = next(self._serial)
        entry = (message.due_at, self._serials[key], key)
        heapq.heappush(lane.entries, entry)
        if lane.entries[0] == entry:
            self._show(name, entry)

    def forget(self, key: MessageKey) -> None:
        """Forget the place of a message: it is planned no more."""
        self._serials.pop(key, None)

    def occupy(self, message: Message) -> None:
        """Close a lane while a message of it is under way."""
        self._lanes.setdefault(message.lane, _Lane(message.receiver)).busy += 1

    def release(self, name: str) -> None:
        """Open a lane again."""
        lane = self._lanes[name]
        lane.busy -= 1
        if lane.busy == 0 and lane.entries:
            self._show(name, lane.entries[0])
        self._tidy(name, lane)

    def first(self, avoiding: AbstractSet[str]) -> MessageKey | None:
        """Return which message comes next, of open lanes to receivers that are not avoided."""
        for receiver in [one for one in self._aside if one not in avoiding]:
            for front in self._aside.pop(receiver):
                heapq.heappush(self._fronts, front)
        while self._fronts:
            due_at, serial, name = self._fronts[0]
            lane = self._lanes.get(name)
            top = self._top(name, lane) if lane and not lane.busy else None
            if lane is None or top is None:
                heapq.heappop(self._fronts)
            elif top[:2] != (due_at, serial):
                heapq.heapreplace(self._fronts, (top[0], top[1], name))
            elif lane.receiver in avoiding:
                aside = self._aside.setdefault(lane.receiver, [])
                aside.append(heapq.heappop(self._fronts))
            else:
                return top[2]
        return None

    def heads(self) -> Iterator[MessageKey]:
        """Yield which message comes next in each open lane, whatever its receiver."""
        for name, lane in list(self._lanes.items()):
            top = None if lane.busy else self._top(name, lane)
            if top is not None:
                yield top[2]

    @property
    def put_aside(self) -> AbstractSet[str]:
        """The receivers to which something would go, were they not avoided."""
        return self._aside.keys()

    def _show(self, name: str, entry: _Entry) -> None:
        heapq.heappush(self._fronts, (entry[0], entry[1], name))

    def _top(self, name: str, lane: _Lane) -> _Entry | None:
        """Return the first entry of a lane that is still current."""
        entries = lane.entries
        while entries and not self.is_current(entries[0][0], entries[0][2], name):
            heapq.heappop(entries)
        self._tidy(name, lane)
        return entries[0] if entries else None

    def _tidy(self, name: str, lane: _Lane) -> None:
        if not lane.entries and not lane.busy:
            self._lanes.pop(name, None)
