from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.parcels import Parcels
from storage.store import Store
from tests.storage.operations import CLUSTER, carry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.errors import StorageError


FOREVER_SECONDS = 3600.0


@pytest.fixture
def fatal() -> list[StorageError]:
    """What a store under test would have ended the process for."""
    return []


@pytest.fixture
def primary(tmp_path: Path, fatal: list[StorageError]) -> Iterator[Store]:
    store = Store.create(tmp_path / "primary", cluster_id=CLUSTER, on_fatal=fatal.append)
    yield store
    store.close()


@pytest.fixture
def replica(tmp_path: Path, fatal: list[StorageError]) -> Iterator[Store]:
    store = Store.create(tmp_path / "replica", cluster_id=None, on_fatal=fatal.append)
    store.adopt_cluster(CLUSTER)
    yield store
    store.close()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is unpacked or removed because the writer is idle."""
    monkeypatch.setattr("storage.parcels.UNPACK_AFTER_SECONDS", FOREVER_SECONDS)
    monkeypatch.setattr("storage.parcels.REMOVE_AFTER_SECONDS", FOREVER_SECONDS)


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose process ended before it unpacked."""
    store = Store.create(tmp_path / "data", cluster_id=CLUSTER)
    monkeypatch.setattr(Parcels, "unpack", lambda _self: None)
    carry(store)
    store.close()
    monkeypatch.undo()
    return tmp_path / "data"
