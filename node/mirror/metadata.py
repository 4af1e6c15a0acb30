"""Core metadata of a mirrored wheel, found when first asked for: in the file, beside it, or in ranges of it."""

import asyncio
import hashlib
from contextlib import suppress

import structlog
from packaging.utils import canonicalize_name
from packaging.version import Version

from node.mirror.cache import MirrorCache
from node.mirror.cluster import MetadataIssuer
from node.mirror.counters import MirrorCounters
from node.mirror.downloads import Downloads
from node.mirror.errors import (
    DownloadCorrupt,
    MetadataUnreadable,
    MirrorError,
    RangeUnsupported,
    UpstreamDown,
    UpstreamFileMissing,
    WheelBroken,
)
from node.mirror.growing import GrowingFile
from node.mirror.page import MirrorLink
from node.mirror.source import MirrorSource
from node.mirror.upstream import Upstream
from node.mirror.wheelzip import METADATA_BYTES_MAX, NeedRange, SparseFile, read_wheel_metadata
from storage.errors import StorageError

TAIL_BYTES = 32 << 10  # holds the directory of most wheels, and METADATA, which is written last
STEP_BYTES = 64 << 10
RANGES_MAX = 8
RANGE_BYTES_MAX = 8 << 20  # beyond that the whole file is the better bargain

log = structlog.get_logger()

_Key = tuple[bytes, str, str]


