"""The way from a replica to its primary, over HTTP."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp

from node.mirror.cluster import IssuedList
from node.mirror.errors import PeerHasNot, PrimaryUnreachable, UpstreamDown
from node.mirror.list_fetch import LIST_SECONDS
from node.mirror.lists import KnownList
from node.mirror.page import MirrorLink
from node.mirror.source import MirrorSource
from replication.errors import BlobNotServed, LinkDown, ProofRefused
from replication.hello import Ack, Hello
from replication.trust import HEADER_ANSWER, HEADER_NONCE, Trust

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 30.0
"""Longest time without a byte; a stream has a heartbeat every second."""
PAGE_SECONDS = 30.0
LIST_SILENCE_SECONDS = LIST_SECONDS + SILENCE_SECONDS
"""The primary says nothing while it gets the list from upstream, and reads it."""
CHUNK_BYTES = 256 * 1024
REASON_HEADER = "X-Wheelyard-Refusal"
"""In a 403: the reason of a ProofRefused."""
LIST_HEADER = "X-Wheelyard-List"
"""What the primary's list of an upstream's projects is, see list_header."""


class HttpLink:
    """Calls the primary's cluster routes; each call proves the secret, and so does its answer."""

    def __init__(self, session: aiohttp.ClientSession, primary_url: str, trust: Trust, node_id: str) -> None:
        self.session = session
        self.primary_url = primary_url
        self._trust = trust
        self._node_id = node_id

    def sign(self, method: str, path: str) -> dict[str, str]:
        """Return the headers that prove a request of this node."""
        return self._trust.sign(method=method, path=path, node_id=self._node_id)

    @asynccontextmanager
    async def open_stream(self, hello: Hello) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the stream of frames; see ``replication.link.Link``."""
        async with self._call("POST", "/+cluster/stream", data=hello.to_wire()) as response:
            if response.status != 200:
                raise LinkDown(f"the primary answered {response.status}")
            yield _chunks(response)

    async def acknowledge(self, ack: Ack) -> None:
        """Tell the primary how far this replica is; see ``replication.link.Link``."""
        async with self._call("POST", "/+cluster/ack", data=ack.to_wire(), total_seconds=PAGE_SECONDS):
            pass

    @asynccontextmanager
    async def fetch_blob(self, sha256: bytes) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open one blob; see ``replication.link.Link``."""
        async with self._call("GET", f"/+cluster/blob/{sha256.hex()}") as response:
            if response.status != 200:
                raise BlobNotServed(sha256, f"the primary answered {response.status}")
            yield _chunks(response)

    async def issue_page(self, source: MirrorSource, project: str) -> bytes | None:
        """Ask the primary for a mirror's page record.

        Raises:
            PrimaryUnreachable: the primary did not answer.
            UpstreamDown: the primary has no page, and upstream did not answer it.

        """
        path = f"/+cluster/mirror/{source.index_id}/page/{quote(project)}"
        return await self._mirror_call(source, path)

    async def issue_metadata(self, source: MirrorSource, link: MirrorLink) -> bytes:
        """Ask the primary for the core metadata of a mirrored wheel.

        Raises:
            PrimaryUnreachable: the primary did not answer.
            UpstreamDown: the primary could not get it.

        """
        path = f"/+cluster/mirror/{source.index_id}/metadata/{link.file.link_key}/{quote(link.file.filename)}"
        body = await self._mirror_call(source, path)
        if body is None:
            raise PrimaryUnreachable("it does not list the wheel")
        return body

    @asynccontextmanager
    async def issue_list(self, source: MirrorSource, known_digest: str | None) -> AsyncIterator[IssuedList]:
        """Ask the primary for its list of an upstream's projects; see ``node.mirror.cluster``."""
        path = f"/+cluster/mirror/{source.index_id}/projects?known={known_digest or ''}"
        try:
            async with self._call("GET", path, silence_seconds=LIST_SILENCE_SECONDS) as response:
                if not _is_mirror_answer(source, response):
                    raise PrimaryUnreachable(f"it answered {response.status}")
                yield _issued(response)
        except (LinkDown, ProofRefused) as error:
            raise PrimaryUnreachable(str(error)) from error

    @asynccontextmanager
    async def open(self, source: MirrorSource, link: MirrorLink) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a mirrored file at the primary, which fetches it if need be; see ``node.mirror.cluster``."""
        path = f"/+cluster/mirror/{source.index_id}/file/{link.file.link_key}/{quote(link.file.filename)}"
        try:
            async with self._call("GET", path) as response:
                if response.status != 200:
                    raise PeerHasNot(link.file.filename, f"the primary answered {response.status}")
                yield _chunks(response)
        except (LinkDown, ProofRefused) as error:
            raise PeerHasNot(link.file.filename, str(error)) from error

    async def _mirror_call(self, source: MirrorSource, path: str) -> bytes | None:
        try:
            async with self._call("GET", path, total_seconds=PAGE_SECONDS) as response:
                body = await response.read()
                if _is_mirror_answer(source, response):
                    return body
                if response.status == 404:
                    return None
                raise PrimaryUnreachable(f"it answered {response.status}")
        except (LinkDown, ProofRefused, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise PrimaryUnreachable(str(error)) from error

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        total_seconds: float | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = self.sign(method, path)
        timeout = aiohttp.ClientTimeout(
            total=total_seconds, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds
        )
        request = self.session.request(
            method,
            self.primary_url + path,
            data=data,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
        )
        try:
            response = await request
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise LinkDown(_described(error)) from error
        async with response:
            reason = response.headers.get(REASON_HEADER)
            if response.status == 403 and reason is not None:
                raise ProofRefused(reason)
            if response.status in {500, 503}:
                raise LinkDown(f"the primary answered {response.status}")
            self._trust.verify_answer(headers[HEADER_NONCE], response.headers.get(HEADER_ANSWER, ""))
            yield response


def list_header(known: KnownList) -> str:
    """Return the header of the primary's list: digest, last serial or ``-``, time, and whether it is stale."""
    names = known.names
    serial = "-" if names.last_serial is None else names.last_serial
    return f"{names.digest} {serial} {known.fetched_at:.3f} {'stale' if known.is_stale else 'current'}"


def _issued(response: aiohttp.ClientResponse) -> IssuedList:
    try:
        digest, serial, fetched_at, state = response.headers.get(LIST_HEADER, "").split(" ")
        return IssuedList(
            digest=digest,
            last_serial=None if serial == "-" else int(serial),
            fetched_at=float(fetched_at),
            is_stale=state == "stale",
            lines=_chunks(response),
        )
    except ValueError as error:
        raise PrimaryUnreachable("it does not say what its list is") from error


def _is_mirror_answer(source: MirrorSource, response: aiohttp.ClientResponse) -> bool:
    """Say whether the primary gives what was asked for.

    Raises:
        UpstreamDown: it cannot, because upstream does not answer it.

    """
    retry_after = response.headers.get("Retry-After", "")
    if response.status == 502 and retry_after.isdecimal():
        detail = "the primary cannot ask it"
        raise UpstreamDown(source.label, detail, retry_after_seconds=int(retry_after))
    return response.status == 200


def client_session(cluster_ca: Path | None) -> aiohttp.ClientSession:
    """Return the session for everything that this node asks of its primary."""
    context = ssl.create_default_context(cafile=None if cluster_ca is None else str(cluster_ca))
    connector = aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=30.0)
    return aiohttp.ClientSession(connector=connector, auto_decompress=False)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise LinkDown(_described(error)) from error


def _described(error: Exception) -> str:
    return str(error) or type(error).__name__
