from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.changelog import log_key
from storage.check import check
from storage.environment import Environment
from storage.errors import DirectoryInUse, NotADataDirectory
from storage.findings import Severity
from storage.references import blob_key
from storage.state import seal
from storage.store import Store
from tests.storage.operations import CLUSTER, add_inline, drop, put, reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import lmdb

    from storage.findings import CheckReport

    Break = Callable[[lmdb.Transaction[bytes], Environment], object]

BLOB = reference(b"content")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A closed data directory with three entries and one blob."""
    store = Store.create(tmp_path / "data", cluster_id=CLUSTER)
    for operation in (put(b"a", b"1"), add_inline(b"b", b"content"), put(b"a", b"2")):
        store.submit(operation).result()
    store.close()
    return tmp_path / "data"


def damage_database(data: Path, breaking: Break) -> None:
    environment = Environment(data / "db", map_bytes=1 << 30, lock=None)
    with environment.lmdb.begin(write=True) as txn:
        breaking(txn, environment)
    environment.close()


def kinds(report: CheckReport, severity: Severity) -> list[str]:
    return sorted(finding.kind for finding in report.findings if finding.severity is severity)


def test_sound_directory_is_clean_and_counted(data: Path) -> None:
    heard: list[tuple[str, int]] = []

    report = check(data, progress=lambda what, count: heard.append((what, count)))

    assert (report.findings, report.is_clean) == ([], True)
    assert (report.entries, report.keys, report.blobs, report.blob_bytes) == (3, 3, 1, 7)
    assert str(report.position).startswith("1-3-")


def flip_log(txn: lmdb.Transaction[bytes], environment: Environment) -> None:
    encoded = bytearray(txn.get(log_key(2), db=environment.log_db) or b"")
    encoded[150] ^= 1
    txn.put(log_key(2), bytes(encoded), db=environment.log_db)


def flip_value(txn: lmdb.Transaction[bytes], environment: Environment) -> None:
    stored = bytearray(txn.get(b"a", db=environment.state_db) or b"")
    stored[0] ^= 1
    txn.put(b"a", bytes(stored), db=environment.state_db)


@pytest.mark.parametrize(
    ("breaking", "expected"),
    [
        (flip_log, ["entry-corrupt"]),
        (flip_value, ["state-differs", "value-corrupt"]),
        (lambda txn, env: txn.delete(log_key(2), db=env.log_db), ["chain-broken", "serial-gap"]),
        (lambda txn, env: txn.delete(log_key(3), db=env.log_db), ["digest-differs", "log-ends-elsewhere"]),
        (lambda txn, env: txn.put(b"a", seal(b"a", b"other"), db=env.state_db), ["state-differs"]),
        (lambda txn, env: txn.delete(b"a", db=env.state_db), ["state-differs"]),
        (lambda txn, env: txn.put(b"meta", b"junk", db=env.meta_db), ["position-corrupt"]),
        (lambda txn, env: txn.put(b"pending\x00" + bytes(32), b"junk", db=env.local_db), ["pending-corrupt"]),
    ],
    ids=["log-bit", "state-bit", "log-hole", "log-end", "state-other", "state-less", "meta", "pending"],
)
def test_damage_in_the_database_is_found(data: Path, breaking: Break, expected: list[str]) -> None:
    damage_database(data, breaking)

    report = check(data)

    assert kinds(report, Severity.DAMAGE) == expected
    assert not report.is_clean


def test_truncated_database_is_diagnosed_without_opening_it(data: Path) -> None:
    """Opening it with LMDB would end this process with SIGBUS."""
    file = data / "db" / "data.mdb"
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)

    assert set(kinds(check(data), Severity.DAMAGE)) == {"database-damaged"}


@pytest.mark.parametrize("content", [b"cantent", b"cont", None], ids=["flipped", "cut", "gone"])
def test_damaged_blob_is_found_and_made_pending_by_repair(data: Path, content: bytes | None) -> None:
    path = data / "blobs" / BLOB.sha256.hex()[:2] / BLOB.sha256.hex()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    kind = "blob-missing" if content is None else "blob-corrupt"

    found = check(data)
    repaired = check(data, repair=True)
    after = check(data)

    assert kinds(found, Severity.DAMAGE) == kinds(repaired, Severity.DAMAGE) == [kind]
    assert all("pending" in finding.repaired for finding in repaired.findings)
    assert (after.is_clean, after.pending_blobs, path.exists()) == (True, 1, False)
    store = Store.open(data)
    assert store.pending_blobs(limit=2) == [BLOB]
    store.close()


def test_leftovers_of_a_crash_are_notes_and_repair_removes_them(data: Path) -> None:
    (data / "blobs" / ".tmp" / "0123").write_bytes(b"half an upl")

    found = check(data)
    repaired = check(data, repair=True)

    assert kinds(found, Severity.NOTE) == kinds(repaired, Severity.NOTE) == ["stray-temporary"]
    assert found.is_clean
    assert check(data).findings == []


def test_blob_that_nothing_refers_to_is_listed_and_kept(data: Path) -> None:
    store = Store.open(data)
    store.submit(drop(b"b", BLOB.sha256)).result()
    store.close()

    report = check(data, repair=True)

    assert kinds(report, Severity.NOTE) == ["blob-orphan"]
    assert (report.is_clean, report.blobs) == (True, 1)


def test_pending_records_are_compared_with_the_state(data: Path) -> None:
    damage_database(
        data,
        lambda txn, env: [
            txn.put(b"pending\x00" + digest, seal(b"pending\x00" + digest, b"\x91\x07"), db=env.local_db)
            for digest in (BLOB.sha256, bytes(32))
        ],
    )

    report = check(data)

    assert kinds(report, Severity.NOTE) == ["pending-present"]
    assert kinds(report, Severity.DAMAGE) == ["pending-unneeded"]
    assert str(report.findings[0]).startswith("note: pending-present: ")


def test_reference_count_names_the_blob_it_is_about(data: Path) -> None:
    damage_database(data, lambda txn, env: txn.delete(blob_key(BLOB.sha256), db=env.state_db))

    report = check(data)

    assert kinds(report, Severity.NOTE) == ["blob-orphan"]
    assert kinds(report, Severity.DAMAGE) == ["state-differs"]


def test_directory_in_use_is_refused(data: Path) -> None:
    store = Store.open(data)

    with pytest.raises(DirectoryInUse):
        check(data)
    store.close()


def test_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADataDirectory):
        check(tmp_path)
