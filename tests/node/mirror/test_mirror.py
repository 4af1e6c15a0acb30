from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from node.mirror.cluster import ClusterHooks
from node.mirror.errors import PrimaryUnreachable, UpstreamDown, UpstreamOffline
from node.mirror.growing import GrowingFile
from node.mirror.memory import ABSENT
from node.mirror.mirror import user_agent
from node.mirror.source import MirrorSource
from tests.node.mirror.rig import link_of, read_all

if TYPE_CHECKING:
    from tests.helpers.upstream import FakeUpstream
    from tests.node.mirror.rig import Rig


class TestFindLink:
    async def test_listed_file_is_found_by_digest_and_name(self, rig: Rig, upstream: FakeUpstream) -> None:
        file = upstream.add_wheel("six", "1.0")
        mirror = await rig.mirror()
        link = await link_of(mirror, rig.source(), file)

        assert await mirror.find_link(rig.source(), file.sha256[:16], file.filename) == link
        assert await mirror.find_link(rig.source(), "0" * 16, file.filename) is None

    @pytest.mark.parametrize("kind", ["wheel", "sdist"])
    async def test_link_is_recovered_when_the_cache_was_deleted(
        self, rig: Rig, upstream: FakeUpstream, kind: str
    ) -> None:
        add = upstream.add_wheel if kind == "wheel" else upstream.add_sdist
        file = add("zope-interface", "5.0")
        mirror = await rig.mirror()
        link = await link_of(mirror, rig.source(), file)
        await rig.close(mirror)
        shutil.rmtree(rig.folder / "cache")

        again = await rig.mirror()

        assert await again.find_link(rig.source(), file.sha256[:16], file.filename) == link

    async def test_forbidden_name_is_not_asked_upstream(self, rig: Rig, upstream: FakeUpstream) -> None:
        mirror = await rig.mirror()

        found = await mirror.find_link(
            rig.source(), "0" * 16, "acme-secret-1.0.tar.gz", may_ask=lambda name: name != "acme-secret"
        )

        assert found is None
        assert list(upstream.requests) == ["/simple/acme/"]

    async def test_outage_is_not_taken_for_missing(self, rig: Rig, upstream: FakeUpstream) -> None:
        upstream.fault("/simple/six/", status=500)
        mirror = await rig.mirror()

        with pytest.raises(UpstreamDown):
            await mirror.find_link(rig.source(), "0" * 16, "six-1.0.tar.gz")

    async def test_file_dropped_from_the_page_is_still_found(self, rig: Rig, upstream: FakeUpstream) -> None:
        """Lock files name files that upstream may no longer list."""
        file = upstream.add_wheel("six", "1.0")
        mirror = await rig.mirror()
        await mirror.page(rig.source(), "six")
        upstream.files.clear()
        rig.clock.advance(1800)
        page = await mirror.page(rig.source(), "six")

        assert page is not None
        assert page.files == ()
        assert await mirror.find_link(rig.source(), file.sha256[:16], file.filename) is not None


class TestOffline:
    async def test_page_lists_what_is_here_and_nothing_is_asked(
        self, rig: Rig, upstream: FakeUpstream
    ) -> None:
        files = [upstream.add_wheel("six", version) for version in ("1.0", "2.0")]
        online = await rig.mirror()
        opened = await online.file(rig.source(), await link_of(online, rig.source(), files[1]))
        assert isinstance(opened, GrowingFile)
        await opened.until_kept()
        await rig.close(online)
        asked = sum(upstream.requests.values())
        rig.clock.advance(10_000)

        mirror = await rig.mirror(is_offline=True)
        page = await mirror.page(rig.source(), "six")

        assert page is not None
        assert ([file.version for file in page.files], page.versions) == (["2.0"], ("2.0",))
        assert mirror.fresh_page(rig.source(), "six") is ABSENT
        assert sum(upstream.requests.values()) == asked

    async def test_what_is_not_cached_is_an_outage(self, rig: Rig, upstream: FakeUpstream) -> None:
        file = upstream.add_wheel("six", "1.0")
        online = await rig.mirror()
        link = await link_of(online, rig.source(), file)
        mirror = await rig.mirror(cache="other", is_offline=True)

        with pytest.raises(UpstreamOffline):
            await mirror.page(rig.source(), "idna")
        with pytest.raises(UpstreamOffline):
            await mirror.file(rig.source(), link)
        with pytest.raises(UpstreamOffline):
            await mirror.core_metadata(rig.source(), link)

        assert upstream.requests["/simple/idna/"] == 0


