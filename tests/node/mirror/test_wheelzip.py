from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from node.mirror.errors import WheelBroken
from node.mirror.wheelzip import METADATA_BYTES_MAX, NeedRange, SparseFile, read_wheel_metadata
from tests.helpers.distributions import make_wheel, metadata_text

if TYPE_CHECKING:
    from pathlib import Path


def zip_of(**members: bytes) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return io.BytesIO(buffer.getvalue())


def test_metadata_is_read_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(make_wheel("six", "1.0", requires=("a>1",)))

    assert read_wheel_metadata(path) == metadata_text("six", "1.0", requires=("a>1",))


def test_vendored_dist_info_deeper_inside_is_not_the_wheels() -> None:
    wheel = zip_of(**{"six-1.0.dist-info/METADATA": b"right", "six/_vendor/a-1.dist-info/METADATA": b"wrong"})

    assert read_wheel_metadata(wheel) == b"right"


@pytest.mark.parametrize(
    "wheel",
    [
        io.BytesIO(b""),
        io.BytesIO(b"PK\x03\x04 not a zip"),
        io.BytesIO(make_wheel("six", "1.0")[:-30]),
        zip_of(),
        zip_of(**{"six/METADATA": b""}),
        zip_of(**{"a-1.dist-info/METADATA": b"", "b-1.dist-info/METADATA": b""}),
        zip_of(**{"a-1.dist-info/METADATA": bytes(METADATA_BYTES_MAX + 1)}),
    ],
    ids=["empty", "no-zip", "cut", "no-members", "no-dist-info", "two-dist-infos", "bomb"],
)
def test_unreadable_wheel_is_refused(wheel: io.BytesIO) -> None:
    with pytest.raises(WheelBroken):
        read_wheel_metadata(wheel)


def test_bomb_that_lies_about_its_size_is_refused() -> None:
    honest = zip_of(**{"a-1.dist-info/METADATA": bytes(METADATA_BYTES_MAX + 1)}).getvalue()
    lying = honest.replace((METADATA_BYTES_MAX + 1).to_bytes(4, "little"), (10).to_bytes(4, "little"))

    with pytest.raises(WheelBroken):
        read_wheel_metadata(io.BytesIO(lying))


def test_sparse_file_asks_for_what_it_lacks() -> None:
    content = make_wheel("six", "1.0", payload_bytes=50_000)
    sparse = SparseFile(len(content))
    metadata: bytes | None = None

    for _ in range(20):
        try:
            metadata = read_wheel_metadata(sparse)
            break
        except NeedRange as need:
            sparse.add(need.start, content[need.start : need.end])

    assert metadata == metadata_text("six", "1.0")
    assert sparse.known_bytes < 5_000
