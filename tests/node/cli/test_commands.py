from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from node.cli.commands import cli
from node.version import VERSION
from tests.node.cli.running import refused_with, wheelyard

if TYPE_CHECKING:
    from pathlib import Path


def test_version_is_that_of_the_distribution() -> None:
    assert wheelyard("--version").stdout == f"wheelyard, version {VERSION}\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]], ids=["nothing", "--help", "-h"])
def test_help_lists_every_command(words: list[str]) -> None:
    done = wheelyard(*words)

    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in cli.commands)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serv"], "No such command 'serv'"),
        (["serve", "--bogus"], "No such option"),
        (["passwd", "somewhere"], "Missing argument 'USER'"),
        (["demo", "--port", "x"], "Invalid value for '--port'"),
    ],
)
def test_wrong_words_are_refused_in_one_line(words: list[str], said: str) -> None:
    assert said in refused_with(wheelyard(*words))


class TestSecret:
    def test_secret_is_new_and_readable_by_its_owner_alone(self, tmp_path: Path) -> None:
        first, second = tmp_path / "first", tmp_path / "second"

        assert wheelyard("secret", str(first)).returncode == 0
        assert wheelyard("secret", str(second)).returncode == 0

        assert first.stat().st_mode & 0o777 == 0o600
        assert first.read_bytes() != second.read_bytes()
        assert len(first.read_bytes()) > 40

    def test_existing_secret_is_kept(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("kept")

        assert "never overwritten" in refused_with(wheelyard("secret", str(tmp_path / "secret")))
        assert (tmp_path / "secret").read_text() == "kept"

    def test_missing_folder_is_one_line(self, tmp_path: Path) -> None:
        said = refused_with(wheelyard("secret", str(tmp_path / "nowhere" / "secret")))

        assert said.endswith("No such file or directory")
