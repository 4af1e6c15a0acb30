"""Changelog entries and their encoded form, format version 1.

All integers are big-endian.

==============  =====  ===================================================================
field           bytes  meaning
==============  =====  ===================================================================
magic               4  ``WYL1``
version             1  1; of the writer, for information
flags               1  0
header length       2  102; a later version may append fields, old readers skip them
body length         4
epoch               8
serial              8
time_ms             8  clock of the primary, strictly growing; information, never order
min_reader          2  a reader whose version is lower must stop here
previous chain     32
state digest       32  of the state after this entry
body                n  msgpack: [changes, blobs, actor, request_id]
crc32               4  over everything before it: torn or garbled bytes
chain              32  SHA-256 over ``wheelyard-entry-1`` and everything before the crc32
==============  =====  ===================================================================

A change is ``[1, key, value]`` (put) or ``[2, key]`` (delete); a blob is ``[sha256, size]``. The
same bytes are stored, sent and stored again, so the changelogs of all nodes are equal byte for byte.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from zlib import crc32

import msgpack

from storage.errors import EntryCorrupt, EntryTooLarge, EntryTooNew
from storage.position import CHAIN_BYTES, Position, Serial

READER_VERSION = 1
ENTRY_BYTES_MAX = 1 << 20
KEY_BYTES_MAX = 511  # LMDB's limit
VALUE_BYTES_MAX = 1500  # advice: larger values cost LMDB overflow pages; make them blobs
INLINE_BLOB_BYTES_MAX = 64 * 1024  # larger blobs travel to replicas apart from their entry
CONTENT_BYTES_MAX = 16 << 20  # the largest blob that an operation may bring along in memory

_MAGIC = b"WYL1"
_CHAIN_PREFIX = b"wheelyard-entry-1"
_HEADER = struct.Struct(">4sBBHIQQQH32s32s")
_EPOCH_AND_SERIAL = struct.Struct(">QQ")
_EPOCH_OFFSET = 12
_CRC = struct.Struct(">I")
_TRAILER_BYTES = _CRC.size + CHAIN_BYTES
_PUT = 1
_DELETE = 2


@dataclass(frozen=True, slots=True)
class Put:
    """Key holds value afterwards, whatever it held before."""

    key: bytes  # 1 to KEY_BYTES_MAX bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Key holds nothing afterwards, whether or not it did before."""

    key: bytes


Change = Put | Delete


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Names a blob by its content."""

    sha256: bytes  # 32 bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What one client operation changed, as after-images."""

    epoch: int
    serial: Serial
    time_ms: int
    min_reader: int
    previous_chain: bytes  # 32 bytes
    state_digest: bytes  # 32 bytes
    changes: tuple[Change, ...]
    blobs: tuple[BlobRef, ...]  # references that this entry adds
    actor: str
    request_id: str


def encode_entry(entry: Entry) -> bytes:
    """Encode an entry; its chain is the last 32 bytes.

    Raises:
        EntryTooLarge: The result exceeds ENTRY_BYTES_MAX.

    """
    changes = [
        (_PUT, change.key, change.value) if isinstance(change, Put) else (_DELETE, change.key)
        for change in entry.changes
    ]
    blobs = [(blob.sha256, blob.size_bytes) for blob in entry.blobs]
    body: bytes = msgpack.packb((changes, blobs, entry.actor, entry.request_id))
    size_bytes = _HEADER.size + len(body) + _TRAILER_BYTES
    if size_bytes > ENTRY_BYTES_MAX:
        raise EntryTooLarge(size_bytes=size_bytes, limit_bytes=ENTRY_BYTES_MAX)
    header = _HEADER.pack(
        _MAGIC,
        READER_VERSION,
        0,
        _HEADER.size,
        len(body),
        entry.epoch,
        entry.serial,
        entry.time_ms,
        entry.min_reader,
        entry.previous_chain,
        entry.state_digest,
    )
    signed = header + body
    return signed + _CRC.pack(crc32(signed)) + sha256(_CHAIN_PREFIX + signed).digest()


