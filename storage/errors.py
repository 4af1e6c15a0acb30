"""Everything that storage raises.

::

    StorageError
    ├── StorageFull            the map or the disk has no room; nothing was written, reads go on
    ├── WriterBusy             the writer's queue is at its bound; nothing was queued
    ├── StoreClosed            the store was closed, or its writer stopped
    ├── EnvironmentBroken      LMDB or the disk failed in a way that makes going on unsafe
    ├── DirectoryError
    │   ├── DirectoryInUse     another process works on the data directory
    │   ├── NotADataDirectory  nothing of ours is there
    │   ├── AlreadyADataDirectory
    │   ├── FormatTooNew       written by a later version
    │   └── ForeignCluster     belongs to another cluster
    ├── DraftInvalid           an operation asked for something that cannot be written
    ├── EntryTooLarge          an operation's entry exceeds ENTRY_BYTES_MAX
    ├── EntryCorrupt           encoded entry fails its checksum, hash or shape
    ├── EntryTooNew            encoded entry needs a later version to be understood
    ├── StateCorrupt           a stored value fails its checksum
    ├── SerialGap              an entry does not follow the head
    ├── SerialPruned           the changelog no longer reaches back that far
    ├── PositionDiverged       same serial, different chain
    ├── EpochWentBack          an entry's epoch is below that of the head
    ├── DigestMismatch         applying an entry gave another state than on the primary
    ├── SnapshotCorrupt        a snapshot is cut, flipped, or not a snapshot
    ├── BlobMissing            no file of that SHA-256
    └── BlobCorrupt            bytes do not hash, or do not measure, as their name says
"""

from pathlib import Path

EXIT_DATA_BROKEN = 70
EXIT_COMMIT_FAILED = 71


class StorageError(Exception):
    """Base of everything that storage raises."""


class StorageFull(StorageError):
    """The map or the disk has no room; nothing was written and reads go on."""

    def __init__(self, *, detail: str) -> None:
        self.detail = detail
        super().__init__(f"storage is full: {detail}")


class WriterBusy(StorageError):
    """The writer's queue is at its bound; nothing was queued."""

    def __init__(self, *, queued: int) -> None:
        self.queued = queued
        super().__init__(f"{queued} operations are waiting to be written")


class StoreClosed(StorageError):
    """The store was closed, or its writer stopped, before this could be done."""

    def __init__(self) -> None:
        super().__init__("the store is closed")


class EnvironmentBroken(StorageError):
    """LMDB or the disk failed in a way that makes going on unsafe.

    ``exit_code`` is what the process is to end with: EXIT_DATA_BROKEN when stored data is
    damaged, EXIT_COMMIT_FAILED when a commit or an fsync failed and durability is unknown.
    """

    def __init__(self, *, detail: str, exit_code: int = EXIT_COMMIT_FAILED) -> None:
        self.detail = detail
        self.exit_code = exit_code
        super().__init__(f"storage cannot go on: {detail}")


class DirectoryError(StorageError):
    """The data directory cannot be used as it is."""

    def __init__(self, message: str, *, path: Path) -> None:
        self.path = path
        super().__init__(message)


class DirectoryInUse(DirectoryError):
    """Another process, or another store in this one, works on the data directory."""

    def __init__(self, *, path: Path) -> None:
        super().__init__(f"data directory {path} is in use by another process", path=path)


class NotADataDirectory(DirectoryError):
    """No store was ever completed in this directory."""

    def __init__(self, *, path: Path) -> None:
        super().__init__(f"{path} is not a Wheelyard data directory", path=path)


class AlreadyADataDirectory(DirectoryError):
    """A store exists in this directory; creating another over it would lose it."""

    def __init__(self, *, path: Path) -> None:
        super().__init__(f"{path} already holds a Wheelyard data directory", path=path)


class FormatTooNew(DirectoryError):
    """The directory was written by a later version."""

    def __init__(self, *, path: Path, found: int, supported: int) -> None:
        self.found = found
        self.supported = supported
        super().__init__(f"{path} has format {found}, this version reads up to {supported}", path=path)


