"""Whatever is sent: a status below 500, no traceback, and a refusal changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.conformance.hostile import Hostile, Request
from tests.helpers.app import App, Reply, running_app
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = 1200


async def send(app: App, request: Request, *, as_root: bool) -> Reply:
    """Send a request with root's token, unless it has credentials of its own."""
    has_own = not {"Authorization", "X-Devpi-Auth"}.isdisjoint(request.headers)
    app.tokens.clear()  # a hostile request may have changed root's password
    options = {} if request.body is None else {"data": request.body}
    return await app.ask(
        request.path,
        method=request.method,
        user="root" if as_root and not has_own else None,
        headers=request.headers,
        **options,
    )


@pytest.mark.parametrize("seed", [1, 2], ids=["seed-1", "seed-2"])
async def test_no_request_breaks_the_node(tmp_path: Path, seed: int) -> None:
    """Ask over a thousand times, mostly as root, so that much is let through to where it could break something."""
    hostile, seen, wrong = Hostile(seed), Counter[int](), []
    async with FakeUpstream() as upstream, running_app(tmp_path / "data", upstream=upstream) as app:
        await app.make_user("alice")
        await app.make_index("alice/dev", user="alice", bases=["root/pypi"])
        await app.upload_wheel("thing", "1.0")
        for number in range(REQUESTS):
            request = hostile.request()
            before = app.services.store.position.serial
            answer = await send(app, request, as_root=number % 3 > 0)
            seen[answer.status] += 1
            has_written = app.services.store.position.serial != before
            # 502 is upstream's: mirrors get URLs here that lead nowhere.
            if (answer.status >= 500 and answer.status != 502) or (answer.status >= 400 and has_written):
                wrong.append((answer.status, has_written, request))

    assert wrong == []
    assert {200, 400, 403, 404} <= set(seen)
