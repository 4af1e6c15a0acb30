"""Which files an index shows for a project, and why: one pure function for every view of them.

The rules are devpi's: the nearest index wins per file name, mirrors come last, and a name that
a private index hosts hides the mirrors' files unless it is whitelisted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from node.catalog.records import IndexRecord


class Named(Protocol):
    """Anything that is a file of a page."""

    @property
    def filename(self) -> str:
        """The file's name."""


F = TypeVar("F", bound=Named)


class Reason(Enum):
    """Why a file is shown or not; the values are what people and metrics see."""

    NEAREST = "nearest"
    SHADOWED = "shadowed"
    HIDDEN = "hidden-by-private-name"


@dataclass(frozen=True, slots=True)
class Layer(Generic[F]):
    """What one index of the search path has under the project's name."""

    index: IndexRecord
    files: tuple[F, ...]


@dataclass(frozen=True, slots=True)
class Verdict(Generic[F]):
    """One file, whether it is shown, and the reason."""

    index: IndexRecord
    file: F
    reason: Reason

    @property
    def is_shown(self) -> bool:
        """Whether the index shows the file."""
        return self.reason is Reason.NEAREST


@dataclass(frozen=True, slots=True)
class MirrorRule:
    """What the private indexes of a search path say about its mirrors, for one project."""

    hosted_by: str | None  # the first private index that hosts the name
    is_whitelisted: bool

    @property
    def is_open(self) -> bool:
        """Whether mirrors are asked for the project at all."""
        return self.hosted_by is None or self.is_whitelisted


def mirror_rule(path: Sequence[IndexRecord], project: str, hosts: Iterable[int]) -> MirrorRule:
    """Decide whether the mirrors of a search path may answer for a project.

    Args:
        path: the search path; its first index is the one that was asked.
        project: normalised name.
        hosts: ids of the private indexes that host the name, with or without files.

    """
    hosting = set(hosts)
    union = path[0].options.get("mirror_whitelist_inheritance", "union") == "union"
    whitelist: set[str] | None = None
    hosted_by: str | None = None
    is_whitelisted = False
    for index in path:
        if index.is_mirror:
            continue
        own = set(index.options.get("mirror_whitelist", ()))
        whitelist = own if whitelist is None else (whitelist | own if union else whitelist & own)
        if whitelist & {"*", project}:
            is_whitelisted = True
        elif index.index_id in hosting and hosted_by is None:
            hosted_by = index.full_name
    return MirrorRule(hosted_by, is_whitelisted)


def decide(layers: Iterable[Layer[F]], rule: MirrorRule) -> list[Verdict[F]]:
    """Give every file of every layer its verdict, in search order."""
    taken: set[str] = set()
    verdicts = []
    for layer in layers:
        hidden = layer.index.is_mirror and not rule.is_open
        for file in layer.files:
            if hidden:
                reason = Reason.HIDDEN
            elif file.filename in taken:
                reason = Reason.SHADOWED
            else:
                reason = Reason.NEAREST
                taken.add(file.filename)
            verdicts.append(Verdict(layer.index, file, reason))
    return verdicts
