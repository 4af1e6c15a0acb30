"""Search over HTTP: where it answers, to whom, and that nothing that is sent to it gets more than a fault."""

from __future__ import annotations

import asyncio
import gzip
import threading
import xmlrpc.client
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from node.search import searches
from tests.helpers.app import App, Reply, running_app
from tests.helpers.distributions import make_wheel, wheel_name
from tests.helpers.search import XML_HEADERS, hits_in, search_body, summaries_in
from tests.helpers.upstream import FakeUpstream
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from node.search.index import Hit

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = [
    "/root/dev",
    "/root/dev/",
    *(f"/root/dev/{end}" for end in ("+simple/", "+simple", "simple/", "simple")),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    """A node with ``root/over`` on ``root/dev`` and on ``root/secret``, which only reader may read."""
    folder = tmp_path_factory.mktemp("node") / "data"
    async with FakeUpstream() as upstream, running_app(folder, upstream=upstream) as running:
        upstream.add_wheel("mirrored-thing", "1.0")
        for user in ("reader", "other"):
            await running.make_user(user)
        await running.make_index("root/secret", acl_read=["reader"])
        await running.make_index("root/over", bases=["root/dev", "root/secret"], volatile=True)
        for index, name, summary in (
            ("root/dev", "thing", "Does things"),
            ("root/dev", "other", "Unlike any thing"),
            ("root/dev", "pypi", ""),
            ("root/secret", "hidden-thing", "Not for all"),
        ):
            await upload(running, name, index=index, summary=summary)
        yield running


async def upload(app: App, name: str, *, index: str, summary: str) -> None:
    content = make_wheel(name, "1.0")
    answer = await app.upload(
        wheel_name(name, "1.0"), content, name=name, version="1.0", index=index, summary=summary
    )
    assert answer.status == 200, answer.reason


async def post(app: App, path: str, body: bytes, *, user: str | None = None) -> Reply:
    return await app.ask(path, method="POST", user=user, data=body, headers=XML_HEADERS)


async def called(app: App, *arguments: Any, method: str = "search") -> list[str]:
    answer = await post(app, "/root/dev/", xmlrpc.client.dumps(arguments, method).encode())
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml")
    return summaries_in(answer.body)


@pytest.mark.parametrize("path", [*PATHS, "/root/dev/pypi", "/root/dev/pypi/", "//root//dev/"])
async def test_search_answers_under_every_url_that_a_configuration_may_have(app: App, path: str) -> None:
    answer = await post(app, path, search_body("thing"))

    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml")
    assert answer.headers["cache-control"] == "no-store"
    assert hits_in(answer.body) == [
        {"name": "thing", "version": "1.0", "summary": "[root/dev] Does things", "_pypi_ordering": 2},
        {"name": "other", "version": "1.0", "summary": "[root/dev] Unlike any thing", "_pypi_ordering": 1},
    ]


async def test_operator_joins_the_fields(app: App) -> None:
    both = {"name": ["other", "nowhere"], "summary": ["thing"]}

    assert await called(app, both, "and") == ["other 1.0 [root/dev] Unlike any thing"]
    assert await called(app, both) == ["other 1.0 [root/dev] Unlike any thing"]
    assert len(await called(app, both, "or")) == 2


@pytest.mark.parametrize(("user", "count"), [("reader", 3), ("other", 2), (None, 2)])
async def test_restricted_base_is_searched_for_its_readers_only(
    app: App, user: str | None, count: int
) -> None:
    for _ in range(2):
        answer = await post(app, "/root/over/", search_body("thing"), user=user)

        found = summaries_in(answer.body)
        assert len(found) == count
        assert ("hidden-thing 1.0 [root/secret] Not for all" in found) == (user == "reader")


@pytest.mark.parametrize(("user", "status"), [("reader", 200), ("other", 403), (None, 401)])
@pytest.mark.parametrize("path", ["/root/secret/", "/root/secret/+simple/", "/root/secret/pypi"])
async def test_restricted_index_answers_its_readers_only(
    app: App, path: str, user: str | None, status: int
) -> None:
    answer = await post(app, path, search_body("thing"), user=user)

    assert answer.status == status
    assert ("hidden" in answer.body.decode()) == (status == 200)


@pytest.mark.parametrize(
    "path", ["/root/nowhere/", "/nobody/dev", "/root/nowhere/+simple/", "/root/nowhere/pypi"]
)
async def test_unknown_index_is_404(app: App, path: str) -> None:
    assert (await post(app, path, search_body("thing"))).status == 404


async def test_body_is_not_looked_at_for_whom_the_index_is_not(app: App) -> None:
    for path, status in (("/root/secret/", 401), ("/root/nowhere/", 404)):
        assert (await post(app, path, b"nonsense")).status == status


async def test_mirrored_names_are_not_found(app: App) -> None:
    assert (await app.page("mirrored-thing"))["name"] == "mirrored-thing"

    for path in ("/root/dev/", "/root/pypi/"):
        assert hits_in((await post(app, path, search_body("mirrored"))).body) == []


@pytest.mark.parametrize("path", ["/root/dev/+simple/", "/root/dev/simple", "/root/dev/pypi/"])
@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"]
)
async def test_other_posts_there_are_pages_that_are_not_there(app: App, path: str, content_type: str) -> None:
    answer = await app.ask(
        path, method="POST", user="root", data=b"{}", headers={"Content-Type": content_type}
    )

    assert answer.status == 404


