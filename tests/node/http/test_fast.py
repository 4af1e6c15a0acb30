"""The fast path: its answers are those of the ordinary way, and never of an earlier state."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from node.finished import REQUEST_BYTES_MAX
from tests.helpers.app import HTML, JSON, PIP_ACCEPT, App, running_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.helpers.upstream import FakeUpstream

PAGE = "/root/dev/+simple/thing/"
CHANGING = {"date", "x-devpi-serial"}


@pytest.fixture
async def app(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data", upstream=upstream) as app:
        yield app


@dataclass
class Wire:
    """An answer as it came over the wire; the order of header lines does not count."""

    status_line: bytes
    headers: list[bytes]
    body: bytes


async def raw(app: App, path: str, *lines: str) -> Wire:
    """Ask byte by byte on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
    try:
        writer.write("\r\n".join((f"GET {path} HTTP/1.1", "Host: x", *lines, "", "")).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status_line, *headers = head.rstrip(b"\r\n").split(b"\r\n")
        lengths = [int(line.split(b":")[1]) for line in headers if line.lower().startswith(b"content-length")]
        body = await reader.readexactly(lengths[0]) if lengths and b" 304 " not in status_line else b""
    finally:
        writer.transport.abort()
    kept = (line for line in headers if not line.lower().startswith((b"date:", b"x-devpi-serial:")))
    return Wire(status_line, sorted(kept), body)


async def file_path(app: App, project: str = "thing") -> str:
    url: str = (await app.page(project))["files"][0]["url"]
    return "/" + url.removeprefix("../../../../")


HEADS = [
    (),
    ("Accept: */*",),
    (f"Accept: {PIP_ACCEPT}", "Accept-Encoding: gzip, deflate"),
    (f"Accept: {PIP_ACCEPT}", "Accept-Encoding: identity", "Cache-Control: max-age=0"),
    (f"Accept: {HTML}", "Accept-Encoding: gzip;q=0, *"),
    (f"Accept: {JSON}", "User-Agent: pip/26.3", "Authorization: Basic cm9vdDo="),
    ("Accept: text/html", "If-None-Match: *"),
    ("Accept: text/html", 'If-None-Match: "no", W/"such"'),
    ("If-Modified-Since: Sun, 22 Nov 2026 16:00:00 GMT",),
    ("Accept: text/html", "Origin: https://jupyter.example.org"),
]


@pytest.mark.parametrize("what", ["page", "metadata", "file", "mirrored", "encoded"])
@pytest.mark.parametrize("lines", HEADS, ids=lambda lines: (lines[-1] if lines else "none")[:40])
async def test_fast_answer_equals_the_ordinary_one(
    app: App, upstream: FakeUpstream, what: str, lines: tuple[str, ...]
) -> None:
    await app.upload_wheel("thing", "1.0")
    upstream.add_wheel("six", "1.0")
    file = await file_path(app)
    path = {
        "page": PAGE,
        "encoded": "/root/dev/%2Bsimple/thing/",
        "file": file,
        "metadata": file + ".metadata",
        "mirrored": "/root/dev/+simple/six/",
    }[what]

    ordinary = await raw(app, path, *lines)
    before = app.fast_answers
    fast = await raw(app, path, *lines)

    assert app.fast_answers == before + 1
    assert fast == ordinary


async def test_requests_that_need_more_go_the_ordinary_way(app: App) -> None:
    content = await app.upload_wheel("thing", "1.0")
    file = await file_path(app)
    for path in (PAGE, file):
        await raw(app, path)
        await raw(app, path)
    before = app.fast_answers

    part = await raw(app, file, "Range: bytes=0-3")
    described = await raw(app, file, "Accept: application/json")
    absolute = await raw(app, PAGE, "X-Devpi-Absolute-Urls: 1", "X-Outside-URL: https://out.example.org/x")
    head = await app.ask(PAGE, method="HEAD")

    assert app.fast_answers == before
    assert part.body == content[:4]
    assert b'"type"' in described.body
    assert b"https://out.example.org/x/root/dev/+f/" in absolute.body
    assert head.body == b""


async def test_path_whose_answer_hangs_on_the_user_agent_is_not_kept(app: App) -> None:
    await app.upload_wheel("thing", "1.0")
    for path in ("/root/dev/+simple/thing", "/root/dev/thing/", "/root/dev/"):
        for _ in range(2):
            installer = await raw(app, path, "User-Agent: pip/26.3")
            browser = await raw(app, path)
            assert installer != browser


async def test_long_request_is_not_remembered(app: App) -> None:
    await app.upload_wheel("thing", "1.0")
    for _ in range(3):
        answer = await raw(app, f"{PAGE}?{'x' * REQUEST_BYTES_MAX}")
        assert answer.status_line.endswith(b"200 OK")

    assert app.fast_answers == 0
    assert all(len(target) < REQUEST_BYTES_MAX for target, _, _ in app.services.finished._requests)


# Nothing of an earlier state

Change = tuple[str, "Callable[[App], Awaitable[None]]"]


async def asked(app: App, method: str, path: str, **body: object) -> None:
    answer = await app.ask(path, method=method, user="root", **({"json": body} if body else {}))
    assert answer.status < 300, answer


async def upload_more(app: App) -> None:
    await app.upload_wheel("thing", "2.0")


async def push_more(app: App) -> None:
    await app.upload_wheel("thing", "3.0", index="root/other")
    await asked(app, "POST", "/root/other", name="thing", version="3.0", targetindex="root/dev")


async def delete_file(app: App) -> None:
    await asked(app, "DELETE", await file_path(app))


async def delete_version(app: App) -> None:
    await asked(app, "DELETE", "/root/dev/thing/1.0")


async def delete_project(app: App) -> None:
    await asked(app, "DELETE", "/root/dev/thing")


async def delete_index(app: App) -> None:
    await asked(app, "DELETE", "/root/dev")


async def add_base(app: App) -> None:
    await app.upload_wheel("thing", "4.0", index="root/other")
    await app.change_index("root/dev", bases=["root/other", "root/pypi"])


async def whitelist(app: App) -> None:
    await app.change_index("root/dev", mirror_whitelist=["thing"])


async def restrict(app: App) -> None:
    await app.change_index("root/dev", acl_read=["root"])


CHANGES = [
    upload_more,
    push_more,
    delete_file,
    delete_version,
    delete_project,
    delete_index,
    add_base,
    whitelist,
    restrict,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.replace("_", "-"))
async def test_page_is_never_stale_after_a_change(
    app: App, upstream: FakeUpstream, change: Callable[[App], Awaitable[None]]
) -> None:
    upstream.add_wheel("thing", "9.0")
    await app.make_index("root/other")
    await app.upload_wheel("thing", "1.0")
    before = await raw(app, PAGE)
    fast = app.fast_answers
    assert (await raw(app, PAGE), app.fast_answers) == (before, fast + 1)

    await change(app)

    after = await raw(app, PAGE)
    assert after != before
    assert (await raw(app, PAGE)).body == after.body


@pytest.mark.parametrize("change", [delete_file, delete_version, delete_project, delete_index, restrict],
                         ids=lambda change: change.__name__.replace("_", "-"))  # fmt: skip
async def test_deleted_file_is_gone_from_the_fast_path(
    app: App, change: Callable[[App], Awaitable[None]]
) -> None:
    await app.upload_wheel("thing", "1.0")
    paths = [await file_path(app), await file_path(app) + ".metadata"]
    for path in (*paths, *paths):
        assert (await raw(app, path)).status_line.endswith(b"200 OK")

    await change(app)

    for path in paths:
        assert (await raw(app, path)).status_line.split()[1] in {b"401", b"404", b"410"}


async def test_page_of_a_deleted_user_is_gone(app: App) -> None:
    await app.make_user("alice")
    await app.make_index("alice/dev", user="alice")
    await app.make_index("root/over", bases=["alice/dev"])
    content = "alice/dev/+simple/thing/"
    form = await app.ask(
        "/alice/dev/",
        method="POST",
        user="alice",
        data={":action": "submit", "name": "thing", "version": "1"},
    )
    assert form.status == 200
    for _ in range(2):
        assert (await raw(app, "/" + content)).status_line.endswith(b"200 OK")
        assert (await raw(app, "/root/over/+simple/thing/")).status_line.endswith(b"200 OK")

    await asked(app, "DELETE", "/alice")

    assert b" 404 " in (await raw(app, "/" + content)).status_line
    assert b" 404 " in (await raw(app, "/root/over/+simple/thing/")).status_line


async def test_private_name_hides_the_mirror_at_once(app: App, upstream: FakeUpstream) -> None:
    upstream.add_wheel("thing", "9.0")
    for _ in range(2):
        assert b"thing-9.0" in (await raw(app, PAGE)).body

    await app.upload_wheel("thing", "1.0")

    page = await raw(app, PAGE)
    assert b"thing-9.0" not in page.body
    assert b"thing-1.0" in page.body


async def test_mirror_refresh_shows_at_once(app: App, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    path = "/root/dev/+simple/six/"
    before = [await raw(app, path) for _ in range(2)][1]
    upstream.add_wheel("six", "2.0")
    assert await raw(app, path) == before

    await app.ask(path + "refresh", method="POST")

    assert b"six-2.0" in (await raw(app, path)).body


async def test_mirror_page_is_asked_again_when_it_expires(app: App, upstream: FakeUpstream) -> None:
    await app.change_index("root/pypi", mirror_cache_expiry=1)
    upstream.add_wheel("six", "1.0")
    path = "/root/dev/+simple/six/"
    await raw(app, path)
    upstream.add_wheel("six", "2.0")

    for _ in range(400):
        if b"six-2.0" in (await raw(app, path)).body:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the page never expired")


async def test_stale_page_says_so_and_stops_saying_so(app: App, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    path = "/root/dev/+simple/six/"
    fresh = [await raw(app, path) for _ in range(2)][1]
    mirror = app.services.mirror
    upstream.fault("/simple/six/", status=503)
    await app.ask(path + "refresh", method="POST")

    stale = [await raw(app, path) for _ in range(2)]
    upstream.faults.clear()
    mirror._pages._down_until.clear()
    await app.ask(path + "refresh", method="POST")
    again = await raw(app, path)

    assert all(any(line.startswith(b"Warning: 110") for line in answer.headers) for answer in stale)
    assert again == fresh
