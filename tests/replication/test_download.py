from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from replication.download import SnapshotDownload
from replication.errors import FrameCorrupt
from replication.frames import SnapshotFrame
from storage.position import GENESIS

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"the whole state"


def download_to(path: Path, *, digest: bytes | None = None) -> SnapshotDownload:
    digest = sha256(CONTENT).digest() if digest is None else digest
    return SnapshotDownload(SnapshotFrame(len(CONTENT), digest, GENESIS, "empty"), path)


async def test_chunks_add_up_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "incoming"
    download = download_to(path)

    await download.add(CONTENT[:4])
    assert not download.is_complete
    await download.add(CONTENT[4:])

    assert download.is_complete
    assert path.read_bytes() == CONTENT


async def test_older_attempt_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "incoming"
    path.write_bytes(b"x" * 1000)
    download = download_to(path)

    await download.add(CONTENT)

    assert path.read_bytes() == CONTENT


async def test_other_bytes_than_announced_are_refused(tmp_path: Path) -> None:
    download = download_to(tmp_path / "incoming", digest=bytes(32))

    with pytest.raises(FrameCorrupt, match="announced SHA-256"):
        await download.add(CONTENT)


async def test_more_bytes_than_announced_are_refused(tmp_path: Path) -> None:
    download = download_to(tmp_path / "incoming")

    with pytest.raises(FrameCorrupt, match="larger than announced"):
        await download.add(CONTENT + b"!")
    download.close()
