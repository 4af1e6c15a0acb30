"""Tiny real wheels and sdists, the same bytes for the same arguments."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import tarfile
import zipfile

_EPOCH = (2024, 1, 1, 0, 0, 0)


def metadata_text(name: str, version: str, *, requires: tuple[str, ...] = (), description: str = "") -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Requires-Python: >=3.8"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return ("\n".join(lines) + "\n\n" + description).encode()


def wheel_name(name: str, version: str) -> str:
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def sdist_name(name: str, version: str) -> str:
    return f"{name.replace('-', '_')}-{version}.tar.gz"


def make_wheel(
    name: str,
    version: str,
    *,
    requires: tuple[str, ...] = (),
    payload_bytes: int = 0,
    metadata: bytes | None = None,
    members: int = 0,
) -> bytes:
    """Build an installable wheel; ``payload_bytes`` of noise and empty ``members`` make it large."""
    package = name.replace("-", "_")
    info = f"{package}-{version}.dist-info"
    content = {
        f"{package}/__init__.py": f'__version__ = "{version}"\n'.encode(),
        f"{info}/METADATA": metadata
        if metadata is not None
        else metadata_text(name, version, requires=requires),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if payload_bytes:
        content = {f"{package}/noise.bin": random.Random(name).randbytes(payload_bytes), **content}
    content = {**{f"{package}/part_{number:05}.py": b"" for number in range(members)}, **content}
    record = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for path, data in content.items()
    ]
    content[f"{info}/RECORD"] = ("\n".join([*record, f"{info}/RECORD,,"]) + "\n").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def make_sdist(name: str, version: str, *, requires: tuple[str, ...] = ()) -> bytes:
    """Build an sdist whose PKG-INFO is right; it cannot be built into a wheel without a backend."""
    folder = f"{name.replace('-', '_')}-{version}"
    project = f'[project]\nname = "{name}"\nversion = "{version}"\n'.encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in (
            (f"{folder}/PKG-INFO", metadata_text(name, version, requires=requires)),
            (f"{folder}/pyproject.toml", project),
        ):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    # gzip's header holds the time of compression; bytes 4 to 8, zero means unknown.
    return buffer.getvalue()[:4] + bytes(4) + buffer.getvalue()[8:]