def decode_entry(data: bytes) -> Entry:
    """Decode and verify an encoded entry.

    Raises:
        EntryCorrupt: Length, magic, checksum, chain or shape is wrong.
        EntryTooNew: The entry asks for a later reader; the caller must stop, never skip.

    """
    if not _HEADER.size + _TRAILER_BYTES <= len(data) <= ENTRY_BYTES_MAX or not data.startswith(_MAGIC):
        raise EntryCorrupt(detail="not an entry")
    _, _, _, header_bytes, body_bytes, epoch, serial, time_ms, min_reader, previous_chain, digest = (
        _HEADER.unpack_from(data)
    )
    signed = data[:-_TRAILER_BYTES]
    if header_bytes < _HEADER.size or header_bytes + body_bytes != len(signed):
        raise EntryCorrupt(detail="lengths do not add up", serial=serial)
    if _CRC.unpack_from(data, len(signed))[0] != crc32(signed):
        raise EntryCorrupt(detail="checksum does not match", serial=serial)
    if sha256(_CHAIN_PREFIX + signed).digest() != data[-CHAIN_BYTES:]:
        raise EntryCorrupt(detail="chain does not match", serial=serial)
    if min_reader > READER_VERSION:
        raise EntryTooNew(serial=serial, min_reader=min_reader, reader=READER_VERSION)
    changes, blobs, actor, request_id = _decode_body(signed[header_bytes:], serial)
    return Entry(
        epoch, Serial(serial), time_ms, min_reader, previous_chain, digest, changes, blobs, actor, request_id
    )


def _decode_body(body: bytes, serial: int) -> tuple[tuple[Change, ...], tuple[BlobRef, ...], str, str]:
    try:
        # unpackb bounds every length by the size of its input, itself at most ENTRY_BYTES_MAX.
        changes, blobs, actor, request_id = msgpack.unpackb(body, use_list=False)
        decoded = tuple(_decode_change(item) for item in changes)
        references = tuple(_decode_reference(digest, size_bytes) for digest, size_bytes in blobs)
        return decoded, references, _decode_string(actor), _decode_string(request_id)
    except (ValueError, TypeError, IndexError, msgpack.UnpackException) as error:
        raise EntryCorrupt(detail="body is malformed", serial=serial) from error


def _decode_change(item: Sequence[Any]) -> Change:
    kind, key = item[0], item[1]
    if isinstance(key, bytes) and 1 <= len(key) <= KEY_BYTES_MAX:
        if kind == _PUT and len(item) == 3 and isinstance(item[2], bytes):
            return Put(key, item[2])
        if kind == _DELETE and len(item) == 2:
            return Delete(key)
    raise ValueError(kind)


def _decode_reference(digest: object, size_bytes: object) -> BlobRef:
    if isinstance(digest, bytes) and len(digest) == CHAIN_BYTES and isinstance(size_bytes, int):
        return BlobRef(digest, size_bytes)
    raise ValueError(digest)


def _decode_string(item: object) -> str:
    if not isinstance(item, str):
        raise TypeError(item)
    return item


def chain_of(encoded: bytes) -> bytes:
    """Return the chain that an encoded entry carries; decode_entry verifies that it is right."""
    return encoded[-CHAIN_BYTES:]


def position_of(encoded: bytes) -> Position:
    """Return the position after an encoded entry without decoding its body.

    Raises:
        EntryCorrupt: Too short to be an entry.

    """
    if len(encoded) < _HEADER.size + _TRAILER_BYTES:
        raise EntryCorrupt(detail="not an entry")
    epoch, serial = _EPOCH_AND_SERIAL.unpack_from(encoded, _EPOCH_OFFSET)
    return Position(epoch, Serial(serial), chain_of(encoded))
