"""A fake upstream index on loopback, with the faults real ones have.

By default it is the plain PyPI that CI reaches: Simple API 1.1 as JSON, no ETag, no core metadata, `_last-serial` as
a string, ranges answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web
from packaging.utils import canonicalize_name

from tests.helpers.distributions import make_sdist, make_wheel, sdist_name, wheel_name

if TYPE_CHECKING:
    from collections.abc import Callable

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


@dataclass
class FakeFile:
    """One file: what is served, and what its page says of it."""

    project: str
    filename: str
    content: bytes
    version: str
    metadata: bytes | None = None  # served beside it, and advertised
    extra: dict[str, Any] = field(default_factory=dict)  # keys of its entry, over the honest ones
    hash_names: tuple[str, ...] = ("sha256",)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def path(self) -> str:
        return f"/files/{self.project}/{self.filename}"

    def entry(self, base: str) -> dict[str, Any]:
        hashes = {name: hashlib.new(name, self.content).hexdigest() for name in self.hash_names}
        metadata = (
            {"core-metadata": {"sha256": hashlib.sha256(self.metadata).hexdigest()}} if self.metadata else {}
        )
        return {
            "filename": self.filename,
            "url": f"{base}{self.path}",
            "hashes": hashes,
            "requires-python": None,
            "size": len(self.content),
            "upload-time": "2024-01-02T03:04:05.678901Z",
            "yanked": False,
            **metadata,
            **self.extra,
        }


@dataclass
class Fault:
    """What happens instead of an honest answer on one path."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # instead of the right one; keeps the right Content-Length when shorter
    after_bytes: int | None = None  # send so much, then wait for `release`
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    is_gated: bool = False  # wait for `release` before the first byte

    def release(self) -> None:
        self.gate.set()


