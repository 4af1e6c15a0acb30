import pytest

from tests.helpers.waiting import eventually


async def test_eventually_returns_when_the_condition_becomes_true() -> None:
    answers = iter([False, False, True])

    await eventually(lambda: next(answers), what="three questions")

    assert list(answers) == []


async def test_eventually_fails_with_the_last_seen_state() -> None:
    looks: list[int] = []

    with pytest.raises(AssertionError, match=r"not within 0\.02 s: looked [1-9]\d* times"):
        await eventually(
            lambda: looks.append(1),
            what=lambda: f"looked {len(looks)} times",
            within_seconds=0.02,
        )


async def test_eventually_accepts_a_fixed_description() -> None:
    with pytest.raises(AssertionError, match="pigs fly"):
        await eventually(lambda: False, what="pigs fly", within_seconds=0.0)
