from __future__ import annotations

from node.mirror.memory import PageMemory
from node.mirror.page import MirrorFile, MirrorPage, make_page

KEY = (b"source", "six")


def page_of(project: str, files: int = 1) -> MirrorPage:
    listed = tuple(
        MirrorFile(f"{project}-{number}.zip", "https://files.test/x", {}) for number in range(files)
    )
    return make_page(project=project, files=listed, versions=())


def test_answer_is_fresh_until_its_time() -> None:
    memory = PageMemory()
    memory.put(KEY, page_of("six"), now=10, until=20)

    assert memory.fresh(KEY, 19.9) is not None
    assert memory.fresh(KEY, 20) is None


def test_answer_is_not_fresh_when_the_clock_was_set_back() -> None:
    memory = PageMemory()
    memory.put(KEY, page_of("six"), now=10, until=20)

    assert memory.fresh(KEY, 9.9) is None


def test_least_recently_used_page_leaves_and_its_digest_stays() -> None:
    memory = PageMemory(bytes_budget=200_000)
    pages = {name: page_of(name, files=70) for name in ("a", "b", "c")}
    for name in ("a", "b"):
        memory.put((b"", name), pages[name], now=0, until=9)
    memory.fresh((b"", "a"), 1)

    memory.put((b"", "c"), pages["c"], now=0, until=9)

    known = {name: memory.fresh((b"", name), 1) for name in pages}
    assert [name for name, entry in known.items() if entry and entry.page] == ["a", "c"]
    assert known["b"] is not None
    assert known["b"].digest == pages["b"].digest
    assert memory.held_bytes <= 200_000


def test_number_of_answers_is_bounded() -> None:
    memory = PageMemory(entries_max=3)

    for number in range(10):
        memory.put((b"", str(number)), None, now=0, until=9)

    assert [number for number in range(10) if memory.fresh((b"", str(number)), 1)] == [7, 8, 9]


def test_dropping_a_source_forgets_only_its_answers() -> None:
    memory = PageMemory()
    memory.put((b"a", "six"), page_of("six"), now=0, until=9)
    memory.put((b"b", "six"), None, now=0, until=9)

    memory.drop_source(b"a")

    assert memory.fresh((b"a", "six"), 1) is None
    assert memory.fresh((b"b", "six"), 1) is not None
    assert memory.held_bytes == 0
