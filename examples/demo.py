"""The main job from beginning to end, in front of you: `make demo`."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Final

from rich.console import Console

from vimmerse_client import Batch, Client, InsufficientCredit
from vimmerse_contracts.vocabulary import SAMPLE_API_KEY
from vimmerse_mock.receiving.inbox import Inbox, Listener

SPEED: Final = 10
CREDITS: Final = 1_000
OTHER_KEY: Final = "demo-other-key"
BROKE_KEY: Final = "demo-broke-key"
PATIENCE_SECONDS: Final = 20.0
COLOURS: Final = {
    "red": (220, 60, 60),
    "green": (60, 180, 90),
    "blue": (70, 90, 220),
    "sun": (250, 200, 60),
}

console = Console()


def main() -> int:
    """Run every step; return the contract suite's exit code."""
    with TemporaryDirectory(prefix="vimmerse-demo-") as folder, _mock(Path(folder)) as url:
        console.print(f"[bold]1. A mock runs[/] at {url}, {SPEED} times as fast as life")
        with Client(SAMPLE_API_KEY, url) as client, _inbox() as inbox:
            _tour(client, inbox, Path(folder))
        console.print("\n[bold]8. The contract suite[/] holds that same mock to the documents:")
        code = _suite(url)
    console.print("\nStart a mock to keep:  [bold].venv/bin/vimmerse-mock serve[/]")
    return code


def _tour(client: Client, inbox: Inbox, folder: Path) -> None:
    images = _write_images(folder)
    console.print(f"[bold]2. Four PNG images[/] written: {', '.join(p.name for p in images)}")
    batch = client.create(
        images, title="Four colours", motion_type="KlingAI", webhook_url=inbox.url
    )
    console.print(f"[bold]3. A batch[/] of them is {batch.status}: {batch.id}")
    batch = client.wait(batch.id, progress=True)
    _show_webhook(inbox, 1)
    video = client.download(batch, folder / "composed.mp4")
    console.print(f"[bold]4. The composed video[/] is here: {video.stat().st_size} bytes of MP4")
    client.update(batch.id, motion_type="RunwayML", duration=3)
    console.print("[bold]5. Updated motion_type and duration[/]: processed again, paid again")
    _finish(client, batch, inbox, 2)
    client.concat(batch.id)
    console.print("[bold]6. Concat[/] composes the videos anew")
    composed = _finish(client, batch, inbox, 3)
    console.print(f"   {composed.video_url}")
    _be_refused(client, images)


def _finish(client: Client, batch: Batch, inbox: Inbox, webhooks: int) -> Batch:
    finished = client.wait(batch.id, progress=True)
    _show_webhook(inbox, webhooks)
    return finished


def _show_webhook(inbox: Inbox, count: int) -> None:
    webhook = inbox.wait_for(count, within=PATIENCE_SECONDS)[-1]
    console.print(f"   webhook received: {webhook.body}")


def _be_refused(client: Client, images: list[Path]) -> None:
    try:
        client.create(images, motion_type="Veo", duration=10, quantity=4)
    except InsufficientCredit as refusal:
        console.print("[bold]7. A creation for want of credit[/] is refused, and costs nothing:")
        console.print(f"   {refusal}")
    else:
        raise AssertionError("a batch of 1,280 credits was accepted with fewer")


@contextmanager
def _mock(folder: Path) -> Iterator[str]:
    """Run `vimmerse-mock serve` on a free port; yield its URL."""
    ready = folder / "address"
    command = ["serve", "--port=0", f"--speed={SPEED}", f"--credits={CREDITS}"]
    accounts = [f"--account={OTHER_KEY}:{CREDITS}", f"--account={BROKE_KEY}:1"]
    program = Path(sys.executable).with_name("vimmerse-mock")
    process = subprocess.Popen(  # noqa: S603 - this project's own command
        [program, *command, *accounts, f"--ready-file={ready}"], stdout=subprocess.DEVNULL
    )
    try:
        yield _address(process, ready)
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], ready: Path) -> str:
    for _ in range(round(PATIENCE_SECONDS / 0.02)):
        if ready.exists():
            return ready.read_text().strip()
        if process.poll() is not None:
            break
        Event().wait(0.02)
    raise SystemExit("the mock did not start: run `.venv/bin/vimmerse-mock serve` to see why")


@contextmanager
def _inbox() -> Iterator[Inbox]:
    listener = Listener()
    yield listener.open_inbox()
    listener.stop()


def _suite(url: str) -> int:
    keys = [f"--vimmerse-other-key={OTHER_KEY}", f"--vimmerse-broke-key={BROKE_KEY}"]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", f"--vimmerse-target={url}"]
    suite = ["--pyargs", "vimmerse_contracts.suite"]
    return subprocess.call([sys.executable, "-m", "pytest", *suite, *options, *keys])  # noqa: S603 - as above


def _write_images(folder: Path) -> list[Path]:
    paths = [folder / f"{name}.png" for name in COLOURS]
    for path, colour in zip(paths, COLOURS.values(), strict=True):
        path.write_bytes(_png(64, 64, colour))
    return paths


def _png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\x00" + bytes(colour) * width) * height
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


if __name__ == "__main__":
    sys.exit(main())
