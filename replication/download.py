"""A snapshot on its way in: chunks to a file, and its SHA-256."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from replication.errors import FrameCorrupt
from replication.threads import in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from replication.frames import SnapshotFrame


class SnapshotDownload:
    """Writes one snapshot to ``path``, which it replaces.

    The file is not fsynced: it is read back at once, and a crash starts the bootstrap anew.
    """

    def __init__(self, frame: SnapshotFrame, path: Path) -> None:
        self.frame = frame
        self.path = path
        self.received_bytes = 0
        self._digest = sha256()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")

    @property
    def is_complete(self) -> bool:
        """Whether all announced bytes have arrived."""
        return self.received_bytes == self.frame.size_bytes

    async def add(self, data: bytes) -> None:
        """Take the next chunk; the last one closes the file.

        Raises:
            FrameCorrupt: more bytes than announced, or they do not add up to the announced SHA-256.
            OSError: the file cannot be written.

        """
        self.received_bytes += len(data)
        if self.received_bytes > self.frame.size_bytes:
            raise FrameCorrupt("the snapshot is larger than announced")
        await in_thread(self._write, data)
        if not self.is_complete:
            return
        self._file.close()
        if self._digest.digest() != self.frame.sha256:
            raise FrameCorrupt("the snapshot does not have the announced SHA-256")

    def close(self) -> None:
        """Close the file, whatever it holds."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)
