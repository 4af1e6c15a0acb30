"""Reading restricted: what ``acl_read`` hides is hidden in every form, through every base, and in every cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.app import JSON, App, running_app
from tests.helpers.distributions import wheel_name
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "/root/over/+simple/secret/"
_JSON = {"Accept": JSON}


async def _prepare(app: App) -> str:
    """Make ``root/base``, which only reader may read, and ``root/over`` on top; return the path of its file."""
    for user in ("reader", "other"):
        await app.make_user(user)
    await app.make_index("root/base", acl_read=["reader"])
    await app.make_index("root/over", bases=["root/base"])
    await app.upload_wheel("secret", "1.0", index="root/base")
    page = await app.ask("/root/base/+simple/secret/", user="reader", headers=_JSON)
    url: str = page.json()["files"][0]["url"]
    return "/" + url.removeprefix("../../../../")


async def test_files_of_a_restricted_base_are_shown_to_its_readers_only(tmp_path: Path) -> None:
    """Ask in every order, twice, so that a page kept for one reader would reach another."""
    async with running_app(tmp_path / "data") as app:
        await _prepare(app)

        statuses = [
            (await app.ask(PAGE, user=user, headers=_JSON)).status
            for user in ("reader", None, "other", "root", "reader", None, "reader", "other")
        ]

        assert statuses == [200, 404, 404, 200, 200, 404, 200, 404]


async def test_projects_of_a_restricted_base_are_listed_to_its_readers_only(tmp_path: Path) -> None:
    async with running_app(tmp_path / "data") as app:
        await _prepare(app)

        listed = {
            user: [
                project["name"]
                for project in (await app.ask("/root/over/+simple/", user=user, headers=_JSON)).json()[
                    "projects"
                ]
            ]
            for user in ("reader", None, "other", "root")
        }

        assert listed == {"reader": ["secret"], None: [], "other": [], "root": ["secret"]}


async def test_versions_of_a_restricted_base_are_shown_to_its_readers_only(tmp_path: Path) -> None:
    async with running_app(tmp_path / "data") as app:
        await _prepare(app)

        for path in ("/root/over/secret", "/root/over/secret/1.0"):
            answers = {user: (await app.ask(path, user=user)).status for user in ("reader", None, "other")}
            assert answers == {"reader": 200, None: 404, "other": 404}, path


async def test_nothing_restricted_is_answered_in_front_of_the_parser_or_kept_by_caches(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path / "data") as app:
        file = await _prepare(app)
        before = app.fast_answers

        for path in (PAGE, "/root/base/+simple/secret/", "/root/over/+simple/", file, f"{file}.metadata"):
            for _ in range(3):
                answer = await app.ask(path, user="reader", headers=_JSON)
                assert answer.status == 200, path
                assert answer.headers["cache-control"] == "private, no-cache", path
                assert "access-control-allow-origin" not in answer.headers, path

        assert app.fast_answers == before
        assert (await app.ask(file)).status == 401


async def test_restriction_holds_at_once_for_what_was_kept_for_everybody(tmp_path: Path) -> None:
    async with running_app(tmp_path / "data") as app:
        await app.upload_wheel("thing", "1.0")
        file = "/" + (await app.page("thing"))["files"][0]["url"].removeprefix("../../../../")
        paths = ("/root/dev/+simple/thing/", file, "/root/dev/+simple/")
        for path in paths * 2:
            assert (await app.ask(path, headers=_JSON)).status == 200

        await app.change_index("root/dev", acl_read=[])

        for path in paths:
            answer = await app.ask(path, headers=_JSON)
            assert answer.status == 401, path
            assert answer.headers["www-authenticate"] == 'Basic realm="pypi"'


async def test_option_has_two_names_and_can_be_dropped(tmp_path: Path) -> None:
    async with running_app(tmp_path / "data") as app:
        await app.change_index("root/dev", acl_pkg_read="alice, :authenticated:")
        shown = await app.ask("/root/dev?no_projects=")
        assert shown.json()["result"]["acl_read"] == ["alice", ":AUTHENTICATED:"]
        assert (await app.ask("/root/dev")).status == 401

        dropped = await app.ask("/root/dev", method="PATCH", user="root", json=["acl_pkg_read-="])

        assert "acl_read" not in dropped.json()["result"]
        assert (await app.ask("/root/dev")).status == 200


async def test_private_name_hides_the_mirror_from_those_who_may_not_read_it(tmp_path: Path) -> None:
    """Else a stranger's upload to the upstream index would reach exactly those who cannot see the real one."""
    async with FakeUpstream() as upstream, running_app(tmp_path / "data", upstream=upstream) as app:
        upstream.add_wheel("secret", "9.0")
        upstream.add_wheel("public", "1.0")
        await _prepare(app)
        await app.change_index("root/over", bases=["root/base", "root/pypi"])

        pages = {user: await app.ask(PAGE, user=user, headers=_JSON) for user in (None, "reader")}
        public = await app.ask("/root/over/+simple/public/", headers=_JSON)

        assert pages[None].status == 404
        assert [file["filename"] for file in pages["reader"].json()["files"]] == [wheel_name("secret", "1.0")]
        assert public.status == 200
        assert not [path for path in upstream.requests if "secret" in path]


