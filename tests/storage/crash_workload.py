"""What the crash tests run in a process of its own, until a failpoint kills it.

It prints one line for each thing that was acknowledged, before it goes on.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from storage.environment import Durability
from storage.errors import NotADataDirectory
from storage.parcels import CARRIED_BYTES_MAX
from storage.store import Store
from tests.storage.operations import CLUSTER, add_inline, add_reference, all_entries, reference

ROUNDS = 5
POLL_SECONDS = 0.003


def open_or_create(path: Path, durability: Durability = Durability.FULL) -> Store:
    try:
        return Store.open(path, durability=durability)
    except NotADataDirectory:
        return Store.create(path, cluster_id=CLUSTER, durability=durability)


def acknowledge(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def write(path: Path) -> None:
    """Upload: a streamed blob and its entry, one too large to be carried, then several small ones in one batch."""
    store = open_or_create(path)
    start = store.position.serial
    for number in range(start, start + ROUNDS):
        with store.blobs.writer() as writer:
            writer.write(b"streamed %d" % number)
            blob = writer.commit()
        store.submit(add_reference(b"streamed-%d" % number, blob)).result()
        acknowledge(f"streamed-{number}")
        large = b"large %d" % number + bytes(CARRIED_BYTES_MAX)
        store.submit(add_inline(b"sizable-%d" % number, large)).result()
        acknowledge(f"sizable-{number}")
        futures = {
            f"small-{number}-{part}": store.submit(
                add_inline(b"small-%d-%d" % (number, part), b"small %d %d" % (number, part))
            )
            for part in range(5)
        }
        for name, future in futures.items():
            future.result()
            acknowledge(name)
    store.close()


def carry(path: Path) -> None:
    """Small blobs one after the other, each with a file before the next comes."""
    store = open_or_create(path)
    start = store.position.serial
    for number in range(start, start + ROUNDS):
        content = b"carried %d" % number
        store.submit(add_inline(b"small-%d" % number, content)).result()
        acknowledge(f"small-{number}")
        while store.blobs.held(reference(content).sha256) is not None:
            time.sleep(POLL_SECONDS)
    store.close()


def follow(path: Path) -> None:
    """Replica: apply the primary's entries in batches, with their contents."""
    primary = Store.open(path / "primary")
    replica = open_or_create(path / "replica", Durability.LATER)
    entries = all_entries(primary, after=replica.position.serial)
    contents = {digest: primary.blobs.read(digest) for digest, _ in primary.blobs.stored()}
    for start in range(0, len(entries), 3):
        acknowledge(str(replica.apply(entries[start : start + 3], contents).result().serial))
    replica.close()
    primary.close()


def bootstrap(path: Path) -> None:
    """Replica with a tail of its own: write a snapshot of the primary and load it."""
    primary = Store.open(path / "primary")
    position = primary.write_snapshot(path / "snapshot")
    replica = open_or_create(path / "replica", Durability.LATER)
    replica.load_snapshot(path / "snapshot").result()
    acknowledge(str(position.serial))
    replica.close()
    primary.close()


if __name__ == "__main__":
    {"write": write, "carry": carry, "follow": follow, "bootstrap": bootstrap}[sys.argv[1]](Path(sys.argv[2]))
