from __future__ import annotations

import json
from typing import Any

import pytest

from node.mirror.errors import UpstreamDown
from node.mirror.page import MirrorFile, MirrorPage
from node.mirror.parse import (
    parse_file,
    parse_page,
    parse_serial,
    parse_upload_time,
    parse_yanked,
    version_of,
)

URL = "https://index.test/simple/six/"
SHA = "ab" * 32
JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def page_of(**keys: Any) -> MirrorPage:
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "six", "files": [], **keys}).encode()
    return parse_page(body, content_type=JSON_TYPE, url=URL, project="six")


def file_of(**keys: Any) -> MirrorFile:
    entry = {"filename": "six-1.0.tar.gz", "url": "https://files.test/six-1.0.tar.gz", "hashes": {}, **keys}
    file = parse_file(entry, url=URL, project="six")
    assert file is not None
    return file


def html_page(body: str, **options: Any) -> MirrorPage:
    return parse_page(
        body.encode(), content_type="text/html; charset=utf-8", url=URL, project="six", **options
    )


class TestJson:
    def test_complete_file_is_carried_over(self) -> None:
        file = file_of(
            **{
                "hashes": {"sha256": SHA},
                "size": 5,
                "upload-time": "2024-01-02T03:04:05.678901Z",
                "requires-python": ">=3.8",
                "yanked": "bad",
                "core-metadata": {"sha256": SHA},
                "provenance": "https://index.test/p",
                "surprise": {"nested": 1},
            }
        )

        assert file == MirrorFile(
            filename="six-1.0.tar.gz",
            url="https://files.test/six-1.0.tar.gz",
            hashes={"sha256": SHA},
            size=5,
            upload_time="2024-01-02T03:04:05.678901Z",
            requires_python=">=3.8",
            yanked="bad",
            core_metadata={"sha256": SHA},
            provenance="https://index.test/p",
            version="1.0",
        )

    def test_nulls_mean_nothing_is_known(self) -> None:
        keys = ("size", "upload-time", "requires-python", "yanked", "core-metadata", "provenance", "hashes")

        assert file_of(**dict.fromkeys(keys)) == file_of()

    @pytest.mark.parametrize("key", ["core-metadata", "dist-info-metadata", "data-dist-info-metadata"])
    def test_metadata_key_is_read_in_every_spelling(self, key: str) -> None:
        assert file_of(**{key: {"sha256": SHA}}).core_metadata == {"sha256": SHA}
        assert file_of(**{key: True}).core_metadata is True

    def test_metadata_key_of_the_standard_wins(self) -> None:
        assert file_of(**{"core-metadata": False, "dist-info-metadata": True}).core_metadata is False

    def test_hashes_are_judged_and_sha256_comes_first(self) -> None:
        file = file_of(
            hashes={"md5": "AB" * 16, "sha256": SHA.upper(), "sha512": "short", "crc": "00", "sha1": None}
        )

        assert list(file.hashes.items()) == [("sha256", SHA), ("md5", "ab" * 16)]

    def test_url_is_resolved_and_loses_fragment_and_credentials(self) -> None:
        assert file_of(url="../../f/six.zip#sha256=00").url == "https://index.test/f/six.zip"
        assert file_of(url="https://me:secret@files.test/a%2Bb?x=1").url == "https://files.test/a%2Bb?x=1"

    @pytest.mark.parametrize(
        "url", [None, "", 5, "ftp://a.test/x", "javascript:alert(1)", "http://[bad", "file:///etc"]
    )
    def test_file_without_usable_url_is_left_out(self, url: Any) -> None:
        assert page_of(files=[{"filename": "six-1.0.tar.gz", "url": url, "hashes": {}}]).files == ()

    @pytest.mark.parametrize("name", [None, "", "..", "a/b", "a\\b", "a\nb", "x" * 256, 3])
    def test_file_without_usable_name_is_left_out(self, name: Any) -> None:
        assert page_of(files=[{"filename": name, "url": "x", "hashes": {}}, "nonsense"]).files == ()

    def test_unparsable_names_are_listed_but_give_no_version(self) -> None:
        files: list[Any] = [
            {"filename": name, "url": name, "hashes": {}}
            for name in ("six.tar.gz", "six-1.0.tar.gz", "six-what.exe")
        ]

        page = page_of(files=files)

        assert [file.filename for file in page.files] == ["six.tar.gz", "six-1.0.tar.gz", "six-what.exe"]
        assert page.versions == ("1.0",)

    def test_versions_are_completed_deduplicated_and_valid(self) -> None:
        files: list[dict[str, Any]] = [{"filename": "six-2.0.tar.gz", "url": "u", "hashes": {}}]

        page = page_of(versions=["1.0", "1", "not a version", None, "3.0.0"], files=files)

        assert page.versions == ("1.0", "3.0.0", "2.0")

    def test_repeated_filename_is_listed_once(self) -> None:
        page = page_of(files=[{"filename": "six-1.0.zip", "url": url, "hashes": {}} for url in ("a", "b")])

        assert [file.url for file in page.files] == [f"{URL}a"]

    @pytest.mark.parametrize(
        ("value", "serial"), [(5, 5), ("5", 5), (None, None), ("x", None), (-1, None), (True, None)]
    )
    def test_serial_is_an_int_or_digits(self, value: Any, serial: int | None) -> None:
        assert parse_serial(value) == serial
        assert page_of(meta={"_last-serial": value}).last_serial == serial

    def test_serial_comes_from_the_header_when_the_page_has_none(self) -> None:
        body = json.dumps({"files": []}).encode()

        page = parse_page(body, content_type=JSON_TYPE, url=URL, project="six", header_serial="12")

        assert page.last_serial == 12

    @pytest.mark.parametrize(
        ("value", "yanked"),
        [(None, False), (False, False), (True, True), ("", True), (" ", True), ("why", "why")],
    )
    def test_yanked_is_a_bool_or_a_reason(self, value: Any, yanked: bool | str) -> None:
        assert parse_yanked(value) == yanked

    @pytest.mark.parametrize(
        ("value", "time"),
        [
            ("2024-01-02T03:04:05.678901Z", "2024-01-02T03:04:05.678901Z"),
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05.000000Z"),
            ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05.000000Z"),
            ("2024-01-02T03:04:05", None),
            ("0001-01-01T00:00:00+23:00", None),
            ("yesterday", None),
            (5, None),
        ],
    )
    def test_upload_time_is_utc_with_microseconds(self, value: Any, time: str | None) -> None:
        assert parse_upload_time(value) == time

    def test_status_is_carried_and_quarantine_hides_files(self) -> None:
        files = [{"filename": "six-1.0.zip", "url": "a", "hashes": {}}]

        archived = page_of(files=files, **{"project-status": {"status": "archived", "reason": "done"}})
        quarantined = page_of(files=files, **{"project-status": {"status": "quarantined"}})

        assert archived.status == {"status": "archived", "reason": "done"}
        assert len(archived.files) == 1
        assert (quarantined.status, quarantined.files) == ({"status": "quarantined"}, ())

    def test_unknown_status_is_left_out(self) -> None:
        assert page_of(**{"project-status": {"status": "haunted"}}).status is None

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b'{"files": 5}', b'{"meta": {"api-version": "2.0"}, "files": []}'],
        ids=["empty", "cut", "list", "no-files", "next-major"],
    )  # fmt: skip
    def test_body_that_is_no_page_is_refused(self, body: bytes) -> None:
        with pytest.raises(UpstreamDown):
            parse_page(body, content_type=JSON_TYPE, url=URL, project="six")

    def test_foreign_media_type_is_refused(self) -> None:
        with pytest.raises(UpstreamDown):
            parse_page(b"\x89PNG", content_type="image/png", url=URL, project="six")


