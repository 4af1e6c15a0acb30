"""API tokens in use: in which forms they are sent, what they never do, and when they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from node.catalog import keys
from node.clock import now_ms
from tests.helpers.app import App, Reply, running_app
from tests.helpers.distributions import make_wheel, wheel_name
from tests.helpers.nodes import basic, fetch_json, login, running_cluster
from tests.node.catalog.token_words import (
    NOAUTH,
    OK,
    bearer,
    devpi_auth,
    listed,
    make_token,
    set_clock,
    status_of_user,
)

if TYPE_CHECKING:
    from pathlib import Path


class TestSending:
    async def test_every_way_to_send_a_password_takes_a_token(self, tmp_path: Path) -> None:
        """Basic and X-Devpi-Auth with each user name that stands for the owner, alone as user name, and Bearer."""
        async with running_app(tmp_path / "data") as app:
            for user in ("alice", "bob"):
                await app.make_user(user)
            token = await make_token(app)

            seen = {
                name: await status_of_user(app, headers)
                for name, headers in {
                    "owner": basic("alice", token),
                    "__token__": basic("__token__", token),
                    "empty": basic("", token),
                    "as user": basic(token, ""),
                    "bearer": bearer(token),
                    "devpi owner": devpi_auth("alice", token),
                    "devpi __token__": devpi_auth("__token__", token),
                    "devpi empty": devpi_auth("", token),
                    "another's name": basic("bob", token),
                    "nobody's name": basic("carol", token),
                    "cut": bearer(token[:-1]),
                    "changed": bearer(token[:-1] + ("0" if token[-1] != "0" else "1")),
                    "bearer of nothing": {"Authorization": "Bearer"},
                }.items()
            }

            good = {"owner", "__token__", "empty", "as user", "bearer"}
            good |= {"devpi owner", "devpi __token__", "devpi empty"}
            assert {name for name, status in seen.items() if status == OK} == good
            assert all(status in (OK, NOAUTH) for status in seen.values())

    async def test_login_with_a_token_gives_it_back_and_no_wider_one(self, tmp_path: Path) -> None:
        """What makes stock devpi's ``devpi login`` take tokens: it stores what it is given and sends that."""
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            token = await make_token(app, allowed=["read"], expires=now_ms() // 1000 + 600)

            answers = [
                await app.ask(
                    "/+login",
                    method="POST",
                    json={"user": user, "password": secret},
                    headers={"Accept": "application/json"},
                )
                for user, secret in (("alice", token), ("bob", token), ("alice", token[:-1]))
            ]

            assert [answer.status for answer in answers] == [200, 401, 401]
            result = answers[0].json()["result"]
            assert result["password"] == token
            assert 0 < result["expiration"] <= 600

    async def test_token_does_not_widen_itself(self, tmp_path: Path) -> None:
        """It makes no token, lists none, revokes none, changes no password, and makes no user."""
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            headers = bearer(await make_token(app))
            token_id = next(iter(await listed(app)))
            before = app.services.store.position

            answers = [
                await app.ask("/alice/+token-create", method="POST", headers=headers, json={}),
                await app.ask("/alice/+tokens", headers=headers),
                await app.ask(f"/alice/+tokens/{token_id}", method="DELETE", headers=headers),
                await app.ask("/alice", method="PATCH", headers=headers, json={"password": "new"}),
                await app.ask("/alice", method="PATCH", headers=headers, json={"title": "new"}),
                await app.ask("/alice", method="DELETE", headers=headers),
                await app.ask("/dave", method="PUT", headers=headers, json={"password": "pw"}),
            ]

            assert [answer.status for answer in answers] == [403] * len(answers)
            assert app.services.store.position == before


class TestEnding:
    async def test_revoked_token_is_nobodys(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            token, other = await make_token(app), await make_token(app)
            token_id = token[3:15]

            answer = await app.ask(f"/alice/+tokens/{token_id}", method="DELETE", user="alice")
            again = await app.ask(f"/alice/+tokens/{token_id}", method="DELETE", user="alice")

            assert (answer.status, again.status) == (200, 404)
            assert await status_of_user(app, bearer(token)) == NOAUTH
            assert await status_of_user(app, bearer(other)) == OK

    @pytest.mark.parametrize("token_id", ["x" * 600, "a%2Fb", "%00", "%C3%A4"])
    async def test_ids_that_cannot_be_are_404(self, tmp_path: Path, token_id: str) -> None:
        async with running_app(tmp_path / "data") as app:
            answer = await app.ask(f"/root/+tokens/{token_id}", method="DELETE", user="root")

            assert answer.status == 404

    async def test_token_is_good_between_its_two_times_only(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            start = now_ms() // 1000
            token = await make_token(app, not_before=start + 100, expires=start + 200)

            seen = []
            for second in (start, start + 99, start + 100, start + 199, start + 200):
                set_clock(app, second * 1000)
                seen.append(await status_of_user(app, bearer(token)))

            assert seen == [NOAUTH, NOAUTH, OK, OK, NOAUTH]

    async def test_tokens_go_with_their_user_and_do_not_come_back(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            token = await make_token(app)
            await app.ask("/alice", method="DELETE", user="root")
            await app.make_user("alice")

            with app.services.store.view() as view:
                left = [*view.scan(b"t"), *view.scan(keys.token_owner_key(""))]
            assert left == []
            assert await status_of_user(app, bearer(token)) == NOAUTH

    async def test_token_outlives_a_changed_password(self, tmp_path: Path) -> None:
        """Unlike a login token: it is a credential of its own, and revoked by itself."""
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            token = await make_token(app)
            await app.ask("/alice", method="PATCH", user="alice", json={"password": "new"})

            assert await status_of_user(app, bearer(token)) == OK


async def test_index_made_anew_under_its_name_is_another(tmp_path: Path) -> None:
    async with running_app(tmp_path / "data") as app:
        await app.make_user("alice")
        await app.make_index("alice/dev", user="alice")
        token = await make_token(app, indexes=["alice/dev"])
        before = await _upload(app, token, "1.0")
        await app.ask("/alice/dev", method="DELETE", user="alice")
        await app.make_index("alice/dev", user="alice")

        assert (before.status, (await _upload(app, token, "1.1")).status) == (200, 403)


async def _upload(app: App, token: str, version: str) -> Reply:
    name, content = wheel_name("thing", version), make_wheel("thing", version)
    return await app.upload(
        name, content, name="thing", version=version, index="alice/dev", user=None, headers=bearer(token)
    )


def test_replica_takes_and_refuses_tokens_by_itself(tmp_path: Path) -> None:
    """Made and revoked through a replica; used on it also while the primary is dead."""
    with running_cluster(tmp_path, replicas=1, options=("--offline",)) as cluster:
        replica = cluster.replicas[0]
        cluster.wait_until_equal()
        root = basic("root", login(replica.url))
        tokens = [
            fetch_json(replica.url + "/root/+token-create", method="POST", body={}, headers=root)["result"]
            for _ in range(2)
        ]
        path = f"{replica.url}/root/+tokens/{tokens[1]['id']}"
        fetch_json(path, method="DELETE", headers=root)
        cluster.primary.kill()

        seen = [
            fetch_json(replica.url + "/+api", headers=bearer(token["token"]))["result"]["authstatus"][0]
            for token in tokens
        ]

        assert seen == ["ok", "noauth"]
