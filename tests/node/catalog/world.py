"""A real store with users and indexes, and short words for what happens in it."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import msgpack

from node.catalog import keys
from node.catalog.deletion import delete_file, delete_project, delete_version
from node.catalog.indexes import create_index, delete_index, modify_index, reap_deleted_index
from node.catalog.lookups import get_index
from node.catalog.permissions import NOBODY, Identity
from node.catalog.push import ActionLog, parse_request, parse_target, push_hosted
from node.catalog.records import BLOB_MARK, Fields, FileRecord
from node.catalog.releases import ReceivedFile, UploadOutcome, register_release, upload_file
from node.catalog.users import create_user
from storage.references import BLOB_KEY_PREFIX
from storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from storage.draft import Operation

T = TypeVar("T")
CLUSTER = bytes(range(16))
ALICE = Identity("alice", 2)
ROOT = Identity("root", 1)


def pair(index: str) -> tuple[str, str]:
    """Return the two names of ``user/index``."""
    user, _, name = index.partition("/")
    return user, name


class World:
    """Users root and alice; time passes a second per operation."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.create(folder, cluster_id=CLUSTER, map_bytes=1 << 26)
        self.now_ms = 1_700_000_000_000
        for user in ("root", "alice"):
            self.user(user)

    @property
    def serial(self) -> int:
        return self.store.position.serial

    def close(self) -> None:
        self.store.close()

    def do(self, operation: Operation[T]) -> T:
        self.now_ms += 1000
        return self.store.submit(operation).result().result

    def user(self, name: str, **given: Any) -> Fields:
        return self.do(create_user(name, given, password_hash="none", actor=NOBODY, now_ms=self.now_ms))

    def index(self, name: str, *, actor: Identity = ALICE, **options: Any) -> Fields:
        return self.do(create_index(*pair(name), options, actor=actor))

    def change(self, name: str, patch: Any, *, actor: Identity = ALICE) -> Fields:
        return self.do(modify_index(*pair(name), patch, actor=actor))

    def drop_index(self, name: str) -> None:
        self.do(delete_index(*pair(name), actor=ALICE))

    def reap(self) -> int:
        """Clear away what deleted indexes left; return how many entries it took."""
        entries = 0
        while self.do(reap_deleted_index()):
            entries += 1
        return entries

    def submit(self, index: str, name: str, version: str, **fields: str) -> None:
        form = {key: [value] for key, value in {"name": name, "version": version, **fields}.items()}
        self.do(register_release(*pair(index), form, actor=ALICE))

    def upload(
        self,
        index: str,
        filename: str,
        content: bytes = b"content",
        *,
        metadata: bytes | None = None,
        **fields: str,
    ) -> UploadOutcome:
        """Upload ``name-version.ext`` or a wheel."""
        name, version = filename.removesuffix(".tar.gz").removesuffix(".zip").split("-")[:2]
        form = {key: [value] for key, value in {"name": name, "version": version, **fields}.items()}
        (blob,) = self.store.blobs.put_many([content])
        file = ReceivedFile(
            filename=filename,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            filetype="",
            pyversion="",
            requires_python=None,
            metadata=metadata,
            metadata_sha256=None if metadata is None else hashlib.sha256(metadata).digest(),
        )
        return self.do(upload_file(*pair(index), file, form, actor=ALICE, now_ms=self.now_ms))

    def push(self, source: str, name: str, version: str, target: str) -> ActionLog:
        with self.store.view() as view:
            index = get_index(view, *pair(source))
        request = parse_request(index, {"name": name, "version": version, "targetindex": target})
        return self.do(push_hosted(parse_target(request), actor=ALICE, now_ms=self.now_ms))

    def delete_file(self, index: str, filename: str, content: bytes, *, force: bool = False) -> None:
        start = hashlib.sha256(content).digest()[:8]
        self.do(delete_file(*pair(index), start, filename, force=force, actor=ALICE))

    def delete_version(self, index: str, project: str, version: str, *, force: bool = False) -> None:
        self.do(delete_version(*pair(index), project, version, force=force, actor=ALICE))

    def delete_project(self, index: str, project: str, *, force: bool = False) -> None:
        self.do(delete_project(*pair(index), project, force=force, actor=ALICE))

    def counted(self) -> dict[bytes, int]:
        """Return the references that the state counts, by sha256."""
        with self.store.view() as view:
            return {
                key[len(BLOB_KEY_PREFIX) :]: msgpack.unpackb(value)[1]
                for key, value in view.scan(BLOB_KEY_PREFIX)
            }

    def referred(self) -> dict[bytes, int]:
        """Return the references that records really have, found by looking at every value."""
        found: Counter[bytes] = Counter()
        with self.store.view() as view:
            for key, value in view.scan(b""):
                if key.startswith(b"\0"):
                    continue
                if value[:1] == BLOB_MARK:
                    found[value[1:33]] += 1
                elif key[:1] == b"f":
                    record = FileRecord.unpack(value)
                    found[record.sha256] += 1
                    if record.metadata_sha256 is not None:
                        found[record.metadata_sha256] += 1
        return dict(found)

    def keys_of_indexes(self) -> list[bytes]:
        """Return every key that belongs to some index."""
        with self.store.view() as view:
            return [key for kind in keys.INDEX_OWNED_KINDS for key, _ in view.scan(kind)]
