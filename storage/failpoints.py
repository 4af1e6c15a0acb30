"""Places where a test may stop the process, named after the operation that would come next.

``WHEELYARD_FAILPOINTS`` is read once, at import: ``name=kill@n`` items separated by commas, where n
is the hit at which the process kills itself with SIGKILL. Without it failpoint() does nothing. The
variable is read here and not by the layers above because the points must be armed before any of them runs.
"""

import os
import signal
import threading

VARIABLE = "WHEELYARD_FAILPOINTS"


def _parse(specification: str) -> dict[str, int]:
    remaining: dict[str, int] = {}
    for item in filter(None, specification.split(",")):
        name, _, action = item.partition("=")
        kind, _, hit = action.partition("@")
        if kind != "kill":
            raise ValueError(f"{VARIABLE}: unknown action in {item!r}")
        remaining[name] = int(hit or "1")
    return remaining


_remaining = _parse(os.environ.get(VARIABLE, ""))
_lock = threading.Lock()


def failpoint(name: str) -> None:
    """Kill this process if the test that started it asked for that here."""
    if not _remaining:
        return
    with _lock:
        if name not in _remaining:
            return
        _remaining[name] -= 1
        if _remaining[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
