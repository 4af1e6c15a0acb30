"""The only place that opens the LMDB environment of a data directory.

========================  =============================================================
path                      holds
========================  =============================================================
``LOCK``                  flock of the one process at work here (``lock.py``)
``db/``                   LMDB, format 0.9: named databases log, state, meta, local
========================  =============================================================
"""

from __future__ import annotations

import os
from enum import Enum
from typing import TYPE_CHECKING

import lmdb

from storage.durable import sync_folder
from storage.errors import (
    EXIT_COMMIT_FAILED,
    EXIT_DATA_BROKEN,
    AlreadyADataDirectory,
    EnvironmentBroken,
    FormatTooNew,
    NotADataDirectory,
    StorageError,
    StorageFull,
    StoreClosed,
)
from storage.meta import FORMAT_VERSION, META_KEY, Meta, decode_meta, encode_meta, format_of

if TYPE_CHECKING:
    from pathlib import Path

MAP_BYTES_DEFAULT = 64 << 30  # address space, not disk
DATABASES_MAX = 32
READERS_MAX = 512
LMDB_MAJOR_MIN = 3
RESERVE_BYTES = 8 << 20
RESERVE_FACTOR = 4
"""A transaction begins only with so much left on the disk, and so many times what it brings. LMDB reports a commit
that finds the disk full half-way as EIO, which cannot be told from a broken disk and therefore ends the process."""
_LIB_VERSION = 0  # LMDB 0.9; an environment variable must never choose the format
_FULL_ERRORS = (lmdb.MapFullError, lmdb.DiskError)
_DATA_ERRORS = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.BadTxnError,
    lmdb.InvalidError,
    lmdb.VersionMismatchError,
)


class Durability(Enum):
    """What a commit has on the disk when it returns."""

    FULL = "full"  # everything
    LATER = "later"  # all but the page that makes it count: until Environment.sync(), a power cut undoes it
    NONE = "none"  # nothing: a power cut may leave anything


def open_lmdb(
    path: Path,
    *,
    map_bytes: int,
    durability: Durability = Durability.FULL,
    is_readonly: bool = False,
) -> lmdb.Environment:
    """Open an LMDB environment with the one set of settings we use.

    ``is_readonly`` is for private copies, which nobody else has open: it takes no lock.

    Raises:
        EnvironmentBroken: LMDB cannot open it, or is too old to be trusted.

    """
    if int(lmdb.__version__.split(".")[0]) < LMDB_MAJOR_MIN:
        raise EnvironmentBroken(detail=f"lmdb {lmdb.__version__} is older than {LMDB_MAJOR_MIN}")
    try:
        env = lmdb.open(
            str(path),
            map_size=map_bytes,
            max_dbs=DATABASES_MAX,
            max_readers=READERS_MAX,
            mode=0o700,
            sync=durability is not Durability.NONE,
            metasync=durability is Durability.FULL,
            writemap=False,
            map_async=False,
            meminit=True,
            lock=not is_readonly,
            readonly=is_readonly,
            readahead=True,
            max_spare_txns=1,
            subdir=True,
            lib_version=_LIB_VERSION,
        )
    except lmdb.Error as error:
        raise EnvironmentBroken(detail=f"{path}: {error}", exit_code=EXIT_DATA_BROKEN) from error
    if env.lib_version()[0] != _LIB_VERSION:
        env.close()
        raise EnvironmentBroken(detail=f"{path}: not in the format of LMDB 0.9", exit_code=EXIT_DATA_BROKEN)
    return env


def storage_error_of(error: Exception) -> StorageError:
    """Return what an LMDB or OS error in a write means (reliability: full is survivable, the rest is not)."""
    if isinstance(error, StorageError):
        return error
    if isinstance(error, _FULL_ERRORS) or (isinstance(error, OSError) and error.errno in _FULL_NUMBERS):
        return StorageFull(detail=str(error))
    exit_code = EXIT_DATA_BROKEN if isinstance(error, _DATA_ERRORS) else EXIT_COMMIT_FAILED
    return EnvironmentBroken(detail=f"{type(error).__name__}: {error}", exit_code=exit_code)


_FULL_NUMBERS = {28, 122}  # ENOSPC, EDQUOT


