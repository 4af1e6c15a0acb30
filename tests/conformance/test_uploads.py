"""Checklist G: uploads as the clients send them, and what bad ones get. Nothing stays of a refused one."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from node.http.errors import reason_phrase
from tests.conformance.items import Check, House, Items
from tests.conformance.spoiled import SPOILED, padded
from tests.helpers.app import App, Reply, multipart, running_app, upload_form
from tests.helpers.distributions import make_sdist, make_wheel, metadata_text, sdist_name, wheel_name
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")
items = Items()

LIMIT_BYTES = 2_000_000
WHEEL = make_wheel("good", "1.0")
NAME = wheel_name("good", "1.0")
IDENTITY = {"name": "good", "version": "1.0"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A node that takes files of at most 2 MB on ``root/dev``, and only from alice on ``root/closed``."""
    folder = tmp_path_factory.mktemp("node") / "data"
    async with (
        FakeUpstream() as upstream,
        running_app(folder, upstream=upstream, max_upload_bytes=LIMIT_BYTES) as app,
    ):
        await app.make_user("alice")
        await app.make_index("root/closed", acl_upload=["alice"])
        await app.make_index("root/stable", volatile=False)
        yield House(app, upstream)


def leftovers(app: App) -> list[str]:
    """Return the temporary files of the blob store."""
    return [path.name for path in (app.services.store.blobs.path(bytes(32)).parents[1] / ".tmp").iterdir()]


def blob_files(app: App) -> set[str]:
    root = app.services.store.blobs.path(bytes(32)).parents[1]
    return {path.name for path in root.rglob("*") if path.is_file()}


@contextlib.asynccontextmanager
async def nothing_changes(app: App) -> AsyncIterator[None]:
    before, blobs = app.services.store.position, blob_files(app)
    yield
    assert app.services.store.position == before
    assert blob_files(app) == blobs
    assert leftovers(app) == []


def check_refusal(answer: Reply, status: int, words: str) -> None:
    assert (answer.status, words in answer.reason, words in answer.body.decode()) == (status, True, True), answer
    assert "\n" not in answer.body.decode().strip()


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
    form = {"name": "good", "version": "1.0", **fields}
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


@items.holds(75)
async def fields_come_in_any_order(house: House) -> None:
    content = make_wheel("order", "1.0")
    form = upload_form("order", "1.0", wheel_name("order", "1.0"))
    after = {"attestations": "[]", "name": form.pop("name"), ":action": form.pop(":action")}
    body, content_type = multipart(form, [("content", wheel_name("order", "1.0"), content)], after=after)
    answer = await house.ask(
        "/root/dev/", method="POST", user="root", data=body, headers={"Content-Type": content_type}
    )
    assert answer.status == 200, answer
    assert (await house.app.page("order"))["files"][0]["size"] == len(content)


@items.holds(76, 15)
async def slashes_at_the_end_or_doubled_are_no_redirect(house: House) -> None:
    for number, path in enumerate(("/root/dev/", "/root/dev", "//root//dev//", "/root/dev//")):
        version = f"1.{number}"
        content = make_wheel("slashes", version)
        answer = await house.app.upload(
            wheel_name("slashes", version), content, name="slashes", version=version, path=path
        )
        assert answer.status == 200, (path, answer)
    assert len((await house.app.page("slashes"))["files"]) == 4


@items.holds(76)
async def expecting_client_is_told_to_continue(house: House) -> None:
    for name, path in (("expect", "/root/dev/"), ("expect-doubled", "//root/dev/")):
        content = make_wheel(name, "1.0")
        answer = await house.app.upload(
            wheel_name(name, "1.0"), content, name=name, version="1.0", path=path,
            headers={"Expect": "100-continue"},
        )  # fmt: skip
        assert answer.status == 200


@items.holds(77)
async def same_file_again_is_200_and_writes_nothing(house: House) -> None:
    for index in ("root/stable", "root/dev"):
        content = make_wheel("same", "1.0")
        for expected in (True, False, False):
            before = house.app.services.store.position
            answer = await house.app.upload(
                wheel_name("same", "1.0"), content, name="same", version="1.0", index=index
            )
            assert answer.status == 200
            assert (house.app.services.store.position != before) == expected


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


@items.holds(80)
async def right_digests_are_taken_in_any_case(house: House) -> None:
    content = make_wheel("digests", "1.0")
    answer = await house.app.upload(
        wheel_name("digests", "1.0"), content, name="digests", version="1.0",
        sha256_digest=hashlib.sha256(content).hexdigest().upper(),
        blake2_256_digest=hashlib.blake2b(content, digest_size=32).hexdigest(),
        md5_digest=hashlib.md5(content).hexdigest(),
    )  # fmt: skip
    assert answer.status == 200


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
    bodies = [(body[:-40], content_type), (b"", content_type), (body, "multipart/form-data"), (twice, content_type)]
    bodies += [(body, "multipart/form-data; boundary=other"), (b"\xff\x00=&&&", "application/x-www-form-urlencoded")]
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


