"""Routes of projects and versions in devpi's JSON (``/{user}/{index}/{project}[/{version}]``)."""

from functools import partial

from aiohttp import web

from node.catalog.deletion import delete_project, delete_version
from node.catalog.records import Fields
from node.errors import NotFound, ProjectUnknown
from node.http.keys import SERVICES
from node.http.outside import outside_url
from node.http.reading import reader
from node.http.respond import envelope
from node.http.simple import checked_project, get_project, is_for_installers
from node.http.verdata import describe_versions
from node.http.writing import identify, write


async def get_project_json(request: web.Request) -> web.StreamResponse:
    """``GET /{user}/{index}/{project}``: all versions with their files, or the simple page for installers."""
    if is_for_installers(request):
        return await get_project(request)
    project = checked_project(request.match_info["project"])
    if project != request.match_info["project"]:
        raise web.HTTPFound(f"./{project}", headers={"Cache-Control": "no-store"})
    try:
        versions = await _versions(request, project, ignore_bases="ignore_bases" in request.query)
    except ProjectUnknown:
        raise NotFound(f"no project {project!r}") from None
    return envelope(kind="projectconfig", result=versions)


async def get_version_json(request: web.Request) -> web.Response:
    """``GET /{user}/{index}/{project}/{version}``: one version, as the nearest index has it."""
    project, version = checked_project(request.match_info["project"]), request.match_info["version"]
    try:
        versions = await _versions(request, project, ignore_bases=False)
    except ProjectUnknown:
        versions = {}
    if version not in versions:
        raise NotFound(f"The version {version} of project {project} does not exist.")
    return envelope(kind="versiondata", result=versions[version])


async def remove_project(request: web.Request) -> web.Response:
    """``DELETE /{user}/{index}/{project}``."""
    info = request.match_info
    user, name, project = info["user"], info["index"], checked_project(info["project"])
    actor = await identify(request)
    await write(request, delete_project(user, name, project, force="force" in request.query, actor=actor))
    return envelope(message=f"project {project} deleted from stage {user}/{name}")


async def remove_version(request: web.Request) -> web.Response:
    """``DELETE /{user}/{index}/{project}/{version}``."""
    info = request.match_info
    user, name, project = info["user"], info["index"], checked_project(info["project"])
    actor = await identify(request)
    force = "force" in request.query
    await write(request, delete_version(user, name, project, info["version"], force=force, actor=actor))
    return envelope(message=f"project {project!r} version {info['version']!r} deleted")


async def _versions(request: web.Request, project: str, *, ignore_bases: bool) -> dict[str, Fields]:
    """Return devpi's ``{version: verdata}``.

    Raises:
        ProjectUnknown: neither the index nor its bases have the project.

    """
    services = request.app[SERVICES]
    base = outside_url(request, services.config.public_url)
    user, name = request.match_info["user"], request.match_info["index"]
    collected = await services.pages.collect(
        user, name, project, who=partial(reader, request), ignore_bases=ignore_bases
    )
    with services.store.view() as view:
        return describe_versions(view, collected, base)
