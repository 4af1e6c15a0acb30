"""Push: copying a release to another index (devpi's ``PUSH /{user}/{index}``)."""

import asyncio

from aiohttp import web

from node.catalog.lookups import get_index
from node.catalog.push import (
    PushedFile,
    PushOrder,
    PushRequest,
    check_push_target,
    hosted_release,
    parse_external,
    parse_request,
    parse_target,
    push_fetched,
    push_hosted,
)
from node.catalog.reading import check_read
from node.catalog.records import Fields, IndexRecord
from node.catalog.releases import new_record
from node.clock import now_ms
from node.errors import BadGateway
from node.http.bodies import read_json_object
from node.http.external import send_release
from node.http.fetched import fetch_into_store
from node.http.keys import SERVICES
from node.http.respond import envelope
from node.http.writing import identify, write
from node.mirror.errors import MirrorError
from node.mirror.page import MirrorLink


async def push(request: web.Request) -> web.Response:
    """Copy a release of this index to another one, or to another server."""
    services = request.app[SERVICES]
    user, name = request.match_info["user"], request.match_info["index"]
    actor = await identify(request)
    with services.store.view() as view:
        source = get_index(view, user, name)
    check_read(actor.for_any_project(), source)
    wanted = parse_request(source, await read_json_object(request))
    check_read(actor, source, wanted.project)
    if not source.is_mirror:
        with services.store.view() as view:
            hosted_release(view, wanted)
    if wanted.is_external:
        order = parse_external(wanted, actor)
        metadata, files = await _release(request, source, wanted, uploader=actor.user)
        actions = await send_release(services.store.blobs, order, metadata, files)
        is_done = actions[-1][0] in {200, 201}
        return envelope(200 if is_done else 502, kind="actionlog", result=actions)
    return await _push_here(request, source, parse_target(wanted))


async def _push_here(request: web.Request, source: IndexRecord, order: PushOrder) -> web.Response:
    """Copy a release within this cluster; files of a mirror become durable here first."""
    actor = await identify(request)
    with request.app[SERVICES].store.view() as view:
        check_push_target(view, order, actor)
    if source.is_mirror:
        metadata, files = await _release(request, source, order.request, uploader=actor.user)
        operation = push_fetched(order, metadata, files, actor=actor, now_ms=now_ms())
    else:
        operation = push_hosted(order, actor=actor, now_ms=now_ms())
    return envelope(kind="actionlog", result=await write(request, operation))


async def _release(
    request: web.Request, source: IndexRecord, wanted: PushRequest, *, uploader: str | None
) -> tuple[Fields, list[PushedFile]]:
    """Return a release whose files are all in the hosted store."""
    if source.is_mirror:
        return await _fetch_release(request, source, wanted, uploader=uploader)
    with request.app[SERVICES].store.view() as view:
        return hosted_release(view, wanted)


async def _fetch_release(
    request: web.Request, index: IndexRecord, wanted: PushRequest, *, uploader: str | None
) -> tuple[Fields, list[PushedFile]]:
    """Fetch all files of a mirrored release into the hosted store.

    Raises:
        BadRequest: upstream has no such release.
        NotFound: only its docs are wanted, and mirrors have none.
        BadGateway: a file could not be fetched.

    """
    services = request.app[SERVICES]
    source = services.source_of(index)
    try:
        page = await services.mirror.page(source, wanted.project)
        files = [file for file in (page.files if page else ()) if file.version == wanted.version]
        if not files:
            raise wanted.unregistered()
        if wanted.only_docs:
            raise wanted.no_files()
        links = [MirrorLink(wanted.project, file) for file in files]
        received = await asyncio.gather(*(fetch_into_store(services, source, link) for link in links))
    except MirrorError as error:
        raise BadGateway(str(error)) from error
    moment = now_ms()
    pushed = [
        PushedFile(
            new_record(file, wanted.project, wanted.version, uploader=uploader, now_ms=moment),
            log=(),
            metadata=file.metadata,
        )
        for file in received
    ]
    metadata: Fields = {"name": wanted.name, "version": wanted.version}
    requires_python = next((file.requires_python for file in received if file.requires_python), None)
    if requires_python:
        metadata["requires_python"] = requires_python
    return metadata, pushed
