"""Replacing the whole state by a snapshot, in one LMDB transaction."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from storage.changelog import position_at
from storage.errors import EnvironmentBroken, ForeignCluster, SnapshotCorrupt
from storage.failpoints import failpoint
from storage.meta import Meta
from storage.pending import PendingTable
from storage.position import Position, Serial
from storage.references import is_blob_key, reference_of
from storage.set_aside import set_aside_after
from storage.snapshot import SnapshotHeader, read_pairs, verify_snapshot
from storage.state import digest_bytes, pair_digest, seal

if TYPE_CHECKING:
    from pathlib import Path

    import lmdb

    from storage.ledger import Ledger


def load_snapshot(ledger: Ledger, source: Path, *, common: Serial | None) -> Position:
    """Set a diverged tail aside, then replace log, state, position and pending blobs.

    Raises:
        SnapshotCorrupt: The file is cut, flipped, or does not add up to its digest; everything is as it was.
        ForeignCluster: The file is of another cluster.
        StateCorrupt: A record of a pending blob fails its checksum.
        OSError: The disk is full or failed.
        lmdb.Error: The transaction could not be committed.

    """
    header = verify_snapshot(source)
    ours = ledger.meta.cluster_id
    if ours is not None and ours != header.cluster_id:
        raise ForeignCluster(path=ledger.path, ours=ours, theirs=header.cluster_id)
    failpoint("snapshot.verified")
    set_aside_after(ledger, last_common(ledger, header) if common is None else common)
    environment = ledger.environment
    with environment.begin_write() as txn:
        txn.drop(environment.log_db, delete=False)
        txn.drop(environment.state_db, delete=False)
        pending = PendingTable(txn, environment, ledger.blobs, ledger.pending)
        pending.clear()
        _put_pairs(txn, source, header, pending)
        failpoint("snapshot.commit")
        ledger.commit(txn, meta=_meta_of(ledger, header), pending=pending.totals)
    failpoint("snapshot.committed")
    return header.position


def _put_pairs(
    txn: lmdb.Transaction[bytes], source: Path, header: SnapshotHeader, pending: PendingTable
) -> None:
    total = 0
    for key, value in read_pairs(source):
        if not txn.put(key, seal(key, value), append=True):
            raise EnvironmentBroken(detail=f"snapshot key {key!r} is not above the last one")
        total += pair_digest(key, value)
        if is_blob_key(key):
            pending.require(reference_of(key, value))
    if digest_bytes(total) != header.digest:
        raise SnapshotCorrupt(detail="state does not add up to its digest")


def _meta_of(ledger: Ledger, header: SnapshotHeader) -> Meta:
    meta = Meta(cluster_id=header.cluster_id, epochs=header.epochs)
    meta = meta.moved_to(header.position, digest=header.digest, time_ms=header.time_ms)
    if meta.cluster_id is None:
        meta = replace(meta, cluster_id=ledger.meta.cluster_id)
    return replace(meta, base=header.position, base_digest=header.digest)


def last_common(ledger: Ledger, header: SnapshotHeader) -> Serial:
    """Return the last serial that our history shares with the snapshot's, as far as can be known here.

    One primary writes in an epoch, so histories agree up to where the first differing epoch begins.
    """
    meta = ledger.meta
    shared = [
        ours
        for ours, _ in takewhile(
            lambda pair: pair[0] == pair[1], zip(meta.epochs, header.epochs, strict=False)
        )
    ]
    if not shared:
        return Serial(0)
    ends = [
        epochs[len(shared)].first_serial - 1 if len(epochs) > len(shared) else position.serial
        for epochs, position in ((meta.epochs, meta.appended), (header.epochs, header.position))
    ]
    common = Serial(min(ends))
    if common == header.position.serial:
        held = position_at(ledger.environment, meta, common)
        if held is not None and held.chain != header.position.chain:
            return Serial(0)
    return common
