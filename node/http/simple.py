"""Routes of the Simple API."""

import re
from urllib.parse import quote

from aiohttp import web

from node.catalog.names import normalize_project
from node.errors import BadRequest
from node.finished import Answer
from node.http.etags import matches_etag
from node.http.fast import is_plain, request_key
from node.http.keys import SERVICES
from node.http.outside import outside_url
from node.simple.negotiate import Encoding, Format, choose_encoding, choose_format
from node.simple.pages import page_key

_INSTALLERS = re.compile(r"([^ ]* )*(distribute|setuptools|pip|pex|uv)/")
ABSOLUTE_URLS_HEADER = "X-Devpi-Absolute-Urls"


def is_for_installers(request: web.Request) -> bool:
    """Say whether a request for an index or project wants its simple page (devpi's rule)."""
    if Format.JSON.value in request.headers.get("Accept", ""):
        return choose_format(request.headers["Accept"]) is Format.JSON
    return _INSTALLERS.match(request.headers.get("User-Agent", "")) is not None


async def get_projects(request: web.Request) -> web.StreamResponse:
    """``GET /{user}/{index}/+simple/``: the hosted projects of the index and its bases."""
    form, encoding = _negotiated(request)
    user, name = request.match_info["user"], request.match_info["index"]
    answer = await request.app[SERVICES].pages.projects(user, name, form, encoding)
    return _respond(request, answer)


async def get_project(request: web.Request) -> web.StreamResponse:
    """``GET /{user}/{index}/+simple/{project}/``: the files of a project."""
    pages = request.app[SERVICES].pages
    form, encoding = _negotiated(request)
    user, name = request.match_info["user"], request.match_info["index"]
    project = checked_project(request.match_info["project"])
    if ABSOLUTE_URLS_HEADER in request.headers:
        root = outside_url(request, request.app[SERVICES].config.public_url) + "/"
        body = await pages.absolute(user, name, project, form, root=root)
        headers = {"Content-Type": form.content_type, "Cache-Control": "no-cache", "Vary": "Accept"}
        return web.Response(body=body, headers=headers)
    answer = await pages.project(user, name, project, form, encoding)
    if is_plain(request) and "format" not in request.query:
        key = page_key(user, name, project, form, encoding)
        request.app[SERVICES].finished.remember(request_key(request), key)
    return _respond(request, answer)


async def redirect_to_slash(request: web.Request) -> web.StreamResponse:
    """Send a browser to the path with a slash at its end; installers are answered at once, as in devpi."""
    if is_for_installers(request):
        return await (get_project if "project" in request.match_info else get_projects)(request)
    # Relative, so that it is right behind every proxy; not kept, because an index may come there later.
    target = request.path.rsplit("/", 1)[-1] + "/"
    return _redirect(request, target)


async def redirect_to_normalized(request: web.Request) -> web.StreamResponse:
    """Answer a project's page under its normalised name, or lead there."""
    given = request.match_info["project"]
    project = checked_project(given)
    if given == project:
        return await get_project(request)
    return _redirect(request, f"../{project}/")


async def refresh(request: web.Request) -> web.StreamResponse:
    """``POST .../+simple/{project}/refresh``: ask every mirror of the search path anew."""
    user, name = request.match_info["user"], request.match_info["index"]
    project = checked_project(request.match_info["project"])
    await request.app[SERVICES].pages.refresh(user, name, project)
    return web.HTTPFound(
        f"/{quote(user)}/{quote(name)}/+simple/{project}/", headers={"Cache-Control": "no-store"}
    )


def checked_project(given: str) -> str:
    """Return the normalised name of a project in a URL.

    Raises:
        BadRequest: it has letters that no project name has.

    """
    if not given.isascii():
        raise BadRequest("unicode project names not allowed")
    return normalize_project(given)


def _negotiated(request: web.Request) -> tuple[Format, Encoding]:
    accept = request.query.get("format") or request.headers.get("Accept", "")
    return choose_format(accept), choose_encoding(request.headers.get("Accept-Encoding", ""))


def _respond(request: web.Request, answer: Answer) -> web.StreamResponse:
    headers = {**answer.headers, "ETag": answer.etag}
    if matches_etag(request.headers.get("If-None-Match", ""), answer.etag):
        return web.Response(status=304, headers={k: v for k, v in headers.items() if k != "Content-Type"})
    return web.Response(body=answer.body, headers=headers)


def _redirect(request: web.Request, target: str) -> web.StreamResponse:
    query = f"?{request.query_string}" if request.query_string else ""
    return web.HTTPFound(target + query, headers={"Cache-Control": "no-store", "Vary": "Accept, User-Agent"})
