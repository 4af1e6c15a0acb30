"""Lists of projects over HTTP: whole, for each reader the right one, and the only thing that asks for upstream's list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from node.directory import root_pypi_options
from node.finished import FreshMirrors, ListStamp
from node.mirror.lists import KnownList
from node.mirror.names import NameList
from node.mirror.source import MirrorSource
from node.simple import list_pages
from tests.conformance.clients import Clients
from tests.helpers.app import HTML, JSON, App, Reply, running_app
from tests.helpers.clients import BIN
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ROOT = "/simple/"
OWN, OVER = "/root/pypi/+simple/", "/root/dev/+simple/"
AS_JSON = {"Accept": JSON}
STALE = '110 - "Response is Stale"'


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        upstream.serials = {"Six": 500, "idna": 700, "thing": 900}
        yield upstream


@pytest.fixture
async def app(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data", upstream=upstream) as app:
        await app.upload_wheel("thing", "1.0")
        await app.upload_wheel("acme", "1.0")
        yield app


def projects_of(answer: Reply) -> list[tuple[str, int | None]]:
    assert answer.status == 200, answer.body
    return [(project["name"], project.get("_last-serial")) for project in answer.json()["projects"]]


def names_of(answer: Reply) -> list[str]:
    return [name for name, _ in projects_of(answer)]


async def get(app: App, path: str, **options: Any) -> Reply:
    return await app.ask(path, headers=AS_JSON, **options)


async def test_list_of_a_mirror_is_upstreams(app: App) -> None:
    answer = await get(app, OWN)

    assert projects_of(answer) == [("idna", 700), ("six", 500), ("thing", 900)]
    assert answer.json()["meta"] == {"api-version": "1.4", "_last-serial": 900}
    assert answer.headers["x-pypi-last-serial"] == "900"
    markup = (await app.ask(OWN, headers={"Accept": HTML})).body.decode()
    assert re.findall(r'<a href="([a-z]+)/">\1</a>', markup) == ["idna", "six", "thing"]


async def test_list_over_a_mirror_has_both_and_says_only_its_own_serials(app: App) -> None:
    """A project's page says serial 0 for what no entry of ours changed; the list says the same."""
    answer = await get(app, OVER)
    serial = app.services.store.position.serial

    assert projects_of(answer) == [("acme", serial), ("idna", 0), ("six", 0), ("thing", serial - 1)]
    assert answer.json()["meta"]["_last-serial"] == serial
    assert int(answer.headers["x-pypi-last-serial"]) == serial


async def test_devpis_json_of_a_mirror_has_upstreams_names(app: App, upstream: FakeUpstream) -> None:
    options: dict[str, Any] = {**root_pypi_options(), "mirror_url": upstream.url}
    await app.make_index("root/like-pypi", **options)

    result = (await app.ask("/root/like-pypi")).json()["result"]

    assert list(result) == ["type", "volatile", "title", "mirror_url", "mirror_web_url_fmt", "projects"]
    assert result["projects"] == ["idna", "six", "thing"]
    assert (await app.ask("/root/dev")).json()["result"]["projects"] == ["acme", "thing"]


