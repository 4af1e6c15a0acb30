"""What a replica's mirror wants from its cluster; the node hands in the real ones."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from node.mirror.page import MirrorLink
from node.mirror.source import MirrorSource

PageIssuer = Callable[[MirrorSource, str], Awaitable[bytes | None]]
"""Ask the primary for a page record (``Mirror.issue`` there); ``None`` when upstream has no such project.

Raises ``PrimaryUnreachable`` when the primary does not answer, which lets this node ask upstream itself, and
``UpstreamDown`` when the primary says so.
"""

MetadataIssuer = Callable[[MirrorSource, MirrorLink], Awaitable[bytes]]
"""Ask the primary for the METADATA of a wheel; any ``MirrorError`` lets this node find it itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedList:
    """The primary's list of an upstream's projects."""

    digest: str  # hex, see names.digest_of
    last_serial: int | None
    fetched_at: float  # seconds since the epoch, by the primary's clock
    is_stale: bool
    lines: AsyncIterator[bytes]  # see names.py; nothing when the digest is the one that was named


class ListIssuer(Protocol):
    """Asks the primary for its list of an upstream's projects."""

    def __call__(
        self, source: MirrorSource, known_digest: str | None, /
    ) -> AbstractAsyncContextManager[IssuedList]:
        """Yield the list.

        Raises:
            PrimaryUnreachable: the primary does not answer, which lets this node ask upstream itself.
            UpstreamDown: the primary says that it cannot have it.

        """


class FilePeer(Protocol):
    """Another node that may have a file: the primary, which fetches it, or a replica, which only looks."""

    def open(
        self, source: MirrorSource, link: MirrorLink
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Yield the bytes of the file.

        Raises:
            PeerHasNot: this peer does not have it or did not answer; the next is tried.

        """


def no_peers() -> Sequence[FilePeer]:
    """Return nobody: what a primary, or a node alone, asks before upstream."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterHooks:
    """The cluster as the mirror sees it; the default is a node that asks upstream itself."""

    issuer: PageIssuer | None = None
    metadata_issuer: MetadataIssuer | None = None
    list_issuer: ListIssuer | None = None
    peers: Callable[[], Sequence[FilePeer]] = no_peers  # called for each download, first one first


NO_CLUSTER = ClusterHooks()
