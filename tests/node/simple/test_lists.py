"""Writing lists in pieces gives what writing them as a whole would give."""

from __future__ import annotations

import gzip
import json
import random
import re

import pytest

from node.mirror import names as names_module
from node.mirror.names import NameList
from node.simple.lists import Part, ProjectList, compressed, write_list, write_names_json
from node.simple.negotiate import Format

Serials = dict[str, int | None]


def part(serials: Serials, *, is_foreign: bool = False) -> Part:
    return Part(NameList.of(sorted(serials.items())), is_foreign=is_foreign)


def as_json(listed: ProjectList) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(b"".join(write_list(listed, Format.JSON)))
    return loaded


def expected(parts: list[tuple[Serials, bool]], without: set[str]) -> list[dict[str, object]]:
    said: dict[str, int | None] = {}
    for serials, is_foreign in reversed(parts):
        kept = {name: 0 for name in serials if name not in without} if is_foreign else serials
        said.update(kept)
    return [
        {"name": name} if said[name] is None else {"name": name, "_last-serial": said[name]}
        for name in sorted(said)
    ]


@pytest.fixture(params=[20, 64, 32 << 10])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "PIECE_BYTES", request.param)


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("seed", range(4))
def test_merged_list_is_that_of_all_names_once(seed: int) -> None:
    """Hosted names and two mirrors of different sizes, overlapping; some names are closed for mirrors."""
    chance = random.Random(seed)
    pool = [f"{letter}{number}{tail}" for letter in "abz" for number in range(40) for tail in ("", "-x", "1")]

    def some(count: int) -> Serials:
        return {name: chance.choice([None, 1, 99_999]) for name in chance.sample(pool, count)}

    parts = [(some(20), False), (some(250), True), (some(seed * 30), True)]
    without = set(chance.sample(pool, 30))
    listed = ProjectList(
        tuple(part(serials, is_foreign=is_foreign) for serials, is_foreign in parts),
        7,
        frozenset(name.encode() for name in without),
    )

    page = as_json(listed)

    assert page == {
        "meta": {"api-version": "1.4", "_last-serial": 7},
        "projects": expected(parts, without),
    }


@pytest.mark.usefixtures("_pieces")
def test_every_form_has_every_name() -> None:
    names = [f"name-{number:03}" for number in range(200)]
    listed = ProjectList((part(dict.fromkeys(names, 3)),), None)

    as_html = b"".join(write_list(listed, Format.HTML, folder="a%5Cb/+simple/")).decode()
    devpi = b"".join(write_names_json(listed, {"result": {"type": "mirror"}, "type": "indexconfig"}))

    assert re.findall(r'<a href="a%5Cb/\+simple/([^"]+)/">\1</a><br>\n', as_html) == names
    assert as_html.startswith("<!DOCTYPE html>")
    assert as_html.endswith("</body>\n</html>\n")
    whole = {"result": {"type": "mirror", "projects": names}, "type": "indexconfig"}
    assert devpi.decode() == json.dumps(whole, indent=2) + "\n"


def test_empty_list_is_valid_in_both_forms() -> None:
    listed = ProjectList((part({}), part({}, is_foreign=True)), None)

    assert as_json(listed) == {"meta": {"api-version": "1.4"}, "projects": []}
    assert "<a " not in b"".join(write_list(listed, Format.HTML)).decode()


def test_compressed_pieces_are_the_same_bytes_each_time() -> None:
    pieces = [bytes([number]) * 1_000 for number in range(50)]

    twice = [b"".join(compressed(pieces)) for _ in range(2)]

    assert twice[0] == twice[1]
    assert gzip.decompress(twice[0]) == b"".join(pieces)


def test_digest_differs_when_anything_said_differs() -> None:
    one, other = part({"a": 1}), part({"a": 2})
    lists = [
        ProjectList((one,), 7),
        ProjectList((other,), 7),
        ProjectList((Part(one.names, is_foreign=True),), 7),
        ProjectList((one, other), 7),
        ProjectList((other, one), 7),
        ProjectList((one,), 8),
        ProjectList((one,), None),
        ProjectList((one,), 7, frozenset({b"b"})),
    ]

    assert len({listed.digest() for listed in lists}) == len(lists)
    assert lists[0].digest() == ProjectList((part({"a": 1}),), 7).digest()
