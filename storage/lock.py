"""One process at a time works in a data directory."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from storage.errors import DirectoryInUse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def directory_lock(path: Path) -> Iterator[None]:
    """Hold a data directory for this process.

    Raises:
        DirectoryInUse: Somebody holds it already.

    """
    descriptor = take_directory_lock(path)
    try:
        yield
    finally:
        os.close(descriptor)


def take_directory_lock(path: Path) -> int:
    """Return a descriptor whose being open is the lock.

    Raises:
        DirectoryInUse: Somebody holds it already.

    """
    descriptor = os.open(path / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DirectoryInUse(path=path) from None
    return descriptor
