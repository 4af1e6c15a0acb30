"""A kept page that went out of date is made anew in front of the parser, equal to what the ordinary way makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from node.simple.renewal import RENEWED_BYTES_MAX
from tests.helpers.app import JSON, PIP_ACCEPT, App, running_app
from tests.node.http.test_fast import PAGE, raw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.helpers.upstream import FakeUpstream
    from tests.node.http.test_fast import Wire

WAYS = [
    (),
    (f"Accept: {PIP_ACCEPT}", "Accept-Encoding: gzip, deflate"),
    (f"Accept: {JSON}", "Accept-Encoding: identity"),
]


@pytest.fixture
async def app(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data", upstream=upstream) as app:
        await app.upload_wheel("thing", "1.0")
        yield app


async def seen(app: App, path: str, *lines: str) -> tuple[bool, Wire]:
    """Ask; say whether the answer came from in front of the parser."""
    before = app.fast_answers
    answer = await raw(app, path, *lines)
    return app.fast_answers > before, answer


def forget(app: App) -> None:
    """Have the next page made the ordinary way."""
    app.services.finished._answers.clear()
    app.services.finished.size_bytes = 0


@pytest.mark.parametrize("lines", WAYS, ids=["html", "gzip", "json"])
async def test_page_after_an_upload_is_made_at_once_and_equals_the_ordinary_one(
    app: App, lines: tuple[str, ...]
) -> None:
    await raw(app, PAGE, *lines)
    await app.upload_wheel("thing", "2.0")

    is_fast, renewed = await seen(app, PAGE, *lines)

    forget(app)
    is_fast_now, ordinary = await seen(app, PAGE, *lines)
    assert (is_fast, is_fast_now) == (True, False)
    assert renewed == ordinary


async def test_renewed_page_is_kept(app: App) -> None:
    await raw(app, PAGE)
    await app.upload_wheel("thing", "2.0")
    renewed = [await seen(app, PAGE) for _ in range(2)]

    assert [is_fast for is_fast, _ in renewed] == [True, True]
    assert renewed[0] == renewed[1]
    assert b"thing-2.0" in renewed[0][1].body


@pytest.mark.parametrize("change", ["restricted", "index-gone", "project-gone", "base-restricted"])
async def test_page_that_is_no_longer_for_everybody_is_not_renewed(app: App, change: str) -> None:
    """What is refused is refused by the ordinary way, which can say so; nothing of the old page is given out."""
    await app.make_index("root/top", bases=["root/dev"])
    path = "/root/top/+simple/thing/" if change == "base-restricted" else PAGE
    await raw(app, path)
    if change in {"restricted", "base-restricted"}:
        await app.change_index("root/dev", acl_read=["root"])
    else:
        gone = "/root/dev" if change == "index-gone" else "/root/dev/thing"
        assert (await app.ask(gone, method="DELETE", user="root")).status < 300

    is_fast, answer = await seen(app, path)

    assert not is_fast
    assert answer.status_line.split()[1] == (b"401" if change == "restricted" else b"404")
    assert b"whl" not in answer.body


async def test_page_that_a_mirror_has_a_part_in_is_not_renewed(app: App, upstream: FakeUpstream) -> None:
    """Its mirror may have to be asked, which nobody in front of the parser can wait for."""
    upstream.add_wheel("both", "1.0")
    await app.change_index("root/dev", mirror_whitelist=["both"])
    await app.upload_wheel("both", "2.0")
    path = "/root/dev/+simple/both/"
    await raw(app, path)
    await app.upload_wheel("both", "3.0")

    is_fast, answer = await seen(app, path)

    assert not is_fast
    assert all(b"both-%d.0" % number in answer.body for number in (1, 2, 3))


async def test_large_page_is_not_renewed(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    size_bytes = len((await raw(app, PAGE)).body)
    monkeypatch.setattr("node.simple.renewal.RENEWED_BYTES_MAX", size_bytes - 1)
    await app.upload_wheel("thing", "2.0")

    is_fast, answer = await seen(app, PAGE)

    assert not is_fast
    assert b"thing-2.0" in answer.body
    assert size_bytes < RENEWED_BYTES_MAX
