"""What a request's headers prove about who sent it."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from node.auth.api_tokens import ApiToken, parse_api_token
from node.auth.limits import LoginLimit
from node.auth.passwords import Passwords
from node.auth.tokens import TOKEN_LIFETIME_SECONDS, TokenClaims, Tokens
from node.catalog.lookups import find_user
from node.catalog.permissions import NOBODY, Identity
from node.catalog.records import Fields
from node.catalog.tokens import find_token
from node.clock import now_ms
from node.errors import LoginRequired
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password or token, as the client sent them."""

    user: str
    secret: str


@dataclass(frozen=True, slots=True)
class Login:
    """What a client that logged in sends from then on instead of the password."""

    token: str
    lifetime_seconds: int


TOKEN_USERS = frozenset({"", "__token__"})
"""User names that stand for whoever owns the API token: what PyPI's clients send, and what URLs leave out."""


def read_credentials(headers: Mapping[str, str]) -> Credentials | None:
    """Return the credentials of a request: ``X-Devpi-Auth`` first, then Basic or Bearer; None when unreadable.

    A token alone, where a user name would stand, counts as the password of nobody named.
    """
    encoded = headers.get("X-Devpi-Auth")
    if encoded is None:
        scheme, _, encoded = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return Credentials("", encoded.strip())
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
    if not secret and parse_api_token(user) is not None:
        return Credentials("", user)
    return Credentials(user, secret) if separator else None


class Authenticator:
    """Turns credentials into an identity, on any node, with or without the primary."""

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        passwords: Passwords,
        limit: LoginLimit,
        *,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._passwords = passwords
        self._limit = limit
        self._clock_ms = clock_ms

    async def identify(self, headers: Mapping[str, str], *, address: str) -> Identity:
        """Return who sent a request; wrong or expired credentials are nobody's, as in devpi.

        Raises:
            TooManyLogins: too many wrong passwords for this user from this address.
            Unavailable: too many passwords are being verified.

        """
        credentials = read_credentials(headers)
        if credentials is None:
            return NOBODY
        api_token = parse_api_token(credentials.secret)
        if api_token is not None:
            identity, _ = self._api_token_identity(credentials.user, api_token)
            return identity
        claims = self._tokens.read(credentials.secret)
        if claims is not None:
            return self._token_identity(credentials.user, claims)
        return await self._password_identity(credentials, address) or NOBODY

    async def login(self, credentials: Credentials, *, address: str) -> Login:
        """Return a new token for a user who knows the password; an API token is given back as it is.

        Raises:
            LoginRequired: user or password are wrong.
            TooManyLogins: too many wrong passwords for this user from this address.
            Unavailable: too many passwords are being verified.

        """
        refusal = LoginRequired(f"user {credentials.user!r} could not be authenticated", challenge=False)
        api_token = parse_api_token(credentials.secret)
        if api_token is not None:
            identity, left_seconds = self._api_token_identity(credentials.user, api_token)
            if identity.is_anonymous:
                raise refusal
            return Login(api_token.text, left_seconds)
        if await self._password_identity(credentials, address) is None:
            raise refusal
        return Login(self.issue_token(credentials.user), TOKEN_LIFETIME_SECONDS)

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

    def _api_token_identity(self, user: str, token: ApiToken) -> tuple[Identity, int]:
        """Return who sent an API token, limited to its scope, and for how many more seconds it is good."""
        now = self._clock_ms()
        with self._store.view() as view:
            found = find_token(view, token.token_id)
        if found is None or not token.has_digest(found.record["sha256"]) or not found.is_usable(now):
            return NOBODY, 0
        if user not in TOKEN_USERS and user != found.owner:
            return NOBODY, 0
        expires_ms = found.record["expires_ms"]
        left_seconds = TOKEN_LIFETIME_SECONDS if expires_ms is None else (expires_ms - now) // 1000
        return Identity(found.owner, found.owner_id, scope=found.scope), min(
            left_seconds, TOKEN_LIFETIME_SECONDS
        )

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
