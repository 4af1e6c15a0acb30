"""Checklist G: what bad uploads get. Nothing stays of a refused one."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from node.http.errors import reason_phrase
from tests.conformance.items import Check, House, Items
from tests.conformance.spoiled import SPOILED
from tests.conformance.uploading import (
    IDENTITY,
    LIMIT_BYTES,
    NAME,
    WHEEL,
    check_refusal,
    nothing_changes,
    upload_house,
)
from tests.helpers.app import multipart, upload_form
from tests.helpers.distributions import make_wheel, wheel_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")
items = Items()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with upload_house(tmp_path_factory.mktemp("node") / "data") as house:
        yield house


BAD_FORMS = [
    pytest.param({"sha256_digest": "0" * 64}, "digest supplied does not match", id="80-sha256"),
    pytest.param({"blake2_256_digest": "0" * 64}, "digest supplied does not match", id="80-blake2"),
    pytest.param({"md5_digest": "0" * 32}, "digest supplied does not match", id="80-md5"),
    pytest.param({"sha256_digest": "zz"}, "digest supplied does not match", id="80-no-hex"),
    pytest.param({"name": ""}, "invalid metadata", id="81-no-name"),
    pytest.param({"version": ""}, "invalid metadata", id="81-no-version"),
    pytest.param({"protocol_version": "2"}, "Unknown protocol version.", id="81-protocol"),
    pytest.param({"filetype": "sdist"}, "the file type 'sdist' does not fit", id="81-filetype"),
    pytest.param({":action": "nonsense"}, "action 'nonsense' not supported", id="81-action"),
    pytest.param({":action": ""}, ":action field not found", id="81-no-action"),
    pytest.param({"name": "other"}, "does not match project name", id="84-other-name"),
    pytest.param({"version": "2.0"}, "does not contain version", id="84-other-version"),
    pytest.param({"name": "go/od"}, "invalid metadata", id="81-name-with-slash"),
    pytest.param({"name": "good\nx"}, "invalid metadata", id="81-name-of-two-lines"),
    pytest.param({"requires_python": ">>3"}, "no version specifier", id="81-requires-python"),
]


@pytest.mark.parametrize(("fields", "words"), BAD_FORMS)
async def test_bad_form_is_400_in_one_sentence(house: House, fields: dict[str, str], words: str) -> None:
    form: dict[str, Any] = {"name": "good", "version": "1.0", **fields}
    async with nothing_changes(house.app):
        answer = await house.app.upload(NAME, WHEEL, **form)

    check_refusal(answer, 400, words)


BAD_NAMES = [
    ("../good-1.0-py3-none-any.whl", "slash"),
    ("..\\good-1.0-py3-none-any.whl", "backslash"),
    ("good-1.0\x7f-py3-none-any.whl", "del"),
    ("good-1.0\x01-py3-none-any.whl", "control"),
    ("good-1.0-" + "x" * 300 + "-none-any.whl", "long"),
    ("good-1.0-py3-none-any.exe.txt", "extension"),
    ("good-1.0.whl", "no-tags"),
    ("other-1.0-py3-none-any.whl", "project"),
]


@pytest.mark.parametrize(("filename", "what"), BAD_NAMES, ids=[f"83-{what}" for _, what in BAD_NAMES])
async def test_bad_file_name_is_400(house: House, filename: str, what: str) -> None:
    async with nothing_changes(house.app):
        answer = await house.app.upload(filename, WHEEL, **IDENTITY)

    assert answer.status == 400, what
    assert answer.reason != "Bad Request"


@pytest.mark.parametrize("spoil", [pytest.param(spoil, id=f"{n}-{spoil.__name__}") for n, spoil in SPOILED])
async def test_bad_archive_is_400(house: House, spoil: object) -> None:
    assert callable(spoil)
    async with nothing_changes(house.app):
        answer = await house.app.upload(NAME, spoil(), **IDENTITY)

    assert answer.status == 400
    assert answer.reason != "Bad Request"
    assert reason_phrase(answer.body.decode().strip()) == answer.reason


@items.holds(78)
async def other_bytes_are_409_with_the_words_clients_look_for(house: House) -> None:
    filename = wheel_name("taken", "1.0")
    await house.app.upload_wheel("taken", "1.0", index="root/stable")
    other = make_wheel("taken", "1.0", payload_bytes=10)
    async with nothing_changes(house.app):
        answer = await house.app.upload(filename, other, name="taken", version="1.0", index="root/stable")
    check_refusal(answer, 409, "File already exists")
    await house.app.upload_wheel("taken", "1.0", index="root/dev")
    assert (await house.app.upload(filename, other, name="taken", version="1.0")).status == 200
    page = await house.app.page("taken")
    assert [file["hashes"]["sha256"] for file in page["files"]] == [hashlib.sha256(other).hexdigest()]


@items.holds(81)
async def form_without_file_is_400(house: House) -> None:
    body, content_type = multipart(upload_form("good", "1.0", NAME), [])
    async with nothing_changes(house.app):
        answer = await house.ask(
            "/root/dev/", method="POST", user="root", data=body, headers={"Content-Type": content_type}
        )
    check_refusal(answer, 400, "content file field not found")


@items.holds(81)
async def broken_form_is_400(house: House) -> None:
    form = upload_form("good", "1.0", NAME)
    body, content_type = multipart(form, [("content", NAME, WHEEL)])
    twice, _ = multipart(form, [("content", NAME, WHEEL), ("content", NAME, WHEEL)])
    bodies = [
        (body[:-40], content_type),
        (b"", content_type),
        (body, "multipart/form-data"),
        (twice, content_type),
    ]
    bodies += [
        (body, "multipart/form-data; boundary=other"),
        (b"\xff\x00=&&&", "application/x-www-form-urlencoded"),
    ]
    async with nothing_changes(house.app):
        for sent, kind in bodies:
            answer = await house.ask(
                "/root/dev/", method="POST", user="root", data=sent, headers={"Content-Type": kind}
            )
            assert answer.status == 400, (kind, answer)


@items.holds(82)
async def error_is_json_of_exactly_that_type_when_accepted(house: House) -> None:
    accept = "application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7"
    answer = await house.app.upload(
        NAME, WHEEL, **IDENTITY, sha256_digest="0" * 64, headers={"Accept": accept}
    )
    assert answer.headers["content-type"] == "application/json"
    assert answer.reason == json.loads(answer.body)["message"][:200]


@items.holds(93)
async def body_over_the_limit_is_413(house: House) -> None:
    content = bytes(LIMIT_BYTES + 1)
    body, content_type = multipart(upload_form("good", "1.0", NAME), [("content", NAME, content)])

    async def chunked() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    async with nothing_changes(house.app):
        for data in (body, chunked(), body + bytes(9 << 20)):
            answer = await house.ask(
                "/root/dev/", method="POST", user="root", data=data, headers={"Content-Type": content_type}
            )
            check_refusal(answer, 413, "larger than the limit")


@items.holds(93)
async def text_fields_over_the_limit_are_413(house: House) -> None:
    async with nothing_changes(house.app):
        answer = await house.app.upload(NAME, WHEEL, **IDENTITY, description="x" * (9 << 20))
    assert answer.status == 413


@items.holds(65)
async def strangers_get_401_and_others_403(house: House) -> None:
    async with nothing_changes(house.app):
        nobody = await house.app.upload(NAME, WHEEL, **IDENTITY, user=None)
        root = await house.app.upload(NAME, WHEEL, **IDENTITY, index="root/closed")
        mirror = await house.app.upload(NAME, WHEEL, **IDENTITY, index="root/pypi")
        nowhere = await house.app.upload(NAME, WHEEL, **IDENTITY, index="root/nowhere")
    check_refusal(nobody, 401, "authentication required to upload")
    assert nobody.headers["www-authenticate"] == 'Basic realm="pypi"'
    assert [root.status, mirror.status, nowhere.status] == [403, 404, 404]
    allowed = await house.app.upload(NAME, WHEEL, **IDENTITY, index="root/closed", user="alice")
    assert allowed.status == 200


@pytest.mark.parametrize("check", items.cases)
async def test_upload_conforms(house: House, check: Check) -> None:
    await check(house)
