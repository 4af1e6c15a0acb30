"""Push: copying a release to another index (devpi's ``PUSH /{user}/{index}``)."""

import asyncio

from aiohttp import web

from node.catalog.lookups import get_index
from node.catalog.push import PushedFile, PushOrder, check_push_target, parse_order, push_fetched, push_hosted
from node.catalog.records import Fields, IndexRecord
from node.catalog.releases import new_record
from node.clock import now_ms
from node.errors import BadGateway, BadRequest
from node.http.bodies import read_json_object
from node.http.fetched import fetch_into_store
from node.http.keys import SERVICES
from node.http.respond import envelope
from node.http.writing import identify, write
from node.mirror.errors import MirrorError
from node.mirror.page import MirrorLink


async def push(request: web.Request) -> web.Response:
    """Copy a release of this index to another; files of a mirror become durable here first."""
    services = request.app[SERVICES]
    user, name = request.match_info["user"], request.match_info["index"]
    actor = await identify(request)
    with services.store.view() as view:
        source = get_index(view, user, name)
    order = parse_order(source, await read_json_object(request))
    with services.store.view() as view:
        check_push_target(view, order, actor)
    if source.is_mirror:
        metadata, files = await _fetch_release(request, source, order, uploader=actor.user)
        operation = push_fetched(order, metadata, files, actor=actor, now_ms=now_ms())
    else:
        operation = push_hosted(order, actor=actor, now_ms=now_ms())
    return envelope(kind="actionlog", result=await write(request, operation))


async def _fetch_release(
    request: web.Request, index: IndexRecord, order: PushOrder, *, uploader: str | None
) -> tuple[Fields, list[PushedFile]]:
    """Fetch all files of a mirrored release into the hosted store.

    Raises:
        BadRequest: upstream has no such release.
        BadGateway: a file could not be fetched.

    """
    services = request.app[SERVICES]
    source = services.source_of(index)
    try:
        page = await services.mirror.page(source, order.project)
        files = [file for file in (page.files if page else ()) if file.version == order.version]
        if not files:
            raise BadRequest(
                f"there are no files for {order.name} {order.version} on stage {index.full_name}"
            )
        links = [MirrorLink(order.project, file) for file in files]
        received = await asyncio.gather(*(fetch_into_store(services, source, link) for link in links))
    except MirrorError as error:
        raise BadGateway(str(error)) from error
    moment = now_ms()
    pushed = [
        PushedFile(
            new_record(file, order.project, order.version, uploader=uploader, now_ms=moment),
            log=(),
            metadata=file.metadata,
        )
        for file in received
    ]
    metadata: Fields = {"name": order.name, "version": order.version}
    requires_python = next((file.requires_python for file in received if file.requires_python), None)
    if requires_python:
        metadata["requires_python"] = requires_python
    return metadata, pushed
