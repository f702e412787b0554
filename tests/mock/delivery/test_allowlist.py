from __future__ import annotations

import socket

import pytest

from support.sockets import answering, read_request
from vimmerse_mock.delivery import Allowlist, HttpSender, Post, Sender
from vimmerse_mock.delivery.allowlist import RefusedReceiver
from vimmerse_mock.errors import AllowlistError
from vimmerse_mock.interception import RequestsSender
from vimmerse_mock.receiving.inbox import Inbox, Listener

PUBLIC = "93.184.216.34"
METADATA = "169.254.169.254"


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Make every name resolve to these addresses, one answer after another; note who asks."""
    asked: list[str] = []

    def resolve(host: str, port: int, **_kwargs: object) -> list[object]:
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def allows(allowlist: Allowlist, host: str) -> bool:
    """Whether a host may be called."""
    try:
        return bool(allowlist.endpoints(host, 80))
    except RefusedReceiver:
        return False


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.9.9", "::1", "10.1.2.3", "172.17.0.1", "192.168.1.9", "fd00::1"],
)
def test_on_loopback_what_is_nearby_is_called(host: str) -> None:
    """A mock on loopback calls loopback and private ranges; one beyond it calls none of them."""
    assert allows(Allowlist(), host)
    assert not allows(Allowlist(local=False), host)


@pytest.mark.parametrize(
    "host",
    [PUBLIC, METADATA, "0.0.0.0", "::", "172.32.0.1", "fe80::1", "::ffff:93.184.216.34", "8.8.8.8"],  # noqa: S104 - not bound to
)
def test_other_hosts_are_called_only_if_they_are_listed(host: str) -> None:
    """Public addresses, link-local ones, and the one that means any are not nearby."""
    assert not allows(Allowlist(), host)
    assert allows(Allowlist((host,)), host)


def test_an_ipv4_address_in_the_dress_of_ipv6_is_what_it_is() -> None:
    """`::ffff:127.0.0.1` is loopback, and a network of IPv4 has it."""
    assert allows(Allowlist(), "::ffff:127.0.0.1")
    assert allows(Allowlist(("127.0.0.0/8",), local=False), "::ffff:127.0.0.1")


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("hooks.example.com", "hooks.example.com", True),
        ("hooks.example.com", "HOOKS.example.com.", True),
        ("hooks.example.com", "evil-hooks.example.com", False),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "example.com.evil.net", False),
        ("93.184.216.0/24", "any.name", True),
        ("93.184.217.0/24", "any.name", False),
        ("*", "any.name", True),
    ],
)
def test_a_pattern_is_a_name_or_a_network(
    monkeypatch: pytest.MonkeyPatch, pattern: str, host: str, *, matches: bool
) -> None:
    """A name is compared with the URL's host, a network with the address behind it."""
    resolving(monkeypatch, PUBLIC)
    assert allows(Allowlist((pattern,), local=False), host) == matches


@pytest.mark.parametrize("pattern", ["http://a.example", "a.example:80", "a b", "", "10.0.0.0/99"])
def test_a_pattern_that_could_never_match_is_refused(pattern: str) -> None:
    """The sentence says how a pattern is written."""
    with pytest.raises(AllowlistError, match="is not a host pattern: write a name like"):
        Allowlist((pattern,))


def test_a_name_is_checked_by_what_it_resolves_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public name for a private address is nearby; one for a cloud's secrets is not."""
    resolving(monkeypatch, "192.168.0.7")
    assert [one.address for one in Allowlist().endpoints("inside.example", 8080)] == [
        ("192.168.0.7", 8080)
    ]
    resolving(monkeypatch, METADATA)
    with pytest.raises(RefusedReceiver, match=METADATA):
        Allowlist().endpoints("inside.example", 8080)


