"""The HTTP client towards upstream indexes: one request in, one small typed answer out.

Redirects are followed here and not by aiohttp, so that every hop is checked, credentials stay with the host
they were given for, and nothing falls back from https to http.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import aiohttp
from yarl import URL

from node.mirror.addresses import LinkLocalRefused, is_forbidden, open_socket
from node.mirror.answers import (
    Missing,
    NotModified,
    Page,
    PageAnswer,
    RangeBody,
    content_range,
    retry_after_seconds,
)
from node.mirror.errors import (
    RangeUnsupported,
    UpstreamDown,
    UpstreamForbiddenAddress,
    UpstreamOffline,
)
from node.mirror.page import NO_VALIDATORS, Validators
from node.mirror.source import MirrorSource

ACCEPT_PAGE = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
)
PAGE_BYTES_MAX = 64 << 20  # decoded
REDIRECTS_MAX = 5
CONNECTIONS_MAX = 128
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamOptions:
    """How upstreams are asked."""

    user_agent: str = "wheelyard"
    connect_seconds: float = 5.0
    page_seconds: float = 30.0  # the whole page, redirects included
    idle_seconds: float = 30.0  # between two pieces of a file
    page_bytes_max: int = PAGE_BYTES_MAX


class Upstream:
    """The one client session of a node's mirrors; an async context manager."""

    def __init__(self, options: UpstreamOptions = UpstreamOptions()) -> None:
        self._options = options
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the session; called on the loop that will use it."""
        connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX, socket_factory=open_socket)
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": self._options.user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._options.connect_seconds, sock_read=self._options.idle_seconds
            ),
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def fetch_page(
        self, source: MirrorSource, project: str, validators: Validators = NO_VALIDATORS
    ) -> PageAnswer:
        """Ask for the page of a normalized project name.

        Raises:
            UpstreamDown: anything but a page, "not modified" or "no such project".

        """
        headers = page_headers(validators)
        try:
            async with asyncio.timeout(self._options.page_seconds):
                async with self.open(source, source.page_url(project), headers=headers) as response:
                    return await self._page_answer(source, response, is_conditional=len(headers) > 1)
        except TimeoutError:
            detail = f"no complete page of {project} within {self._options.page_seconds:g} s"
            raise UpstreamDown(source.label, detail) from None

    async def fetch_bytes(self, source: MirrorSource, url: str, *, bytes_max: int) -> bytes | None:
        """Fetch a small document beside a file; ``None`` when upstream has none.

        Raises:
            UpstreamDown: no answer, another status, or more than ``bytes_max``.

        """
        try:
            async with asyncio.timeout(self._options.page_seconds), self.open(source, url) as response:
                if response.status in {404, 410}:
                    return None
                check_status(source, response, {200})
                return await _read(source, response, bytes_max)
        except TimeoutError:
            raise UpstreamDown(source.label, "a file beside a wheel did not come in time") from None

    async def fetch_range(
        self, source: MirrorSource, url: str, range_header: str, *, filename: str, bytes_max: int
    ) -> RangeBody:
        """Fetch the part of a file that ``range_header`` ("bytes=...") names.

        Raises:
            RangeUnsupported: upstream answered with something else than that part.
            UpstreamDown: no answer, 5xx or 429.

        """
        headers = {"Range": range_header, "Accept-Encoding": "identity"}
        try:
            async with asyncio.timeout(self._options.page_seconds):
                async with self.open(source, url, headers=headers, auto_decompress=False) as response:
                    if response.status in {429, 500, 502, 503, 504}:
                        check_status(source, response, {206})
                    start, total = content_range(response.headers.get("Content-Range", ""))
                    if response.status != 206 or start is None or total is None:
                        raise RangeUnsupported(filename, response.status)
                    return RangeBody(await _read(source, response, bytes_max), start, total)
        except TimeoutError:
            raise UpstreamDown(source.label, f"a range of {filename} did not come in time") from None

    @asynccontextmanager
    async def open(
        self,
        source: MirrorSource,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        auto_decompress: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the final response of a GET; reading its body is the caller's, inside the context.

        Connection errors that happen while the caller reads are translated as well.

        Raises:
            UpstreamDown: no connection, a broken answer, or too many redirects.
            UpstreamForbiddenAddress: a link-local address, first or after a redirect.
            UpstreamOffline: the source asks no upstream.

        """
        if source.is_offline:
            raise UpstreamOffline(source.label, url.rstrip("/").rpartition("/")[2])
        try:
            response = await self._follow(source, url, headers or {}, auto_decompress=auto_decompress)
            async with response:
                yield response
        except LinkLocalRefused as error:
            raise UpstreamForbiddenAddress(source.label, error.address) from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, LinkLocalRefused):
                raise UpstreamForbiddenAddress(source.label, error.os_error.address) from error
            raise UpstreamDown(source.label, f"no connection to {error.host}: {error.os_error}") from error
        except TimeoutError as error:
            # asyncio.timeout of the caller cancels instead, so this is aiohttp's own connect or read timeout.
            raise UpstreamDown(source.label, "the connection timed out") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UpstreamDown(source.label, f"the exchange broke off: {type(error).__name__}") from error

    async def _follow(
        self, source: MirrorSource, first: str, headers: Mapping[str, str], *, auto_decompress: bool
    ) -> aiohttp.ClientResponse:
        session = self._session
        if session is None:
            message = "Upstream.start() was not called"
            raise RuntimeError(message)
        url = _parse_url(source, first)
        for _ in range(REDIRECTS_MAX + 1):
            _check_host(source, url)
            response = await session.get(
                url,
                headers=_headers_for(source, url, headers),
                allow_redirects=False,
                auto_decompress=auto_decompress,
            )
            location = response.headers.get("Location") if response.status in _REDIRECTS else None
            if location is None:
                return response
            response.release()
            target = url.join(_parse_url(source, location))
            if target.scheme not in {"http", "https"} or (url.scheme == "https" and target.scheme == "http"):
                raise UpstreamDown(source.label, f"it redirects from {url.scheme} to {target.scheme}")
            url = target
        raise UpstreamDown(source.label, f"more than {REDIRECTS_MAX} redirects")

    async def _page_answer(
        self, source: MirrorSource, response: aiohttp.ClientResponse, *, is_conditional: bool
    ) -> PageAnswer:
        if response.status == 304 and is_conditional:
            return NotModified()
        if response.status in {404, 410}:
            return Missing()
        check_status(source, response, {200})
        return Page(
            body=await _read(source, response, self._options.page_bytes_max),
            content_type=response.headers.get("Content-Type", ""),
            url=str(response.url),
            validators=Validators(response.headers.get("ETag"), response.headers.get("Last-Modified")),
            serial=response.headers.get("X-PyPI-Last-Serial"),
        )


