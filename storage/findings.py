"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.position import Position


class Severity(Enum):
    """How much a finding matters."""

    DAMAGE = "damage"  # something is wrong or lost
    NOTE = "note"  # what a crash or an unfinished transfer leaves behind; harmless


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found."""

    severity: Severity
    kind: str  # "entry-corrupt", "blob-missing" ...: stable words for scripts
    detail: str
    repaired: str = ""  # what was done about it

    def __str__(self) -> str:
        done = f" ({self.repaired})" if self.repaired else ""
        return f"{self.severity.value}: {self.kind}: {self.detail}{done}"


@dataclass(slots=True)
class CheckReport:
    """Everything that one check found and counted."""

    findings: list[Finding] = field(default_factory=list)
    position: Position | None = None
    entries: int = 0
    keys: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    pending_blobs: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing is damaged; notes do not count."""
        return all(finding.severity is Severity.NOTE for finding in self.findings)

    def damage(self, kind: str, detail: str, *, repaired: str = "") -> None:
        """Add a finding that matters."""
        self.findings.append(Finding(Severity.DAMAGE, kind, detail, repaired))

    def note(self, kind: str, detail: str, *, repaired: str = "") -> None:
        """Add a harmless finding."""
        self.findings.append(Finding(Severity.NOTE, kind, detail, repaired))
