"""Everything the mirror refuses or cannot do, as one tree.

::

    MirrorError                      answer in ``str(error)``, one sentence
    ├── UpstreamDown                 no answer now and nothing cached: 502 with ``retry_after_seconds``
    │   ├── UpstreamOffline          this node or index asks no upstream
    │   ├── UpstreamForbiddenAddress the URL leads to a link-local address
    │   └── MetadataUnreadable       the wheel was fetched, and has no readable METADATA
    ├── UpstreamUrlRefused           a mirror URL that can never work: 400 when it is configured
    ├── UpstreamFileMissing          the page lists the file, upstream says 404 for its bytes: 404
    ├── DownloadCorrupt              the bytes differ from what the page says: cut the connection, or 502
    ├── RangeUnsupported             upstream ignores ranges; fetch the whole file instead
    ├── PrimaryUnreachable           raised by the injected issuer; the mirror then asks upstream itself
    ├── PeerHasNot                   raised by an injected peer; the next one is tried
    ├── RecordCorrupt                a page record that cannot be read: treated as absent, never served
    └── WheelBroken                  not a wheel with exactly one readable METADATA
"""

RETRY_AFTER_SECONDS_DEFAULT = 30
RETRY_AFTER_SECONDS_MAX = 3600


class MirrorError(Exception):
    """Something the mirror cannot do; ``str()`` is one sentence without credentials."""


class UpstreamDown(MirrorError):
    """Upstream gave no usable answer, and nothing is cached."""

    def __init__(
        self, name: str, detail: str, *, retry_after_seconds: int = RETRY_AFTER_SECONDS_DEFAULT
    ) -> None:
        super().__init__(f"upstream {name}: {detail}")
        self.name = name
        self.detail = detail
        self.retry_after_seconds = max(1, min(retry_after_seconds, RETRY_AFTER_SECONDS_MAX))


class UpstreamOffline(UpstreamDown):
    """No upstream is asked, and the answer is not in the cache."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(name, f"{what} is not cached and this node asks no upstream (offline)")
        self.what = what


class UpstreamForbiddenAddress(UpstreamDown):
    """The URL, or the name in it, leads to a link-local address, which is never asked."""

    def __init__(self, name: str, host: str) -> None:
        super().__init__(name, f"{host} is a link-local address, which is never asked")
        self.host = host


class MetadataUnreadable(UpstreamDown):
    """Upstream's wheel has no readable METADATA; asking again soon will not help."""

    def __init__(self, name: str, filename: str, reason: str) -> None:
        super().__init__(
            name, f"no core metadata in {filename}: {reason}", retry_after_seconds=RETRY_AFTER_SECONDS_MAX
        )
        self.filename = filename
        self.reason = reason


class UpstreamUrlRefused(MirrorError):
    """A mirror URL must be http or https and name a host."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"the mirror URL {url!r} cannot be used: {reason}")
        self.url = url
        self.reason = reason


class UpstreamFileMissing(MirrorError):
    """Upstream's page lists the file, and upstream no longer has its bytes."""

    def __init__(self, name: str, filename: str) -> None:
        super().__init__(f"upstream {name} lists {filename} but no longer has it")
        self.name = name
        self.filename = filename


class DownloadCorrupt(MirrorError):
    """The bytes are not what the page promised; no reader may finish its body."""

    def __init__(self, filename: str, reason: str) -> None:
        super().__init__(f"the download of {filename} failed: {reason}")
        self.filename = filename
        self.reason = reason


class RangeUnsupported(MirrorError):
    """Upstream does not answer a range of the file with that range."""

    def __init__(self, filename: str, status: int) -> None:
        super().__init__(f"upstream answered a range of {filename} with status {status}")
        self.filename = filename
        self.status = status


class PrimaryUnreachable(MirrorError):
    """The primary did not answer; an issuer raises it so that upstream is asked instead."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"the primary did not answer: {detail}")
        self.detail = detail


class PeerHasNot(MirrorError):
    """The peer does not have the file, or did not answer."""

    def __init__(self, filename: str, detail: str) -> None:
        super().__init__(f"a peer gave no {filename}: {detail}")
        self.filename = filename
        self.detail = detail


class RecordCorrupt(MirrorError):
    """A page or link record is cut short, of another version, or not ours at all."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"the {kind} record cannot be read: {reason}")
        self.kind = kind
        self.reason = reason


class WheelBroken(MirrorError):
    """The archive is not a wheel whose METADATA can be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not a readable wheel: {reason}")
        self.reason = reason
