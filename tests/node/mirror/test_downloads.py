from __future__ import annotations

import asyncio
import hashlib
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from node.mirror.cache import CachedFile
from node.mirror.cluster import ClusterHooks
from node.mirror.errors import (
    DownloadCorrupt,
    PeerHasNot,
    RangeUnsupported,
    UpstreamDown,
    UpstreamFileMissing,
)
from node.mirror.growing import HOLD_BACK_BYTES, GrowingFile
from tests.helpers.waiting import eventually
from tests.node.mirror.rig import link_of, read_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from node.mirror.mirror import Mirror
    from node.mirror.page import MirrorLink
    from node.mirror.source import MirrorSource
    from tests.helpers.upstream import FakeFile, FakeUpstream
    from tests.node.mirror.rig import Rig

LARGE_BYTES = 700_000


def large(upstream: FakeUpstream) -> FakeFile:
    return upstream.add_wheel("big", "1.0", payload_bytes=LARGE_BYTES)


def temporaries(rig: Rig) -> list[str]:
    return [path.name for path in (rig.folder / "cache/blobs/.tmp").iterdir()]


async def take(chunks: AsyncIterator[bytes], size_bytes: int) -> bytes:
    taken = b""
    while len(taken) < size_bytes:
        taken += await anext(chunks)
    return taken


async def fetch(mirror: Mirror, source: MirrorSource, link: MirrorLink) -> tuple[int, BaseException | None]:
    """Ask and read: a failure may come so early that there is nothing to read."""
    try:
        opened = await mirror.file(source, link)
    except DownloadCorrupt as error:
        return 0, error
    return await drain(opened)


async def drain(opened: CachedFile | GrowingFile) -> tuple[int, BaseException | None]:
    """Read as a client does: what came, and how it ended."""
    received = 0
    assert isinstance(opened, GrowingFile)
    try:
        async for chunk in opened.chunks():
            received += len(chunk)
    except Exception as error:  # noqa: BLE001
        return received, error
    return received, None


async def open_kept(mirror: Mirror, source: MirrorSource, link: MirrorLink) -> CachedFile:
    opened = await mirror.file(source, link)
    if isinstance(opened, GrowingFile):
        await opened.until_kept()
        opened = await mirror.file(source, link)
    assert isinstance(opened, CachedFile)
    return opened


async def test_file_is_streamed_and_then_cached(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)

    content = await read_all(await mirror.file(rig.source(), link))
    cached = await open_kept(mirror, rig.source(), link)

    assert content == file.content
    assert (cached.path.read_bytes(), cached.size_bytes) == (file.content, len(file.content))
    assert cached.sha256.hex() == file.sha256
    assert upstream.requests[file.path] == 1
    assert mirror.cached_file(rig.source(), link) == cached


