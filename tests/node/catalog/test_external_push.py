"""Push to another server: what it receives, and devpi's action log of what it answered."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pytest
from aiohttp import web

from tests.helpers.app import App, Reply, running_app
from tests.helpers.distributions import make_sdist, make_wheel, sdist_name, wheel_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

WHEEL, SDIST = wheel_name("thing", "1.0"), sdist_name("thing", "1.0")


@dataclass
class OtherServer:
    """Takes uploads at ``/legacy/``, and answers each action with a status of the test's choice."""

    statuses: dict[str, int] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 22)
        app.router.add_post("/legacy/", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/legacy/"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        form = await request.post()
        taken: dict[str, Any] = {name: form.getall(name) for name in form}
        content = form.get("content")
        if isinstance(content, web.FileField):
            taken["content"] = (content.filename, content.file.read())
        taken["auth"] = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        self.received.append(taken)
        status = self.statuses.get(str(form[":action"]), 200)
        return web.Response(status=status, text="the other server's words")


@pytest.fixture
async def other() -> AsyncIterator[OtherServer]:
    async with OtherServer() as server:
        yield server


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data") as app:
        await app.upload_sdist("thing", "1.0")
        await app.upload_wheel("thing", "1.0")
        yield app


async def push(app: App, url: str, *, user: str | None = "root", **more: Any) -> Reply:
    order = {"name": "thing", "version": "1.0", "posturl": url, "username": "me", "password": "pä:ss", **more}
    return await app.ask("/root/dev", method="POST", user=user, json=order)


async def test_every_file_arrives_with_metadata_digest_and_credentials(app: App, other: OtherServer) -> None:
    serial = app.services.store.position.serial

    answer = await push(app, other.url)

    assert answer.status == 200
    assert [(row[0], row[1], row[2].rpartition("/")[2], row[3]) for row in answer.json()["result"]] == [
        (200, "upload", WHEEL, ""),
        (200, "upload", SDIST, ""),
    ]
    assert [taken["content"] for taken in other.received] == [
        (WHEEL, make_wheel("thing", "1.0")),
        (SDIST, make_sdist("thing", "1.0")),
    ]
    wheel = other.received[0]
    assert (wheel[":action"], wheel["name"], wheel["version"]) == (["file_upload"], ["thing"], ["1.0"])
    assert (wheel["filetype"], wheel["pyversion"]) == (["bdist_wheel"], ["py3"])
    assert len(wheel["sha256_digest"][0]) == 64
    assert wheel["auth"] == "me:pä:ss"
    assert app.services.store.position.serial == serial  # nothing changed here


@pytest.mark.parametrize(
    ("status", "continues"), [(200, True), (201, True), (410, True), (400, False), (403, False)]
)
async def test_registration_comes_first_and_decides(
    app: App, other: OtherServer, status: int, *, continues: bool
) -> None:
    other.statuses["submit"] = status

    answer = await push(app, other.url, register_project=True)

    rows = answer.json()["result"]
    assert rows[0] == [status, "register", "thing", "1.0"]
    assert (len(rows), answer.status) == ((3, 200) if continues else (1, 502))


async def test_words_of_a_refusal_are_passed_on(app: App, other: OtherServer) -> None:
    other.statuses["file_upload"] = 403

    answer = await push(app, other.url)

    assert (answer.status, answer.json()["type"]) == (502, "actionlog")
    assert [[row[0], row[3]] for row in answer.json()["result"]] == [[403, "the other server's words"]] * 2


async def test_server_that_is_not_there_is_a_row_and_no_crash(app: App, other: OtherServer) -> None:
    url = other.url
    await other.__aexit__()

    for registers, rows in ((False, 2), (True, 1)):
        answer = await push(app, url, register_project=registers)
        assert answer.status == 502
        assert [row[0] for row in answer.json()["result"]] == [-1] * rows
        assert answer.json()["result"][0][1].startswith("exception on ")


@pytest.mark.parametrize(
    "order",
    [
        {"posturl": None},
        {"posturl": "ftp://x/"},
        {"posturl": "file:///etc/passwd"},
        {"posturl": "http://169.254.169.254/latest/"},
        {"username": None},
        {"password": 7},
    ],
)
async def test_orders_that_cannot_be_carried_out_are_refused(
    app: App, other: OtherServer, order: dict[str, Any]
) -> None:
    answer = await app.ask(
        "/root/dev",
        method="POST",
        user="root",
        json={
            "name": "thing",
            "version": "1.0",
            "posturl": other.url,
            "username": "u",
            "password": "p",
            **order,
        },
    )

    assert answer.status == 400
    assert other.received == []


async def test_nobody_sends_this_host_anywhere_without_a_login(app: App, other: OtherServer) -> None:
    answer = await push(app, other.url, user=None)

    assert answer.status == 401
    assert other.received == []
