"""What a replica needs from the network. The process provides it; tests provide one in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from replication.hello import Ack, Hello


class Link(Protocol):
    """The way to the primary. Every call proves the cluster secret and checks the primary's answer."""

    def open_stream(self, hello: Hello) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open the stream of frames, as chunks of any size.

        Raises:
            LinkDown: no connection; also raised by the iterator when it breaks.
            ProofRefused: one of the two sides did not prove the secret.

        """
        ...

    async def acknowledge(self, ack: Ack) -> None:
        """Tell the primary how far this replica is.

        Raises:
            LinkDown: no connection.
            ProofRefused: one of the two sides did not prove the secret.

        """
        ...

    def fetch_blob(self, sha256: bytes) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open one blob, as chunks of any size. The bytes are not verified here.

        Raises:
            BlobNotServed: the peer does not have it.
            LinkDown: no connection; also raised by the iterator when it breaks.
            ProofRefused: one of the two sides did not prove the secret.

        """
        ...
