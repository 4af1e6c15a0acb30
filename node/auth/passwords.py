"""Passwords: argon2id in a small pool of threads, and a short memory of what was verified.

The hashes are PHC strings as devpi stores them (argon2id, or argon2i of old), so they can be
carried over in both directions.
"""

import asyncio
import hashlib
import hmac
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from node.errors import Unavailable

T = TypeVar("T")

HASHING_THREADS = 2
HASHING_WAITING_MAX = 64
"""Requests that may wait for the pool; one more is told to come back, so that logins cannot use up memory."""
REMEMBERED_SECONDS = 60.0
REMEMBERED_MAX = 10_000


class Passwords:
    """Hashes and verifies passwords off the event loop, a bounded number at a time."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._hasher = PasswordHasher()
        self._pool = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="hashing")
        self._waiting = 0
        self._clock = clock
        self._memory_key = os.urandom(32)
        self._remembered: dict[bytes, float] = {}

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def hash_now(self, password: str) -> str:
        """Return the hash of a password; takes some 50 ms of CPU, so not on the event loop."""
        return self._hasher.hash(password)

    async def hash(self, password: str) -> str:
        """Return the hash of a password.

        Raises:
            Unavailable: too many requests wait for the pool.

        """
        return await self._run(self.hash_now, password)

    async def verify(self, password: str, password_hash: str) -> bool:
        """Say whether a password belongs to a hash; a right one is remembered for a minute.

        Raises:
            Unavailable: too many requests wait for the pool.

        """
        memory = hmac.digest(self._memory_key, f"{password_hash}\0{password}".encode(), hashlib.sha256)
        expires = self._remembered.get(memory)
        if expires is not None and self._clock() < expires:
            return True
        if not await self._run(self.verify_now, password, password_hash):
            return False
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[memory] = self._clock() + REMEMBERED_SECONDS
        return True

    def verify_now(self, password: str, password_hash: str) -> bool:
        """Say whether a password belongs to a hash; as costly as ``hash_now``."""
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, function: Callable[..., T], *args: str) -> T:
        if self._waiting >= HASHING_WAITING_MAX:
            raise Unavailable("too many logins at once", retry_after_seconds=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)
        finally:
            self._waiting -= 1