class TestReplica:
    async def test_page_comes_from_the_primary_with_the_same_digest(
        self, rig: Rig, upstream: FakeUpstream
    ) -> None:
        upstream.add_wheel("six", "1.0")
        primary = await rig.mirror(cache="primary")
        replica = await rig.mirror(cache="replica", cluster=ClusterHooks(issuer=primary.issue))

        copy = await replica.page(rig.source(), "six")
        again = await replica.page(rig.source(), "six")

        assert copy == await primary.page(rig.source(), "six")
        assert again == copy
        assert upstream.requests["/simple/six/"] == 1
        assert replica.counters.pages_from_primary == 1

    async def test_missing_project_is_the_primarys_answer_too(self, rig: Rig, upstream: FakeUpstream) -> None:
        primary = await rig.mirror(cache="primary")
        replica = await rig.mirror(cache="replica", cluster=ClusterHooks(issuer=primary.issue))

        assert await replica.page(rig.source(), "six") is None
        assert upstream.requests["/simple/six/"] == 1

    async def test_upstream_is_asked_when_the_primary_is_away(self, rig: Rig, upstream: FakeUpstream) -> None:
        async def issuer(_source: MirrorSource, _project: str) -> bytes | None:
            raise PrimaryUnreachable("refused")

        upstream.add_wheel("six", "1.0")
        replica = await rig.mirror(cluster=ClusterHooks(issuer=issuer))

        page = await replica.page(rig.source(), "six")

        assert page is not None
        assert not page.is_stale

    @pytest.mark.parametrize("record", [b"", b"garbage"])
    async def test_unreadable_record_is_not_believed(
        self, rig: Rig, upstream: FakeUpstream, record: bytes
    ) -> None:
        async def issuer(_source: MirrorSource, _project: str) -> bytes | None:
            return record

        upstream.add_wheel("six", "1.0")
        replica = await rig.mirror(cluster=ClusterHooks(issuer=issuer))

        assert await replica.page(rig.source(), "six") is not None

    async def test_stale_page_is_given_when_the_primary_says_upstream_is_down(
        self, rig: Rig, upstream: FakeUpstream
    ) -> None:
        upstream.add_wheel("six", "1.0")
        primary = await rig.mirror(cache="primary")
        replica = await rig.mirror(cache="replica", cluster=ClusterHooks(issuer=primary.issue))
        first = await replica.page(rig.source(), "six")
        shutil.rmtree(rig.folder / "primary")
        await rig.close(primary)
        fresh_primary = await rig.mirror(cache="primary")
        replica._pages._issuer = fresh_primary.issue
        upstream.fault("/simple/six/", status=500)
        rig.clock.advance(1800)

        page = await replica.page(rig.source(), "six")

        assert page is not None
        assert first is not None
        assert (page.is_stale, page.digest) == (True, first.digest)
        assert upstream.requests["/simple/six/"] == 2


def test_user_agent_names_us() -> None:
    assert user_agent().startswith("wheelyard/")


@pytest.mark.network
async def test_real_pypi_gives_page_file_and_metadata(rig: Rig) -> None:
    """The upstream everybody has: six 1.16.0 from page to bytes, METADATA by range."""
    source = MirrorSource(index_id=1, generation=1, name="root/pypi")
    mirror = await rig.mirror()
    page = await mirror.page(source, "six")
    assert page is not None
    wheel = next(file for file in page.files if file.filename == "six-1.16.0-py2.py3-none-any.whl")
    link = await mirror.find_link(source, wheel.link_key, wheel.filename)
    assert link is not None

    metadata = await mirror.core_metadata(source, link)
    content = await read_all(await mirror.file(source, link))

    assert b"\nName: six\nVersion: 1.16.0\n" in metadata
    assert len(content) == wheel.size
    assert "1.16.0" in page.versions
    assert await mirror.page(source, "a-project-that-nobody-ever-registered-here") is None
