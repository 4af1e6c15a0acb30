"""The append-only changelog.

LMDB named database ``log``:

=============  ====================================================================
key, 8 bytes   big-endian serial, so LMDB's key order is serial order
value          the encoded entry of storage/entry.py; its last 32 bytes are its chain
=============  ====================================================================

Entries from the floor to the head are present without a gap.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from storage.entry import position_of
from storage.errors import EnvironmentBroken, SerialPruned

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

    from storage.environment import Environment
    from storage.meta import Meta
    from storage.position import Position, Serial

_KEY = struct.Struct(">Q")
log_key = _KEY.pack


def append(txn: lmdb.Transaction[bytes], environment: Environment, serial: Serial, encoded: bytes) -> None:
    """Add the entry that follows the head; the caller owns ``txn`` and changes the state in it too.

    Raises:
        EnvironmentBroken: An entry with that or a higher serial is there already.

    """
    # LMDB answers an out-of-order append with False, not with an exception.
    if not txn.put(log_key(serial), encoded, append=True, db=environment.log_db):
        raise EnvironmentBroken(detail=f"entry {serial} is not above the last one in the log")


def iterate(
    txn: lmdb.Transaction[bytes], environment: Environment, *, after: int
) -> Iterator[tuple[int, bytes]]:
    """Iterate over serial and encoded entry above a serial, in order."""
    with txn.cursor(db=environment.log_db) as cursor:
        if cursor.set_range(log_key(after + 1)):
            for key, encoded in cursor.iternext():
                yield _KEY.unpack(key)[0], encoded


def entries_after(
    environment: Environment, meta: Meta, serial: Serial, *, max_entries: int, max_bytes: int
) -> list[bytes]:
    """Return encoded entries above a serial: at least one if there is one, then within both limits.

    Raises:
        SerialPruned: The entry after ``serial`` is no longer kept.

    """
    if serial + 1 < meta.floor:
        raise SerialPruned(serial=serial, floor=meta.floor)
    entries: list[bytes] = []
    size_bytes = 0
    with environment.begin_read() as txn:
        for found, encoded in iterate(txn, environment, after=serial):
            if found != serial + 1 + len(entries):
                # Pruned between reading ``meta`` and this transaction.
                raise SerialPruned(serial=serial, floor=found)
            size_bytes += len(encoded)
            if entries and (len(entries) >= max_entries or size_bytes > max_bytes):
                break
            entries.append(encoded)
    return entries


def position_at(environment: Environment, meta: Meta, serial: Serial) -> Position | None:
    """Return the position at a serial, None when it is ahead of the head or pruned."""
    if serial == meta.base.serial:
        return meta.base
    with environment.begin_read() as txn:
        encoded = txn.get(log_key(serial), db=environment.log_db)
    return None if encoded is None else position_of(encoded)
