"""poetry, pdm and hatch, unmodified, against a node: they publish there, and lock and install what is there."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.clients.publishers import (
    LOOPBACK_ALONE,
    USER,
    Command,
    Hatch,
    Index,
    Pdm,
    Poetry,
    Publisher,
    install_publishers,
)
from tests.helpers.app import App, running_app
from tests.helpers.clients import Outcome, run_client
from tests.helpers.distributions import make_sdist, make_wheel, sdist_name, wheel_name
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.parametrize("publisher", [Poetry(), Pdm(), Hatch()], ids=["poetry", "pdm", "hatch"]),
]

PASSWORD = "pw"
FIXED = f"{USER}/fixed"  # anybody may read it
HIDDEN = f"{USER}/hidden"  # its owner alone may


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    """A node with two indexes over a mirror; published projects need one that only upstream has."""
    install_publishers()
    folder = tmp_path_factory.mktemp("node") / "data"
    async with FakeUpstream() as upstream, running_app(folder, upstream=upstream) as app:
        upstream.add_wheel("wheelyard-leaf", "1.0")
        await app.make_user(USER)
        await app.make_index(FIXED, user=USER, bases=["root/pypi"], volatile=False)
        await app.make_index(HIDDEN, user=USER, bases=["root/pypi"], acl_read=[USER])
        yield app


def files_of(project: str) -> list[str]:
    return sorted([sdist_name(project, "1.0"), wheel_name(project, "1.0")])


def write(folder: Path, project: str, *, payload_bytes: int = 0) -> Path:
    """Write a project whose files are built already."""
    (folder / "dist").mkdir(parents=True)
    wheel = make_wheel(project, "1.0", requires=("wheelyard-leaf",), payload_bytes=payload_bytes)
    (folder / "dist" / wheel_name(project, "1.0")).write_bytes(wheel)
    (folder / "dist" / sdist_name(project, "1.0")).write_bytes(make_sdist(project, "1.0"))
    text = f'[project]\nname = "{project}"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
    (folder / "pyproject.toml").write_text(text)
    return folder


def at(app: App, index: str, password: str | None = PASSWORD) -> Index:
    return Index(f"{app.url}/{index}/", password)


async def run(command: Command, folder: Path) -> Outcome:
    environment = {**LOOPBACK_ALONE, **command.environment}
    return await run_client(*command.words, home=folder.parent, cwd=folder, environment=environment)


async def test_publish_puts_sdist_and_wheel_on_the_index(
    app: App, publisher: Publisher, tmp_path: Path
) -> None:
    """A second time, too: the same files again are no error."""
    project = f"wheelyard-new-{publisher.name}"
    folder = write(tmp_path / "published", project)

    outcomes = [await run(publisher.publish(at(app, FIXED)), folder) for _ in range(2)]

    assert [outcome.status for outcome in outcomes] == [0, 0], outcomes
    page = await app.page(project, index=FIXED)
    assert sorted(file["filename"] for file in page["files"]) == files_of(project)
    release = (await app.ask(f"/{FIXED}/{project}")).json()["result"]["1.0"]
    assert {link["log"][0]["who"] for link in release["+links"]} == {USER}
    assert release["requires_dist"] == ["wheelyard-leaf"]


async def test_publish_of_other_bytes_changes_nothing_and_says_so(
    app: App, publisher: Publisher, tmp_path: Path
) -> None:
    """The index keeps its files for good. hatch does not even try: it has looked at the page, and ends well."""
    project = f"wheelyard-old-{publisher.name}"
    first = write(tmp_path / "first", project)
    assert (await run(publisher.publish(at(app, FIXED)), first)).status == 0
    before = await app.page(project, index=FIXED)
    other = write(tmp_path / "other", project, payload_bytes=100)

    refused = await run(publisher.publish(at(app, FIXED)), other)
    skipped = await run(publisher.publish(at(app, FIXED), *publisher.skip_existing), other)

    assert refused.status == publisher.status_of_existing, refused.output
    assert "already exists" in refused.output
    assert skipped.status == 0, skipped.output
    assert await app.page(project, index=FIXED) == before


async def test_publish_with_a_wrong_password_says_what_is_wrong(
    app: App, publisher: Publisher, tmp_path: Path
) -> None:
    project = f"wheelyard-not-{publisher.name}"
    folder = write(tmp_path / "published", project)

    outcome = await run(publisher.publish(at(app, FIXED, "wrong")), folder)

    assert outcome.status == 1
    assert "authentication required to upload" in outcome.output
    assert (await app.ask(f"/{FIXED}/+simple/{project}/")).status == 404


@pytest.mark.parametrize(
    ("index", "password"), [(FIXED, None), (HIDDEN, PASSWORD)], ids=["open", "restricted"]
)
async def test_tree_is_locked_and_installed(
    app: App, publisher: Publisher, index: str, password: str | None, tmp_path: Path
) -> None:
    """Project and metadata are hosted, what it needs is mirrored; both come from the one index."""
    project = f"wheelyard-{publisher.name}"
    wheel = make_wheel(project, "1.0", requires=("wheelyard-leaf",))
    filename = wheel_name(project, "1.0")
    uploaded = await app.upload(filename, wheel, name=project, version="1.0", index=index, user=USER)
    assert uploaded.status == 200
    consumer = tmp_path / "consumer"

    outcome = await run(publisher.install(at(app, index, password), project, consumer), consumer)

    assert outcome.status == 0, outcome.output
    installed = {
        path.name for path in consumer.glob(".venv/lib/*/site-packages/wheelyard_*") if path.suffix == ""
    }
    assert installed == {project.replace("-", "_"), "wheelyard_leaf"}
    leaf = make_wheel("wheelyard-leaf", "1.0")
    for lock in consumer.glob("*.lock"):
        assert all(hashlib.sha256(content).hexdigest() in lock.read_text() for content in (wheel, leaf))


async def test_restricted_index_is_closed_without_the_password(
    app: App, publisher: Publisher, tmp_path: Path
) -> None:
    consumer = tmp_path / "consumer"

    command = publisher.install(at(app, HIDDEN, "wrong"), "wheelyard-leaf", consumer)
    outcome = await run(command, consumer)

    assert outcome.status != 0, outcome.output
    assert not list(consumer.glob(".venv/lib/*/site-packages/wheelyard_*"))
