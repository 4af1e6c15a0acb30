"""The real pip, uv and twine against a node; what pip and uv do not find there, nobody has for them."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.conformance.clients import Clients, cutting_proxy
from tests.helpers.app import App, running_app
from tests.helpers.distributions import make_sdist, make_wheel, sdist_name, wheel_name
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOP = "wheelyard-top"  # needs middle, hosted beside it; that needs leaf, on the mirror
BIG_BYTES = 1_500_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[App, FakeUpstream]]:
    folder = tmp_path_factory.mktemp("node") / "data"
    async with FakeUpstream() as upstream, running_app(folder, upstream=upstream) as app:
        await app.upload_wheel(TOP, "1.0", requires=("wheelyard-middle>=1",))
        await app.upload_wheel("wheelyard-middle", "1.0", requires=("wheelyard-leaf",))
        await app.upload_wheel("wheelyard-big", "1.0", payload_bytes=BIG_BYTES)
        upstream.add_wheel("wheelyard-leaf", "1.0", payload_bytes=400_000)
        upstream.add_wheel("wheelyard-leaf", "0.9")
        yield app, upstream


@pytest.fixture
def clients(node: tuple[App, FakeUpstream], tmp_path: Path) -> Clients:
    return Clients(node[0], tmp_path)


@pytest.fixture
def upstream(node: tuple[App, FakeUpstream]) -> FakeUpstream:
    return node[1]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("wheelyard*")}


WHEELS = {wheel_name(name, "1.0") for name in (TOP, "wheelyard-middle", "wheelyard-leaf")}


@pytest.mark.parametrize("options", [(), ("--use-feature=fast-deps",)], ids=["1-plain", "62-fast-deps"])
async def test_pip_downloads_a_tree(clients: Clients, options: tuple[str, ...]) -> None:
    """The tree spans the index and its mirror; pip resolves it by core metadata or by ranges."""
    outcome = await clients.pip("download", "-d", str(clients.folder / "got"), *options, TOP)

    assert (outcome.status, names(clients.folder / "got")) == (0, WHEELS), outcome.output


async def test_pip_installs_from_the_alias_and_the_index_itself(clients: Clients) -> None:
    """``simple`` and devpi's rule for installers give pages whose links lead to the files."""
    for number, tail in enumerate(("simple/", "", "%2Bsimple")):
        target = clients.folder / f"target{number}"
        outcome = await clients.pip(
            "install", "--target", str(target), TOP, index_url=f"{clients.upload_url}{tail}"
        )
        assert outcome.status == 0, outcome.output
        assert (target / "wheelyard_leaf/__init__.py").exists()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"], ids=["59-sha256", "59-sha512"])
async def test_pip_requires_hashes(clients: Clients, upstream: FakeUpstream, algorithm: str) -> None:
    """Right hashes install; one wrong digit does not."""
    file = upstream.files["/files/wheelyard-leaf/wheelyard_leaf-1.0-py3-none-any.whl"]
    digest = hashlib.new(algorithm, file.content).hexdigest()
    wrong = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    statuses = []
    for number, given in enumerate((digest, wrong)):
        wanted = clients.folder / f"requirements{number}.txt"
        wanted.write_text(f"wheelyard-leaf==1.0 --hash={algorithm}:{given}\n")
        target = str(clients.folder / f"target{number}")
        outcome = await clients.pip("install", "--require-hashes", "--target", target, "-r", str(wanted))
        statuses.append(outcome.status)

    assert statuses == [0, 1]


@pytest.mark.parametrize("item", ["56"])
async def test_pip_resumes_after_a_cut(clients: Clients, item: str) -> None:
    """A proxy cuts the first answer for the file in its middle; pip asks for the rest alone."""
    async with cutting_proxy(clients.app.port, after_bytes=BIG_BYTES // 2, path_part=b".whl HTTP") as (
        port,
        heads,
    ):
        outcome = await clients.pip(
            "download", "-d", str(clients.folder), "--no-deps", "wheelyard-big",
            index_url=f"http://127.0.0.1:{port}/root/dev/+simple/",
        )  # fmt: skip

    assert outcome.status == 0, (item, outcome.output)
    assert any(b"range: bytes=" in head.lower() and b"if-range" in head.lower() for head in heads)
    got = (clients.folder / wheel_name("wheelyard-big", "1.0")).read_bytes()
    assert got == make_wheel("wheelyard-big", "1.0", payload_bytes=BIG_BYTES)


@pytest.mark.parametrize("item", ["44"])
async def test_pip_with_a_warm_cache_sees_the_new_release(clients: Clients, item: str) -> None:
    """The page was cached; after an upload the next pip asks again."""
    await clients.app.upload_wheel("wheelyard-new", "1.0")
    cached = ("--cache-dir", str(clients.folder / "cache"), "--trusted-host", "127.0.0.1", "--no-deps")
    pip = (sys.executable, "-m", "pip", "--isolated", "download", "--disable-pip-version-check", *cached)
    first = await clients.run(*pip, "-d", "one", "-i", clients.index_url, "wheelyard-new")
    await clients.app.upload_wheel("wheelyard-new", "2.0")

    second = await clients.run(*pip, "-d", "two", "-i", clients.index_url, "wheelyard-new")

    assert (first.status, second.status) == (0, 0), (item, second.output)
    assert names(clients.folder / "two") == {wheel_name("wheelyard-new", "2.0")}


