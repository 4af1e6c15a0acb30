"""API tokens as text: what a client keeps instead of a password.

=========  ==========  ==============================================================================
part       characters  is
=========  ==========  ==============================================================================
prefix     3           ``wy_``: scanners for leaked secrets find it, and nobody takes it for devpi's own
id         12          names the token in lists; not secret
separator  1           ``_``
secret     43          256 random bits in base 62
checksum   6           CRC-32 of all before it in base 62: a mistyped token costs no look-up
=========  ==========  ==============================================================================

Only the SHA-256 of the whole is stored. The secret is random, so a slow hash would add nothing.
"""

import re
import secrets
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

PREFIX = "wy_"
ID_CHARACTERS = 12
SECRET_CHARACTERS = 43
CHECKSUM_CHARACTERS = 6

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(
    rf"{PREFIX}(?P<id>[0-9A-Za-z]{{{ID_CHARACTERS}}})_"
    rf"[0-9A-Za-z]{{{SECRET_CHARACTERS}}}(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_CHARACTERS}}})"
)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token in the form of one of ours; whether it exists is for the state to say."""

    token_id: str
    text: str = field(repr=False)

    @property
    def sha256(self) -> bytes:
        """The 32 bytes that are stored."""
        return sha256(self.text.encode()).digest()

    def has_digest(self, stored: bytes) -> bool:
        """Say whether it is the token whose digest was stored, in a time that does not tell how nearly."""
        return compare_digest(self.sha256, stored)


def make_api_token() -> ApiToken:
    """Return a new token; its text is shown once and never again."""
    token_id = _random(ID_CHARACTERS)
    body = f"{PREFIX}{token_id}_{_random(SECRET_CHARACTERS)}"
    return ApiToken(token_id, body + _checksum(body))


def parse_api_token(text: str) -> ApiToken | None:
    """Return the token that a text is, None when it is none or was mistyped."""
    match = _FORM.fullmatch(text)
    if match is None or _checksum(text[: match.start("checksum")]) != match["checksum"]:
        return None
    return ApiToken(match["id"], text)


def _random(count: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(count))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
