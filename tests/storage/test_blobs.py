from __future__ import annotations

import errno
import os
import threading
from hashlib import blake2b, md5, sha256
from typing import TYPE_CHECKING, NoReturn

import pytest

from storage.blobs import BlobStore
from storage.errors import BlobCorrupt, BlobMissing
from tests.storage.operations import reference

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / "blobs")
    store.create()
    return store


def test_committed_blob_has_its_digest_as_name(blobs: BlobStore) -> None:
    with blobs.writer(with_upload_digests=True) as writer:
        writer.write(b"one ")
        writer.write(b"two")
        blob = writer.commit()

    assert blob == reference(b"one two")
    assert blobs.path(blob.sha256).read_bytes() == b"one two"
    assert (writer.md5, writer.blake2b) == (
        md5(b"one two").digest(),
        blake2b(b"one two", digest_size=32).digest(),
    )


def test_upload_digests_are_absent_when_not_asked_for(blobs: BlobStore) -> None:
    with blobs.writer() as writer:
        assert (writer.md5, writer.blake2b) == (None, None)


def test_uncommitted_blob_leaves_nothing(blobs: BlobStore) -> None:
    with blobs.writer() as writer:
        writer.write(b"never finished")

    assert blobs.temporaries() == []
    assert not blobs.has(sha256(b"never finished").digest())
    with pytest.raises(ValueError, match="finished"):
        writer.write(b"more")


def test_failed_sync_leaves_no_blob(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "no space")

    with blobs.writer() as writer:
        writer.write(b"bytes")
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="no space"):
            writer.commit()
    monkeypatch.undo()

    assert blobs.temporaries() == []
    assert not blobs.has(reference(b"bytes").sha256)


def test_blob_counts_as_present_only_when_its_name_is_durable(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = reference(b"bytes")
    seen: list[tuple[bool, bool]] = []
    sync_name = blobs.sync_name

    def look_then_sync(digest: bytes) -> None:
        seen.append((blobs.path(digest).exists(), blobs.has(digest)))
        sync_name(digest)

    monkeypatch.setattr(blobs, "sync_name", look_then_sync)
    with blobs.writer() as writer:
        writer.write(b"bytes")
        writer.commit()

    assert seen == [(True, False)]
    assert blobs.has(blob.sha256)


@pytest.mark.parametrize("count", [1, 2, 3, 100], ids=str)
def test_many_small_blobs_become_durable_together(blobs: BlobStore, count: int) -> None:
    contents = [f"blob {number}".encode() for number in range(count)]

    found = blobs.put_many(contents)

    assert found == [reference(content) for content in contents]
    assert [blobs.read(blob.sha256) for blob in found] == contents
    assert sorted(blobs.stored()) == sorted((blob.sha256, blob.size_bytes) for blob in found)
    assert blobs.temporaries() == []


def test_same_blob_written_by_many_threads_is_one_file(blobs: BlobStore) -> None:
    barrier = threading.Barrier(8)
    missing: list[int] = []

    def write(number: int) -> None:
        with blobs.writer() as writer:
            writer.write(b"same bytes")
            barrier.wait()
            blob = writer.commit()
        if not blobs.has(blob.sha256):
            missing.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert missing == []
    assert len(list(blobs.stored())) == 1
    assert blobs.temporaries() == []


def test_blob_of_wrong_size_is_replaced(blobs: BlobStore) -> None:
    (blob,) = blobs.put_many([b"whole content"])
    blobs.path(blob.sha256).write_bytes(b"who")

    blobs.put_many([b"whole content"])

    assert blobs.read(blob.sha256) == b"whole content"


def test_flipped_bit_is_found_on_read(blobs: BlobStore) -> None:
    (blob,) = blobs.put_many([b"content"])
    blobs.path(blob.sha256).write_bytes(b"cantent")

    with pytest.raises(BlobCorrupt):
        blobs.read(blob.sha256)


def test_deleted_blob_is_missing(blobs: BlobStore) -> None:
    (blob,) = blobs.put_many([b"content"])

    blobs.delete(blob.sha256)
    blobs.delete(blob.sha256)

    assert blobs.size_bytes(blob.sha256) is None
    with pytest.raises(BlobMissing):
        blobs.read(blob.sha256)


def test_recovery_removes_temporaries_and_makes_missing_folders(blobs: BlobStore) -> None:
    (blobs.root / ".tmp" / "left").write_bytes(b"behind")
    (blobs.root / "a7").rmdir()

    blobs.recover()

    assert blobs.temporaries() == []
    assert (blobs.root / "a7").is_dir()
    assert len(list(blobs.root.iterdir())) == 257
