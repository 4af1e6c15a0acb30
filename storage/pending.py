r"""Blobs that the state needs and that are not here yet; node-local, in database ``local``.

===========================  ==========================================
key                          ``pending\x00``, then the SHA-256
value                        msgpack [size in bytes], sealed with a crc32
===========================  ==========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgpack

from storage.entry import BlobRef, Put
from storage.references import is_blob_key, reference_of
from storage.state import scan, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import lmdb

    from storage.blobs import BlobStore
    from storage.entry import Change
    from storage.environment import Environment

PENDING_PREFIX = b"pending\x00"


@dataclass(frozen=True, slots=True)
class PendingTotals:
    """How much is missing."""

    count: int = 0
    size_bytes: int = 0


class PendingTable:
    """The pending blobs as one write transaction sees them; keeps the totals right as it goes."""

    def __init__(
        self, txn: lmdb.Transaction[bytes], environment: Environment, blobs: BlobStore, totals: PendingTotals
    ) -> None:
        self._txn = txn
        self._database = environment.local_db
        self._blobs = blobs
        self._count = totals.count
        self._size_bytes = totals.size_bytes

    @property
    def totals(self) -> PendingTotals:
        """The totals to publish once the transaction is committed."""
        return PendingTotals(self._count, self._size_bytes)

    def follow(self, changes: Iterable[Change]) -> None:
        """Note what applied changes make needed, or no longer needed.

        Raises:
            StateCorrupt: A pending record fails its checksum.

        """
        for change in changes:
            if not is_blob_key(change.key):
                continue
            if isinstance(change, Put):
                self.require(reference_of(change.key, change.value))
            else:
                self.remove(change.key[-32:])

    def require(self, blob: BlobRef) -> None:
        """Note that a blob is needed: it becomes pending unless it is here.

        Raises:
            StateCorrupt: The record fails its checksum.

        """
        if self._blobs.has(blob.sha256):
            self.remove(blob.sha256)
            return
        key = PENDING_PREFIX + blob.sha256
        value = seal(key, msgpack.packb((blob.size_bytes,)))
        if self._txn.put(key, value, overwrite=False, db=self._database):
            self._count += 1
            self._size_bytes += blob.size_bytes

    def remove(self, sha256: bytes) -> None:
        """Note that a blob is here, or no longer needed.

        Raises:
            StateCorrupt: The record fails its checksum.

        """
        if not self._count:
            return
        key = PENDING_PREFIX + sha256
        stored = self._txn.pop(key, db=self._database)
        if stored is not None:
            self._count -= 1
            self._size_bytes -= msgpack.unpackb(unseal(key, stored))[0]

    def clear(self) -> None:
        """Forget all records.

        Raises:
            StateCorrupt: A record fails its checksum.

        """
        for blob in list(iterate_pending(self._txn, self._database)):
            self.remove(blob.sha256)


def iterate_pending(txn: lmdb.Transaction[bytes], database: lmdb._Database) -> Iterator[BlobRef]:
    """Iterate over pending blobs in the order of their SHA-256.

    Raises:
        StateCorrupt: A record fails its checksum.

    """
    for key, value in scan(txn, database, PENDING_PREFIX):
        yield BlobRef(key[len(PENDING_PREFIX) :], msgpack.unpackb(value)[0])


def read_totals(environment: Environment) -> PendingTotals:
    """Count the pending blobs.

    Raises:
        StateCorrupt: A record fails its checksum.

    """
    count = size_bytes = 0
    with environment.begin_read() as txn:
        for blob in iterate_pending(txn, environment.local_db):
            count += 1
            size_bytes += blob.size_bytes
    return PendingTotals(count, size_bytes)
