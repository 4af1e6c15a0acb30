"""Parcels on a disk that is full, or fails."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NoReturn

import pytest

from storage.check import check
from storage.errors import EnvironmentBroken, StorageFull
from storage.store import Store
from tests.helpers.waiting import eventually
from tests.storage.operations import CARRIED, add_inline, carry, files, reference

if TYPE_CHECKING:
    from pathlib import Path

    from storage.errors import StorageError

BLOB = reference(CARRIED)


def no_space(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "no space")


class TestFullDisk:
    def test_transaction_is_not_begun_without_room(
        self, primary: Store, fatal: list[StorageError], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """LMDB would report a write that a full disk cut short like a failing disk."""
        monkeypatch.setattr("storage.environment.RESERVE_BYTES", 1 << 60)
        error = primary.submit(add_inline(b"key", CARRIED)).exception()
        monkeypatch.undo()

        carry(primary)

        assert isinstance(error, StorageFull)
        assert (primary.position.serial, fatal) == (1, [])

    async def test_parcels_wait_for_room(self, primary: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("storage.parcels.RETRY_SECONDS", 0.001)
        attempts: list[object] = []

        def fail(*data: object) -> NoReturn:
            attempts.append(data)
            no_space()

        with monkeypatch.context() as full:
            full.setattr("storage.blobs.write_fully", fail)
            carry(primary)
            await eventually(lambda: len(attempts) > 1, what=lambda: f"{len(attempts)} attempts")
            content = primary.blobs.read(BLOB.sha256)

        await eventually(lambda: files(primary), what="a file, once there is room")
        assert content == CARRIED

    @pytest.mark.usefixtures("unhurried")
    def test_memory_is_bounded(self, primary: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("storage.parcels.HELD_BYTES_MAX", len(CARRIED))
        carry(primary)
        with monkeypatch.context() as full:
            full.setattr("storage.blobs.write_fully", no_space)
            error = primary.submit(add_inline(b"more", b"more content")).exception()

        carry(primary, b"more content", key=b"more")

        assert isinstance(error, StorageFull)
        assert files(primary) == {reference(b"more content").sha256}

    def test_directory_opens_for_reading(self, killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as full:
            full.setattr("storage.blobs.write_fully", no_space)
            store = Store.open(killed)
            content, found = store.blobs.read(BLOB.sha256), files(store)
            store.close()

        assert (content, found) == (CARRIED, set())
        assert check(killed).is_clean


def test_failing_disk_ends_the_process(
    primary: Store, fatal: list[StorageError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: object) -> NoReturn:
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr("storage.blobs.sync_folder", fail)
    carry(primary)
    primary.close()

    (error,) = fatal
    assert isinstance(error, EnvironmentBroken)
    assert primary.position.serial == 1
