"""Whether a zip file is what every tool that opens it will see.

Installers read a zip in different ways: from the directory at its end, or from the start, file by
file. An archive that says one thing to one of them and another to the other can be shown clean and
installed dirty. What uploads bring must therefore be one gapless row of members, each described the
same twice, then the directory, then its end, and nothing else.
"""

import struct
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from node.errors import BadRequest

SUSPECT_BYTES_MIN = 64 << 20
"""An archive that unpacks to less than this is no bomb, however well it is packed."""
COMPRESSION_RATIO_MAX = 50
MEMBERS_MAX = 500_000
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
_END64_BYTES = 56 + 20  # the record and its locator
_DESCRIPTOR_BYTES = frozenset({12, 16, 20, 24})  # with and without signature, 32 and 64 bits
_IS_ENCRYPTED, _HAS_DESCRIPTOR, _IS_UTF8 = 1 << 0, 1 << 3, 1 << 11


def check_zip(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive that tools read differently, that hides something, or that is a bomb.

    Raises:
        BadRequest: with what is wrong.
        OSError: the file cannot be read.

    """
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    problem = _find_bad_member(members) or _find_bomb(members)
    if problem is None:
        with path.open("rb") as file:
            problem = _find_bad_end(archive, file) or _find_bad_row(members, archive.start_dir, file)
    if problem:
        raise BadRequest(f"ZIP archive not accepted: {problem}")


def _find_bad_member(members: list[zipfile.ZipInfo]) -> str | None:
    if len(members) > MEMBERS_MAX:
        return f"it has {len(members)} members"
    if len({member.filename for member in members}) != len(members):
        return "it has two members of one name"
    for member in members:
        name = member.orig_filename
        if (
            not name.isprintable()
            or "\\" in name
            or name.startswith("/")
            or ".." in PurePosixPath(name).parts
        ):
            return f"it has a member named {name!r}"
        if member.flag_bits & _IS_ENCRYPTED:
            return f"{name!r} is encrypted"
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            return f"{name!r} does not use a supported compression type"
        if member.comment:
            return f"{name!r} has a comment"
    return None


def _find_bomb(members: list[zipfile.ZipInfo]) -> str | None:
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > SUSPECT_BYTES_MIN and unpacked > COMPRESSION_RATIO_MAX * max(packed, 1):
        return f"it exceeds the compression ratio of {COMPRESSION_RATIO_MAX}"
    return None


def _find_bad_end(archive: zipfile.ZipFile, file: BinaryIO) -> str | None:
    """Check that the directory is followed by its end, and that by nothing."""
    end_at = file.seek(0, 2) - _END.size - len(archive.comment)
    file.seek(max(end_at, 0))
    signature, *_, directory_bytes, _, _ = _END.unpack(file.read(_END.size))
    if signature != b"PK\5\6":
        return "something follows its end"
    if end_at - archive.start_dir not in {directory_bytes, directory_bytes + _END64_BYTES}:
        return "something stands between its directory and its end"
    return None


def _find_bad_row(members: list[zipfile.ZipInfo], directory_at: int, file: BinaryIO) -> str | None:
    """Check that the members stand one after the other from the first byte on, as the directory says."""
    offset = 0
    for member, following in zip(members, [*members[1:], None], strict=True):
        if member.header_offset != offset:
            return f"something stands before {member.orig_filename!r}"
        file.seek(offset)
        head = file.read(_LOCAL.size)
        if len(head) < _LOCAL.size:
            return "it is cut short"
        signature, _, flags, method, _, _, _, packed, _, name_bytes, extra_bytes = _LOCAL.unpack(head)
        name = file.read(name_bytes).decode("utf-8" if flags & _IS_UTF8 else "cp437", "replace")
        if signature != b"PK\3\4" or name != member.orig_filename or method != member.compress_type:
            return f"{member.orig_filename!r} is described in two ways"
        if not flags & _HAS_DESCRIPTOR and packed not in {member.compress_size, 0xFFFFFFFF}:
            return f"{member.orig_filename!r} is described with two sizes"
        body_end = offset + _LOCAL.size + name_bytes + extra_bytes + member.compress_size
        offset = directory_at if following is None else following.header_offset
        gap = offset - body_end
        if gap and not (flags & _HAS_DESCRIPTOR and gap in _DESCRIPTOR_BYTES):
            return f"something stands after {member.orig_filename!r}"
    return None
