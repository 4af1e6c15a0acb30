"""Routes of indexes (devpi: ``/{user}/{index}``) and of the API description (``+api``)."""

from functools import partial

from aiohttp import web

from node.catalog.indexes import create_index, delete_index, modify_index, public_options, show_index
from node.catalog.lookups import get_index
from node.catalog.records import IndexRecord
from node.http.bodies import read_json, read_json_object
from node.http.keys import SERVICES
from node.http.outside import outside_url
from node.http.push import push
from node.http.reading import check_reader, reader_of
from node.http.respond import JSON_TYPE, envelope
from node.http.search import has_call, search
from node.http.simple import get_projects, is_for_installers
from node.http.streams import send_list
from node.http.uploads import is_upload, receive_upload
from node.http.writing import identify, write
from node.mirror.names import name_of
from node.simple.list_pages import STREAMED_BYTES_MIN
from node.simple.lists import Part, ProjectList, write_names_json
from node.simple.pages import STALE

FEATURES = (
    "push-no-docs",
    "push-only-docs",
    "push-register-project",
    "server-keyvalue-parsing",
)
"""What devpi's client asks for before it sends key=value changes and push options."""


async def get_one(request: web.Request) -> web.StreamResponse:
    """``GET /{user}/{index}``: devpi's index configuration, or the simple list for installers."""
    if is_for_installers(request):
        return await get_projects(request)
    user, name = request.match_info["user"], request.match_info["index"]
    with request.app[SERVICES].store.view() as view:
        index = get_index(view, user, name)
    has_projects = "no_projects" not in request.query
    if has_projects:
        await check_reader(request, index)
        if index.is_mirror:
            return await _with_upstream_names(request, index)
    reader = await reader_of(request, [index])
    with request.app[SERVICES].store.view() as view:
        shown = show_index(view, index, projects=has_projects, reader=reader)
    return envelope(kind="indexconfig", result=shown)


async def _with_upstream_names(request: web.Request, index: IndexRecord) -> web.StreamResponse:
    """Answer with a mirror's configuration and all names that its upstream lists.

    Raises:
        UpstreamDown: upstream cannot be asked, and no list is known.

    """
    lists = request.app[SERVICES].lists
    known = await lists.of_mirror(index)
    headers = dict(STALE) if known.is_stale else {}
    listed = ProjectList((Part(known.names),), None)
    shown = public_options(index, await reader_of(request, [index]))
    if known.names.size_bytes > STREAMED_BYTES_MIN:
        headers["Content-Type"] = JSON_TYPE
        write = partial(write_names_json, listed, {"result": shown, "type": "indexconfig"})
        return await send_list(request, lists.streamed(write, headers))
    names = [name_of(line).decode() for piece in listed.lines() for line in piece.splitlines()]
    response = envelope(kind="indexconfig", result={**shown, "projects": names})
    response.headers.update(headers)
    return response


async def put_index(request: web.Request) -> web.Response:
    """``PUT /{user}/{index}``: 200 with the new configuration."""
    user, name = request.match_info["user"], request.match_info["index"]
    given = await read_json_object(request)
    operation = create_index(user, name, given, actor=await identify(request))
    return envelope(kind="indexconfig", result=await write(request, operation))


async def patch_index(request: web.Request) -> web.Response:
    """``PATCH /{user}/{index}``: a map of options, or a list of changes."""
    user, name = request.match_info["user"], request.match_info["index"]
    patch = await read_json(request)
    operation = modify_index(user, name, patch, actor=await identify(request))
    return envelope(kind="indexconfig", result=await write(request, operation))


async def remove_index(request: web.Request) -> web.Response:
    """``DELETE /{user}/{index}``: 201, as devpi answers."""
    user, name = request.match_info["user"], request.match_info["index"]
    await write(request, delete_index(user, name, actor=await identify(request)))
    request.app[SERVICES].reaper.wake()
    return envelope(201, message=f"index {user}/{name} deleted")


async def post_to_index(request: web.Request) -> web.StreamResponse:
    """``POST /{user}/{index}``: an upload form, a search, or the JSON of a push (also sent as ``PUSH``)."""
    if has_call(request):
        return await search(request)
    return await receive_upload(request) if is_upload(request) else await push(request)


async def describe_api(request: web.Request) -> web.Response:
    """``GET /+api`` and below users and indexes: where to log in, and what this server can do."""
    services = request.app[SERVICES]
    base = outside_url(request, services.config.public_url)
    identity = await identify(request)
    status = ["noauth", "", []] if identity.is_anonymous else ["ok", identity.user, list(identity.groups)]
    result = {"login": f"{base}/+login", "authstatus": status, "features": list(FEATURES)}
    if "index" in request.match_info:
        user, name = request.match_info["user"], request.match_info["index"]
        with services.store.view() as view:
            index = get_index(view, user, name)
        result["index"] = f"{base}/{user}/{name}"
        result["simpleindex"] = f"{base}/{user}/{name}/+simple/"
        if not index.is_mirror:
            result["pypisubmit"] = f"{base}/{user}/{name}/"
    return envelope(kind="apiconfig", result=result)
