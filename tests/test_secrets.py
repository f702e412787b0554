"""The hunt: one run that uses every feature with marked secrets, and every byte that it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final
from urllib.parse import quote

import pytest
import requests

from support.needs import need
from support.serving import NO_PROC, PROC, PROGRAM, Serve, members
from vimmerse_client import Client, RetryPolicy
from vimmerse_contracts.vocabulary import API_KEY_HEADER, CONTROL_HEADER, CONTROL_ROOT
from vimmerse_mock import Answer, Listener, Opening, RemoteMock
from vimmerse_mock.account.account import Account

SECRETS: Final[Mapping[str, str]] = {
    "the served account's key": "Kq+served/7Hx2Vw9Tz==",
    "another account's key": "Kq+other/5Jm8Rb3Nc1Y==",
    "the key of a target that fails": "Kq+poor/8Tg1Zd6Xb0Vr==",
    "a key that nobody has": "Kq+nobody/6Df4Gs0Lp==",
    "the admin token": "Tk-admin-9Zr5Xe1Wu7Ov-q",
    "the password of a webhook's URL": "Pw-hook-4Ya8Sk2Bi6Qt-m",
    "a token in a webhook's URL": "Qt-query-3Cn7Fl1Hj5Dg-x",
    "the signing secret": "whsec_" + b64encode(b"Sg-sign-2Mv6Pu0Rw8Ez-yyyyyyy").decode(),
}
KEY, OTHER, POOR, NOBODYS, TOKEN, PASSWORD, QUERY, SIGNING = SECRETS.values()
DEAD: Final = "http://127.0.0.1:9"
PROMISED: Final = "data"
"""The folder of what holds secrets by design: the store, the export, the token's file."""

FAILING: Final = """
import pytest

def test_fails(vimmerse):
    info = vimmerse.info
    vimmerse.sign_webhooks(open({secret!r}).read())
    settings = vimmerse.webhook_settings
    answer = vimmerse.client.create(["http://images.example/1.jpg"])
    assert (info, settings, answer, vimmerse) == None

def test_is_refused(vimmerse):
    vimmerse.pay_in(-1)

def test_calls_nobody(vimmerse, monkeypatch):
    monkeypatch.setattr(vimmerse.control._caller, "_base_url", "http://127.0.0.1:9")
    vimmerse.pay_in(1)
"""
DUMP: Final = """
import pathlib, sys
lines = [p.read_bytes() for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
pathlib.Path(sys.argv[1]).write_bytes(b"\\n".join(lines))
"""


