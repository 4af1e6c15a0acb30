"""A node's data directory: made at the first start, checked at every start."""

import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from node.auth.passwords import Passwords
from node.catalog.indexes import create_index
from node.catalog.lookups import find_user
from node.catalog.permissions import Identity
from node.catalog.users import create_user
from node.clock import now_ms
from node.config import Config, ConfigError
from node.identity import (
    NODE_FILE_NAME,
    UNFINISHED_NAME,
    NodeIdentity,
    RoleName,
    new_identity,
    read_identity,
    write_identity,
)
from node.mirror.source import pypi_url
from node.secrets import SECRET_FILE_NAME, make_secret_file, read_secret_file
from storage.defaults import exit_process
from storage.environment import Durability
from storage.errors import DirectoryInUse, NotADataDirectory, StorageError
from storage.store import Store

ROOT = Identity("root")


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """An open data directory. The caller closes the store."""

    store: Store
    identity: NodeIdentity
    secrets: tuple[bytes, ...]  # the first signs, all are accepted


def open_directory(config: Config) -> DataDirectory:
    """Open the data directory, and make it first when it is new.

    Raises:
        ConfigError: it does not fit the configuration: another role, no secret, a root password missing.
        StorageError: it is in use, damaged, or of a later version.
        OSError: it cannot be written.

    """
    path = config.data
    role: RoleName = "replica" if config.is_replica else "primary"
    identity = read_identity(path) or _new_node(config, role)
    if identity.role != role:
        raise ConfigError([_role_problem(path, identity, role)])
    store = _open_store(config)
    try:
        _check_still_ours(path, identity)
        secrets = _secrets(config)
        if not config.is_replica:
            _fill_new_cluster(store, config)
            check_root_password(store, config)
    except BaseException:
        store.close()
        raise
    return DataDirectory(store, identity, secrets)


def _new_node(config: Config, role: RoleName) -> NodeIdentity:
    """Make a new directory a node's, before anything else is in it.

    Everything that follows may be repeated, so a first start that was cut short is taken up by the next one; but in
    the same role: a replica's data in a second primary would part the cluster's history.
    """
    path = config.data
    if path.is_dir() and any(left.name != UNFINISHED_NAME for left in path.iterdir()):
        raise ConfigError([f"{path} is not empty, and no directory of a node: it has no {NODE_FILE_NAME}"])
    if config.secret_file is not None:
        read_secret_file(config.secret_file)
    if not config.is_replica:
        _check_first_password(config)
        _first_password(config)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity = new_identity(role)
    write_identity(path, identity)
    return identity


def _check_still_ours(path: Path, identity: NodeIdentity) -> None:
    # Two first starts at once each wrote a file; the one that has the lock goes on if its file is the later one.
    if read_identity(path) != identity:
        raise DirectoryInUse(path=path)


def _role_problem(path: Path, identity: NodeIdentity, wanted: str) -> str:
    if wanted == "primary":
        return f"{path} belongs to a replica: start it with --primary URL"
    return f"{path} belongs to a {identity.role}: start it without --primary, or give the replica an empty directory"


def _open_store(config: Config) -> Store:
    # A replica shows what its primary has made durable as soon as it can be read here.
    durability = Durability.LATER if config.is_replica else Durability.FULL
    try:
        return Store.open(
            config.data, map_bytes=config.map_bytes, durability=durability, on_fatal=_end_at_once
        )
    except NotADataDirectory:
        cluster_id = None if config.is_replica else uuid4().bytes
        return Store.create(
            config.data,
            cluster_id=cluster_id,
            map_bytes=config.map_bytes,
            durability=durability,
            on_fatal=_end_at_once,
        )


def _end_at_once(error: StorageError) -> None:
    """End the process as the store does by itself, and say why: nothing else will."""
    sys.stderr.write(f"wheelyard: stopped, because writing cannot be trusted any more: {error}\n")
    sys.stderr.flush()
    exit_process(error)


def _secrets(config: Config) -> tuple[bytes, ...]:
    file = config.secret_file or config.data / SECRET_FILE_NAME
    if config.secret_file is None and not file.exists():
        make_secret_file(file)
    secrets = [read_secret_file(file)]
    if config.old_secret_file is not None:
        secrets.append(read_secret_file(config.old_secret_file))
    return tuple(secrets)


def _check_first_password(config: Config) -> None:
    if config.root_password_file is None and not config.is_loopback:
        problem = f"root would have no password while {config.host} is open to other machines"
        raise ConfigError([f"{problem}: give one with --root-password-file"])


def _fill_new_cluster(store: Store, config: Config) -> None:
    """Give a new cluster its user root and the mirror root/pypi; may be repeated."""
    if store.position.serial == 0:
        _check_first_password(config)
        hashing = Passwords()
        try:
            password_hash = hashing.hash_now(_first_password(config))
        finally:
            hashing.close()
        store.submit(
            create_user("root", {}, password_hash=password_hash, actor=ROOT, now_ms=now_ms())
        ).result()
    # At serial 1 nobody has used the cluster yet: the first start was cut short, or asked for no mirror.
    if store.position.serial == 1 and not config.no_root_pypi:
        store.submit(create_index("root", "pypi", root_pypi_options(), actor=ROOT)).result()


def root_pypi_options() -> dict[str, object]:
    """Return exactly the options that devpi's root/pypi has."""
    url = pypi_url()
    return {
        "type": "mirror",
        "volatile": False,
        "title": "PyPI",
        "mirror_url": url,
        "mirror_web_url_fmt": url.removesuffix("simple/") + "project/{name}/",
    }


def _first_password(config: Config) -> str:
    path = config.root_password_file
    if path is None:
        return ""
    try:
        return path.read_text().rstrip("\r\n")
    except OSError as error:
        raise ConfigError([f"--root-password-file {path}: {error.strerror}"]) from error


def check_root_password(store: Store, config: Config) -> None:
    """Refuse to open a root without a password to other machines.

    Raises:
        ConfigError: the listener is not loopback and root's password is empty.

    """
    if config.is_loopback:
        return
    with store.view() as view:
        found = find_user(view, "root")
    hashing = Passwords()
    try:
        is_empty = found is not None and hashing.verify_now("", found[1].get("pwhash", ""))
    finally:
        hashing.close()
    if is_empty:
        problem = f"root has no password while {config.host} is open to other machines"
        raise ConfigError([f"{problem}: set one with: wheelyard passwd {config.data} root"])
