"""Checklist G: uploads as the clients send them, all of which are right."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.conformance.items import Check, House, Items
from tests.conformance.spoiled import padded
from tests.conformance.uploading import (
    upload_house,
)
from tests.helpers.app import multipart, upload_form
from tests.helpers.distributions import make_sdist, make_wheel, metadata_text, sdist_name, wheel_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")
items = Items()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with upload_house(tmp_path_factory.mktemp("node") / "data") as house:
        yield house


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
        metadata = metadata_text(name, "1.0").replace(
            b"Metadata-Version: 2.1", f"Metadata-Version: {number}".encode()
        )
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


@items.holds(57, 88)
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
