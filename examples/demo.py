"""The main job from beginning to end, in front of you: `make demo`."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console

from vimmerse_client import Batch, Client, InsufficientCredit
from vimmerse_mock import Inbox, Listener, MockServer, Opening

SPEED: Final = 10
OPENING: Final = Opening(credits=1_000, speed=SPEED)
WEBHOOK_SECONDS: Final = 20.0
COLOURS: Final = {
    "red": (220, 60, 60),
    "green": (60, 180, 90),
    "blue": (70, 90, 220),
    "sun": (250, 200, 60),
}

console = Console()


def main() -> int:
    """Run every step; return the contract suite's exit code."""
    listener = Listener()
    with TemporaryDirectory(prefix="vimmerse-demo-") as folder, MockServer(opening=OPENING) as mock:
        console.print(f"[bold]1. A mock runs[/] at {mock.url}, {SPEED} times as fast as life")
        with Client(mock.account.key, mock.url) as client:
            _tour(client, listener.open_inbox(), Path(folder))
        console.print("\n[bold]8. The contract suite[/] holds that same mock to the documents:")
        code = _suite(mock)
    listener.stop()
    console.print("\nStart a mock to keep:  [bold].venv/bin/vimmerse-mock serve[/]")
    return code


def _tour(client: Client, inbox: Inbox, folder: Path) -> None:
    images = _write_images(folder)
    console.print(f"[bold]2. Four PNG images[/] written: {', '.join(p.name for p in images)}")
    batch = client.create(
        images, title="Four colours", motion_type="KlingAI", webhook_url=inbox.url
    )
    console.print(f"[bold]3. A batch[/] of them is {batch.status}: {batch.id}")
    batch = _finish(client, batch, inbox, 1)
    video = client.download(batch, folder / "composed.mp4")
    console.print(f"[bold]4. The composed video[/] is here: {video.stat().st_size} bytes of MP4")
    client.update(batch.id, motion_type="RunwayML", duration=3)
    console.print("[bold]5. Updated motion_type and duration[/]: processed again, paid again")
    _finish(client, batch, inbox, 2)
    client.concat(batch.id)
    console.print("[bold]6. Concat[/] makes a composed video anew")
    composed = _finish(client, batch, inbox, 3)
    console.print(f"   {composed.video_url}")
    _be_refused(client, images)


def _finish(client: Client, batch: Batch, inbox: Inbox, webhooks: int) -> Batch:
    finished = client.wait(batch.id, progress=True)
    webhook = inbox.wait_for(webhooks, within=WEBHOOK_SECONDS)[-1]
    console.print(f"   webhook received: {webhook.body}")
    return finished


def _be_refused(client: Client, images: list[Path]) -> None:
    try:
        client.create(images, motion_type="Veo", duration=10, quantity=4)
    except InsufficientCredit as refusal:
        console.print("[bold]7. A creation without enough credit[/] is refused, and costs nothing:")
        console.print(f"   {refusal}")
    else:
        raise AssertionError("a batch of 1,280 credits was accepted with fewer")


def _suite(mock: MockServer) -> int:
    other, broke = mock.open_account(OPENING), mock.open_account(Opening(credits=1, speed=SPEED))
    keys = {"": mock.account.key, "other-": other.key, "broke-": broke.key}
    options = [f"--vimmerse-{whose}key={key}" for whose, key in keys.items()]
    options += [
        f"--vimmerse-target={mock.url}",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
    ]
    command = [sys.executable, "-m", "pytest", "--pyargs", "vimmerse_contracts.suite", *options]
    return subprocess.call(command)  # noqa: S603 - this project's own suite


def _write_images(folder: Path) -> list[Path]:
    paths = [folder / f"{name}.png" for name in COLOURS]
    for path, colour in zip(paths, COLOURS.values(), strict=True):
        path.write_bytes(_png(64, 64, colour))
    return paths


def _png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\x00" + bytes(colour) * width) * height
    image = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        image += struct.pack(">I", len(data)) + kind + data
        image += struct.pack(">I", zlib.crc32(kind + data))
    return image


if __name__ == "__main__":
    sys.exit(main())
