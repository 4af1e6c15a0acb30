"""A cluster with an upstream, its users, and people who type ``devpi`` at one of its nodes."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.clients.devpi import Devpi, Record
from tests.helpers.app import JSON, multipart, upload_form
from tests.helpers.distributions import make_sdist, make_wheel, sdist_name, wheel_name
from tests.helpers.nodes import basic, login, running_cluster
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.helpers.nodes import ClusterProcesses, NodeProcess

PASSWORDS = {"root": "", "team": "secret-team", "guest": "secret-guest"}
MIRROR = "root/mirror"


@dataclass
class House:
    """What a step of the script finds. Each makes what it needs, so their order does not matter.

    ``root``, ``team`` and ``guest`` are logged in, ``anyone`` is not; which index each uses is left to the steps.
    """

    cluster: ClusterProcesses
    node: NodeProcess  # the one that everybody speaks to
    upstream: FakeUpstream  # of the index root/mirror
    folder: Path
    session: aiohttp.ClientSession
    record: Record = field(default_factory=Record)
    people: dict[str, Devpi] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        return self.node.url

    @property
    def root(self) -> Devpi:
        return self.people["root"]

    @property
    def team(self) -> Devpi:
        return self.people["team"]

    @property
    def guest(self) -> Devpi:
        return self.people["guest"]

    @property
    def anyone(self) -> Devpi:
        return self.people["anyone"]

    def newcomer(self) -> Devpi:
        """Return somebody who never used devpi."""
        return Devpi(self.new_folder(), self.record)

    def double(self, person: Devpi) -> Devpi:
        """Return somebody with the same server and login, who may lose them."""
        double = self.newcomer()
        shutil.copytree(person.home / "devpi", double.home / "devpi")
        return double

    async def logged_in(self, user: str, password: str) -> Devpi:
        """Let somebody in, by devpi."""
        person = self.double(self.anyone)
        await person(f"login {user} --password={password}", f"logged in '{user}'", "credentials valid")
        return person

    async def new_user(self, password: str, **options: str) -> str:
        """Make a user and return the name."""
        name = self.new_name("user")
        status, _ = await self.ask(
            f"/{name}", user="root", method="PUT", json={"password": password, **options}
        )
        assert status == 201
        return name

    def new_name(self, kind: str) -> str:
        """Return a name that nothing in this house has yet."""
        return f"{kind}{next(self.numbers)}"

    def new_folder(self) -> Path:
        folder = self.folder / self.new_name("folder")
        folder.mkdir()
        return folder

    async def ask(
        self, path: str, *, user: str = "team", method: str = "GET", **words: Any
    ) -> tuple[int, Any]:
        """Return status and JSON of a request to the node that everybody speaks to."""
        headers = {**basic(user, self.tokens[user]), "Accept": "application/json", **words.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **words) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status < 400 else None

    async def get(self, path: str) -> Any:
        """Return the result of devpi's API; nothing if there is no such thing."""
        status, answer = await self.ask(path)
        assert status in {200, 404}
        return answer and answer["result"]

    async def new_index(self, *, owner: str = "team", **options: Any) -> str:
        """Make an index and return its full name."""
        index = f"{owner}/{self.new_name('index')}"
        status, _ = await self.ask(f"/{index}", user=owner, method="PUT", json=options)
        assert status == 200
        return index

    async def upload(self, index: str, project: str, version: str, filename: str, content: bytes) -> None:
        """Upload a file by the form that installers' upload clients send."""
        body, content_type = multipart(
            upload_form(project, version, filename), [("content", filename, content)]
        )
        headers = {"Accept": "*/*", "Content-Type": content_type}
        status, _ = await self.ask(f"/{index}/", method="POST", data=body, headers=headers)
        assert status == 200

    async def upload_wheel(self, index: str, project: str, version: str, **options: Any) -> None:
        content = make_wheel(project, version, **options)
        await self.upload(index, project, version, wheel_name(project, version), content)

    async def hosting(self, project: str, *versions: str, **options: Any) -> str:
        """Make an index with an sdist and a wheel of each version, and return its full name."""
        index = await self.new_index(**options)
        for version in versions:
            await self.upload_wheel(index, project, version)
            content = make_sdist(project, version)
            await self.upload(index, project, version, sdist_name(project, version), content)
        return index

    async def files(self, index: str, project: str) -> list[str]:
        """Return the names on a page of the Simple API, sorted; nothing if there is no such page."""
        status, page = await self.ask(f"/{index}/+simple/{project}/", headers={"Accept": JSON})
        assert status in {200, 404}
        return sorted(file["filename"] for file in page["files"]) if page else []

    async def url_of(self, index: str, filename: str) -> str:
        """Return the URL of a file, as devpi's API has it."""
        project, version = filename.removesuffix(".tar.gz").split("-")[:2]
        links = (await self.get(f"/{index}/{project}"))[version]["+links"]
        url: str = next(link["href"] for link in links if link["href"].endswith(f"/{filename}"))
        return url

    def write(self, project: str, *versions: str, **options: Any) -> Path:
        """Write an sdist and a wheel of each version into a new folder, and return that."""
        folder = self.new_folder()
        for version in versions:
            wheel = make_wheel(project, version, **options)
            (folder / wheel_name(project, version)).write_bytes(wheel)
            (folder / sdist_name(project, version)).write_bytes(make_sdist(project, version))
        return folder


def names_of(project: str, *versions: str) -> list[str]:
    """Return the names of the files that ``House.write`` writes, sorted."""
    return sorted(name(project, version) for version in versions for name in (sdist_name, wheel_name))


@asynccontextmanager
async def open_house(folder: Path, *, number: int) -> AsyncIterator[House]:
    """Run a primary and a replica; everybody speaks to the node of that number, 0 for the primary."""
    async with FakeUpstream() as upstream, aiohttp.ClientSession() as session:
        with running_cluster(folder / "cluster", replicas=1, options=("--no-root-pypi",)) as cluster:
            house = House(cluster, cluster.nodes[number], upstream, folder, session)
            cluster.wait_until_equal()
            await _furnish(house)
            yield house


async def _furnish(house: House) -> None:
    """Make the users and the mirror by plain requests, then let everybody in by devpi."""
    house.tokens["root"] = login(house.url)
    for user, password in PASSWORDS.items():
        if password:
            status, _ = await house.ask(f"/{user}", user="root", method="PUT", json={"password": password})
            assert status == 201
            house.tokens[user] = login(house.url, user, password)
    mirror = {"type": "mirror", "mirror_url": house.upstream.url, "volatile": False}
    status, _ = await house.ask(f"/{MIRROR}", user="root", method="PUT", json=mirror)
    assert status == 200
    house.people["anyone"] = house.newcomer()
    await house.anyone(f"use {house.url}", f"using server: {house.url}/")
    people = await asyncio.gather(*(house.logged_in(user, word) for user, word in PASSWORDS.items()))
    house.people |= zip(PASSWORDS, people, strict=True)
