"""Routes that only nodes of the cluster may use: the stream, acknowledgements, blobs, and the mirror's pages."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing

import structlog
from aiohttp import web

from node.catalog.lookups import index_by_id
from node.cluster.link import LIST_HEADER, REASON_HEADER, list_header
from node.cluster.roles import PrimaryRole
from node.errors import Forbidden, NotFound, Unavailable
from node.http.bodies import read_bounded
from node.http.keys import SERVICES
from node.http.mirrored import find_link, send_mirrored
from node.http.streams import cut, send_bytes, send_list, send_path
from node.mirror.source import MirrorSource
from replication.errors import ProofRefused
from replication.hello import ACK_BYTES_MAX, HELLO_BYTES_MAX, Ack, Hello
from replication.trust import HEADER_ANSWER, HEADER_NODE, HEADER_NONCE
from storage.errors import StorageError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PREFIX = "/+cluster/"
_OCTETS = "application/octet-stream"
_log = structlog.get_logger()


def for_nodes(handler: Handler) -> Handler:
    """Let only requests through that prove the cluster secret, and prove it in the answer too."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        trust = request.app[SERVICES].trust
        try:
            node_id = trust.verify(method=request.method, path=request.raw_path, headers=request.headers)
        except ProofRefused as error:
            headers = {REASON_HEADER: error.reason, "Cache-Control": "no-store"}
            return web.Response(status=403, text=str(error) + "\n", headers=headers)
        request[HEADER_NODE] = node_id
        request[HEADER_ANSWER] = trust.answer(request.headers[HEADER_NONCE])
        return await handler(request)

    return guarded


async def prove_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Add the proof to the answer of a request that proved itself."""
    answer = request.get(HEADER_ANSWER)
    if answer is not None:
        response.headers[HEADER_ANSWER] = answer


@for_nodes
async def stream(request: web.Request) -> web.StreamResponse:
    """``POST /+cluster/stream``: a hello in, frames out, for as long as the replica listens."""
    role = _primary(request)
    hello = Hello.from_wire(await read_bounded(request, bytes_max=HELLO_BYTES_MAX))
    _check_sender(request, hello.card.node_id)
    response = web.StreamResponse(headers={"Content-Type": _OCTETS, "X-Accel-Buffering": "no"})
    await response.prepare(request)
    try:
        async with aclosing(role.feeder.feed(hello, address=request.remote or "")) as frames:
            async for encoded in frames:
                await response.write(encoded)
    except (StorageError, OSError) as error:
        # An answer in words would become part of the stream; a cut one is taken up again where it was cut.
        _log.warning("stream ended", replica=hello.card.node_id, error=str(error) or type(error).__name__)
        cut(request)
        return response
    await response.write_eof()
    return response


@for_nodes
async def acknowledge(request: web.Request) -> web.Response:
    """``POST /+cluster/ack``: how far a replica is."""
    role = _primary(request)
    ack = Ack.from_wire(await read_bounded(request, bytes_max=ACK_BYTES_MAX))
    _check_sender(request, ack.node_id)
    role.members.acknowledged(ack)
    return web.Response(status=204)


@for_nodes
async def get_blob(request: web.Request) -> web.StreamResponse:
    """``GET /+cluster/blob/{sha256}``: the bytes of a hosted blob; every node answers from its own disk."""
    blobs = request.app[SERVICES].store.blobs
    try:
        sha256 = bytes.fromhex(request.match_info["sha256"])
    except ValueError:
        raise NotFound("no such blob") from None
    size_bytes = blobs.size_bytes(sha256) if len(sha256) == 32 else None
    if size_bytes is None:
        raise NotFound("no such blob")
    etag = f'"{sha256.hex()}"'
    held = blobs.held(sha256)
    if held is not None:
        return send_bytes(request, held, etag=etag, content_type=_OCTETS)
    return await send_path(request, blobs.path(sha256), size_bytes, etag=etag, content_type=_OCTETS)


@for_nodes
async def get_mirror_page(request: web.Request) -> web.Response:
    """``GET /+cluster/mirror/{index_id}/page/{project}``: the page record that this primary issues."""
    services = request.app[SERVICES]
    record = await services.mirror.issue(_source(request), request.match_info["project"])
    if record is None:
        raise NotFound("upstream has no such project")
    return web.Response(body=record, content_type=_OCTETS)


@for_nodes
async def get_mirror_projects(request: web.Request) -> web.StreamResponse:
    """``GET /+cluster/mirror/{index_id}/projects``: upstream's list as this primary knows it.

    The header says what it is; its lines follow, except when ``?known=DIGEST`` names this very list.
    """
    services = request.app[SERVICES]
    known = await services.mirror.issue_list(_source(request))
    head = list_header(known)
    headers = {"Content-Type": _OCTETS, "Cache-Control": "no-store", LIST_HEADER: head}
    if request.query.get("known") == known.names.digest:
        return web.Response(headers=headers)
    return await send_list(request, services.lists.streamed(known.names.pieces, headers))


@for_nodes
async def get_mirror_metadata(request: web.Request) -> web.Response:
    """``GET /+cluster/mirror/{index_id}/metadata/{key}/{filename}``."""
    services = request.app[SERVICES]
    source = _source(request)
    link = await services.mirror.find_link(source, request.match_info["key"], request.match_info["filename"])
    if link is None:
        raise NotFound("no such file")
    return web.Response(body=await services.mirror.core_metadata(source, link), content_type=_OCTETS)


@for_nodes
async def get_mirror_file(request: web.Request) -> web.StreamResponse:
    """``GET /+cluster/mirror/{index_id}/file/{key}/{filename}``: fetched from upstream if it is not here."""
    services = request.app[SERVICES]
    with services.store.view() as view:
        index = index_by_id(view, int(request.match_info["index_id"]))
    if index is None or not index.is_mirror:
        raise NotFound("no such mirror")
    source, link = await find_link(request, index, request.match_info["key"], request.match_info["filename"])
    return await send_mirrored(request, source, link)


def _check_sender(request: web.Request, node_id: str) -> None:
    """Refuse a node that speaks for another one.

    Raises:
        Forbidden: the message names another node than the proof.

    """
    if node_id != request[HEADER_NODE]:
        raise Forbidden("the message names another node than the proof")


def _primary(request: web.Request) -> PrimaryRole:
    role = request.app[SERVICES].role
    if not isinstance(role, PrimaryRole):
        raise Unavailable("this node is not the primary")
    return role


def _source(request: web.Request) -> MirrorSource:
    services = request.app[SERVICES]
    with services.store.view() as view:
        index = index_by_id(view, int(request.match_info["index_id"]))
    if index is None or not index.is_mirror:
        raise NotFound("no such mirror")
    return services.source_of(index)
