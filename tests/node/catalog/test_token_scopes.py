"""Scope x permission x route: every cell asked over HTTP with a token of somebody who may do everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xmlrpc.client import dumps

import pytest

from tests.helpers.app import JSON, App, Reply, running_app
from tests.helpers.upstream import FakeUpstream
from tests.node.catalog.cells import INDEX, OWNER, ROUTES, Stage
from tests.node.catalog.token_words import bearer, make_token

if TYPE_CHECKING:
    from pathlib import Path

READS_OF_PROJECT = frozenset(
    {
        "GET page as JSON",
        "GET page as HTML",
        "GET project",
        "GET own project",
        "GET version",
        "GET file",
        "HEAD file",
        "GET file as JSON",
        "GET core metadata",
        "POST refresh",
        "GET authcheck",
    }
)
READS_OF_INDEX = frozenset({"GET list", "GET index as list", "GET index", "POST search"})
READS = READS_OF_PROJECT | READS_OF_INDEX
UPLOADS = frozenset({"POST submit", "POST file_upload"})
DELETES = frozenset({"DELETE file", "DELETE version", "DELETE project"})
CHANGES = frozenset({"PATCH index with a map", "PATCH index with a list"})
OTHER_INDEXES = frozenset({"PUT index", "DELETE index"})
PUSHES = frozenset({"PUSH to", "PUSH from"})

SCOPES: dict[str, tuple[dict[str, Any], frozenset[str]]] = {
    "everything": ({}, READS | UPLOADS | DELETES | CHANGES | OTHER_INDEXES | PUSHES),
    "read": ({"allowed": ["read"]}, READS),
    "upload": ({"allowed": ["upload"]}, UPLOADS | {"PUSH to"}),
    "delete": ({"allowed": ["delete"]}, DELETES),
    "devpi's names": ({"allowed": ["pkg_read", "del_verdata"]}, READS | {"DELETE version"}),
    "indexes alone": (
        {"allowed": ["index_create", "index_modify", "index_delete"]},
        CHANGES | OTHER_INDEXES,
    ),
    "this index": ({"indexes": [INDEX]}, READS | UPLOADS | DELETES | CHANGES),
    "another index": ({"indexes": ["alice/target"]}, frozenset({"PUSH to"})),
    "an index on top": ({"indexes": ["alice/over"]}, READS),
    "this project": ({"projects": ["THING"]}, READS_OF_PROJECT | UPLOADS | DELETES | PUSHES),
    "another project": ({"projects": ["other"]}, frozenset()),
    "all three": ({"allowed": ["upload"], "indexes": [INDEX], "projects": ["thing"]}, UPLOADS),
    "nothing": ({"allowed": []}, frozenset()),
}
CELLS = len(SCOPES) * len(ROUTES)
SENDER = "__token__"
"""Sends the token; the names of users go on sending logins, which make what is acted on."""


@pytest.mark.parametrize("scope", list(SCOPES))
async def test_every_cell_is_as_the_scope_says(tmp_path: Path, scope: str) -> None:
    """Send every route with the token; whatever the scope does not name is refused, though its owner may do it."""
    restrictions, allowed = SCOPES[scope]
    wrong = []
    async with running_app(tmp_path / "data") as app:
        stage = Stage(app)
        await stage.prepare()
        for index, who in ((INDEX, "bob"), ("alice/target", "bob"), ("alice/open", ":ANONYMOUS:")):
            await app.change_index(index, acl_upload=[who, OWNER])
        await app.change_index(INDEX, acl_read=["carol", OWNER])
        app.tokens[SENDER] = await make_token(app, OWNER, **restrictions)
        for route in ROUTES:
            await stage.upload("1.0")
            answer = await route.send(stage, SENDER)
            is_allowed = route.name in allowed
            expected = (
                (401,) if route.name == "PUSH to" else (403,) if route.name != "PUSH from" else (401, 403)
            )
            if not (answer.status < 400 if is_allowed else answer.status in expected):
                wrong.append(f"{route.name}: {answer.status}, not {'allowed' if is_allowed else expected}")

    assert wrong == []


def test_there_are_many_cells_and_each_route_is_open_to_some_scope_or_to_no_token() -> None:
    some = {name for _, allowed in SCOPES.values() for name in allowed}
    never = {route.name for route in ROUTES if route.permission.value.startswith("user_")}

    assert {route.name for route in ROUTES} == some | never
    assert not some & never
    assert CELLS >= 400


async def search_for(word: str, app: App, headers: dict[str, str]) -> Reply:
    call = dumps(({"name": [word]},), "search").encode()
    return await app.ask(
        "/alice/top", method="POST", headers={**headers, "Content-Type": "text/xml"}, data=call
    )


async def _open_node(app: App) -> None:
    """Make ``alice/base`` below ``alice/top``, and ``alice/apart``; everybody who is logged in may read them."""
    await app.make_user("alice")
    for index, bases in (("alice/base", []), ("alice/top", ["alice/base"]), ("alice/apart", [])):
        await app.make_index(index, user="alice", bases=bases, acl_upload=["root"])
    await app.upload_wheel("thing", "1.0", index="alice/base")
    await app.upload_wheel("other", "1.0", index="alice/base")
    await app.upload_wheel("thing", "1.0", index="alice/apart")


@pytest.mark.parametrize(
    ("restrictions", "seen"),
    [
        ({}, "top base apart list other"),
        ({"indexes": ["alice/top"]}, "top base list other"),
        ({"indexes": ["alice/base"]}, "base"),
        ({"projects": ["thing"]}, "top base apart"),
        ({"allowed": ["upload"]}, ""),
    ],
    ids=["everything", "top", "base", "project", "upload"],
)
async def test_where_a_login_is_required_a_token_reads_its_scope_only(
    tmp_path: Path, restrictions: dict[str, Any], seen: str
) -> None:
    """Nothing is restricted but the node as a whole; pages and the files they link to agree."""
    async with running_app(tmp_path / "data") as app:
        await _open_node(app)
        token = await make_token(app, "alice", **restrictions)
    async with running_app(tmp_path / "data", require_login=True) as app:
        headers = {**bearer(token), "Accept": JSON}
        found = set()
        for index in ("top", "base", "apart"):
            page = await app.ask(f"/alice/{index}/+simple/thing/", headers=headers)
            if page.status == 200:
                url = "/" + page.json()["files"][0]["url"].removeprefix("../../../../")
                answers = [await app.ask(url + end, headers=headers) for end in ("", ".metadata")]
                assert [answer.status for answer in answers] == [200, 200]
                found.add(index)
        for name, path in (("list", "/alice/top/+simple/"), ("other", "/alice/top/+simple/other/")):
            if (await app.ask(path, headers=headers)).status == 200:
                found.add(name)
        search = await search_for("thing", app, headers)
        configuration = await app.ask("/alice/top?no_projects=", headers=headers)
        projects = await app.ask("/alice/top", headers={**headers, "Accept": "application/json"})

    assert found == set(seen.split())
    assert configuration.status == 200
    assert (projects.status == 200) is (search.status == 200) is ("list" in found)


async def test_project_of_a_restricted_mirror_is_told_by_the_page_that_lists_the_file(tmp_path: Path) -> None:
    """A token for one mirrored project gets its page, file and core metadata, and nothing of another's."""
    async with FakeUpstream() as upstream, running_app(tmp_path / "data", upstream=upstream) as app:
        for project in ("leaf", "other"):
            upstream.add_wheel(project, "1.0")
        await app.change_index("root/pypi", acl_read=["root"])
        headers = {**bearer(await make_token(app, "root", projects=["leaf"])), "Accept": JSON}
        statuses = {}
        for project in ("leaf", "other"):
            path = f"/root/pypi/+simple/{project}/"
            page = await app.ask(path, user="root", headers={"Accept": JSON})
            url = "/" + page.json()["files"][0]["url"].removeprefix("../../../../")
            asked = (path, url, f"{url}.metadata")
            statuses[project] = [(await app.ask(each, headers=headers)).status for each in asked]

    assert statuses == {"leaf": [200] * 3, "other": [403] * 3}


async def test_token_for_another_project_sends_nothing_to_other_servers(tmp_path: Path) -> None:
    async with FakeUpstream() as elsewhere, running_app(tmp_path / "data") as app:
        await app.make_index("root/closed", acl_read=["root"])
        await app.upload_wheel("thing", "1.0", index="root/closed")
        headers = bearer(await make_token(app, "root", projects=["other"]))
        order = {
            "name": "thing",
            "version": "1.0",
            "posturl": elsewhere.url,
            "username": "u",
            "password": "p",
        }

        answer = await app.ask("/root/closed", method="POST", headers=headers, json=order)

        assert answer.status == 403
        assert not elsewhere.requests
