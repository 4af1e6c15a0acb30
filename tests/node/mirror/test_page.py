from __future__ import annotations

from dataclasses import replace

import msgpack
import pytest

from node.mirror.errors import RecordCorrupt
from node.mirror.page import (
    MirrorFile,
    MirrorLink,
    StoredPage,
    Validators,
    decode_link,
    decode_page,
    encode_link,
    encode_page,
    make_page,
    offline_page,
)

FILE = MirrorFile(
    filename="six-1.0-py3-none-any.whl",
    url="https://files.test/six-1.0-py3-none-any.whl",
    hashes={"sha256": "ab" * 32, "md5": "cd" * 16},
    size=7,
    upload_time="2024-01-02T03:04:05.678901Z",
    requires_python=">=3.8",
    yanked="broken",
    core_metadata={"sha256": "ef" * 32},
    provenance="https://files.test/provenance",
    version="1.0",
)
PAGE = make_page(
    project="six",
    files=(FILE,),
    versions=("1.0",),
    status={"status": "archived"},
    last_serial=9,
    fetched_at=5.5,
)


def test_page_survives_its_record() -> None:
    validators = Validators('"etag"', "Mon, 01 Jan 2024 00:00:00 GMT")

    assert decode_page(encode_page(PAGE, validators)) == StoredPage(PAGE, validators)


def test_digest_is_the_same_whenever_the_page_was_fetched() -> None:
    later = make_page(
        project="six",
        files=(FILE,),
        versions=("1.0",),
        status={"status": "archived"},
        last_serial=9,
        fetched_at=99.0,
    )

    assert later.digest == PAGE.digest
    assert replace(later, fetched_at=5.5) == PAGE


def test_digest_differs_when_a_file_was_yanked() -> None:
    other = make_page(project="six", files=(replace(FILE, yanked=False),), versions=("1.0",))

    assert other.digest != make_page(project="six", files=(FILE,), versions=("1.0",)).digest


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\xc1",
        encode_page(PAGE)[:-1],
        msgpack.packb([2, 0, None, None, b""]),
        msgpack.packb([1, 2]),
        msgpack.packb(7),
    ],
    ids=["empty", "not-msgpack", "cut", "later-version", "too-few", "a-number"],
)
def test_damaged_page_record_is_refused(record: bytes) -> None:
    with pytest.raises(RecordCorrupt):
        decode_page(record)


def test_link_survives_its_record() -> None:
    assert decode_link(encode_link(MirrorLink("six", FILE))) == MirrorLink("six", FILE)


def test_link_key_is_the_digests_start_or_the_urls() -> None:
    nameless = replace(FILE, hashes={})

    assert FILE.link_key == "ab" * 8
    assert len(nameless.link_key) == 16
    assert nameless.link_key != replace(nameless, url="https://files.test/other").link_key


def test_offline_page_lists_only_present_files_and_their_versions() -> None:
    other = replace(FILE, filename="six-2.0-py3-none-any.whl", version="2.0")
    page = make_page(project="six", files=(FILE, other), versions=("1.0", "2.0", "3.0"), fetched_at=5.5)

    shown = offline_page(page, lambda file: file.version == "2.0")

    assert (shown.files, shown.versions) == ((other,), ("2.0",))
    assert shown.digest != page.digest
