"""Where one mirror index gets its projects from."""

import struct
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from node.mirror.errors import UpstreamUrlRefused

CACHE_EXPIRY_SECONDS_DEFAULT = 1800

_PREFIX = struct.Struct(">QQ")
PREFIX_BYTES = _PREFIX.size


def pypi_url() -> str:
    """Return the endpoint of PyPI."""
    # Only here: it brings requests, pydantic and bs4, a quarter of a start's time that few starts need.
    from pypi_simple import PYPI_SIMPLE_ENDPOINT  # noqa: PLC0415

    return PYPI_SIMPLE_ENDPOINT


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user and password for Basic authentication; ``repr`` shows neither."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSource:
    """One mirror index and its upstream.

    Credentials written into ``url`` are moved to ``credentials`` at construction, so the URL
    may be logged and is the base of links. A changed URL must come with a changed
    ``generation``: everything cached hangs on (index_id, generation).

    Raises:
        UpstreamUrlRefused: ``url`` is not http or https, or names no host.

    """

    index_id: int
    generation: int
    url: str = field(default_factory=pypi_url, repr=False)  # ends in "/" after construction; "" means offline
    cache_expiry_seconds: int = CACHE_EXPIRY_SECONDS_DEFAULT
    name: str = ""  # for messages, "user/index"
    is_offline: bool = False
    ignores_serials: bool = False  # upstream's serials mean nothing: neither compared nor passed on
    lists_projects: bool = True  # False: upstream's list of all projects is never asked for
    provides_core_metadata: bool = False  # beside wheels, also where its pages do not say so
    credentials: Credentials | None = None

    def __post_init__(self) -> None:
        if not self.url:
            object.__setattr__(self, "is_offline", True)
            return
        url, credentials = split_credentials(self.url)
        object.__setattr__(self, "url", url)
        if credentials is not None and self.credentials is None:
            object.__setattr__(self, "credentials", credentials)

    @property
    def prefix(self) -> bytes:
        """The 16 bytes that start every cache key of this index and generation."""
        return _PREFIX.pack(self.index_id, self.generation)

    @property
    def freshness(self) -> tuple[int, bool]:
        """What decides whether a page that is known may still be believed; when it changes, nothing in memory may."""
        return self.cache_expiry_seconds, self.ignores_serials

    @property
    def label(self) -> str:
        """What messages call this upstream."""
        return self.name or urlsplit(self.url).netloc or f"of index {self.index_id}"

    def page_url(self, project: str) -> str:
        """Return the URL of a project's page; ``project`` is normalized."""
        return f"{self.url}{project}/"


def without_credentials(url: str) -> str:
    """Return ``url`` as it was written, without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def split_credentials(url: str) -> tuple[str, Credentials | None]:
    """Take user and password out of ``url`` and end its path with one slash.

    Raises:
        UpstreamUrlRefused: the URL is not http or https, or names no host.

    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UpstreamUrlRefused("", str(error)) from None
    netloc = parts.netloc.rpartition("@")[2]
    clean = urlunsplit((parts.scheme, netloc, parts.path.rstrip("/") + "/", parts.query, ""))
    if parts.scheme not in {"http", "https"}:
        raise UpstreamUrlRefused(clean, "it must start with http:// or https://")
    if not host or port == 0:
        raise UpstreamUrlRefused(clean, "it names no host")
    if parts.query:
        raise UpstreamUrlRefused(clean, "a query string cannot be followed by project names")
    if parts.username is None:
        return clean, None
    return clean, Credentials(username=unquote(parts.username), password=unquote(parts.password or ""))
