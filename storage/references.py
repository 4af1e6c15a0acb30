r"""How often the state refers to each blob; part of the state, so every node knows what it needs.

========================  ==================================================
key, 34 bytes             ``\x00b``, then the SHA-256
value                     msgpack [size in bytes, references], references >= 1
========================  ==================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack

from storage.entry import BlobRef, Delete, Put
from storage.errors import BlobCorrupt, DraftInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from storage.entry import Change

RESERVED_PREFIX = b"\x00"
BLOB_KEY_PREFIX = RESERVED_PREFIX + b"b"
_BLOB_KEY_BYTES = len(BLOB_KEY_PREFIX) + 32


def blob_key(sha256: bytes) -> bytes:
    """Return the state key of a blob's references."""
    return BLOB_KEY_PREFIX + sha256


def is_blob_key(key: bytes) -> bool:
    """Tell whether a state key counts references of a blob."""
    return key.startswith(BLOB_KEY_PREFIX) and len(key) == _BLOB_KEY_BYTES


def reference_of(key: bytes, value: bytes) -> BlobRef:
    """Return the blob that a state pair is about."""
    return BlobRef(key[len(BLOB_KEY_PREFIX) :], msgpack.unpackb(value)[0])


def reference_changes(
    get: Callable[[bytes], bytes | None], adds: Iterable[BlobRef], drops: Iterable[bytes]
) -> list[Change]:
    """Return what references gained and lost change in the state that ``get`` reads.

    Raises:
        BlobCorrupt: A reference gives another size than those before it.
        DraftInvalid: A reference is dropped that is not there.

    """
    counted: dict[bytes, tuple[int, int]] = {}
    for blob in adds:
        known = _count(get, counted, blob.sha256)
        size_bytes, references = known or (blob.size_bytes, 0)
        if size_bytes != blob.size_bytes:
            raise BlobCorrupt(sha256=blob.sha256, detail=f"{blob.size_bytes} bytes, was {size_bytes}")
        counted[blob.sha256] = (size_bytes, references + 1)
    for digest in drops:
        known = _count(get, counted, digest)
        if known is None or known[1] == 0:
            raise DraftInvalid(detail=f"drops a reference to {digest.hex()} that is not there")
        counted[digest] = (known[0], known[1] - 1)
    return [
        Put(blob_key(digest), msgpack.packb((size_bytes, references)))
        if references
        else Delete(blob_key(digest))
        for digest, (size_bytes, references) in counted.items()
    ]


def _count(
    get: Callable[[bytes], bytes | None], counted: dict[bytes, tuple[int, int]], digest: bytes
) -> tuple[int, int] | None:
    if digest in counted:
        return counted[digest]
    value = get(blob_key(digest))
    if value is None:
        return None
    size_bytes, references = msgpack.unpackb(value)
    return size_bytes, references
