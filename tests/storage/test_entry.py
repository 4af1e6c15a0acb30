from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import entry as entry_module
from storage.entry import (
    ENTRY_BYTES_MAX,
    KEY_BYTES_MAX,
    BlobRef,
    Delete,
    Entry,
    Put,
    chain_of,
    decode_entry,
    encode_entry,
    position_of,
)
from storage.errors import EntryCorrupt, EntryTooLarge, EntryTooNew
from storage.position import GENESIS, Position, Serial

U64 = st.integers(0, (1 << 64) - 1)
DIGESTS = st.binary(min_size=32, max_size=32)
KEYS = st.binary(min_size=1, max_size=KEY_BYTES_MAX)
ENTRIES = st.builds(
    Entry,
    epoch=U64,
    serial=U64.map(Serial),
    time_ms=U64,
    min_reader=st.just(1),
    previous_chain=DIGESTS,
    state_digest=DIGESTS,
    changes=st.lists(st.builds(Put, KEYS, st.binary()) | st.builds(Delete, KEYS), max_size=5).map(tuple),
    blobs=st.lists(st.builds(BlobRef, DIGESTS, U64), max_size=3).map(tuple),
    actor=st.text(max_size=20),
    request_id=st.text(max_size=20),
)


def sample(**replaced: object) -> Entry:
    fields: dict[str, object] = {
        "epoch": 3,
        "serial": Serial(7),
        "time_ms": 11,
        "min_reader": 1,
        "previous_chain": bytes(32),
        "state_digest": b"d" * 32,
        "changes": (Put(b"k", b"v"), Delete(b"gone")),
        "blobs": (BlobRef(b"b" * 32, 5),),
        "actor": "root",
        "request_id": "r1",
    }
    return Entry(**{**fields, **replaced})  # type: ignore[arg-type]


@given(ENTRIES)
def test_decoding_returns_what_was_encoded(entry: Entry) -> None:
    assert decode_entry(encode_entry(entry)) == entry


@given(ENTRIES, st.data())
def test_any_flipped_bit_is_refused(entry: Entry, data: st.DataObject) -> None:
    encoded = bytearray(encode_entry(entry))
    bit = data.draw(st.integers(0, len(encoded) * 8 - 1))
    encoded[bit // 8] ^= 1 << bit % 8

    with pytest.raises(EntryCorrupt):
        decode_entry(bytes(encoded))


def test_any_cut_is_refused() -> None:
    encoded = encode_entry(sample())

    for length in range(len(encoded)):
        with pytest.raises(EntryCorrupt):
            decode_entry(encoded[:length])


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(EntryCorrupt):
        decode_entry(b"WYL1" + data)


def test_chain_depends_on_the_previous_chain() -> None:
    first = encode_entry(sample())
    other = encode_entry(sample(previous_chain=b"x" * 32))

    assert chain_of(first) != chain_of(other)
    assert position_of(first) == Position(3, Serial(7), chain_of(first))


def test_entry_for_a_later_reader_is_refused_and_named() -> None:
    with pytest.raises(EntryTooNew) as caught:
        decode_entry(encode_entry(sample(min_reader=2)))

    assert (caught.value.serial, caught.value.min_reader) == (7, 2)


def test_header_that_a_later_version_made_longer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    import struct  # noqa: PLC0415 - only to build bytes of a version that does not exist yet

    header = entry_module._HEADER
    longer = struct.Struct(header.format + "4x")
    monkeypatch.setattr(entry_module, "_HEADER", longer)
    encoded = encode_entry(sample())
    monkeypatch.setattr(entry_module, "_HEADER", header)

    assert decode_entry(encoded) == sample()


def test_entry_above_the_limit_is_refused() -> None:
    with pytest.raises(EntryTooLarge) as caught:
        encode_entry(sample(changes=(Put(b"k", bytes(ENTRY_BYTES_MAX)),)))

    assert caught.value.size_bytes > caught.value.limit_bytes == ENTRY_BYTES_MAX


def test_position_shows_epoch_serial_and_chain() -> None:
    assert str(GENESIS) == "0-0-0000000000000000"
