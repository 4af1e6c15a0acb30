"""Entries from the changelog to encoded frames, with their small blobs inlined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replication.frames import CONTENTS_BYTES_MAX, EntryFrame
from replication.framing import encode_frame
from replication.threads import in_thread
from storage.entry import INLINE_BLOB_BYTES_MAX, decode_entry
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from storage.blobs import BlobStore

BLOCK_BYTES: Final = 512 << 10
"""Frames are handed over in pieces of about this size, so that inlined blobs do not pile up in memory."""

FRESH_ENTRIES_MAX: Final = 4
"""So few entries at once are at the head: their blobs were written just now and are in the page cache."""


async def encode_blocks(
    entries: Sequence[bytes],
    blobs: BlobStore,
) -> AsyncGenerator[tuple[bytes, int], None]:
    """Encoded frames of some entries in a row, in pieces, each with the number of its entries.

    Raises:
        EntryCorrupt: the changelog returned something else than it was given.

    """
    parts: list[bytes] = []
    size_bytes = 0
    is_fresh = len(entries) <= FRESH_ENTRIES_MAX
    for encoded in entries:
        wanted = _inlined(encoded)
        if not wanted:
            contents: tuple[bytes, ...] = ()
        elif is_fresh:
            contents = _read(wanted, blobs)
        else:
            contents = await in_thread(_read, wanted, blobs)
        parts.append(encode_frame(EntryFrame(encoded, contents)))
        size_bytes += len(parts[-1])
        if size_bytes >= BLOCK_BYTES:
            yield b"".join(parts), len(parts)
            parts, size_bytes = [], 0
    if parts:
        yield b"".join(parts), len(parts)


def _inlined(encoded: bytes) -> list[bytes]:
    """SHA-256 of the blobs that travel with an entry; what does not fit follows by blob transfer."""
    names: list[bytes] = []
    total_bytes = 0
    for blob in decode_entry(encoded).blobs:
        if blob.size_bytes > INLINE_BLOB_BYTES_MAX or blob.sha256 in names:
            continue
        total_bytes += blob.size_bytes
        if total_bytes > CONTENTS_BYTES_MAX:
            break
        names.append(blob.sha256)
    return names


def _read(names: Sequence[bytes], blobs: BlobStore) -> tuple[bytes, ...]:
    contents = []
    for sha256 in names:
        try:
            contents.append(blobs.read(sha256))
        except StorageError:
            # Dropped by a later entry and collected since; the replica asks for it only if it is still needed.
            continue
    return tuple(contents)
