from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.errors import MessageCorrupt
from replication.hello import PROTOCOL, Ack, Hello, NodeCard
from storage.position import GENESIS, Position, Serial

CARD = NodeCard("node-1", "https://one.test:3141", "eu", "0.1.0")
HELLO = Hello(PROTOCOL, b"c" * 16, Position(2, Serial(9), b"x" * 32), CARD, epoch=2)
ACK = Ack("node-1", 2, Serial(9), Serial(8), blobs_pending=3, blobs_pending_bytes=99)


@pytest.mark.parametrize("hello", [HELLO, replace(HELLO, cluster_id=None, position=GENESIS, epoch=0)])
def test_hello_comes_back_as_it_was(hello: Hello) -> None:
    assert Hello.from_wire(hello.to_wire()) == hello


def test_ack_comes_back_as_it_was() -> None:
    assert Ack.from_wire(ACK.to_wire()) == ACK


def test_ack_that_applied_more_than_it_appended_is_refused() -> None:
    with pytest.raises(MessageCorrupt, match="more applied than appended"):
        Ack.from_wire(replace(ACK, applied=Serial(10)).to_wire())


@given(st.binary(max_size=200))
def test_garbage_is_no_message(garbage: bytes) -> None:
    for parse in (Hello.from_wire, Ack.from_wire):
        with pytest.raises(MessageCorrupt):
            parse(garbage)


@given(st.integers(0, len(HELLO.to_wire()) - 1), st.integers(1, 255))
def test_flipped_hello_is_a_hello_or_refused(offset: int, mask: int) -> None:
    flipped = bytearray(HELLO.to_wire())
    flipped[offset] ^= mask

    try:
        hello = Hello.from_wire(bytes(flipped))
    except MessageCorrupt:
        return
    assert len(hello.position.chain) == 32
