"""Everything replication raises on purpose.

::

    ReplicationError
        ProofRefused          a request or an answer without proof of the cluster secret
        WireCorrupt           bytes that are not what the conversation allows
            FrameCorrupt      ... inside a stream
            MessageCorrupt    ... in a hello or an acknowledgement
        LinkDown              no connection, or it broke; retried with back-off
            PrimarySilent     ... not even heartbeats came
        HandshakeRefused      one side does not want this conversation
        FollowRefused         the first handshake of this process was refused for good
        BlobNotServed         the peer does not have (or give) a blob
        BlobGarbled           the bytes that came are not the blob
"""

from __future__ import annotations

from typing import Final

FINAL_REASONS: Final = frozenset(
    {"foreign-cluster", "protocol", "missing", "malformed", "wrong-secret"},
)
"""Refusals that do not go away by waiting; every other one is retried."""


class ReplicationError(Exception):
    """Root of this package's errors."""


class ProofRefused(ReplicationError):
    """The proof of the cluster secret is missing or does not hold.

    ``reason`` is one of ``missing``, ``malformed``, ``wrong-secret``, ``clock``, ``replayed``, ``busy``.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail or _PROOF_SENTENCES.get(reason, "the proof does not hold")
        super().__init__(f"proof of the cluster secret refused ({reason}): {self.detail}")

    @property
    def is_final(self) -> bool:
        """Whether trying again cannot help."""
        return self.reason in FINAL_REASONS


_PROOF_SENTENCES: Final = {
    "missing": "the request carries no proof; does the other node have a secret file?",
    "malformed": "the headers of the proof cannot be read",
    "wrong-secret": "the two nodes do not share a cluster secret",
    "clock": "the clocks of the two nodes differ by more than 30 seconds",
    "replayed": "the same proof was used before",
    "busy": "too many proofs within a minute",
}


class WireCorrupt(ReplicationError):
    """Bytes from a peer are not what the conversation allows. Nothing was done with them."""

    def __init__(self, what: str, problem: str) -> None:
        self.what = what
        self.problem = problem
        super().__init__(f"{what} corrupt: {problem}")


class FrameCorrupt(WireCorrupt):
    """A stream broke the rules of frames; the connection is given up."""

    def __init__(self, problem: str) -> None:
        super().__init__("frame", problem)


class MessageCorrupt(WireCorrupt):
    """A hello or an acknowledgement cannot be read."""


class LinkDown(ReplicationError):
    """There is no usable connection to the peer."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"primary not reachable: {detail}")


class PrimarySilent(LinkDown):
    """The connection stands, but nothing came for too long."""

    def __init__(self, silence_seconds: float) -> None:
        self.silence_seconds = silence_seconds
        super().__init__(f"nothing heard for {silence_seconds:g} s")


class HandshakeRefused(ReplicationError):
    """One side does not want the conversation; ``reason`` is a word of plan.py or of the follower."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"handshake refused ({reason}): {detail}")

    @property
    def is_final(self) -> bool:
        """Whether trying again cannot help."""
        return self.reason in FINAL_REASONS


class FollowRefused(ReplicationError):
    """This node may not follow that primary, and waiting would not change it."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"cannot follow the primary ({reason}): {detail}")


class BlobNotServed(ReplicationError):
    """The peer answered that it does not have the blob."""

    def __init__(self, sha256: bytes, detail: str = "the peer does not have it") -> None:
        self.sha256 = sha256
        self.detail = detail
        super().__init__(f"blob {sha256.hex()} not served: {detail}")


class BlobGarbled(ReplicationError):
    """The bytes that came are not the blob that was asked for. They were thrown away."""

    def __init__(self, sha256: bytes, problem: str) -> None:
        self.sha256 = sha256
        self.problem = problem
        super().__init__(f"blob {sha256.hex()} garbled: {problem}")
