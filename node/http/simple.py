"""Routes of the Simple API."""

import re
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from aiohttp import web

from node.catalog.names import normalize_project
from node.errors import BadRequest, ProjectUnknown
from node.finished import Answer, not_modified_headers
from node.http.etags import matches_etag
from node.http.fast import is_plain, request_key
from node.http.keys import SENTENCE_IN_REASON, SERVICES
from node.http.outside import outside_url
from node.http.reading import reader
from node.http.streams import send_list
from node.simple.negotiate import Format, choose_encoding, choose_format, format_named
from node.simple.pages import Wanted, page_key

PROJECT_CHARACTERS_MAX = 200
"""Longer names fit no key of the state, and no index has them."""
_INSTALLERS = re.compile(r"([^ ]* )*(distribute|setuptools|pip|pex|uv)/")
ABSOLUTE_URLS_HEADER = "X-Devpi-Absolute-Urls"


def is_for_installers(request: web.Request) -> bool:
    """Say whether a request for an index or project wants its simple page (devpi's rule)."""
    if Format.JSON.value in request.headers.get("Accept", ""):
        return choose_format(request.headers["Accept"]) is Format.JSON
    return _INSTALLERS.match(request.headers.get("User-Agent", "")) is not None


async def get_projects(request: web.Request) -> web.StreamResponse:
    """``GET /{user}/{index}/+simple/``: all projects of the index, its bases and their mirrors."""
    user, name = request.match_info["user"], request.match_info["index"]
    wanted = replace(_negotiated(request), folder=_folder_of_projects(request))
    listed = await request.app[SERVICES].lists.projects(user, name, wanted, partial(reader, request))
    return _respond(request, listed) if isinstance(listed, Answer) else await send_list(request, listed)


async def get_project(request: web.Request) -> web.StreamResponse:
    """``GET /{user}/{index}/+simple/{project}/``: the files of a project."""
    services = request.app[SERVICES]
    user, name = request.match_info["user"], request.match_info["index"]
    project = checked_project(request.match_info["project"])
    wanted = replace(_negotiated(request), root="../" * (request.path.count("/") - 1))
    if ABSOLUTE_URLS_HEADER in request.headers:
        # Kept apart from the others by its root, which clients choose by their Host header.
        wanted = replace(wanted, root=outside_url(request, services.config.public_url) + "/")
    answer = await services.pages.project(user, name, project, wanted, partial(reader, request))
    if "simple" in request.match_info and request.path.endswith("/") and is_plain(request):
        # Only this path: others lead here or elsewhere by headers that the fast path does not look at.
        services.finished.remember(request_key(request), page_key(user, name, project, wanted))
    return _respond(request, answer)


async def redirect_to_slash(request: web.Request) -> web.StreamResponse:
    """Send a browser to the path with a slash at its end; installers are answered at once, as in devpi."""
    if is_for_installers(request):
        return await (get_project if "project" in request.match_info else get_projects)(request)
    given = request.match_info.get("project")
    # Relative, so that it is right behind every proxy; not kept, because an index may come there later.
    return _redirect(
        request, f"{request.match_info['simple']}/" if given is None else f"{checked_project(given)}/"
    )


async def redirect_to_normalized(request: web.Request) -> web.StreamResponse:
    """Answer a project's page under its normalised name, or lead there."""
    given = request.match_info["project"]
    project = checked_project(given)
    if given == project:
        return await get_project(request)
    return _redirect(request, f"../{project}/")


async def refresh(request: web.Request) -> web.StreamResponse:
    """``POST .../+simple/{project}/refresh``: ask every mirror of the search path anew.

    devpi's client shows the reason phrase and nothing else.
    """
    request[SENTENCE_IN_REASON] = True
    user, name = request.match_info["user"], request.match_info["index"]
    project = checked_project(request.match_info["project"])
    await request.app[SERVICES].pages.refresh(user, name, project, partial(reader, request))
    return web.Response(status=302, headers={"Location": f"../{project}/", "Cache-Control": "no-store"})


def checked_project(given: str) -> str:
    """Return the normalised name of a project in a URL.

    Raises:
        BadRequest: it has letters that no project name has.
        ProjectUnknown: it is longer than any project name.

    """
    if not given.isascii():
        raise BadRequest("unicode project names not allowed")
    project = normalize_project(given)
    if len(project) > PROJECT_CHARACTERS_MAX:
        raise ProjectUnknown(f"{project[:32]}...")
    return project


def _negotiated(request: web.Request) -> Wanted:
    asked = format_named(request.query.get("format", ""))
    return Wanted(
        asked or choose_format(request.headers.get("Accept", "")),
        choose_encoding(request.headers.get("Accept-Encoding", "")),
    )


def _folder_of_projects(request: web.Request) -> str:
    """Return what leads from the requested path to the folder of the projects' pages."""
    if "simple" in request.match_info:
        return "" if request.path.endswith("/") else f"{request.match_info['simple']}/"
    return "+simple/" if request.path.endswith("/") else f"{quote(request.match_info['index'])}/+simple/"


def _respond(request: web.Request, answer: Answer) -> web.StreamResponse:
    headers = {**answer.headers, "ETag": answer.etag}
    if matches_etag(request.headers.get("If-None-Match", ""), answer.etag):
        return web.Response(status=304, headers=not_modified_headers(headers))
    return web.Response(body=answer.body, headers=headers)


def _redirect(request: web.Request, target: str) -> web.StreamResponse:
    query = f"?{request.rel_url.raw_query_string}" if request.query_string else ""
    headers = {
        "Location": target + query,
        "Cache-Control": "no-store",
        "Vary": "Accept, Accept-Encoding, User-Agent",
    }
    return web.Response(status=302, headers=headers)
