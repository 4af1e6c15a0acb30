"""Content-addressed files.

=========================  ==================================================================
path under the blob root   holds
=========================  ==================================================================
``xx/<sha256 hex>``        one blob; xx are the first two digits; all 256 folders exist
``.tmp/<random hex>``      a blob being written; worthless once no process is at work
=========================  ==================================================================

A file gets its name only after its bytes are durable, so a name never promises bytes that are not
there. A blob counts as present only when its name is durable too: an entry may rest on it then. For a
short while after its entry a small blob may be present without a file: *held*, see storage/parcels.py.
"""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from storage.blob_writer import BlobWriter
from storage.durable import sync_filesystem, sync_folder, write_fully
from storage.entry import BlobRef
from storage.errors import BlobCorrupt, BlobMissing
from storage.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO

SHARDS = tuple(f"{number:02x}" for number in range(256))
TEMPORARY = ".tmp"
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_EACH_FILE_SYNCED_MAX = 2
"""Up to so many files are synced one by one: a syncfs also waits for everybody else's dirty pages."""


class BlobStore:
    """The blobs under one root. Safe on any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = str(root)
        self._lock = threading.Lock()
        self._unsynced: set[bytes] = set()  # named, but the name may not survive a crash yet
        self._held: dict[bytes, bytes] = {}  # durable as parcels, no file yet

    def create(self) -> None:
        """Make the folders that are missing, durably.

        Raises:
            OSError: The disk is full or failed.

        """
        self.root.mkdir(mode=0o700, exist_ok=True)
        present = {path.name for path in self.root.iterdir()}
        for name in (*SHARDS, TEMPORARY):
            if name not in present:
                (self.root / name).mkdir(mode=0o700)
        sync_folder(self.root)

    def recover(self) -> None:
        """Make durable what a killed process named, and remove what it did not.

        Only for the one owner of the directory, before anybody writes.

        Raises:
            OSError: The disk failed.

        """
        self.create()
        sync_filesystem(self.root)
        for path in self.temporaries():
            path.unlink()

    def writer(self, *, with_upload_digests: bool = False) -> BlobWriter:
        """Open a blob of unknown content; md5 and blake2b are computed only when asked for.

        Raises:
            OSError: The disk is full or failed.

        """
        return BlobWriter(self, with_upload_digests=with_upload_digests)

    def put_many(self, contents: Iterable[bytes]) -> list[BlobRef]:
        """Make small blobs durable together: two syncs for all of them.

        Raises:
            OSError: The disk is full or failed; what was not named is removed.

        """
        hashed = [(sha256(content).digest(), content) for content in contents]
        self.put_hashed(dict(hashed))
        return [BlobRef(digest, len(content)) for digest, content in hashed]

    def put_hashed(self, contents: Mapping[bytes, bytes]) -> None:
        """Do as put_many, for contents whose SHA-256 the caller has computed.

        Raises:
            OSError: The disk is full or failed; what was not named is removed.

        """
        missing = {
            digest: content
            for digest, content in contents.items()
            if self._file_bytes(digest) != len(content)
        }
        if not missing:
            return
        written: dict[bytes, str] = {}
        try:
            for digest, content in missing.items():
                path = self.temporary_path()
                written[digest] = path
                self._write_temporary(path, content, is_synced=len(missing) <= _EACH_FILE_SYNCED_MAX)
            failpoint("blobs.sync-files")
            if len(missing) > _EACH_FILE_SYNCED_MAX:
                sync_filesystem(self._root)
            failpoint("blobs.rename")
            named = [
                digest
                for digest, path in written.items()
                if self.claim_name(BlobRef(digest, len(missing[digest])), path)
            ]
        except OSError:
            for path in written.values():
                Path(path).unlink(missing_ok=True)
            raise
        failpoint("blobs.sync-names")
        if len(named) > _EACH_FILE_SYNCED_MAX:
            sync_filesystem(self._root)
        else:
            for digest in named:
                sync_folder(f"{self._root}/{digest[:1].hex()}")
        self._unsynced.difference_update(named)

    @staticmethod
    def _write_temporary(path: str, content: bytes, *, is_synced: bool) -> None:
        descriptor = os.open(path, _FILE_FLAGS, 0o600)
        try:
            write_fully(descriptor, content)
            if is_synced:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def temporary_path(self) -> str:
        """Return an unused path for a blob being written."""
        return f"{self._root}/{TEMPORARY}/{uuid4().hex}"

    def claim_name(self, blob: BlobRef, temporary: str) -> bool:
        """Give a durable temporary file its name; False when the blob was there already.

        After True the caller must make the name durable with sync_name.

        Raises:
            OSError: The disk failed.

        """
        with self._lock:
            if self._file_bytes(blob.sha256) == blob.size_bytes:
                Path(temporary).unlink()
                return False
            self._unsynced.add(blob.sha256)
            Path(temporary).rename(self._name(blob.sha256))
            return True

    def sync_name(self, digest: bytes) -> None:
        """Make the name of a blob durable; from here on it counts as present.

        Raises:
            OSError: The disk failed.

        """
        sync_folder(f"{self._root}/{digest[:1].hex()}")
        self._unsynced.discard(digest)

    def hold(self, contents: Mapping[bytes, bytes]) -> None:
        """Count contents as present before they have files; storage/parcels.py makes them durable."""
        self._held.update(contents)

    def let_go(self, digests: Iterable[bytes]) -> None:
        """Hold contents no longer: they have durable files now, or were not needed after all."""
        for digest in digests:
            self._held.pop(digest, None)

    def held(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a blob that may have no file yet; when there are none, path() is where they are."""
        return self._held.get(sha256)

    def has(self, sha256: bytes) -> bool:
        """Tell whether a blob is present and durable."""
        return self.size_bytes(sha256) is not None

    def size_bytes(self, sha256: bytes) -> int | None:
        """Return the size of a blob, None when it is not (durably) present."""
        held = self._held.get(sha256)
        return self._file_bytes(sha256) if held is None else len(held)

    def _file_bytes(self, sha256: bytes) -> int | None:
        if sha256 in self._unsynced:
            return None
        try:
            return os.stat(self._name(sha256)).st_size  # noqa: PTH116 - a Path costs as much as the call
        except FileNotFoundError:
            return None

    def path(self, sha256: bytes) -> Path:
        """Return where the file of a blob is, or would be; ask held() first, there may be none yet."""
        return Path(self._name(sha256))

    def open(self, sha256: bytes) -> BinaryIO:
        """Open a blob for reading, wherever it is; its bytes are not verified.

        Raises:
            BlobMissing: There is no such file.

        """
        held = self._held.get(sha256)
        if held is not None:
            return BytesIO(held)
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError:
            raise BlobMissing(sha256=sha256) from None

    def read(self, sha256: bytes) -> bytes:
        """Return the verified bytes of a blob; for small ones.

        Raises:
            BlobMissing: There is no such file.
            BlobCorrupt: The bytes do not hash to that name.

        """
        held = self._held.get(sha256)
        if held is not None:
            return held
        try:
            with open(self._name(sha256), "rb", buffering=0) as file:  # noqa: PTH123 - see size_bytes
                content = file.read()
        except FileNotFoundError:
            raise BlobMissing(sha256=sha256) from None
        verify_content(sha256, content)
        return content

    def delete(self, sha256: bytes) -> None:
        """Remove a blob if it is there; the caller knows that no state refers to it.

        Raises:
            OSError: The disk failed.

        """
        self.let_go((sha256,))
        Path(self._name(sha256)).unlink(missing_ok=True)

    def stored(self) -> Iterator[tuple[bytes, int]]:
        """Iterate over the SHA-256 and size of all files, in no order."""
        for shard in SHARDS:
            with os.scandir(f"{self._root}/{shard}") as folder:
                for item in folder:
                    if len(item.name) == 64:
                        yield bytes.fromhex(item.name), item.stat().st_size

    def temporaries(self) -> list[Path]:
        """Return the files of writers that are at work, or were killed."""
        return sorted((self.root / TEMPORARY).iterdir())

    def _name(self, digest: bytes) -> str:
        name = digest.hex()
        return f"{self._root}/{name[:2]}/{name}"


def verify_content(digest: bytes, content: bytes) -> None:
    """Check small content against its name.

    Raises:
        BlobCorrupt: It hashes to something else.

    """
    if sha256(content).digest() != digest:
        raise BlobCorrupt(sha256=digest, detail="content does not hash to its name")
