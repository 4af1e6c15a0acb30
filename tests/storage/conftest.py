from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.store import Store
from tests.storage.operations import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.errors import StorageError


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
