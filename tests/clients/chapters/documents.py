"""getjson and patchjson: devpi's API as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.clients.steps import Chapter

if TYPE_CHECKING:
    from tests.clients.house import House

chapter = Chapter("documents")


@chapter.step
async def getjson_prints_the_answer_of_a_path_or_url(house: House) -> None:
    index = await house.hosting("documented", "1.0")
    await house.team(f"use {index}")

    for line, kind in (
        ("/", "list:userconfig"),
        ("/team", "userconfig"),
        (f"/{index}", "indexconfig"),
        ("documented", "projectconfig"),
        ("documented/1.0", "versiondata"),
        (f"{house.url}/{index}?no_projects=", "indexconfig"),
    ):
        answer = json.loads(await house.team(f"getjson {line}"))
        assert (line, answer["type"]) == (line, kind)
        if line == f"/{index}":
            assert answer["result"] == await house.get(line)
    await house.team("getjson -v documented", "X-DEVPI-API-VERSION: 2", "CONTENT-TYPE: application/json")
    await house.team("getjson nothing", "404 Not Found: no project 'nothing'", status=1)
    await house.team("getjson /team/none", "404 Not Found: The stage team/none could not be found.", status=1)


@chapter.step
async def patchjson_sends_a_file_or_what_is_typed(house: House) -> None:
    index = await house.new_index()
    await house.team(f"use {index}")
    (house.team.home / "patch.json").write_text('["title=from a file", "acl_upload+=guest"]')

    answer = await house.team(f"patchjson /{index} patch.json", f"PATCH REQUEST sent to {house.url}/{index}")
    assert json.loads(answer.partition("\n")[2])["result"] == await house.get(f"/{index}?no_projects=")
    await house.team(f"patchjson /{index} -", '"title": "typed"', stdin='{"title": "typed"}')

    changed = await house.get(f"/{index}")
    assert (changed["title"], changed["acl_upload"]) == ("typed", ["team", "guest"])


@chapter.step
async def patchjson_is_refused_with_one_sentence(house: House) -> None:
    index = await house.new_index(title="as it was")
    before = await house.get("/")
    await house.guest(f"use {index}")
    await house.team(f"use {index}")

    refused = f"403 Forbidden: no permission for index_modify on index {index}"
    await house.guest(f"patchjson /{index} -", refused, status=1, stdin='["title=stolen"]')
    odd = "400 Bad Request: indexconfig got unexpected keyword arguments: odd=1"
    await house.team(f"patchjson /{index} -", odd, status=1, stdin='["title=half done", "odd=1"]')

    assert await house.get("/") == before
