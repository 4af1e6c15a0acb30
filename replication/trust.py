"""Proof that both ends of a request know the cluster secret, without sending it.

======================  ==============================================================
header                  value
======================  ==============================================================
X-Wheelyard-Node        node id of the sender
X-Wheelyard-Time        milliseconds since 1970 on the sender's clock
X-Wheelyard-Nonce       32 hexadecimal digits, new for every request
X-Wheelyard-Proof       HMAC-SHA256 over method, path and the three above
X-Wheelyard-Answer      in the response: HMAC-SHA256 over the nonce
======================  ==============================================================

Requests and answers are signed with different keys, both derived from the secret. The body is not covered:
between hosts it rides inside TLS.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as randomness
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgpack

from replication.errors import ProofRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

HEADER_NODE: Final = "X-Wheelyard-Node"
HEADER_TIME: Final = "X-Wheelyard-Time"
HEADER_NONCE: Final = "X-Wheelyard-Nonce"
HEADER_PROOF: Final = "X-Wheelyard-Proof"
HEADER_ANSWER: Final = "X-Wheelyard-Answer"

WINDOW_SECONDS: Final = 30
"""How far apart the two clocks may be, in either direction."""

NONCES_MAX: Final = 65_536
"""Requests remembered at once, about a thousand a second; 12 MB at most. Beyond it we refuse, never forget."""

NODE_ID_CHARS_MAX: Final = 128
_KEY_BYTES: Final = 32
_SALT: Final = b"wheelyard/1"


def hkdf(secret: bytes, *, salt: bytes, info: bytes, length_bytes: int) -> bytes:
    """HKDF-SHA256 (RFC 5869): extract, then expand."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    block, output = b"", b""
    counter = 0
    while len(output) < length_bytes:
        counter += 1
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length_bytes]


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose; keys of different purposes say nothing about each other."""
    return hkdf(secret, salt=_SALT, info=purpose.encode(), length_bytes=_KEY_BYTES)


class Trust:
    """Signs requests, checks requests, and answers for this node.

    The first secret signs; all are accepted, so a secret is replaced by adding the new one everywhere, then
    making it the first everywhere, then removing the old one. A request is answered with the secret that it was
    signed with: the asker may not know the other one yet.

    Not safe for use by several threads.
    """

    def __init__(self, secrets: Sequence[bytes], *, clock: Callable[[], float] = time.time) -> None:
        if not secrets:
            msg = "at least one cluster secret is needed"
            raise ValueError(msg)
        self._request_keys = [derive_key(secret, "replication request") for secret in secrets]
        self._answer_keys = [derive_key(secret, "replication answer") for secret in secrets]
        self._clock = clock
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def sign(self, *, method: str, path: str, node_id: str) -> dict[str, str]:
        """The headers that prove one request; ``path`` as it is on the request line, query included."""
        time_ms = str(int(self._clock() * 1000))
        nonce = randomness.token_hex(16)
        return {
            HEADER_NODE: node_id,
            HEADER_TIME: time_ms,
            HEADER_NONCE: nonce,
            HEADER_PROOF: _proof(self._request_keys[0], [method, path, node_id, time_ms, nonce]),
        }

    def verify(self, *, method: str, path: str, headers: Mapping[str, str]) -> str:
        """Check a request and return the node id it proves. The same request is accepted once.

        Raises:
            ProofRefused: headers missing or unreadable, wrong secret, clocks too far apart, a replayed
                request, or too many requests to remember.

        """
        node_id, time_ms, nonce, proof = (
            headers.get(name) for name in (HEADER_NODE, HEADER_TIME, HEADER_NONCE, HEADER_PROOF)
        )
        if node_id is None or time_ms is None or nonce is None or proof is None:
            raise ProofRefused("missing")
        if not _is_readable(node_id, time_ms, nonce):
            raise ProofRefused("malformed")
        signed = [method, path, node_id, time_ms, nonce]
        accepted_by = _matching((_proof(key, signed) for key in self._request_keys), proof)
        if accepted_by is None:
            raise ProofRefused("wrong-secret")
        now_seconds = self._clock()
        if abs(now_seconds - int(time_ms) / 1000) > WINDOW_SECONDS:
            raise ProofRefused("clock")
        self._remember(nonce, now_seconds, accepted_by)
        return node_id

    def answer(self, nonce: str) -> str:
        """The proof that this node too knows the secret, for the response to that request."""
        _, key_index = self._seen.get(nonce, (0.0, 0))
        return _answer(self._answer_keys[key_index], nonce)

    def verify_answer(self, nonce: str, answer: str) -> None:
        """Check the answer to our own request.

        Raises:
            ProofRefused: the other side did not prove that it knows a secret of ours.

        """
        if not answer:
            raise ProofRefused("missing", "the other node proved nothing; is it a Wheelyard node at all?")
        if _matching((_answer(key, nonce) for key in self._answer_keys), answer) is None:
            raise ProofRefused("wrong-secret")

    def _remember(self, nonce: str, now_seconds: float, key_index: int) -> None:
        # A proof made on a clock 30 s ahead of ours stays inside the window for 60 s of ours.
        while self._seen:
            oldest = next(iter(self._seen))
            if self._seen[oldest][0] >= now_seconds:
                break
            del self._seen[oldest]
        if nonce in self._seen:
            raise ProofRefused("replayed")
        # Only valid proofs get here, so a stranger cannot fill the memory.
        if len(self._seen) >= NONCES_MAX:
            raise ProofRefused("busy")
        self._seen[nonce] = (now_seconds + 2 * WINDOW_SECONDS, key_index)


def _is_readable(node_id: str, time_ms: str, nonce: str) -> bool:
    return (
        0 < len(node_id) <= NODE_ID_CHARS_MAX
        and node_id.isascii()
        and node_id.isprintable()
        and time_ms.isascii()
        and time_ms.isdecimal()
        and len(time_ms) <= 16
        and len(nonce) == 32
        and nonce.isascii()
        and nonce.isalnum()
    )


def _proof(key: bytes, signed: list[str]) -> str:
    # msgpack carries the length of each part, so no two requests sign the same bytes.
    encoded: bytes = msgpack.packb(signed)
    return hmac.new(key, encoded, hashlib.sha256).hexdigest()


def _answer(key: bytes, nonce: str) -> str:
    return hmac.new(key, nonce.encode(), hashlib.sha256).hexdigest()


def _matching(candidates: Iterable[str], given: str) -> int | None:
    """Index of the candidate that equals ``given``, looking at all of them in equal time."""
    found = None
    for index, candidate in enumerate(candidates):
        if hmac.compare_digest(candidate.encode(), given.encode()):
            found = index
    return found
