"""The position record: the one record of LMDB named database ``meta``.

Key ``meta``; value msgpack, sealed with a crc32 as in storage/state.py:

====  =====================================================================================
item  meaning
====  =====================================================================================
0     format version of the data directory, 1
1     cluster id, 16 bytes, or nil while an empty replica has not met its primary
2     epochs: list of [epoch, first serial, chain before that serial]
3     appended position: [epoch, serial, chain]
4     applied position, equal to the appended one in this version
5     digest of the state at the applied position
6     time_ms of the last entry
7     base: the position just below the floor, [epoch, serial, chain]
8     digest of the state at the base
====  =====================================================================================
"""

from dataclasses import dataclass, replace
from typing import Any

import msgpack

from storage.errors import StateCorrupt
from storage.position import GENESIS, Position, Serial
from storage.state import digest_bytes, seal, unseal

FORMAT_VERSION = 1
META_KEY = b"meta"


@dataclass(frozen=True, slots=True)
class EpochStart:
    """Where a primary's line of entries began."""

    epoch: int
    first_serial: Serial
    previous_chain: bytes  # 32 bytes


@dataclass(frozen=True, slots=True)
class Meta:
    """Everything about the changelog and the state that is not in them."""

    cluster_id: bytes | None
    epochs: tuple[EpochStart, ...] = ()
    appended: Position = GENESIS
    applied: Position = GENESIS
    digest: bytes = digest_bytes(0)
    time_ms: int = 0
    base: Position = GENESIS
    base_digest: bytes = digest_bytes(0)

    @property
    def floor(self) -> Serial:
        """Oldest serial still kept, or the next one when none is."""
        return Serial(self.base.serial + 1)

    @property
    def epoch(self) -> int:
        """Epoch that new entries get; 0 while an empty replica knows none."""
        return self.epochs[-1].epoch if self.epochs else 0

    def moved_to(self, position: Position, *, digest: bytes, time_ms: int) -> "Meta":
        """Return the record after entries up to ``position`` were appended and applied."""
        return replace(self, appended=position, applied=position, digest=digest, time_ms=time_ms)

    def with_cluster(self, cluster_id: bytes) -> "Meta":
        """Return the record of a directory that joined a cluster."""
        return replace(self, cluster_id=cluster_id)

    def with_epoch(self, epoch: int, *, first_serial: Serial, previous_chain: bytes) -> "Meta":
        """Return the record with one more epoch."""
        return replace(self, epochs=(*self.epochs, EpochStart(epoch, first_serial, previous_chain)))


def encode_meta(meta: Meta) -> bytes:
    """Return the record as it is stored."""
    body: bytes = msgpack.packb(
        (
            FORMAT_VERSION,
            meta.cluster_id,
            [epoch_to_wire(start) for start in meta.epochs],
            position_to_wire(meta.appended),
            position_to_wire(meta.applied),
            meta.digest,
            meta.time_ms,
            position_to_wire(meta.base),
            meta.base_digest,
        )
    )
    return seal(META_KEY, body)


def format_of(stored: bytes) -> int:
    """Return the format version of a stored record, which is all that may be read of a later one.

    Raises:
        StateCorrupt: The checksum or the shape is wrong.

    """
    version = _unpack(stored)[0]
    if not isinstance(version, int):
        raise StateCorrupt(key=META_KEY, detail="no format version")
    return version


def decode_meta(stored: bytes) -> Meta:
    """Decode and verify a stored record of FORMAT_VERSION.

    Raises:
        StateCorrupt: The checksum or the shape is wrong.

    """
    try:
        _, cluster_id, epochs, appended, applied, digest, time_ms, base, base_digest = _unpack(stored)
        return Meta(
            cluster_id=cluster_id,
            epochs=tuple(epoch_from_wire(start) for start in epochs),
            appended=position_from_wire(appended),
            applied=position_from_wire(applied),
            digest=digest,
            time_ms=time_ms,
            base=position_from_wire(base),
            base_digest=base_digest,
        )
    except (ValueError, TypeError) as error:
        raise StateCorrupt(key=META_KEY, detail="record is malformed") from error


def _unpack(stored: bytes) -> Any:
    try:
        return msgpack.unpackb(unseal(META_KEY, stored))
    except (ValueError, msgpack.UnpackException) as error:
        raise StateCorrupt(key=META_KEY, detail="record is malformed") from error


def position_to_wire(position: Position) -> tuple[int, int, bytes]:
    """Return a position as msgpack items."""
    return (position.epoch, position.serial, position.chain)


def position_from_wire(item: Any) -> Position:
    """Return the position of its msgpack items.

    Raises:
        ValueError: Not three items.

    """
    epoch, serial, chain = item
    return Position(epoch, Serial(serial), chain)


def epoch_to_wire(start: EpochStart) -> tuple[int, int, bytes]:
    """Return an epoch as msgpack items."""
    return (start.epoch, start.first_serial, start.previous_chain)


def epoch_from_wire(item: Any) -> EpochStart:
    """Return the epoch of its msgpack items.

    Raises:
        ValueError: Not three items.

    """
    epoch, first_serial, previous_chain = item
    return EpochStart(epoch, Serial(first_serial), previous_chain)
