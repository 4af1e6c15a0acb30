"""Login tokens: what ``/+login`` gives and every node can check by itself.

A token carries the user's id and credential generation, signed with a key that every node
derives from the cluster secret. A changed password raises the generation and so ends the
tokens made before; a user made anew under an old name has another id.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeTimedSerializer

from replication.trust import derive_key

TOKEN_LIFETIME_SECONDS = 36_000  # devpi's ten hours
_PURPOSE = "login-tokens"


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a valid token says."""

    user_id: int
    generation: int


class Tokens:
    """Makes and reads login tokens; the first secret signs, all are accepted."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        # itsdangerous signs with the last key and tries the newest first.
        keys = [derive_key(secret, _PURPOSE) for secret in reversed(secrets)]
        self._serializer = URLSafeTimedSerializer(keys, salt=_PURPOSE)

    def issue(self, claims: TokenClaims) -> str:
        """Return a token, pure ASCII, valid for ``TOKEN_LIFETIME_SECONDS``."""
        token = self._serializer.dumps([claims.user_id, claims.generation])
        return str(token)

    def read(self, token: str) -> TokenClaims | None:
        """Return what a token says, or None when it is none of ours or too old."""
        if token.count(".") < 2:
            return None
        try:
            user_id, generation = self._serializer.loads(token, max_age=TOKEN_LIFETIME_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return None
        return TokenClaims(user_id, generation)
