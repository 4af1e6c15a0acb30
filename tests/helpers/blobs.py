"""What a node leaves on its disk beside the blobs that records name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path


def half_written_blobs(blobs: Path) -> list[str]:
    """Return the names of the files under a blob folder that have no digest for a name yet."""
    return [path.name for path in (blobs / ".tmp").iterdir()]


async def no_half_written_blobs(blobs: Path) -> None:
    """Fail if anything stays half written; the writer makes files of small contents after it answered."""
    await eventually(
        lambda: not half_written_blobs(blobs), what=lambda: f"half written: {half_written_blobs(blobs)}"
    )
