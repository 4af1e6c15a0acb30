"""The newest release of a project, as a search finds and shows it."""

import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from node.catalog.lookups import version_names
from node.catalog.releases import find_metadata
from storage.errors import BlobCorrupt, BlobMissing
from storage.view import View

SUMMARY_CHARACTERS_MAX = 512
"""What is kept of a summary; PyPI allows no longer ones."""
_OVERHEAD_BYTES = 400
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Newest:
    """What a search knows of a project on one index, up to the serial of its last change."""

    serial: int
    name: str  # as the release spells it
    version: (
        str | None
    )  # None: no version that PEP 440 knows; pip can neither install nor show such a project
    summary: str  # one line
    is_complete: bool  # else the metadata is still on its way to this node

    @property
    def size_bytes(self) -> int:
        """What it costs in memory, roughly."""
        texts = (self.name, self.version or "", self.summary)
        return _OVERHEAD_BYTES + sum(sys.getsizeof(text) for text in texts)


def read_newest(view: View, index_id: int, project: str, serial: int) -> Newest:
    """Read a project's newest release: that of the highest version, pre-releases included, as devpi-web has it.

    Raises:
        StateCorrupt: a record fails its checksum.

    """
    version = newest_version(version_names(view, index_id, project))
    if version is None:
        return Newest(serial, project, None, "", is_complete=True)
    try:
        metadata = find_metadata(view, index_id, project, version) or {}
    except (BlobMissing, BlobCorrupt):
        # Large metadata reaches a replica after its entry; until then the project is found by its name.
        return Newest(serial, project, version, "", is_complete=False)
    summary = one_line(str(metadata.get("summary") or ""))[:SUMMARY_CHARACTERS_MAX]
    return Newest(serial, str(metadata.get("name") or project), version, summary, is_complete=True)


def newest_version(versions: Iterable[str]) -> str | None:
    """Return the highest version, None when PEP 440 knows none of them."""
    known = []
    for text in versions:
        with suppress(InvalidVersion):
            known.append((Version(text), text))
    return max(known)[1] if known else None


def one_line(text: str) -> str:
    """Return a text without line ends and control characters, which would act on a terminal."""
    return " ".join(_CONTROLS.sub(" ", text).split())
