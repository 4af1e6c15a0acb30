"""Wheels that are wrong in one way each, and odd ones that are right; all of project ``good`` 1.0."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

from tests.helpers.distributions import make_sdist, make_wheel, metadata_text

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = make_wheel("good", "1.0")
INFO = "good-1.0.dist-info"


def rebuilt(
    change: Callable[[dict[str, bytes]], object] = lambda _: None,
    *,
    compression: int = zipfile.ZIP_DEFLATED,
    wheel: bytes = GOOD,
) -> bytes:
    """Return the wheel with its members changed."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def without(name: str) -> Callable[[], bytes]:
    def spoiled() -> bytes:
        return rebuilt(lambda members: members.pop(f"{INFO}/{name}"))

    spoiled.__name__ = f"no-{name}"
    return spoiled


def with_metadata(what: str, metadata: bytes) -> Callable[[], bytes]:
    def spoiled() -> bytes:
        return make_wheel("good", "1.0", metadata=metadata)

    spoiled.__name__ = what
    return spoiled


def empty() -> bytes:
    return b""


def text() -> bytes:
    return b"this is not a wheel"


def sdist() -> bytes:
    return make_sdist("good", "1.0")


def cut_short() -> bytes:
    return GOOD[: len(GOOD) // 2]


def trailing_bytes() -> bytes:
    return GOOD + b"more"


def leading_bytes() -> bytes:
    return b"#!/bin/sh\n" + GOOD


def tar_and_zip() -> bytes:
    return make_sdist("good", "1.0") + GOOD


def two_of_one_name() -> bytes:
    buffer = io.BytesIO(GOOD)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("gooD/__init__.py", b"evil")
    return buffer.getvalue().replace(b"gooD/__init__.py", b"good/__init__.py")


def two_names_for_one_member() -> bytes:
    return GOOD.replace(b"good/__init__.py", b"evil/__init__.py", 1)


def commented_member() -> bytes:
    buffer = io.BytesIO(GOOD)
    with zipfile.ZipFile(buffer, "a") as archive:
        info = zipfile.ZipInfo("good/extra.py")
        info.comment = b"hidden"
        archive.writestr(info, b"")
    return buffer.getvalue()


def climbing_member() -> bytes:
    return rebuilt(lambda members: members.update({"../../evil.py": b""}))


def lzma_member() -> bytes:
    return rebuilt(compression=zipfile.ZIP_LZMA)


def bomb() -> bytes:
    return rebuilt(lambda members: members.update({"good/zeros.bin": bytes(70 << 20)}))


def other_folder() -> bytes:
    def change(members: dict[str, bytes]) -> None:
        for name in list(members):
            if name.startswith(INFO):
                members[name.replace("good-1.0", "evil-1.0")] = members.pop(name)

    return rebuilt(change)


def gap_before_directory() -> bytes:
    end = GOOD.rindex(b"PK\5\6")
    (start,) = struct.unpack("<L", GOOD[end + 16 : end + 20])
    moved = struct.pack("<L", start + 4)
    return GOOD[:start] + b"evil" + GOOD[start : end + 16] + moved + GOOD[end + 20 :]


SPOILED = [
    *((85, spoil) for spoil in (empty, text, sdist, cut_short, tar_and_zip, lzma_member, bomb)),
    *((85, without(name)) for name in ("METADATA", "WHEEL", "RECORD")),
    *(
        (86, spoil)
        for spoil in (
            trailing_bytes, leading_bytes, two_of_one_name, two_names_for_one_member, commented_member,
            climbing_member, gap_before_directory,
        )
    ),
    (84, other_folder),
    (84, with_metadata("other-project-inside", metadata_text("evil", "1.0"))),
    (84, with_metadata("other-version-inside", metadata_text("good", "1.1"))),
    (85, with_metadata("empty-metadata", b"")),
    (85, with_metadata("no-metadata-version", b"Name: good\nVersion: 1.0\n")),
    (85, with_metadata("bad-requires-python", metadata_text("good", "1.0").replace(b">=3.8", b"nonsense"))),
    (85, with_metadata("name-of-bytes", metadata_text("good", "1.0").replace(b": good", b": \xff\xfe"))),
]  # fmt: skip


def padded(*, streamed: bool = False, zip64: bool = False, stored: bool = False) -> Callable[[str], bytes]:
    """Return a maker of wheels whose archive is unusual and right."""

    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    def make(name: str) -> bytes:
        source = zipfile.ZipFile(io.BytesIO(make_wheel(name, "1.0")))
        buffer = Unseekable() if streamed else io.BytesIO()
        method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        with source, zipfile.ZipFile(buffer, "w", method) as archive:
            for member in source.namelist():
                with archive.open(zipfile.ZipInfo(member), "w", force_zip64=zip64) as target:
                    target.write(source.read(member))
        return buffer.getvalue()

    return make
