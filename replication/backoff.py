"""Growing pauses between attempts, with jitter so that a cluster does not come back all at once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_DOUBLINGS_MAX: Final = 16


@dataclass(slots=True)
class BackOff:
    """Pauses of about ``first_seconds``, doubling up to ``most_seconds``; each is 50 to 100 % of its nominal."""

    first_seconds: float = 0.2
    most_seconds: float = 5.0
    random: Callable[[], float] = secrets.SystemRandom().random  # 0 to 1
    failures: int = 0

    def next_seconds(self) -> float:
        """The pause before the next attempt."""
        nominal = min(self.most_seconds, self.first_seconds * 2.0 ** min(self.failures, _DOUBLINGS_MAX))
        self.failures += 1
        return nominal * (0.5 + self.random() / 2)

    def reset(self) -> None:
        """Something worked: start small again."""
        self.failures = 0
