"""Clients that upload without end, and remember what they were promised."""

import asyncio
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from random import Random
from typing import Self

import aiohttp

from tests.helpers.distributions import make_sdist, make_wheel, sdist_name, wheel_name
from tests.helpers.nodes import basic
from tests.helpers.waiting import eventually

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
RETRY_SECONDS = 0.05
ATTEMPT_SECONDS_MAX = 20.0
LARGE_EVERY = 10
LARGE_BYTES = 80 * 1024
"""Noise in a large wheel: above what travels with its entry."""
DOWNLOADS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a node said it has."""

    index: str
    project: str
    filename: str
    sha256: str


class UploadLoad:
    """Uploads to some nodes until told to stop; an async context manager.

    A client sends the same bytes again until they are acknowledged, whatever the answer or the
    lack of one, so what it counts as acknowledged must be there for ever.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        token: str,
        index: str = "root/dev",
        clients: int = 4,
        pause_seconds: float = 0.0,
        has_large: bool = True,
    ) -> None:
        self.acknowledged: list[Upload] = []
        self.answers: Counter[str] = Counter()
        """Everything that was answered, by status, or by the error when there was no answer."""
        self._urls = urls
        self._headers = basic("root", token)
        self._index = index
        self._clients = clients
        self._pause_seconds = pause_seconds
        self._has_large = has_large
        self._is_stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS_MAX)
        self._session = aiohttp.ClientSession(timeout=timeout)
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(self._clients)]
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        self._is_stopping = True
        if kind is not None:
            for task in self._tasks:
                task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=kind is not None)
        finally:
            await self._session.close()

    async def wait_for_more(self, uploads: int, *, within_seconds: float = 30.0) -> None:
        """Wait until so many more uploads are acknowledged."""
        goal = len(self.acknowledged) + uploads
        await eventually(
            lambda: len(self.acknowledged) >= goal or any(task.done() for task in self._tasks),
            what=lambda: f"{len(self.acknowledged)} of {goal} uploads acknowledged, answers {self.answers}",
            within_seconds=within_seconds,
        )
        for task in self._tasks:
            if task.done():
                task.result()

    async def _client(self, number: int) -> None:
        # One project per client and hundred files, so that pages stay as small as most real ones.
        for release in count():
            if self._is_stopping:
                return
            await self._upload(self._urls[number % len(self._urls)], number, release)
            await asyncio.sleep(self._pause_seconds)

    async def _upload(self, url: str, number: int, release: int) -> None:
        project, version = f"load-{number}-{release // 100}", f"1.{release}"
        if self._has_large and release % LARGE_EVERY == LARGE_EVERY - 1:
            filename, content = (
                wheel_name(project, version),
                make_wheel(project, version, payload_bytes=LARGE_BYTES),
            )
        else:
            filename, content = sdist_name(project, version), make_sdist(project, version)
        digest = hashlib.sha256(content).hexdigest()
        for _ in count():
            if await self._attempt(url, project, version, filename, content, digest):
                break
            await asyncio.sleep(RETRY_SECONDS)
        self.acknowledged.append(Upload(self._index, project, filename, digest))

    async def _attempt(
        self, url: str, project: str, version: str, filename: str, content: bytes, digest: str
    ) -> bool:
        form = upload_form(project, version, filename, content, digest=digest)
        try:
            async with self._session.post(
                f"{url}/{self._index}/", data=form, headers=self._headers
            ) as answer:
                self.answers[str(answer.status)] += 1
                if answer.status in {502, 503, 507}:
                    assert answer.headers.get("Retry-After", "1").isdecimal()
                    return False
                assert answer.status == 200, f"{filename}: {answer.status} {answer.reason}"
                return True
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.answers[type(error).__name__] += 1
            return False


def upload_form(
    project: str, version: str, filename: str, content: bytes, *, digest: str = ""
) -> aiohttp.FormData:
    """Return the form that twine would send."""
    form = aiohttp.FormData()
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "name": project,
        "version": version,
        "filetype": "bdist_wheel" if filename.endswith(".whl") else "sdist",
        "pyversion": "py3" if filename.endswith(".whl") else "source",
        "sha256_digest": digest,
    }
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field("content", BytesIO(content), filename=filename, content_type="application/octet-stream")
    return form


async def assert_all_there(url: str, uploads: Sequence[Upload]) -> None:
    """Compare every upload with what a node lists and sends: the page's hash and the file's bytes."""
    limit = asyncio.Semaphore(DOWNLOADS_AT_ONCE)

    async def download(upload: Upload, address: str) -> str:
        async with limit, session.get(address) as answer:
            assert answer.status == 200, f"{upload.filename} on {url}: {answer.status}"
            return hashlib.sha256(await answer.read()).hexdigest()

    async with aiohttp.ClientSession() as session:
        listed = {
            page: await _files(session, f"{url}/{page[0]}/+simple/{page[1]}/")
            for page in dict.fromkeys((upload.index, upload.project) for upload in uploads)
        }
        found = [listed[upload.index, upload.project].get(upload.filename) for upload in uploads]
        missing = [upload for upload, file in zip(uploads, found, strict=True) if file is None]
        assert missing == [], f"{len(missing)} acknowledged uploads are not listed on {url}"
        digests = await asyncio.gather(
            *(
                download(upload, file[0])
                for upload, file in zip(uploads, found, strict=True)
                if file is not None
            )
        )
    wrong = [upload for upload, digest in zip(uploads, digests, strict=True) if digest != upload.sha256]
    assert wrong == [], f"{len(wrong)} acknowledged uploads have other bytes on {url}"
    assert [file[1] for file in found if file is not None] == [upload.sha256 for upload in uploads]


async def _files(session: aiohttp.ClientSession, page: str) -> dict[str, tuple[str, str]]:
    """Return address and sha256 of the files of a page, by name."""
    async with session.get(page, headers={"Accept": SIMPLE_JSON}) as answer:
        if answer.status == 404:
            return {}
        assert answer.status == 200, f"{page}: {answer.status}"
        files = (await answer.json(content_type=SIMPLE_JSON))["files"]
        base = answer.url
    return {
        file["filename"]: (str(base.join(type(base)(file["url"]))), file["hashes"]["sha256"])
        for file in files
    }


def seeded_random(seed: int) -> Random:
    """Return randomness that the printed seed brings back; pytest shows the line when the test fails."""
    tell(f"seed {seed}")
    return Random(seed)


def tell(line: str) -> None:
    """Say what a run saw; pytest shows it when the test fails, or with -rP."""
    sys.stdout.write(line + "\n")
