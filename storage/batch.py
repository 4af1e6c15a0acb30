"""Operations to entries: one batch of the writer, decided in memory, then written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storage.blobs import verify_content
from storage.changelog import append
from storage.draft import Receipt
from storage.entry import (
    CONTENT_BYTES_MAX,
    KEY_BYTES_MAX,
    READER_VERSION,
    Entry,
    Put,
    encode_entry,
    position_of,
)
from storage.errors import BlobCorrupt, BlobMissing, DraftInvalid
from storage.failpoints import failpoint
from storage.overlay import OverlayView
from storage.pending import PendingTable
from storage.position import Serial
from storage.references import RESERVED_PREFIX, reference_changes
from storage.state import DIGEST_MODULUS, digest_bytes, pair_digest, seal
from storage.view import StateView

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from storage.draft import Draft, Operation
    from storage.entry import Change
    from storage.ledger import Ledger

Outcome = Receipt[Any] | Exception


@dataclass(frozen=True, slots=True)
class Submission:
    """An operation and who waits for it."""

    operation: Operation[Any]
    future: Future[Receipt[Any]]


class Batch:
    """Runs operations one after the other over an overlay, and collects their entries.

    Nothing outside of this object changes until write(), so a batch that cannot be
    written leaves no trace.
    """

    def __init__(self, ledger: Ledger, base: StateView) -> None:
        self._ledger = ledger
        self._overlay = OverlayView(base, ledger.meta.applied)
        self._digest = int.from_bytes(ledger.meta.digest, "big")
        self._time_ms = ledger.meta.time_ms
        self._encoded: list[bytes] = []
        self._changes: list[Change] = []

    def run(self, operation: Operation[Any]) -> Outcome:
        """Run one operation; whatever it raises, and whatever is wrong with its draft, is its own outcome."""
        try:
            draft, result = operation(self._overlay)
            if draft is not None:
                self._add(draft)
        except Exception as error:  # noqa: BLE001 - goes to the submitter, who alone can act on it
            return error
        return Receipt(self._overlay.position, result)

    def _add(self, draft: Draft) -> None:
        self._check(draft)
        overlay = self._overlay
        changes = (*draft.changes, *reference_changes(overlay.get, draft.adds, draft.drops))
        changed, digest = self._fold(changes)
        time_ms = max(self._ledger.clock_ms(), self._time_ms + 1)
        encoded = encode_entry(
            Entry(
                epoch=self._ledger.meta.epoch,
                serial=Serial(overlay.position.serial + 1),
                time_ms=time_ms,
                min_reader=READER_VERSION,
                previous_chain=overlay.position.chain,
                state_digest=digest_bytes(digest),
                changes=changes,
                blobs=draft.adds,
                actor=draft.actor,
                request_id=draft.request_id,
            )
        )
        self._digest = digest
        self._time_ms = time_ms
        self._encoded.append(encoded)
        self._changes.extend(changes)
        overlay.advance(position_of(encoded), changed, draft.contents)

    def _check(self, draft: Draft) -> None:
        for change in draft.changes:
            if not 1 <= len(change.key) <= KEY_BYTES_MAX or change.key.startswith(RESERVED_PREFIX):
                raise DraftInvalid(
                    detail=f"key {change.key!r} is empty, reserved or above {KEY_BYTES_MAX} bytes"
                )
        for digest, content in draft.contents.items():
            if len(content) > CONTENT_BYTES_MAX:
                raise DraftInvalid(detail=f"a blob of {len(content)} bytes exceeds {CONTENT_BYTES_MAX}")
            verify_content(digest, content)
        for blob in draft.adds:
            content_or_none = draft.contents.get(blob.sha256, self._overlay.contents.get(blob.sha256))
            size_bytes = (
                self._ledger.blobs.size_bytes(blob.sha256)
                if content_or_none is None
                else len(content_or_none)
            )
            if size_bytes is None:
                raise BlobMissing(sha256=blob.sha256)
            if size_bytes != blob.size_bytes:
                raise BlobCorrupt(
                    sha256=blob.sha256, detail=f"{size_bytes} bytes, draft says {blob.size_bytes}"
                )

    def _fold(self, changes: Iterable[Change]) -> tuple[dict[bytes, bytes | None], int]:
        """Return what the changes leave behind, and the digest of the state after them."""
        changed: dict[bytes, bytes | None] = {}
        digest = self._digest
        for change in changes:
            key = change.key
            old = changed[key] if key in changed else self._overlay.get(key)
            if old is not None:
                digest -= pair_digest(key, old)
            if isinstance(change, Put):
                digest += pair_digest(key, change.value)
                changed[key] = change.value
            else:
                changed[key] = None
        return changed, digest % DIGEST_MODULUS

    def write(self) -> bool:
        """Make contents, log, state and position durable; False when there was nothing to write.

        Raises:
            StorageFull: The disk has too little room for it.
            OSError: Contents could not be made durable.
            lmdb.Error: The transaction could not be committed.
            EnvironmentBroken: The log contradicts the position record.

        """
        if not self._encoded:
            return False
        ledger = self._ledger
        environment = ledger.environment
        serial = ledger.meta.appended.serial
        contents = self._overlay.contents
        brings_bytes = sum(map(len, self._encoded)) + sum(map(len, contents.values()))
        with (
            ledger.parcels.carrying(contents, entries=len(self._encoded)) as carried,
            environment.begin_write(brings_bytes=brings_bytes) as txn,
        ):
            failpoint("writer.append")
            ledger.parcels.put(txn, carried)
            for count, encoded in enumerate(self._encoded, start=1):
                append(txn, environment, Serial(serial + count), encoded)
            failpoint("writer.apply")
            for key, value in self._overlay.changed.items():
                if value is None:
                    txn.delete(key)
                else:
                    txn.put(key, seal(key, value))
            pending = PendingTable(txn, environment, ledger.blobs, ledger.pending)
            if ledger.pending.count:
                pending.follow(self._changes)
            ledger.commit(
                txn,
                meta=ledger.meta.moved_to(
                    self._overlay.position, digest=digest_bytes(self._digest), time_ms=self._time_ms
                ),
                pending=pending.totals,
                entries=len(self._encoded),
            )
        return True


def run_submissions(ledger: Ledger, submissions: list[Submission]) -> list[tuple[Submission, Outcome]]:
    """Run and write a batch; nobody is answered before it is durable, not even who is refused.

    A refusal may rest on another operation of the batch, so it is not true before that is.

    Raises:
        OSError: Contents could not be made durable.
        lmdb.Error: The transaction could not be committed.
        EnvironmentBroken: The log contradicts the position record.

    """
    with StateView(ledger.environment, ledger.blobs) as base:
        batch = Batch(ledger, base)
        outcomes = [(submission, batch.run(submission.operation)) for submission in submissions]
    batch.write()
    return outcomes
