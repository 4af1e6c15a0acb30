"""What is built: a wheel with three packages and nothing else, and an sdist that the same wheel can be built from."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {"node", "replication", "storage"}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def build(source: Path, out: Path, *kinds: str) -> None:
    """Build without isolation: hatchling is installed, nothing is fetched."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *kinds, str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build(ROOT, out, "--sdist", "--wheel")
    return out


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def wheel_in(folder: Path) -> Path:
    return folder / f"wheelyard-{VERSION}-py3-none-any.whl"


def test_wheel_has_exactly_the_three_packages_each_typed(built: Path) -> None:
    names = names_in(wheel_in(built))

    assert {name.partition("/")[0] for name in names} == {*PACKAGES, f"wheelyard-{VERSION}.dist-info"}
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert not [name for name in names if name.endswith((".pyc", ".toml")) or "/tests/" in name]


def test_wheel_has_every_module_of_the_packages(built: Path) -> None:
    modules = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}

    assert modules <= names_in(wheel_in(built))


def test_same_wheel_can_be_built_from_the_sdist(built: Path, tmp_path: Path) -> None:
    with tarfile.open(built / f"wheelyard-{VERSION}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / f"wheelyard-{VERSION}"
    for file in ("README.md", "LICENSE", "CHANGELOG.md", "ARCHITECTURE.md", "Makefile", "constraints.txt"):
        assert (source / file).exists()

    build(source, tmp_path / "again", "--wheel")

    assert names_in(wheel_in(tmp_path / "again")) == names_in(wheel_in(built))


@pytest.mark.network
@pytest.mark.slow
def test_installed_command_says_its_version_from_anywhere(built: Path, tmp_path: Path) -> None:
    """Install the wheel with what it needs from PyPI into a new environment, and run it where no source is."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    install = ["uv", "pip", "install", "--quiet", "--python", str(python)]
    words = ["--constraint", str(ROOT / "constraints.txt"), str(wheel_in(built))]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WHEELYARD_"))
    }
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment.get('PATH', os.defpath)}"
    subprocess.run([*install, *words], check=True, env=environment)

    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "wheelyard", "--version"],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == f"wheelyard, version {VERSION}\n"
