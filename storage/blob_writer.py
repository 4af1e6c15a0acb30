"""Writing one blob while its content streams in."""

from __future__ import annotations

import os
from hashlib import blake2b, md5, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

from storage.durable import write_fully
from storage.entry import BlobRef
from storage.failpoints import failpoint

if TYPE_CHECKING:
    from storage.blobs import BlobStore

BLAKE2B_BYTES = 32  # what upload clients send as blake2_256_digest


class BlobWriter:
    """One blob on its way in; as a context manager it aborts what was not committed.

    Used by one task or thread at a time; write and commit block on the disk.
    """

    def __init__(self, store: BlobStore, *, with_upload_digests: bool) -> None:
        self.size_bytes = 0
        self._store = store
        self._sha256 = sha256()
        self._md5 = md5(usedforsecurity=False) if with_upload_digests else None
        self._blake2b = blake2b(digest_size=BLAKE2B_BYTES) if with_upload_digests else None
        self._path = store.temporary_path()
        self._descriptor: int | None = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    @property
    def sha256(self) -> bytes:
        """SHA-256 of what was written so far, 32 bytes."""
        return self._sha256.digest()

    @property
    def md5(self) -> bytes | None:
        """MD5 of what was written so far, None unless asked for."""
        return self._md5.digest() if self._md5 is not None else None

    @property
    def blake2b(self) -> bytes | None:
        """BLAKE2b-256 of what was written so far, None unless asked for."""
        return self._blake2b.digest() if self._blake2b is not None else None

    @property
    def path(self) -> Path:
        """Where the bytes are until commit or abort; unbuffered, so readers see each write at once."""
        return Path(self._path)

    def write(self, chunk: bytes) -> None:
        """Append a chunk.

        Raises:
            OSError: The disk is full or failed; abort is all that is left to do.
            ValueError: The writer was committed or aborted.

        """
        write_fully(self._open_descriptor(), chunk)
        self.size_bytes += len(chunk)
        self._sha256.update(chunk)
        if self._md5 is not None and self._blake2b is not None:
            self._md5.update(chunk)
            self._blake2b.update(chunk)

    def commit(self) -> BlobRef:
        """Make the blob present: its bytes durable, then its name.

        Raises:
            OSError: The disk is full or failed; abort is all that is left to do.
            ValueError: The writer was committed or aborted.

        """
        descriptor = self._open_descriptor()
        reference = BlobRef(self.sha256, self.size_bytes)
        if self._store.size_bytes(reference.sha256) == reference.size_bytes:
            self.abort()
            return reference
        failpoint("blob.fsync")
        os.fsync(descriptor)
        failpoint("blob.rename")
        is_new = self._store.claim_name(reference, self._path)
        os.close(descriptor)
        self._descriptor = None
        if is_new:
            failpoint("blob.sync-folder")
            self._store.sync_name(reference.sha256)
        failpoint("blob.committed")
        return reference

    def abort(self) -> None:
        """Remove what was written; does nothing after commit or abort."""
        if self._descriptor is None:
            return
        os.close(self._descriptor)
        self._descriptor = None
        Path(self._path).unlink(missing_ok=True)

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise ValueError("blob writer is finished")
        return self._descriptor
