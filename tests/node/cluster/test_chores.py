from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from node.catalog.lookups import get_index
from node.cluster import chores
from tests.helpers.app import App, running_app
from tests.helpers.upstream import FakeUpstream
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from node.mirror.source import MirrorSource


def upstream_of(app: App, name: str) -> MirrorSource:
    with app.services.store.view() as view:
        return app.services.source_of(get_index(view, "root", name))


async def test_mirror_with_a_new_upstream_loses_its_old_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "LOOK_SECONDS", 0.01)
    async with FakeUpstream() as upstream, running_app(tmp_path / "data", upstream=upstream) as app:
        upstream.add_wheel("six", "1.0")
        await app.make_index("root/other", type="mirror", mirror_url=upstream_of(app, "pypi").url)
        for index in ("root/pypi", "root/other"):
            await app.page("six", index=index)
        old, untouched = upstream_of(app, "pypi"), upstream_of(app, "other")
        services = app.services
        mirror = services.mirror
        chore = asyncio.create_task(chores.forget_gone_mirrors(services.store, mirror, services.source_of))
        await app.change_index("root/pypi", mirror_url=old.url + "elsewhere/")

        await eventually(lambda: not mirror.projects(old), what=lambda: f"kept: {mirror.projects(old)}")

        assert mirror.projects(untouched) == ["six"]
        assert not chore.done()
        chore.cancel()
