"""Mirrors as clients see them: several on one path, poor upstreams, another upstream, none at all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tests.conformance.clients import Clients
from tests.helpers.app import JSON, App, Reply, running_app
from tests.helpers.distributions import make_wheel, metadata_text, wheel_name
from tests.helpers.upstream import FakeFile, FakeUpstream
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SIX = "/root/dev/+simple/six/"
LEAF = "wheelyard-leaf"


@pytest.fixture
async def second() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
async def app(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data", upstream=upstream) as app:
        yield app


async def get(app: App, path: str) -> Reply:
    return await app.ask(path, headers={"Accept": JSON})


def shown(answer: Reply) -> list[tuple[str, str]]:
    """Return the index and the name of each file of a page."""
    assert answer.status == 200, answer.body
    parts = [file["url"].removeprefix("../../../../").split("/") for file in answer.json()["files"]]
    return sorted((part[1], part[-1]) for part in parts)


async def path_of(app: App, project: str, number: int = 0) -> str:
    url: str = (await app.page(project))["files"][number]["url"]
    return "/" + url.removeprefix("../../../../")


class TestSeveral:
    @pytest.fixture(autouse=True)
    async def _mirrors(self, app: App, second: FakeUpstream) -> None:
        await app.make_index("root/second", type="mirror", mirror_url=second.url)
        await app.change_index("root/dev", bases="root/second,root/pypi")

    async def test_files_of_all_are_shown_and_the_first_wins_by_name(
        self, app: App, upstream: FakeUpstream, second: FakeUpstream
    ) -> None:
        upstream.add_wheel("six", "1.0")
        upstream.add_wheel("six", "2.0")
        other = make_wheel("six", "1.0", payload_bytes=9)
        second.add(FakeFile("six", wheel_name("six", "1.0"), other, "1.0"))

        page = await get(app, SIX)

        assert shown(page) == [("pypi", wheel_name("six", "2.0")), ("second", wheel_name("six", "1.0"))]
        assert page.json()["versions"] == ["1.0", "2.0"]
        path = next(
            "/" + file["url"].removeprefix("../../../../")
            for file in page.json()["files"]
            if "/second/" in file["url"]
        )
        assert (await app.ask(path)).body == other
        await app.change_index("root/dev", bases="root/pypi,root/second")
        assert {index for index, _ in shown(await get(app, SIX))} == {"pypi"}

    @pytest.mark.parametrize("which", ["first", "last"])
    async def test_project_that_one_has_is_shown(
        self, app: App, upstream: FakeUpstream, second: FakeUpstream, which: str
    ) -> None:
        (second if which == "first" else upstream).add_wheel("six", "1.0")

        assert len(shown(await get(app, SIX))) == 1
        assert (await get(app, "/root/dev/+simple/nobody/")).status == 404

    @pytest.mark.parametrize("which", ["first", "last"])
    async def test_page_without_a_mirror_that_is_down_is_never_made(
        self, app: App, upstream: FakeUpstream, second: FakeUpstream, which: str
    ) -> None:
        """A stranger's file of the other mirror must not stand in for one of the mirror that is down."""
        down, up = (second, upstream) if which == "first" else (upstream, second)
        up.add_wheel("six", "9.0")
        await down.stop()

        answer = await get(app, SIX)

        assert (answer.status, answer.headers["cache-control"]) == (502, "no-store")
        assert int(answer.headers["retry-after"]) > 0

    async def test_cached_page_stands_in_for_a_mirror_that_is_down(
        self, app: App, upstream: FakeUpstream, second: FakeUpstream
    ) -> None:
        upstream.add_wheel("six", "2.0")
        second.add_wheel("six", "1.0")
        before = await get(app, SIX)
        await second.stop()
        await app.ask(f"{SIX}refresh", method="POST")

        answer = await get(app, SIX)

        assert answer.headers["warning"].startswith("110")
        assert (len(shown(answer)), answer.json()) == (2, before.json())


