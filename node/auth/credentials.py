"""What a request's headers prove about who sent it."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from node.auth.limits import LoginLimit
from node.auth.passwords import Passwords
from node.auth.tokens import TokenClaims, Tokens
from node.catalog.lookups import find_user
from node.catalog.permissions import NOBODY, Identity
from node.catalog.records import Fields
from node.errors import LoginRequired
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password or token, as the client sent them."""

    user: str
    secret: str


def read_credentials(headers: Mapping[str, str]) -> Credentials | None:
    """Return the credentials of a request: ``X-Devpi-Auth`` first, then Basic; None when unreadable."""
    encoded = headers.get("X-Devpi-Auth")
    if encoded is None:
        scheme, _, encoded = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    user, separator, secret = text.partition(":")
    return Credentials(user, secret) if separator else None


class Authenticator:
    """Turns credentials into an identity, on any node, with or without the primary."""

    def __init__(self, store: Store, tokens: Tokens, passwords: Passwords, limit: LoginLimit) -> None:
        self._store = store
        self._tokens = tokens
        self._passwords = passwords
        self._limit = limit

    async def identify(self, headers: Mapping[str, str], *, address: str) -> Identity:
        """Return who sent a request; wrong or expired credentials are nobody's, as in devpi.

        Raises:
            TooManyLogins: too many wrong passwords for this user from this address.
            Unavailable: too many passwords are being verified.

        """
        credentials = read_credentials(headers)
        if credentials is None:
            return NOBODY
        claims = self._tokens.read(credentials.secret)
        if claims is not None:
            return self._token_identity(credentials.user, claims)
        return await self._password_identity(credentials, address) or NOBODY

    async def login(self, credentials: Credentials, *, address: str) -> str:
        """Return a new token for a user who knows the password.

        Raises:
            LoginRequired: user or password are wrong.
            TooManyLogins: too many wrong passwords for this user from this address.
            Unavailable: too many passwords are being verified.

        """
        if await self._password_identity(credentials, address) is None:
            message = f"user {credentials.user!r} could not be authenticated"
            raise LoginRequired(message, challenge=False)
        return self.issue_token(credentials.user)

    def issue_token(self, user: str) -> str:
        """Return a new token for a user who was authenticated.

        Raises:
            LoginRequired: the user is gone.

        """
        found = self._find(user)
        if found is None:
            raise LoginRequired(f"user {user!r} could not be authenticated", challenge=False)
        user_id, record = found
        return self._tokens.issue(TokenClaims(user_id, record.get("credential_generation", 0)))

    def _token_identity(self, user: str, claims: TokenClaims) -> Identity:
        found = self._find(user)
        if found is None or found[0] != claims.user_id:
            return NOBODY
        if found[1].get("credential_generation", 0) != claims.generation:
            return NOBODY
        return Identity(user, claims.user_id)

    async def _password_identity(self, credentials: Credentials, address: str) -> Identity | None:
        self._limit.check(credentials.user, address)
        found = self._find(credentials.user)
        if found is None or not found[1].get("pwhash"):
            return None
        user_id, record = found
        if not await self._passwords.verify(credentials.secret, record["pwhash"]):
            self._limit.failed(credentials.user, address)
            return None
        return Identity(credentials.user, user_id)

    def _find(self, user: str) -> tuple[int, Fields] | None:
        with self._store.view() as view:
            return find_user(view, user)
