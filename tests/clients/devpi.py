"""The stock ``devpi`` command in the hands of one person, and a record of everything that was typed."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.helpers.clients import BIN, run_client

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEVPI = str(BIN / "devpi")
_OPTION_LINE = re.compile(r"^  (-\S.*?)(?:  .*)?$", flags=re.MULTILINE)
_OPTION = re.compile(r"--?[a-z][a-z-]*")


@dataclass
class Record:
    """Words typed so far, by subcommand; what stands before a subcommand counts for ''."""

    words: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def note(self, arguments: list[str]) -> None:
        command = next((word for word in arguments if not word.startswith("-")), "")
        self.words[command] |= {word.partition("=")[0] for word in arguments if word.startswith("-")}

    @property
    def commands(self) -> set[str]:
        return {command for command in self.words if command}


@dataclass
class Devpi:
    """One person at a shell: a home, where devpi keeps server, index and login between commands."""

    home: Path
    record: Record

    async def __call__(
        self,
        line: str,
        *said: str,
        status: int = 0,
        stdin: str = "",
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Type ``devpi`` and a line; check how it ends and what it says, and return all of that.

        Each of ``said`` has to be in the output; one that begins with ``!`` must not be, without the ``!``.
        """
        arguments = shlex.split(line)
        self.record.note(arguments)
        done = await run_client(
            DEVPI, *arguments, home=self.home, cwd=cwd, stdin=stdin, environment=environment
        )
        wrong = [words for words in said if (words.removeprefix("!") in done.output) == words.startswith("!")]
        if wrong or done.status != status:
            raise AssertionError(
                f"devpi {line}\nended with {done.status}, and not so: {wrong}\n{done.output}"
            )
        return done.output


async def listed_commands(devpi: Devpi) -> set[str]:
    """Return the subcommands that ``devpi --help`` lists."""
    listed = re.search(r"\{([a-z,]+)\}", await devpi("--help"))
    assert listed is not None
    return set(listed.group(1).split(","))


async def listed_options(devpi: Devpi, command: str) -> set[frozenset[str]]:
    """Return the options in the help of a subcommand, each as the set of its spellings."""
    help_text = await devpi(f"{command} --help")
    return {frozenset(_OPTION.findall(line)) for line in _OPTION_LINE.findall(help_text)}