def page_headers(validators: Validators) -> dict[str, str]:
    """Return the headers of a request for a page of the Simple API, conditional where there are validators."""
    conditions = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return {
        "Accept": ACCEPT_PAGE,
        **{name: value for name, value in conditions.items() if value is not None},
    }


def check_status(source: MirrorSource, response: aiohttp.ClientResponse, good: set[int]) -> None:
    """Refuse every status but ``good``.

    Raises:
        UpstreamDown: with upstream's own Retry-After where it sent one.

    """
    if response.status not in good:
        raise UpstreamDown(
            source.label,
            f"it answered {response.status} {response.reason or ''}".rstrip(),
            retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After")),
        )


def _parse_url(source: MirrorSource, text: str) -> URL:
    try:
        return URL(text)
    except ValueError as error:
        raise UpstreamDown(source.label, f"it names a URL that cannot be used: {error}") from error


def _check_host(source: MirrorSource, url: URL) -> None:
    # The socket is checked as well; this check also holds when a proxy makes the connection.
    if is_forbidden(url.host or ""):
        raise UpstreamForbiddenAddress(source.label, url.host or "")


def _headers_for(source: MirrorSource, url: URL, headers: Mapping[str, str]) -> dict[str, str]:
    """Add the source's credentials, unless the request goes to another host than they were given for."""
    credentials = source.credentials
    if credentials is None or url.origin() != URL(source.url).origin():
        return dict(headers)
    return {
        **headers,
        "Authorization": aiohttp.encode_basic_auth(credentials.username, credentials.password, "utf-8"),
    }


async def _read(source: MirrorSource, response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    pieces: list[bytes] = []
    size_bytes = 0
    async for piece in response.content.iter_any():
        size_bytes += len(piece)
        if size_bytes > bytes_max:
            raise UpstreamDown(source.label, f"its answer is larger than {bytes_max} bytes")
        pieces.append(piece)
    return b"".join(pieces)
