"""The seed's own code samples, pasted into a file and run by Python, against a running mock."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vimmerse_mock.model.account import SAMPLE_ACCOUNT
from vimmerse_mock.server import MockServer

SAMPLES = Path(__file__).with_name("samples")


class Pasted:
    """Runs samples, changed only in host, batch id and image paths."""

    def __init__(self, server: MockServer, images: Path) -> None:
        self.server = server
        self._images = images

    def run(self, name: str, batch_id: str = "") -> dict[str, Any]:
        """Run a sample and return the Batch that it prints."""
        code = (SAMPLES / f"{name}.txt").read_text()
        for host in ("https://api.vimmerse.net", "http://api.vimmerse.net"):
            code = code.replace(host, self.server.url)
        code = code.replace("path/to/your", str(self._images)).replace("{BATCH_ID}", batch_id)
        printed = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        batch: dict[str, Any] = json.loads(printed)["data"]
        return batch


@pytest.fixture
def pasted(tmp_path: Path, png: bytes) -> Any:
    """Samples on a mock as it starts afresh, but for a clock in the test's hand."""
    for i in range(1, 5):
        (tmp_path / f"image{i}.png").write_bytes(png)
    with MockServer(opening=replace(SAMPLE_ACCOUNT, clock="manual")) as server:
        yield Pasted(server, tmp_path)


def test_create_with_files(pasted: Pasted) -> None:
    """Multipart with four image_files makes a batch of four media, in processing."""
    batch = pasted.run("create_with_files")
    assert batch["title"] == "New batch example with uploading 4 images."
    assert (len(batch["medias"]), batch["status"]) == (4, "processing")
    assert batch["submit_params"]["sound_effects"] == "Yes"
    assert batch["pose_preset"][0]["MotionType"] == "KlingAI"
    assert batch["customer_id"] == "YOUR_CUSTOMER_ID"


def test_create_with_urls(pasted: Pasted) -> None:
    """A form with four repeated image_urls makes a batch of four media."""
    batch = pasted.run("create_with_urls")
    assert len(batch["medias"]) == 4
    assert batch["pose_preset"][0]["Params"].endswith("|Loop=1|AspectRatio=9:16")


def test_get(pasted: Pasted) -> None:
    """The batch that was created is read as it was, and once finished it has a video."""
    created = pasted.run("create_with_urls")
    assert pasted.run("get", created["id"]) == created
    pasted.server.account.clock.advance(60)
    finished = pasted.run("get", created["id"])
    assert (finished["status"], finished["progress_percentage"]) == ("success", 100)
    assert finished["video_url"].startswith(pasted.server.url)


def test_update_metadata(pasted: Pasted) -> None:
    """An update of metadata changes it, and does not process again."""
    created = pasted.run("create_with_urls")
    pasted.server.account.clock.advance(60)
    updated = pasted.run("update_metadata", created["id"])
    assert updated["title"] == "New Updated Title"
    assert updated["description"] == "New updated description"
    assert (updated["visibility_status"], updated["status"]) == ("2", "success")


def test_update_resubmitting(pasted: Pasted) -> None:
    """An update of motion_type and duration processes again from 0, and pays again."""
    created = pasted.run("create_with_urls")
    pasted.server.account.clock.advance(60)
    updated = pasted.run("update_resubmitting", created["id"])
    assert (updated["status"], updated["progress_percentage"]) == ("processing", 0)
    assert updated["pose_preset"][0]["MotionType"] == "RunwayML"
    assert "|MotionLength=9|" in updated["pose_preset"][0]["Params"]
    assert [entry.amount for entry in pasted.server.account.ledger[1:]] == [-20, -108]


def test_concat(pasted: Pasted) -> None:
    """Concat with an empty body composes, and video_url is there afterwards."""
    created = pasted.run("create_with_urls")
    pasted.server.account.clock.advance(60)
    assert pasted.run("concat", created["id"])["status"] == "processing"
    pasted.server.account.clock.advance(60)
    assert pasted.run("get", created["id"])["video_url"].endswith("video-2.mp4")
