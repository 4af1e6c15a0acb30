from __future__ import annotations

import json
from typing import Any

import pytest

from node.mirror import listing as module
from node.mirror.errors import UpstreamDown
from node.mirror.listing import Listing
from tests.helpers.upstream import JSON_TYPE

URL = "http://upstream.example/simple/"


@pytest.fixture(params=["whole", "sliced"])
def _slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read every list as a small one is read, and as a large one is."""
    if request.param == "sliced":
        monkeypatch.setattr(module, "WHOLE_BYTES_MAX", 0)
        monkeypatch.setattr(module, "SLICE_BYTES", 30)
        monkeypatch.setattr(module, "SLICE_BYTES_MAX", 2_000)


def read(body: bytes | str, kind: str = JSON_TYPE, serial: int | None = None) -> tuple[list[Any], int | None]:
    listing = Listing(body.encode() if isinstance(body, str) else body, kind, URL, serial)
    entries = list(listing.entries())
    return entries, listing.last_serial


PROJECTS: list[Any] = [
    {"name": "Foo.Bar", "_last-serial": 5},
    {"name": "text-serial", "_last-serial": "77"},
    {"name": "none"},
    {"name": "null", "_last-serial": None},
    {"name": "brackets", "note": 'a },{ b ]} c \\" d'},
    {"name": "nested", "tags": [[{}, {}], {"a": [1, 2]}], "more": [{"x": 1}, {"x": 2}]},
    *({"name": f"lists-{number}", "of": [{"x": [{}]}]} for number in range(20)),
    {"name": "a/b"}, {"name": ""}, {"name": 3}, {"name": "ünicode"}, {"name": "x" * 300}, "text", None, {},
    *({"name": f"filler-{number}", "_last-serial": number} for number in range(40)),
]  # fmt: skip
EXPECTED = [
    ("foo-bar", 5), ("text-serial", 77), ("none", None), ("null", None), ("brackets", None), ("nested", None),
    *((f"lists-{number}", None) for number in range(20)),
    *((f"filler-{number}", number) for number in range(40)),
]  # fmt: skip
META = {"api-version": "1.9", "_last-serial": 36, "tracks": [{"x": 1}]}


@pytest.mark.usefixtures("_slices")
class TestJson:
    @pytest.mark.parametrize("indent", [None, 2])
    @pytest.mark.parametrize("order", [("meta", "projects"), ("projects", "meta")])
    def test_names_and_serials_are_read_whatever_the_layout(
        self, order: tuple[str, str], indent: int | None
    ) -> None:
        page = {"meta": META, "projects": PROJECTS}

        entries, last_serial = read(json.dumps({key: page[key] for key in order}, indent=indent))

        assert (entries, last_serial) == (EXPECTED, 36)

    def test_serial_of_the_header_stands_in(self) -> None:
        assert read(json.dumps({"projects": [{"name": "a"}]}), serial=4) == ([("a", None)], 4)

    @pytest.mark.parametrize("space", ["", " \n"])
    def test_empty_list_is_a_list(self, space: str) -> None:
        assert read(f'{{"meta":{json.dumps(META)},"projects":[{space}]}}') == ([], 36)

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "[]",
            "nonsense",
            '{"projects": 3}',
            '{"files": []}',
            '{"projects": [{"name": "a"}',
            '{"projects": [{"name": "a"}]',
            '{"projects": [{"name": "a"}] "meta": 1}',
            '{"projects": [{"name": "a"},, {"name": "b"}]}',
            '{"other": {"projects": [{"name": "a"}]}}',
            '{"meta": {"api-version": "2.0"}, "projects": [{"name": "a"}]}',
        ],
    )
    def test_body_that_is_no_list_is_refused(self, body: str) -> None:
        with pytest.raises(UpstreamDown):
            read(body)

    def test_list_cut_anywhere_is_refused(self) -> None:
        body = json.dumps({"meta": META, "projects": PROJECTS[:6]})

        for end in range(len(body)):
            with pytest.raises(UpstreamDown):
                read(body[:end])


def test_entry_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostile list must not be read over and over in ever larger parts."""
    monkeypatch.setattr(module, "WHOLE_BYTES_MAX", 0)
    monkeypatch.setattr(module, "SLICE_BYTES", 30)
    monkeypatch.setattr(module, "SLICE_BYTES_MAX", 2_000)
    attempts: list[int] = []
    loaded = module._loaded

    def counted(part: bytes) -> list[Any] | None:
        attempts.append(len(part))
        return loaded(part)

    monkeypatch.setattr(module, "_loaded", counted)

    with pytest.raises(UpstreamDown):
        read('{"projects": [{"name": "a", "more": [' + '{"x": 1},' * 5_000 + "]}]}")

    assert len(attempts) < 40
    assert max(attempts) < 5_000


class TestHtml:
    def test_names_are_the_texts_of_links(self) -> None:
        body = """<!DOCTYPE html><HTML><head><meta name="pypi:repository-version" content="1.3"></head>
            <a href="/simple/foo/">Foo_Bar</a><br><A HREF='bar/'>
            bar </A> <a class="x" href=baz/ data-x="1">baz</a><a name="anchor">anchor</a>
            <a href="../odd%2Dname/">an odd text</a><a href="../">..</a><a href="/simple/empty/"></a>
            <a href="q/">q &amp; a</a>"""

        entries, last_serial = read(body, "text/html; charset=utf-8", serial=8)

        assert [name for name, _ in entries] == ["foo-bar", "bar", "baz", "odd-name", "empty", "q"]
        assert {serial for _, serial in entries} == {None}
        assert last_serial == 8

    def test_names_are_found_wherever_a_part_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        body = "".join(f'<a href="n{number}/">n{number}</a>\n' + " " * number for number in range(120))
        expected = [(f"n{number}", None) for number in range(120)]

        for size_bytes in (1, 7, 50, 1_000):
            monkeypatch.setattr(module, "SLICE_BYTES", size_bytes)
            assert read(body, "text/html")[0] == expected

    def test_next_major_version_is_refused(self) -> None:
        with pytest.raises(UpstreamDown, match="Simple API 2"):
            read('<meta name="pypi:repository-version" content="2.0"><a href="a/">a</a>', "text/html")

    def test_foreign_type_is_refused(self) -> None:
        with pytest.raises(UpstreamDown, match="application/xml"):
            read('<a href="a/">a</a>', "application/xml")

    def test_noise_is_an_empty_list(self) -> None:
        assert read(bytes(range(256)) * 2_000, "text/html") == ([], None)