@pytest.mark.parametrize(
    "path", ["/", "/root", "/root/dev", "/root/dev/+simple/", "/root/dev/+simple/thing/"]
)
async def test_required_login_hides_everything_from_strangers(tmp_path: Path, path: str) -> None:
    async with running_app(tmp_path / "data", require_login=True) as app:
        await app.upload_wheel("thing", "1.0")

        for _ in range(2):
            known = await app.ask(path, user="root")
            stranger = await app.ask(path)

            assert known.status == 200
            assert known.headers["cache-control"] == "private, no-cache"
            assert (stranger.status, stranger.headers["www-authenticate"]) == (401, 'Basic realm="pypi"')
        assert app.fast_answers == 0


async def test_required_login_leaves_open_what_leads_to_a_login(tmp_path: Path) -> None:
    async with running_app(tmp_path / "data", require_login=True) as app:
        for path in ("/+api", "/root/dev/+api", "/+live", "/+ready", "/+status"):
            assert (await app.ask(path)).status == 200, path
        login = await app.ask("/+login", method="POST", json={"user": "root", "password": ""})

        assert login.status == 200


class TestAuthcheck:
    @pytest.mark.parametrize(
        ("uri", "stranger", "known"),
        [
            ("/+api", 200, 200),
            ("/root/dev/+api", 200, 200),
            ("/+login", 200, 200),
            ("/root/dev/+simple/", 401, 200),
            ("/root/dev/+simple/thing/?x=1", 401, 200),
            ("/root/base/+simple/secret/", 401, 403),
            ("/a/b/c/d/e/f", 403, 403),
            ("/root/gone/+f/abc/0123456789abc/x.zip", 403, 403),
        ],
    )
    async def test_answers_for_what_nginx_holds_back(
        self, tmp_path: Path, uri: str, stranger: int, known: int
    ) -> None:
        async with running_app(tmp_path / "data", require_login=True) as app:
            await app.make_index("root/base", acl_read=[])
            other = await app.ask("/other", method="PUT", user="root", json={"password": "pw"})
            assert other.status == 201
            headers = {"X-Original-URI": uri}

            statuses = [
                (await app.ask("/+authcheck", user=user, headers=headers)).status for user in (None, "other")
            ]

            assert statuses == [stranger, known]

    async def test_devpis_client_gets_403_which_it_explains(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data", require_login=True) as app:
            headers = {"X-Original-URI": "/root/dev/", "User-Agent": "devpi-client/7.3.0 (py3.11)"}

            assert (await app.ask("/+authcheck", headers=headers)).status == 403

    async def test_everything_is_allowed_without_a_required_login_as_in_devpi(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data") as app:
            headers = {"X-Original-URI": "/root/dev/+simple/"}

            assert (await app.ask("/+authcheck", headers=headers)).status == 200
