from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from node.mirror.cluster import ClusterHooks
from node.mirror.errors import MetadataUnreadable, PrimaryUnreachable, UpstreamDown
from node.mirror.growing import GrowingFile
from node.mirror.metadata import is_metadata_of
from node.mirror.page import MirrorFile, MirrorLink
from node.mirror.parse import version_of
from tests.helpers.distributions import metadata_text
from tests.helpers.upstream import FakeFile
from tests.helpers.waiting import eventually
from tests.node.mirror.rig import link_of

if TYPE_CHECKING:
    from node.mirror.source import MirrorSource
    from tests.helpers.upstream import FakeUpstream
    from tests.node.mirror.rig import Rig

RIGHT = metadata_text("big", "1.0")


def large(upstream: FakeUpstream) -> FakeFile:
    return upstream.add_wheel("big", "1.0", payload_bytes=700_000)


async def test_ranges_suffice_without_the_whole_wheel(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    mirror = await rig.mirror()

    metadata = await mirror.core_metadata(rig.source(), await link_of(mirror, rig.source(), file))

    assert metadata == RIGHT
    assert len(upstream.ranges) == 1
    assert upstream.sent_bytes[file.path] < 40_000


async def test_large_directory_takes_a_few_more_ranges(rig: Rig, upstream: FakeUpstream) -> None:
    file = upstream.add_wheel("big", "1.0", payload_bytes=700_000, members=2_000)
    mirror = await rig.mirror()

    metadata = await mirror.core_metadata(rig.source(), await link_of(mirror, rig.source(), file))

    assert metadata == RIGHT
    assert len(upstream.ranges) <= 3
    assert upstream.sent_bytes[file.path] < 400_000


async def test_suffix_range_helps_when_the_size_is_unknown(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    upstream.style = "html"
    mirror = await rig.mirror()

    metadata = await mirror.core_metadata(rig.source(), await link_of(mirror, rig.source(), file))

    assert metadata == RIGHT
    assert upstream.ranges == ["bytes=-32768"]


async def test_whole_wheel_is_fetched_and_kept_when_upstream_has_no_ranges(
    rig: Rig, upstream: FakeUpstream
) -> None:
    file = large(upstream)
    upstream.has_ranges = False
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)

    metadata = await mirror.core_metadata(rig.source(), link)

    assert metadata == RIGHT
    assert mirror.cached_file(rig.source(), link) is not None


async def test_cached_wheel_is_read_without_asking(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    opened = await mirror.file(rig.source(), link)
    assert isinstance(opened, GrowingFile)
    await opened.until_kept()
    await upstream.stop()

    assert await mirror.core_metadata(rig.source(), link) == RIGHT


async def test_fifty_clients_cause_one_conversation_and_its_result_is_kept(
    rig: Rig, upstream: FakeUpstream
) -> None:
    file = large(upstream)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)

    await asyncio.gather(*(mirror.core_metadata(rig.source(), link) for _ in range(50)))
    await rig.close(mirror)
    again = await rig.mirror()

    assert await again.core_metadata(rig.source(), link) == RIGHT
    assert upstream.requests[file.path] == 1


async def test_advertised_sidecar_is_fetched_and_verified(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    file.metadata = RIGHT
    mirror = await rig.mirror()

    metadata = await mirror.core_metadata(rig.source(), await link_of(mirror, rig.source(), file))

    assert metadata == RIGHT
    assert upstream.requests[file.path] == 0


@pytest.mark.parametrize("fault", [{"body": b"wrong"}, {"status": 404}], ids=["wrong-hash", "missing"])
async def test_wheel_is_asked_when_the_sidecar_is_no_good(
    rig: Rig, upstream: FakeUpstream, fault: dict[str, object]
) -> None:
    file = large(upstream)
    file.metadata = RIGHT
    if "body" in fault:
        fault = {"body": b"X" * len(RIGHT)}
    upstream.fault(f"{file.path}.metadata", **fault)
    mirror = await rig.mirror()

    metadata = await mirror.core_metadata(rig.source(), await link_of(mirror, rig.source(), file))

    assert metadata == RIGHT
    assert mirror.counters.metadata_by_range == 1


def unsaid_sidecar(upstream: FakeUpstream, body: bytes, **entry: object) -> FakeFile:
    """Return a wheel that has a document beside it, of which its page says nothing, or ``entry``."""
    file = large(upstream)
    beside = FakeFile("big", f"{file.filename}.metadata", body, "1.0")
    upstream.files[beside.path] = beside
    upstream.pages["big"] = lambda: web.json_response({"files": [{**file.entry(upstream.base), **entry}]})
    return file


async def test_unsaid_sidecar_is_fetched_where_the_mirror_is_said_to_have_it(
    rig: Rig, upstream: FakeUpstream
) -> None:
    file = unsaid_sidecar(upstream, RIGHT)
    for provides, sidecars in ((False, 0), (True, 1)):
        mirror = await rig.mirror(cache=f"cache-{provides}")
        source = rig.source(provides_core_metadata=provides)

        assert await mirror.core_metadata(source, await link_of(mirror, source, file)) == RIGHT
        assert mirror.counters.metadata_by_sidecar == sidecars
        assert upstream.requests[f"{file.path}.metadata"] == sidecars


WRONG = {
    "another-project": metadata_text("other", "1.0"),
    "another-version": metadata_text("big", "2.0"),
    "no-version": b"Metadata-Version: 2.1\nName: big\n\n",
    "page-in-words": b"<html>not found</html>",
    "empty": b"",
    "noise": bytes(range(256)) * 9,
}


@pytest.mark.parametrize("entry", [{}, {"core-metadata": True}], ids=["unsaid", "said-without-digest"])
@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
async def test_sidecar_of_another_release_is_not_believed(
    rig: Rig, upstream: FakeUpstream, body: bytes, entry: dict[str, object]
) -> None:
    file = unsaid_sidecar(upstream, body, **entry)
    mirror = await rig.mirror()
    source = rig.source(provides_core_metadata=True)

    assert await mirror.core_metadata(source, await link_of(mirror, source, file)) == RIGHT
    assert (mirror.counters.metadata_by_sidecar, mirror.counters.metadata_by_range) == (0, 1)


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_wheel_is_asked_when_the_unsaid_sidecar_cannot_be_had(
    rig: Rig, upstream: FakeUpstream, status: int
) -> None:
    file = unsaid_sidecar(upstream, RIGHT)
    upstream.fault(f"{file.path}.metadata", status=status)
    mirror = await rig.mirror()
    source = rig.source(provides_core_metadata=True)

    assert await mirror.core_metadata(source, await link_of(mirror, source, file)) == RIGHT


@pytest.mark.parametrize(
    ("filename", "text", "is_right"),
    [
        ("big-1.0-py3-none-any.whl", RIGHT, True),
        ("big-1-py3-none-any.whl", RIGHT, True),
        ("big-1.0.1-py3-none-any.whl", RIGHT, False),
        ("big-1.0.0-py3-none-any.whl", metadata_text("Big", "v1.0.0"), True),
    ],
)
def test_release_is_told_by_normalized_name_and_version(
    filename: str, text: bytes, *, is_right: bool
) -> None:
    file = MirrorFile(filename, "http://a/", {}, version=version_of(filename, "big"))

    assert is_metadata_of(MirrorLink("big", file), text) is is_right


@pytest.mark.parametrize("status", [404, 500])
async def test_failure_is_an_outage_and_never_missing(rig: Rig, upstream: FakeUpstream, status: int) -> None:
    file = large(upstream)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    upstream.fault(file.path, status=status)

    with pytest.raises(UpstreamDown):
        await mirror.core_metadata(rig.source(), link)

    assert mirror.counters.metadata_failures == 1


async def test_failure_is_not_remembered(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    upstream.fault(file.path, status=500)
    with pytest.raises(UpstreamDown):
        await mirror.core_metadata(rig.source(), link)
    del upstream.faults[file.path]

    assert await mirror.core_metadata(rig.source(), link) == RIGHT


async def test_wheel_without_metadata_is_said_to_be_unreadable(rig: Rig, upstream: FakeUpstream) -> None:
    file = upstream.add(FakeFile("six", "six-1.0-py3-none-any.whl", b"no zip" * 10, "1.0"))
    mirror = await rig.mirror()

    with pytest.raises(MetadataUnreadable) as unreadable:
        await mirror.core_metadata(rig.source(), await link_of(mirror, rig.source(), file))

    assert unreadable.value.filename == file.filename
    assert mirror.cached_file(rig.source(), await link_of(mirror, rig.source(), file)) is not None


async def test_metadata_of_one_upstream_does_not_stand_in_for_anothers(
    rig: Rig, upstream: FakeUpstream
) -> None:
    """Ranges are not verified, so an upstream that lies about a wheel must deceive only its own index."""
    file = large(upstream)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    await mirror.core_metadata(rig.source(), link)
    await upstream.stop()

    with pytest.raises(UpstreamDown):
        await mirror.core_metadata(rig.source(index_id=8), link)


async def test_client_that_goes_away_leaves_the_others_their_answer(rig: Rig, upstream: FakeUpstream) -> None:
    file = large(upstream)
    gate = upstream.fault(file.path, is_gated=True)
    mirror = await rig.mirror()
    link = await link_of(mirror, rig.source(), file)
    first, second = (asyncio.create_task(mirror.core_metadata(rig.source(), link)) for _ in range(2))
    await eventually(lambda: upstream.requests[file.path], what="upstream was asked")

    first.cancel()
    gate.release()

    assert await second == RIGHT


class TestIssuer:
    async def test_replica_takes_the_primarys_answer(self, rig: Rig, upstream: FakeUpstream) -> None:
        async def issuer(_source: MirrorSource, _link: MirrorLink) -> bytes:
            return RIGHT

        file = large(upstream)
        mirror = await rig.mirror(cluster=ClusterHooks(metadata_issuer=issuer))

        assert await mirror.core_metadata(rig.source(), await link_of(mirror, rig.source(), file)) == RIGHT
        assert upstream.requests[file.path] == 0

    async def test_replica_helps_itself_when_the_primary_is_away(
        self, rig: Rig, upstream: FakeUpstream
    ) -> None:
        async def issuer(_source: MirrorSource, _link: MirrorLink) -> bytes:
            raise PrimaryUnreachable("refused")

        file = large(upstream)
        mirror = await rig.mirror(cluster=ClusterHooks(metadata_issuer=issuer))

        assert await mirror.core_metadata(rig.source(), await link_of(mirror, rig.source(), file)) == RIGHT
