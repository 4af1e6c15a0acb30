"""The routes that ask for a permission, and what it takes to send each of them once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from xmlrpc.client import dumps

from node.catalog.permissions import Permission
from node.catalog.users import create_user
from node.directory import ROOT
from tests.helpers.app import JSON, App, Reply, multipart, upload_form
from tests.helpers.distributions import make_wheel, wheel_name

OWNER, UPLOADER, READER, OTHER, LISTED = "alice", "bob", "carol", "dave", "erin"
PRINCIPALS = (None, "root", OWNER, UPLOADER, READER, OTHER, LISTED)
INDEX = "alice/dev"


@dataclass(slots=True)
class Stage:
    """A node with one restricted index, and things to act on that are made when they are needed."""

    app: App
    made: int = 0

    async def prepare(self) -> None:
        for user in (OWNER, UPLOADER, READER, OTHER, LISTED):
            self.make_user(user)
        options = {"acl_upload": [UPLOADER], "acl_read": [READER]}
        await self.make_index(INDEX, **options)
        await self.make_index("alice/over", bases=[INDEX], acl_upload=[UPLOADER])
        await self.make_index("alice/target", acl_upload=[UPLOADER])
        await self.make_index("alice/open", acl_upload=[":ANONYMOUS:"])
        await self.upload("1.0")

    def make_user(self, user: str) -> str:
        operation = create_user(user, {}, password_hash="none", actor=ROOT, now_ms=1)
        self.app.services.store.submit(operation).result()
        return user

    async def make_index(self, index: str, **options: Any) -> str:
        user = LISTED if self.app.services.config.restrict_modify else "root"
        await self.app.make_index(index, user=user, **options)
        return index

    def fresh(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}{self.made}"

    async def upload(self, version: str, *, index: str = INDEX) -> str:
        """Upload a wheel as who may; return its path."""
        content = make_wheel("thing", version)
        name = wheel_name("thing", version)
        answer = await self.app.upload(
            name, content, name="thing", version=version, index=index, user=UPLOADER
        )
        assert answer.status == 200, answer.reason
        page = await self.app.ask("/alice/dev/+simple/thing/", user=READER, headers={"Accept": JSON})
        url: str = next(file["url"] for file in page.json()["files"] if file["filename"] == name)
        return "/" + url.removeprefix("../../../../")

    async def file(self) -> str:
        """Return the path of the file that is always there."""
        return await self.upload("1.0")

    async def form(self, user: str | None, path: str, fields: dict[str, str], content: bytes | None) -> Reply:
        files = (
            [] if content is None else [("content", wheel_name(fields["name"], fields["version"]), content)]
        )
        body, content_type = multipart(fields, files)
        headers = {"Content-Type": content_type}
        return await self.app.ask(path, method="POST", user=user, data=body, headers=headers)


Send = Callable[[Stage, str | None], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """One way to use a permission; ``send`` does it as somebody."""

    name: str
    permission: Permission
    send: Send


def _plain(method: str, path: str, **options: Any) -> Send:
    async def send(stage: Stage, user: str | None) -> Reply:
        return await stage.app.ask(path, method=method, user=user, **options)

    return send


def _read(path: str, accept: str = "application/json") -> Send:
    return _plain("GET", path, headers={"Accept": accept})


async def _create_user(stage: Stage, user: str | None) -> Reply:
    path = f"/{stage.fresh('user')}"
    return await stage.app.ask(path, method="PUT", user=user, json={"password": "pw"})


async def _delete_user(stage: Stage, user: str | None) -> Reply:
    # The owner deletes itself: a user of its own for each time.
    victim = stage.make_user(stage.fresh("victim"))
    return await stage.app.ask(f"/{victim}", method="DELETE", user=victim if user == OWNER else user)


async def _revoke_token(stage: Stage, user: str | None) -> Reply:
    made = await stage.app.ask("/alice/+token-create", method="POST", user=OWNER, json={})
    path = f"/alice/+tokens/{made.json()['result']['id']}"
    return await stage.app.ask(path, method="DELETE", user=user)


async def _create_index(stage: Stage, user: str | None) -> Reply:
    return await stage.app.ask(f"/alice/{stage.fresh('new')}", method="PUT", user=user, json={})


async def _delete_index(stage: Stage, user: str | None) -> Reply:
    index = await stage.make_index(f"alice/{stage.fresh('old')}")
    return await stage.app.ask(f"/{index}", method="DELETE", user=user)


async def _submit(stage: Stage, user: str | None) -> Reply:
    fields = {":action": "submit", "name": "thing", "version": stage.fresh("1.")}
    return await stage.form(user, f"/{INDEX}/", fields, None)


async def _upload(stage: Stage, user: str | None) -> Reply:
    version = stage.fresh("2.")
    fields = upload_form("thing", version, wheel_name("thing", version))
    return await stage.form(user, f"/{INDEX}/", fields, make_wheel("thing", version))


async def _push_from_open(stage: Stage, user: str | None) -> Reply:
    version = stage.fresh("3.")
    fields = upload_form("thing", version, wheel_name("thing", version))
    await stage.form(None, "/alice/open/", fields, make_wheel("thing", version))
    order = {"name": "thing", "version": version, "targetindex": "alice/target"}
    return await stage.app.ask("/alice/open", method="POST", user=user, json=order)


async def _push_to_open(stage: Stage, user: str | None) -> Reply:
    order = {"name": "thing", "version": "1.0", "targetindex": "alice/open"}
    return await stage.app.ask(f"/{INDEX}", method="POST", user=user, json=order)


async def _delete_file(stage: Stage, user: str | None) -> Reply:
    path = await stage.upload(stage.fresh("4."))
    return await stage.app.ask(path, method="DELETE", user=user)


async def _delete_version(stage: Stage, user: str | None) -> Reply:
    version = stage.fresh("5.")
    await stage.upload(version)
    return await stage.app.ask(f"/{INDEX}/thing/{version}", method="DELETE", user=user)


async def _delete_project(stage: Stage, user: str | None) -> Reply:
    await stage.upload("1.0")
    return await stage.app.ask(f"/{INDEX}/thing", method="DELETE", user=user)


def _of_file(method: str, ending: str = "", accept: str = "*/*") -> Send:
    async def send(stage: Stage, user: str | None) -> Reply:
        path = await stage.file()
        return await stage.app.ask(path + ending, method=method, user=user, headers={"Accept": accept})

    return send


async def _search(stage: Stage, user: str | None) -> Reply:
    call = dumps(({"name": ["thing"]},), "search").encode()
    headers = {"Content-Type": "text/xml"}
    return await stage.app.ask(f"/{INDEX}/", method="POST", user=user, data=call, headers=headers)


async def _authcheck(stage: Stage, user: str | None) -> Reply:
    headers = {"X-Original-URI": await stage.file()}
    return await stage.app.ask("/+authcheck", user=user, headers=headers)


P = Permission
ROUTES = (
    Route("PUT user", P.USER_CREATE, _create_user),
    Route("PATCH user", P.USER_MODIFY, _plain("PATCH", "/alice", json={"title": "x"})),
    Route(
        "PATCH user with password",
        P.USER_MODIFY,
        _plain("PATCH", "/alice", json={"password": "x", "title": "y"}),
    ),
    Route("PATCH password", P.USER_MODIFY_PASSWORD, _plain("PATCH", "/alice", json={"password": "x"})),
    Route("DELETE user", P.USER_DELETE, _delete_user),
    Route("POST token", P.USER_TOKENS, _plain("POST", "/alice/+token-create", json={"note": "x"})),
    Route("GET tokens", P.USER_TOKENS, _plain("GET", "/alice/+tokens")),
    Route("DELETE token", P.USER_TOKENS, _revoke_token),
    Route("PUT index", P.INDEX_CREATE, _create_index),
    Route("PATCH index with a map", P.INDEX_MODIFY, _plain("PATCH", f"/{INDEX}", json={"title": "x"})),
    Route("PATCH index with a list", P.INDEX_MODIFY, _plain("PATCH", f"/{INDEX}", json=["title=y"])),
    Route("DELETE index", P.INDEX_DELETE, _delete_index),
    Route("POST submit", P.UPLOAD, _submit),
    Route("POST file_upload", P.UPLOAD, _upload),
    Route("PUSH to", P.UPLOAD, _push_from_open),
    Route("DELETE file", P.DEL_ENTRY, _delete_file),
    Route("DELETE version", P.DEL_VERDATA, _delete_version),
    Route("DELETE project", P.DEL_PROJECT, _delete_project),
    Route("PUSH from", P.PKG_READ, _push_to_open),
    Route("GET page as JSON", P.PKG_READ, _read(f"/{INDEX}/+simple/thing/", JSON)),
    Route("GET page as HTML", P.PKG_READ, _read(f"/{INDEX}/+simple/thing/", "text/html")),
    Route("GET list", P.PKG_READ, _read(f"/{INDEX}/+simple/", JSON)),
    Route("GET index as list", P.PKG_READ, _read(f"/{INDEX}", JSON)),
    Route("GET index", P.PKG_READ, _read(f"/{INDEX}")),
    Route("GET project", P.PKG_READ, _read(f"/{INDEX}/thing")),
    Route("GET own project", P.PKG_READ, _read(f"/{INDEX}/thing?ignore_bases=")),
    Route("GET version", P.PKG_READ, _read(f"/{INDEX}/thing/1.0")),
    Route("GET file", P.PKG_READ, _of_file("GET")),
    Route("HEAD file", P.PKG_READ, _of_file("HEAD")),
    Route("GET file as JSON", P.PKG_READ, _of_file("GET", accept="application/json")),
    Route("GET core metadata", P.PKG_READ, _of_file("GET", ".metadata")),
    Route("POST search", P.PKG_READ, _search),
    Route("POST refresh", P.PKG_READ, _plain("POST", f"/{INDEX}/+simple/thing/refresh")),
    Route("GET authcheck", P.PKG_READ, _authcheck),
)
