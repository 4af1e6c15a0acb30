"""Verifying a data directory that no process has open: every checksum, chain, digest and blob.

Repair removes what a killed process left in the temporary folder, puts damaged blob files into ``set-aside/``,
removes damaged parcels, and marks missing and damaged blobs as pending, so that a node fetches them again. It
touches no other record.
"""

from __future__ import annotations

from hashlib import file_digest
from typing import TYPE_CHECKING

from lmdb.verify import VerifyError, verify

from storage.blobs import BlobStore
from storage.changelog import iterate
from storage.entry import chain_of, decode_entry, position_of
from storage.environment import MAP_BYTES_DEFAULT, Environment
from storage.errors import EntryCorrupt, EntryTooNew, NotADataDirectory, StateCorrupt
from storage.findings import CheckReport
from storage.lock import directory_lock
from storage.parcels import PARCEL_PREFIX, iterate_parcels
from storage.pending import PendingTable, iterate_pending, read_totals
from storage.position import Position
from storage.references import is_blob_key, reference_of
from storage.state import digest_bytes, pair_digest, unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import lmdb

    from storage.entry import BlobRef, Entry
    from storage.meta import Meta

PROGRESS_ITEMS = 1_000
"""``progress`` is called once for so many entries, keys or blobs."""


def check(
    path: Path,
    *,
    repair: bool = False,
    progress: Callable[[str, int], None] | None = None,
    map_bytes: int = MAP_BYTES_DEFAULT,
) -> CheckReport:
    """Verify a data directory; ``progress`` hears what is being verified and how many of it are done.

    Raises:
        NotADataDirectory: No store was completed there.
        DirectoryInUse: Another process is at work there.
        FormatTooNew: A later version wrote it.
        EnvironmentBroken: LMDB cannot open it although its structure is sound.

    """
    if not (path / "db" / "data.mdb").exists():
        raise NotADataDirectory(path=path)
    with directory_lock(path):
        report = CheckReport()
        # The verifier reads the file itself: opening a truncated one with LMDB kills the process with SIGBUS.
        for problem in _structural_problems(path / "db"):
            report.damage("database-damaged", problem)
        if report.is_clean:
            environment = Environment(path / "db", map_bytes=map_bytes, lock=None)
            try:
                _Check(path, environment, report, repair=repair, progress=progress).run()
            finally:
                environment.close()
        return report


def _structural_problems(path: Path) -> list[str]:
    try:
        return list(verify(str(path)))  # type: ignore[no-untyped-call]
    except VerifyError as error:
        return [str(error)]


