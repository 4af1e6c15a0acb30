"""``wheelyard passwd``: a new password for whoever lost theirs, root's above all."""

import hashlib
import ssl
from pathlib import Path

import click

from node.address import read_address
from node.auth.passwords import Passwords
from node.catalog.users import set_password
from node.cli.asking import NodeRefused, NodeSilent, fetch
from node.cli.output import described, fail
from node.cli.password_input import read_password
from node.config import ConfigError
from node.errors import Refusal
from node.identity import read_identity
from node.passwd import PasswordChange
from node.secrets import SECRET_FILE_NAME, read_secret_file
from replication.errors import ProofRefused
from replication.trust import HEADER_ANSWER, HEADER_NONCE, Trust
from storage.errors import DirectoryInUse, StorageError
from storage.store import Store

PATH = "/+cluster/passwd"
SIGNER = "passwd"
"""What stands in the place of a node id in the proof."""


@click.command("passwd")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("user")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="read the password from a file instead of asking; - is standard input",
)
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="the cluster secret, when the node runs with one outside DIR",
)
def passwd_command(directory: Path, user: str, password_file: Path | None, secret_file: Path | None) -> None:
    """Set a password on the primary whose data directory is DIR, running or stopped.

    Tokens that were made with the old password end.
    """
    try:
        _check_primary(directory)
        change = PasswordChange(user, _hashed(_new_password(password_file)))
        try:
            _change_stopped(directory, change)
        except DirectoryInUse as error:
            _change_running(directory, change, secret_file, error)
    except ConfigError as error:
        fail(*error.problems)
    except (NodeSilent, NodeRefused, ProofRefused, Refusal, StorageError) as error:
        fail(str(error))
    except OSError as error:
        fail(described(error))
    click.echo(f"changed the password of {user}")


def _check_primary(directory: Path) -> None:
    identity = read_identity(directory)
    if identity is None:
        raise ConfigError([f"{directory} is not a Wheelyard data directory"])
    if identity.role != "primary":
        raise ConfigError(
            [f"{directory} belongs to a {identity.role}; passwords are set in the primary's directory"]
        )


def _new_password(file: Path | None) -> str:
    password = read_password(file, prompt="New password", is_new=True)
    if not password:
        raise ConfigError(["the password is empty"])
    return password


def _hashed(password: str) -> str:
    hashing = Passwords()
    try:
        return hashing.hash_now(password)
    finally:
        hashing.close()


def _change_stopped(directory: Path, change: PasswordChange) -> None:
    store = Store.open(directory)
    try:
        store.submit(set_password(change.user, change.password_hash)).result()
    finally:
        store.close()


def _change_running(
    directory: Path, change: PasswordChange, secret_file: Path | None, in_use: DirectoryInUse
) -> None:
    """Have the running node do it.

    TLS certificates are not checked: the node is on this machine, under an address that its certificate need not
    name. What is sent is a hash that the proof covers, and the node's own proof shows who took it.
    """
    url = read_address(directory)
    if url is None:
        raise in_use
    trust = Trust([read_secret_file(secret_file or directory / SECRET_FILE_NAME)])
    body = change.to_wire()
    path = f"{PATH}?sha256={hashlib.sha256(body).hexdigest()}"
    signed = trust.sign(method="POST", path=path, node_id=SIGNER)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    headers, _ = fetch(url, path, body=body, headers=signed, context=context)
    trust.verify_answer(signed[HEADER_NONCE], headers.get(HEADER_ANSWER, ""))
