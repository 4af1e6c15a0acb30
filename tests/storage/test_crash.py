"""kill -9 at every failpoint: what was acknowledged is there, and the directory is clean."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.check import check
from storage.set_aside import read_set_aside
from storage.store import Store
from tests.storage.operations import CLUSTER, add_inline, all_entries, everything, put, read, reference

ROOT = Path(__file__).parents[2]


def run(workload: str, path: Path, *, failpoints: str) -> tuple[int, list[str]]:
    """Run a workload; return its exit status and what it acknowledged."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.storage.crash_workload", workload, str(path)],
        cwd=ROOT,
        env={**os.environ, "WHEELYARD_FAILPOINTS": failpoints, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return finished.returncode, finished.stdout.split()


WRITE_POINTS = [
    "blob.fsync",
    "blob.rename",
    "blob.sync-folder",
    "blob.committed",
    "blobs.sync-files",
    "blobs.rename",
    "blobs.sync-names",
    "writer.append",
    "writer.apply",
    "writer.commit",
    "writer.committed",
]


@pytest.mark.parametrize(
    ("point", "hit"),
    [(point, 1) for point in WRITE_POINTS[::2]] + [(point, 4) for point in WRITE_POINTS],
    ids=str,
)
def test_acknowledged_writes_survive_a_kill(tmp_path: Path, point: str, hit: int) -> None:
    """K1 to K12 of an upload: kill at the point, verify, reopen, compare, then write again and verify again."""
    data = tmp_path / "data"

    status, acknowledged = run("write", data, failpoints=f"{point}=kill@{hit}")

    assert status == -signal.SIGKILL
    assert check(data).is_clean
    store = Store.open(data)
    missing = [name for name in acknowledged if read(store, name.encode()) is None]
    lost_blobs = [
        digest for key, digest in everything(store) if key.startswith(b"s") and not store.blobs.has(digest)
    ]
    store.close()
    assert (missing, lost_blobs) == ([], [])

    status, again = run("write", data, failpoints="")
    assert (status, len(again)) == (0, 35)
    report = check(data)
    assert report.is_clean
    assert "stray-temporary" not in {finding.kind for finding in report.findings}


PARCEL_POINTS = ["parcels.unpack", "blobs.sync-files", "blobs.rename", "blobs.sync-names", "parcels.remove"]


@pytest.mark.parametrize("hit", [1, 3], ids=str)
@pytest.mark.parametrize("point", [*PARCEL_POINTS, "writer.append", "writer.commit", "writer.committed"])
def test_acknowledged_parcels_survive_a_kill(tmp_path: Path, point: str, hit: int) -> None:
    """P1, P2: every acknowledged content is there byte for byte, as a parcel before a start, as a file after."""
    data = tmp_path / "data"

    status, acknowledged = run("carry", data, failpoints=f"{point}=kill@{hit}")

    assert status == -signal.SIGKILL
    assert check(data).is_clean
    store = Store.open(data)
    contents = {name: b"carried " + name.split("-")[1].encode() for name in acknowledged}
    found = {name: store.blobs.read(read(store, name.encode()) or b"") for name in acknowledged}
    held = [name for name, content in contents.items() if store.blobs.held(reference(content).sha256)]
    store.close()
    assert (found, held) == (contents, [])
    assert not {finding.kind for finding in check(data).findings} & {"parcel-held", "stray-temporary"}

    assert run("carry", data, failpoints="")[0] == 0
    assert check(data).is_clean


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A primary with ten entries, closed."""
    store = Store.create(tmp_path / "primary", cluster_id=CLUSTER)
    for number in range(10):
        store.submit(add_inline(b"key-%d" % number, b"content %d" % number)).result()
    store.close()
    return tmp_path


def compare(pair: Path) -> None:
    primary, replica = Store.open(pair / "primary"), Store.open(pair / "replica")
    assert (replica.position, replica.digest, everything(replica)) == (
        primary.position,
        primary.digest,
        everything(primary),
    )
    primary.close()
    replica.close()


@pytest.mark.parametrize(
    "point", ["apply.begin", "apply.commit", "writer.committed", "apply.committed", "writer.settle"]
)
def test_replica_killed_while_applying_ends_equal(pair: Path, point: str) -> None:
    """R2 to R4: kill in the second batch, verify, run again to the end, compare with the primary."""
    status, acknowledged = run("follow", pair, failpoints=f"{point}=kill@2")

    assert status == -signal.SIGKILL
    assert check(pair / "replica").is_clean
    replica = Store.open(pair / "replica")
    assert replica.position.serial >= int(acknowledged[-1])
    replica.close()

    assert run("follow", pair, failpoints="")[0] == 0
    assert check(pair / "replica").findings == []
    compare(pair)


@pytest.mark.parametrize(
    "point",
    [
        "snapshot.write",
        "snapshot.rename",
        "snapshot.verified",
        "set-aside.rename",
        "snapshot.commit",
        "writer.committed",
        "snapshot.committed",
    ],
)
def test_replica_killed_in_bootstrap_has_the_old_state_or_the_new(pair: Path, point: str) -> None:
    """R6 to R8: a replica with a diverged tail is killed; nothing in between, and the tail is never lost."""
    replica = Store.create(pair / "replica", cluster_id=CLUSTER, epoch=2)
    replica.submit(put(b"own", b"history")).result()
    tail = all_entries(replica)
    before = replica.position
    replica.close()

    status, acknowledged = run("bootstrap", pair, failpoints=f"{point}=kill@1")

    assert (status, acknowledged) == (-signal.SIGKILL, [])
    assert check(pair / "replica").is_clean
    replica = Store.open(pair / "replica")
    assert (replica.position == before) == (point not in {"writer.committed", "snapshot.committed"})
    replica.close()

    assert run("bootstrap", pair, failpoints="")[0] == 0
    compare(pair)
    replica = Store.open(pair / "replica")
    (path,) = replica.set_aside()
    replica.close()
    assert list(read_set_aside(path)) == tail


def test_misspelt_action_is_refused() -> None:
    """Else a crash test with a typing error would pass without a crash."""
    finished = subprocess.run(
        [sys.executable, "-c", "import storage.failpoints"],
        cwd=ROOT,
        env={**os.environ, "WHEELYARD_FAILPOINTS": "writer.commit=explode", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "unknown action" in finished.stderr
