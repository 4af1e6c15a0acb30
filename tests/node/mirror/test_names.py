from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from node.mirror import names as module
from node.mirror.names import (
    NameCursor,
    NameList,
    digest_of,
    is_older,
    is_project_name,
    name_of,
    write_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def written(entries: Iterable[tuple[str, int | None]], path: Path, last_serial: int | None = 9) -> NameList:
    lines_sha256 = write_names(entries, path)
    return NameList(digest=digest_of(lines_sha256, last_serial), last_serial=last_serial, path=path)


def text_of(names: NameList) -> str:
    return b"".join(names.pieces()).decode()


ENTRIES: list[tuple[str, int | None]] = [
    ("foo-bar", 3), ("foo", 12), ("foo1", None), ("a", 1), ("foo", 5), ("z", None), ("z", 7), ("0", 4),
]  # fmt: skip
SORTED = "0 4\na 1\nfoo 12\nfoo-bar 3\nfoo1!\nz 7\n"


@pytest.mark.parametrize("run_names", [1, 2, 3, 100])
def test_names_are_sorted_and_keep_their_highest_serial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_names: int
) -> None:
    """The same lines and digest however few are sorted at once."""
    monkeypatch.setattr(module, "RUN_NAMES", run_names)

    names = written(ENTRIES, tmp_path / "list")

    assert text_of(names) == SORTED
    assert names.is_sound()
    parsed = [(name, serial) for name, serial in sorted(dict(ENTRIES).items()) if name not in {"foo", "z"}]
    in_memory = NameList.of(sorted([*parsed, ("foo", 12), ("z", 7)]), last_serial=9)
    assert in_memory.digest == names.digest


def test_nothing_is_a_list_too(tmp_path: Path) -> None:
    names = written([], tmp_path / "list")

    assert (text_of(names), names.size_bytes, names.is_sound()) == ("", 0, True)
    assert NameCursor(names).fill() is None


def test_digest_tells_lists_of_other_serials_apart(tmp_path: Path) -> None:
    digests = {written(ENTRIES, tmp_path / "list", serial).digest for serial in (None, 0, 9)}

    assert len(digests) == 3


def test_changed_file_is_not_sound(tmp_path: Path) -> None:
    names = written(ENTRIES, tmp_path / "list")

    (tmp_path / "list").write_text(SORTED.replace("foo", "fop"))

    assert not names.is_sound()


def test_list_can_be_read_when_its_file_is_gone_until_nobody_wants_it(tmp_path: Path) -> None:
    names = written(ENTRIES, tmp_path / "list")

    (tmp_path / "list").unlink()

    assert text_of(names) == SORTED
    opened = names._descriptor
    assert opened is not None
    del names
    assert not Path(f"/proc/self/fd/{opened}").exists()


@pytest.mark.parametrize(
    ("serials", "older"), [((5, 9), True), ((9, 9), False), ((None, 9), False), ((5, None), False)]
)
def test_only_a_smaller_serial_is_older(serials: tuple[int | None, int | None], *, older: bool) -> None:
    new, known = (NameList.of([], last_serial=serial) for serial in serials)

    assert is_older(new, known) is older


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a", True), ("a-b", True), ("a" * 200, True), ("a" * 201, False), ("", False), ("-a", False), ("a-", False),
     ("a!", False), ("a b", False), ("ä", False), ("..", False), ("a\n", False)],
)  # fmt: skip
def test_project_name_has_no_mark_of_a_line(name: str, *, is_one: bool) -> None:
    assert is_project_name(name) is is_one


@pytest.mark.parametrize("seed", range(5))
def test_cursor_takes_each_line_once_up_to_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Take up to names that are there, between two, and before all; pieces end in the middle of lines."""
    monkeypatch.setattr(module, "PIECE_BYTES", 40)
    chance = random.Random(seed)
    letters = "ab-1"
    pool = {"x" + "".join(chance.choices(letters, k=chance.randrange(1, 6))) + "y" for _ in range(300)}
    names = written(((name, chance.choice([None, 3, 12345])) for name in pool), tmp_path / "list")
    cursor, seen = NameCursor(names), b""
    for _ in range(2_000):
        last = cursor.fill()
        if last is None:
            break
        bound = chance.choice([last, last[:-1], b"x", b"xa", last[: len(last) // 2] + b"y"])
        bound = min(bound, last)
        taken = cursor.take(bound)
        assert all(name_of(line) <= bound for line in taken.splitlines())
        seen += taken
        if not taken:
            seen += cursor.take(last)
    seen += cursor.take(None)

    assert seen.decode() == text_of(names)
