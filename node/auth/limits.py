"""How often a login may fail."""

import time
from collections import OrderedDict
from collections.abc import Callable

from node.errors import TooManyLogins

FAILURES_MAX = 20
WINDOW_SECONDS = 60.0
TRACKED_MAX = 10_000


class LoginLimit:
    """Counts failed logins per user and address in a window of a minute."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def check(self, user: str, address: str) -> None:
        """Let a login pass, or refuse it before its password costs anything.

        Raises:
            TooManyLogins: with the seconds until the window ends.

        """
        count, started = self._failures.get((user, address), (0, 0.0))
        left = started + WINDOW_SECONDS - self._clock()
        if count >= FAILURES_MAX and left > 0:
            raise TooManyLogins(int(left) + 1)

    def failed(self, user: str, address: str) -> None:
        """Count a failure."""
        now = self._clock()
        count, started = self._failures.pop((user, address), (0, now))
        if now - started > WINDOW_SECONDS:
            count, started = 0, now
        self._failures[user, address] = (count + 1, started)
        while len(self._failures) > TRACKED_MAX:
            self._failures.popitem(last=False)
