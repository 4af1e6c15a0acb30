r"""The state: what the changelog adds up to.

LMDB named database ``state``:

=======================  ========================================================
key, 1 to 511 bytes      composite keys of the layers above; ``\x00`` is ours
value, n + 4 bytes       the value, then crc32 of key and value, big-endian
=======================  ========================================================

The digest of a state is the sum, modulo 2^256, of SHA-256(length of key as 4 bytes, key, value)
over all pairs: independent of order, and kept up to date by subtracting the old and adding the
new pair. It finds apply errors; it is not proof against an attacker, the chain is.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING
from zlib import crc32

from storage.errors import StateCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

CRC_BYTES = 4
DIGEST_MODULUS = 1 << 256


def seal(key: bytes, value: bytes) -> bytes:
    """Return the value as it is stored."""
    return value + crc32(value, crc32(key)).to_bytes(CRC_BYTES, "big")


def unseal(key: bytes, stored: bytes) -> bytes:
    """Return the value of its stored form.

    Raises:
        StateCorrupt: The checksum does not match.

    """
    value = stored[:-CRC_BYTES]
    if crc32(value, crc32(key)) != int.from_bytes(stored[-CRC_BYTES:], "big") or len(stored) < CRC_BYTES:
        raise StateCorrupt(key=key)
    return value


def pair_digest(key: bytes, value: bytes) -> int:
    """Return what one pair contributes to the digest."""
    return int.from_bytes(sha256(len(key).to_bytes(4, "big") + key + value).digest(), "big")


def digest_bytes(total: int) -> bytes:
    """Return a digest in its stored form, 32 bytes."""
    return (total % DIGEST_MODULUS).to_bytes(32, "big")


def scan(
    txn: lmdb.Transaction[bytes], database: lmdb._Database, prefix: bytes, *, after: bytes | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over verified pairs with a prefix, and keys greater than ``after``, in key order.

    Raises:
        StateCorrupt: A stored value fails its checksum.

    """
    start = prefix if after is None else max(prefix, after + b"\x00")
    with txn.cursor(db=database) as cursor:
        found = cursor.set_range(start) if start else cursor.first()
        if not found:
            return
        for key, stored in cursor.iternext():
            if not key.startswith(prefix):
                return
            yield key, unseal(key, stored)
