"""What is searched for, and how well a project fits (``search(spec, operator)`` of PyPI's XML-RPC).

A field of the spec, ``name`` or ``summary``, has one word or a list of them, of which any may be
found; the operator joins the fields, ``and`` unless something else is said. A word is found
wherever it is a part of the field, in capitals or not, and names are compared as PEP 503 spells
them. devpi-web allows one word per field; here everything that ``pip search`` sends is understood.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from packaging.utils import canonicalize_name

from node.errors import ArgumentsRefused

WORDS_MAX = 64
"""Words of one query: each costs a look at every project."""
_FIELDS = frozenset({"name", "summary"})
_OPERATORS = frozenset({"and", "or"})


class Fit(IntEnum):
    """How well a project fits, the best first."""

    IS_NAME = 0
    BEGINS_NAME = 1
    IN_NAME = 2
    IN_SUMMARY = 3


@dataclass(frozen=True, slots=True)
class Query:
    """The words that are searched for."""

    names: tuple[str, ...]  # as PEP 503 spells names
    summaries: tuple[str, ...]  # casefolded, one space between words
    needs_both: bool  # a name and a summary must be found

    def fit(self, project: str, summary: str) -> Fit | None:
        """Say how well a project fits, None when it does not.

        Args:
            project: its normalised name.
            summary: one line.

        """
        found = [fit for word in self.names if (fit := _fit_of_name(word, project)) is not None]
        if found and not self.needs_both:
            return min(found)
        folded = summary.casefold()
        is_in_summary = any(word in folded for word in self.summaries)
        if self.needs_both:
            return min(found) if found and is_in_summary else None
        return Fit.IN_SUMMARY if is_in_summary else None


def parse_query(arguments: Sequence[object]) -> Query:
    """Return the query that the arguments of ``search`` describe.

    Raises:
        ArgumentsRefused: they are something else, or nothing is searched for.

    """
    if len(arguments) not in {1, 2}:
        raise ArgumentsRefused("search takes a struct of fields and an operator")
    spec, operator = arguments[0], arguments[1] if len(arguments) == 2 else "and"
    if not isinstance(operator, str) or operator.lower() not in _OPERATORS:
        raise ArgumentsRefused("the operator of a search must be 'and' or 'or'")
    if not isinstance(spec, dict):
        raise ArgumentsRefused("the fields of a search must be a struct")
    if not _FIELDS.issuperset(spec):
        raise ArgumentsRefused("only 'name' and 'summary' can be searched")
    names = _distinct(canonicalize_name(word) for word in _words(spec, "name"))
    summaries = _distinct(word.casefold() for word in _words(spec, "summary"))
    if not names and not summaries:
        raise ArgumentsRefused("a search needs at least one word")
    if len(names) + len(summaries) > WORDS_MAX:
        raise ArgumentsRefused(f"a search has at most {WORDS_MAX} words")
    return Query(names, summaries, needs_both=operator.lower() == "and" and bool(names and summaries))


def _words(spec: dict[object, object], field: str) -> list[str]:
    """Return the words of a field without those that are blank."""
    given = spec.get(field, [])
    words = given if isinstance(given, list) else [given]
    texts = [" ".join(word.split()) for word in words if isinstance(word, str)]
    if len(texts) != len(words):
        raise ArgumentsRefused(f"{field!r} must be a string or an array of strings")
    return [text for text in texts if text]


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _fit_of_name(word: str, project: str) -> Fit | None:
    if word not in project:
        return None
    if word == project:
        return Fit.IS_NAME
    return Fit.BEGINS_NAME if project.startswith(word) else Fit.IN_NAME
