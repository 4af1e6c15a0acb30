"""Small real wheels of a wanted size, and the form that uploads one."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from dataclasses import dataclass

BOUNDARY = "wheelyard-bench-e4f1c7"
_EPOCH = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel in memory."""

    project: str
    version: str
    filename: str
    content: bytes

    @property
    def sha256(self) -> str:
        """The digest as hex."""
        return hashlib.sha256(self.content).hexdigest()


def make_wheel(project: str, version: str, *, size_bytes: int, seed: int) -> Wheel:
    """Build a wheel of exactly ``size_bytes``, the same for the same arguments.

    Raises:
        ValueError: A wheel with its metadata does not fit into ``size_bytes``.

    """
    name = project.replace("-", "_")
    bare = len(_packed(name, project, version, b""))
    if bare > size_bytes:
        raise ValueError(f"a wheel needs {bare} bytes, wanted are {size_bytes}")
    padding = random.Random(f"{seed}/{project}/{version}").randbytes(size_bytes - bare)
    content = _packed(name, project, version, padding)
    return Wheel(project, version, f"{name}-{version}-py3-none-any.whl", content)


def _packed(name: str, project: str, version: str, padding: bytes) -> bytes:
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.bin": padding,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    # No digests in RECORD: they would take a fifth of the smallest wheel, and no index reads them.
    members[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*members, f"{info}/RECORD"]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path, content in members.items():
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content)
    return packed.getvalue()


def content_type() -> str:
    """Return the content type of the forms below."""
    return f"multipart/form-data; boundary={BOUNDARY}"


def upload_form(wheel: Wheel) -> bytes:
    """Return the form that twine would send for a wheel."""
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": wheel.project,
        "version": wheel.version,
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "sha256_digest": wheel.sha256,
    }
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="content"; filename="{wheel.filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return _fields(fields) + head.encode() + wheel.content + f"\r\n--{BOUNDARY}--\r\n".encode()


def submit_form(project: str, version: str) -> bytes:
    """Return the form that registers a version without a file: an entry without blobs."""
    fields = {
        ":action": "submit",
        "metadata_version": "2.1",
        "name": project,
        "version": version,
        "summary": "an entry",
    }
    return _fields(fields) + f"--{BOUNDARY}--\r\n".encode()


def _fields(fields: dict[str, str]) -> bytes:
    return "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ).encode()
