"""devpi's version JSON: metadata, ``+links`` with logs, and ``+shadowing`` (``projectconfig``, ``versiondata``)."""

from collections.abc import Iterable
from typing import Any

from node.catalog.lookups import find_file, logged_items, version_names
from node.catalog.records import Fields, IndexRecord
from node.catalog.releases import find_metadata
from node.catalog.times import six_numbers
from node.http.outside import absolute
from node.simple.collect import CollectedPage
from node.simple.shown import ShownFile
from storage.view import View

Found = dict[str, dict[int, list[ShownFile]]]
"""version -> index id -> files; in the order of the search path."""


def describe_versions(view: View, collected: CollectedPage, base: str) -> dict[str, Fields]:
    """Return ``{version: verdata}``: the nearest index's data, the others' under ``+shadowing``."""
    indexes = {index.index_id: index for index in collected.path}
    shown: dict[str, Fields] = {}
    for version, by_index in _found(view, collected).items():
        nearest, *rest = (
            _verdata(view, indexes[index_id], collected.project, version, by_index[index_id], base)
            for index_id in indexes
            if index_id in by_index
        )
        if rest:
            nearest["+shadowing"] = rest
        shown[version] = nearest
    return shown


def _found(view: View, collected: CollectedPage) -> Found:
    found: Found = {}
    for verdict in collected.verdicts:
        version = verdict.file.version
        if version is not None:
            found.setdefault(version, {}).setdefault(verdict.index.index_id, []).append(verdict.file)
    for index in collected.path:
        if index.is_mirror:
            continue
        for version in version_names(view, index.index_id, collected.project):
            found.setdefault(version, {}).setdefault(index.index_id, [])
    return found


def _verdata(
    view: View, index: IndexRecord, project: str, version: str, files: Iterable[ShownFile], base: str
) -> Fields:
    metadata = None if index.is_mirror else find_metadata(view, index.index_id, project, version)
    verdata: Fields = dict(metadata) if metadata else {"name": project, "version": version}
    links = [_link(view, index, project, file, base) for file in files]
    if links:
        verdata["+links"] = [link for _, link in sorted(links, key=lambda pair: pair[0])]
    return verdata


def _link(
    view: View, index: IndexRecord, project: str, file: ShownFile, base: str
) -> tuple[tuple[int, str], dict[str, Any]]:
    """Return a link and its place: devpi lists the files of a version in the order in which they came."""
    algorithm = next(iter(file.hashes), None)
    link: dict[str, Any] = {
        "rel": "releasefile",
        "href": absolute(base, file.path),
        "hash_spec": f"{algorithm}={file.hashes[algorithm]}" if algorithm else "",
        "hashes": file.hashes,
    }
    if index.is_mirror or find_file(view, index.index_id, project, file.filename) is None:
        return (0, file.filename), link
    items = list(logged_items(view, index.index_id, project, file.filename))
    link["log"] = [{**item, "when": six_numbers(item["when"])} for _, item in items]
    return (items[0][0] if items else 0, file.filename), link
