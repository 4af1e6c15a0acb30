"""The mirror's disposable memory on disk: an LMDB environment and a blob folder of its own.

May be deleted at any time; a running node goes on without it. Every key starts with the 16 bytes of index id
and generation, except that bytes are found by their SHA-256, whichever index fetched them.

==========  =====================================  ==========================================================
table       key after the 16 bytes                 value
==========  =====================================  ==========================================================
pages       normalized project name                page record (node/mirror/page.py)
stamps      normalized project name                version (1), page digest (hex), fetched_at, etag,
                                                   last_modified, must_ask; msgpack. One for each page;
                                                   overrides what the page record says
links       link key (16), filename                link record (node/mirror/page.py)
files       link key (16), filename                SHA-256 (32 bytes) of a fetched file whose page has none
metadata    link key (16), filename                zlib-compressed METADATA of a wheel
==========  =====================================  ==========================================================

METADATA hangs on the index that gave it and not on the wheel's digest: read from a range it is only as true as
that upstream, and must not stand in for another's.
"""

import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import msgpack
import structlog

from node.mirror.errors import RecordCorrupt
from node.mirror.page import (
    MirrorFile,
    MirrorLink,
    MirrorPage,
    StoredPage,
    Validators,
    decode_link,
    decode_page,
    encode_link,
    encode_page,
)
from node.mirror.source import PREFIX_BYTES, MirrorSource
from storage.blob_writer import BlobWriter
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.local import LocalTables

TABLES = ("pages", "stamps", "links", "files", "metadata")
MAP_BYTES = 64 << 30  # address space, not disk
METADATA_BYTES_MAX = 8 << 20
_STAMP_VERSION = 1

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A complete, verified file on this node's disk."""

    path: Path
    size_bytes: int
    sha256: bytes  # 32 bytes


