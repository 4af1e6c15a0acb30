"""Write the golden data directory of the current format. Run once per format version, never again for it.

``python -m tests.storage.make_golden`` refuses to touch a version that is there already.
"""

from __future__ import annotations

import shutil
import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from storage.meta import FORMAT_VERSION
from storage.store import Store
from tests.storage.operations import CLUSTER, add_inline, delete, drop, put, reference

GOLDEN = Path(__file__).parent / "golden" / f"v{FORMAT_VERSION}"
FIRST_TIME_MS = 1_700_000_000_000


def write(data: Path) -> None:
    """Make every kind of record: puts, deletes, references, a pruned log, node-local and pending records."""
    times = count(FIRST_TIME_MS, 1000)
    store = Store.create(data, cluster_id=CLUSTER, epoch=3, clock_ms=lambda: next(times))
    for operation in (
        put(b"index/1", b"root/pypi"),
        put(b"index/2", b"team/dev"),
        add_inline(b"file/1", b"a wheel"),
        add_inline(b"file/2", b"an sdist"),
        add_inline(b"file/3", b"a wheel"),
        delete(b"index/2"),
        drop(b"file/2", reference(b"an sdist").sha256),
        put(b"index/3", b"team/prod"),
    ):
        store.submit(operation).result()
    store.change_local("pins", puts={b"name": b"digest"}).result()
    store.prune(retention_entries=6).result()
    store.write_snapshot(data.parent / "snapshot")
    store.close()


def main() -> int:
    if GOLDEN.exists():
        sys.stderr.write(f"{GOLDEN} is there: it is never written again\n")
        return 1
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write(data)
        for name in ("LOCK", "db/lock.mdb"):
            (data / name).unlink()
        for path in (data / "blobs").iterdir():
            if not list(path.iterdir()):
                path.rmdir()  # git keeps no empty folders; opening makes them again
        shutil.copytree(data, GOLDEN / "data")
        shutil.copy(data.parent / "snapshot", GOLDEN / "snapshot")
    return 0


if __name__ == "__main__":
    sys.exit(main())
