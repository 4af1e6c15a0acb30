from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.node.mirror.rig import Rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.helpers.upstream import FakeUpstream


@pytest.fixture
async def rig(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, upstream)
    yield rig
    for mirror in list(rig.started):
        await rig.close(mirror)
