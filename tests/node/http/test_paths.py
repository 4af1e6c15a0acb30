"""Paths, prefixes and links, behind proxies and without."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

from node.http.paths import cleaned_path
from tests.helpers.app import JSON, App, running_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data", public_url="http://out.example.org/prefix") as app:
        await app.upload_wheel("thing", "1.0")
        yield app


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b/", "/a/b/"),
        ("//a///b//", "/a/b/"),
        ("/prefix/a", "/a"),
        ("//prefix//a", "/a"),
        ("/prefix", "/"),
        ("/prefixed/a", "/prefixed/a"),
    ],
)
def test_path_is_cleaned(path: str, expected: str) -> None:
    assert cleaned_path(path, "/prefix") == expected


@pytest.mark.parametrize("prefix", ["", "/prefix"])
@pytest.mark.parametrize("path", ["+simple/thing/", "+simple/thing", "simple/thing/", "thing/", "thing"])
async def test_links_lead_to_the_file_from_every_spelling(app: App, prefix: str, path: str) -> None:
    asked = f"{prefix}/root/dev/{path}"
    answer = await app.ask(asked, headers={"Accept": JSON})
    file = urljoin(asked, answer.json()["files"][0]["url"])

    assert file.startswith(f"{prefix}/root/dev/+f/")
    assert (await app.ask(file)).status == 200


@pytest.mark.parametrize("prefix", ["", "/prefix"])
@pytest.mark.parametrize(
    "path", ["/root/dev/+simple/", "/root/dev/+simple", "/root/dev/simple/", "/root/dev/", "/root/dev"]
)
async def test_links_of_the_list_lead_to_pages(app: App, prefix: str, path: str) -> None:
    answer = await app.ask(prefix + path, headers={"Accept": "text/html", "User-Agent": "pip/26.3"})
    href = answer.body.decode().partition('href="')[2].partition('"')[0]
    page = urljoin(prefix + path, href)

    assert answer.status == 200
    assert b"Links for thing" in (await app.ask(page)).body


async def test_refresh_leads_back_to_the_page_under_a_prefix(app: App) -> None:
    answer = await app.ask("/prefix/root/dev/+simple/thing/refresh", method="POST")

    assert urljoin("/prefix/root/dev/+simple/thing/refresh", answer.headers["location"]) == (
        "/prefix/root/dev/+simple/thing/"
    )
