"""Reading the state at one position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from storage.meta import META_KEY
from storage.state import scan, unseal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

    from storage.blobs import BlobStore
    from storage.environment import Environment
    from storage.position import Position


class View(Protocol):
    """The state at one position."""

    @property
    def position(self) -> Position:
        """Position of this state; an operation's entry gets the serial after it."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key.

        Raises:
            StateCorrupt: The stored value fails its checksum.

        """

    def scan(self, prefix: bytes, *, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over keys with a prefix, and greater than ``after``, in key order.

        Raises:
            StateCorrupt: A stored value fails its checksum.

        """

    def read_blob(self, sha256: bytes) -> bytes:
        """Return the verified bytes of a blob.

        Raises:
            BlobMissing: No such file here, at least not yet.
            BlobCorrupt: The bytes are not those of that name.

        """


class StateView:
    """One short read transaction, used as a context manager, on any thread.

    A transaction that stays open keeps LMDB from reusing pages: never hold one across an
    await, and finish every scan inside it.
    """

    __slots__ = ("_blobs", "_environment", "_get", "_position", "_txn")

    _txn: lmdb.Transaction[bytes]

    def __init__(self, environment: Environment, blobs: BlobStore) -> None:
        self._environment = environment
        self._blobs = blobs
        self._position: Position | None = None

    def __enter__(self) -> Self:
        self._txn = txn = self._environment.begin_read()
        self._get = txn.get
        return self

    def __exit__(self, *_: object) -> None:
        self._txn.abort()

    @property
    def position(self) -> Position:
        """Position of this state, read in the same transaction."""
        if self._position is None:
            environment = self._environment
            stored = self._txn.get(META_KEY, db=environment.meta_db)
            self._position = environment.meta_of(stored).applied
        return self._position

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; see View.get."""
        stored = self._get(key)
        return None if stored is None else unseal(key, stored)

    def scan(self, prefix: bytes, *, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over keys with a prefix; see View.scan."""
        return scan(self._txn, self._environment.state_db, prefix, after=after)

    def read_blob(self, sha256: bytes) -> bytes:
        """Return the verified bytes of a blob; see View.read_blob."""
        return self._blobs.read(sha256)
