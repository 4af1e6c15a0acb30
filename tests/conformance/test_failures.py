"""Checklist F and I: outages, broken downloads and clients that go away; D: validators across restarts and nodes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import urllib.request
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.helpers.app import JSON, App, multipart, running_app, upload_form
from tests.helpers.distributions import make_wheel, wheel_name
from tests.helpers.nodes import running_cluster
from tests.helpers.upstream import FakeFile, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PAGE = "/root/dev/+simple/six/"
FORMS = [("text/html", "identity"), (JSON, "gzip"), (JSON, "identity")]


@pytest.fixture
async def app(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data", upstream=upstream) as app:
        yield app


async def path_of(app: App, project: str) -> str:
    url: str = (await app.page(project))["files"][0]["url"]
    return "/" + url.removeprefix("../../../../")


def is_whole_seconds(text: str) -> bool:
    return text.isdigit() and int(text) > 0


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"status": 500}, {"status": 200, "body": b"<"},
                                   None], ids=["70-503", "70-429", "70-500", "70-no-page", "70-refused"])  # fmt: skip
async def test_outage_is_502_and_never_404(
    app: App, upstream: FakeUpstream, fault: dict[str, object] | None
) -> None:
    """Nothing is cached and upstream answers an error, nonsense, or refuses the connection."""
    if fault is None:
        await upstream.stop()
    else:
        upstream.fault("/simple/six/", **fault)

    for path in (PAGE, "/root/pypi/+simple/six/", "/root/pypi/+f/abc/0123456789abc/six-1.0-py3-none-any.whl"):
        answer = await app.ask(path)
        assert answer.status in {502, 503}
        assert is_whole_seconds(answer.headers["retry-after"])
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("item", ["70"])
async def test_cached_page_is_given_out_stale(app: App, upstream: FakeUpstream, item: str) -> None:
    """The page was fetched before the outage; it is served, marked, and hosted projects are not touched."""
    upstream.add_wheel("six", "1.0")
    before = await app.page("six")
    await upstream.stop()
    await app.ask(PAGE + "refresh", method="POST")

    answer = await app.ask(PAGE, headers={"Accept": JSON})

    assert (answer.status, answer.json()) == (200, before), item
    assert answer.headers["warning"].startswith("110")


@pytest.mark.parametrize("item", ["58+71"])
async def test_advertised_metadata_fails_with_5xx(app: App, upstream: FakeUpstream, item: str) -> None:
    """The page promised core metadata; the wheel cannot be read now."""
    file = upstream.add_wheel("six", "1.0")
    path = await path_of(app, "six")
    upstream.fault(file.path, status=503)

    answer = await app.ask(path + ".metadata")

    assert answer.status in {502, 503}, item
    assert is_whole_seconds(answer.headers["retry-after"])


@pytest.mark.parametrize("item", ["104"])
async def test_wrong_bytes_never_make_a_whole_answer(app: App, upstream: FakeUpstream, item: str) -> None:
    """Upstream sends other bytes than its page promises; no client may end with a complete 200."""
    content = make_wheel("bad", "1.0", payload_bytes=500_000)
    promised = {"hashes": {"sha256": "0" * 64}}
    upstream.add(FakeFile("bad", wheel_name("bad", "1.0"), content, "1.0", extra=promised))
    path = await path_of(app, "bad")

    for _ in range(2):
        answer = None
        with contextlib.suppress(aiohttp.ClientError):
            answer = await app.ask(path)
        assert answer is None or answer.status >= 500, item


@pytest.mark.parametrize("item", ["72"])
async def test_client_that_goes_away_spoils_nothing(app: App, upstream: FakeUpstream, item: str) -> None:
    """The only client leaves in the middle of the first download; the next one gets all of it."""
    file = upstream.add_wheel("six", "1.0", payload_bytes=2_000_000)
    path = await path_of(app, "six")
    fault = upstream.fault(file.path, after_bytes=500_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readexactly(100_000)
    writer.transport.abort()
    fault.release()
    upstream.faults.clear()

    answer = await app.ask(path)

    assert hashlib.sha256(answer.body).hexdigest() == file.sha256, item
    assert (await app.ask(path)).body == file.content


@pytest.mark.parametrize("item", ["51"])
async def test_head_has_a_length_where_the_page_has_none(app: App, upstream: FakeUpstream, item: str) -> None:
    """An HTML upstream tells no sizes: the length comes with the head of its answer for the file."""
    upstream.style = "html"
    file = upstream.add_wheel("six", "1.0", payload_bytes=300_000)
    path = await path_of(app, "six")

    head = await app.ask(path, method="HEAD")
    got = await app.ask(path)

    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(file.content)), b""), (
        item
    )
    assert got.body == file.content


@pytest.mark.parametrize("item", ["105"])
async def test_private_name_is_never_asked_upstream(app: App, upstream: FakeUpstream, item: str) -> None:
    """Pages, files and their metadata of a hosted project; also for file names that are not there."""
    await app.upload_wheel("secretive", "1.0")
    path = await path_of(app, "secretive")
    for asked in (path, path + ".metadata", "/root/pypi/+f/abc/0123456789abc/secretive-9.0-py3-none-any.whl"):
        await app.ask(asked)

    assert not any("secretive" in requested for requested in upstream.requests), item


@pytest.mark.parametrize("item", ["68"])
async def test_challenge_reads_nothing(app: App, item: str) -> None:
    """uv asks each URL without credentials first: the 401 is small and says how to log in."""
    await app.make_index("root/closed", acl_read=["root"])
    await app.upload_wheel("thing", "1.0", index="root/closed")

    answer = await app.ask("/root/closed/+simple/thing/")
    allowed = await app.ask("/root/closed/+simple/thing/", user="root")

    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Basic realm="pypi"'), item
    assert (len(answer.body) < 400, allowed.status) == (True, 200)
    assert "private" in allowed.headers["cache-control"]


@pytest.mark.parametrize("item", ["41"])
async def test_validators_survive_a_restart(tmp_path: Path, upstream: FakeUpstream, item: str) -> None:
    """The same data directory is opened a second time; every form of every page has its ETag again."""
    upstream.add_wheel("six", "1.0")
    seen: list[list[str]] = []
    for _ in range(2):
        async with running_app(tmp_path / "data", upstream=upstream) as app:
            if not seen:
                await app.upload_wheel("thing", "1.0")
            seen.append([
                (await app.ask(path, headers={"Accept": accept, "Accept-Encoding": encoding})).headers["etag"]
                for path in (PAGE, "/root/dev/+simple/thing/", "/root/dev/+simple/", await path_of(app, "thing"))
                for accept, encoding in FORMS
            ])  # fmt: skip

    assert seen[0] == seen[1], item


@pytest.mark.parametrize("item", ["41+63+91"])
def test_validators_and_addresses_are_equal_on_a_replica(tmp_path: Path, item: str) -> None:
    """Two processes; the upload goes through the replica, which shows it as soon as it has answered."""
    content = make_wheel("thing", "1.0")
    body, kind = multipart(
        upload_form("thing", "1.0", wheel_name("thing", "1.0")),
        [("content", wheel_name("thing", "1.0"), content)],
    )
    with running_cluster(tmp_path, replicas=1, options=("--no-root-pypi",)) as cluster:
        replica, urls = cluster.replicas[0].url, [node.url for node in cluster.nodes]
        login = {"Authorization": "Basic cm9vdDo="}
        send(replica + "/root/dev", "PUT", b"{}", {"Content-Type": "application/json", **login})
        send(replica + "/root/dev/", "POST", body, {"Content-Type": kind, **login})
        answers = {
            url: [
                send(url + path, headers={"Accept": accept, "Accept-Encoding": encoding})
                for path in ("/root/dev/+simple/thing/", "/root/dev/+simple/")
                for accept, encoding in FORMS
            ]
            for url in reversed(urls)
        }

    assert answers[urls[0]] == answers[urls[1]], item


def send(
    url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str | None, bytes]:
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.status, response.headers["ETag"], response.read()
