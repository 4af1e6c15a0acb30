"""A node inside the test's own process, on a free port: as real as ``serve``, and started in milliseconds."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from yarl import URL

from node.assembly import assembled
from node.config import Config
from node.directory import open_directory
from node.http.app import create_app
from node.http.fast import FastAnswers
from node.http.server import ConnectionRunner
from tests.helpers.distributions import make_sdist, make_wheel, sdist_name, wheel_name
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from node.services import Services
    from tests.helpers.upstream import FakeUpstream

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
PIP_ACCEPT = f"{JSON}, {HTML}; q=0.1, text/html; q=0.01"


@dataclass
class Reply:
    """One answer, read completely."""

    status: int
    reason: str
    headers: dict[str, str]  # lower-case names
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class App:
    """A running node, and a client that follows nothing and decodes nothing."""

    services: Services
    port: int
    runner: ConnectionRunner
    session: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def fast_answers(self) -> int:
        """How many answers came from the step in front of the parser."""
        assert self.runner.connections is not None
        return self.runner.connections.statistics.fast_answers

    def auth(self, user: str = "root") -> str:
        """Return the Authorization of a user, by a token: hashing a password takes longer than most tests."""
        return aiohttp.encode_basic_auth(user, self.auth_token(user))

    def auth_token(self, user: str) -> str:
        """Return a login token of a user, good as a password."""
        if user not in self.tokens:
            self.tokens[user] = self.services.authenticator.issue_token(user)
        return self.tokens[user]

    async def ask(self, path: str, *, method: str = "GET", user: str | None = None, **options: Any) -> Reply:
        headers = dict(options.pop("headers", {}))
        if user is not None:
            headers["Authorization"] = self.auth(user)
        url = URL(self.url + path, encoded=True)
        if isinstance(options.get("data"), bytes):
            options["data"] = io.BytesIO(options["data"])  # a large body as bytes is a warning
        async with self.session.request(
            method, url, headers=headers, allow_redirects=False, **options
        ) as answer:
            body = await answer.read()
            lowered = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, answer.reason or "", lowered, body)

    async def page(self, project: str, *, index: str = "root/dev", accept: str = JSON) -> Any:
        """Return the JSON of a project's page."""
        answer = await self.ask(f"/{index}/+simple/{project}/", headers={"Accept": accept})
        assert answer.status == 200, (answer.status, answer.body[:200])
        return answer.json()

    async def make_user(self, user: str) -> None:
        answer = await self.ask(f"/{user}", method="PUT", json={"password": "pw"})
        assert answer.status == 201, answer.body

    async def make_index(self, index: str = "root/dev", *, user: str = "root", **options: Any) -> None:
        answer = await self.ask(f"/{index}", method="PUT", user=user, json=options)
        assert answer.status == 200, answer.body

    async def change_index(self, index: str, **options: Any) -> None:
        answer = await self.ask(f"/{index}", method="PATCH", user="root", json=options)
        assert answer.status == 200, answer.body

    async def upload(
        self,
        filename: str,
        content: bytes,
        *,
        name: str,
        version: str,
        index: str = "root/dev",
        user: str | None = "root",
        path: str | None = None,
        headers: dict[str, str] | None = None,
        **fields: str,
    ) -> Reply:
        """Upload a file with the form that twine sends."""
        form = upload_form(name, version, filename, **fields)
        body, content_type = multipart(form, [("content", filename, content)])
        return await self.ask(
            path or f"/{index}/",
            method="POST",
            user=user,
            data=body,
            headers={"Content-Type": content_type, **(headers or {})},
        )

    async def upload_wheel(
        self, name: str, version: str, *, index: str = "root/dev", **options: Any
    ) -> bytes:
        """Upload a small wheel; return its bytes."""
        content = make_wheel(name, version, **options)
        answer = await self.upload(
            wheel_name(name, version), content, name=name, version=version, index=index
        )
        assert answer.status == 200, (answer.reason, answer.body)
        return content

    async def upload_sdist(self, name: str, version: str, *, index: str = "root/dev") -> bytes:
        """Upload a small sdist; return its bytes."""
        content = make_sdist(name, version)
        answer = await self.upload(
            sdist_name(name, version), content, name=name, version=version, index=index
        )
        assert answer.status == 200, (answer.reason, answer.body)
        return content


def upload_form(name: str, version: str, filename: str, **fields: str) -> dict[str, str]:
    """Return the text fields of an upload; a field whose value is empty is left out."""
    form = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": name,
        "version": version,
        "filetype": "bdist_wheel" if filename.endswith(".whl") else "sdist",
        "pyversion": "py3" if filename.endswith(".whl") else "source",
    }
    return {key: value for key, value in {**form, **fields}.items() if value}


def multipart(
    fields: dict[str, str], files: list[tuple[str, str, bytes]], *, after: dict[str, str] | None = None
) -> tuple[bytes, str]:
    """Return the body and type of a form: fields, files, then the fields ``after`` them."""
    boundary = "wheelyard-" + hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest()[:16]
    parts = [_text_part(boundary, name, value) for name, value in fields.items()]
    for name, filename, content in files:
        disposition = f'form-data; name="{name}"; filename="{filename}"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n"
        parts.append(head.encode() + content + b"\r\n")
    parts += [_text_part(boundary, name, value) for name, value in (after or {}).items()]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _text_part(boundary: str, name: str, value: str) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return f"{head}{value}\r\n".encode()


@asynccontextmanager
async def running_app(
    folder: Path, *, upstream: FakeUpstream | None = None, **options: Any
) -> AsyncIterator[App]:
    """Run a primary in this process; ``upstream`` becomes the mirror index ``root/pypi``.

    The index ``root/dev`` exists, over ``root/pypi`` where there is one.
    """
    config = Config(data=folder, no_root_pypi=True, port=0, map_bytes=1 << 28, **options)
    directory = await asyncio.to_thread(open_directory, config)
    try:
        async with assembled(config, directory, url="http://127.0.0.1") as services:
            runner = ConnectionRunner(
                create_app(services),
                fast_path=FastAnswers(services.finished, services.common.lines),
                shutdown_timeout=1.0,
                access_log=None,
                handle_signals=False,
            )
            try:
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                async with _session() as session:
                    app = App(services, runner.addresses[0][1], runner, session)
                    await _prepare(app, upstream)
                    yield app
            finally:
                services.signal.close()
                await runner.cleanup()
    finally:
        await asyncio.to_thread(directory.store.close)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        auto_decompress=False,
        skip_auto_headers={"Accept", "Accept-Encoding", "User-Agent"},
    )


async def _prepare(app: App, upstream: FakeUpstream | None) -> None:
    if app.services.store.position.serial > 1:
        return  # a second start on the same data
    bases = []
    if upstream is not None:
        await app.make_index("root/pypi", type="mirror", mirror_url=upstream.url, volatile=False)
        bases = ["root/pypi"]
    await app.make_index("root/dev", bases=bases)


async def eventually_serial(app: App, serial: int) -> None:
    """Wait until the node has applied a serial."""
    store = app.services.store
    await eventually(lambda: store.position.serial >= serial, what=lambda: f"at {store.position}")
