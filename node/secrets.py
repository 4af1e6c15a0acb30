"""The cluster secret on disk."""

import base64
import os
import secrets
from pathlib import Path

from node.config import SECRET_BYTES_MIN, SECRET_DISTINCT_MIN, ConfigError

SECRET_FILE_NAME = "secret"  # noqa: S105


def make_secret_file(path: Path) -> None:
    """Write a new secret that only its owner can read.

    Raises:
        FileExistsError: there is a file; a secret is never overwritten.
        OSError: it cannot be written.

    """
    text = base64.b64encode(secrets.token_bytes(SECRET_BYTES_MIN)) + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_secret_file(path: Path) -> bytes:
    """Return a secret.

    Raises:
        ConfigError: it cannot be read, others can read it too, or it is too weak.

    """
    try:
        mode = path.stat().st_mode
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError([f"the secret {path} cannot be read: {error.strerror}"]) from error
    if mode & 0o077:
        raise ConfigError([f"the secret {path} can be read by others; chmod 600 {path}"])
    if len(secret) < SECRET_BYTES_MIN or len(set(secret)) < SECRET_DISTINCT_MIN:
        raise ConfigError(
            [f"the secret {path} is too short or too simple; make one with: wheelyard secret FILE"]
        )
    return secret
