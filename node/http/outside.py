"""Where clients believe this node is: the scheme, host and prefix of absolute URLs."""

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from aiohttp import web

OUTSIDE_URL_HEADER = "X-Outside-URL"


def outside_url(request: "web.Request", public_url: str | None) -> str:
    """Return the node's URL as the client sees it, without a slash at the end.

    A proxy's ``X-Outside-URL`` wins over the configured URL, and that over the Host header.
    """
    given = _given_url(request) or public_url
    if given:
        return given.rstrip("/")
    return f"{request.scheme}://{request.host}"


def outside_prefix(request: "web.Request", public_url: str | None) -> str:
    """Return the path prefix under which a proxy shows this node; empty when there is none."""
    given = _given_url(request) or public_url
    return urlsplit(given).path.rstrip("/") if given else ""


def _given_url(request: "web.Request") -> str | None:
    """Return what a proxy says; what is no URL of a web server counts as not said."""
    given = request.headers.get(OUTSIDE_URL_HEADER)
    if not given:
        return None
    try:
        parts = urlsplit(given)
    except ValueError:
        return None
    return given if parts.scheme in {"http", "https"} and parts.netloc else None


def absolute(base: str, path: str) -> str:
    """Return the absolute URL of a path that does not begin with a slash."""
    return f"{base}/{quote(path, safe='/+')}"
