"""How much of everything: one table for the full bench and one for the tiny run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the questions; every result line carries the ones it used."""

    repeats: int = 3
    seed: int = 20_26
    wrk_threads: int = 1
    wrk_connections: int = 16
    wrk_seconds: int = 4
    wrk_warm_up_seconds: int = 1
    page_files: int = 300  # the long simple page; the short one has one file
    page_file_bytes: int = 2048  # each wheel of the long page
    small_file_bytes: int = 1024
    large_file_bytes: int = 20_000_000
    large_file_connections: int = 4
    large_file_seconds: int = 3
    upload_clients: int = 4
    upload_seconds: int = 5
    upload_file_bytes: int = 2048
    upload_count_max: int = 6000  # per repeat; wheels are made before the clock starts
    visible_changes: int = 200  # per repeat and peer: a p99 of fewer would be the maximum
    catch_up_entries: int = 9000  # below the default --snapshot-after-entries, so the log is replayed too
    catch_up_entries_devpi: int = 1000
    catch_up_files: int = 500
    catch_up_files_devpi: int = 100
    catch_up_clients: int = 16
    nginx_workers: int = 1
    wait_seconds: float = 120.0  # the longest wait for any single condition


FULL = Settings()

QUICK = Settings(
    repeats=1,
    wrk_connections=4,
    wrk_seconds=1,
    page_files=10,
    large_file_bytes=1_000_000,
    large_file_connections=2,
    large_file_seconds=1,
    upload_seconds=1,
    upload_count_max=40,
    visible_changes=5,
    catch_up_entries=50,
    catch_up_entries_devpi=10,
    catch_up_files=10,
    catch_up_files_devpi=5,
    catch_up_clients=4,
    wait_seconds=60.0,
)
