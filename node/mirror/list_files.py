"""Lists of upstreams' projects on disk, each with what is known of it.

=============================  ==============================================================================
file under ``cache/lists/``    holds
=============================  ==============================================================================
``<prefix>-<digest>``          the lines (node/mirror/names.py); 32 hex digits of the source's prefix, then
                               the first 16 of the digest
``<prefix>.stamp``             msgpack: version (1), digest, last_serial, fetched_at, etag, last_modified.
                               Names the file above that counts
``<random>.tmp``               being written; worthless once no process is at work
=============================  ==============================================================================

Nothing is synced: after a power cut a list whose digest does not fit counts as none.
"""

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgpack

from node.mirror.names import NameList
from node.mirror.page import Validators
from node.mirror.source import PREFIX_BYTES

_STAMP_VERSION = 1
_PREFIX = re.compile(rf"[0-9a-f]{{{2 * PREFIX_BYTES}}}")


@dataclass(frozen=True, slots=True)
class StoredList:
    """An upstream's list as it was at ``fetched_at``, and the validators it came with."""

    names: NameList
    fetched_at: float  # seconds since the epoch
    validators: Validators


class ListFiles:
    """The lists of all mirror indexes of one node. Methods block on the disk; each source is one caller's at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recover(self) -> None:
        """Remove what a killed process left behind; only for the one owner, before anybody writes.

        Raises:
            OSError: the disk failed.

        """
        for path in self._folder.glob("*.tmp"):
            path.unlink()

    def make_folder(self) -> None:
        """Make the folder if it is not there, or not any more.

        Raises:
            OSError: the disk is full or failed.

        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def temporary(self) -> Path:
        """Return the path of a file that does not exist yet."""
        return self._folder / f"{secrets.token_hex(8)}.tmp"

    def load(self, prefix: bytes) -> StoredList | None:
        """Return the list of a source; one that is damaged, or cannot be read, counts as none."""
        try:
            version, digest, last_serial, fetched_at, etag, last_modified = msgpack.unpackb(
                self._stamp(prefix).read_bytes()
            )
            if version != _STAMP_VERSION:
                return None
            names = NameList(digest=digest, last_serial=last_serial, path=self._lines(prefix, digest))
            stored = StoredList(names, float(fetched_at), Validators(etag, last_modified))
            return stored if names.is_sound() else None
        except (OSError, ValueError, TypeError, msgpack.exceptions.UnpackException):
            return None

    def save(self, prefix: bytes, stored: StoredList, written: Path | None) -> None:
        """Keep a list whose lines are in the temporary file ``written``; ``None``: it is kept, and was confirmed.

        Raises:
            OSError: the disk is full or failed; the list that was kept before still is.

        """
        lines = self._lines(prefix, stored.names.digest)
        if written is not None:
            written.rename(lines)
        self._write_stamp(prefix, stored)
        for path in self._folder.glob(f"{prefix.hex()}-*"):
            if path != lines:
                path.unlink(missing_ok=True)

    def _write_stamp(self, prefix: bytes, stored: StoredList) -> None:
        names, validators = stored.names, stored.validators
        path = self.temporary()
        path.write_bytes(
            msgpack.packb(
                [
                    _STAMP_VERSION,
                    names.digest,
                    names.last_serial,
                    stored.fetched_at,
                    validators.etag,
                    validators.last_modified,
                ]
            )
        )
        path.rename(self._stamp(prefix))

    def drop(self, prefix: bytes) -> None:
        """Forget the list of a source."""
        with suppress(OSError):
            # The stamp last: as long as it is there, a drop that was cut short is taken up again.
            for path in (*self._folder.glob(f"{prefix.hex()}-*"), self._stamp(prefix)):
                path.unlink(missing_ok=True)

    def prefixes(self) -> set[bytes]:
        """Return the prefix of every source that has a list here."""
        digits = [path.stem for path in self._folder.glob("*.stamp")]
        return {bytes.fromhex(name) for name in digits if _PREFIX.fullmatch(name)}

    def _stamp(self, prefix: bytes) -> Path:
        return self._folder / f"{prefix.hex()}.stamp"

    def _lines(self, prefix: bytes, digest: str) -> Path:
        return self._folder / f"{prefix.hex()}-{digest[:16]}"
