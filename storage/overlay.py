"""The state as the next operation of a batch sees it: committed state, then what the batch drafted so far."""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING

from storage.errors import BlobMissing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from storage.position import Position
    from storage.view import StateView


class OverlayView:
    """A view over a committed one; changed by the writer between operations, never during one."""

    def __init__(self, base: StateView, position: Position) -> None:
        self.position = position
        self.contents: dict[bytes, bytes] = {}  # small blobs that are not on disk yet
        self._base = base
        self._changed: dict[bytes, bytes | None] = {}

    def advance(
        self, position: Position, changed: Mapping[bytes, bytes | None], contents: Mapping[bytes, bytes]
    ) -> None:
        """Take in what one more operation changed; None means deleted."""
        self.position = position
        self._changed.update(changed)
        self.contents.update(contents)

    @property
    def changed(self) -> Mapping[bytes, bytes | None]:
        """Everything that the batch changed, at its last value."""
        return self._changed

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; see View.get."""
        if key in self._changed:
            return self._changed[key]
        return self._base.get(key)

    def scan(self, prefix: bytes, *, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over keys with a prefix; see View.scan."""
        changed = self._changed
        ours = sorted(
            (key, value)
            for key, value in changed.items()
            if value is not None and key.startswith(prefix) and (after is None or key > after)
        )
        theirs = (pair for pair in self._base.scan(prefix, after=after) if pair[0] not in changed)
        return merge(ours, theirs)

    def read_blob(self, sha256: bytes) -> bytes:
        """Return the verified bytes of a blob; see View.read_blob."""
        try:
            return self._base.read_blob(sha256)
        except BlobMissing:
            if sha256 in self.contents:
                return self.contents[sha256]
            raise
