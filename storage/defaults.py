"""What a store uses for time and for ending the process unless it is given something else."""

import os
import time

from storage.errors import EXIT_COMMIT_FAILED, EnvironmentBroken, StorageError


def wall_clock_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def exit_process(error: StorageError) -> None:
    """End the process at once: what cannot be known to be durable must not be acknowledged."""
    os._exit(error.exit_code if isinstance(error, EnvironmentBroken) else EXIT_COMMIT_FAILED)


def ignore_seconds(_seconds: float) -> None:
    """Observe nothing."""
