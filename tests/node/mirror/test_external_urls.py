"""``mirror_use_external_urls``: clients fetch files from upstream itself, and everything else stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.clients import Clients
from tests.helpers.app import App, running_app
from tests.helpers.distributions import metadata_text, wheel_name
from tests.helpers.upstream import FakeFile, FakeUpstream
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LEAF = "wheelyard-leaf"


@pytest.fixture
async def app(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data", upstream=upstream) as app:
        await app.change_index(
            "root/pypi",
            mirror_url=upstream.url.replace("http://", "http://user:word@"),
            mirror_use_external_urls=True,
        )
        yield app


async def path_of(app: App, project: str) -> str:
    url: str = (await app.page(project))["files"][0]["url"]
    return "/" + url.removeprefix("../../../../")


def asked_for(upstream: FakeUpstream, file: FakeFile) -> int:
    return upstream.requests[file.path]


async def test_file_is_a_redirect_to_upstream(app: App, upstream: FakeUpstream) -> None:
    """Whatever is asked of the file; our own page still links to us, so lock files name one place."""
    file = upstream.add_wheel(LEAF, "1.0")
    path = await path_of(app, LEAF)
    expected = (302, upstream.base + file.path, "no-store", b"")

    answers = [
        await app.ask(path),
        await app.ask(path, method="HEAD"),
        await app.ask(path, headers={"Range": "bytes=0-9"}),
        await app.ask(path, headers={"If-None-Match": f'"{file.sha256}"'}),
    ]

    assert path.startswith("/root/pypi/+f/")
    for answer in answers:
        seen = (answer.status, answer.headers["location"], answer.headers["cache-control"], answer.body)
        assert seen == expected
        assert answer.headers["access-control-allow-origin"] == "*"
    assert asked_for(upstream, file) == 0


async def test_url_that_fits_no_header_is_written_so_that_it_does(app: App, upstream: FakeUpstream) -> None:
    content = upstream.add_wheel(LEAF, "1.0").content
    odd = f"{upstream.base}/files/ümläut dir/a%2Bb.whl?x=ö"
    upstream.add(FakeFile(LEAF, wheel_name(LEAF, "2.0"), content, "2.0", extra={"url": odd}))
    upstream.files.pop(f"/files/{LEAF}/{wheel_name(LEAF, '1.0')}")

    answer = await app.ask(await path_of(app, LEAF))

    assert answer.status == 302
    assert answer.headers["location"].isascii()
    assert " " not in answer.headers["location"]
    assert answer.headers["location"].endswith("a%2Bb.whl?x=%C3%B6")


async def test_reader_of_a_restricted_mirror_gets_no_redirect_that_is_kept(
    app: App, upstream: FakeUpstream
) -> None:
    upstream.add_wheel(LEAF, "1.0")
    path = await path_of(app, LEAF)
    await app.change_index("root/pypi", acl_read=["root"])

    stranger, reader = await app.ask(path), await app.ask(path, user="root")

    assert (stranger.status, "location" in stranger.headers) == (401, False)
    assert (reader.status, reader.headers["cache-control"]) == (302, "no-store")


async def test_file_that_is_here_is_served_from_here(
    app: App, upstream: FakeUpstream, tmp_path: Path
) -> None:
    file = upstream.add_wheel(LEAF, "1.0")
    path = await path_of(app, LEAF)
    await app.change_index("root/pypi", mirror_use_external_urls=False)
    assert (await app.ask(path)).body == file.content
    kept = tmp_path / "data" / "cache" / "blobs" / file.sha256[:2] / file.sha256
    await eventually(kept.exists, what="the file was kept")
    await app.change_index("root/pypi", mirror_use_external_urls="yes")

    answer = await app.ask(path)

    assert (answer.status, answer.body) == (200, file.content)
    assert asked_for(upstream, file) == 1


async def test_core_metadata_is_served_from_here(app: App, upstream: FakeUpstream) -> None:
    file = upstream.add_wheel(LEAF, "1.0", payload_bytes=300_000)
    path = await path_of(app, LEAF)

    answer = await app.ask(f"{path}.metadata")

    assert (answer.status, answer.body) == (200, metadata_text(LEAF, "1.0"))
    assert upstream.sent_bytes[file.path] < len(file.content)
    assert (await app.ask(path)).status == 302


async def test_push_makes_the_bytes_ours_first(app: App, upstream: FakeUpstream) -> None:
    file = upstream.add_wheel(LEAF, "1.0")
    order = {"name": LEAF, "version": "1.0", "targetindex": "root/dev"}

    answer = await app.ask("/root/pypi", method="POST", user="root", json=order)
    await upstream.stop()

    assert answer.status == 200
    path = await path_of(app, LEAF)
    assert path.startswith("/root/dev/+f/")
    assert (await app.ask(path)).body == file.content


async def test_pip_and_uv_install_through_the_redirect(
    app: App, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """Both resolve by metadata from here and take the wheel from there; pip checks its hash on the way."""
    file = upstream.add_wheel(LEAF, "1.0")
    clients = Clients(app, tmp_path)
    for client in ("pip", "uv"):
        target = tmp_path / client
        options = ("--target", str(target), LEAF)
        if client == "pip":
            outcome = await clients.pip("install", *options)
        else:
            outcome = await clients.uv("pip", "install", "-i", clients.index_url, *options)

        assert outcome.status == 0, outcome.output
        assert (target / "wheelyard_leaf/__init__.py").exists()
    assert asked_for(upstream, file) >= 2
    assert app.services.mirror.counters.file_requests == 0
