"""The one HTTP client of set-up and polling: synchronous, one connection that stays open."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from bench.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

# devpi answers the plain, unsorted page that installers get only to one of them.
INSTALLER = "pip/26.0"


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished response."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who writes, and with what: a password for Basic, or a token of a login."""

    user: str
    secret: str

    def basic(self) -> dict[str, str]:
        """Return the header of Basic authentication."""
        return {"Authorization": f"Basic {self._encoded()}"}

    def token(self) -> dict[str, str]:
        """Return the header that devpi's own client sends; the secret is a login's token."""
        return {"X-Devpi-Auth": self._encoded()}

    def _encoded(self) -> str:
        return base64.b64encode(f"{self.user}:{self.secret}".encode()).decode("ascii")


class Client:
    """Requests to one node over one connection, opened again when the node closed it."""

    def __init__(self, url: str, *, timeout_seconds: float = 60.0) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port or 80, timeout=timeout_seconds
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Send one request and read the whole response.

        Raises:
            OSError: The node cannot be reached.
            http.client.HTTPException: What came back is not HTTP.

        """
        try:
            return self._request(method, path, headers or {}, body)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # The node closed a connection that was idle; a fresh one decides.
            self._connection.close()
            return self._request(method, path, headers or {}, body)

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        try:
            self._connection.request(method, path, body=body, headers=dict(headers))
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)

    def json(
        self,
        method: str,
        path: str,
        *,
        payload: Mapping[str, Any] | None = None,
        auth: Mapping[str, str] | None = None,
        expected: tuple[int, ...] = (200, 201),
    ) -> Any:
        """Send and receive JSON.

        Raises:
            RequestRefused: The status is not one of ``expected``.
            OSError: The node cannot be reached.

        """
        headers = {"Accept": "application/json"} | dict(auth or {})
        body = None
        if payload is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(payload).encode()
        answer = self.request(method, path, headers=headers, body=body)
        if answer.status not in expected:
            raise RequestRefused(method=method, url=self.url + path, status=answer.status, body=answer.body)
        return answer.json()

    def answers(self, path: str, *, status: int = 200) -> bool:
        """Tell whether a GET is answered with this status; a node that cannot be reached is a no."""
        try:
            return self.request("GET", path, headers={"Accept": "application/json"}).status == status
        except (OSError, http.client.HTTPException):
            return False

    def login(self, user: str, password: str) -> Credentials:
        """Log in and return a token.

        Raises:
            RequestRefused: The node does not accept user and password.
            OSError: The node cannot be reached.

        """
        result = self.json("POST", "/+login", payload={"user": user, "password": password})
        return Credentials(user, result["result"]["password"])
