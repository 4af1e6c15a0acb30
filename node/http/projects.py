"""Routes of projects and versions in devpi's JSON (``/{user}/{index}/{project}[/{version}]``)."""

from typing import Any

from aiohttp import web

from node.catalog.deletion import delete_project, delete_version
from node.catalog.lookups import find_file, log_of, version_names
from node.catalog.records import Fields, IndexRecord
from node.catalog.releases import find_metadata
from node.catalog.times import six_numbers
from node.errors import NotFound
from node.http.keys import SERVICES
from node.http.outside import absolute, outside_url
from node.http.respond import envelope
from node.http.simple import checked_project, get_project, is_for_installers
from node.http.writing import identify, write
from node.services import Services
from node.simple.shown import ShownFile


async def get_project_json(request: web.Request) -> web.StreamResponse:
    """``GET /{user}/{index}/{project}``: all versions with their files, or the simple page for installers."""
    if is_for_installers(request):
        return await get_project(request)
    project = checked_project(request.match_info["project"])
    if project != request.match_info["project"]:
        raise web.HTTPFound(f"./{project}", headers={"Cache-Control": "no-store"})
    versions = await _versions(request, project, ignore_bases="ignore_bases" in request.query)
    return envelope(kind="projectconfig", result=versions)


async def get_version_json(request: web.Request) -> web.Response:
    """``GET /{user}/{index}/{project}/{version}``: one version, as the nearest index has it."""
    project, version = checked_project(request.match_info["project"]), request.match_info["version"]
    versions = await _versions(request, project, ignore_bases=False)
    if version not in versions:
        raise NotFound(f"The version {version} of project {project} does not exist.")
    return envelope(kind="versiondata", result=versions[version])


async def remove_project(request: web.Request) -> web.Response:
    """``DELETE /{user}/{index}/{project}``."""
    info = request.match_info
    user, name, project = info["user"], info["index"], checked_project(info["project"])
    actor = await identify(request)
    await write(request, delete_project(user, name, project, force="force" in request.query, actor=actor))
    return envelope(message=f"project {project!r} deleted from stage {user}/{name}")


async def remove_version(request: web.Request) -> web.Response:
    """``DELETE /{user}/{index}/{project}/{version}``."""
    info = request.match_info
    user, name, project = info["user"], info["index"], checked_project(info["project"])
    actor = await identify(request)
    force = "force" in request.query
    await write(request, delete_version(user, name, project, info["version"], force=force, actor=actor))
    return envelope(message=f"project {project!r} version {info['version']!r} deleted")


async def _versions(request: web.Request, project: str, *, ignore_bases: bool) -> dict[str, Fields]:
    """Return devpi's ``{version: verdata}``: the nearest index's data, the others' under ``+shadowing``."""
    services = request.app[SERVICES]
    base = outside_url(request, services.config.public_url)
    collected = await services.pages.collect(
        request.match_info["user"], request.match_info["index"], project, ignore_bases=ignore_bases
    )
    found: dict[str, dict[int, list[ShownFile]]] = {}
    indexes: dict[int, IndexRecord] = {}
    for verdict in collected.verdicts:
        version = verdict.file.version
        if version is not None:
            indexes[verdict.index.index_id] = verdict.index
            found.setdefault(version, {}).setdefault(verdict.index.index_id, []).append(verdict.file)
    for index, version in _registered(services, collected.path, project):
        indexes[index.index_id] = index
        found.setdefault(version, {}).setdefault(index.index_id, [])
    order = {index.index_id: number for number, index in enumerate(collected.path)}
    shown: dict[str, Fields] = {}
    for version, by_index in found.items():
        nearest, *rest = (
            _verdata(services, indexes[index_id], project, version, by_index[index_id], base)
            for index_id in sorted(by_index, key=order.__getitem__)
        )
        if rest:
            nearest["+shadowing"] = rest
        shown[version] = nearest
    return shown


def _registered(
    services: Services, path: tuple[IndexRecord, ...], project: str
) -> list[tuple[IndexRecord, str]]:
    """Return the versions that are registered, with files or without."""
    with services.store.view() as view:
        return [
            (index, version)
            for index in path
            if not index.is_mirror
            for version in version_names(view, index.index_id, project)
        ]


def _verdata(
    services: Services, index: IndexRecord, project: str, version: str, files: list[ShownFile], base: str
) -> Fields:
    with services.store.view() as view:
        metadata = find_metadata(view, index.index_id, project, version)
    verdata: Fields = dict(metadata) if metadata else {"name": project, "version": version}
    verdata["+links"] = [_link(services, index, project, file, base) for file in files]
    return verdata


def _link(services: Services, index: IndexRecord, project: str, file: ShownFile, base: str) -> dict[str, Any]:
    algorithm = next(iter(file.hashes), None)
    link: dict[str, Any] = {
        "rel": "releasefile",
        "href": absolute(base, file.path),
        "hash_spec": f"{algorithm}={file.hashes[algorithm]}" if algorithm else "",
        "hashes": file.hashes,
    }
    if not index.is_mirror:
        with services.store.view() as view:
            record = find_file(view, index.index_id, project, file.filename)
            log = log_of(view, index.index_id, project, file.filename) if record else []
        link["log"] = [{**item, "when": six_numbers(item["when"])} for item in log]
    return link
