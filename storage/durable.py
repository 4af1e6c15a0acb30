"""Making files and names durable: what a crash may not undo."""

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from storage.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_libc = ctypes.CDLL(None, use_errno=True)


def sync_folder(path: str | Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: The folder cannot be opened, or the disk failed.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_filesystem(path: str | Path) -> None:
    """Make everything on the file system that holds ``path`` durable, for the price of one fsync.

    Raises:
        OSError: The folder cannot be opened, or the disk failed.

    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Reports write-back errors since Linux 5.8; Python offers only sync(), which covers every file system.
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


def write_fully(descriptor: int, data: bytes) -> None:
    """Write all of the data.

    Raises:
        OSError: The disk is full or failed; some of the data may be written.

    """
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


@contextmanager
def replacing(target: Path, *, failpoint_name: str) -> "Iterator[BinaryIO]":
    """Open a file that appears under its name complete and durable, or not at all.

    Raises:
        OSError: The disk is full or failed; nothing has the name, the partial file is removed.

    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        failpoint(failpoint_name)
        partial.rename(target)
        sync_folder(target.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
