"""What the tests of the mock share."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from support.frozen_time import FrozenTime
from vimmerse_contracts.schemas import CreateBatchSchema
from vimmerse_mock.app import Mock, create_mock
from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.model.batch import Image
from vimmerse_mock.server import MockServer


@pytest.fixture
def frozen_time() -> FrozenTime:
    """Real time, in the test's hand."""
    return FrozenTime()


@pytest.fixture
def mock(frozen_time: FrozenTime) -> Iterator[Mock]:
    """A wired mock on frozen time, without a server."""
    mock = create_mock(real_time=frozen_time)
    yield mock
    mock.close()


@pytest.fixture(scope="module")
def live_server() -> Iterator[MockServer]:
    """A server whose sample account runs fifty times as fast as real time."""
    with MockServer(opening=replace(SAMPLE_ACCOUNT, speed=50)) as server:
        yield server


@pytest.fixture(scope="session")
def png() -> bytes:
    """A real PNG of one red pixel."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00")),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


@pytest.fixture(scope="session")
def form() -> Callable[..., dict[str, Any]]:
    """Make the form of a creation, with the given fields, as the schema loads it."""
    schema = CreateBatchSchema()

    def make(**fields: str) -> dict[str, Any]:
        loaded: dict[str, Any] = schema.load(fields)
        return loaded

    return make


@pytest.fixture(scope="session")
def images() -> list[Image]:
    """Four images."""
    return [Image(f"{i}.png", "png", 100) for i in range(4)]
