"""The complete state at one position, as one file, format version 1.

All integers are big-endian.

==============  ============================================================================
part            holds
==============  ============================================================================
magic           ``WYS1``
header length   4 bytes
header          msgpack [format, cluster id, epochs, position, digest, time_ms, pairs]
pairs           2 bytes key length, 4 bytes value length, key, value; keys strictly ascending
trailer         SHA-256 over everything before it, 32 bytes
==============  ============================================================================

The file is logical: it depends neither on LMDB's version nor on the machine.
"""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

import lmdb
import msgpack

from storage.durable import replacing
from storage.environment import Environment, storage_error_of
from storage.errors import SnapshotCorrupt
from storage.failpoints import failpoint
from storage.meta import epoch_from_wire, epoch_to_wire, position_from_wire, position_to_wire
from storage.state import scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.meta import EpochStart, Meta
    from storage.position import Position

FORMAT = 1
HEADER_BYTES_MAX = 1 << 20
_MAGIC = b"WYS1"
_LENGTH = struct.Struct(">I")
_PAIR = struct.Struct(">HI")
_DIGEST_BYTES = 32
_WRITE_BYTES = 1 << 18
_COPY_PREFIX = ".snapshot-"


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """What a snapshot says about itself."""

    cluster_id: bytes | None
    epochs: tuple[EpochStart, ...]
    position: Position
    digest: bytes  # of the state, 32 bytes
    time_ms: int  # of the entry at the position
    pairs: int


def write_snapshot(environment: Environment, target: Path) -> Position:
    """Write the state to ``target``, complete and durable, or not at all.

    Raises:
        OSError: The disk is full or failed.
        StorageFull: There is no room for the copy of the environment.
        EnvironmentBroken: LMDB cannot copy the environment.
        StateCorrupt: A stored value fails its checksum.

    """
    with TemporaryDirectory(dir=target.parent, prefix=_COPY_PREFIX) as folder:
        try:
            # A read transaction as long as the writing of the file would keep LMDB from reusing pages.
            environment.lmdb.copy(folder, compact=True)
        except lmdb.Error as error:
            raise storage_error_of(error) from error
        copy = Environment(Path(folder), map_bytes=environment.map_bytes, lock=None, is_readonly=True)
        try:
            meta = copy.read_meta()
            with replacing(target, failpoint_name="snapshot.rename") as file:
                _write_file(file, copy, meta)
        finally:
            copy.close()
    return meta.applied


def remove_leftovers(folder: Path) -> None:
    """Remove from a folder for snapshots what a killed process was writing there.

    Raises:
        OSError: The disk failed.

    """
    for path in folder.glob(f"{_COPY_PREFIX}*"):
        shutil.rmtree(path)
    for path in folder.glob(".*.partial"):
        path.unlink()


def _write_file(file: BinaryIO, environment: Environment, meta: Meta) -> None:
    hashed = sha256()
    with environment.begin_read() as txn:
        pairs = txn.stat(environment.state_db)["entries"]
        header = msgpack.packb(
            (
                FORMAT,
                meta.cluster_id,
                [epoch_to_wire(start) for start in meta.epochs],
                position_to_wire(meta.applied),
                meta.digest,
                meta.time_ms,
                pairs,
            )
        )
        buffer = bytearray(_MAGIC + _LENGTH.pack(len(header)) + header)
        for key, value in scan(txn, environment.state_db, b""):
            buffer += _PAIR.pack(len(key), len(value)) + key + value
            if len(buffer) >= _WRITE_BYTES:
                hashed.update(buffer)
                file.write(buffer)
                buffer.clear()
    hashed.update(buffer)
    file.write(buffer)
    failpoint("snapshot.write")
    file.write(hashed.digest())


def verify_snapshot(source: Path) -> SnapshotHeader:
    """Check that a file is a complete snapshot and return its header; pairs are not interpreted.

    Raises:
        SnapshotCorrupt: It is cut, flipped, or something else.

    """
    try:
        with source.open("rb") as file:
            remaining = source.stat().st_size - _DIGEST_BYTES
            hashed = sha256()
            while remaining > 0 and (chunk := file.read(min(remaining, _WRITE_BYTES))):
                hashed.update(chunk)
                remaining -= len(chunk)
            if remaining != 0 or file.read() != hashed.digest():
                raise SnapshotCorrupt(detail="checksum does not match")
            file.seek(0)
            return _read_header(file)
    except FileNotFoundError:
        raise SnapshotCorrupt(detail="there is no such file") from None


def read_pairs(source: Path) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over the pairs of a file that verify_snapshot accepted.

    Raises:
        SnapshotCorrupt: Lengths or order are wrong.

    """
    with source.open("rb") as file:
        header = _read_header(file)
        previous = b""
        for _ in range(header.pairs):
            head = file.read(_PAIR.size)
            if len(head) != _PAIR.size:
                raise SnapshotCorrupt(detail="pairs end early")
            key_bytes, value_bytes = _PAIR.unpack(head)
            key, value = file.read(key_bytes), file.read(value_bytes)
            if len(key) + len(value) != key_bytes + value_bytes or key <= previous:
                raise SnapshotCorrupt(detail="pairs are cut or out of order")
            yield key, value
            previous = key
        if len(file.read(_DIGEST_BYTES + 1)) != _DIGEST_BYTES:
            raise SnapshotCorrupt(detail="more follows the last pair")


def _read_header(file: BinaryIO) -> SnapshotHeader:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise SnapshotCorrupt(detail="not a snapshot")
    try:
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        if length > HEADER_BYTES_MAX:
            raise SnapshotCorrupt(detail="header is too long")
        version, cluster_id, epochs, position, digest, time_ms, pairs = msgpack.unpackb(file.read(length))
        if version != FORMAT:
            raise SnapshotCorrupt(detail=f"format {version} is not {FORMAT}")
        return SnapshotHeader(
            cluster_id=cluster_id,
            epochs=tuple(epoch_from_wire(start) for start in epochs),
            position=position_from_wire(position),
            digest=digest,
            time_ms=time_ms,
            pairs=pairs,
        )
    except (ValueError, TypeError, struct.error, msgpack.UnpackException) as error:
        raise SnapshotCorrupt(detail="header is malformed") from error
