"""Where a node is in the changelog."""

from dataclasses import dataclass
from typing import NewType

CHAIN_BYTES = 32

Serial = NewType("Serial", int)
"""Number of a changelog entry. The first entry is 1; 0 means "nothing yet"."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a node is in the changelog, and proof of how it got there.

    Two nodes at the same serial hold the same state if and only if their chains
    agree; equal serials with different chains mean that the histories forked.
    """

    epoch: int  # of the entry at ``serial``; grows at every change of primary
    serial: Serial
    chain: bytes  # 32 bytes; SHA-256 over the entry's bytes, which hold the previous chain

    def __str__(self) -> str:
        return f"{self.epoch}-{self.serial}-{self.chain.hex()[:16]}"


GENESIS = Position(0, Serial(0), bytes(CHAIN_BYTES))
"""The position of an empty changelog."""
