from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.upstream import FakeUpstream
from tests.node.mirror.rig import Rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
async def rig(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, upstream)
    yield rig
    for mirror in list(rig.started):
        await rig.close(mirror)