async def test_plain_html_upstream_without_digests_serves_installers(
    app: App, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """No JSON, no digest, no size, no ranges, plain HTTP: what old company indexes are."""
    file = upstream.add_wheel(LEAF, "1.0", payload_bytes=50_000)
    upstream.style, upstream.has_ranges = "html", False
    anchor = f'<a href="../../{file.path.lstrip("/")}">{file.filename}</a>'
    body = f"<html><body><h1>Links</h1>{anchor}</body></html>"
    upstream.pages[LEAF] = lambda: web.Response(text=body, content_type="text/html")

    page = await app.page(LEAF)
    path = await path_of(app, LEAF)
    outcome = await Clients(app, tmp_path).pip("install", "--target", str(tmp_path / "target"), LEAF)

    assert page["files"][0]["hashes"] == {}
    assert outcome.status == 0, outcome.output
    for _ in range(2):
        assert (await app.ask(path)).body == file.content
    assert (await app.ask(f"{path}.metadata")).body == metadata_text(LEAF, "1.0")
    assert app.services.mirror.counters.file_downloads == 1
    listed = (await get(app, "/root/pypi/+simple/")).json()["projects"]
    assert listed == [{"name": LEAF}]


async def test_document_beside_a_wheel_is_asked_for_where_the_option_says_so(
    app: App, upstream: FakeUpstream
) -> None:
    for project, provides in (("six", "no"), ("idna", "yes")):
        await app.change_index("root/pypi", mirror_provides_core_metadata=provides)
        wheel = upstream.add_wheel(project, "1.0")
        beside = FakeFile(project, f"{wheel.filename}.metadata", metadata_text(project, "1.0"), "1.0")
        upstream.files[beside.path] = beside
        page = {"files": [wheel.entry(upstream.base)]}
        upstream.pages[project] = partial(web.json_response, page)

        answer = await app.ask(await path_of(app, project) + ".metadata")

        assert answer.body == beside.content
        assert upstream.requests[beside.path] == (provides == "yes")


async def test_new_upstream_begins_without_anything_of_the_old_one(
    app: App, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """Pages, links, core metadata and the list that one upstream gave are not believed for another."""
    file = upstream.add_wheel("six", "1.0")
    second.add_wheel("idna", "3.0")
    second.serials["six"] = 1
    path = await path_of(app, "six")
    assert (await app.ask(f"{path}.metadata")).status == 200
    assert (await app.ask(path)).body == file.content
    before = (await get(app, "/root/pypi/+simple/")).json()["projects"]

    await app.change_index("root/pypi", mirror_url=second.url)

    assert shown(await get(app, SIX)) == []
    assert [(await app.ask(path + tail)).status for tail in ("", ".metadata")] == [404, 404]
    assert shown(await get(app, "/root/dev/+simple/idna/")) == [("pypi", wheel_name("idna", "3.0"))]
    after = (await get(app, "/root/pypi/+simple/")).json()["projects"]
    assert [[project["name"] for project in projects] for projects in (before, after)] == [
        ["six"],
        ["idna", "six"],
    ]


async def test_offline_node_shows_and_serves_what_is_here_and_asks_nobody(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    for version in ("1.0", "2.0"):
        upstream.add_wheel("six", version)
    async with running_app(tmp_path / "data", upstream=upstream) as app:
        here, elsewhere = await path_of(app, "six", 0), await path_of(app, "six", 1)
        content = (await app.ask(here)).body
        downloads = app.services.mirror._downloads
        await eventually(lambda: not downloads._tasks, what="the file was kept")
        await get(app, "/root/dev/+simple/")
    asked = upstream.requests.copy()

    async with running_app(tmp_path / "data", upstream=upstream, offline=True) as app:
        page, file = await get(app, SIX), await app.ask(here)
        missing = [
            await app.ask(path)
            for path in (elsewhere, f"{elsewhere}.metadata", "/root/dev/+simple/idna/", f"{SIX}refresh")
        ]
        lists = [(await get(app, path)).json()["projects"] for path in ("/root/dev/+simple/",)]

        assert (len(shown(page)), page.json()["versions"]) == (1, ["1.0"])
        assert file.body == content
        assert [answer.status for answer in missing[:3]] == [502, 502, 502]
        assert all(int(answer.headers["retry-after"]) > 0 for answer in missing[:3])
        assert [[project["name"] for project in projects] for projects in lists] == [["six"]]
    assert upstream.requests == asked


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/", "http://[fe80::1]/", "http://2852039166/"]
)
async def test_redirect_to_a_link_local_address_is_followed_nowhere(
    app: App, upstream: FakeUpstream, target: str
) -> None:
    """Not from a page, a file, core metadata or the list of projects."""
    file = upstream.add_wheel("six", "1.0")
    path = await path_of(app, "six")
    for place in ("/simple/", "/simple/idna/", file.path):
        upstream.fault(place, status=302, headers={"Location": target})

    for asked in ("/root/pypi/+simple/", "/root/dev/+simple/idna/", path, f"{path}.metadata"):
        answer = await get(app, asked)
        assert answer.status == 502, asked
        assert b"link-local" in answer.body
