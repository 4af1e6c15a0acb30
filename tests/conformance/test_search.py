"""Checklist: ``pip search`` as it is on this machine, against a running node."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conformance.clients import Clients
from tests.helpers.app import App, running_app
from tests.helpers.distributions import make_wheel, wheel_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.clients import Outcome

NO_MATCHES_FOUND = 23
QUIET = ("--disable-pip-version-check", "--no-cache-dir", "--no-input")


async def search(clients: Clients, url: str, *words: str) -> Outcome:
    return await clients.run(
        sys.executable, "-m", "pip", "search", "--isolated", *QUIET, "--index", url, *words
    )


async def upload(app: App, name: str, version: str, *, index: str = "root/dev", summary: str = "") -> None:
    content, filename = make_wheel(name, version), wheel_name(name, version)
    answer = await app.upload(filename, content, name=name, version=version, index=index, summary=summary)
    assert answer.status == 200


def lines(outcome: Outcome) -> list[str]:
    return [re.sub(r" +", " ", line) for line in outcome.output.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


async def test_pip_search_shows_what_fits(tmp_path: Path, folder: Path) -> None:
    """Item 97: by name in another spelling and by summary, of the index and its base; a miss has pip's own status.

    The second search has its URL from a configuration file, in the section that devpi's client writes.
    """
    async with running_app(tmp_path / "data") as app:
        await app.make_index("root/over", bases=["root/dev"])
        await upload(app, "tabular-reader", "1.9", summary="old")
        await upload(app, "tabular-reader", "1.10", summary="Reads <tables> & more")
        await upload(app, "paper", "2.0rc1", index="root/over", summary="Uses Tabular_Reader")
        clients = Clients(app, folder)

        shown = await search(clients, f"{app.url}/root/over/", "tabular_reader")
        config = folder / "pip.conf"
        config.write_text(f"[search]\nindex = {app.url}/root/over/+simple/\n")
        configured = await clients.run(
            sys.executable, "-m", "pip", *QUIET, "search", "tables", "paper", PIP_CONFIG_FILE=str(config)
        )
        missed = await search(clients, f"{app.url}/root/dev/", "paper")

        paper = "paper (2.0rc1) - [root/over] Uses Tabular_Reader"
        reader = "tabular-reader (1.10) - [root/dev] Reads <tables> & more"
        assert (shown.status, lines(shown)) == (0, [paper, reader])
        assert (configured.status, lines(configured)) == (0, [paper, reader])
        assert (missed.status, missed.output) == (NO_MATCHES_FOUND, "")


async def test_pip_search_logs_in_with_its_url_and_shows_faults(tmp_path: Path, folder: Path) -> None:
    """Items 97 and 99: a node that requires a login, and a search that is refused in a sentence."""
    async with running_app(tmp_path / "data", require_login=True) as app:
        await upload(app, "thing", "1.0", summary="Does things")
        clients = Clients(app, folder)
        url = f"http://root:{app.auth_token('root')}@127.0.0.1:{app.port}/root/dev/"

        shown = await search(clients, url, "things")
        refused = await search(clients, url, " ")

        assert (shown.status, lines(shown)) == (0, ["thing (1.0) - [root/dev] Does things"])
        assert refused.status == 1
        assert "XMLRPC request failed [code: -32602]\na search needs at least one word" in refused.output
