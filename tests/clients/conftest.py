from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.clients.house import House, open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """A cluster whose node of the module's ``NODE`` everybody speaks to."""
    async with open_house(tmp_path_factory.mktemp("house"), number=request.module.NODE) as opened:
        yield opened
