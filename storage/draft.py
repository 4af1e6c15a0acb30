"""What an operation wants written, and what its submitter gets back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from storage.entry import BlobRef, Change
from storage.position import Position
from storage.view import View

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Draft:
    """Changes of one operation; the writer makes one entry of them.

    The writer turns ``adds`` and ``drops`` into the reference counts of storage/references.py,
    so an operation must add once for each reference it creates and drop once for each it removes.
    """

    changes: tuple[Change, ...]
    adds: tuple[BlobRef, ...] = ()  # bytes already durable, or in ``contents``
    drops: tuple[bytes, ...] = ()  # sha256 of references lost
    contents: Mapping[bytes, bytes] = field(default_factory=dict)  # sha256 -> blob of <= CONTENT_BYTES_MAX
    actor: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Receipt(Generic[T_co]):
    """Answer to a submitted operation, given only when everything it rests on is durable."""

    position: Position  # after the entry; without a draft, the position the operation saw
    result: T_co


Operation = Callable[[View], tuple[Draft | None, T]]
"""Pure function over the state. It refuses by raising; no draft means that there is nothing to write."""