async def test_project_named_pypi_keeps_its_pages(app: App) -> None:
    for path in ("/root/dev/pypi", "/root/dev/pypi/"):
        shown = await app.ask(path, headers={"Accept": "application/json"})
        assert list(shown.json()["result"]) == ["1.0"]
    assert (await app.ask("/root/dev/pypi/1.0")).json()["result"]["name"] == "pypi"
    assert (await app.ask("/root/over/pypi", method="DELETE", user="root")).status == 404  # it is on a base
    await upload(app, "pypi", index="root/over", summary="")
    assert (await app.ask("/root/over/pypi", method="DELETE", user="root")).status == 200


async def test_push_and_upload_to_an_index_are_not_taken_for_searches(app: App) -> None:
    await app.make_index("root/target", volatile=True)
    order = {"name": "thing", "version": "1.0", "targetindex": "root/target"}

    pushed = await app.ask("/root/dev/", method="PUSH", user="root", json=order)

    assert (pushed.status, pushed.json()["type"]) == (200, "actionlog")
    found = await post(app, "/root/target/", search_body("thing"))
    assert summaries_in(found.body) == ["thing 1.0 [root/target] Does things"]


async def test_search_answers_under_the_prefix_of_a_proxy(app: App) -> None:
    """The prefix is also the name of the index's owner: it must be taken off once."""
    headers = {**XML_HEADERS, "X-Outside-URL": "https://packages.example.org/root"}

    answer = await app.ask("/root/root/dev/", method="POST", data=search_body("other"), headers=headers)

    assert summaries_in(answer.body) == ["other 1.0 [root/dev] Unlike any thing"]


class TestFaults:
    @pytest.mark.parametrize(
        ("body", "code", "sentence"),
        [
            pytest.param(
                b"<methodCall>", -32700, "the body is not well-formed XML: no element", id="bad-xml"
            ),
            pytest.param(b"", -32700, "the body is not well-formed XML: no element", id="empty"),
            pytest.param(b"{}", -32700, "the body is not well-formed XML: ", id="json"),
            pytest.param(
                b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>",
                -32700,
                "the body must not have a document type",
                id="dtd",
            ),
            pytest.param(
                xmlrpc.client.dumps((), "list_packages").encode(),
                -32601,
                "there is no method 'list_packages', only 'search'",
                id="other-method",
            ),
            pytest.param(
                xmlrpc.client.dumps((), "x" * 9000).encode(),
                -32601,
                "there is no method 'xxx",
                id="long-method",
            ),
            pytest.param(
                xmlrpc.client.dumps(([1], "or"), "search").encode(),
                -32602,
                "the fields of a search must be a struct",
                id="wrong-type",
            ),
            pytest.param(
                search_body("x", operator="\x85\u2028").replace(b"or", b"xor"),
                -32602,
                "the operator of a search must be 'and' or 'or'",
                id="wrong-operator",
            ),
            pytest.param(
                b"<methodCall><methodName>search</methodName><params><param>"
                + b"<value><array><data>" * 1000
                + b"</data></array></value>" * 1000
                + b"</param></params></methodCall>",
                -32602,
                "the fields of a search must be a struct",
                id="deep",
            ),
        ],
    )
    async def test_wrong_call_is_told_in_one_sentence(
        self, app: App, body: bytes, code: int, sentence: str
    ) -> None:
        before = app.services.store.position

        for path in ("/root/dev/", "/root/dev/+simple/"):
            answer = await post(app, path, body)
            assert (answer.status, answer.headers["content-type"]) == (200, "text/xml")
            with pytest.raises(xmlrpc.client.Fault) as fault:
                hits_in(answer.body)
            assert fault.value.faultCode == code
            assert fault.value.faultString.startswith(sentence)
            assert len(fault.value.faultString) < 200
        assert app.services.store.position == before

    @pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
    async def test_large_body_is_refused_unread(self, app: App, *, is_chunked: bool) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(16):
                yield b"x" * 65_536

        body = pieces() if is_chunked else b"x" * (1 << 20)
        answer = await app.ask("/root/dev/", method="POST", data=body, headers=XML_HEADERS)

        assert answer.status == 413

    async def test_compressed_bomb_is_no_more_than_its_bound(self, app: App) -> None:
        bomb = await asyncio.to_thread(gzip.compress, b" " * (1 << 22))
        assert len(bomb) < 1 << 16

        answer = await app.ask(
            "/root/dev/", method="POST", data=bomb, headers={**XML_HEADERS, "Content-Encoding": "gzip"}
        )

        assert answer.status == 413

    async def test_one_search_too_many_is_told_to_come_back(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Searches are held where they read the state, until one more than may wait has been answered."""
        monkeypatch.setattr(searches, "SEARCHES_WAITING_MAX", 3)
        running = app.services.searches
        search, may_go_on = running._index.search, threading.Event()

        def held(*arguments: Any) -> list[Hit]:
            assert may_go_on.wait(10)
            return search(*arguments)

        monkeypatch.setattr(running._index, "search", held)
        waiting = [asyncio.create_task(post(app, "/root/dev/", search_body("thing"))) for _ in range(3)]
        await eventually(lambda: running._waiting == 3, what=lambda: f"{running._waiting} wait")

        refused = await post(app, "/root/dev/", search_body("thing"))
        may_go_on.set()
        answers = await asyncio.gather(*waiting)

        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert [answer.status for answer in answers] == [200] * 3
        assert (await post(app, "/root/dev/", search_body("thing"))).status == 200


async def test_required_login_is_required_of_searches(tmp_path: Path) -> None:
    async with running_app(tmp_path / "data", require_login=True) as app:
        await app.upload_wheel("thing", "1.0")

        for path in [*PATHS, "/root/dev/pypi"]:
            stranger = await post(app, path, search_body("thing"))
            assert (stranger.status, stranger.headers["www-authenticate"]) == (401, 'Basic realm="pypi"')
            known = await post(app, path, search_body("thing"), user="root")
            assert summaries_in(known.body) == ["thing 1.0 [root/dev]"]
