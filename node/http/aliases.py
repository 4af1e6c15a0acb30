"""``simple`` as another spelling of ``+simple``, for tools that insist on a base which ends so.

A project that is really named ``simple`` keeps devpi's JSON: for all who ask for JSON, and for
everybody under its paths without a slash at the end. Its page is at ``+simple/simple/``.
"""

from aiohttp import web

from node.catalog.lookups import find_index, has_project, search_path
from node.http.keys import SERVICES
from node.http.projects import get_project_json, get_version_json
from node.http.respond import wants_json
from node.http.simple import get_projects, is_for_installers, redirect_to_normalized, redirect_to_slash

ALIAS = "simple"


async def get_list(request: web.Request) -> web.StreamResponse:
    """``GET /{user}/{index}/simple[/]``: all projects, or the project of that name."""
    has_slash = bool(request.match_info["slash"])
    if wants_json(request) or (not has_slash and _is_hosted(request)):
        request.match_info["project"] = ALIAS
        return await get_project_json(request)
    return await (get_projects if has_slash else redirect_to_slash)(request)


async def get_page(request: web.Request) -> web.StreamResponse:
    """``GET /{user}/{index}/simple/{project}[/]``: a project's page, or a version of the project ``simple``."""
    has_slash = bool(request.match_info["slash"])
    if wants_json(request) or (not has_slash and not is_for_installers(request) and _is_hosted(request)):
        request.match_info["version"] = request.match_info["project"]
        request.match_info["project"] = ALIAS
        return await get_version_json(request)
    return await (redirect_to_normalized if has_slash else redirect_to_slash)(request)


def _is_hosted(request: web.Request) -> bool:
    """Say whether a private index on the search path hosts a project named ``simple``."""
    info = request.match_info
    with request.app[SERVICES].store.view() as view:
        index = find_index(view, info["user"], info["index"])
        if index is None:
            return False
        return any(has_project(view, stage.index_id, ALIAS) for stage in search_path(view, index))
