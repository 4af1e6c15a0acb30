"""Checklist B and C: what pages say in JSON and HTML, for hosted projects and for what upstreams get wrong."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import Any

import pytest
from packaging.version import Version
from pypi_simple import ProjectPage

from tests.conformance.items import Check, House, Items
from tests.helpers.app import HTML, JSON, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")
items = Items()

PROJECTS = ("thing", "oddity", "six")
TOP_KEYS = {"meta", "name", "versions", "files", "project-status"}
FILE_KEYS = {
    "filename", "url", "hashes", "yanked", "requires-python", "size", "upload-time", "core-metadata",
    "dist-info-metadata", "provenance",
}  # fmt: skip
UPLOAD_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")


async def pages(house: House) -> list[dict[str, Any]]:
    return [await house.app.page(project) for project in PROJECTS]


async def html(house: House, project: str) -> str:
    answer: Reply = await house.ask(f"/root/dev/+simple/{project}/", headers={"Accept": HTML})
    return answer.body.decode()


async def files(house: House, project: str = "oddity") -> dict[str, dict[str, Any]]:
    return {file["filename"]: file for file in (await house.app.page(project))["files"]}


def path_of(file: dict[str, Any]) -> str:
    """Return the absolute path behind a relative link of a page."""
    url: str = file["url"]
    assert url.startswith("../../../../")
    return "/" + url.removeprefix("../../../../")


@items.holds(18, 30)
async def version_is_1_4_and_other_keys_are_private(house: House) -> None:
    for page in await pages(house):
        assert page["meta"]["api-version"] == "1.4"
        assert set(page) <= TOP_KEYS
        assert all(key == "api-version" or key.startswith("_") for key in page["meta"])
        for file in page["files"]:
            assert set(file) <= FILE_KEYS


@items.holds(19)
async def name_and_versions_are_complete(house: House) -> None:
    for project, page in zip(PROJECTS, await pages(house), strict=True):
        versions = [Version(text) for text in page["versions"]]
        assert page["name"] == project
        assert len(set(versions)) == len(versions)
        assert versions
    assert (await house.app.page("thing"))["versions"] == ["1.0", "1.1"]
    assert set((await house.app.page("oddity"))["versions"]) >= {f"1.{n}" for n in range(9)} | {"0.9", "2.0"}


@items.holds(20)
async def files_have_name_url_hashes_and_size(house: House) -> None:
    for page in await pages(house):
        for file in page["files"]:
            assert file["filename"]
            assert file["url"]
            assert isinstance(file["hashes"], dict)
            assert isinstance(file.get("size", 0), int)
    for file in (await house.app.page("thing"))["files"]:
        assert re.fullmatch("[0-9a-f]{64}", file["hashes"]["sha256"])
        assert file["size"] > 0


@items.holds(21)
async def null_is_nowhere(house: House) -> None:
    for project in PROJECTS:
        body = (await house.ask(f"/root/dev/+simple/{project}/", headers={"Accept": JSON})).body
        assert b"null" not in body


@items.holds(22, 23)
async def upload_times_are_in_utc(house: House) -> None:
    for page in await pages(house):
        for file in page["files"]:
            assert UPLOAD_TIME.match(file.get("upload-time", "2024-01-01T00:00:00Z"))
    assert all("upload-time" in file for file in (await house.app.page("thing"))["files"])


@items.holds(24, 107)
async def yanked_is_false_true_or_a_reason(house: House) -> None:
    found = await files(house)
    yanked = [found[f"oddity-1.{number}-py3-none-any.whl"]["yanked"] for number in range(4)]
    assert yanked == [True, 'it broke < & "everything"', True, False]


@items.holds(25, 34)
async def core_metadata_is_offered_for_wheels_alone(house: House) -> None:
    for page in await pages(house):
        for file in page["files"]:
            offered = file.get("core-metadata")
            assert file.get("dist-info-metadata") == offered
            assert bool(offered) == file["filename"].endswith(".whl"), file


@items.holds(57, 58, 25, 108)
async def core_metadata_is_what_was_promised(house: House) -> None:
    for project in PROJECTS:
        for file in (await files(house, project)).values():
            offered = file.get("core-metadata")
            if not offered or file["hashes"].get("sha256") is None:
                continue
            answer = await house.ask(path_of(file) + ".metadata")
            assert answer.status == 200
            assert answer.body.startswith(b"Metadata-Version")
            if isinstance(offered, dict) and project != "oddity":
                assert hashlib.sha256(answer.body).hexdigest() == offered["sha256"]


@items.holds(26)
async def project_status_is_one_of_four(house: House) -> None:
    from aiohttp import web  # noqa: PLC0415 - a page of its own

    for status, shown in (("archived", "archived"), ("quarantined", "quarantined"), ("odd", None)):
        data = house.upstream.page_json("oddity") | {
            "project-status": {"status": status, "reason": "why <b>"}
        }
        data["name"] = f"status-{status}"
        house.upstream.pages[f"status-{status}"] = partial(web.json_response, data, content_type=JSON)
        page = await house.app.page(f"status-{status}")
        assert page.get("project-status", {}).get("status") == shown
        assert (page["files"] == []) == (status == "quarantined")
        markup = await html(house, f"status-{status}")
        assert ("pypi:project-status" in markup) == (shown is not None)
        assert "why <b>" not in markup


@items.holds(27)
async def provenance_is_an_https_url(house: House) -> None:
    found = [file["provenance"] for file in (await files(house)).values() if "provenance" in file]
    assert found == ["https://example.org/p"]


@items.holds(28)
async def urls_are_plain_and_lead_to_the_file(house: House) -> None:
    for project in ("thing", "six"):
        for file in (await files(house, project)).values():
            assert not set("?#@") & set(file["url"])
            answer = await house.ask(path_of(file))
            assert answer.status == 200
            assert hashlib.sha256(answer.body).hexdigest() == file["hashes"]["sha256"]


@items.holds(29, 30, 37)
async def list_has_names_and_serials(house: House) -> None:
    page = (await house.ask("/root/dev/+simple/", headers={"Accept": JSON})).json()
    assert page["meta"].keys() == {"api-version", "_last-serial"}
    hosted, mirrored = {"json", "pypi", "simple", "thing"}, {"nine", "oddity", "six"}
    serials = {project["name"]: project["_last-serial"] for project in page["projects"]}
    assert list(serials) == sorted(hosted | mirrored)
    assert all(0 < serials[name] <= page["meta"]["_last-serial"] for name in hosted)
    assert {serials[name] for name in mirrored} == {0}
    markup = (await house.ask("/root/dev/+simple/", headers={"Accept": HTML})).body.decode()
    assert re.findall(r'href="([^"]+)"', markup) == [f"{name}/" for name in serials]


@items.holds(110)
async def no_page_has_a_lower_serial_than_the_list(house: House) -> None:
    for index in ("root/dev", "root/pypi"):
        listed = (await house.ask(f"/{index}/+simple/", headers={"Accept": JSON})).json()
        for project in listed["projects"]:
            page = await house.ask(f"/{index}/+simple/{project['name']}/", headers={"Accept": JSON})
            assert int(page.headers["x-pypi-last-serial"]) >= project["_last-serial"]
            assert project["_last-serial"] <= listed["meta"]["_last-serial"]


@items.holds(31, 38)
async def one_anchor_per_file_with_a_known_hash(house: House) -> None:
    for project in PROJECTS:
        markup = await html(house, project)
        found = await files(house, project)
        assert re.findall(r"<a [^>]+>([^<]+)</a>", markup) == list(found)
        for algorithm in re.findall(r'href="[^"#]+#(\w+)=', markup):
            assert algorithm in {"md5", "sha256", "sha384", "sha512", "blake2b"}
        assert "<base" not in markup
        assert markup.startswith("<!DOCTYPE html>")


@items.holds(32)
async def attributes_are_escaped(house: House) -> None:
    for project in PROJECTS:
        for tag in re.findall(r"<a (.*?)>[^<>]*</a>", await html(house, project)):
            assert ">" not in tag
            assert "<" not in tag
    assert 'data-requires-python="&gt;=3.8"' in await html(house, "thing")


@items.holds(33)
async def yanked_always_has_a_value(house: House) -> None:
    markup = await html(house, "oddity")
    assert markup.count('data-yanked=""') == 2
    assert 'data-yanked="it broke &lt; &amp; &quot;everything&quot;"' in markup
    assert markup.count("data-yanked") == markup.count('data-yanked="')


@items.holds(35)
async def html_names_its_version(house: House) -> None:
    for project in PROJECTS:
        markup = await html(house, project)
        assert '<meta name="pypi:repository-version" content="1.4">' in markup
        assert "pypi:project-status" not in markup


@items.holds(36, 107)
async def html_and_json_agree(house: House) -> None:
    for project in PROJECTS:
        url = f"{house.app.url}/root/dev/+simple/{project}/"
        from_json = ProjectPage.from_json_data(await house.app.page(project), base_url=url)
        from_html = ProjectPage.from_html(project, await html(house, project), base_url=url)
        assert len(from_json.packages) == len(from_html.packages) > 0
        for left, right in zip(from_json.packages, from_html.packages, strict=True):
            assert (left.filename, left.url, left.version) == (right.filename, right.url, right.version)
            assert (left.is_yanked, left.yanked_reason or "") == (right.is_yanked, right.yanked_reason or "")
            assert left.requires_python == right.requires_python
            assert left.has_metadata == right.has_metadata
            assert (left.metadata_digests or {}) == (right.metadata_digests or {})
            assert right.digests.items() <= left.digests.items()


@pytest.mark.parametrize("check", items.cases)
async def test_page_conforms(house: House, check: Check) -> None:
    await check(house)
