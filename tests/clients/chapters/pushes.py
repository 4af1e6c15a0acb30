"""push: a release to another index, and to another server that a .pypirc names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clients.house import MIRROR, PASSWORDS, names_of
from tests.clients.steps import Chapter
from tests.helpers.distributions import sdist_name, wheel_name
from tests.helpers.nodes import free_port

if TYPE_CHECKING:
    from tests.clients.house import House

chapter = Chapter("pushes")

SECTION = "[{name}]\nrepository = {url}\nusername = guest\npassword = {password}\n\n"


def pypirc(**sections: tuple[str, str]) -> str:
    return "".join(
        SECTION.format(name=name, url=url, password=word) for name, (url, word) in sections.items()
    )


@chapter.step
async def push_copies_a_release_to_another_index(house: House) -> None:
    source, target = await house.hosting("pushed", "1.0", "1.1"), await house.new_index(volatile=False)
    elsewhere = await house.new_index()
    await house.team(f"use {source}")

    said = [f"200 store_releasefile {target}/+f/", *names_of("pushed", "1.0")]
    await house.team(f"push pushed==1.0 {target}", f"200 register pushed 1.0 -> {target}", *said)
    await house.team(f"push --no-docs pushed==1.1 {target}", *names_of("pushed", "1.1"))
    await house.team(f"push --index {target} pushed==1.0 {elsewhere}", *names_of("pushed", "1.0"))

    assert await house.files(target, "pushed") == names_of("pushed", "1.0", "1.1")
    links = (await house.get(f"/{target}/pushed"))["1.0"]["+links"]
    assert {(link["log"][-1]["what"], link["log"][-1]["src"]) for link in links} == {("push", source)}
    assert await house.files(elsewhere, "pushed") == names_of("pushed", "1.0")


@chapter.step
async def push_from_a_mirror_makes_a_hosted_release(house: House) -> None:
    wheel = house.upstream.add_wheel("adopted", "1.0")
    target = await house.new_index()

    await house.team(f"push --index {MIRROR} adopted==1.0 {target}", f"200 store_releasefile {target}/+f/")

    release = (await house.get(f"/{target}/adopted"))["1.0"]
    assert [link["hash_spec"] for link in release["+links"]] == [f"sha256={wheel.sha256}"]
    async with house.session.get(release["+links"][0]["href"]) as answer:
        assert await answer.read() == wheel.content


@chapter.step
async def push_to_another_server_uploads_there(house: House) -> None:
    """The other server is an index of guest, who is known there by password, as a registry would know him."""
    source, target = await house.hosting("sent", "1.0", "1.1"), await house.new_index(owner="guest")
    there = (f"{house.url}/{target}/", PASSWORDS["guest"])
    (house.team.home / ".pypirc").write_text(pypirc(there=there))
    other = house.new_folder() / "pypirc"
    other.write_text(pypirc(elsewhere=there))
    await house.team(f"use {source}")

    said = [f"200 upload {source}/+f/", *names_of("sent", "1.0")]
    await house.team("push sent==1.0 pypi:there", *said, "!register")
    await house.team(f"use {house.url}")
    registered = f"push --pypirc {other} --register-project --index {source} sent==1.1 pypi:elsewhere"
    await house.team(registered, "200 register sent 1.1", *names_of("sent", "1.1"))

    assert await house.files(target, "sent") == names_of("sent", "1.0", "1.1")
    releases = await house.get(f"/{target}/sent")
    assert {link["log"][0]["who"] for link in releases["1.0"]["+links"]} == {"guest"}


@chapter.step
async def push_is_refused_with_one_sentence(house: House) -> None:
    source, theirs = await house.hosting("stuck", "1.0"), await house.new_index(owner="guest")
    fixed = await house.hosting("stuck", "1.0", volatile=False)
    hidden = await house.hosting("stuck", "1.0", owner="team", acl_read=["team"])
    before = await house.get(f"/{fixed}/stuck")
    await house.team(f"use {source}")
    for line, sentence in (
        ("stuck==1.0 team/none", "404 Not Found: The stage team/none could not be found."),
        (f"stuck==1.0 {theirs}", f"401 Unauthorized: user 'team' cannot upload to '{theirs}'"),
        (
            f"stuck==1.0 {fixed}",
            f"409 Conflict: {wheel_name('stuck', '1.0')} already exists in non-volatile index",
        ),
        (f"stuck==2.0 {fixed}", f"400 Bad Request: there are no files for stuck 2.0 on stage {source}"),
        (f"--only-docs stuck==1.0 {fixed}", "404 Not Found: no release/files found for stuck 1.0"),
    ):
        await house.team(f"push {line}", sentence, status=1)
    await house.guest(
        f"push --index {hidden} stuck==1.0 {theirs}",
        f"403 Forbidden: no permission to read {hidden}",
        status=1,
    )

    assert await house.files(theirs, "stuck") == []
    assert await house.get(f"/{fixed}/stuck") == before


@chapter.step
async def push_shows_what_the_other_server_said(house: House) -> None:
    source, target = await house.hosting("returned", "1.0"), await house.new_index(owner="guest")
    url = f"{house.url}/{target}/"
    rc = house.new_folder() / "pypirc"
    rc.write_text(
        pypirc(
            stranger=(url, "wrong"),
            nowhere=(f"{house.url}/guest/none/", PASSWORDS["guest"]),
            silent=(f"http://127.0.0.1:{free_port()}/", "any"),
        )
    )
    await house.team(f"use {source}")
    for section, row in (
        ("stranger", f"{sdist_name('returned', '1.0')} authentication required to upload"),
        ("nowhere", f"{sdist_name('returned', '1.0')} The stage guest/none could not be found."),
        ("silent", "-1 exception on release upload: "),
    ):
        said = ("502 Bad Gateway", row, "Failure during upload")
        await house.team(f"push --pypirc {rc} returned==1.0 pypi:{section}", *said, status=1)

    assert await house.files(target, "returned") == []
