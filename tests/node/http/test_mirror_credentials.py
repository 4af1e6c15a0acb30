"""User and password in ``mirror_url``: they open upstream's doors, and show up nowhere else."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.helpers.app import App, Reply, running_app
from tests.helpers.distributions import metadata_text
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

USER, PASSWORD = "mirror-user", "pa%20ss+word"
SECRETS = [text.encode() for text in (USER, PASSWORD, "pa ss+word")] + [
    base64.b64encode(f"{USER}:pa ss+word".encode())
]


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        upstream.login = aiohttp.encode_basic_auth(USER, "pa ss+word", "utf-8")
        yield upstream


@pytest.fixture
async def app(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data", upstream=upstream) as app:
        await app.change_index("root/pypi", mirror_url=with_login(upstream))
        yield app


def with_login(upstream: FakeUpstream) -> str:
    return upstream.url.replace("http://", f"http://{USER}:{PASSWORD}@")


def leaks(answer: Reply) -> list[bytes]:
    text = answer.body + repr(answer.headers).encode()
    return [secret for secret in SECRETS if secret in text]


PATHS = (
    "/", "/root", "/root/", "/root/pypi", "/root/pypi?no_projects=", "/root/pypi/+api", "/root/pypi/+simple/",
    "/root/pypi/+simple/six/", "/root/dev/+simple/", "/root/dev/+simple/six/", "/root/pypi/six", "/root/dev/six/1.0",
    "/+status", "/+metrics", "/+nodes", "/root/pypi/+simple/missing/",
)  # fmt: skip


async def test_everything_is_fetched_with_them_and_nothing_shows_them(
    app: App, upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole answers to a stranger and to a user who may not change the index; and the log, also of an outage."""
    file = upstream.add_wheel("six", "1.0", payload_bytes=300_000)
    await app.make_user("alice")
    path = f"/root/pypi/+f/{file.sha256[:3]}/{file.sha256[3:16]}/{file.filename}"
    answers = {
        (asked, user, accept): await app.ask(asked, user=user, headers={"Accept": accept})
        for asked in (*PATHS, f"{path}.metadata", path)
        for user in (None, "alice")
        for accept in ("text/html", "application/json", "application/vnd.pypi.simple.v1+json")
    }
    upstream.login = "Basic changed"
    await app.change_index("root/pypi", mirror_cache_expiry=0)
    for asked in ("/root/pypi/+simple/other/", "/root/pypi/+simple/", "/root/dev/+simple/six/"):
        answers[asked, None, ""] = await app.ask(asked)
    await upstream.stop()
    answers["/root/pypi/+simple/third/", None, ""] = await app.ask("/root/pypi/+simple/third/")

    assert answers[path, None, "text/html"].body == file.content
    assert answers[f"{path}.metadata", None, "text/html"].body == metadata_text("six", "1.0")
    assert answers["/root/pypi", None, "application/json"].json()["result"]["mirror_url"] == upstream.url
    assert answers["/root/pypi/+simple/other/", None, ""].status == 502
    assert {asked: found for asked, answer in answers.items() if (found := leaks(answer))} == {}
    logged = "".join(capsys.readouterr()).encode()
    assert b"401" in logged
    assert not [secret for secret in SECRETS if secret in logged]


async def test_who_may_change_the_index_sees_them(app: App, upstream: FakeUpstream) -> None:
    """And nobody who asks through the same caches afterwards."""
    url = with_login(upstream)
    for asked in ("/root/pypi?no_projects=", "/root", "/"):
        owner, stranger = await app.ask(asked, user="root"), await app.ask(asked)

        assert (url.encode() in owner.body, leaks(stranger)) == (True, []), asked
        assert owner.headers["cache-control"] == stranger.headers["cache-control"] == "private, no-cache"
    changed = await app.ask("/root/pypi", method="PATCH", user="root", json=["title=x"])
    assert changed.json()["result"]["mirror_url"] == url


async def test_index_without_them_is_the_same_for_all(tmp_path: Path) -> None:
    async with FakeUpstream() as upstream, running_app(tmp_path / "data", upstream=upstream) as app:
        answers = [await app.ask("/root/pypi?no_projects=", user=user) for user in ("root", None)]

        assert answers[0].body == answers[1].body
        assert "cache-control" not in answers[0].headers


@pytest.mark.parametrize(
    "url",
    [
        "http://mirror-user:pa%20ss+word@",
        "http://mirror-user:pa%20ss+word@h/?q",
        "ftp://mirror-user:pa%20ss+word@h/",
    ],
)
async def test_refused_url_is_not_repeated(app: App, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = await app.ask("/root/pypi", method="PATCH", user="root", json={"mirror_url": url})

    assert (answer.status, leaks(answer)) == (400, [])
    assert PASSWORD not in "".join(capsys.readouterr())
