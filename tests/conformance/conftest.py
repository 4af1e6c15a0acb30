from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.conformance.items import House
from tests.helpers.app import running_app
from tests.helpers.distributions import make_wheel, metadata_text
from tests.helpers.upstream import FakeFile, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A node that hosts ``thing`` and mirrors ``oddity``, ``six`` and ``nine``; changed by no check but uploads of its own."""
    async with (
        FakeUpstream() as upstream,
        running_app(tmp_path_factory.mktemp("node") / "data", upstream=upstream) as app,
    ):
        await app.upload_sdist("thing", "1.0")
        await app.upload_wheel("thing", "1.0")
        await app.upload_wheel("thing", "1.1")
        for name in ("simple", "pypi", "json"):
            await app.upload_wheel(name, "1.0")
        fill(upstream)
        yield House(app, upstream)


def fill(upstream: FakeUpstream) -> None:
    """Give upstream a plain project, and one with everything that real pages get wrong."""
    upstream.add_wheel("six", "1.16", payload_bytes=300_000)
    upstream.add_wheel("nine", "1.0", payload_bytes=3_000_000)
    odd: list[tuple[str, dict[str, object]]] = [
        ("1.0", {"yanked": True}),
        ("1.1", {"yanked": 'it broke < & "everything"'}),
        ("1.2", {"yanked": ""}),
        ("1.3", {"yanked": None, "size": None, "upload-time": None, "requires-python": None}),
        ("1.4", {"requires-python": ">=3.6,<4", "provenance": "https://example.org/p"}),
        ("1.5", {"requires-python": ">>nonsense<<", "provenance": None}),
        ("1.6", {"hashes": {"sha1": "a" * 40}, "provenance": "http://plain.example.org/p"}),
        ("1.7", {"data-dist-info-metadata": {"sha256": "b" * 64}, "upload-time": "2024-01-02T03:04:05"}),
        ("1.8", {"upload-time": "2024-01-02T03:04:05+02:00", "namespaces": ["x"]}),
    ]
    for version, extra in odd:
        content = make_wheel("oddity", version)
        filename = f"oddity-{version}-py3-none-any.whl"
        upstream.add(FakeFile("oddity", filename, content, version, extra=extra))
    egg = FakeFile("oddity", "oddity-0.9-py2.7.egg", b"egg", "0.9")
    nonsense = FakeFile("oddity", "oddity-not-a-version.tar.gz", b"old", "1.0")
    metadata = metadata_text("oddity", "2.0")
    beside = FakeFile("oddity", "oddity-2.0-py3-none-any.whl", make_wheel("oddity", "2.0"), "2.0", metadata)
    for file in (egg, nonsense, beside):
        upstream.add(file)
