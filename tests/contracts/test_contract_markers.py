from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_contracts.markers import Marker, find_markers


@pytest.mark.parametrize(
    ("text", "name", "fields"),
    [
        ("[vimmerse:stuck]", "stuck", ()),
        ("A title [vimmerse: stuck ] with one", "stuck", ()),
        ("[vimmerse:queue=2s]", "", (("queue", "2s"),)),
        ("[vimmerse:slow, fail_medias=0,2]", "slow", (("fail_medias", "0,2"),)),
        (
            "[vimmerse:queue=2s,message=Oh no, it broke,fail_all=true]",
            "",
            (("queue", "2s"), ("message", "Oh no, it broke"), ("fail_all", "true")),
        ),
        ("cat.vimmerse--fail.png", "fail", ()),
        ("https://images.example/vimmerse--nsfw-1.jpg?w=1", "nsfw", ()),
        ("[VIMMERSE:stuck]", "stuck", ()),
        ("[vimmerse:stuck", "stuck", ()),
        ("[vimmerse:]", "", ()),
        ("vimmerse--", "", ()),
    ],
)
def test_a_marker_is_found_and_taken_apart(
    text: str, name: str, fields: tuple[tuple[str, str], ...]
) -> None:
    """A marker has a name, fields whose values may hold commas, or both; a botched one is found."""
    (marker,) = find_markers(text)
    assert (marker.name, marker.fields) == (name, fields)
    assert marker.text in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vimmerse",
        "vimmerse-fail.png",
        "[vimmerse]",
        "https://media.vimmerse.net/vimmerse/1.jpg",
    ],
)
def test_ordinary_words_are_no_markers(text: str) -> None:
    """The name of the service, even with a hyphen, means nothing."""
    assert find_markers(text) == ()


def test_every_marker_is_found_in_order() -> None:
    """Two markers are two."""
    first, second = find_markers("[vimmerse:slow] and vimmerse--fail")
    assert (first, second) == (Marker("[vimmerse:slow]", "slow"), Marker("vimmerse--fail", "fail"))


@given(st.text())
def test_whatever_stands_in_a_text_can_be_searched(text: str) -> None:
    """No text is too strange, and nothing is found that is not there."""
    assert all(marker.text in text for marker in find_markers(text))
