r"""Node-local tables: never in the changelog, never in the digest.

In the environment of a data directory they share database ``local``:

====================  ====================================================
key                   name of the table, ``\x00``, then the key
value                 the value, sealed with a crc32 as in storage/state.py
====================  ====================================================

LocalTables is an environment of its own, with one named database per table and sealed values, for
what may be deleted at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import lmdb

from storage.durable import sync_folder
from storage.environment import Durability, open_lmdb, storage_error_of
from storage.errors import StateCorrupt
from storage.state import scan, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from storage.environment import Environment
    from storage.ledger import Ledger

LOCAL_MAP_BYTES = 8 << 30
_CLEAN_MARK = "CLEAN"


def local_key(table: str, key: bytes) -> bytes:
    """Return the key of a record in database ``local``."""
    return table.encode() + b"\x00" + key


def get_local(environment: Environment, table: str, key: bytes) -> bytes | None:
    """Return a record of the main environment.

    Raises:
        StateCorrupt: It fails its checksum.

    """
    full = local_key(table, key)
    with environment.begin_read() as txn:
        stored = txn.get(full, db=environment.local_db)
    return None if stored is None else unseal(full, stored)


def scan_local(environment: Environment, table: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
    """Return the records of a table of the main environment whose keys have a prefix, in key order.

    Raises:
        StateCorrupt: One fails its checksum.

    """
    skipped = len(local_key(table, b""))
    with environment.begin_read() as txn:
        pairs = scan(txn, environment.local_db, local_key(table, prefix))
        return [(key[skipped:], value) for key, value in pairs]


def change_local(ledger: Ledger, table: str, puts: Mapping[bytes, bytes], deletes: Iterable[bytes]) -> None:
    """Write and remove records of the main environment in one transaction; on the writer thread."""
    environment = ledger.environment
    with environment.begin_write() as txn:
        for key, value in puts.items():
            full = local_key(table, key)
            txn.put(full, seal(full, value), db=environment.local_db)
        for key in deletes:
            txn.delete(local_key(table, key), db=environment.local_db)
        ledger.commit(txn)


class LocalTables:
    """Tables in an environment of their own, for caches. Safe on any thread; writes block on the disk."""

    def __init__(self, path: Path, env: lmdb.Environment, names: Sequence[str], *, is_durable: bool) -> None:
        self.path = path
        self._env = env
        self._is_durable = is_durable
        self._databases = {name: env.open_db(name.encode()) for name in names}

    @classmethod
    def open(
        cls,
        path: Path,
        names: Sequence[str] = ("pages", "links"),
        *,
        map_bytes: int = LOCAL_MAP_BYTES,
        is_durable: bool = True,
    ) -> Self:
        """Open the tables, making them if they are not there.

        Without ``is_durable`` writes cost no sync; in return the tables start empty after a crash.

        Raises:
            EnvironmentBroken: LMDB cannot open them.
            OSError: The disk is full or failed.

        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = path / _CLEAN_MARK
        if not is_durable and not mark.exists():
            # What was written without sync may be torn after a power cut, and torn pages crash LMDB.
            for name in ("data.mdb", "lock.mdb"):
                (path / name).unlink(missing_ok=True)
        mark.unlink(missing_ok=True)
        durability = Durability.FULL if is_durable else Durability.NONE
        env = open_lmdb(path, map_bytes=map_bytes, durability=durability)
        tables = cls(path, env, names, is_durable=is_durable)
        sync_folder(path)
        return tables

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the value of a key; a damaged one counts as absent, since it can be had again."""
        with self._env.begin(db=self._databases[table]) as txn:
            stored = txn.get(key)
        try:
            return None if stored is None else unseal(key, stored)
        except StateCorrupt:
            return None

    def scan(self, table: str, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Iterate over pairs whose keys have a prefix, in key order; exhaust it at once.

        Raises:
            StateCorrupt: A value fails its checksum.

        """
        with self._env.begin() as txn:
            yield from scan(txn, self._databases[table], prefix)

    def put_many(self, table: str, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Write pairs in one transaction.

        Raises:
            StorageFull: The map or the disk is full; nothing was written.
            EnvironmentBroken: LMDB failed; the tables should be deleted.

        """
        self._write(table, puts=items)

    def delete(self, table: str, *keys: bytes) -> None:
        """Remove keys, in one transaction, if they are there.

        Raises:
            StorageFull: The map or the disk is full; nothing was written.
            EnvironmentBroken: LMDB failed; the tables should be deleted.

        """
        self._write(table, deletes=keys)

    def drop_prefix(self, table: str, prefix: bytes) -> int:
        """Remove all keys with a prefix, in one transaction, and return how many there were.

        Raises:
            StorageFull: The map or the disk is full; nothing was written.
            EnvironmentBroken: LMDB failed; the tables should be deleted.

        """
        with self._env.begin() as txn, txn.cursor(db=self._databases[table]) as cursor:
            keys: list[bytes] = []
            if cursor.set_range(prefix) if prefix else cursor.first():
                for key in cursor.iternext(keys=True, values=False):
                    if not key.startswith(prefix):
                        break
                    keys.append(key)
        self._write(table, deletes=keys)
        return len(keys)

    def close(self) -> None:
        """Close the environment; what was written without sync is synced now."""
        if not self._is_durable:
            self._env.sync(force=True)
            (self.path / _CLEAN_MARK).touch(mode=0o600)
        self._env.close()

    def _write(
        self, table: str, *, puts: Iterable[tuple[bytes, bytes]] = (), deletes: Iterable[bytes] = ()
    ) -> None:
        try:
            with self._env.begin(db=self._databases[table], write=True) as txn:
                for key, value in puts:
                    txn.put(key, seal(key, value))
                for key in deletes:
                    txn.delete(key)
        except lmdb.Error as error:
            raise storage_error_of(error) from error
