"""A mirror in front of a fake upstream, with a clock that only moves when told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from node.mirror.growing import GrowingFile
from node.mirror.mirror import Mirror
from node.mirror.page import MirrorLink
from node.mirror.source import MirrorSource
from node.mirror.upstream import UpstreamOptions

if TYPE_CHECKING:
    from pathlib import Path

    from node.mirror.cache import CachedFile
    from tests.helpers.upstream import FakeFile, FakeUpstream


class FakeClock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Rig:
    """Starts mirrors on one cache folder, and closes them."""

    folder: Path
    upstream: FakeUpstream
    clock: FakeClock = field(default_factory=FakeClock)
    started: list[Mirror] = field(default_factory=list)

    async def mirror(self, *, cache: str = "cache", **options: Any) -> Mirror:
        options.setdefault("options", UpstreamOptions(page_seconds=5, idle_seconds=5))
        mirror = Mirror(self.folder / cache, clock=self.clock, **options)
        await mirror.start()
        self.started.append(mirror)
        return mirror

    async def close(self, mirror: Mirror) -> None:
        self.started.remove(mirror)
        await mirror.close()

    def source(self, **options: Any) -> MirrorSource:
        return MirrorSource(
            **{"index_id": 7, "generation": 1, "url": self.upstream.url, "name": "root/pypi", **options}
        )


async def link_of(mirror: Mirror, source: MirrorSource, file: FakeFile) -> MirrorLink:
    page = await mirror.page(source, file.project)
    assert page is not None
    return MirrorLink(file.project, next(entry for entry in page.files if entry.filename == file.filename))


async def read_all(opened: CachedFile | GrowingFile) -> bytes:
    if isinstance(opened, GrowingFile):
        return b"".join([chunk async for chunk in opened.chunks()])
    return opened.path.read_bytes()
