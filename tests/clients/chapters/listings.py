"""list: projects, releases and files of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clients.house import names_of
from tests.clients.steps import Chapter

if TYPE_CHECKING:
    from tests.clients.house import House

chapter = Chapter("listings")


def urls_in(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("http")]


def names_in(output: str) -> list[str]:
    """Return the file names of the URLs in an output, sorted; devpi adds its own query to some."""
    return sorted(url.rpartition("/")[2].partition("?")[0] for url in urls_in(output))


@chapter.step
async def list_shows_projects_and_with_v_their_versions(house: House) -> None:
    index = await house.hosting("several", "1.0", "2.0")
    empty = await house.new_index(bases=[index])
    await house.team(f"use {index}")

    assert await house.team("list") == "several\n"
    assert await house.team("list -v") == "several==2.0\n"
    assert await house.team("list -v --all") == "several==1.0\nseveral==2.0\n"
    assert await house.team(f"list --index {empty}") == ""


@chapter.step
async def list_of_a_project_shows_the_newest_files(house: House) -> None:
    versions = ("1.0", "1.1", "1.2", "2.0")
    index = await house.hosting("aged", *versions)
    await house.anyone(f"use {house.url}/{index}")

    newest = await house.anyone("list aged -t -f", "1 older versions not shown, use --all to see")
    everything = await house.anyone("list aged --all", "!not shown")
    some = await house.anyone("list 'aged>1.0,<2.0'")

    assert names_in(newest) == names_of("aged", *versions[1:])
    assert names_in(everything) == names_of("aged", *versions)
    assert names_in(some) == names_of("aged", "1.1", "1.2")
    assert all(url.startswith(f"{house.url}/{index}/+f/") for url in urls_in(everything))
    for url in urls_in(newest):
        async with house.session.get(url) as answer:
            assert answer.status == 200


@chapter.step
async def list_shows_what_bases_have_unless_told_not_to(house: House) -> None:
    """Files of a version that both indexes have come twice: those of the base are shadowed."""
    base = await house.hosting("inherited", "1.0", "1.1")
    index = await house.hosting("inherited", "1.1", bases=[base])

    shown = await house.team(f"list --index {index} inherited")
    alone = await house.team(f"list --index {index} inherited --ignore-bases")

    assert names_in(shown) == sorted(names_of("inherited", "1.0", "1.1", "1.1"))
    assert names_in(alone) == names_of("inherited", "1.1")
    assert all(f"/{index}/+f/" in url for url in urls_in(alone))
    assert sum(f"/{base}/+f/" in url for url in urls_in(shown)) == 4


@chapter.step
async def list_says_what_is_not_there(house: House) -> None:
    index = await house.hosting("present", "1.0")

    await house.team(f"list --index {index} absent", "404 Not Found: no project 'absent'", status=1)
    await house.team(
        "list --index team/none", "404 Not Found: The stage team/none could not be found.", status=1
    )