class FakeUpstream:
    """An upstream with settable habits; an async context manager."""

    def __init__(self) -> None:
        self.style = "json"  # or "html"
        self.has_etag = False
        self.login: str | None = None  # the Authorization without which everything is 401
        self.listing: bytes | None = None  # instead of the list of all projects
        self.has_ranges = True
        self.serials: dict[str, int] = {}
        self.pages: dict[str, Callable[[], web.Response]] = {}  # whole answers for /simple/NAME/
        self.files: dict[str, FakeFile] = {}
        self.faults: dict[str, Fault] = {}
        self.requests: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.heads: list[dict[str, str]] = []
        self.sent_bytes: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/simple/", self._list)
        app.router.add_get("/simple/{project}/", self._page)
        app.router.add_get("/files/{project}/{filename}", self._file)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await self._site.start()
        self.port: int = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for fault in self.faults.values():
            fault.release()
        await self._runner.cleanup()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base}/simple/"

    async def stop(self) -> None:
        """Refuse connections from now on."""
        await self._runner.cleanup()

    def add(self, file: FakeFile) -> FakeFile:
        self.files[file.path] = file
        self.serials[file.project] = self.serials.get(file.project, 100) + 1
        return file

    def add_wheel(self, name: str, version: str, **options: Any) -> FakeFile:
        content = make_wheel(name, version, **options)
        return self.add(FakeFile(canonicalize_name(name), wheel_name(name, version), content, version))

    def add_sdist(self, name: str, version: str) -> FakeFile:
        return self.add(
            FakeFile(canonicalize_name(name), sdist_name(name, version), make_sdist(name, version), version)
        )

    def fault(self, path: str, **what: Any) -> Fault:
        self.faults[path] = Fault(**what)
        return self.faults[path]

    def page_json(self, project: str) -> dict[str, Any]:
        files = [file for file in self.files.values() if file.project == project]
        return {
            "meta": {"api-version": "1.1", "_last-serial": str(self.serials.get(project, 0))},
            "name": project,
            "versions": sorted({file.version for file in files}),
            "files": [file.entry(self.base) for file in files],
        }

    def page_html(self, project: str) -> str:
        links = [
            f'<a href="{html.escape(file.path)}#sha256={file.sha256}" data-requires-python="&gt;=3.8">{file.filename}</a>'
            for file in self.files.values()
            if file.project == project
        ]
        return "<!DOCTYPE html><html><body>" + "<br>\n".join(links) + "</body></html>"

    def list_json(self) -> dict[str, Any]:
        meta = {"api-version": "1.1", "_last-serial": max(self.serials.values(), default=0)}
        projects = [{"name": name, "_last-serial": serial} for name, serial in self.serials.items()]
        return {"meta": meta, "projects": projects}

    def list_html(self) -> str:
        links = [f'<a href="/simple/{name}/">{name}</a>' for name in self.serials]
        return "<!DOCTYPE html><html><body>" + "<br>\n".join(links) + "</body></html>"

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        response = await self._faulty(request)
        if response is not None:
            return response
        is_html = self.style == "html"
        body = self.list_html().encode() if is_html else json.dumps(self.list_json()).encode()
        return await self._revalidated(request, self.listing or body)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        project = request.match_info["project"]
        response = await self._faulty(request)
        if response is not None:
            return response
        if project in self.pages:
            return self.pages[project]()
        if project not in self.serials:
            return web.Response(status=404, text="no such project")
        is_html = self.style == "html"
        body = self.page_html(project).encode() if is_html else json.dumps(self.page_json(project)).encode()
        return await self._revalidated(request, body)

    async def _revalidated(self, request: web.Request, body: bytes) -> web.StreamResponse:
        kind = "text/html" if self.style == "html" else JSON_TYPE
        headers = {"ETag": f'"{hashlib.md5(body).hexdigest()}"'} if self.has_etag else {}
        if self.has_etag and request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return await self._send(request, body, {**headers, "Content-Type": kind})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        response = await self._faulty(request)
        if response is not None:
            return response
        beside = self.files.get(request.path.removesuffix(".metadata"))
        if beside is not None and request.path.endswith(".metadata") and beside.metadata is not None:
            return await self._send(request, beside.metadata, {})
        file = self.files.get(request.path)
        if file is None:
            return web.Response(status=404)
        wanted = request.http_range
        if self.has_ranges and (wanted.start is not None or wanted.stop is not None):
            self.ranges.append(request.headers["Range"])
            start, stop, _ = wanted.indices(len(file.content))
            span = f"bytes {start}-{stop - 1}/{len(file.content)}"
            self.sent_bytes[request.path] += stop - start
            return web.Response(status=206, body=file.content[start:stop], headers={"Content-Range": span})
        return await self._send(request, file.content, {})

    def _note(self, request: web.Request) -> None:
        self.requests[request.path] += 1
        self.heads.append(dict(request.headers))

    async def _faulty(self, request: web.Request) -> web.Response | None:
        fault = self.faults.get(request.path)
        if fault is not None and fault.is_gated:
            await fault.gate.wait()
        if self.login is not None and request.headers.get("Authorization") != self.login:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="upstream"'})
        if fault is None or fault.status is None:
            return None
        return web.Response(status=fault.status, headers=fault.headers, body=fault.body)

    async def _send(self, request: web.Request, body: bytes, headers: dict[str, str]) -> web.StreamResponse:
        fault = self.faults.get(request.path) or Fault()
        response = web.StreamResponse(headers=headers)
        response.content_length = len(body)
        sent = body if fault.body is None else fault.body
        await response.prepare(request)
        self.sent_bytes[request.path] += len(sent)
        if fault.after_bytes is not None:
            await response.write(sent[: fault.after_bytes])
            await fault.gate.wait()
            sent = sent[fault.after_bytes :]
        await response.write(sent)
        if fault.body is not None and len(fault.body) < len(body) and request.transport is not None:
            request.transport.close()  # the connection ends before the promised length
        return response
