"""Where a running node can be asked on this machine: the file ``address`` in its data directory.

Written when the node listens, removed when it stops. After a crash it stays and is wrong, so a reader first
finds out whether the directory is in use.
"""

from ipaddress import ip_address
from pathlib import Path

ADDRESS_FILE_NAME = "address"


def write_address(path: Path, *, scheme: str, host: str, port: int) -> None:
    """Write where the node listens, whole or not at all."""
    temporary = path / (ADDRESS_FILE_NAME + ".new")
    temporary.write_text(f"{scheme}://{_reachable(host)}:{port}\n")
    temporary.rename(path / ADDRESS_FILE_NAME)


def remove_address(path: Path) -> None:
    """Forget where the node listened."""
    (path / ADDRESS_FILE_NAME).unlink(missing_ok=True)


def read_address(path: Path) -> str | None:
    """Return the URL of the node that last listened; None when it stopped, or never did."""
    try:
        return (path / ADDRESS_FILE_NAME).read_text().strip() or None
    except FileNotFoundError:
        return None


def _reachable(host: str) -> str:
    """Return a host to connect to; a node that listens on every address is asked on loopback."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"
