"""What people install: the built wheel has everything, and its public names are pinned."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

import vimmerse_client

ROOT = Path(__file__).parent.parent
PACKAGES = ("vimmerse_contracts", "pytest_vimmerse", "vimmerse_client", "vimmerse_mock")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release would be."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=110)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_every_module_and_data_file(wheel: Path) -> None:
    """Each package is there whole, with its types marked, and nothing stands beside them."""
    names = set(ZipFile(wheel).namelist())
    expected = {
        path.relative_to(root).as_posix()
        for root in (ROOT / "contracts", ROOT / "client", ROOT / "mock_server")
        for path in root.rglob("*")
        if path.suffix in {".py", ".typed", ".mp4"}
    }
    assert expected <= names
    assert all(f"{package}/py.typed" in names for package in PACKAGES)
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


def test_the_installed_wheel_works(wheel: Path, tmp_path: Path) -> None:
    """Installed apart from the checkout, it serves a batch in process and finds its plugin."""
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    # What it depends on is installed here already; the checkout itself must stay out of sight.
    here = Path(pytest.__file__).parent.parent
    Path(site, "dependencies.pth").write_text(f"{here}\n")
    ZipFile(wheel).extractall(site)
    code = (
        "import requests, vimmerse_mock\n"
        "from vimmerse_mock.interception import intercept\n"
        "with intercept():\n"
        "    print(requests.get('https://api.vimmerse.net/health').json())\n"
        "print(vimmerse_mock.__file__)"
    )
    ran = subprocess.run(
        [python, "-I", "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert "{'status': 'ok'}" in ran.stdout
    assert str(site) in ran.stdout


def test_the_clients_public_names_are_pinned() -> None:
    """`__all__` names what is public, every name exists, and a new one is a decision."""
    assert all(hasattr(vimmerse_client, name) for name in vimmerse_client.__all__)
    assert sorted(vimmerse_client.__all__) == sorted(PUBLIC)


PUBLIC = [
    "ApiError",
    "BadRequest",
    "Batch",
    "BatchFailed",
    "BatchStatus",
    "Client",
    "ConfigurationError",
    "FieldProblem",
    "Forbidden",
    "ImageInput",
    "InsufficientCredit",
    "MediaReference",
    "MethodNotAllowed",
    "NotFound",
    "PayloadTooLarge",
    "PosePreset",
    "RateLimited",
    "RetryPolicy",
    "ServerError",
    "SubmitParams",
    "TransportError",
    "Unauthorized",
    "UnexpectedResponse",
    "ValidationFailed",
    "VideoNotReady",
    "VimmerseError",
    "WaitTimeout",
]


def test_nothing_in_the_repository_names_a_registry_or_this_machine() -> None:
    """No file that is kept records where packages came from, or a path of somebody's machine."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    forbidden = re.compile("/" + "work/|files.python" + "hosted|pypi" + r"\.org|/opt/" + "wheels")
    found = [
        name
        for name in tracked
        if name
        and (ROOT / name).suffix in {".py", ".md", ".toml", ".txt", ".yml", ""}
        and (ROOT / name).is_file()
        and forbidden.search((ROOT / name).read_text(errors="replace"))
    ]
    assert found == []