@items.holds(84)
async def other_spelling_of_the_name_is_taken(house: House) -> None:
    content = make_wheel("My-Tool", "1.0")
    answer = await house.app.upload("My_Tool-1.0-py3-none-any.whl", content, name="my.tool", version="1.0")
    assert answer.status == 200, answer
    assert (await house.app.page("my-tool"))["name"] == "my-tool"


@items.holds(85)
async def ordinary_archives_are_taken(house: House) -> None:
    for number, content in enumerate((padded(streamed=True), padded(zip64=True), padded(stored=True))):
        name = f"made-{number}"
        answer = await house.app.upload(wheel_name(name, "1.0"), content(name), name=name, version="1.0")
        assert answer.status == 200, answer


@items.holds(88)
async def metadata_of_every_version_is_taken(house: House) -> None:
    for number in ("1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.9"):
        name = "meta" + number.replace(".", "")
        metadata = metadata_text(name, "1.0").replace(b"Metadata-Version: 2.1", f"Metadata-Version: {number}".encode())
        content = make_wheel(name, "1.0", metadata=metadata)
        answer = await house.app.upload(
            wheel_name(name, "1.0"), content, name=name, version="1.0", metadata_version=number,
            license_expression="MIT", import_names="a",
        )  # fmt: skip
        assert answer.status == 200


@items.holds(89)
async def what_only_private_indexes_take_is_taken(house: House) -> None:
    metadata = metadata_text("corp", "1.0+corp1", requires=("x @ https://example.org/x.zip",))
    content = make_wheel("corp", "1.0+corp1", metadata=metadata)
    answer = await house.app.upload(
        "corp-1.0+corp1-py3-none-linux_x86_64.whl", content, name="corp", version="1.0+corp1",
        classifiers="Private :: Do Not Upload",
    )  # fmt: skip
    assert answer.status == 200, answer
    file = (await house.app.page("corp"))["files"][0]
    fetched = await house.ask("/" + file["url"].removeprefix("../../../../"))
    assert fetched.body == content


@items.holds(90)
async def two_at_once_end_as_one(house: House) -> None:
    contents = [make_wheel("race", "1.0", payload_bytes=1000 + number) for number in range(6)]
    answers = await asyncio.gather(*(
        house.app.upload(wheel_name("race", "1.0"), content, name="race", version="1.0", index="root/stable")
        for content in contents
    ))  # fmt: skip
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409, 409]
    winner = contents[[answer.status for answer in answers].index(200)]
    page = await house.app.page("race", index="root/stable")
    assert [file["hashes"]["sha256"] for file in page["files"]] == [hashlib.sha256(winner).hexdigest()]


@items.holds(91, 44)
async def page_shows_the_file_at_once(house: House) -> None:
    for number in range(5):
        await house.app.upload_wheel("atonce", f"1.{number}")
        assert len((await house.app.page("atonce"))["files"]) == number + 1


@items.holds(92)
async def large_metadata_is_served(house: House) -> None:
    metadata = metadata_text("wordy", "1.0", description="word " * 60_000)
    content = make_wheel("wordy", "1.0", metadata=metadata)
    answer = await house.app.upload(
        wheel_name("wordy", "1.0"), content, name="wordy", version="1.0", description="word " * 60_000
    )
    assert answer.status == 200, answer
    file = (await house.app.page("wordy"))["files"][0]
    fetched = await house.ask("/" + file["url"].removeprefix("../../../../") + ".metadata")
    assert fetched.body == metadata


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
    assert (nobody.status, nobody.headers["www-authenticate"]) == (401, 'Basic realm="pypi"')
    assert [root.status, mirror.status, nowhere.status] == [403, 404, 404]
    allowed = await house.app.upload(NAME, WHEEL, **IDENTITY, index="root/closed", user="alice")
    assert allowed.status == 200


@items.holds(81)
async def metadata_alone_may_be_sent_in_both_encodings(house: House) -> None:
    form = {":action": "submit", "name": "alone", "version": "1.0", "metadata_version": "2.1"}
    body, content_type = multipart(form, [])
    for data, headers in ((form, {}), (body, {"Content-Type": content_type})):
        answer = await house.ask("/root/dev/", method="POST", user="root", data=data, headers=headers)
        assert answer.status == 200
    assert (await house.app.page("alone"))["files"] == []


@items.holds(74)
async def sdist_takes_its_python_from_the_form(house: House) -> None:
    content = make_sdist("source", "1.0")
    answer = await house.app.upload(
        sdist_name("source", "1.0"), content, name="source", version="1.0", requires_python=">=3.9"
    )
    assert answer.status == 200
    assert (await house.app.page("source"))["files"][0]["requires-python"] == ">=3.9"


@items.holds(74)
async def wheel_speaks_for_itself(house: House) -> None:
    content = make_wheel("speaks", "1.0")
    answer = await house.app.upload(
        wheel_name("speaks", "1.0"), content, name="speaks", version="1.0", requires_python=">=3.99"
    )
    assert answer.status == 200
    assert (await house.app.page("speaks"))["files"][0]["requires-python"] == ">=3.8"


@pytest.mark.parametrize("check", items.cases)
async def test_upload_conforms(house: House, check: Check) -> None:
    await check(house)
