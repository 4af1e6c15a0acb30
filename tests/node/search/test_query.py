"""What a call asks for, and how well a project fits it."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import ArgumentsRefused
from node.search.newest import newest_version, one_line
from node.search.query import WORDS_MAX, Fit, parse_query

SUMMARY = "Reads Tables from PDF files"


@pytest.mark.parametrize(
    ("words", "fit"),
    [
        pytest.param(["my-tables"], Fit.IS_NAME, id="name"),
        pytest.param(["My_Tables"], Fit.IS_NAME, id="another-spelling"),
        pytest.param(["my."], Fit.BEGINS_NAME, id="beginning"),
        pytest.param(["TABLE"], Fit.IN_NAME, id="part"),
        pytest.param(["pdf"], Fit.IN_SUMMARY, id="summary"),
        pytest.param(["PDF FILES"], Fit.IN_SUMMARY, id="summary-in-capitals"),
        pytest.param(["from  pdf"], Fit.IN_SUMMARY, id="words-in-a-row"),
        pytest.param(["nowhere", "pdf", "ables"], Fit.IN_NAME, id="best-of-several"),
        pytest.param(["nowhere"], None, id="nothing"),
    ],
)
def test_pip_search_finds_names_and_summaries(words: list[str], fit: Fit | None) -> None:
    query = parse_query([{"name": words, "summary": words}, "or"])

    assert query.fit("my-tables", SUMMARY) is fit


@pytest.mark.parametrize(
    ("spec", "fit"),
    [
        pytest.param({"name": "tables", "summary": "pdf"}, Fit.IN_NAME, id="both"),
        pytest.param({"name": "tables", "summary": "excel"}, None, id="name-only"),
        pytest.param({"name": "excel", "summary": "pdf"}, None, id="summary-only"),
        pytest.param({"name": ["excel", "tables"], "summary": ["x", "pdf"]}, Fit.IN_NAME, id="any-of-each"),
        pytest.param({"name": "tables"}, Fit.IN_NAME, id="one-field"),
        pytest.param({"name": "tables", "summary": []}, Fit.IN_NAME, id="empty-field"),
        pytest.param({"name": " ", "summary": "pdf"}, Fit.IN_SUMMARY, id="blank-field"),
    ],
)
@pytest.mark.parametrize("operator", [["and"], ["AND"], []], ids=["and", "capitals", "left-out"])
def test_and_needs_every_field_that_has_words(
    spec: dict[str, Any], fit: Fit | None, operator: list[str]
) -> None:
    assert parse_query([spec, *operator]).fit("my-tables", SUMMARY) is fit


@pytest.mark.parametrize("word", ["é", "√", "a b"])
def test_what_no_name_contains_finds_no_name(word: str) -> None:
    assert parse_query([{"name": word}]).fit("a-b", SUMMARY) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "search takes a struct of fields and an operator"),
        ([{}, "or", 1], "search takes a struct of fields and an operator"),
        (["thing"], "the fields of a search must be a struct"),
        ([{"name": "x"}, "xor"], "the operator of a search must be 'and' or 'or'"),
        ([{"name": "x"}, 7], "the operator of a search must be 'and' or 'or'"),
        ([{"name": "x", "author": "y"}], "only 'name' and 'summary' can be searched"),
        ([{"name": 7}], "'name' must be a string or an array of strings"),
        ([{"summary": ["x", ["y"]]}], "'summary' must be a string or an array of strings"),
        ([{}], "a search needs at least one word"),
        ([{"name": [""], "summary": " "}], "a search needs at least one word"),
        (
            [{"name": [str(n) for n in range(WORDS_MAX + 1)]}],
            f"a search has at most {WORDS_MAX} words",
        ),
    ],
)
def test_other_arguments_are_refused_with_a_sentence(arguments: list[Any], message: str) -> None:
    with pytest.raises(ArgumentsRefused) as refused:
        parse_query(arguments)

    assert refused.value.message == message


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (["1.9", "1.10", "1.2"], "1.10"),
        (["2.0rc1", "1.0"], "2.0rc1"),
        (["1.0", "1.0.post1", "1.0.dev1"], "1.0.post1"),
        (["nonsense", "0.1"], "0.1"),
        (["nonsense"], None),
        ([], None),
    ],
)
def test_newest_version_is_the_highest_that_pep_440_knows(versions: list[str], newest: str | None) -> None:
    assert newest_version(versions) == newest


def test_summary_is_one_line_without_control_characters() -> None:
    assert one_line(" two\r\n lines\x00and \x1b[31mred\x9b0m\t") == "two lines and [31mred 0m"