class Echo(BaseHTTPRequestHandler):
    """Says what it was sent, in each spelling, as an error."""

    def do_GET(self) -> None:
        """Echo."""
        sent = [v.removeprefix("Bearer ") for v in self.headers.values()]
        said = [spelled for each in sent for spelled in spellings(each)]
        body = json.dumps({"error": "UnknownAccountError", "message": " ".join(said)}).encode()
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_GET  # noqa: N815 - as http.server calls them

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def spellings(secret: str) -> list[str]:
    """Write a secret in each way in which it may get about."""
    raw = secret.encode()
    base64 = [
        encode(bytes(before) + raw).decode()[changed : (before + len(raw)) * 8 // 6]
        for before, changed in ((0, 0), (1, 2), (2, 3))
        for encode in (b64encode, urlsafe_b64encode)
    ]
    return [
        secret,
        secret[: len(secret) // 2],
        secret[-(len(secret) // 2) :],
        quote(secret, safe=""),
        quote(quote(secret, safe=""), safe=""),
        "".join(f"%{byte:02x}" for byte in raw),
        "".join(f"\\u{byte:04x}" for byte in raw),
        secret.replace("/", "\\/"),
        *base64,
        raw.hex(),
    ]


class Run:
    """The run; what it leaves goes to `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.promised = folder, folder / PROMISED
        self.promised.mkdir()
        self.token_file = self.promised / "token"
        self.token_file.write_text(TOKEN)

    def keep(self, name: str, text: object) -> None:
        """Leave what somebody would print or write."""
        (self.folder / name).write_text(str(text))

    def command(self, name: str, *words: str | Path, **variables: str) -> None:
        """Run a command, and leave what it printed."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("VIMMERSE")}
        ran = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            timeout=600,
            cwd=self.folder,
            env={**clean, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
        )
        self.keep(name, f"{ran.stdout}\n{ran.stderr}")

    def failure(self, name: str, call: Callable[[], object]) -> None:
        """Leave an exception as a tool shows it that prints the variables of all its frames."""
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
            call()
        error = caught.value
        assert error.__traceback__ is not None
        frames = error.__traceback__.tb_next  # this frame, and the caller's lambda, know it all
        error.__traceback__ = frames and frames.tb_next
        shown = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        self.keep(name, "".join([*shown, repr(error), repr(vars(error))]))


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with everything that the run left."""
    need(PROC.exists(), NO_PROC)
    run = Run(tmp_path_factory.mktemp("secrets"))
    store = f"sqlite:///{run.promised / 'mock.db'}"
    token = ("--admin-token-file", str(run.token_file))
    options = ("--store", store, "--speed", "1000", *token)
    with Serve(run.folder, *options, VIMMERSE_MOCK_API_KEY=KEY) as serve:
        url = serve.await_url()
        use_api_and_control_plane(run, url)
        use_commands(run, url)
        lines = [(PROC / str(pid) / "cmdline").read_bytes() for pid in members(serve.group)]
        (run.folder / "cmdlines").write_bytes(b"\n".join(lines))
        use_pytest(run, url)
        serve.stop()
    fail_as_clients_do(run)
    dump = ("--", sys.executable, "-c", DUMP, run.folder / "all-cmdlines")
    variables = {"VIMMERSE_MOCK_ADMIN_TOKEN": TOKEN, "VIMMERSE_MOCK_API_KEY": KEY}
    run.command("run", PROGRAM, "run", *dump, **variables)
    return run.folder


def use_api_and_control_plane(run: Run, url: str) -> None:
    """Send secrets wherever somebody may send them, rightly or by mistake."""
    remote, listener = RemoteMock(url, TOKEN), Listener()
    account = remote.open_account(Opening(api_key=OTHER, clock="manual"))
    remote.open_account(Opening(api_key=POOR, credits=1))
    account.sign_webhooks(SIGNING)
    inbox = listener.open_inbox()
    body = " ".join([*spellings(PASSWORD), *spellings(QUERY)]).encode()
    inbox.answer_with(Answer(500, body, (("X-Echo", PASSWORD), ("Set-Cookie", QUERY))))
    hook = inbox.url.replace("http://", f"http://me:{PASSWORD}@") + f"?token={QUERY}"
    form = {"image_urls": "http://images.example/1.jpg", "webhook_url": hook}
    for key in (KEY, OTHER, NOBODYS):
        post(url, {API_KEY_HEADER: key}, {**form, "title": f"{key} {quote(key)}"})
        post(url, {API_KEY_HEADER: key}, {**form, "webhook_url": f"http://me:{PASSWORD}/x@y"})
        for name in ("Api-Key", "X-Auth-Token", "Authorization", "X-Anything", "Cookie"):
            post(url, {name: key}, form)
        for spelled in spellings(key)[3:]:
            post(url, {API_KEY_HEADER: key, "X-Note": spelled}, {**form, "title": spelled})
        for query in (f"api_key={quote(key)}", f"x={quote(hook)}", f"accessToken={key}"):
            requests.get(f"{url}/batch/1?{query}", timeout=60)
    post(url, {"Authorization": f"Bearer {TOKEN}"}, form)
    account.faults.status(503, operation="create_batch")
    post(url, {API_KEY_HEADER: OTHER}, form)
    account.clock.advance(3600)
    for webhook in account.outbox[:1]:
        account.redeliver(webhook.id)
    leave_records(run, account, url)
    listener.stop()
    remote.close()


def post(url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> None:
    """Try to create a batch."""
    requests.post(f"{url}/batch", headers=headers, data=form, timeout=60)


def leave_records(run: Run, account: Account, url: str) -> None:
    """Leave the records of it; accounts, exports and titles show by design what they were given."""
    bearer = {"Authorization": f"Bearer {TOKEN}", CONTROL_HEADER: "1"}
    of_account = f"/accounts/{account.customer_id}"
    for path in (
        "/unauthenticated",
        "/accounts/YOUR_CUSTOMER_ID/journal",
        "/accounts/YOUR_CUSTOMER_ID/webhooks",
        "/accounts/YOUR_CUSTOMER_ID/story",
        *(of_account + each for each in ("/journal", "/webhooks", "/story", "/ledger")),
        "/nowhere",
    ):
        answer = requests.get(f"{url}{CONTROL_ROOT}{path}", headers=bearer, timeout=60)
        run.keep(f"control{path.replace('/', '-')}", answer.text)
    shown = (account, account.info, account.control, account.webhook_settings, account.export())
    run.keep("representations", "\n".join(map(repr, shown)))


def use_commands(run: Run, url: str) -> None:
    """Use the commands that print, record or save."""
    admin = {"VIMMERSE_ADMIN_URL": url, "VIMMERSE_ADMIN_TOKEN": TOKEN}
    client = {"VIMMERSE_BASE_URL": url, "VIMMERSE_API_KEY": KEY}
    run.command("list", PROGRAM, "webhooks", "list", "--json", **admin)
    wrong = {"VIMMERSE_ADMIN_URL": url, "VIMMERSE_ADMIN_TOKEN": QUERY}
    run.command("wrong-token", PROGRAM, "webhooks", "list", **wrong)
    run.command("dead", PROGRAM, "export", **admin | {"VIMMERSE_ADMIN_URL": DEAD})
    exported = run.promised / "export.json"
    exported.touch(0o644)
    run.command("export", PROGRAM, "export", "--output", exported, **admin)
    program = PROGRAM.with_name("vimmerse")
    run.command("create", program, "create", "http://images.example/1.jpg", "--wait", **client)
    run.command("refused", program, "show", "x", **client | {"VIMMERSE_API_KEY": NOBODYS})
    suite = ("-m", "pytest", "-p", "pytest_vimmerse.plugin", "-p", "no:cacheprovider", "-l", "-v")
    target = (f"--vimmerse-target={url}", "--vimmerse-poll=0.05")
    for name, tests, key in (("suite", "test_read", KEY), ("failing-suite", "test_create", POOR)):
        left = (f"--vimmerse-evidence={name}.jsonl", f"--junitxml={name}.xml", "--maxfail=3")
        what = ("--pyargs", f"vimmerse_contracts.suite.{tests}", *left, *target)
        variables = {**client, **admin, "VIMMERSE_API_KEY": key, "VIMMERSE_OTHER_API_KEY": OTHER}
        run.command(name, sys.executable, *suite, *what, **variables)


def use_pytest(run: Run, url: str) -> None:
    """Have tests fail whose report shows all variables, on a mock that asks for a token."""
    test = run.promised / "test_failing.py"
    secret = run.promised / "signing"
    secret.write_text(SIGNING)
    test.write_text(FAILING.format(secret=str(secret)))
    words = ("-m", "pytest", "-p", "pytest_vimmerse.plugin", "-p", "no:cacheprovider", "-vvv", "-l")
    report = ("--tb=long", "-rA", "--junitxml=failing.xml", test)
    admin = {"VIMMERSE_ADMIN_URL": url, "VIMMERSE_ADMIN_TOKEN": TOKEN}
    run.command("failing", sys.executable, *words, *report, **admin)


def fail_as_clients_do(run: Run) -> None:
    """Be refused, by somebody who echoes all that he is sent, and find nobody there."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for name, url in (("echo", f"http://127.0.0.1:{server.server_port}"), ("dead", DEAD)):
            client = Client(KEY, url, retry=RetryPolicy(attempts=1))
            remote = RemoteMock(url, TOKEN)
            run.failure(f"client-{name}", lambda client=client: client.get("x"))  # type: ignore[misc]
            run.failure(f"remote-{name}", lambda remote=remote: remote.open_account())  # type: ignore[misc]
            run.keep(f"clients-{name}", f"{client!r} {remote!r} {vars(remote)!r}")
        server.shutdown()


def test_the_run_used_it_all(left: Path) -> None:
    """The hunt would not find what was never written."""
    names = {each.name for each in left.iterdir()}
    assert {"suite.jsonl", "suite.xml", "failing.xml", "serve.log", "cmdlines"} <= names
    assert "3 failed" in (left / "failing").read_text()
    assert "3 failed" in (left / "failing-suite").read_text()
    assert "UnknownAccountError" in (left / "remote-echo").read_text()
    assert "ControlError" in (left / "remote-dead").read_text()
    assert '"kind": "exchange"' in (left / "suite.jsonl").read_text()
    assert "admin-token-file" in (left / "cmdlines").read_text()
    assert "vimmerse_mock.cli" in (left / "all-cmdlines").read_text()
    assert "batch " in (left / "create").read_text()


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_no_byte_that_is_left_has_a_secret(left: Path, secret: str) -> None:
    """In no file, in no spelling, not even half of it."""
    found = [
        f"{file.name}: {spelled}: ...{content[max(0, at - 60) : at + 60]!r}"
        for file in left.iterdir()
        if file.is_file()
        for content in [file.read_bytes()]
        for spelled in spellings(secret)
        for at in [content.find(spelled.encode())]
        if at >= 0
    ]
    assert found == []


def test_what_holds_secrets_by_design_is_its_owners_alone(left: Path) -> None:
    """Its mode is 0600, and of what was sent by mistake it has nothing."""
    files = [left / PROMISED / name for name in ("mock.db", "export.json")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    for file in files:
        content = file.read_bytes()
        assert KEY.encode() in content
        assert not any(each.encode() in content for each in (NOBODYS, TOKEN))
