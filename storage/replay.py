"""Applying entries that another node wrote: everything is verified before the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.blobs import verify_content
from storage.changelog import append, position_at
from storage.entry import Put, chain_of, decode_entry
from storage.errors import DigestMismatch, EpochWentBack, PositionDiverged, SerialGap, SerialPruned
from storage.failpoints import failpoint
from storage.pending import PendingTable
from storage.position import Position
from storage.state import DIGEST_MODULUS, digest_bytes, pair_digest, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import lmdb

    from storage.entry import Change, Entry
    from storage.ledger import Ledger
    from storage.meta import Meta


def apply_entries(ledger: Ledger, entries: Sequence[bytes], contents: Mapping[bytes, bytes]) -> Position:
    """Append and apply entries in one transaction; entries already applied are compared and skipped.

    Raises:
        EntryCorrupt: An entry fails its own checksums.
        EntryTooNew: An entry needs a later version.
        SerialGap: An entry is missing in between.
        SerialPruned: An entry is so old that it can no longer be compared.
        PositionDiverged: An entry does not continue our history.
        EpochWentBack: An entry comes from a deposed primary.
        DigestMismatch: The state would differ from the primary's.
        StateCorrupt: A value that an entry replaces fails its checksum.
        BlobCorrupt: A content is not that of its name.
        StorageFull: The disk has too little room for it.
        OSError: Contents could not be made durable.
        lmdb.Error: The transaction could not be committed.

    """
    fresh, meta = _verify_chain(ledger, entries)
    if not fresh:
        return ledger.meta.applied
    for digest, content in contents.items():
        verify_content(digest, content)
    environment = ledger.environment
    with (
        ledger.parcels.carrying(contents, entries=len(fresh)) as carried,
        environment.begin_write(brings_bytes=_size_of(fresh, contents)) as txn,
    ):
        failpoint("apply.begin")
        ledger.parcels.put(txn, carried)
        total = int.from_bytes(ledger.meta.digest, "big")
        pending = PendingTable(txn, environment, ledger.blobs, ledger.pending)
        for encoded, entry in fresh:
            append(txn, environment, entry.serial, encoded)
            total = apply_changes(txn, entry.changes, total)
            if digest_bytes(total) != entry.state_digest:
                raise DigestMismatch(
                    serial=entry.serial, expected=entry.state_digest, found=digest_bytes(total)
                )
            pending.follow(entry.changes)
        failpoint("apply.commit")
        ledger.commit(txn, meta=meta, pending=pending.totals, entries=len(fresh))
    failpoint("apply.committed")
    return meta.applied


def _size_of(fresh: Sequence[tuple[bytes, Entry]], contents: Mapping[bytes, bytes]) -> int:
    return sum(len(encoded) for encoded, _ in fresh) + sum(map(len, contents.values()))


def _verify_chain(ledger: Ledger, entries: Sequence[bytes]) -> tuple[list[tuple[bytes, Entry]], Meta]:
    """Return the entries to apply, and the position record after them."""
    fresh: list[tuple[bytes, Entry]] = []
    meta = ledger.meta
    head = meta.applied
    for encoded in entries:
        entry = decode_entry(encoded)
        if entry.serial <= meta.applied.serial:
            _verify_same(ledger, entry, encoded)
            continue
        if entry.serial != head.serial + 1:
            raise SerialGap(expected=head.serial + 1, found=entry.serial)
        if entry.previous_chain != head.chain:
            raise PositionDiverged(serial=head.serial, ours=head.chain, theirs=entry.previous_chain)
        if entry.epoch < meta.epoch:
            raise EpochWentBack(serial=entry.serial, ours=meta.epoch, theirs=entry.epoch)
        if entry.epoch > meta.epoch:
            meta = meta.with_epoch(entry.epoch, first_serial=entry.serial, previous_chain=head.chain)
        head = Position(entry.epoch, entry.serial, chain_of(encoded))
        fresh.append((encoded, entry))
    if fresh:
        last = fresh[-1][1]
        meta = meta.moved_to(head, digest=last.state_digest, time_ms=last.time_ms)
    return fresh, meta


def _verify_same(ledger: Ledger, entry: Entry, encoded: bytes) -> None:
    ours = position_at(ledger.environment, ledger.meta, entry.serial)
    if ours is None:
        raise SerialPruned(serial=entry.serial - 1, floor=ledger.meta.floor)
    if ours.chain != chain_of(encoded):
        raise PositionDiverged(serial=entry.serial, ours=ours.chain, theirs=chain_of(encoded))


def apply_changes(txn: lmdb.Transaction[bytes], changes: Iterable[Change], digest: int) -> int:
    """Change the state and return its digest afterwards.

    Raises:
        StateCorrupt: A value that is replaced fails its checksum.

    """
    for change in changes:
        key = change.key
        if isinstance(change, Put):
            stored = txn.replace(key, seal(key, change.value))
            digest += pair_digest(key, change.value)
        else:
            stored = txn.pop(key)
        if stored is not None:
            digest -= pair_digest(key, unseal(key, stored))
    return digest % DIGEST_MODULUS
