"""use, login, logoff, logout and --version: which server, which index, who."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clients.house import PASSWORDS, names_of
from tests.clients.steps import Chapter

if TYPE_CHECKING:
    from tests.clients.house import House

chapter = Chapter("sessions")

FEATURES = "push-no-docs, push-only-docs, push-register-project, server-keyvalue-parsing"


@chapter.step
async def version_names_the_server_in_use(house: House) -> None:
    await house.newcomer()("--version", "devpi-client 7.3", "!current devpi server")
    await house.anyone("--version", f"current devpi server: {house.url}/", "wheelyard ")


@chapter.step
async def use_shows_server_index_login_and_urls(house: House) -> None:
    index = await house.new_index()

    await house.team(
        f"use {house.url}", f"using server: {house.url}/ (logged in as team)", "no current index"
    )
    await house.team(
        f"use {index}",
        f"current devpi index: {house.url}/{index} (logged in as team)",
        f"supported features: {FEATURES}",
    )
    await house.team(
        "use --urls",
        f"login: {house.url}/+login",
        f"pypisubmit: {house.url}/{index}/",
        f"simpleindex: {house.url}/{index}/+simple/",
    )
    await house.anyone(f"use {house.url}/{index} --debug", f"{house.url}/{index} (not logged in)")


@chapter.step
async def use_lists_indexes_of_everybody_or_of_one_user(house: House) -> None:
    base = await house.new_index(owner="guest")
    index = await house.new_index(bases=[base], volatile=False)

    await house.team("use -l", f"{base:15} bases=                volatile=True", f"{index:15} bases={base}")
    await house.team("use -l -u team", f"{index:15} bases={base:15} volatile=False", f"!{base:15} bases=")
    await house.team("use -l -u nobody", "404 Not Found: no user 'nobody'", status=1)


@chapter.step
async def use_of_an_unknown_index_is_refused_and_changes_nothing(house: House) -> None:
    index = await house.new_index()
    await house.team(f"use {index}")

    refused = "404 Not Found: The stage team/none could not be found."
    await house.team("use team/none", refused, status=1)

    await house.team("use", f"current devpi index: {house.url}/{index} ")


@chapter.step
async def login_takes_the_right_password_alone(house: House) -> None:
    newcomer = house.double(house.anyone)

    refused = "401 Unauthorized: user '{}' could not be authenticated"
    await newcomer("login guest --password=wrong", refused.format("guest"), status=1)
    await newcomer("login nobody", refused.format("nobody"), status=1, stdin="typed\n")
    await newcomer("use", "(not logged in)")
    typed = PASSWORDS["guest"] + "\n"
    await newcomer("login guest", "logged in 'guest'", "credentials valid for 10.00 hours", stdin=typed)

    await newcomer("user guest title=here", "user modified: guest")


@chapter.step
async def api_token_logs_in_and_does_what_it_is_limited_to(house: House) -> None:
    """Stock devpi knows nothing of API tokens; it takes one for a password and sends it ever after."""
    index = await house.new_index()
    limits = {"allowed": ["upload"], "indexes": [index], "projects": ["limited"]}
    _, made = await house.ask("/team/+token-create", method="POST", json=limits)
    person = await house.logged_in("team", made["result"]["token"])
    await person(f"use {index}", "(logged in as team)")

    for project in ("limited", "other"):
        folder = house.write(project, "1.0")
        sentence = "file_upload of" if project == "limited" else "403 FAIL"
        await person(f"upload --from-dir {folder}", sentence, status=0 if project == "limited" else 1)
    await person("user team title=stolen", "403 Forbidden: no permission to modify user team", status=1)

    assert await house.files(index, "limited") == names_of("limited", "1.0")
    assert await house.files(index, "other") == []


@chapter.step
async def logoff_and_logout_end_what_one_may_do(house: House) -> None:
    first, second = house.double(house.guest), house.double(house.guest)

    await first("logoff", "login information deleted")
    await second("logout", "login information deleted")

    await first("use", "(not logged in)")
    await first("logoff", "not logged in")
    await second("logout", "not logged in")
    refused = "403 Forbidden: no permission to modify user guest"
    await second("user guest title=gone", refused, status=1)
    assert (await house.get("/guest")).get("title") != "gone"


@chapter.step
async def environment_chooses_index_and_user(house: House) -> None:
    person = house.double(house.guest)
    index = await house.hosting("chosen", "1.0")
    await person(f"login team --password={PASSWORDS['team']}")

    said = f"Using DEVPI_INDEX from environment: {index}"
    await person("list -v", said, "chosen==1.0", environment={"DEVPI_INDEX": index})
    await person("use", "(logged in as guest)", environment={"DEVPI_USER": "guest"})


@chapter.step
async def use_delete_forgets_the_server(house: House) -> None:
    person = house.double(house.anyone)
    await person(f"use --clientdir {person.home}/elsewhere", "no server: type 'devpi use URL'")

    await person("use --delete", "REMOVED configuration")

    await person("use", "no server: type 'devpi use URL'")