def test_a_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers with another address the second time gains nothing by it."""

    def answer(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with answering(answer) as port:
        asked = resolving(monkeypatch, "127.0.0.1", METADATA)
        reply = HttpSender().send(Post(f"http://rebinding.example:{port}/", (), b"{}"))
        monkeypatch.undo()
    assert (reply.status, asked) == (204, ["rebinding.example"])


CLOUDS = ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "fe80::1"]


@pytest.mark.parametrize("address", [*CLOUDS, "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"])
@pytest.mark.parametrize(
    "pattern", ["*", "0.0.0.0/0", "::/0", "169.254.0.0/16", "hooks.example.com", "fc00::/7"]
)
def test_metadata_of_clouds_is_covered_by_no_pattern_but_its_address(
    monkeypatch: pytest.MonkeyPatch, address: str, pattern: str
) -> None:
    """Neither by a wildcard or network, nor by a name that leads there."""
    resolving(monkeypatch, address)
    with pytest.raises(RefusedReceiver, match="clouds keep the secrets"):
        Allowlist((pattern,)).endpoints("hooks.example.com", 80)
    assert allows(Allowlist((pattern, address)), "hooks.example.com")


def test_metadata_of_clouds_is_known_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever they lead: named it may be called, by a wildcard not."""
    resolving(monkeypatch, "10.0.0.1")
    for name in ("metadata.google.internal", "METADATA.google.internal.", "instance-data"):
        assert not allows(Allowlist(("*", "*.internal", "10.0.0.0/8")), name)
    assert allows(Allowlist(("metadata.google.internal",)), "metadata.google.internal")


@pytest.mark.parametrize(
    "path",
    [
        "/__admin",
        "/__admin/accounts/x/clock/next",
        "//__admin/x",
        "/x/../__admin/x",
        "/prefix/__admin/x",
        "/%5F_admin/x",
        "/%255F%255fadmin/x",
        "/__ADMIN/x",
        "/__admin;a=b/x",
        "/\\__admin\\x",
        "/__ad\tmin/x",
        "/%5c__admin",
        "/__admin%2Fx",
    ],
)
@pytest.mark.parametrize(
    "sender", [HttpSender(), RequestsSender()], ids=["over sockets", "by requests"]
)
def test_no_control_plane_is_called_in_any_spelling(sender: Sender, path: str) -> None:
    """Whatever the host: a name, a proxy, another port or another machine may lead to this mock."""
    for host in ("127.0.0.1:9", "localhost:9", "127.1:9", "[::ffff:127.0.0.1]:9", "mock.example"):
        reply = sender.send(Post(f"http://{host}{path}", (), b"{}"))
        assert reply.status is None
        assert "RefusedReceiver: a path with /__admin is not called" in reply.error


def test_other_paths_are_called() -> None:
    """Names that only look like it, a query and a fragment."""
    listener = Listener()
    inbox = listener.open_inbox()
    for rest in ("/__administrator", "/admin", "?next=/__admin/", "#/__admin"):
        assert HttpSender().send(Post(inbox.url + rest, (), b"{}")).status is not None
    listener.stop()


def test_a_refusal_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the host, its address, what is called instead, and the option."""
    resolving(monkeypatch, PUBLIC)
    reply = HttpSender(allowlist=Allowlist(("*.mine.example",))).send(
        Post("http://hooks.example/x", (), b"{}")
    )
    assert reply.status is None
    assert reply.error == (
        f"RefusedReceiver: hooks.example ({PUBLIC}) is not called: this mock calls receivers on "
        "loopback and in private networks, and *.mine.example; to allow it, start the mock with "
        "--webhook-allow hooks.example"
    )


def test_whatever_the_spelling_the_address_decides(inbox: Inbox) -> None:
    """Numbers that a resolver takes for loopback are loopback, and refused beyond it."""
    url = inbox.url.replace("127.0.0.1", "2130706433")
    assert HttpSender(allowlist=Allowlist(local=False)).send(Post(url, (), b"{}")).status is None
    assert inbox.received == ()
