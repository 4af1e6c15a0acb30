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
    peers: Callable[[], Sequence[FilePeer]] = no_peers  # called for each download, first one first


NO_CLUSTER = ClusterHooks()
