"""index: making, showing, changing and deleting indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clients.house import MIRROR
from tests.clients.steps import Chapter

if TYPE_CHECKING:
    from tests.clients.house import House

chapter = Chapter("indexes")


@chapter.step
async def index_is_created_with_what_was_asked_for(house: House) -> None:
    base, name = await house.new_index(), house.new_name("index")

    await house.team(
        f"index -c {name} bases={base},{MIRROR} volatile=False acl_upload=team,guest title='A title' mirror_whitelist=six",
        f"{house.url}/team/{name}?no_projects=:",
        "type=stage",
        f"bases={base},{MIRROR}",
        "volatile=False",
        "acl_upload=team,guest",
        "title=A title",
        "mirror_whitelist=six",
        "mirror_whitelist_inheritance=intersection",
    )

    made = await house.get(f"/team/{name}")
    assert made["bases"] == [base, MIRROR]
    assert made["acl_upload"] == ["team", "guest"]
    assert (made["volatile"], made["title"], made["mirror_whitelist"]) == (False, "A title", ["six"])


@chapter.step
async def index_takes_each_kind_of_change(house: House) -> None:
    first, second, index = [await house.new_index() for _ in range(3)]
    name = index.removeprefix("team/")

    await house.team(
        f"index {index} title=new bases+={first} bases+={second} acl_upload+=guest",
        f"/{index} title=new",
        f"/{index} bases+={first}",
        f"bases={first},{second}",
        "acl_upload=team,guest",
    )
    await house.team(
        f"index {name} bases-={first} title-= volatile=no", f"bases={second}\n", "volatile=False"
    )
    await house.team(f"use {index}")
    await house.team("index acl_upload=:AUTHENTICATED:", "acl_upload=:AUTHENTICATED:")

    changed = await house.get(f"/{index}")
    assert (changed["bases"], changed["volatile"]) == ([second], False)
    assert changed["acl_upload"] == [":AUTHENTICATED:"]
    assert "title" not in changed


@chapter.step
async def index_shows_and_lists(house: House) -> None:
    index = await house.hosting("shown", "1.0", title="Seen")
    name = index.removeprefix("team/")
    await house.team(f"use {index}")
    for line in ("", name, f"{index} --no-projects"):
        await house.team(
            f"index {line}", f"{house.url}/{index}", "type=stage", "title=Seen", "acl_upload=team"
        )

    theirs = await house.new_index(owner="guest")
    await house.team("index -l", f"{index}\n", f"!{theirs}")
    await house.team("index -l guest", f"{theirs}\n", "!team/")
    await house.anyone(f"index {index}", f"{house.url}/{index}:", "title=Seen")


@chapter.step
async def index_commands_are_refused_with_one_sentence(house: House) -> None:
    index = await house.new_index(title="as it was")
    theirs = await house.new_index(owner="guest", volatile=False)
    name = index.removeprefix("team/")
    before = await house.get("/")
    for line, sentence in (
        (f"-c {name}", f"409 Conflict: index '{index}' exists"),
        ("-c new bases=team/none", "400 Bad Request: base index 'team/none' does not exist"),
        ("-c new odd=1", "400 Bad Request: indexconfig got unexpected keyword arguments: odd=1"),
        ("-c guest/new", "403 Forbidden: no permission to create index guest/new"),
        (f"{index} bases-=team/none", "400 Bad Request: The 'bases' setting doesn't have value 'team/none'"),
        (f"{theirs} title=stolen", f"403 Forbidden: no permission for index_modify on index {theirs}"),
        ("team/none title=x", "404 Not Found: The stage team/none could not be found."),
        (f"--delete -y {theirs}", f"403 Forbidden: no permission for index_delete on index {theirs}"),
    ):
        await house.team(f"index {line}", sentence, status=1)
    await house.guest(
        f"index --delete -y {theirs}", f"403 Forbidden: index {theirs} non-volatile, cannot delete", status=1
    )
    await house.team("index team/none", status=1)
    await house.anyone(f"index {index} title=x", "you need to be logged in", status=1)

    assert await house.get("/") == before


@chapter.step
async def index_is_deleted_when_the_question_is_answered_yes(house: House) -> None:
    index = await house.hosting("doomed", "1.0")

    await house.team(f"index --delete {index}", "Are you sure", "!index deleted", stdin="no\n")
    assert await house.files(index, "doomed")
    await house.team(f"index --delete {index}", f"index deleted: {house.url}/{index}", stdin="yes\n")

    assert await house.get(f"/{index}") is None
    assert await house.files(index, "doomed") == []


@chapter.step
async def mirror_that_was_created_serves_what_upstream_has(house: House) -> None:
    house.upstream.add_wheel("mirrored", "1.0")
    name = house.new_name("mirror")

    await house.team(
        f"index -c {name} type=mirror mirror_url={house.upstream.url} volatile=False",
        "type=mirror",
        f"mirror_url={house.upstream.url}",
        "volatile=False",
        "!bases=",
    )

    assert await house.files(f"team/{name}", "mirrored") == ["mirrored-1.0-py3-none-any.whl"]
    await house.team(f"list --index team/{name} mirrored", f"{house.url}/team/{name}/+f/")


@chapter.step
async def restricted_index_says_who_may_read_it(house: House) -> None:
    index = await house.hosting("private", "1.0", acl_read=["team"])

    await house.team(f"list --index {index}", "private")
    await house.guest(f"list --index {index}", f"403 Forbidden: no permission to read {index}", status=1)
    await house.anyone(
        f"list --index {index} private",
        f"401 Unauthorized: authentication required to read {index}",
        status=1,
    )
