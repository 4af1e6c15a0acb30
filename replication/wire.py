"""Reading msgpack records that came over the wire: bounded, typed, and never trusted.

Records are maps with short text keys. Unknown keys are ignored, so that a newer peer may add some; a missing
key or a wrong type is an error, so that nothing downstream meets a surprise.
"""

from __future__ import annotations

from typing import Any, Final

import msgpack

from replication.errors import MessageCorrupt
from storage.position import Position, Serial

INTEGER_MAX: Final = (1 << 63) - 1
TEXT_CHARS_MAX: Final = 1024
CHAIN_BYTES: Final = 32


def pack(record: object) -> bytes:
    """Encode one record."""
    encoded: bytes = msgpack.packb(record, use_bin_type=True)
    return encoded


def pack_position(position: Position) -> list[object]:
    """The wire form of a position: epoch, serial, chain."""
    return [position.epoch, int(position.serial), position.chain]


class Record:
    """A map from the wire with typed access to its fields."""

    __slots__ = ("_fields", "_what")

    def __init__(self, what: str, fields: object) -> None:
        if not isinstance(fields, dict):
            raise MessageCorrupt(what, "not a map")
        self._what = what
        self._fields: dict[Any, Any] = fields

    @classmethod
    def parse(cls, what: str, data: bytes, *, bytes_max: int) -> Record:
        """Decode one record of at most ``bytes_max`` bytes.

        Raises:
            MessageCorrupt: too long, not msgpack, or not a map.

        """
        if len(data) > bytes_max:
            raise MessageCorrupt(what, f"{len(data)} bytes, at most {bytes_max} are allowed")
        try:
            fields = msgpack.unpackb(data, raw=False, strict_map_key=True)
        except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as error:
            raise MessageCorrupt(what, "not msgpack") from error
        return cls(what, fields)

    def _get(self, name: str, kind: type) -> Any:
        value = self._fields.get(name)
        if type(value) is not kind:
            raise MessageCorrupt(self._what, f"{name} is not {kind.__name__}")
        return value

    def integer(self, name: str) -> int:
        """A count between zero and INTEGER_MAX."""
        value: int = self._get(name, int)
        if not 0 <= value <= INTEGER_MAX:
            raise MessageCorrupt(self._what, f"{name} is out of range")
        return value

    def boolean(self, name: str) -> bool:
        """A truth value."""
        value: bool = self._get(name, bool)
        return value

    def number(self, name: str) -> float:
        """A point in time or a duration, in seconds."""
        value: float = self._get(name, float)
        return value

    def text(self, name: str) -> str:
        """A short printable text: it ends in logs, pages and metric labels."""
        value: str = self._get(name, str)
        if len(value) > TEXT_CHARS_MAX or not value.isprintable():
            raise MessageCorrupt(self._what, f"{name} is not a short printable text")
        return value

    def octets(self, name: str, *, length_bytes: int) -> bytes:
        """Exactly ``length_bytes`` bytes."""
        value: bytes = self._get(name, bytes)
        if len(value) != length_bytes:
            raise MessageCorrupt(self._what, f"{name} has {len(value)} bytes, not {length_bytes}")
        return value

    def optional_octets(self, name: str, *, length_bytes: int) -> bytes | None:
        """Exactly ``length_bytes`` bytes, or nothing."""
        if self._fields.get(name) is None:
            return None
        return self.octets(name, length_bytes=length_bytes)

    def record(self, name: str) -> Record:
        """A nested map."""
        return Record(f"{self._what}.{name}", self._get(name, dict))

    def records(self, name: str, *, count_max: int) -> list[Record]:
        """A list of nested maps."""
        items: list[object] = self._get(name, list)
        if len(items) > count_max:
            raise MessageCorrupt(
                self._what, f"{name} has {len(items)} items, at most {count_max} are allowed"
            )
        return [Record(f"{self._what}.{name}", item) for item in items]

    def position(self, name: str) -> Position:
        """A position as `pack_position` writes it."""
        match self._get(name, list):
            case [int(epoch), int(serial), bytes(chain)] if (
                0 <= epoch <= INTEGER_MAX and 0 <= serial <= INTEGER_MAX and len(chain) == CHAIN_BYTES
            ):
                return Position(epoch, Serial(serial), chain)
            case _:
                raise MessageCorrupt(self._what, f"{name} is not a position")
