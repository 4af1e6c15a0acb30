"""Short words for what tests do with API tokens."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.helpers.app import App, Reply


async def make_token(app: App, user: str = "alice", *, by: str | None = None, **restrictions: Any) -> str:
    """Return a new token of a user, made by itself or by somebody else."""
    path = f"/{user}/+token-create"
    answer = await app.ask(path, method="POST", user=by or user, json=restrictions)
    assert answer.status == 200, answer.body
    token: str = answer.json()["result"]["token"]
    return token


async def ask_to_make(app: App, given: object, *, by: str = "alice") -> Reply:
    return await app.ask("/alice/+token-create", method="POST", user=by, json=given)


async def listed(app: App, user: str = "alice") -> dict[str, Any]:
    answer = await app.ask(f"/{user}/+tokens", user=user)
    assert answer.status == 200, answer.body
    tokens: dict[str, Any] = answer.json()["result"]["tokens"]
    return tokens


async def status_of_user(app: App, headers: dict[str, str]) -> list[Any]:
    """Return what ``+api`` says of who asks."""
    answer = await app.ask("/+api", headers={"Accept": "application/json", **headers})
    status: list[Any] = answer.json()["result"]["authstatus"]
    return status


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def devpi_auth(user: str, secret: str) -> dict[str, str]:
    return {"X-Devpi-Auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


OK = ["ok", "alice", []]
NOAUTH = ["noauth", "", []]


def set_clock(app: App, moment_ms: int) -> None:
    """Have the node believe that it is that time when it looks at tokens."""
    app.services.authenticator._clock_ms = lambda: moment_ms
