"""Which addresses the mirror never connects to, whatever a name resolves to.

Link-local addresses carry cloud metadata services, which hand credentials to whoever asks from this machine.
Private networks stay reachable: company indexes live there.
"""

import ipaddress
import socket
from typing import Any

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Fixed addresses of cloud metadata services outside the link-local blocks.
_METADATA_SERVICES = frozenset(
    {ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")}
)


class LinkLocalRefused(PermissionError):
    """A connection was about to go to a link-local address."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is a link-local address")
        self.address = address


def is_forbidden(host: str) -> bool:
    """Say whether ``host`` is written as an address that is never asked; a name is not."""
    text = host.strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        try:
            # 2852039166, 0xa9fea9fe and 169.254.43518 are addresses to the C library, and to proxies.
            address = ipaddress.IPv4Address(socket.inet_aton(text))
        except (OSError, UnicodeError, ValueError):
            return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return address.is_link_local or address in _METADATA_SERVICES


def open_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make the socket for one resolved address; every connection of the mirror passes here.

    Checking here rather than at name resolution also covers literals, redirects and names whose
    answer changes between a check and its use.

    Raises:
        LinkLocalRefused: the address is link-local.

    """
    family, kind, protocol, _, target = address
    if is_forbidden(str(target[0])):
        raise LinkLocalRefused(str(target[0]))
    return socket.socket(family=family, type=kind, proto=protocol)
