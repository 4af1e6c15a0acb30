"""poetry, pdm and hatch: how each publishes what is in ``dist/``, and how each installs from an index.

They come from PyPI into an environment of their own that later runs find again; what they are run for goes to
loopback alone.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from tests.helpers.clients import BIN

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT = Path(__file__).parents[2] / ".bench" / "publishers-venv"
REQUIREMENTS = ("poetry==2.5.*", "pdm==2.29.*", "hatch==1.18.*", "hishel<2")
"""The last one because pdm 2.29 does not know its second version, and does not say so."""
INSTALL_SECONDS = 120
NOWHERE = "http://127.0.0.1:9"
LOOPBACK_ALONE = {"HTTPS_PROXY": NOWHERE, "https_proxy": NOWHERE, "NO_PROXY": "127.0.0.1"}
USER = "team"
CONSUMER = """\
[project]
name = "consumer"
version = "0"
requires-python = ">=3.11"
"""


def install_publishers() -> None:
    """Install poetry, pdm and hatch, unless an earlier run has done it to the end."""
    done = ENVIRONMENT / "requirements.txt"
    wanted = "\n".join(REQUIREMENTS)
    if done.exists() and done.read_text() == wanted:
        return
    python = str(ENVIRONMENT / "bin/python")
    for command in (
        ("venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)),
        ("pip", "install", "--quiet", "--python", python, *REQUIREMENTS),
    ):
        subprocess.run([BIN / "uv", *command, "--no-config"], check=True, timeout=INSTALL_SECONDS)
    done.write_text(wanted)


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, and what it needs in the environment."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Index:
    """An index as a client is told of it."""

    url: str  # with a slash at its end; for uploads
    password: str | None = None  # of team; None for an index that anybody may read

    @property
    def simple_url(self) -> str:
        return f"{self.url}+simple/"

    @property
    def simple_url_with_login(self) -> str:
        login = "" if self.password is None else f"{USER}:{self.password}@"
        return self.simple_url.replace("://", f"://{login}")


class Publisher(Protocol):
    """A tool that publishes projects and installs them."""

    name: ClassVar[str]
    skip_existing: ClassVar[tuple[str, ...]]  # options that make a file that exists no error
    status_of_existing: ClassVar[int]  # without them

    def publish(self, index: Index, *options: str) -> Command:
        """Return what uploads the files in ``dist/``."""

    def install(self, index: Index, project: str, folder: Path) -> Command:
        """Make a consumer's project in a folder; return what gets the other project from the index."""


class Poetry:
    """It wants index and login by the name of the index, which is ``ours``."""

    name: ClassVar[str] = "poetry"
    skip_existing: ClassVar[tuple[str, ...]] = ("--skip-existing",)
    status_of_existing: ClassVar[int] = 1

    def publish(self, index: Index, *options: str) -> Command:
        words = ("publish", "--no-interaction", "--repository", "ours", *options)
        return Command((_bin("poetry"), *words), self._environment(index))

    def install(self, index: Index, project: str, folder: Path) -> Command:
        source = f'[[tool.poetry.source]]\nname = "ours"\nurl = "{index.simple_url}"\npriority = "primary"\n'
        _write(folder, f"[tool.poetry]\npackage-mode = false\n\n{source}")
        return Command((_bin("poetry"), "add", "--no-interaction", project), self._environment(index))

    @staticmethod
    def _environment(index: Index) -> dict[str, str]:
        login = {"POETRY_HTTP_BASIC_OURS_USERNAME": USER, "POETRY_HTTP_BASIC_OURS_PASSWORD": index.password}
        return {
            "POETRY_REPOSITORIES_OURS_URL": index.url,
            "POETRY_KEYRING_ENABLED": "false",
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            **{name: value for name, value in login.items() if value and index.password is not None},
        }


class Pdm:
    """It builds unless it is told not to, and reads logins in URLs from the environment."""

    name: ClassVar[str] = "pdm"
    skip_existing: ClassVar[tuple[str, ...]] = ("--skip-existing",)
    status_of_existing: ClassVar[int] = 1

    def publish(self, index: Index, *options: str) -> Command:
        login = ("--username", USER, "--password", index.password or "")
        words = ("publish", "--no-build", "--repository", index.url, *login, *options)
        return Command((_bin("pdm"), *words), self._environment(index))

    def install(self, index: Index, project: str, folder: Path) -> Command:
        url = index.simple_url
        if index.password is not None:
            url = url.replace("://", f"://{USER}:${{PASSWORD}}@")
        _write(
            folder, f'[tool.pdm]\ndistribution = false\n\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n'
        )
        return Command((_bin("pdm"), "add", project), self._environment(index))

    @staticmethod
    def _environment(index: Index) -> dict[str, str]:
        return {"PDM_CHECK_UPDATE": "0", "PASSWORD": index.password or ""}


class Hatch:
    """It looks at the project's page before it uploads, and installs with pip or uv."""

    name: ClassVar[str] = "hatch"
    skip_existing: ClassVar[tuple[str, ...]] = ()
    status_of_existing: ClassVar[int] = 0

    def publish(self, index: Index, *options: str) -> Command:
        login = ("--user", USER, "--auth", index.password or "")
        return Command((_bin("hatch"), "publish", "--no-prompt", "--repo", index.url, *login, *options))

    def install(self, index: Index, project: str, folder: Path) -> Command:
        installer = "pip" if index.password is None else "uv"
        environment = f'skip-install = true\ninstaller = "{installer}"\ndependencies = ["{project}"]\n'
        _write(folder, f'[tool.hatch.envs.default]\ntype = "virtual"\npath = ".venv"\n{environment}')
        url = index.simple_url_with_login
        return Command((_bin("hatch"), "run", "true"), {"PIP_INDEX_URL": url, "UV_INDEX_URL": url})


def _bin(name: str) -> str:
    return str(ENVIRONMENT / "bin" / name)


def _write(folder: Path, tool: str) -> None:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(f"{CONSUMER}\n{tool}")
