"""The stock devpi client, every command, talking to the primary of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.suite import DevpiSuite, unused_options

if TYPE_CHECKING:
    from tests.clients.house import House

NODE = 0
NOT_USED = {
    "install -e": "installs from a folder, no server is asked",
    "upload --formats": "deprecated, only chooses what is built",
    "upload --only-docs": "documentation has no place on the server yet",
    "upload --python": "only says what builds",
    "upload --setupdir-only": "only says what is built",
    "upload --with-docs": "documentation has no place on the server yet",
    "use --client-cert": "for a proxy in front that wants one",
}
"""Options that devpi lists and the script leaves out."""


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


class TestDevpiAtPrimary(DevpiSuite):
    """See the chapters; the script is the same at a replica, so its options are looked at here alone."""

    async def test_script_used_every_option(self, house: House) -> None:
        assert await unused_options(house) == NOT_USED.keys()