class ForeignCluster(DirectoryError):
    """What arrived belongs to another cluster than this directory."""

    def __init__(self, *, path: Path, ours: bytes | None, theirs: bytes | None) -> None:
        self.ours = ours
        self.theirs = theirs
        named = [identity.hex() if identity else "none" for identity in (ours, theirs)]
        super().__init__(f"{path} belongs to cluster {named[0]}, not to {named[1]}", path=path)


class DraftInvalid(StorageError):
    """An operation asked for something that cannot be written."""

    def __init__(self, *, detail: str) -> None:
        self.detail = detail
        super().__init__(f"draft cannot be written: {detail}")


class EntryTooLarge(StorageError):
    """An entry exceeds the limit; only the operation that drafted it fails."""

    def __init__(self, *, size_bytes: int, limit_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        super().__init__(f"entry of {size_bytes} bytes exceeds {limit_bytes}")


class EntryCorrupt(StorageError):
    """An encoded entry fails its checksum, its hash or its shape."""

    def __init__(self, *, detail: str, serial: int | None = None) -> None:
        self.detail = detail
        self.serial = serial
        where = "entry" if serial is None else f"entry {serial}"
        super().__init__(f"{where} is corrupt: {detail}")


class EntryTooNew(StorageError):
    """An entry may only be applied by a later version; it is never skipped."""

    def __init__(self, *, serial: int, min_reader: int, reader: int) -> None:
        self.serial = serial
        self.min_reader = min_reader
        self.reader = reader
        super().__init__(f"entry {serial} needs reader version {min_reader}, this is {reader}")


class StateCorrupt(StorageError):
    """A stored value fails its checksum, or the position record contradicts itself."""

    def __init__(self, *, key: bytes, detail: str = "checksum does not match") -> None:
        self.key = key
        self.detail = detail
        super().__init__(f"state value {key!r} is corrupt: {detail}")


class SerialGap(StorageError):
    """An entry does not follow the head. Nothing was written."""

    def __init__(self, *, expected: int, found: int) -> None:
        self.expected = expected
        self.found = found
        super().__init__(f"expected entry {expected}, got {found}")


class SerialPruned(StorageError):
    """The changelog no longer reaches back that far."""

    def __init__(self, *, serial: int, floor: int) -> None:
        self.serial = serial
        self.floor = floor
        super().__init__(f"entries after {serial} are pruned, the floor is {floor}")


class PositionDiverged(StorageError):
    """Same serial, different chain: the histories forked. Nothing was written."""

    def __init__(self, *, serial: int, ours: bytes, theirs: bytes) -> None:
        self.serial = serial
        self.ours = ours
        self.theirs = theirs
        super().__init__(
            f"histories differ at serial {serial}: {ours.hex()[:16]} here, {theirs.hex()[:16]} there"
        )


class EpochWentBack(StorageError):
    """An entry's epoch is below that of the head: its primary was deposed. Nothing was written."""

    def __init__(self, *, serial: int, ours: int, theirs: int) -> None:
        self.serial = serial
        self.ours = ours
        self.theirs = theirs
        super().__init__(f"entry {serial} is of epoch {theirs}, this node is at epoch {ours}")


class DigestMismatch(StorageError):
    """Applying an entry gave another state than it did on the primary. Nothing was written."""

    def __init__(self, *, serial: int, expected: bytes, found: bytes) -> None:
        self.serial = serial
        self.expected = expected
        self.found = found
        super().__init__(
            f"state after entry {serial} has digest {found.hex()[:16]}, the entry says {expected.hex()[:16]}"
        )


class SnapshotCorrupt(StorageError):
    """A snapshot is cut, flipped, or not a snapshot. Everything is as it was."""

    def __init__(self, *, detail: str) -> None:
        self.detail = detail
        super().__init__(f"snapshot is corrupt: {detail}")


class BlobMissing(StorageError):
    """There is no durable file of that SHA-256."""

    def __init__(self, *, sha256: bytes) -> None:
        self.sha256 = sha256
        super().__init__(f"blob {sha256.hex()} is missing")


class BlobCorrupt(StorageError):
    """Bytes do not hash, or do not measure, as their name says."""

    def __init__(self, *, sha256: bytes, detail: str) -> None:
        self.sha256 = sha256
        self.detail = detail
        super().__init__(f"blob {sha256.hex()} is corrupt: {detail}")