class MirrorCache:
    """Pages, links, files and metadata of all mirror indexes of one node. Safe on any thread."""

    def __init__(self, tables: LocalTables, blobs: BlobStore) -> None:
        self._tables = tables
        self._blobs = blobs

    @classmethod
    def open(cls, path: Path, *, map_bytes: int = MAP_BYTES) -> Self:
        """Open the cache under ``path``, starting empty where there is none or a broken one.

        Raises:
            OSError: the folder cannot be made.
            StorageError: the environment cannot be opened, even empty.

        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            tables = LocalTables.open(path / "db", names=TABLES, map_bytes=map_bytes)
        except StorageError as error:
            log.warning("mirror cache dropped", reason=str(error))
            shutil.rmtree(path / "db", ignore_errors=True)
            tables = LocalTables.open(path / "db", names=TABLES, map_bytes=map_bytes)
        blobs = BlobStore(path / "blobs")
        blobs.recover()
        return cls(tables, blobs)

    def close(self) -> None:
        """Close the environment."""
        self._tables.close()

    def load_page(self, source: MirrorSource, project: str) -> StoredPage | None:
        """Return the page as last fetched or confirmed; a record that cannot be read counts as none."""
        key = source.prefix + project.encode()
        record = self._tables.get("pages", key)
        if record is None:
            return None
        try:
            stored = decode_page(record)
        except RecordCorrupt as error:
            log.warning("mirror page dropped", index=source.label, project=project, reason=error.reason)
            self.drop_page(source, project)
            return None
        return self._stamped(key, stored)

    def save_page(self, source: MirrorSource, stored: StoredPage) -> None:
        """Keep a page and the links of its files.

        Raises:
            StorageError: the cache is full; nothing was written that could mislead.

        """
        key = source.prefix + stored.page.project.encode()
        links = [
            (_file_key(source, file), encode_link(MirrorLink(stored.page.project, file)))
            for file in stored.page.files
        ]
        self._tables.put_many("links", links)
        self._tables.put_many("pages", [(key, encode_page(stored.page, stored.validators))])
        self.stamp_page(source, stored)

    def stamp_page(self, source: MirrorSource, stored: StoredPage, *, must_ask: bool = False) -> None:
        """Note that the page's content was confirmed, or with ``must_ask`` that it is to be confirmed.

        Raises:
            StorageError: the cache is full.

        """
        page, validators = stored.page, stored.validators
        stamp = msgpack.packb(
            [
                _STAMP_VERSION,
                page.digest,
                page.fetched_at,
                validators.etag,
                validators.last_modified,
                must_ask,
            ]
        )
        self._tables.put_many("stamps", [(source.prefix + page.project.encode(), stamp)])

    def drop_page(self, source: MirrorSource, project: str) -> None:
        """Forget a page; the links of its files stay, lock files may name them."""
        key = source.prefix + project.encode()
        self._tables.delete("pages", key)
        self._tables.delete("stamps", key)

    def projects(self, source: MirrorSource) -> Iterator[str]:
        """Iterate over the projects that have a page here, in order."""
        # Not the pages themselves: their values are large, and reading one checks all of it.
        for key, _ in self._tables.scan("stamps", source.prefix):
            yield key[len(source.prefix) :].decode()

    def find_link(self, source: MirrorSource, link_key: str, filename: str) -> MirrorLink | None:
        """Return the file that was once listed under this key and name."""
        key = _link_key(source, link_key, filename)
        record = self._tables.get("links", key) if key is not None else None
        if record is None:
            return None
        try:
            return decode_link(record)
        except RecordCorrupt:
            return None

    def find_file(self, source: MirrorSource, file: MirrorFile) -> CachedFile | None:
        """Return the file when its bytes are here."""
        sha256 = bytes.fromhex(file.sha256) if file.sha256 else None
        if sha256 is None:
            sha256 = self._tables.get("files", _file_key(source, file))
        size_bytes = self._blobs.size_bytes(sha256) if sha256 is not None else None
        if sha256 is None or size_bytes is None:
            return None
        return CachedFile(self._blobs.path(sha256), size_bytes, sha256)

    def note_file(self, source: MirrorSource, file: MirrorFile, sha256: bytes) -> None:
        """Remember what a file without a listed SHA-256 turned out to be."""
        if file.sha256 is None:
            self._tables.put_many("files", [(_file_key(source, file), sha256)])

    def open_writer(self) -> BlobWriter:
        """Open a file of the cache for writing, also when somebody deleted the folders meanwhile."""
        try:
            return self._blobs.writer()
        except FileNotFoundError:
            self._blobs.root.parent.mkdir(parents=True, exist_ok=True)
            self._blobs.create()
            return self._blobs.writer()

    def load_metadata(self, source: MirrorSource, file: MirrorFile) -> bytes | None:
        """Return the METADATA of a wheel when it was read before."""
        packed = self._tables.get("metadata", _file_key(source, file))
        if packed is None:
            return None
        try:
            return zlib.decompressobj().decompress(packed, METADATA_BYTES_MAX)
        except zlib.error:
            return None

    def save_metadata(self, source: MirrorSource, file: MirrorFile, metadata: bytes) -> None:
        """Keep the METADATA of a wheel.

        Raises:
            StorageError: the cache is full.

        """
        self._tables.put_many("metadata", [(_file_key(source, file), zlib.compress(metadata, 3))])

    def prefixes(self) -> set[bytes]:
        """Return the prefix of every index and generation that has a page here."""
        return {key[:PREFIX_BYTES] for key, _ in self._tables.scan("stamps")}

    def drop_prefix(self, prefix: bytes) -> None:
        """Forget all pages and links of one index and generation; file bytes may serve others and stay."""
        # The stamps last: as long as they are there, a drop that was cut short is taken up again.
        for table in sorted(TABLES, key=lambda name: name == "stamps"):
            self._tables.drop_prefix(table, prefix)

    def _stamped(self, key: bytes, stored: StoredPage) -> StoredPage:
        packed = self._tables.get("stamps", key)
        if packed is None:
            return stored
        version, digest, fetched_at, etag, last_modified, must_ask = msgpack.unpackb(packed)
        if version != _STAMP_VERSION or digest != stored.page.digest:
            return stored
        page: MirrorPage = replace(stored.page, fetched_at=fetched_at)
        return StoredPage(page, Validators(etag, last_modified), must_ask=must_ask)


def _file_key(source: MirrorSource, file: MirrorFile) -> bytes:
    return source.prefix + file.link_key.encode() + file.filename.encode()


def _link_key(source: MirrorSource, link_key: str, filename: str) -> bytes | None:
    if len(link_key) != 16 or not link_key.isascii() or not 0 < len(filename.encode(errors="replace")) <= 255:
        return None
    return source.prefix + link_key.encode() + filename.encode(errors="replace")
