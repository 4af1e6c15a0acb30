"""What the tests with the stock devpi client have in common, whichever node it speaks to.

Left for later, because the server does not do it yet: documentation (``upload --with-docs``, ``--only-docs``) and
results of ``devpi test``, which only ``devpi list -t`` would show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.chapters import (
    documents,
    indexes,
    installing,
    listings,
    pushes,
    removals,
    sessions,
    settings,
    uploads,
    users,
)
from tests.clients.devpi import listed_commands, listed_options

if TYPE_CHECKING:
    from tests.clients.house import House
    from tests.clients.steps import Step

CHAPTERS = (sessions, settings, users, indexes, uploads, listings, removals, pushes, installing, documents)
NOT_DRIVEN = {"test": "its results have no place on the server yet"}


class DevpiSuite:
    """Every step of the script, then what holds after all of them; the module says at which node."""

    @pytest.mark.parametrize("step", [case for module in CHAPTERS for case in module.chapter.cases])
    async def test_devpi(self, step: Step, house: House) -> None:
        await step(house)

    async def test_script_drove_every_command(self, house: House) -> None:
        assert house.record.commands == await listed_commands(house.anyone) - NOT_DRIVEN.keys()

    async def test_nodes_are_equal_afterwards(self, house: House) -> None:
        house.cluster.check()


async def unused_options(house: House) -> set[str]:
    """Return each option that the help of a driven command lists and that was not typed, as ``command --option``.

    What all commands have in common needs to have been typed with any of them.
    """
    typed = house.record.words
    options = {
        command: await listed_options(house.anyone, command) for command in sorted(house.record.commands)
    }
    generic = set.intersection(*options.values())
    anywhere = set().union(*typed.values())
    unused = {
        f"{command} {max(spellings, key=len)}"
        for command, listed in options.items()
        for spellings in listed - generic
        if not spellings & typed[command]
    }
    return unused | {max(spellings, key=len) for spellings in generic if not spellings & anywhere}
