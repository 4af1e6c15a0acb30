"""Making API tokens: who may, what they may be limited to, and what is kept of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from node.catalog.restrictions import LIFETIME_SECONDS_MAX, Restrictions
from node.catalog.tokens import TOKENS_PER_USER_MAX, create_token
from node.clock import now_ms
from node.directory import ROOT
from node.errors import Conflict
from tests.helpers.app import running_app
from tests.node.catalog.token_words import OK, ask_to_make, bearer, listed, make_token, status_of_user

if TYPE_CHECKING:
    from pathlib import Path


class TestMaking:
    async def test_answer_has_the_token_once_and_the_list_never(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            answer = await ask_to_make(app, {"allowed": ["upload"], "note": "for CI"})
            made = answer.json()

            assert (answer.status, made["type"]) == (200, "token-info")
            token_id, token = made["result"]["id"], made["result"]["token"]
            tokens = await listed(app)
            assert list(tokens) == [token_id]
            assert tokens[token_id]["note"] == "for CI"
            assert tokens[token_id]["restrictions"][0] == "allowed=upload"
            assert token not in json.dumps(tokens)
            assert answer.headers["cache-control"] == "no-store"

    async def test_only_a_digest_is_stored_anywhere(self, tmp_path: Path) -> None:
        """Look for the secret in every value of the state and in every file of the data directory."""
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            token = await make_token(app)
            with app.services.store.view() as view:
                values = [value for kind in (b"t", b"T") for _, value in view.scan(kind)]

        assert len(values) == 2
        secret = token.encode()[16:]
        files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if secret in path.read_bytes()]

    async def test_others_neither_make_nor_see_nor_revoke_them(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data") as app:
            for user in ("alice", "bob"):
                await app.make_user(user)
            await make_token(app)
            token_id = next(iter(await listed(app)))
            path = f"/alice/+tokens/{token_id}"

            answers = [
                await ask_to_make(app, {}, by="bob"),
                await app.ask("/alice/+tokens", user="bob"),
                await app.ask("/alice/+tokens"),
                await app.ask(path, method="DELETE", user="bob"),
                await app.ask(f"/bob/+tokens/{token_id}", method="DELETE", user="bob"),
            ]

            assert [answer.status for answer in answers] == [403, 403, 403, 403, 404]
            assert list(await listed(app)) == [token_id]

    @pytest.mark.parametrize("path", ["/nobody/+token-create", "/nobody/+tokens"])
    async def test_unknown_user_is_404(self, tmp_path: Path, path: str) -> None:
        method = "POST" if path.endswith("create") else "GET"
        async with running_app(tmp_path / "data") as app:
            answer = await app.ask(path, method=method, user="root", headers={"Accept": "application/json"})

            assert (answer.status, answer.json()["message"]) == (404, "no user 'nobody'")

    @pytest.mark.parametrize(
        ("given", "status", "words"),
        [
            ({"colour": "red"}, 400, "Unknown restriction 'colour'."),
            ({"allowed": "upload"}, 400, "The allowed restriction must be a list"),
            ({"allowed": ["fly"]}, 400, "Unknown permission 'fly'"),
            ({"allowed": ["user_modify"]}, 400, "'user_modify' is not given to tokens"),
            ({"projects": ["a", 1]}, 400, "Item at position 2 is not a string in projects list"),
            ({"projects": [" "]}, 400, "Empty item at position 1 in projects list"),
            ({"projects": ["p"] * 201}, 400, "more than 200 items"),
            ({"indexes": ["alice/none"]}, 400, "index 'alice/none' does not exist"),
            ({"indexes": ["alice"]}, 400, "index 'alice' does not exist"),
            ({"expires": "soon"}, 400, "Invalid value 'soon' for expiration"),
            ({"expires": True}, 400, "Invalid value True for expiration"),
            ({"expires": [1]}, 400, "Invalid value [1] for expiration"),
            ({"expires": 1e300}, 400, "for expiration"),
            ({"expires": 1000}, 400, "Can't set expiration before current time"),
            ({"expires": 1 << 36}, 403, "Not allowed to set expiration to more than one year"),
            ({"expires": "never"}, 403, "Not allowed to create token with no expiration"),
            ({"not_before": "later"}, 400, "Invalid value 'later' for not before"),
            ({"note": "two\nlines"}, 400, "The note must be text of one line"),
            ({"note": 7}, 400, "The note must be text"),
            (["upload"], 400, "expected a JSON object"),
        ],
    )
    async def test_what_does_not_fit_is_refused_in_one_sentence(
        self, tmp_path: Path, given: object, status: int, words: str
    ) -> None:
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            before = app.services.store.position

            answer = await ask_to_make(app, given)

            assert answer.status == status, answer.body
            assert words in answer.body.decode().replace("&#x27;", "'")
            assert app.services.store.position == before

    async def test_administrators_give_tokens_without_end(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")

            token = await make_token(app, by="root", expires="never")

            assert (await status_of_user(app, bearer(token))) == OK

    async def test_lifetime_is_a_year_where_none_is_asked_for(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            await make_token(app)
            restrictions = next(iter((await listed(app)).values()))["restrictions"]

        expires = int(restrictions[0].removeprefix("expires="))
        assert abs(expires - now_ms() // 1000 - LIFETIME_SECONDS_MAX) < 600

    async def test_there_is_a_bound_and_expired_ones_make_room(self, tmp_path: Path) -> None:
        async with running_app(tmp_path / "data") as app:
            await app.make_user("alice")
            moment = now_ms()
            limits = Restrictions(None, None, None, moment + 1000, None, "")

            def submit(number: int, at_ms: int) -> None:
                operation = create_token(
                    "alice", limits, token_id=f"id{number}", sha256=b"", actor=ROOT, now_ms=at_ms
                )
                app.services.store.submit(operation).result()

            for number in range(TOKENS_PER_USER_MAX):
                submit(number, moment)
            with pytest.raises(Conflict, match="revoke some first"):
                submit(TOKENS_PER_USER_MAX, moment)
            submit(TOKENS_PER_USER_MAX, moment + 1000)

            assert list(await listed(app)) == [f"id{TOKENS_PER_USER_MAX}"]
