"""Collecting what the indexes of a search path have for a project, and deciding what is shown."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from packaging.version import InvalidVersion, Version

from node.catalog.lookups import files_of, get_index, has_project, project_serial, search_path
from node.catalog.permissions import NOBODY, Identity
from node.catalog.reading import ShownTo, shown_to, unreadable
from node.catalog.records import IndexRecord
from node.catalog.visibility import Layer, MirrorRule, Verdict, decide, mirror_rule
from node.errors import ProjectUnknown
from node.finished import MirrorStamp, Stamps, configuration_serial
from node.mirror.page import MirrorPage
from node.mirror.source import MirrorSource
from node.simple.shown import ShownFile, hosted, mirrored
from storage.view import View


class SourceOf(Protocol):
    """Gives the upstream of a mirror index."""

    def __call__(self, index: IndexRecord) -> MirrorSource:
        """Return where the index gets its projects from."""


@dataclass(frozen=True, slots=True)
class HostedPart:
    """What the state says of a project on a search path, and which mirrors are still to be asked."""

    project: str
    path: tuple[IndexRecord, ...]  # what the reader may see of it; the rule and the stamps know all
    shown_to: ShownTo
    layers: tuple[Layer[ShownFile], ...]
    versions: frozenset[str]
    rule: MirrorRule
    mirrors: tuple[IndexRecord, ...]  # empty where the rule closes them
    stamps: Stamps
    serial: int  # the state's, when it was read
    is_hosted: bool


def collect_hosted(
    view: View,
    user: str,
    name: str,
    project: str,
    *,
    reader: Identity = NOBODY,
    ignore_bases: bool = False,
) -> HostedPart:
    """Read the hosted part of a project's page in one view, as far as ``reader`` may see it.

    Raises:
        IndexUnknown: no such index.
        LoginRequired, Forbidden: ``reader`` may not read the index.

    """
    index = get_index(view, user, name)
    path = [index] if ignore_bases else search_path(view, index)
    hidden = unreadable(reader, path, project)
    stages = [stage for stage in path if not stage.is_mirror]
    hosts = [stage.index_id for stage in stages if has_project(view, stage.index_id, project)]
    layers = tuple(
        Layer(stage, tuple(hosted(stage, record) for record in files_of(view, stage.index_id, project)))
        for stage in stages
        if stage.index_id in hosts and stage.index_id not in hidden
    )
    rule = mirror_rule(path, project, hosts)
    return HostedPart(
        project=project,
        path=tuple(stage for stage in path if stage.index_id not in hidden),
        shown_to=shown_to(path, hidden),
        layers=layers,
        versions=frozenset(file.version for layer in layers for file in layer.files if file.version),
        rule=rule,
        mirrors=tuple(stage for stage in path if stage.is_mirror and stage.index_id not in hidden)
        if rule.is_open
        else (),
        stamps=Stamps(
            configuration=configuration_serial(view),
            project=project,
            serials=tuple(
                (stage.index_id, project_serial(view, stage.index_id, project)) for stage in stages
            ),
        ),
        serial=view.position.serial,
        is_hosted=any(index_id not in hidden for index_id in hosts),
    )


@dataclass(frozen=True, slots=True)
class CollectedPage:
    """Everything that is known of a project on a search path, with a verdict for each file."""

    project: str
    path: tuple[IndexRecord, ...]
    shown_to: ShownTo
    verdicts: Sequence[Verdict[ShownFile]]
    versions: tuple[str, ...]
    stamps: Stamps
    serial: int
    last_serial: int | None
    status: dict[str, str] | None
    is_stale: bool

    @property
    def files(self) -> list[ShownFile]:
        """The files that are shown, in search order."""
        return [verdict.file for verdict in self.verdicts if verdict.is_shown]


def _distinct(versions: Iterable[str]) -> tuple[str, ...]:
    """Return the versions in order, each once however it is spelled; what is no version is left out (PEP 700)."""
    found: dict[Version, str] = {}
    for text in sorted(versions):
        with suppress(InvalidVersion):
            found.setdefault(Version(text), text)
    return tuple(found[version] for version in sorted(found))


def merge(
    part: HostedPart, pages: Sequence[tuple[IndexRecord, MirrorSource, MirrorPage | None]]
) -> CollectedPage:
    """Join the hosted part and the mirrors' pages.

    Raises:
        ProjectUnknown: neither a private index nor a mirror has the project.

    """
    present = [(index, page) for index, _, page in pages if page is not None]
    if not part.is_hosted and not present:
        raise ProjectUnknown(part.project)
    mirror_layers = [
        Layer(index, tuple(mirrored(index, file) for file in page.files)) for index, page in present
    ]
    verdicts = decide([*part.layers, *mirror_layers], part.rule)
    versions = set(part.versions)
    for _, page in present:
        versions.update(page.versions)
    own_mirror = present[0][1] if present and part.path[0].is_mirror else None
    return CollectedPage(
        project=part.project,
        path=part.path,
        shown_to=part.shown_to,
        verdicts=verdicts,
        versions=_distinct(versions),
        stamps=Stamps(
            configuration=part.stamps.configuration,
            project=part.project,
            serials=part.stamps.serials,
            mirrors=tuple(
                MirrorStamp(source, part.project)
                if page is None
                else MirrorStamp(source, part.project, page.digest, page.is_stale)
                for _, source, page in pages
            ),
        ),
        serial=part.serial,
        last_serial=own_mirror.last_serial
        if own_mirror
        else max((s for _, s in part.stamps.serials), default=0),
        status=present[0][1].status if present and not part.is_hosted else None,
        is_stale=any(page.is_stale for _, page in present),
    )
