"""user and passwd: making, showing, changing and deleting users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clients.steps import Chapter

if TYPE_CHECKING:
    from tests.clients.house import House

chapter = Chapter("users")

BAD_NAME = "username '{}' contains characters that aren't allowed. Any ascii symbol besides -.@_ is blocked."


@chapter.step
async def user_that_was_created_is_listed_and_shown(house: House) -> None:
    name = house.new_name("user")

    await house.root(f"user -c {name} password=secret-pw email={name}@example.org", f"user created: {name}")

    await house.root("user -l", f"{name}\n", "team\n")
    await house.root(
        f"user {name}", f"{house.url}/{name}:", f"email={name}@example.org", "!password", "!pwhash"
    )
    await house.team("user", f"{house.url}/team:")
    assert (await house.get(f"/{name}"))["email"] == f"{name}@example.org"


@chapter.step
async def password_of_a_new_user_is_asked_for(house: House) -> None:
    name = house.new_name("user")
    await house.root(
        f"user -c {name}",
        "passwords did not match",
        f"user created: {name}",
        stdin="one\ntwo\nsecret-pw\nsecret-pw\n",
    )

    await house.logged_in(name, "secret-pw")


@chapter.step
async def user_keeps_what_a_change_does_not_name(house: House) -> None:
    name = await house.new_user("secret-pw", email="first@example.org", title="first")

    await house.root(
        f"user -m {name} title=second", f"/{name} changing title: second", f"user modified: {name}"
    )
    await house.root(f"user {name} description=about email=", f"user modified: {name}")

    user = await house.get(f"/{name}")
    assert (user["title"], user["description"]) == ("second", "about")
    assert "email" not in user


@chapter.step
async def user_commands_are_refused_with_one_sentence(house: House) -> None:
    users = await house.get("/")
    for line, sentence in (
        ("-c team password=secret-pw", "409 Conflict: user already exists"),
        ("-c 'a b' password=secret-pw", f"400 Bad Request: {BAD_NAME.format('a b')}"),
        ("nobody", "404 Not Found: no user 'nobody'"),
        ("-m guest title=stolen", "403 Forbidden: no permission to modify user guest"),
        ("--delete -y guest", "403 Forbidden: no permission to delete user guest"),
    ):
        await house.team(f"user {line}", sentence, status=1)
    await house.root("user --delete -y nobody", "404 Not Found: no user 'nobody'", status=1)

    assert await house.get("/") == users


@chapter.step
async def passwd_changes_the_password_and_ends_the_login(house: House) -> None:
    name = await house.new_user("secret-pw")
    person = await house.logged_in(name, "secret-pw")

    await person("passwd", f"user modified: {name}", stdin="secret-new\nsecret-new\n")

    await person("use", "(not logged in)")
    await person(f"login {name} --password=secret-pw", "could not be authenticated", status=1)
    await person(f"login {name} --password=secret-new", f"logged in '{name}'")


@chapter.step
async def passwd_of_somebody_else_takes_root(house: House) -> None:
    name = await house.new_user("secret-pw")

    typed = "short\nshort\nno\nsecret-new\nsecret-new\n"
    refused = f"403 Forbidden: no permission to modify user {name}"
    await house.team(f"passwd {name}", refused, status=1, stdin="secret-new\nsecret-new\n")
    await house.root(f"passwd {name}", "less than 8 characters", f"user modified: {name}", stdin=typed)

    await house.logged_in(name, "secret-new")


@chapter.step
async def user_is_deleted_with_volatile_indexes_only(house: House) -> None:
    name = await house.new_user("secret-pw")
    person = await house.logged_in(name, "secret-pw")
    await person("index -c kept volatile=False")
    refused = f"403 Forbidden: user '{name}' has non-volatile index: kept"
    await house.root(f"user --delete -y {name}", refused, status=1)
    await person("index kept volatile=True")

    await house.root(
        f"user --delete {name}", f"About to remove: {house.url}/{name}", "!deleted", stdin="no\n"
    )
    assert await house.get(f"/{name}/kept") is not None
    await house.root(f"user --delete {name}", f"user deleted: {name}", stdin="yes\n")

    assert await house.get(f"/{name}") is None
    assert await house.get(f"/{name}/kept") is None
