"""What people install: the built wheel has everything, and nothing in it names this machine."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from compileall import compile_file
from importlib import metadata
from importlib.metadata import Distribution
from importlib.util import cache_from_source
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGES = ("vimmerse_contracts", "pytest_vimmerse", "vimmerse_client", "vimmerse_mock")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release would be."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_every_module_and_data_file(wheel: Path) -> None:
    """Each package is there whole, with its types marked, and nothing stands beside them."""
    names = set(ZipFile(wheel).namelist())
    expected = {
        path.relative_to(root).as_posix()
        for root in (ROOT / "contracts", ROOT / "client", ROOT / "mock_server")
        for path in root.rglob("*")
        if path.suffix in {".py", ".typed", ".msgpack"}
    }
    assert expected <= names
    assert all(f"{package}/py.typed" in names for package in PACKAGES)
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel and what it needs by default, and does not see the checkout."""
    environment = tmp_path_factory.mktemp("default") / "venv"
    venv.create(environment, symlinks=True)
    site = site_packages(environment / "bin" / "python")
    ZipFile(wheel).extractall(site)
    for distribution in installed_by_default(site)[1:]:
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (site / name).symlink_to(str(distribution.locate_file(name)))
    return environment / "bin" / "python"


def installed_by_default(site: Path) -> list[Distribution]:
    """The distribution in a folder, and whatever it needs where nobody asks for an extra."""
    found = [next(iter(metadata.distributions(path=[str(site)], name="vimmerse-mock")))]
    for distribution in found:
        for requirement in map(Requirement, distribution.requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed = metadata.distribution(requirement.name)
                if needed.name not in {each.name for each in found}:
                    found.append(needed)
    return found


def site_packages(python: Path) -> Path:
    """The folder that a Python installs packages into."""
    return Path(ran(python, "import sysconfig; print(sysconfig.get_path('purelib'))").strip())


def ran(python: Path, code: str) -> str:
    """What a program prints in a Python that does not see the checkout."""
    done = subprocess.run(
        [python, "-I", "-c", code], check=True, capture_output=True, text=True, cwd=python.parent
    )
    return done.stdout


def test_the_installed_wheel_works(python: Path) -> None:
    """Installed apart from the checkout, it serves a batch in process."""
    code = (
        "import requests, vimmerse_mock\n"
        "with vimmerse_mock.intercept():\n"
        "    print(requests.get('https://api.vimmerse.net/health').json())\n"
        "print(vimmerse_mock.__file__)"
    )
    printed = ran(python, code)
    assert "{'status': 'ok'}" in printed
    assert str(site_packages(python)) in printed


def test_the_default_install_is_small(python: Path) -> None:
    """It takes less than 60 MB, compiled modules included, and has no library of an extra."""
    size = 0
    site = site_packages(python)
    for distribution in installed_by_default(site):
        for file in distribution.files or ():
            path = Path(str(file.locate()))
            if file.suffix == ".py":
                compile_file(path, quiet=1)
                size += Path(cache_from_source(str(path))).stat().st_size
            if file.suffix != ".pyc":
                size += path.stat().st_size
    assert size < 60_000_000
    assert not {"sqlalchemy", "psycopg", "av", "PIL"} & {path.name for path in site.iterdir()}


def test_the_help_of_the_command_line_imports_no_command(python: Path) -> None:
    """`vimmerse-mock --help` needs neither the server nor the contract's schemas."""
    code = (
        "import sys\n"
        "from vimmerse_mock.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    printed = ran(python, code)
    assert "Start a mock server" in printed
    assert not {"flask", "werkzeug", "marshmallow", "requests"} & set(printed.split())


@pytest.mark.parametrize(
    ("store", "extra"),
    [("sqlite:///x.db", "sqlite"), ("postgresql://nobody@127.0.0.1/x", "postgres")],
)
def test_a_store_that_needs_an_extra_names_it(
    python: Path, store: str, extra: str, tmp_path: Path
) -> None:
    """`serve --store` says which extra is missing, and how to install it."""
    refused = subprocess.run(
        [python, "-I", "-m", "vimmerse_mock.cli", "serve", "--port=0", f"--store={store}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert refused.returncode == 2
    assert f"pip install 'vimmerse-mock[{extra}]'" in refused.stderr
    assert list(tmp_path.iterdir()) == []


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
