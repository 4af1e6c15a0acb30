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


def _principals(text: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise ValueError("must name somebody")
    return names


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
    restrict_modify: frozenset[str] | None = option(
        "users and :groups, separated by commas, who alone may manage users and indexes", _principals, None
    )
    require_login: bool = option("answer nobody who is not logged in", _boolean, False)
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

    An environment variable that is empty counts as not set: unit files and compose files pass on what is not there.

    Raises:
        ConfigError: with every problem of every source.

    """
    problems: list[str] = []
    given: dict[str, tuple[str, Any]] = _from_file(file, problems)
    for known in fields(Config):
        variable = ENVIRONMENT_PREFIX + known.name.upper()
        if environment.get(variable):
            given[known.name] = (variable, environment[variable])
        if flags.get(known.name) is not None:
            given[known.name] = (_flag(known.name), flags[known.name])
    values: dict[str, Any] = {}
    for known in fields(Config):
        if known.name in given:
            source, text = given[known.name]
            try:
                values[known.name] = known.metadata["parse"](str(text))
            except ValueError as error:
                problems.append(f"{source}={text}: {_sentence(error)}")
        elif known.default is MISSING:
            problems.append(f"{_flag(known.name)} is needed")
        else:
            values[known.name] = known.default
    problems += find_contradictions(values) + _unreadable_files(values)
    if problems:
        raise ConfigError(problems)
    return Config(**values)


def find_contradictions(values: Mapping[str, Any]) -> list[str]:
    """Return what does not fit together, of the options whose own values are right."""
    return [
        problem
        for names, find in _CONTRADICTIONS
        if names <= values.keys() and (problem := find(**{name: values[name] for name in names})) is not None
    ]


def _replica_without_secret(primary: str | None, secret_file: Path | None) -> str | None:
    if primary is None or secret_file is not None:
        return None
    return "a replica needs --secret-file, a copy of the primary's DIR/secret"


def _open_stream(insecure_cluster: bool, primary: str | None) -> str | None:
    parts = urlsplit(primary or "")
    if parts.scheme != "http" or is_loopback(parts.hostname or "") or insecure_cluster:
        return None
    return (
        f"--primary {primary} sends password hashes unencrypted to another host; "
        "use https, or --insecure-cluster on a network that you trust"
    )


def _replica_with_root_password(primary: str | None, root_password_file: Path | None) -> str | None:
    if primary is None or root_password_file is None:
        return None
    return "--root-password-file is for a new primary; a replica has its users from there"


def _half_of_tls(tls_cert: Path | None, tls_key: Path | None) -> str | None:
    return "--tls-cert and --tls-key go together" if (tls_cert is None) != (tls_key is None) else None


_CONTRADICTIONS: tuple[tuple[frozenset[str], Callable[..., str | None]], ...] = (
    (frozenset({"primary", "secret_file"}), _replica_without_secret),
    (frozenset({"insecure_cluster", "primary"}), _open_stream),
    (frozenset({"primary", "root_password_file"}), _replica_with_root_password),
    (frozenset({"tls_cert", "tls_key"}), _half_of_tls),
)


def _unreadable_files(values: Mapping[str, Any]) -> list[str]:
    problems = []
    for name, path in values.items():
        if isinstance(path, Path) and name != "data":
            try:
                path.open("rb").close()
            except OSError as error:
                problems.append(f"{_flag(name)} {path}: {error.strerror}")
    return problems


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


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
