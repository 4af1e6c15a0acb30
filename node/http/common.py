"""The headers that devpi puts on every answer."""

import time
from collections.abc import Callable
from email.utils import formatdate

from node.version import VERSION
from storage.store import Store


class CommonHeaders:
    """Makes the headers, and the same as finished lines for the fast path."""

    def __init__(self, store: Store, *, node_id: str, primary_id: Callable[[], str]) -> None:
        self._store = store
        self._node_id = node_id
        self._primary_id = primary_id
        self._lines = b""
        self._lines_of: tuple[int, int] = (-1, -1)

    def headers(self) -> dict[str, str]:
        """Return the headers that do not depend on the request."""
        primary_id = self._primary_id()
        return {
            "X-DEVPI-API-VERSION": "2",
            "X-DEVPI-SERVER-VERSION": VERSION,
            "X-DEVPI-UUID": self._node_id,
            "X-DEVPI-MASTER-UUID": primary_id,
            "X-DEVPI-PRIMARY-UUID": primary_id,
        }

    def lines(self) -> bytes:
        """Return these headers, serial and date as lines, and the empty line that ends a head.

        The same object is returned while nothing in it changes, so that what was joined with
        it can be recognised.
        """
        serial, second = self._store.position.serial, int(time.time())
        if self._lines_of != (serial, second):
            headers = {
                **self.headers(),
                "X-DEVPI-SERIAL": str(serial),
                "Date": formatdate(second, usegmt=True),
            }
            text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            self._lines = text.encode("latin-1") + b"\r\n"
            self._lines_of = (serial, second)
        return self._lines
