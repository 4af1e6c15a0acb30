"""Records: what the values of the state mean.

Records of files and logs are msgpack arrays that begin with a format number, because a page
of 300 files decodes 300 of them. Users, indexes and versions are msgpack maps: their keys are
devpi's, and a later key is simply absent in an old record. A map that packs to more than
``VALUE_BYTES_MAX`` lives in a blob, and its value is ``BLOB_MARK``, sha256, 4 bytes of size.
"""

from dataclasses import dataclass, fields
from typing import Any

import msgpack

from storage.view import View

FILE_FORMAT = 1
BLOB_MARK = b"\xc1"
"""The one byte that no msgpack value begins with."""

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file on one index, complete from the first version so that later features are views."""

    filename: str
    project: str  # normalised
    version: str
    sha256: bytes  # 32 bytes
    size_bytes: int
    uploaded_ms: int  # when it first came into the cluster, Unix time
    added_ms: int  # when it came into this index
    uploader: str | None
    filetype: str
    pyversion: str
    requires_python: str | None
    metadata_sha256: bytes | None  # core metadata of a wheel, a blob
    md5: bytes | None
    blake2_256: bytes | None
    yanked: bool = False
    yank_reason: str = ""
    provenance_sha256: bytes | None = None
    first_seen_ms: int | None = None

    def pack(self) -> bytes:
        """Return the stored form."""
        packed: bytes = msgpack.packb([FILE_FORMAT, *(getattr(self, name) for name in _FILE_FIELDS)])
        return packed

    @classmethod
    def unpack(cls, value: bytes) -> "FileRecord":
        """Return the record that ``pack`` packed."""
        return cls(*msgpack.unpackb(value)[1:])

    @property
    def sha256_hex(self) -> str:
        """The digest as URLs and pages show it."""
        return self.sha256.hex()

    @property
    def address(self) -> str:
        """The part of the URL after the index: ``+f/abc/0123456789abc/name`` (devpi's form)."""
        digest = self.sha256_hex
        return f"+f/{digest[:3]}/{digest[3:16]}/{self.filename}"


_FILE_FIELDS = tuple(field.name for field in fields(FileRecord))


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """One index: its ids, its owner, and its options as devpi spells them."""

    index_id: int
    user_id: int
    user: str
    name: str
    options: Fields
    generation: int  # serial of the entry that last gave it a new mirror_url (or made it)

    @property
    def full_name(self) -> str:
        """``user/index``."""
        return f"{self.user}/{self.name}"

    @property
    def is_mirror(self) -> bool:
        """Whether files come from an upstream index."""
        return bool(self.options["type"] == "mirror")

    @property
    def has_credentials(self) -> bool:
        """Whether ``mirror_url`` has a user and a password in it."""
        return "@" in self.options.get("mirror_url", "")

    @property
    def is_volatile(self) -> bool:
        """Whether files may be replaced and deleted."""
        return bool(self.options["volatile"])

    def pack_fields(self) -> Fields:
        """Return the map that is stored."""
        return {
            "user_id": self.user_id,
            "user": self.user,
            "name": self.name,
            "generation": self.generation,
            "options": self.options,
        }


def unpack_map(view: View, value: bytes) -> Fields:
    """Return the map behind a value, read from its blob when it was too large for a value.

    Raises:
        BlobMissing: the blob has not reached this node yet.

    """
    if value[:1] == BLOB_MARK:
        value = view.read_blob(value[1:33])
    record: Fields = msgpack.unpackb(value)
    return record


def unpack_index(view: View, index_id: int, value: bytes) -> IndexRecord:
    """Return the index record behind a value.

    Raises:
        BlobMissing: the blob has not reached this node yet.

    """
    stored = unpack_map(view, value)
    return IndexRecord(
        index_id=index_id,
        user_id=stored["user_id"],
        user=stored["user"],
        name=stored["name"],
        options=stored["options"],
        generation=stored["generation"],
    )
