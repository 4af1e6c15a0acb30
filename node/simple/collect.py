"""Collecting what the indexes of a search path have for a project, and deciding what is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from node.catalog.lookups import files_of, get_index, has_project, project_serial, search_path
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
    path: tuple[IndexRecord, ...]
    layers: tuple[Layer[ShownFile], ...]
    versions: frozenset[str]
    rule: MirrorRule
    mirrors: tuple[IndexRecord, ...]  # empty where the rule closes them
    stamps: Stamps
    serial: int  # the state's, when it was read
    is_hosted: bool


def collect_hosted(
    view: View, user: str, name: str, project: str, *, ignore_bases: bool = False
) -> HostedPart:
    """Read the hosted part of a project's page in one view.

    Raises:
        IndexUnknown: no such index.

    """
    index = get_index(view, user, name)
    path = [index] if ignore_bases else search_path(view, index)
    stages = [stage for stage in path if not stage.is_mirror]
    hosts = [stage.index_id for stage in stages if has_project(view, stage.index_id, project)]
    layers = tuple(
        Layer(stage, tuple(hosted(stage, record) for record in files_of(view, stage.index_id, project)))
        for stage in stages
        if stage.index_id in hosts
    )
    rule = mirror_rule(path, project, hosts)
    return HostedPart(
        project=project,
        path=tuple(path),
        layers=layers,
        versions=frozenset(file.version for layer in layers for file in layer.files if file.version),
        rule=rule,
        mirrors=tuple(stage for stage in path if stage.is_mirror) if rule.is_open else (),
        stamps=Stamps(
            configuration=configuration_serial(view),
            project=project,
            serials=tuple(
                (stage.index_id, project_serial(view, stage.index_id, project)) for stage in stages
            ),
        ),
        serial=view.position.serial,
        is_hosted=bool(hosts),
    )


@dataclass(frozen=True, slots=True)
class CollectedPage:
    """Everything that is known of a project on a search path, with a verdict for each file."""

    project: str
    path: tuple[IndexRecord, ...]
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
        verdicts=verdicts,
        versions=tuple(sorted(versions)),
        stamps=Stamps(
            configuration=part.stamps.configuration,
            project=part.project,
            serials=part.stamps.serials,
            mirrors=tuple(
                MirrorStamp(source, part.project, None if page is None else page.digest)
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
