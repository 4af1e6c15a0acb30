"""Files of upstream indexes: fetched once, given to the first client while they are written, joined by all others."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import aiohttp
import structlog

from node.mirror.cache import CachedFile, MirrorCache
from node.mirror.cluster import FilePeer, no_peers
from node.mirror.counters import MirrorCounters
from node.mirror.errors import (
    DownloadCorrupt,
    MirrorError,
    RangeUnsupported,
    UpstreamDown,
    UpstreamFileMissing,
    UpstreamOffline,
)
from node.mirror.growing import DownloadFailure, GrowingFile
from node.mirror.page import MirrorFile, MirrorLink
from node.mirror.source import MirrorSource
from node.mirror.upstream import Upstream, check_status
from storage.blob_writer import BlobWriter
from storage.errors import StorageError

DOWNLOADS_MAX = 64  # at once; later ones wait their turn
FILE_BYTES_MAX = 32 << 30  # of a file whose size nobody says
RANGE_BYTES_MAX = 1 << 20  # a longer range is better served from the whole file
THREAD_BYTES = 64 << 10  # writing and hashing more than this leaves the event loop

log = structlog.get_logger()

Stream = tuple[AsyncIterator[bytes], int | None]


class _Expected:
    """What the page says of a file, checked while it streams."""

    def __init__(self, file: MirrorFile, *, size_bytes: int | None) -> None:
        self.file = file
        self.size_bytes = size_bytes
        # Every blob has a SHA-256 anyway; another digest is computed only where the page has no SHA-256.
        names = [] if file.sha256 else [name for name in file.hashes if name in hashlib.algorithms_available]
        self.name = names[0] if names else None
        self.hasher = hashlib.new(self.name, usedforsecurity=False) if self.name else None

    def verify(self, writer: BlobWriter) -> None:
        """Compare what was written with what was promised.

        Raises:
            DownloadCorrupt: it is too short or has another digest.

        """
        filename, size_bytes = self.file.filename, writer.size_bytes
        if self.size_bytes is not None and size_bytes != self.size_bytes:
            raise DownloadCorrupt(filename, f"{size_bytes} bytes came instead of {self.size_bytes}")
        if self.file.sha256 and writer.sha256.hex() != self.file.sha256:
            raise DownloadCorrupt(filename, f"its sha256 is {writer.sha256.hex()}, not {self.file.sha256}")
        if self.hasher is not None and self.hasher.hexdigest() != self.file.hashes[self.name or ""]:
            raise DownloadCorrupt(filename, f"its {self.name} does not match the page")


class Downloads:
    """The downloads of a node's mirrors; used on the event loop only."""

    def __init__(
        self,
        cache: MirrorCache,
        upstream: Upstream,
        *,
        counters: MirrorCounters,
        peers: Callable[[], Sequence[FilePeer]] = no_peers,
    ) -> None:
        self._cache = cache
        self._upstream = upstream
        self._counters = counters
        self._peers = peers
        self._growing: dict[tuple[bytes, str, str], GrowingFile] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(DOWNLOADS_MAX)

    async def open_file(self, source: MirrorSource, link: MirrorLink) -> CachedFile | GrowingFile:
        """Return the file from the cache, or the download of it, begun now or joined.

        Raises:
            UpstreamDown: neither cluster nor upstream answered.
            UpstreamFileMissing: upstream no longer has the file.
            DownloadCorrupt: it is not the file the page lists, and so early that no byte was given.
            StorageError: the cache is full.
            OSError: the disk failed.

        """
        self._counters.file_requests += 1
        cached = self._cache.find_file(source, link.file)
        if cached is not None:
            self._counters.file_cache_hits += 1
            return cached
        key = (source.prefix, link.file.link_key, link.file.filename)
        growing = self._growing.get(key)
        if growing is None or growing.is_over:
            growing = self._start(key, source, link)
        else:
            self._counters.file_joins += 1
        await growing.until_started()
        return growing

    async def read_range(self, source: MirrorSource, link: MirrorLink, start: int, end: int) -> bytes:
        """Return bytes ``start`` to before ``end`` of a file, from the cache or straight from upstream.

        Bytes from upstream are as it sends them; a part cannot be verified.

        Raises:
            RangeUnsupported: upstream ignores ranges, or the range is long: open the file instead.
            UpstreamDown: upstream did not answer.
            OSError: the disk failed.

        """
        cached = self._cache.find_file(source, link.file)
        if cached is not None:
            return await asyncio.to_thread(_read_part, cached, start, end)
        if not 0 <= start < end or end - start > RANGE_BYTES_MAX:
            raise RangeUnsupported(link.file.filename, 416)
        self._counters.range_requests += 1
        part = await self._upstream.fetch_range(
            source,
            link.file.url,
            f"bytes={start}-{end - 1}",
            filename=link.file.filename,
            bytes_max=end - start,
        )
        if part.start != start or len(part.body) > end - start:
            raise RangeUnsupported(link.file.filename, 206)
        return part.body

    async def close(self) -> None:
        """End all downloads; what is incomplete is removed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, key: tuple[bytes, str, str], source: MirrorSource, link: MirrorLink) -> GrowingFile:
        file = link.file
        sha256 = bytes.fromhex(file.sha256) if file.sha256 else None
        growing = GrowingFile(file.filename, size_bytes=file.size, sha256=sha256)
        # A task of its own: it outlives every client, and the next one finds the file in the cache.
        task = asyncio.create_task(self._run(growing, source, link), name=f"mirror file {file.filename}")

        def finished(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if self._growing.get(key) is growing:
                del self._growing[key]

        self._growing[key] = growing
        self._tasks.add(task)
        task.add_done_callback(finished)
        return growing

    async def _run(self, growing: GrowingFile, source: MirrorSource, link: MirrorLink) -> None:
        cached: CachedFile | None = None
        try:
            async with self._slots:
                self._counters.downloads_now += 1
                try:
                    cached = await self._download(growing, source, link)
                finally:
                    self._counters.downloads_now -= 1
        except (MirrorError, StorageError, OSError) as error:
            self._note_failure(growing, source, error)
        except asyncio.CancelledError:
            growing.fail(UpstreamDown(source.label, "this node is shutting down", retry_after_seconds=1))
            raise
        except BaseException as error:
            # A defect of ours must not leave readers waiting for ever.
            growing.fail(UpstreamDown(source.label, f"the download failed: {type(error).__name__}"))
            raise
        finally:
            growing.close(cached.path if cached is not None else None)

    async def _download(
        self, growing: GrowingFile, source: MirrorSource, link: MirrorLink
    ) -> CachedFile | None:
        for peer in self._peers():
            try:
                async with peer.open(source, link) as chunks:
                    cached = await self._fill(growing, source, link, (chunks, None))
            except (MirrorError, OSError, aiohttp.ClientError) as error:
                if growing.available_bytes:
                    # Some reader has bytes of this peer; another source's may differ.
                    raise DownloadCorrupt(link.file.filename, f"a peer broke off: {error}") from error
                log.info("peer gave no file", filename=link.file.filename, reason=str(error))
                growing.restart()
            else:
                self._counters.file_downloads_from_peers += 1
                return cached
        self._counters.file_downloads += 1
        async with self._open_upstream(source, link) as stream:
            return await self._fill(growing, source, link, stream)

    @asynccontextmanager
    async def _open_upstream(self, source: MirrorSource, link: MirrorLink) -> AsyncIterator[Stream]:
        file = link.file
        if source.is_offline:
            raise UpstreamOffline(source.label, file.filename)
        # Bytes as stored upstream: decoding them would break every digest.
        headers = {"Accept-Encoding": "identity"}
        async with self._upstream.open(source, file.url, headers=headers, auto_decompress=False) as response:
            if response.status in {404, 410}:
                raise UpstreamFileMissing(source.label, file.filename)
            check_status(source, response, {200})
            length = response.content_length
            if file.size is not None and length is not None and length != file.size:
                raise DownloadCorrupt(
                    file.filename, f"upstream has {length} bytes, its page says {file.size}"
                )
            yield _checked(response, file), length

    async def _fill(
        self, growing: GrowingFile, source: MirrorSource, link: MirrorLink, stream: Stream
    ) -> CachedFile | None:
        chunks, length = stream
        size_bytes = link.file.size if link.file.size is not None else length
        expected = _Expected(link.file, size_bytes=size_bytes)
        with self._cache.open_writer() as writer:
            growing.size_bytes = size_bytes
            growing.begin(writer.path)
            async for chunk in chunks:
                if writer.size_bytes + len(chunk) > (FILE_BYTES_MAX if size_bytes is None else size_bytes):
                    raise DownloadCorrupt(link.file.filename, "more bytes came than there should be")
                if len(chunk) > THREAD_BYTES:
                    await _in_thread(_write, writer, expected, chunk)
                else:
                    _write(writer, expected, chunk)
                self._counters.file_download_bytes += len(chunk)
                growing.grow(writer.size_bytes)
            expected.verify(writer)
            sha256 = writer.sha256
            # Readers need not wait for the disk: the bytes are right, whether or not they can be kept.
            growing.complete(size_bytes=writer.size_bytes, sha256=sha256)
            with suppress(StorageError, OSError):
                await _in_thread(self._commit, writer, source, link.file)
            return self._cache.find_file(source, link.file)

    def _commit(self, writer: BlobWriter, source: MirrorSource, file: MirrorFile) -> None:
        reference = writer.commit()
        self._cache.note_file(source, file, reference.sha256)

    def _note_failure(self, growing: GrowingFile, source: MirrorSource, error: DownloadFailure) -> None:
        self._counters.file_failures += 1
        if isinstance(error, DownloadCorrupt):
            self._counters.file_corrupt += 1
        log.warning(
            "mirror download failed", index=source.label, filename=growing.filename, reason=str(error)
        )
        growing.fail(error)


async def _checked(response: aiohttp.ClientResponse, file: MirrorFile) -> AsyncIterator[bytes]:
    """Yield the body; a body that ends early is the file's fault, not the connection's."""
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except aiohttp.ClientPayloadError as error:
        raise DownloadCorrupt(file.filename, "upstream ended the body early") from error


async def _in_thread(work: Callable[..., None], *arguments: object) -> None:
    """Run ``work`` in a thread and wait for its end even when cancelled.

    The writer closes its descriptor right after; a thread still writing could hit the number's next owner.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _write(writer: BlobWriter, expected: _Expected, chunk: bytes) -> None:
    writer.write(chunk)
    if expected.hasher is not None:
        expected.hasher.update(chunk)


def _read_part(cached: CachedFile, start: int, end: int) -> bytes:
    with cached.path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)
