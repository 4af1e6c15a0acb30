"""Lists that are too large to be kept: written while they are sent, and otherwise like any other."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from node.simple import list_pages
from tests.helpers.app import HTML, JSON, App, running_app
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OWN, OVER = "/root/pypi/+simple/", "/root/dev/+simple/"
AS_JSON = {"Accept": JSON}


@pytest.fixture
async def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    """A node that takes every list for a large one."""
    monkeypatch.setattr(list_pages, "STREAMED_BYTES_MIN", 0)
    monkeypatch.setattr("node.http.indexes.STREAMED_BYTES_MIN", 0)
    async with FakeUpstream() as upstream, running_app(tmp_path / "data", upstream=upstream) as app:
        upstream.serials = {"Six": 500, "idna": 700, "thing": 900}
        await app.upload_wheel("thing", "1.0")
        yield app


@pytest.mark.parametrize("path", [OWN, OVER])
@pytest.mark.parametrize("accept", [JSON, HTML, "text/html"])
async def test_large_list_is_the_same_as_a_small_one(
    app: App, monkeypatch: pytest.MonkeyPatch, path: str, accept: str
) -> None:
    plain = await app.ask(path, headers={"Accept": accept})
    packed = await app.ask(path, headers={"Accept": accept, "Accept-Encoding": "gzip"})
    monkeypatch.setattr(list_pages, "STREAMED_BYTES_MIN", 1 << 20)
    small = await app.ask(path, headers={"Accept": accept})

    assert "content-length" not in plain.headers
    assert plain.body == small.body
    assert (packed.headers["content-encoding"], gzip.decompress(packed.body)) == ("gzip", small.body)
    for name in ("content-type", "cache-control", "vary", "x-pypi-last-serial"):
        assert plain.headers[name] == small.headers[name]
    assert len({answer.headers["etag"] for answer in (plain, packed, small)}) == 3


async def test_unchanged_large_list_is_304_without_being_written(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    etag = (await app.ask(OVER, headers=AS_JSON)).headers["etag"]
    monkeypatch.setattr(list_pages, "write_list", lambda *_, **__: pytest.fail("it was written"))

    again = await app.ask(OVER, headers={**AS_JSON, "If-None-Match": etag})
    head = await app.ask(OVER, method="HEAD", headers=AS_JSON)

    assert (again.status, again.headers["etag"], again.body) == (304, etag, b"")
    assert (head.status, head.headers["etag"], head.body) == (200, etag, b"")
    await app.upload_wheel("newer", "1.0")
    assert (await app.ask(OVER, method="HEAD", headers=AS_JSON)).headers["etag"] != etag


async def test_devpis_json_is_the_same(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    large = await app.ask("/root/pypi")
    monkeypatch.setattr("node.http.indexes.STREAMED_BYTES_MIN", 1 << 20)

    assert large.body == (await app.ask("/root/pypi")).body
    assert large.headers["content-type"] == "application/json"
    assert json.loads(large.body)["result"]["projects"] == ["idna", "six", "thing"]


async def test_list_that_cannot_be_read_to_its_end_ends_the_connection(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Any:
        yield b'{"meta":'
        raise OSError(5, "the disk failed")

    monkeypatch.setattr(list_pages, "write_list", broken)

    with pytest.raises(aiohttp.ClientError):
        await app.ask(OVER, headers=AS_JSON)

    monkeypatch.undo()
    assert (await app.ask(OVER, headers=AS_JSON)).status == 200
