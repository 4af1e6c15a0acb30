"""A node's data directory: made at the first start, checked at every start."""

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
from node.identity import NodeIdentity, RoleName, new_identity, read_identity, write_identity
from node.mirror.source import pypi_url
from node.secrets import SECRET_FILE_NAME, make_secret_file, read_secret_file
from storage.errors import NotADataDirectory
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
    identity = read_identity(path)
    role: RoleName = "replica" if config.is_replica else "primary"
    if identity is None and path.is_dir() and any(path.iterdir()) and not (path / "db").is_dir():
        raise ConfigError([f"{path} is not empty and no data directory of Wheelyard"])
    if identity is not None and identity.role != role:
        raise ConfigError([_role_problem(path, identity, role)])
    if identity is None and not config.is_replica:
        _check_first_password(config)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = _open_store(config)
    try:
        if identity is None:
            # Written last of what makes a node, so that a start which was cut short begins anew.
            secrets = _secrets(config)
            if not config.is_replica:
                _fill_new_cluster(store, config)
            identity = new_identity(role)
            write_identity(path, identity)
        else:
            secrets = _secrets(config)
        if not config.is_replica:
            check_root_password(store, config)
    except BaseException:
        store.close()
        raise
    return DataDirectory(store, identity, secrets)


def _role_problem(path: Path, identity: NodeIdentity, wanted: str) -> str:
    if wanted == "primary":
        return f"{path} belongs to a replica: start it with --primary URL"
    return f"{path} belongs to a {identity.role}: start it without --primary, or give the replica an empty directory"


def _open_store(config: Config) -> Store:
    try:
        return Store.open(config.data, map_bytes=config.map_bytes)
    except NotADataDirectory:
        cluster_id = None if config.is_replica else uuid4().bytes
        return Store.create(config.data, cluster_id=cluster_id, map_bytes=config.map_bytes)


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
    password = "" if config.root_password_file is None else _read_password(config.root_password_file)
    if store.position.serial > 0:
        return
    hashing = Passwords()
    try:
        password_hash = hashing.hash_now(password)
    finally:
        hashing.close()
    store.submit(create_user("root", {}, password_hash=password_hash, actor=ROOT, now_ms=now_ms())).result()
    if not config.no_root_pypi:
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


def _read_password(path: Path) -> str:
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
