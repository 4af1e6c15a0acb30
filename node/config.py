"""The configuration of a node: flags, then environment, then the TOML file, then the defaults.

Every option of ``wheelyard serve`` is a field of ``Config``: ``--max-upload-bytes`` is
``WHEELYARD_MAX_UPLOAD_BYTES`` in the environment and ``max_upload_bytes`` in the file.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ENVIRONMENT_PREFIX = "WHEELYARD_"
SECRET_BYTES_MIN = 32
SECRET_DISTINCT_MIN = 6


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` has a sentence for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"0", "false", "no", "off"}:
        return False
    raise ValueError("must be true or false")


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError("must be between 0 and 65535")
    return number


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL that starts with http:// or https://")
    return text.rstrip("/")


def _durability(text: str) -> str:
    if text == "local":
        return text
    level, _, count = text.partition(":")
    if level == "quorum" and count.isdecimal():
        raise ValueError("is not available in this version, use local")
    raise ValueError("must be local or quorum:k")


def option(help_text: str, parse: Callable[[str], Any], default: Any = MISSING) -> Any:
    """Declare a field that is an option: its help, how its text is read, its default."""
    metadata = {"help": help_text, "parse": parse}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that may be set, complete before anything opens."""

    data: Path = option("directory that holds everything; made when it is not there", Path)
    host: str = option("address to listen on", str, "127.0.0.1")
    port: int = option("port to listen on; 0 takes a free one", _port, 3141)
    primary: str | None = option("URL of the primary; makes this node a replica", _url, None)
    secret_file: Path | None = option("file with the cluster secret", Path, None)
    old_secret_file: Path | None = option(
        "a secret that is still accepted while it is being replaced", Path, None
    )
    region: str = option("name of the place where this node stands", str, "")
    public_url: str | None = option("URL under which clients reach this node", _url, None)
    root_password_file: Path | None = option("file with root's password for a new cluster", Path, None)
    no_root_pypi: bool = option("make no index root/pypi in a new cluster", _boolean, False)
    offline: bool = option("never ask an upstream index", _boolean, False)
    max_upload_bytes: int = option("largest file that may be uploaded", _count, 1 << 30)
    durability: str = option("when a write is acknowledged: local", _durability, "local")
    retention_entries: int = option("entries of the changelog that are kept at least", _count, 1_000_000)
    snapshot_after_entries: int = option(
        "a replica further behind than this gets a snapshot instead of entries", _count, 10_000
    )
    connections_max: int = option("connections that may be open at once", _count, 4096)
    tls_cert: Path | None = option("certificate chain to serve TLS with", Path, None)
    tls_key: Path | None = option("private key of the certificate", Path, None)
    cluster_ca: Path | None = option("certificates that the primary's is checked against", Path, None)
    insecure_cluster: bool = option("allow plain HTTP to a primary on another host", _boolean, False)
    map_bytes: int = option("address space for the database; grow it by a restart", _count, 64 << 30)

    @property
    def is_replica(self) -> bool:
        """Whether this node follows a primary."""
        return self.primary is not None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Say whether a host name or address means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_config(
    flags: Mapping[str, Any], *, environment: Mapping[str, str] = os.environ, file: Path | None = None
) -> Config:
    """Return the configuration from all sources.

    Raises:
        ConfigError: with every problem of every source.

    """
    problems: list[str] = []
    given: dict[str, tuple[str, Any]] = _from_file(file, problems)
    for known in fields(Config):
        variable = ENVIRONMENT_PREFIX + known.name.upper()
        if variable in environment:
            given[known.name] = (variable, environment[variable])
        if flags.get(known.name) is not None:
            given[known.name] = (f"--{known.name.replace('_', '-')}", flags[known.name])
    values = {}
    for known in fields(Config):
        if known.name in given:
            source, text = given[known.name]
            try:
                values[known.name] = known.metadata["parse"](str(text))
            except ValueError as error:
                problems.append(f"{source}={text}: {_sentence(error)}")
        elif known.default is MISSING:
            problems.append(f"--{known.name.replace('_', '-')} is needed")
    if problems:
        raise ConfigError(problems)
    config = Config(**values)
    contradictions = find_contradictions(config)
    if contradictions:
        raise ConfigError(contradictions)
    return config


def find_contradictions(config: Config) -> list[str]:
    """Return what does not fit together in a configuration whose values are each right."""
    problems = []
    if config.primary is not None:
        if config.secret_file is None:
            problems.append("a replica needs --secret-file, a copy of the primary's DIR/secret")
        parts = urlsplit(config.primary)
        if parts.scheme == "http" and not is_loopback(parts.hostname or "") and not config.insecure_cluster:
            problems.append(
                f"--primary {config.primary} sends password hashes unencrypted to another host; "
                "use https, or --insecure-cluster on a network that you trust"
            )
        if config.root_password_file is not None:
            problems.append("--root-password-file is for a new primary; a replica has its users from there")
    if (config.tls_cert is None) != (config.tls_key is None):
        problems.append("--tls-cert and --tls-key go together")
    return problems


def _from_file(file: Path | None, problems: list[str]) -> dict[str, tuple[str, Any]]:
    if file is None:
        return {}
    try:
        stored = tomllib.loads(file.read_text())
    except OSError as error:
        problems.append(f"{file}: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: {error}")
        return {}
    known = {field.name for field in fields(Config)}
    problems.extend(f"{file}: unknown key {key!r}" for key in stored if key not in known)
    return {key: (f"{file}: {key}", value) for key, value in stored.items() if key in known}


def _sentence(error: ValueError) -> str:
    text = str(error)
    return "must be a whole number" if text.startswith("invalid literal") else text
