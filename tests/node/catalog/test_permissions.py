"""Principal x permission x route, every cell asked over HTTP, with and without ``--restrict-modify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from node.catalog.permissions import NOBODY, TABLE, Identity, Permission, allows
from tests.helpers.app import running_app
from tests.node.catalog.cells import LISTED, OTHER, OWNER, PRINCIPALS, READER, ROUTES, UPLOADER, Route, Stage

if TYPE_CHECKING:
    from pathlib import Path

P = Permission
EVERYBODY = frozenset(PRINCIPALS)

ALLOWED: dict[Permission, frozenset[str | None]] = {
    P.USER_CREATE: EVERYBODY,
    P.USER_MODIFY: frozenset({"root", OWNER}),
    P.USER_MODIFY_PASSWORD: frozenset({"root", OWNER}),
    P.USER_DELETE: frozenset({"root", OWNER}),
    P.USER_TOKENS: frozenset({"root", OWNER}),
    P.INDEX_CREATE: frozenset({"root", OWNER}),
    P.INDEX_MODIFY: frozenset({"root", OWNER}),
    P.INDEX_DELETE: frozenset({"root", OWNER}),
    P.UPLOAD: frozenset({UPLOADER}),
    P.DEL_ENTRY: frozenset({"root", OWNER, UPLOADER}),
    P.DEL_VERDATA: frozenset({"root", OWNER, UPLOADER}),
    P.DEL_PROJECT: frozenset({"root", OWNER, UPLOADER}),
    P.PKG_READ: frozenset({"root", READER}),
}
ALLOWED_RESTRICTED: dict[Permission, frozenset[str | None]] = {
    P.USER_CREATE: frozenset({LISTED}),
    P.USER_MODIFY: frozenset({LISTED}),
    P.USER_MODIFY_PASSWORD: frozenset({LISTED, OWNER}),
    P.USER_DELETE: frozenset({LISTED}),
    P.USER_TOKENS: frozenset({LISTED, OWNER}),
    P.INDEX_CREATE: frozenset({LISTED}),
    P.INDEX_MODIFY: frozenset({LISTED}),
    P.INDEX_DELETE: frozenset({LISTED}),
    P.UPLOAD: frozenset({UPLOADER}),
    P.DEL_ENTRY: frozenset({LISTED, UPLOADER}),
    P.DEL_VERDATA: frozenset({LISTED, UPLOADER}),
    P.DEL_PROJECT: frozenset({LISTED, UPLOADER}),
    P.PKG_READ: frozenset({LISTED, READER}),
}
CELLS = 2 * len(ROUTES) * len(PRINCIPALS)


@pytest.mark.parametrize("restrict_modify", [None, frozenset({LISTED})], ids=["default", "restrict-modify"])
async def test_every_cell_is_as_the_table_says(
    tmp_path: Path, restrict_modify: frozenset[str] | None
) -> None:
    """Send every route as every principal; who is refused gets devpi's status."""
    allowed = ALLOWED if restrict_modify is None else ALLOWED_RESTRICTED
    wrong = []
    async with running_app(tmp_path / "data"):
        pass  # root makes the first index while root still may
    async with running_app(tmp_path / "data", restrict_modify=restrict_modify) as app:
        stage = Stage(app)
        await stage.prepare()
        for route in ROUTES:
            for principal in PRINCIPALS:
                await stage.upload("1.0")
                app.tokens.clear()  # a changed password ended them
                answer = await route.send(stage, principal)
                expected = _expected(route, principal, is_allowed=principal in allowed[route.permission])
                if not (answer.status < 400 if expected is None else answer.status == expected):
                    wrong.append(f"{route.name} as {principal}: {answer.status}, not {expected or 'allowed'}")

    assert wrong == []


def _expected(route: Route, principal: str | None, *, is_allowed: bool) -> int | None:
    """Return the status of a refusal in devpi's irregular way, None where it is allowed."""
    if is_allowed:
        return None
    if route.name == "PUSH to":
        return 401
    challenged = route.permission in {P.UPLOAD, P.PKG_READ}
    return 401 if challenged and principal is None else 403


def test_every_permission_has_a_route_and_every_route_all_principals() -> None:
    without_route = {P.TOXRESULT_UPLOAD}  # its route comes with test results

    assert {route.permission for route in ROUTES} == set(TABLE) - without_route
    assert set(TABLE) == set(Permission)
    assert set(ALLOWED) == set(ALLOWED_RESTRICTED) == set(TABLE) - without_route
    assert CELLS >= 400


class TestDeletingRoot:
    def test_nobody_deletes_root_by_default(self) -> None:
        assert not any(allows(_as(user), P.USER_DELETE, user="root") for user in PRINCIPALS)

    def test_listed_delete_others_and_never_themselves(self) -> None:
        modifiers = frozenset({"erin", "frank"})

        allowed = {
            user
            for user in ("erin", "frank", "root")
            if allows(_as(user, modifiers), P.USER_DELETE, user="erin")
        }

        assert allowed == {"frank"}


class TestPrincipals:
    @pytest.mark.parametrize(
        ("names", "identity", "matches"),
        [
            ([":ANONYMOUS:"], NOBODY, True),
            ([":AUTHENTICATED:"], NOBODY, False),
            ([":AUTHENTICATED:"], Identity("dave"), True),
            (["dave"], Identity("dave"), True),
            (["dave"], Identity("Dave"), False),
            ([":team"], Identity("dave", groups=("team",)), True),
            (["team"], Identity("dave", groups=("team",)), False),
            ([], Identity("root"), False),
        ],
    )
    def test_names_of_an_access_list(self, names: list[str], identity: Identity, *, matches: bool) -> None:
        assert identity.matches(names) is matches


def _as(user: str | None, modifiers: frozenset[str] | None = None) -> Identity:
    return Identity(user, 1 if user else None, modifiers=modifiers)


def test_other_may_do_nothing_special() -> None:
    assert {permission for permission, names in ALLOWED.items() if OTHER in names} == {P.USER_CREATE}