async def test_first_bytes_come_before_upstream_is_done(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    gate = upstream.fault(file.path, after_bytes=200_000)
    mirror = await rig.mirror()
    opened = await mirror.file(rig.source(), await link_of(mirror, rig.source(), file))
    assert isinstance(opened, GrowingFile)
    chunks = opened.chunks()

    first = await take(chunks, 200_000)
    gate.release()
    rest = b"".join([chunk async for chunk in chunks])

    assert first + rest == file.content
    assert opened.size_bytes == len(file.content)


async def test_fifty_clients_share_one_download(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    gate = upstream.fault(file.path, after_bytes=100_000)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)

    async def client() -> bytes:
        return await read_all(await mirror.file(rig.source(), link))

    clients = [asyncio.create_task(client()) for _ in range(50)]
    await eventually(lambda: mirror.counters.file_joins == 49, what="all joined")
    gate.release()

    assert {hashlib.sha256(content).hexdigest() for content in await asyncio.gather(*clients)} == {
        file.sha256
    }
    assert upstream.requests[file.path] == 1


async def test_late_client_starts_anywhere_in_a_growing_file(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    gate = upstream.fault(file.path, after_bytes=300_000)
    mirror = await rig.mirror()
    opened = await mirror.file(rig.source(), await link_of(mirror, rig.source(), file))
    assert isinstance(opened, GrowingFile)

    middle = b"".join([chunk async for chunk in opened.chunks(100_000, 200_000)])
    gate.release()
    tail = b"".join([chunk async for chunk in opened.chunks(len(file.content) - 10)])

    assert (middle, tail) == (file.content[100_000:200_000], file.content[-10:])


async def test_client_that_leaves_does_not_end_the_download(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    gate = upstream.fault(file.path, after_bytes=100_000)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    opened = await mirror.file(rig.source(), link)
    client = asyncio.create_task(drain(opened))
    await eventually(lambda: mirror.counters.file_download_bytes >= 100_000, what="bytes came")

    client.cancel()
    await asyncio.wait({client})
    gate.release()

    assert (await open_kept(mirror, rig.source(), link)).path.read_bytes() == file.content
    assert upstream.requests[file.path] == 1


@pytest.mark.parametrize("payload_bytes", [0, LARGE_BYTES], ids=["small", "large"])
async def test_wrong_bytes_are_never_complete_and_never_kept(
    rig: Rig, upstream: FakeUpstream, payload_bytes: int
) -> None:
    file = upstream.add_wheel("big", "1.0", payload_bytes=payload_bytes)
    wrong = file.content[:-1] + bytes([file.content[-1] ^ 1])
    gate = upstream.fault(file.path, body=wrong, after_bytes=1)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    opened = await asyncio.gather(*(mirror.file(rig.source(), link) for _ in range(5)))
    gate.release()

    ends = await asyncio.gather(*(drain(growing) for growing in opened))

    assert all(isinstance(error, DownloadCorrupt) for _, error in ends)
    assert all(received <= max(0, len(file.content) - HOLD_BACK_BYTES) for received, _ in ends)
    assert mirror.cached_file(rig.source(), link) is None
    await eventually(lambda: not temporaries(rig), what=lambda: f"left behind: {temporaries(rig)}")
    assert mirror.counters.file_corrupt == 1


async def test_truncated_body_is_never_complete(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    upstream.fault(file.path, body=file.content[: LARGE_BYTES // 2])
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)

    received, error = await fetch(mirror, rig.source(), link)

    assert isinstance(error, DownloadCorrupt)
    assert received < len(file.content)
    assert mirror.cached_file(rig.source(), link) is None


async def test_next_client_after_a_failure_tries_again(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    upstream.fault(file.path, body=bytes(len(file.content)))
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    await fetch(mirror, rig.source(), link)
    del upstream.faults[file.path]

    assert await read_all(await mirror.file(rig.source(), link)) == file.content


async def test_size_that_contradicts_the_page_is_refused_before_a_byte(
    rig: Rig, upstream: FakeUpstream
) -> None:
    file = large(upstream)
    file.extra["size"] = 12
    mirror = await rig.mirror()

    with pytest.raises(DownloadCorrupt):
        await mirror.file(rig.source(), await link_of(mirror, rig.source(), file))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, UpstreamFileMissing), (410, UpstreamFileMissing), (500, UpstreamDown), (429, UpstreamDown)],
)
async def test_refusal_of_upstream_comes_before_a_byte(
    rig: Rig, upstream: FakeUpstream, status: int, kind: type[Exception]
) -> None:
    file = large(upstream)
    upstream.fault(file.path, status=status)
    mirror = await rig.mirror()

    with pytest.raises(kind):
        await mirror.file(rig.source(), await link_of(mirror, rig.source(), file))


async def test_file_without_listed_digest_is_kept_by_what_it_is(rig: Rig, upstream: FakeUpstream) -> None:
    file = upstream.add_wheel("six", "1.0")
    file.hash_names = ()
    file.extra["size"] = None
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)

    cached = await open_kept(mirror, rig.source(), link)

    assert cached.sha256.hex() == file.sha256
    assert upstream.requests[file.path] == 1


async def test_other_digest_is_verified_when_there_is_no_sha256(rig: Rig, upstream: FakeUpstream) -> None:
    file = upstream.add_wheel("six", "1.0")
    file.hash_names = ("md5",)
    upstream.fault(file.path, body=bytes(len(file.content)))
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)

    _, error = await fetch(mirror, rig.source(), link)

    assert isinstance(error, DownloadCorrupt)
    assert "md5" in error.reason


async def test_files_survive_a_restart(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    await open_kept(mirror, rig.source(), link)
    await rig.close(mirror)
    await upstream.stop()

    again = await rig.mirror()
    found = await again.find_link(rig.source(), file.sha256[:16], file.filename)

    assert found == link
    assert isinstance(await again.file(rig.source(), link), CachedFile)


async def test_cache_deleted_under_a_running_mirror_is_filled_again(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    await open_kept(mirror, rig.source(), link)

    shutil.rmtree(rig.folder / "cache")

    assert await read_all(await mirror.file(rig.source(), link)) == file.content
    assert (await open_kept(mirror, rig.source(), link)).path.exists()


async def test_closing_ends_downloads_and_tells_readers(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    upstream.fault(file.path, after_bytes=100_000)
    mirror = await rig.mirror()
    opened = await mirror.file(rig.source(), await link_of(mirror, rig.source(), file))
    client = asyncio.create_task(drain(opened))
    await eventually(lambda: mirror.counters.file_download_bytes >= 100_000, what="bytes came")

    await rig.close(mirror)

    assert isinstance((await client)[1], UpstreamDown)
    assert not temporaries(rig)


class TestRange:
    async def test_range_of_an_uncached_file_passes_through(self, rig: Rig, upstream: FakeUpstream) -> None:
        file = large(upstream)
        mirror = await rig.mirror()
        link = await link_of(mirror, rig.source(), file)

        part = await mirror.read_range(rig.source(), link, len(file.content) - 100, len(file.content))

        assert part == file.content[-100:]
        assert upstream.sent_bytes[file.path] == 100

    async def test_range_of_a_cached_file_asks_nobody(self, rig: Rig, upstream: FakeUpstream) -> None:
        file = large(upstream)
        mirror = await rig.mirror()
        link = await link_of(mirror, rig.source(), file)
        await open_kept(mirror, rig.source(), link)

        assert await mirror.read_range(rig.source(), link, 5, 9) == file.content[5:9]
        assert upstream.requests[file.path] == 1

    async def test_upstream_without_ranges_is_told_apart(self, rig: Rig, upstream: FakeUpstream) -> None:
        file = large(upstream)
        upstream.has_ranges = False
        mirror = await rig.mirror()

        with pytest.raises(RangeUnsupported):
            await mirror.read_range(rig.source(), await link_of(mirror, rig.source(), file), 0, 9)


class Peer:
    def __init__(self, content: bytes | None, *, breaks_after: int | None = None) -> None:
        self.content = content
        self.breaks_after = breaks_after
        self.asked = 0

    @asynccontextmanager
    async def open(self, _source: Any, link: MirrorLink) -> AsyncIterator[AsyncIterator[bytes]]:
        self.asked += 1
        if self.content is None:
            raise PeerHasNot(link.file.filename, "not cached")

        async def chunks(content: bytes) -> AsyncIterator[bytes]:
            for start in range(0, len(content), 50_000):
                if self.breaks_after is not None and start >= self.breaks_after:
                    raise ConnectionResetError
                yield content[start : start + 50_000]

        yield chunks(self.content)


class TestPeers:
    async def test_first_peer_that_has_the_file_spares_upstream(
        self, rig: Rig, upstream: FakeUpstream
    ) -> None:
        file = large(upstream)
        peers = [Peer(None), Peer(file.content), Peer(file.content)]
        mirror = await rig.mirror(cluster=ClusterHooks(peers=lambda: peers))
        link = await link_of(mirror, rig.source(), file)

        assert await read_all(await mirror.file(rig.source(), link)) == file.content
        assert [peer.asked for peer in peers] == [1, 1, 0]
        assert upstream.requests[file.path] == 0

    @pytest.mark.parametrize("breaks_after", [0, None], ids=["breaks-off", "wrong-bytes"])
    async def test_upstream_helps_when_a_peer_fails_early(
        self, rig: Rig, upstream: FakeUpstream, breaks_after: int | None
    ) -> None:
        file = upstream.add_wheel("six", "1.0")
        peer = Peer(bytes(len(file.content)), breaks_after=breaks_after)
        mirror = await rig.mirror(cluster=ClusterHooks(peers=lambda: [peer]))
        link = await link_of(mirror, rig.source(), file)

        assert await read_all(await mirror.file(rig.source(), link)) == file.content
        assert upstream.requests[file.path] == 1

    async def test_peer_that_breaks_off_late_cuts_its_readers(self, rig: Rig, upstream: FakeUpstream) -> None:
        file = large(upstream)
        peer = Peer(file.content, breaks_after=400_000)
        mirror = await rig.mirror(cluster=ClusterHooks(peers=lambda: [peer]))
        link = await link_of(mirror, rig.source(), file)

        received, error = await fetch(mirror, rig.source(), link)

        assert isinstance(error, DownloadCorrupt)
        assert received < len(file.content)
