"""A node for uploads, and what must not change when one is refused."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from storage.references import BLOB_KEY_PREFIX
from tests.conformance.items import House
from tests.helpers.app import App, Reply, running_app
from tests.helpers.blobs import no_half_written_blobs
from tests.helpers.distributions import make_wheel, wheel_name
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LIMIT_BYTES = 2_000_000
WHEEL = make_wheel("good", "1.0")
NAME = wheel_name("good", "1.0")
IDENTITY: dict[str, Any] = {"name": "good", "version": "1.0"}


@asynccontextmanager
async def upload_house(folder: Path) -> AsyncIterator[House]:
    """A node that takes files of at most 2 MB on ``root/dev``, and only from alice on ``root/closed``."""
    async with (
        FakeUpstream() as upstream,
        running_app(folder, upstream=upstream, max_upload_bytes=LIMIT_BYTES) as app,
    ):
        await app.make_user("alice")
        await app.make_index("root/closed", acl_upload=["alice"])
        await app.make_index("root/stable", volatile=False)
        yield House(app, upstream)


def blob_folder(app: App) -> Path:
    return app.services.store.blobs.path(bytes(32)).parents[1]


def unnamed_blobs(app: App) -> set[str]:
    """Return the blobs on disk that no record names."""
    names = {path.name for path in blob_folder(app).rglob("*") if re.fullmatch("[0-9a-f]{64}", path.name)}
    with app.services.store.view() as view:
        return {name for name in names if view.get(BLOB_KEY_PREFIX + bytes.fromhex(name)) is None}


@asynccontextmanager
async def nothing_changes(app: App) -> AsyncIterator[None]:
    before, unnamed = app.services.store.position, unnamed_blobs(app)
    yield
    assert app.services.store.position == before
    assert unnamed_blobs(app) <= unnamed
    await no_half_written_blobs(blob_folder(app))


def check_refusal(answer: Reply, status: int, words: str) -> None:
    assert (answer.status, words in answer.reason, words in answer.body.decode()) == (status, True, True), (
        answer
    )
    assert "\n" not in answer.body.decode().strip()
