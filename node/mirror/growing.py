"""A file that is being downloaded, as all its readers share it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from node.mirror.errors import DownloadCorrupt, MirrorError
from storage.errors import StorageError

HOLD_BACK_BYTES = 64 << 10  # not given to anybody before the whole file is verified
READ_BYTES = 256 << 10

DownloadFailure = MirrorError | StorageError | OSError


class GrowingFile:
    """A download under way; any number of readers, from any offset, while it grows.

    Its last 64 KiB are given out only after the digest was verified, so a reader that gets every byte has the
    right ones. When the download fails, every reader gets its error and must cut the connection.
    """

    def __init__(self, filename: str, *, size_bytes: int | None, sha256: bytes | None) -> None:
        self.filename = filename
        self.size_bytes = size_bytes  # None until upstream says, or for ever when it does not
        self.sha256 = sha256  # None when the page has none and the download is not complete
        self.path: Path | None = None  # of the complete file, once it has its name
        self.available_bytes = 0  # what readers may have
        self.is_complete = False
        self.failure: DownloadFailure | None = None
        self._descriptor: int | None = None
        self._is_closed = False
        self._moved = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the download failed, or the file is in the cache or will never be; not to be joined any more."""
        return self._is_closed or self.failure is not None

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from ``start`` to before ``end`` as they come.

        Raises:
            DownloadCorrupt: the bytes are not what the page promises; end the connection without finishing.
            UpstreamDown: upstream broke off.
            StorageError: the cache is full.
            OSError: the disk failed.

        """
        descriptor = self._open()
        try:
            offset = start
            while end is None or offset < end:
                if self.failure is not None:
                    raise self.failure
                limit = self.available_bytes if end is None else min(end, self.available_bytes)
                if offset < limit:
                    # The bytes were written moments ago: this reads memory, and blocks no longer than a copy.
                    piece = os.pread(descriptor, min(READ_BYTES, limit - offset), offset)
                    offset += len(piece)
                    yield piece
                elif self.is_complete:
                    return
                else:
                    await self._moved.wait()
        finally:
            os.close(descriptor)

    async def until_kept(self) -> None:
        """Wait until the file is complete and in the cache, or the cache refused it.

        Raises:
            DownloadCorrupt: the bytes are not what the page promises.
            UpstreamDown: upstream broke off.
            StorageError: the cache is full.
            OSError: the disk failed.

        """
        while not self._is_closed:
            await self._moved.wait()
        if self.failure is not None:
            raise self.failure

    async def until_started(self) -> None:
        """Wait for the head of upstream's answer, so that a refusal is one before any byte is sent.

        Raises:
            UpstreamDown: no source of the file answered.
            UpstreamFileMissing: upstream no longer has the file.
            DownloadCorrupt: its size is not the one the page says.
            StorageError: the cache is full.
            OSError: the disk failed.

        """
        while self._descriptor is None and not self.is_complete and self.failure is None:
            await self._moved.wait()
        if self.failure is not None:
            raise self.failure

    # What follows is for the download that fills the file.

    def begin(self, path: Path) -> None:
        """Let readers in; ``path`` is the file being written."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._wake()

    def restart(self) -> None:
        """Begin again with another source; allowed while nobody was given a byte."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def grow(self, written_bytes: int) -> None:
        """Give readers what may be given of ``written_bytes``."""
        available = written_bytes - HOLD_BACK_BYTES
        if self.size_bytes is not None:
            available = min(written_bytes, self.size_bytes - HOLD_BACK_BYTES)
        if available > self.available_bytes:
            self.available_bytes = available
            self._wake()

    def complete(self, *, size_bytes: int, sha256: bytes) -> None:
        """Give everything: the digest is right."""
        self.size_bytes = self.available_bytes = size_bytes
        self.sha256 = sha256
        self.is_complete = True
        self._wake()

    def fail(self, failure: DownloadFailure) -> None:
        """Give every reader this error instead of more bytes."""
        self.failure = failure
        self._wake()

    def close(self, path: Path | None) -> None:
        """End the writer's part; ``path`` is the complete file's, when it has one."""
        self.path = path
        self._is_closed = True
        self._wake()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        # A descriptor of its own per reader: the file's name changes at the end, an open file stays.
        if self.failure is not None:
            raise self.failure
        if self._descriptor is not None:
            return os.dup(self._descriptor)
        if self.path is None:
            # Complete, but the disk would not keep it, and this reader came too late to share it.
            raise DownloadCorrupt(self.filename, "it could not be kept")
        return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