class CoreMetadata:
    """The metadata service of a node's mirrors; used on the event loop only."""

    def __init__(
        self,
        cache: MirrorCache,
        upstream: Upstream,
        downloads: Downloads,
        *,
        counters: MirrorCounters,
        issuer: MetadataIssuer | None = None,
    ) -> None:
        self._cache = cache
        self._upstream = upstream
        self._downloads = downloads
        self._counters = counters
        self._issuer = issuer
        self._tasks: dict[_Key, asyncio.Task[bytes]] = {}

    async def get(self, source: MirrorSource, link: MirrorLink) -> bytes:
        """Return the METADATA of a listed wheel.

        Raises:
            UpstreamDown: it cannot be had now; never "missing", which clients take for a broken index.
            StorageError: the wheel had to be fetched, and the cache is full.
            OSError: likewise, and the disk failed.

        """
        self._counters.metadata_requests += 1
        cached = self._cache.load_metadata(source, link.file)
        if cached is not None:
            self._counters.metadata_cache_hits += 1
            return cached
        key = (source.prefix, link.file.link_key, link.file.filename)
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(self._obtain(source, link), name=f"metadata of {link.file.filename}")
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, key: _Key, task: asyncio.Task[bytes]) -> None:
        del self._tasks[key]
        if not task.cancelled() and task.exception() is not None:
            self._counters.metadata_failures += 1

    async def _obtain(self, source: MirrorSource, link: MirrorLink) -> bytes:
        filename = link.file.filename
        try:
            metadata = await self._find(source, link)
        except WheelBroken as error:
            raise MetadataUnreadable(source.label, filename, error.reason) from error
        except UpstreamFileMissing as error:
            raise MetadataUnreadable(source.label, filename, "upstream no longer has the file") from error
        except DownloadCorrupt as error:
            raise UpstreamDown(source.label, str(error)) from error
        with suppress(StorageError, OSError):
            await asyncio.to_thread(self._cache.save_metadata, source, link.file, metadata)
        return metadata

    async def _find(self, source: MirrorSource, link: MirrorLink) -> bytes:
        cached = self._cache.find_file(source, link.file)
        if cached is not None:
            self._counters.metadata_by_file += 1
            return await asyncio.to_thread(read_wheel_metadata, cached.path)
        if self._issuer is not None:
            with suppress(MirrorError):
                return await self._issuer(source, link)
        metadata = await self._beside(source, link)
        if metadata is not None:
            self._counters.metadata_by_sidecar += 1
            return metadata
        try:
            metadata = await self._from_ranges(source, link)
        except (RangeUnsupported, WheelBroken) as error:
            # Broken as seen through ranges may be upstream's ranges; the verified file decides.
            log.info("wheel read whole for its metadata", filename=link.file.filename, reason=str(error))
        else:
            self._counters.metadata_by_range += 1
            return metadata
        return await self._from_file(source, link)

    async def _beside(self, source: MirrorSource, link: MirrorLink) -> bytes | None:
        if link.file.core_metadata:
            return await self._from_sidecar(source, link)
        if source.provides_core_metadata:
            # The operator's word is weaker than the page's: whatever goes wrong, the wheel has it too.
            with suppress(UpstreamDown):
                return await self._from_sidecar(source, link)
        return None

    async def _from_sidecar(self, source: MirrorSource, link: MirrorLink) -> bytes | None:
        url = f"{link.file.url}.metadata"
        # Decoded from any content encoding before it is hashed: a CDN may compress what it should not.
        metadata = await self._upstream.fetch_bytes(source, url, bytes_max=METADATA_BYTES_MAX)
        promised = link.file.core_metadata
        if metadata is None:
            return None
        if not isinstance(promised, dict):
            if await asyncio.to_thread(is_metadata_of, link, metadata):
                return metadata
            log.warning("upstream metadata refused", filename=link.file.filename, reason="of another release")
            return None
        for name, digest in promised.items():
            if name in hashlib.algorithms_available and hashlib.new(name, metadata).hexdigest() != digest:
                log.warning("upstream metadata refused", filename=link.file.filename, algorithm=name)
                return None
        return metadata

    async def _from_ranges(self, source: MirrorSource, link: MirrorLink) -> bytes:
        size_bytes = link.file.size
        wheel: SparseFile | None = None
        # Some servers know no suffix ranges, so the suffix is only for files of unknown size.
        wanted, bytes_max = f"bytes=-{TAIL_BYTES}", TAIL_BYTES
        if size_bytes:
            wanted = f"bytes={max(0, size_bytes - TAIL_BYTES)}-{size_bytes - 1}"
        for _ in range(RANGES_MAX):
            self._counters.range_requests += 1
            part = await self._upstream.fetch_range(
                source, link.file.url, wanted, filename=link.file.filename, bytes_max=bytes_max
            )
            if size_bytes is not None and part.total_bytes != size_bytes:
                raise RangeUnsupported(link.file.filename, 206)
            size_bytes = part.total_bytes
            wheel = wheel or SparseFile(size_bytes)
            wheel.add(part.start, part.body)
            try:
                return read_wheel_metadata(wheel)
            except NeedRange as need:
                end = min(max(need.end, need.start + STEP_BYTES), size_bytes)
                wanted, bytes_max = f"bytes={need.start}-{end - 1}", end - need.start
            if wheel.known_bytes + bytes_max > RANGE_BYTES_MAX:
                break
        raise RangeUnsupported(link.file.filename, 206)

    async def _from_file(self, source: MirrorSource, link: MirrorLink) -> bytes:
        opened = await self._downloads.open_file(source, link)
        if isinstance(opened, GrowingFile):
            await opened.until_kept()
        cached = self._cache.find_file(source, link.file)
        if cached is None:
            raise UpstreamDown(source.label, f"{link.file.filename} could not be kept")
        self._counters.metadata_by_file += 1
        return await asyncio.to_thread(read_wheel_metadata, cached.path)


def is_metadata_of(link: MirrorLink, metadata: bytes) -> bool:
    """Say whether a document names the project and version of a wheel: no digest says that it is the right one."""
    from packaging.metadata import parse_email  # noqa: PLC0415 - ten milliseconds of a start that few need

    try:
        raw, _ = parse_email(metadata)
        name, version = canonicalize_name(raw.get("name", "")), Version(raw.get("version", ""))
    except ValueError:  # InvalidVersion, or a document that is no message
        return False
    return name == link.project and version == Version(link.file.version or str(version))
