from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from storage.environment import RESERVE_BYTES
from tests.cluster.conftest import OPTIONS, make_index, upload_wheel
from tests.helpers.blobs import no_half_written_blobs
from tests.helpers.load import UploadLoad, assert_all_there
from tests.helpers.nodes import login, running_cluster
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DISK_BYTES = 32 << 20
LEFT_BYTES = (0, 4096, 8192, 16384, 65536, 262144, 1 << 20, RESERVE_BYTES, RESERVE_BYTES + 65536)
"""What is left on the disk when an upload comes: it then ends in another step each time."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory, small enough to be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command = [*prefix, "mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0777", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run([*prefix, "umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, *, left_bytes: int) -> None:
    """Fill the disk with a ballast file, all but so many bytes."""
    ballast = folder / "ballast"
    for _ in range(100):
        ballast.unlink(missing_ok=True)
        free = os.statvfs(folder)
        with ballast.open("wb") as file, suppress(OSError):  # the node takes some of it meanwhile
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - left_bytes)
            return
    raise AssertionError("the disk cannot be filled")


def on_disk(link: Path, disk: Path) -> None:
    """Have a node's directory on the disk, and its log elsewhere."""
    (disk / link.name).mkdir()
    link.symlink_to(disk / link.name)


async def test_full_disk_of_the_primary_refuses_writes_and_nothing_else(
    tmp_path: Path, small_disk: Path
) -> None:
    """A full disk costs writes alone, 507 each, and they work again as soon as there is room.

    The primary's directory is on a small disk of which less and less is left, so that uploads, small and large, fail
    in every step: while they stream in, when they are made durable, when the entry is written. Nothing is restarted.
    """
    on_disk(tmp_path / "primary", small_disk)
    with running_cluster(tmp_path, replicas=1, options=OPTIONS) as cluster:
        token, url = login(cluster.primary.url), cluster.primary.url
        make_index(cluster.primary, "dev", token)
        async with UploadLoad([url], token=token) as load:
            await load.wait_for_more(20)
        answers = {}
        for left_bytes in LEFT_BYTES:
            for payload_bytes in (0, 100_000):
                fill(small_disk, left_bytes=left_bytes)
                project = f"full{left_bytes}x{payload_bytes}"
                answer = await upload_wheel(url, token, project, "1.0", payload_bytes=payload_bytes)
                answers[project] = answer.status
                await assert_all_there(url, load.acknowledged)

        assert set(answers.values()) <= {200, 507}
        assert answers["full0x0"] == answers["full0x100000"] == 507
        (small_disk / "ballast").unlink()
        for left_bytes in LEFT_BYTES:
            for payload_bytes in (0, 100_000):
                project = f"full{left_bytes}x{payload_bytes}"
                answer = await upload_wheel(url, token, project, "1.0", payload_bytes=payload_bytes)
                assert answer.status == 200
        await no_half_written_blobs(cluster.primary.data / "blobs")
        await asyncio.to_thread(cluster.check)


async def test_replica_with_a_full_disk_serves_on_and_catches_up_when_there_is_room(
    tmp_path: Path, small_disk: Path
) -> None:
    """A replica whose disk is full stays up with what it has, says why, and goes on where it stopped.

    Its directory is on a disk without any room while clients upload to the primary.
    """
    on_disk(tmp_path / "replica0", small_disk)
    with running_cluster(tmp_path, replicas=1, options=OPTIONS) as cluster:
        replica = cluster.replicas[0]
        token = login(cluster.primary.url)
        make_index(cluster.primary, "dev", token)
        async with UploadLoad([cluster.primary.url], token=token) as load:
            await load.wait_for_more(20)
            before = list(load.acknowledged)
            await asyncio.to_thread(replica.wait_until_at, cluster.primary.status()["serial"])
            fill(small_disk, left_bytes=0)
            await load.wait_for_more(40)
            await eventually(lambda: replica.status()["last_error"], what=lambda: str(replica.status()))
            await assert_all_there(replica.url, before)

        (small_disk / "ballast").unlink()

        await asyncio.to_thread(cluster.wait_until_equal)
        await assert_all_there(replica.url, load.acknowledged)
        await asyncio.to_thread(cluster.check)
