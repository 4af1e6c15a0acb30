"""remove: files, releases and projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clients.house import names_of
from tests.clients.steps import Chapter
from tests.helpers.distributions import sdist_name, wheel_name

if TYPE_CHECKING:
    from tests.clients.house import House

chapter = Chapter("removals")


@chapter.step
async def remove_takes_a_file_a_release_or_a_project(house: House) -> None:
    index = await house.hosting("shrinking", "1.0", "2.0", "3.0")
    wheel = await house.url_of(index, wheel_name("shrinking", "1.0"))
    await house.team(f"use {index}")

    await house.team(f"remove {wheel}", "About to remove the following file:", wheel, stdin="yes\n")
    assert await house.files(index, "shrinking") == sorted(
        [sdist_name("shrinking", "1.0"), *names_of("shrinking", "2.0", "3.0")]
    )
    async with house.session.get(wheel) as answer:
        assert answer.status == 410
    await house.team(
        "remove -y shrinking==2.0", "version: 2.0", "deleting release 2.0 of shrinking", "!version: 3.0"
    )
    assert "2.0" not in await house.get(f"/{index}/shrinking")
    await house.team(f"remove -y --index {index} shrinking", "version: 1.0", "version: 3.0")

    assert await house.files(index, "shrinking") == []
    assert (await house.get(f"/{index}"))["projects"] == []


@chapter.step
async def remove_does_nothing_when_the_answer_is_no(house: House) -> None:
    index = await house.hosting("spared", "1.0")

    await house.team(f"remove --index {index} spared", "not deleting anything", stdin="no\n")

    assert await house.files(index, "spared") == names_of("spared", "1.0")


@chapter.step
async def remove_from_a_fixed_index_takes_force(house: House) -> None:
    index = await house.hosting("lasting", "1.0", "1.1", "1.2", volatile=False)
    wheel = await house.url_of(index, wheel_name("lasting", "1.0"))
    await house.team(f"use {index}")
    refusals = {
        wheel: "403 Forbidden: cannot delete version on non-volatile index",
        "lasting==1.1": "403 Forbidden: cannot delete version on non-volatile index",
        "lasting": f"403 Forbidden: project 'lasting' is on non-volatile index {index}",
    }
    for target, sentence in refusals.items():
        await house.team(f"remove -y {target}", sentence, status=1)
    assert await house.files(index, "lasting") == names_of("lasting", "1.0", "1.1", "1.2")
    left = [sorted([sdist_name("lasting", "1.0"), *names_of("lasting", "1.1", "1.2")])]
    left += [sorted([sdist_name("lasting", "1.0"), *names_of("lasting", "1.2")]), []]

    for target, files in zip(refusals, left, strict=True):
        await house.team(f"remove -y -f {target}")
        assert await house.files(index, "lasting") == files


@chapter.step
async def remove_is_refused_with_one_sentence(house: House) -> None:
    base = await house.hosting("guarded", "1.0")
    index = await house.new_index(bases=[base])
    url = await house.url_of(base, wheel_name("guarded", "1.0"))
    await house.guest(f"use {base}")
    for target, right in (("guarded", "del_project"), ("guarded==1.0", "del_verdata"), (url, "del_entry")):
        refused = f"403 Forbidden: no permission for {right} on index {base}"
        await house.guest(f"remove -y {target}", refused, status=1)
    await house.team(f"remove -y --index {base} guarded==2.0", "No releases or distributions found", status=1)
    for there, project in ((base, "absent"), (index, "guarded")):
        sentence = f"404 Not Found: no project '{project}'"
        await house.team(f"remove -y --index {there} {project}", sentence, status=1)

    assert await house.files(base, "guarded") == names_of("guarded", "1.0")
