"""Shortening the changelog; the state stays as it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from storage.changelog import iterate, log_key
from storage.entry import decode_entry, position_of

if TYPE_CHECKING:
    from storage.ledger import Ledger

PRUNE_ENTRIES_MAX = 2_000
"""Entries removed in one transaction: writers wait for it."""


def prune_some(ledger: Ledger, retention_entries: int) -> bool:
    """Remove the oldest entries, at most PRUNE_ENTRIES_MAX; True when no more than the retention is left.

    Raises:
        EntryCorrupt: The entry just below the new floor is damaged, so the chain could not be continued.
        lmdb.Error: The transaction could not be committed.

    """
    meta = ledger.meta
    surplus = meta.appended.serial - meta.base.serial - retention_entries
    if surplus <= 0:
        return True
    environment = ledger.environment
    with environment.begin_write() as txn:
        doomed = list(
            islice(iterate(txn, environment, after=meta.base.serial), min(surplus, PRUNE_ENTRIES_MAX))
        )
        for serial, _ in doomed:
            txn.delete(log_key(serial), db=environment.log_db)
        last = doomed[-1][1]
        base_digest = decode_entry(last).state_digest
        ledger.commit(txn, meta=replace(meta, base=position_of(last), base_digest=base_digest))
    return surplus <= PRUNE_ENTRIES_MAX
