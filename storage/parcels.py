r"""Small contents that become durable in the transaction of their entries, and get their files after it.

A file costs two syncs before its entry may be committed. A parcel costs none: its record, in database ``local``, is
part of the one sync that makes the entry durable. What waits for the entry goes on, then the file is made.

===========================  ==========================================
key                          ``parcel\x00``, then the SHA-256
value                        the content, sealed with a crc32
===========================  ==========================================

A parcel is *held*, in memory too, until its content has a durable file; after that only its record is left, which
the next write transaction removes. Contents that are many or large get their files first, as they would be written twice.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import lmdb

from storage.blobs import verify_content
from storage.environment import storage_error_of
from storage.errors import BlobCorrupt, StateCorrupt, StorageFull
from storage.failpoints import failpoint
from storage.state import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from storage.blobs import BlobStore
    from storage.environment import Environment

PARCEL_PREFIX = b"parcel\x00"

CARRIED_ENTRIES_MAX = 8
CARRIED_BYTES_MAX = 256 << 10
"""A transaction of so many entries, with so many bytes of contents, is at the head; larger ones catch up."""

HELD_BYTES_MAX = 8 << 20
"""So much is held in memory at most; reached only when files cannot be made, because the disk is full."""

CROWDED_PARCELS = 256
CROWDED_BYTES = 4 << 20
"""So many parcels are unpacked even while work waits, which then waits for some tens of milliseconds."""

UNPACK_AFTER_SECONDS = 0.02
REMOVE_AFTER_SECONDS = 1.0
"""How long the writer must have had nothing to do."""

RETRY_SECONDS = 1.0
"""Pause after an attempt that found the disk full."""


class Parcels:
    """The parcels of one data directory. Used by the writer thread, and by open before there is one."""

    def __init__(self, environment: Environment, blobs: BlobStore) -> None:
        self._environment = environment
        self._blobs = blobs
        self._held: set[bytes] = set()
        self._held_bytes = 0
        self._unpacked: set[bytes] = set()  # have files; their records are still there
        self._is_stuck = False

    @contextmanager
    def carrying(self, contents: Mapping[bytes, bytes], *, entries: int) -> Iterator[Mapping[bytes, bytes]]:
        """Make contents durable, before the caller's transaction or with it: then it must put what this yields.

        They count as present from here on; whoever rests on them is written by a later transaction.

        Raises:
            OSError: Files could not be made durable.

        """
        missing = {
            digest: content
            for digest, content in contents.items()
            if self._blobs.size_bytes(digest) != len(content)
        }
        size_bytes = sum(map(len, missing.values()))
        if (
            entries > CARRIED_ENTRIES_MAX
            or size_bytes > CARRIED_BYTES_MAX
            or self._held_bytes + size_bytes > HELD_BYTES_MAX
        ):
            self._blobs.put_hashed(missing)
            yield {}
            return
        self._unpacked.difference_update(missing)
        self._blobs.hold(missing)
        try:
            yield missing
        except BaseException:
            self._blobs.let_go(missing)
            raise
        self._held.update(missing)
        self._held_bytes += size_bytes

    def put(self, txn: lmdb.Transaction[bytes], contents: Mapping[bytes, bytes]) -> None:
        """Write the records of what carrying() yielded."""
        for digest, content in contents.items():
            key = PARCEL_PREFIX + digest
            txn.put(key, seal(key, content), db=self._environment.local_db)

    def recover(self) -> None:
        """Unpack what a killed process left. With a full disk it stays held, and the store can be read.

        Raises:
            StateCorrupt: A parcel fails its checksum.
            StorageError: The disk failed.

        """
        with self._environment.begin_read() as txn:
            found = dict(iterate_parcels(txn, self._environment.local_db))
        if not found:
            return
        contents = {digest: content for digest, content in found.items() if content is not None}
        for digest in found.keys() - contents.keys():
            raise StateCorrupt(key=PARCEL_PREFIX + digest)
        self._blobs.hold(contents)
        self._held.update(contents)
        self._held_bytes = sum(map(len, contents.values()))
        try:
            self.unpack()
            if not self._environment.has_room():
                return
            with self._environment.begin_write() as txn:
                self.remove_unpacked(txn)
        except (OSError, lmdb.Error) as caught:
            error = storage_error_of(caught)
            if not isinstance(error, StorageFull):
                raise error from caught
        else:
            self._unpacked.clear()

    @property
    def patience_seconds(self) -> float:
        """How long the writer may wait for work before it looks after parcels."""
        if self._is_stuck:
            return RETRY_SECONDS
        if self._held:
            return UNPACK_AFTER_SECONDS
        return REMOVE_AFTER_SECONDS if self._unpacked else float("inf")

    @property
    def is_crowded(self) -> bool:
        """Whether so much is held that the files come first."""
        return len(self._held) >= CROWDED_PARCELS or self._held_bytes >= CROWDED_BYTES

    @property
    def has_held(self) -> bool:
        """Whether any parcel has no file yet."""
        return bool(self._held)

    @property
    def has_unpacked(self) -> bool:
        """Whether records are left of parcels that have files."""
        return bool(self._unpacked)

    def unpack(self) -> None:
        """Make files of what is held.

        Raises:
            OSError: The disk is full or failed; everything is still held.

        """
        failpoint("parcels.unpack")
        self._is_stuck = True
        held = ((digest, self._blobs.held(digest)) for digest in self._held)
        self._blobs.put_hashed({digest: content for digest, content in held if content is not None})
        self._is_stuck = False
        self._blobs.let_go(self._held)
        self._unpacked |= self._held
        self._held.clear()
        self._held_bytes = 0

    def remove_unpacked(self, txn: lmdb.Transaction[bytes]) -> None:
        """Remove the records of parcels that have files; call forget_unpacked() after the commit."""
        if self._unpacked:
            failpoint("parcels.remove")
        for digest in self._unpacked:
            txn.delete(PARCEL_PREFIX + digest, db=self._environment.local_db)

    def forget_unpacked(self) -> None:
        """Note that remove_unpacked() is committed."""
        self._unpacked.clear()


def iterate_parcels(
    txn: lmdb.Transaction[bytes], database: lmdb._Database
) -> Iterator[tuple[bytes, bytes | None]]:
    """Iterate over SHA-256 and content of all parcels; None stands for a damaged one."""
    with txn.cursor(db=database) as cursor:
        if not cursor.set_range(PARCEL_PREFIX):
            return
        for key, stored in cursor.iternext():
            if not key.startswith(PARCEL_PREFIX):
                return
            digest = key[len(PARCEL_PREFIX) :]
            try:
                content = unseal(key, stored)
                verify_content(digest, content)
            except (StateCorrupt, BlobCorrupt):
                yield digest, None
            else:
                yield digest, content
