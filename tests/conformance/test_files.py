"""Checklist D and E for files: validators, ranges, HEAD, encodings; hosted, mirrored and not yet mirrored alike."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.conformance.items import Check, House, Items
from tests.helpers.distributions import make_wheel, wheel_name

if TYPE_CHECKING:
    from tests.helpers.upstream import FakeFile

pytestmark = pytest.mark.asyncio(loop_scope="module")
items = Items()

RANGES = [
    pytest.param("bytes=0-0", (0, 1), id="52-first-byte"),
    pytest.param("bytes=5-", (5, None), id="52-from"),
    pytest.param("bytes=-100", (-100, None), id="52-suffix"),
    pytest.param("bytes=-999999999", (0, None), id="52-suffix-longer-than-the-file"),
    pytest.param("bytes=10-999999999999", (10, None), id="52-end-behind-the-file"),
    pytest.param("bytes=0-9, 20-29", None, id="54-two-ranges"),
    pytest.param("bytes=9-5", None, id="54-backwards"),
    pytest.param("bytes=-", None, id="54-empty"),
    pytest.param("bytes=a-b", None, id="54-no-numbers"),
    pytest.param("lines=1-2", None, id="54-other-unit"),
    pytest.param("bytes=" + "0" * 5000 + "1-", (1, None), id="54-many-digits"),
]
UNSATISFIABLE = ["bytes=99999999-", "bytes=-0", "bytes=" + "9" * 5000 + "-"]


@dataclass
class Place:
    path: str
    content: bytes


SIZES = {"small": 0, "large": 200_000}


async def place_of(house: House, kind: str) -> Place:
    """Return a file: hosted, mirrored and cached, or on a mirror that was never asked for its bytes."""
    where, size = kind.split("-")
    name = f"file-{kind}"
    if where == "hosted":
        content = make_wheel(name, "1.0", payload_bytes=SIZES[size])
        answer = await house.app.upload(wheel_name(name, "1.0"), content, name=name, version="1.0")
        assert answer.status == 200
    else:
        added = [file for file in house.upstream.files.values() if file.project == name]
        file: FakeFile = (
            added[0] if added else house.upstream.add_wheel(name, "1.0", payload_bytes=SIZES[size])
        )
        content = file.content
    page = await house.app.page(name)
    path = "/" + page["files"][0]["url"].removeprefix("../../../../")
    if where == "cached":
        assert (await house.ask(path)).body == content
    return Place(path, content)


@pytest.fixture(params=["hosted-small", "hosted-large", "cached-small", "cached-large", "fresh-large"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.mark.parametrize(("given", "expected"), RANGES)
async def test_range_is_answered(
    house: House, kind: str, given: str, expected: tuple[int, int | None] | None
) -> None:
    place = await place_of(house, kind)
    size = len(place.content)

    answer = await house.ask(place.path, headers={"Range": given})

    if expected is None:
        assert (answer.status, answer.body == place.content) == (200, True)
        return
    start, end = expected[0] % size if expected[0] < 0 else expected[0], expected[1] or size
    assert (answer.status, answer.body == place.content[start:end]) == (206, True)
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("given", UNSATISFIABLE, ids=["53-behind", "53-nothing", "53-many-digits"])
async def test_unsatisfiable_range_is_416(house: House, kind: str, given: str) -> None:
    place = await place_of(house, kind)

    answer = await house.ask(place.path, headers={"Range": given})

    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{len(place.content)}"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("item", ["51"])
async def test_head_tells_all_without_fetching(house: House, kind: str, item: str) -> None:
    place = await place_of(house, kind)
    before = house.upstream.requests.total()

    for extra in ({}, {"Range": "bytes=0-5"}):
        head = await house.ask(place.path, method="HEAD", headers=extra)

        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(place.content))
        assert head.headers["accept-ranges"] == "bytes"
        assert head.headers["etag"].strip('"') == hashlib.sha256(place.content).hexdigest()
    assert house.upstream.requests.total() == before, item


@pytest.mark.parametrize("item", ["39+42"])
async def test_validator_is_answered_with_304(house: House, kind: str, item: str) -> None:
    place = await place_of(house, kind)
    etag = f'"{hashlib.sha256(place.content).hexdigest()}"'

    for given in (etag, f"W/{etag}", "*", f'"a", {etag}'):
        for method in ("GET", "HEAD"):
            answer = await house.ask(place.path, method=method, headers={"If-None-Match": given})
            assert (answer.status, answer.headers["etag"], answer.body) == (304, etag, b""), item
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("item", ["55"])
async def test_if_range_decides_between_part_and_whole(house: House, kind: str, item: str) -> None:
    place = await place_of(house, kind)
    etag = f'"{hashlib.sha256(place.content).hexdigest()}"'
    dated = "Sun, 22 Nov 2026 16:00:00 GMT"

    for given, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200), (dated, 200)):
        headers = {"Range": "bytes=3-", "If-Range": given}
        answer = await house.ask(place.path, headers=headers)
        assert answer.status == status, item
        assert answer.body == (place.content[3:] if status == 206 else place.content)


@items.holds(48)
async def files_are_never_encoded(house: House) -> None:
    for kind in ("hosted-small", "hosted-large", "cached-large"):
        place = await place_of(house, kind)
        for path in (place.path, place.path + ".metadata"):
            for encoding in ("gzip", "gzip, deflate, zstd", "*"):
                answer = await house.ask(path, headers={"Accept-Encoding": encoding})
                assert "content-encoding" not in answer.headers
                assert answer.headers["content-length"] == str(len(answer.body))


@items.holds(50)
async def files_may_be_kept_for_ever(house: House) -> None:
    for kind in ("hosted-small", "cached-large"):
        place = await place_of(house, kind)
        for path in (place.path, place.path + ".metadata"):
            assert "immutable" in (await house.ask(path)).headers["cache-control"]


@items.holds(39, 52, 57)
async def core_metadata_has_validators_and_ranges(house: House) -> None:
    for kind in ("hosted-small", "cached-large"):
        path = (await place_of(house, kind)).path + ".metadata"
        whole = await house.ask(path)
        assert whole.headers["etag"].strip('"') == hashlib.sha256(whole.body).hexdigest()
        assert (await house.ask(path, headers={"If-None-Match": whole.headers["etag"]})).status == 304
        part = await house.ask(path, headers={"Range": "bytes=4-"})
        assert (part.status, part.body) == (206, whole.body[4:])
        head = await house.ask(path, method="HEAD")
        assert head.headers["content-length"] == str(len(whole.body))


@items.holds(63)
async def address_is_the_same_before_and_after_caching(house: House) -> None:
    house.upstream.add_wheel("kept", "1.0")
    before = (await house.app.page("kept"))["files"][0]["url"]
    await house.ask("/" + before.removeprefix("../../../../"))
    await house.ask("/root/dev/+simple/kept/refresh", method="POST")
    assert (await house.app.page("kept"))["files"][0]["url"] == before


@items.holds(61)
async def wheel_is_not_fetched_for_its_end(house: House) -> None:
    file = house.upstream.add_wheel("tail", "1.0", payload_bytes=2_000_000)
    path = "/" + (await house.app.page("tail"))["files"][0]["url"].removeprefix("../../../../")
    assert (await house.ask(path, method="HEAD")).status == 200
    answer = await house.ask(path, headers={"Range": "bytes=-16384"})
    assert (answer.status, answer.body) == (206, file.content[-16384:])
    assert house.upstream.sent_bytes[file.path] == 16384


@items.holds(73)
async def one_connection_serves_a_hundred_and_fifty_serve_at_once(house: House) -> None:
    place = await place_of(house, "hosted-large")
    for _ in range(100):
        assert (await house.ask("/root/dev/+simple/thing/")).status == 200
    answers = await asyncio.gather(*(house.ask(place.path) for _ in range(50)))
    assert all(answer.body == place.content for answer in answers)


@items.holds(103)
async def fifty_clients_of_a_cold_file_cost_one_download(house: House) -> None:
    file = house.upstream.add_wheel("cold", "1.0", payload_bytes=1_000_000)
    path = "/" + (await house.app.page("cold"))["files"][0]["url"].removeprefix("../../../../")
    answers = await asyncio.gather(*(house.ask(path) for _ in range(50)))
    assert {hashlib.sha256(answer.body).hexdigest() for answer in answers} == {file.sha256}
    assert house.upstream.requests[file.path] == 1


@items.holds(54)
async def odd_addresses_are_404(house: House) -> None:
    place = await place_of(house, "hosted-small")
    folder, _, name = place.path.rpartition("/")
    for path in (
        f"{folder}/{'x' * 2000}.whl", f"{folder}/other.whl", f"{folder}/{name}%00", "/root/dev/+f/zzz/0123456789abc/a.whl",
        f"/root/pypi/+f/abc/0123456789abc/{'y' * 400}-1.0.tar.gz",
    ):  # fmt: skip
        assert (await house.ask(path)).status == 404, path[:80]


@pytest.mark.parametrize("check", items.cases)
async def test_file_conforms(house: House, check: Check) -> None:
    await check(house)
