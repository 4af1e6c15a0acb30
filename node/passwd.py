"""A new password for a user, set by whoever operates the primary's machine."""

import json
from dataclasses import asdict, dataclass
from typing import Self

ARGON2ID_PREFIX = "$argon2id$"
HASH_CHARACTERS_MAX = 512


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """Whose password becomes what; only its hash ever leaves the command."""

    user: str
    password_hash: str  # PHC string, argon2id

    def to_wire(self) -> bytes:
        """Return the change as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Return the change that JSON describes.

        Raises:
            ValueError: it describes none.

        """
        match json.loads(data):
            case {"user": str(user), "password_hash": str(password_hash), **others} if not others:
                pass
            case _:
                raise ValueError("expected an object with user and password_hash, both text")
        if not password_hash.startswith(ARGON2ID_PREFIX):
            raise ValueError("the password hash must be one of argon2id")
        if len(password_hash) > HASH_CHARACTERS_MAX:
            raise ValueError("the password hash is too long")
        return cls(user, password_hash)