async def test_nothing_but_a_wish_for_a_list_asks_for_it(
    app: App, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """Everything else that clients do, by hand and with devpi's own client, and a restart."""
    upstream.add_wheel("six", "1.16")
    page = await app.page("six")
    url = "/" + page["files"][0]["url"].removeprefix("../../../../")
    order = {"name": "six", "version": "1.16", "targetindex": "root/dev"}
    paths = (
        "/", "/root", "/root/", "/root/pypi?no_projects=", "/root/dev?no_projects=", "/root/dev", "/root/pypi/+api",
        "/root/dev/+api", "/root/pypi/six", "/root/pypi/six/1.16", "/root/dev/nothing", "/root/pypi/nothing",
        "/root/dev/+simple", "/root/dev/+simple/nothing/", url, f"{url}.metadata", "/root/pypi/+f/abc/0123456789abc/six-1.tar.gz",
        "/+status", "/+metrics", "/+ready", "/+nodes", "/+authcheck",
    )  # fmt: skip
    for path in paths:
        for accept in ("text/html", "application/json"):
            assert (await app.ask(path, headers={"Accept": accept}, user="root")).status < 500, path
    assert (await app.ask("/root/pypi", method="POST", user="root", json=order)).status == 200
    await app.ask("/root/dev/+simple/six/refresh", method="POST")
    await app.ask("/root/pypi/six", method="DELETE", user="root")
    await app.change_index("root/pypi", mirror_cache_expiry=1)
    await app.change_index("root/dev", mirror_whitelist="*")
    clients = Clients(app, tmp_path)
    for command in (
        ("use", f"{app.url}/root/pypi"), ("login", "root", "--password="), ("use", "root/dev"),
        ("index", "-l"), ("index", "--no-projects", "root/pypi"), ("index", "root/dev", "bases=root/pypi"), ("list",), ("list", "six"),
        ("refresh", "six"), ("user", "-l"), ("getjson", "/root/pypi?no_projects="),
    ):  # fmt: skip
        outcome = await clients.run(str(BIN / "devpi"), *command, "--clientdir", str(tmp_path / "client"))
        assert outcome.status == 0, outcome.output

    assert upstream.requests[ROOT] == 0
    assert not {"/simple/acme/", "/simple/thing/"} & set(upstream.requests)


async def test_start_asks_for_no_list(tmp_path: Path, upstream: FakeUpstream) -> None:
    for _ in range(2):
        async with running_app(tmp_path / "data", upstream=upstream) as app:
            await app.page("six") if upstream.files else upstream.add_wheel("six", "1.0")

    assert upstream.requests[ROOT] == 0


async def test_list_is_kept_while_its_stamps_hold(
    app: App, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload, a changed index and a new list of upstream each show with the next request."""
    answers = [await get(app, OVER)]
    with monkeypatch.context() as patch:
        patch.setattr(list_pages, "_whole", lambda *_: pytest.fail("it was written anew"))
        answers += [await get(app, OVER) for _ in range(2)]

    await app.upload_wheel("newer", "1.0")
    uploaded = names_of(await get(app, OVER))
    await app.change_index("root/pypi", mirror_cache_expiry=0)
    upstream.serials["fresh"] = 1000
    expired = names_of(await get(app, OVER))
    await app.change_index("root/dev", bases="")
    alone = names_of(await get(app, OVER))

    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert uploaded == ["acme", "idna", "newer", "six", "thing"]
    assert expired == ["acme", "fresh", "idna", "newer", "six", "thing"]
    assert alone == ["acme", "newer", "thing"]


@pytest.mark.parametrize(
    ("given", "is_current"),
    [(("a", False), True), (("b", False), False), (("a", True), False), (None, False)],
    ids=["same", "another-list", "stale-now", "to-be-asked"],
)
def test_stamp_holds_for_the_same_list_in_the_same_state(
    given: tuple[str, bool] | None, *, is_current: bool
) -> None:
    def known(name: str, *, is_stale: bool) -> KnownList:
        return KnownList(NameList.of([(name, None)]), 0.0, is_stale=is_stale)

    class Mirrors:
        def fresh_list(self, _: MirrorSource) -> KnownList | None:
            return None if given is None else known(given[0], is_stale=given[1])

    source = MirrorSource(index_id=1, generation=1, url="http://a/")
    stamp = ListStamp(source, known("a", is_stale=False).names.digest, is_stale=False)

    assert stamp.is_current(cast("FreshMirrors", Mirrors())) is is_current


async def test_own_list_is_kept_over_uploads_elsewhere(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    await get(app, OWN)
    await app.upload_wheel("newer", "1.0")
    monkeypatch.setattr(list_pages, "_whole", lambda *_: pytest.fail("it was written anew"))

    assert names_of(await get(app, OWN)) == ["idna", "six", "thing"]


async def test_outage_without_a_list_is_502_on_the_mirror_and_what_is_known_above_it(
    app: App, upstream: FakeUpstream
) -> None:
    upstream.add_wheel("six", "1.0")
    await app.page("six")
    upstream.fault(ROOT, status=503)

    own = [await get(app, OWN), await app.ask("/root/pypi", headers={"Accept": "application/json"})]
    over = await get(app, OVER)

    for answer in own:
        assert (answer.status, answer.headers["cache-control"]) == (502, "no-store")
        assert int(answer.headers["retry-after"]) > 0
    assert (names_of(over), over.headers["warning"]) == (["acme", "six", "thing"], STALE)
    upstream.faults.clear()
    app.services.mirror._lists._known.clear()
    again = await get(app, OVER)
    assert (names_of(again), "warning" in again.headers) == (["acme", "idna", "six", "thing"], False)


async def test_outage_gives_the_last_list_and_says_so(app: App, upstream: FakeUpstream) -> None:
    before = [names_of(await get(app, path)) for path in (OWN, OVER)]
    await app.change_index("root/pypi", mirror_cache_expiry=0)
    await upstream.stop()

    for _ in range(2):
        answers = [await get(app, path) for path in (OWN, OVER)]
        assert [names_of(answer) for answer in answers] == before
        assert [answer.headers["warning"] for answer in answers] == [STALE] * 2
    devpi = await app.ask("/root/pypi")
    assert (devpi.json()["result"]["projects"], devpi.headers["warning"]) == (before[0], STALE)


async def test_option_keeps_the_list_from_being_asked_for(app: App, upstream: FakeUpstream) -> None:
    """Then a list has the projects whose pages are here; and each new one at once."""
    await app.change_index("root/pypi", mirror_no_project_list=True)
    upstream.add_wheel("six", "1.0")
    seen = []
    for project in (None, "six"):
        if project is not None:
            await app.page(project)
        seen.append([names_of(await get(app, path)) for path in (OWN, OVER)])

    assert seen == [[[], ["acme", "thing"]], [["six"], ["acme", "six", "thing"]]]
    assert upstream.requests[ROOT] == 0


async def test_several_mirrors_add_their_names_and_the_own_names_win(
    app: App, upstream: FakeUpstream
) -> None:
    async with FakeUpstream() as second:
        second.serials = {"six": 1, "zope": 2, "acme": 3}
        await app.make_index("root/second", type="mirror", mirror_url=second.url)
        await app.change_index("root/dev", bases="root/second,root/pypi")

        both = names_of(await get(app, OVER))
        await second.stop()
        await upstream.stop()
        await app.change_index("root/pypi", mirror_cache_expiry=0)
        stale = await get(app, OVER)

    assert both == ["acme", "idna", "six", "thing", "zope"]
    assert (names_of(stale), stale.headers["warning"]) == (both, STALE)


class TestReaders:
    async def test_restricted_mirror_is_listed_to_its_readers_only(
        self, app: App, upstream: FakeUpstream
    ) -> None:
        """And nobody who may not see it makes this node ask for it."""
        await app.make_user("reader")
        await app.change_index("root/pypi", acl_read=["reader"])

        stranger = await get(app, OVER)
        refused = [(await get(app, path)).status for path in (OWN, "/root/pypi")]
        asked = upstream.requests[ROOT]
        readers = [await get(app, path, user="reader") for path in (OVER, OVER, OWN)]

        assert (names_of(stranger), refused, asked) == (["acme", "thing"], [401, 401], 0)
        assert [names_of(answer) for answer in readers] == [
            ["acme", "idna", "six", "thing"],
            ["acme", "idna", "six", "thing"],
            ["idna", "six", "thing"],
        ]
        assert {answer.headers["cache-control"] for answer in readers} == {"private, no-cache"}
        assert names_of(await get(app, OVER)) == ["acme", "thing"]

    async def test_name_whose_page_a_private_index_hides_is_not_listed_from_the_mirror(
        self, app: App, upstream: FakeUpstream
    ) -> None:
        await app.make_user("reader")
        await app.make_index("root/base", acl_read=["reader"])
        await app.upload_wheel("secret", "1.0", index="root/base")
        await app.make_index("root/over", bases=["root/base", "root/pypi"])
        upstream.serials["secret"] = 3

        seen = {user: names_of(await get(app, "/root/over/+simple/", user=user)) for user in ("reader", None)}
        await app.change_index("root/over", mirror_whitelist="secret", mirror_whitelist_inheritance="union")
        opened = names_of(await get(app, "/root/over/+simple/"))

        assert seen == {"reader": ["idna", "secret", "six", "thing"], None: ["idna", "six", "thing"]}
        assert opened == ["idna", "secret", "six", "thing"]
