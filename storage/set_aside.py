"""Entries that were applied here and are not part of the cluster's history; kept for a human.

``set-aside/<epoch>-<first serial>-<last serial>-<chain>.entries``: magic ``WYA1``, then for each entry its
length, 4 bytes big-endian, and the encoded entry. Named by content: the same tail gives the same file.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from storage.changelog import iterate
from storage.durable import replacing, sync_folder
from storage.errors import EntryCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.ledger import Ledger
    from storage.position import Serial

_MAGIC = b"WYA1"
_LENGTH = struct.Struct(">I")


def set_aside_after(ledger: Ledger, common: Serial) -> Path | None:
    """Write the retained entries above ``common`` to a durable file; None when there are none.

    Raises:
        OSError: The disk is full or failed; there is no such file then.

    """
    meta = ledger.meta
    first = max(common, meta.base.serial) + 1
    if meta.appended.serial < first:
        return None
    folder = ledger.path / "set-aside"
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(ledger.path)
    head = meta.appended
    target = folder / f"{head.epoch}-{first:020}-{head.serial:020}-{head.chain.hex()[:16]}.entries"
    environment = ledger.environment
    with environment.begin_read() as txn, replacing(target, failpoint_name="set-aside.rename") as file:
        file.write(_MAGIC)
        for _, encoded in iterate(txn, environment, after=first - 1):
            file.write(_LENGTH.pack(len(encoded)) + encoded)
    return target


def read_set_aside(source: Path) -> Iterator[bytes]:
    """Iterate over the encoded entries of a file that was set aside.

    Raises:
        EntryCorrupt: The file is cut.

    """
    with source.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise EntryCorrupt(detail=f"{source.name} does not hold entries")
        while head := file.read(_LENGTH.size):
            encoded = file.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
            if not encoded or len(encoded) != _LENGTH.unpack(head)[0]:
                raise EntryCorrupt(detail=f"{source.name} is cut")
            yield encoded