async def test_uv_installs_a_tree(clients: Clients) -> None:
    """uv takes JSON pages, core metadata and fifty connections at once."""
    target = clients.folder / "target"
    outcome = await clients.uv("pip", "install", "--target", str(target), "-i", clients.index_url, TOP)

    assert outcome.status == 0, outcome.output
    assert (target / "wheelyard_leaf/__init__.py").exists()


@pytest.mark.parametrize("item", ["60"])
async def test_uv_compiles_without_fetching_a_wheel(
    clients: Clients, upstream: FakeUpstream, item: str
) -> None:
    """Metadata beside the wheels is enough: the mirror reads ranges, and uv reads no wheel at all."""
    wheel = upstream.add_wheel(
        "wheelyard-deep", "1.0", payload_bytes=2_000_000, requires=("wheelyard-leaf<1",)
    )
    wanted = clients.folder / "in.txt"
    wanted.write_text("wheelyard-deep\n")
    async with cutting_proxy(clients.app.port, after_bytes=1 << 40, path_part=b"/+f/") as (port, heads):
        index = f"http://127.0.0.1:{port}/root/dev/+simple/"
        outcome = await clients.uv("pip", "compile", "-i", index, "--generate-hashes", str(wanted))

    assert outcome.status == 0, (item, outcome.output)
    assert "wheelyard-leaf==0.9" in outcome.output
    paths = Counter(head.split()[1] for head in heads if b"/+f/" in head)
    assert paths
    assert all(path.endswith(b".metadata") for path in paths)
    assert upstream.sent_bytes[wheel.path] < len(wheel.content) // 4


def write(clients: Clients, *releases: tuple[str, str], payload_bytes: int = 0) -> list[str]:
    paths = []
    for name, version in releases:
        wheel = clients.folder / wheel_name(name, version)
        wheel.write_bytes(make_wheel(name, version, payload_bytes=payload_bytes))
        sdist = clients.folder / sdist_name(name, version)
        sdist.write_bytes(make_sdist(name, version))
        paths += [str(wheel), str(sdist)]
    return paths


@pytest.mark.parametrize("item", ["74+77"])
async def test_twine_uploads_twice(clients: Clients, item: str) -> None:
    """The second time is 200 for the same files, and 409 with words for others where nothing changes."""
    await clients.app.change_index("root/dev", volatile=False)
    files = write(clients, ("wheelyard-twine", "1.0"))
    outcomes = [await clients.twine(*files) for _ in range(2)]
    other = write(clients, ("wheelyard-twine", "1.0"), payload_bytes=9)
    conflict = await clients.twine(*other)
    await clients.app.change_index("root/dev", volatile=True)

    assert [outcome.status for outcome in outcomes] == [0, 0], (item, outcomes[-1].output)
    assert conflict.status != 0
    assert "File already exists" in conflict.output
    assert len((await clients.app.page("wheelyard-twine"))["files"]) == 2


@pytest.mark.parametrize("item", ["74+79"])
async def test_uv_publishes_and_checks(clients: Clients, item: str) -> None:
    """``--check-url`` reads the page right after: equal files are no error, others are one."""
    await clients.app.change_index("root/dev", volatile=False)
    publish = (
        "publish", "--publish-url", clients.upload_url, "--username", "root", "--password",
        clients.app.auth_token("root"), "--trusted-publishing", "never",
    )  # fmt: skip
    files = write(clients, ("wheelyard-uv", "1.0"))
    first = await clients.uv(*publish, "--check-url", clients.index_url, *files)
    again = await clients.uv(*publish, "--check-url", clients.index_url, *files)
    unchecked = await clients.uv(*publish, *files)
    other = write(clients, ("wheelyard-uv", "1.0"), payload_bytes=9)
    conflict = await clients.uv(*publish, *other)
    await clients.app.change_index("root/dev", volatile=True)

    assert [first.status, again.status, unchecked.status] == [0, 0, 0], (item, first.output, again.output)
    assert conflict.status != 0
    assert "File already exists" in conflict.output
    assert len((await clients.app.page("wheelyard-uv"))["files"]) == 2


@pytest.mark.parametrize("item", ["66"])
async def test_credentials_in_the_url_reach_a_restricted_index(clients: Clients, item: str) -> None:
    """pip and uv send what stands in the URL for page, metadata and file; without it they stop."""
    await clients.app.make_index("root/secret", acl_read=["root"], bases=["root/dev"])
    await clients.app.upload_wheel("wheelyard-secret", "1.0", index="root/secret", requires=(TOP,))
    token = clients.app.auth_token("root")
    for login, status in ((f"root:{token}@", 0), ("", 1)):
        url = f"http://{login}127.0.0.1:{clients.app.port}/root/secret/+simple/"
        target = ("--target", str(clients.folder / f"target{status}"))
        by_pip = await clients.pip("install", *target, "wheelyard-secret", index_url=url)
        by_uv = await clients.uv("pip", "install", *target, "-i", url, "wheelyard-secret")
        assert (by_pip.status, bool(by_uv.status)) == (status, bool(status)), (
            item,
            by_pip.output,
            by_uv.output,
        )
        assert token not in by_pip.output + by_uv.output