class TestHtml:
    def test_attributes_are_read(self) -> None:
        page = html_page(
            f'<a href="../f/six-1.0-py3-none-any.whl#sha256={SHA}" data-requires-python="&gt;=3.8" data-yanked="bad"'
            f' data-dist-info-metadata="sha256={SHA}" data-provenance="https://index.test/p">six-1.0-py3-none-any.whl</a>'
        )

        assert page.files == (
            MirrorFile(
                filename="six-1.0-py3-none-any.whl",
                url="https://index.test/simple/f/six-1.0-py3-none-any.whl",
                hashes={"sha256": SHA},
                requires_python=">=3.8",
                yanked="bad",
                core_metadata={"sha256": SHA},
                provenance="https://index.test/p",
                version="1.0",
            ),
        )
        assert page.versions == ("1.0",)

    def test_base_decides_where_links_lead(self) -> None:
        page = html_page('<base href="https://cdn.test/x/"><a href="six-1.0.zip">six-1.0.zip</a>')

        assert page.files[0].url == "https://cdn.test/x/six-1.0.zip"

    @pytest.mark.parametrize("attribute", ["data-yanked", 'data-yanked=""'])
    def test_bare_yanked_attribute_means_yanked(self, attribute: str) -> None:
        assert html_page(f'<a href="six-1.0.zip" {attribute}>six-1.0.zip</a>').files[0].yanked is True

    def test_sha1_fragment_is_kept_as_a_digest(self) -> None:
        page = html_page(f'<a href="six-1.0.zip#sha1={"ab" * 20}">six-1.0.zip</a>')

        assert page.files[0].hashes == {"sha1": "ab" * 20}

    def test_links_that_are_no_archives_are_left_out(self) -> None:
        page = html_page(
            '<a href="../">Parent</a><a href="/login">Log in</a><a href="six-1.0.egg">six-1.0.egg</a>'
        )

        assert [file.filename for file in page.files] == ["six-1.0.egg"]

    def test_status_comes_from_meta_and_unknown_ones_do_no_harm(self) -> None:
        meta = '<meta name="pypi:project-status" content="{}">'

        assert html_page(meta.format("deprecated")).status == {"status": "deprecated"}
        assert html_page(meta.format("haunted")).status is None

    def test_next_major_version_is_refused(self) -> None:
        with pytest.raises(UpstreamDown):
            html_page('<meta name="pypi:repository-version" content="2.0">')

    def test_json_and_html_of_one_file_agree_where_html_can_say_it(self) -> None:
        html = html_page(f'<a href="six-1.0.zip#sha256={SHA}">six-1.0.zip</a>')
        json_page = page_of(
            files=[{"filename": "six-1.0.zip", "url": "six-1.0.zip", "hashes": {"sha256": SHA}}]
        )

        assert html.digest == json_page.digest


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("six-1.0-py3-none-any.whl", "1.0"),
        ("six-1.0.0-1-py3-none-any.whl", "1.0.0"),
        ("six-1.0-beta.tar.gz", "1.0b0"),
        ("six-1.0.tar.bz2", "1.0"),
        ("six-1.0-py2.7.egg", "1.0"),
        ("six-1.0.win32-py2.7.exe", "1.0"),
        ("other-1.0.tar.gz", None),
        ("six.tar.gz", None),
        ("six-1.0.whl", None),
        ("README", None),
    ],
)
def test_version_is_read_from_the_filename(filename: str, version: str | None) -> None:
    assert version_of(filename, "six") == version