class Environment:
    """An open LMDB environment with its named databases. Not usable in a forked child."""

    __slots__ = (
        "_lock",
        "_meta_read",
        "_pid",
        "durability",
        "lmdb",
        "local_db",
        "log_db",
        "map_bytes",
        "meta_db",
        "path",
        "state_db",
    )

    def __init__(
        self,
        path: Path,
        *,
        map_bytes: int,
        lock: int | None,
        durability: Durability = Durability.FULL,
        is_readonly: bool = False,
    ) -> None:
        """Open the environment in the folder ``path``; ``lock`` is closed with it.

        Raises:
            EnvironmentBroken: LMDB cannot open it.

        """
        self.path = path
        self.map_bytes = map_bytes
        self.durability = durability
        self.lmdb = open_lmdb(path, map_bytes=map_bytes, durability=durability, is_readonly=is_readonly)
        txn = None if is_readonly else self.lmdb.begin(write=True)
        self.log_db, self.state_db, self.meta_db, self.local_db = (
            self.lmdb.open_db(name, txn=txn, create=not is_readonly)
            for name in (b"log", b"state", b"meta", b"local")
        )
        if txn is not None:
            txn.commit()
        self._lock = lock
        self._pid = os.getpid()
        self._meta_read: tuple[bytes, Meta] | None = None

    def begin_read(self) -> lmdb.Transaction[bytes]:
        """Begin a read transaction on the state.

        Raises:
            StoreClosed: The environment was closed, or this is a forked child.
            EnvironmentBroken: LMDB refused, for instance because all reader slots are taken.

        """
        if os.getpid() != self._pid:
            raise StoreClosed
        try:
            return self.lmdb.begin(db=self.state_db)
        except lmdb.ReadersFullError:
            self.lmdb.reader_check()
            return self.lmdb.begin(db=self.state_db)
        except lmdb.Error as error:
            if "closed" in str(error):
                raise StoreClosed from None
            raise storage_error_of(error) from error

    def has_room(self, brings_bytes: int = 0) -> bool:
        """Tell whether the disk has room for a transaction that brings so much."""
        disk = os.statvfs(self.path)
        if not disk.f_blocks:  # a file system without a size
            return True
        return disk.f_bavail * disk.f_frsize >= RESERVE_BYTES + RESERVE_FACTOR * brings_bytes

    def begin_write(self, *, brings_bytes: int = 0) -> lmdb.Transaction[bytes]:
        """Begin the write transaction; only the writer thread may.

        Raises:
            StoreClosed: This is a forked child.
            StorageFull: The disk has too little room for what the transaction brings.

        """
        if os.getpid() != self._pid:
            raise StoreClosed
        if not self.has_room(brings_bytes):
            raise StorageFull(detail="the disk has too little room for a transaction")
        return self.lmdb.begin(db=self.state_db, write=True)

    def sync(self) -> None:
        """Make every commit durable that is not yet.

        Raises:
            lmdb.Error: The disk failed.

        """
        if self.durability is Durability.LATER:
            self.lmdb.sync(True)

    def read_meta(self) -> Meta:
        """Return the newest committed position record.

        Raises:
            NotADataDirectory: There is none.
            FormatTooNew: A later version wrote it.
            StateCorrupt: It fails its checksum.

        """
        with self.begin_read() as txn:
            stored = txn.get(META_KEY, db=self.meta_db)
        if stored is None:
            raise NotADataDirectory(path=self.path.parent)
        version = format_of(stored)
        if version > FORMAT_VERSION:
            raise FormatTooNew(path=self.path.parent, found=version, supported=FORMAT_VERSION)
        return decode_meta(stored)

    def meta_of(self, stored: bytes | None) -> Meta:
        """Decode a stored position record, remembering the last one: views ask for it often.

        Raises:
            NotADataDirectory: There is none.
            StateCorrupt: It fails its checksum.

        """
        if stored is None:
            raise NotADataDirectory(path=self.path.parent)
        remembered = self._meta_read
        if remembered is not None and remembered[0] == stored:
            return remembered[1]
        meta = decode_meta(stored)
        self._meta_read = (stored, meta)
        return meta

    def create_meta(self, meta: Meta) -> None:
        """Write the first position record, which makes this a data directory, and make all names durable.

        Raises:
            AlreadyADataDirectory: There is one.

        """
        with self.begin_write() as txn:
            if not txn.put(META_KEY, encode_meta(meta), db=self.meta_db, overwrite=False):
                raise AlreadyADataDirectory(path=self.path.parent)
        # LMDB does not sync the folders it creates files in; without this a power cut loses the database.
        sync_folder(self.path)
        sync_folder(self.path.parent)
        sync_folder(self.path.parent.parent)

    def close(self) -> None:
        """Close the environment, then let go of the directory."""
        self.lmdb.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
