"""upload: files that are there already, files that it builds, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clients.house import MIRROR, names_of
from tests.clients.steps import Chapter
from tests.helpers.distributions import sdist_name, wheel_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.house import House

chapter = Chapter("uploads")

PYPROJECT = """\
[project]
name = "{name}"
version = "2.5"
description = "Made by a test"
requires-python = ">=3.9"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""


@chapter.step
async def upload_puts_files_with_their_metadata_on_the_index(house: House) -> None:
    index = await house.new_index()
    folder = house.write("brought", "1.0")
    await house.team(f"use {index}")

    said = [f"file_upload of {name} to {house.url}/{index}/" for name in names_of("brought", "1.0")]
    await house.team(f"upload {folder}/{said[0].split()[2]} {folder}/{said[1].split()[2]}", *said)

    assert await house.files(index, "brought") == names_of("brought", "1.0")
    release = (await house.get(f"/{index}/brought"))["1.0"]
    assert (release["metadata_version"], release["requires_python"]) == ("2.1", ">=3.8")
    assert {link["log"][0]["who"] for link in release["+links"]} == {"team"}


@chapter.step
async def upload_from_dir_takes_all_versions_or_the_latest(house: House) -> None:
    everything, latest = [await house.new_index() for _ in range(2)]
    folder = house.write("many", "1.0", "1.1", "1.10")

    await house.team(f"upload --from-dir --index {everything} {folder}")
    await house.team(f"upload --from-dir --only-latest --index {latest} {folder}", "!1.1-", "!1.0")

    assert await house.files(everything, "many") == names_of("many", "1.0", "1.1", "1.10")
    # Of one version devpi takes one file here.
    assert await house.files(latest, "many") in [[name] for name in names_of("many", "1.10")]


@chapter.step
async def upload_dry_run_sends_nothing(house: House) -> None:
    index = await house.new_index()
    folder = house.write("pretended", "1.0")

    await house.team(
        f"upload --dry-run --index {index} --from-dir {folder}",
        f"skipped: file_upload of {sdist_name('pretended', '1.0')} to {house.url}/{index}/",
    )

    assert await house.files(index, "pretended") == []
    assert await house.get(f"/{index}/pretended") is None


@chapter.step
async def upload_builds_a_project_first(house: House) -> None:
    index = await house.new_index()
    project = _project(house, "built")

    await house.team(
        f"upload --sdist --wheel --no-isolation --no-vcs --index {index}",
        "built: ",
        f"file_upload of {sdist_name('built', '2.5')} to {house.url}/{index}/",
        f"file_upload of {wheel_name('built', '2.5')} to {house.url}/{index}/",
        cwd=project,
    )

    assert await house.files(index, "built") == names_of("built", "2.5")
    release = (await house.get(f"/{index}/built"))["2.5"]
    assert (release["summary"], release["requires_python"]) == ("Made by a test", ">=3.9")


def _project(house: House, name: str) -> Path:
    folder = house.new_folder()
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("")
    (folder / "pyproject.toml").write_text(PYPROJECT.format(name=name))
    return folder


@chapter.step
async def upload_of_the_same_file_again_is_taken_of_another_refused(house: House) -> None:
    """On an index whose files never change; what is refused changes nothing."""
    index = await house.hosting("fixed", "1.0", volatile=False)
    same = house.write("fixed", "1.0")
    other = house.write("fixed", "1.0", payload_bytes=100)
    name = wheel_name("fixed", "1.0")
    before = await house.get(f"/{index}/fixed")

    await house.team(f"upload --index {index} {same}/{name}", f"file_upload of {name}")
    await house.team(
        f"upload --index {index} {other}/{name}",
        f"409 FAIL file_upload of {name}",
        f"File already exists: {name} already exists in non-volatile index",
        status=1,
    )

    links = (await house.get(f"/{index}/fixed"))["1.0"].pop("+links")
    assert links == before["1.0"]["+links"]


@chapter.step
async def upload_replaces_a_file_on_a_volatile_index(house: House) -> None:
    index = await house.hosting("loose", "1.0")
    other = house.write("loose", "1.0", payload_bytes=100)
    before = await house.get(f"/{index}/loose")

    await house.team(f"upload --index {index} {other}/{wheel_name('loose', '1.0')}", "file_upload of")

    assert await house.files(index, "loose") == names_of("loose", "1.0")
    hashes = [
        {link["href"].rpartition("/")[2]: link["hash_spec"] for link in releases["1.0"]["+links"]}
        for releases in (before, await house.get(f"/{index}/loose"))
    ]
    assert hashes[0].keys() == hashes[1].keys()
    assert [name for name in hashes[0] if hashes[0][name] != hashes[1][name]] == [wheel_name("loose", "1.0")]


@chapter.step
async def upload_is_refused_with_one_sentence(house: House) -> None:
    index = await house.new_index()
    folder = house.write("unwanted", "1.0")
    wheel = folder / wheel_name("unwanted", "1.0")
    wrong = folder / wheel_name("renamed", "1.0")
    wrong.write_bytes(wheel.read_bytes())
    for person, target, path, sentence in (
        (house.guest, index, wheel, "no permission to submit"),
        (house.anyone, index, wheel, "authentication required to upload"),
        (house.team, MIRROR, wheel, "cannot submit to mirror index"),
        (house.team, index, wrong, "does not match project name"),
    ):
        await person(f"upload --index {target} {path}", " FAIL file_upload of", sentence, status=1)
    await house.team(f"upload --index team/none {wheel}", "The stage team/none could not be found.", status=1)
    await house.team(f"use {MIRROR}")
    await house.team(f"upload {wheel}", "does not support upload", status=1)

    assert (await house.get(f"/{index}"))["projects"] == []