class _Check:
    def __init__(
        self,
        path: Path,
        environment: Environment,
        report: CheckReport,
        *,
        repair: bool,
        progress: Callable[[str, int], None] | None,
    ) -> None:
        self._path = path
        self._environment = environment
        self._blobs = BlobStore(path / "blobs")
        self._report = report
        self._repair = repair
        self._progress = progress

    def run(self) -> None:
        try:
            meta = self._environment.read_meta()
        except StateCorrupt as error:
            self._report.damage("position-corrupt", str(error))
            return
        self._report.position = meta.applied
        self._blobs.create()
        with self._environment.begin_read() as txn:
            self._check_log(txn, meta)
            needed = self._check_state(txn, meta)
            pending = self._pending(txn)
            parcels, damaged = self._parcels(txn)
        lost = self._check_blobs(needed, pending, parcels)
        if (lost or damaged) and self._repair:
            self._mark_pending(lost, damaged)
        for temporary in self._blobs.temporaries():
            self._report.note("stray-temporary", temporary.name, repaired="removed" if self._repair else "")
            if self._repair:
                temporary.unlink()

    def _check_log(self, txn: lmdb.Transaction[bytes], meta: Meta) -> None:
        previous = meta.base
        digest = meta.base_digest
        time_ms = 0
        for serial, encoded in iterate(txn, self._environment, after=0):
            self._report.entries += 1
            self._tell("entries", self._report.entries)
            try:
                entry = decode_entry(encoded)
            except (EntryCorrupt, EntryTooNew) as error:
                self._report.damage("entry-corrupt", f"serial {serial}: {error}")
                previous = position_of(encoded) if len(encoded) > 200 else previous
                continue
            self._check_order(serial, entry, previous, time_ms)
            previous = Position(entry.epoch, entry.serial, chain_of(encoded))
            digest = entry.state_digest
            time_ms = entry.time_ms
        if previous != meta.appended:
            self._report.damage(
                "log-ends-elsewhere", f"last entry {previous}, position record {meta.appended}"
            )
        if digest != meta.digest:
            self._report.damage(
                "digest-differs", "last entry and position record disagree on the state's digest"
            )

    def _check_order(self, serial: int, entry: Entry, previous: Position, time_ms: int) -> None:
        if not serial == entry.serial == previous.serial + 1:
            self._report.damage("serial-gap", f"after {previous.serial}: key {serial}, entry {entry.serial}")
        if entry.previous_chain != previous.chain:
            self._report.damage("chain-broken", f"entry {serial} does not continue {previous}")
        if entry.epoch < previous.epoch:
            self._report.damage("epoch-went-back", f"entry {serial}: {entry.epoch} after {previous.epoch}")
        if entry.time_ms <= time_ms:
            self._report.note("time-went-back", f"entry {serial}: {entry.time_ms} after {time_ms}")

    def _check_state(self, txn: lmdb.Transaction[bytes], meta: Meta) -> dict[bytes, BlobRef]:
        """Check every value and the digest; return the blobs that the state needs."""
        needed: dict[bytes, BlobRef] = {}
        total = 0
        with txn.cursor(db=self._environment.state_db) as cursor:
            for key, stored in cursor.iternext() if cursor.first() else ():
                self._report.keys += 1
                self._tell("keys", self._report.keys)
                try:
                    value = unseal(key, stored)
                except StateCorrupt as error:
                    self._report.damage("value-corrupt", str(error))
                    continue
                total += pair_digest(key, value)
                if is_blob_key(key):
                    needed[key[-32:]] = reference_of(key, value)
        if digest_bytes(total) != meta.digest:
            self._report.damage(
                "state-differs", "the state does not add up to the digest of the position record"
            )
        return needed

    def _pending(self, txn: lmdb.Transaction[bytes]) -> set[bytes]:
        try:
            return {blob.sha256 for blob in iterate_pending(txn, self._environment.local_db)}
        except StateCorrupt as error:
            self._report.damage("pending-corrupt", str(error))
            return set()

    def _parcels(self, txn: lmdb.Transaction[bytes]) -> tuple[set[bytes], set[bytes]]:
        """Hash every parcel; return those that are sound and those that are not."""
        sound: set[bytes] = set()
        damaged: set[bytes] = set()
        for digest, content in iterate_parcels(txn, self._environment.local_db):
            if content is None:
                damaged.add(digest)
                self._report.damage(
                    "parcel-corrupt", digest.hex(), repaired="removed" if self._repair else ""
                )
            else:
                sound.add(digest)
                self._report.note(
                    "parcel-held", f"{digest.hex()}: {len(content)} bytes, the next start unpacks it"
                )
        return sound, damaged

    def _check_blobs(
        self, needed: dict[bytes, BlobRef], pending: set[bytes], parcels: set[bytes]
    ) -> list[BlobRef]:
        """Hash every blob file; return those that are needed and not here."""
        lost: list[BlobRef] = []
        present = parcels.copy()
        for digest, size_bytes in self._blobs.stored():
            present.add(digest)
            self._report.blobs += 1
            self._report.blob_bytes += size_bytes
            self._tell("blobs", self._report.blobs)
            if digest not in needed:
                self._report.note("blob-orphan", f"{digest.hex()}: {size_bytes} bytes, nothing refers to it")
            elif not self._is_sound(needed[digest], size_bytes):
                self._report.damage("blob-corrupt", digest.hex(), repaired=self._put_away(digest))
                lost.append(needed[digest])
        for digest, blob in needed.items():
            if digest in pending and digest not in present:
                self._report.pending_blobs += 1
            elif digest not in present:
                self._report.damage("blob-missing", digest.hex(), repaired="pending" if self._repair else "")
                lost.append(blob)
        for digest in pending & present:
            self._report.note("pending-present", f"{digest.hex()} is here, its arrival was not noted yet")
        for digest in pending - needed.keys():
            self._report.damage("pending-unneeded", f"{digest.hex()} is pending, nothing refers to it")
        return lost

    def _is_sound(self, blob: BlobRef, size_bytes: int) -> bool:
        with self._blobs.path(blob.sha256).open("rb") as file:
            return size_bytes == blob.size_bytes and file_digest(file, "sha256").digest() == blob.sha256

    def _put_away(self, digest: bytes) -> str:
        if not self._repair:
            return ""
        folder = self._path / "set-aside"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._blobs.path(digest).rename(folder / f"{digest.hex()}.damaged")
        return "set aside, pending"

    def _mark_pending(self, lost: Iterable[BlobRef], damaged_parcels: Iterable[bytes]) -> None:
        with self._environment.begin_write() as txn:
            table = PendingTable(txn, self._environment, self._blobs, read_totals(self._environment))
            for blob in lost:
                table.require(blob)
            for digest in damaged_parcels:
                txn.delete(PARCEL_PREFIX + digest, db=self._environment.local_db)

    def _tell(self, what: str, count: int) -> None:
        if self._progress is not None and count % PROGRESS_ITEMS == 0:
            self._progress(what, count)
