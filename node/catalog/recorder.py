"""Collects the changes of one operation into a draft."""

import hashlib
from typing import TypeVar

import msgpack

from node.catalog import keys
from node.catalog.records import BLOB_MARK, Fields, FileRecord, IndexRecord
from storage.draft import Draft
from storage.entry import VALUE_BYTES_MAX, BlobRef, Change, Delete, Put
from storage.view import View

T = TypeVar("T")


class Recorder:
    """The changes that one operation makes, seen from the state it was given.

    Every change goes through here, so that the blobs which records point at are counted
    as referenced and released in the same entry.
    """

    def __init__(self, view: View, *, actor: str | None = None, request_id: str = "") -> None:
        self._view = view
        self._actor = actor or ""
        self._request_id = request_id
        self._changes: dict[bytes, Change] = {}
        self._adds: list[BlobRef] = []
        self._drops: list[bytes] = []
        self._contents: dict[bytes, bytes] = {}

    @property
    def serial(self) -> int:
        """The serial that the entry will get."""
        return self._view.position.serial + 1

    def put(self, key: bytes, value: bytes) -> None:
        """Set a small value."""
        self._changes[key] = Put(key, value)

    def delete(self, key: bytes) -> None:
        """Remove a key whose value points at no blob."""
        self._changes[key] = Delete(key)

    def put_map(self, key: bytes, record: Fields) -> None:
        """Set a map, in a blob of its own when it is too large for a value."""
        self._release_map(key)
        packed: bytes = msgpack.packb(record)
        if len(packed) > VALUE_BYTES_MAX:
            packed = self._overflow(packed)
        self.put(key, packed)

    def delete_map(self, key: bytes) -> None:
        """Remove a map, and release its blob if it has one."""
        self._release_map(key)
        self.delete(key)

    def put_index(self, index: IndexRecord) -> None:
        """Set an index record; pages everywhere may change with it."""
        self.put_map(keys.index_key(index.index_id), index.pack_fields())
        self.touch_configuration()

    def put_file(
        self, index_id: int, record: FileRecord, *, metadata: bytes | None, content: bytes | None = None
    ) -> None:
        """Add or replace a file; ``metadata`` and ``content`` are its core metadata and bytes when not yet blobs."""
        self.delete_file(index_id, record.project, record.filename)
        self._adds.append(BlobRef(record.sha256, record.size_bytes))
        if content is not None:
            self._contents[record.sha256] = content
        if record.metadata_sha256 is not None:
            size_bytes = len(metadata) if metadata is not None else self.blob_size(record.metadata_sha256)
            self._adds.append(BlobRef(record.metadata_sha256, size_bytes))
            if metadata is not None:
                self._contents[record.metadata_sha256] = metadata
        self.put(keys.file_key(index_id, record.project, record.filename), record.pack())
        self.put(keys.file_address_key(index_id, record.sha256, record.filename), record.project.encode())

    def delete_file(self, index_id: int, project: str, filename: str) -> FileRecord | None:
        """Remove a file; its address stays and says that it is gone. Returns what was there."""
        key = keys.file_key(index_id, project, filename)
        value = self._view.get(key)
        if value is None:
            return None
        record = FileRecord.unpack(value)
        self.release_file(record)
        self.delete(key)
        self.put(keys.file_address_key(index_id, record.sha256, filename), b"")
        return record

    def release_file(self, record: FileRecord) -> None:
        """Release the blobs of a file whose record goes."""
        self._drops.append(record.sha256)
        if record.metadata_sha256 is not None:
            self._drops.append(record.metadata_sha256)

    def blob_size(self, sha256: bytes) -> int:
        """Return the size of a small blob that the state refers to already."""
        return len(self._view.read_blob(sha256))

    def touch_project(self, index_id: int, project: str, *, name: str | None = None) -> None:
        """Say that pages of the project change with this entry; ``name`` is its latest spelling."""
        key = keys.project_key(index_id, project)
        old = self._view.get(key)
        if name is not None or old is None:
            packed: bytes = msgpack.packb({"name": name or project})
        else:
            packed = old[8:]
        self.put(key, keys.pack_id(self.serial) + packed)

    def touch_configuration(self) -> None:
        """Say that users or indexes changed: every cached page asks again."""
        self.put(keys.CONFIGURATION_SERIAL, keys.pack_id(self.serial))

    def next_id(self) -> int:
        """Return an id that was never given before."""
        pending = self._changes.get(keys.LAST_ID)
        stored = pending.value if isinstance(pending, Put) else self._view.get(keys.LAST_ID)
        new_id = keys.unpack_id(stored or b"") + 1
        self.put(keys.LAST_ID, keys.pack_id(new_id))
        return new_id

    def draft(self) -> Draft:
        """Return everything that was recorded."""
        return Draft(
            changes=tuple(self._changes.values()),
            adds=tuple(self._adds),
            drops=tuple(self._drops),
            contents=self._contents,
            actor=self._actor,
            request_id=self._request_id,
        )

    def _overflow(self, packed: bytes) -> bytes:
        sha256 = hashlib.sha256(packed).digest()
        self._adds.append(BlobRef(sha256, len(packed)))
        self._contents[sha256] = packed
        return BLOB_MARK + sha256 + len(packed).to_bytes(4, "big")

    def _release_map(self, key: bytes) -> None:
        value = self._view.get(key)
        if value is not None and value[:1] == BLOB_MARK:
            self._drops.append(value[1:33])
