from __future__ import annotations

import socket

import pytest

from node.mirror.addresses import LinkLocalRefused, is_forbidden, open_socket


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "fe80::1",
        "[fe80::1]",
        "fe80::1%eth0",
        "febf::1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
    ],
)
def test_link_local_address_is_forbidden_in_every_spelling(host: str) -> None:
    assert is_forbidden(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd00::1", "index.test", "", "169.255.0.1"]
)
def test_other_hosts_are_allowed(host: str) -> None:
    assert not is_forbidden(host)


def test_no_socket_is_made_for_a_link_local_address() -> None:
    with pytest.raises(LinkLocalRefused):
        open_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80)))
