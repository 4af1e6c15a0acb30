"""Content negotiation for the Simple API (PEP 691; RFC 9110 section 12.5)."""

import re
from enum import Enum
from functools import lru_cache


class Format(Enum):
    """The three forms of a page; the value is the Content-Type."""

    JSON = "application/vnd.pypi.simple.v1+json"
    HTML_V1 = "application/vnd.pypi.simple.v1+html"
    HTML = "text/html"

    @property
    def content_type(self) -> str:
        """The header's value. The vendor types carry no parameters: clients compare with ``==``."""
        return "text/html; charset=utf-8" if self is Format.HTML else self.value


class Encoding(Enum):
    """The encodings a page is kept in; the value is the Content-Encoding."""

    IDENTITY = "identity"
    GZIP = "gzip"


_ALIASES = {
    "application/vnd.pypi.simple.latest+json": Format.JSON.value,
    "application/vnd.pypi.simple.latest+html": Format.HTML_V1.value,
}
_WILDCARDS = {
    Format.JSON: ("application/*", "*/*"),
    Format.HTML_V1: ("application/*", "*/*"),
    Format.HTML: ("text/*", "*/*"),
}
"""Ranges that cover a form without naming it, the most specific first."""
_PREFERENCE_WHEN_NAMED = (Format.HTML, Format.HTML_V1, Format.JSON)
_PREFERENCE_WHEN_COVERED = (Format.JSON, Format.HTML_V1, Format.HTML)
_HEADERS_REMEMBERED = 256
_WEIGHT = re.compile(r"q\s*=\s*(0(?:\.[0-9]*)?|1(?:\.0*)?|\.[0-9]+)")


def _weights(header: str) -> dict[str, float]:
    """Return the ranges of an Accept header with their weights; a broken weight counts as 0."""
    weights: dict[str, float] = {}
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q"):
                match = _WEIGHT.fullmatch(parameter)
                weight = float(match[1]) if match else 0.0
        if name:
            name = _ALIASES.get(name, name)
            weights[name] = max(weight, weights.get(name, 0.0))
    return weights


def format_named(media_type: str) -> Format | None:
    """Return the form that a media type names, also as ``latest``; None when it names none."""
    wanted = media_type.strip().lower()
    wanted = _ALIASES.get(wanted, wanted)
    return next((form for form in Format if form.value == wanted), None)


@lru_cache(maxsize=_HEADERS_REMEMBERED)
def choose_format(accept: str) -> Format:
    """Choose the form of a page.

    The highest weight wins, each form's taken from the most specific range that covers it. At one
    weight, what is named comes before what a wildcard covers; of the named, JSON comes first, then
    v1 HTML; wildcards alone mean HTML, because old scrapers send ``*/*``; and where nothing fits
    the answer is HTML, as on PyPI.
    """
    weights = _weights(accept)
    best = (0.0, False, 0)
    chosen = Format.HTML
    for form, wildcards in _WILDCARDS.items():
        is_named = form.value in weights
        preference = _PREFERENCE_WHEN_NAMED if is_named else _PREFERENCE_WHEN_COVERED
        covering = next((name for name in (form.value, *wildcards) if name in weights), None)
        weight = 0.0 if covering is None else weights[covering]
        rank = (weight, is_named, preference.index(form))
        if weight > 0 and rank > best:
            best, chosen = rank, form
    return chosen


@lru_cache(maxsize=_HEADERS_REMEMBERED)
def choose_encoding(accept_encoding: str) -> Encoding:
    """Choose gzip when the client takes it, and does not prefer the plain form."""
    weights = _weights(accept_encoding)
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return Encoding.GZIP if gzip > 0 and gzip >= weights.get("identity", 0.0) else Encoding.IDENTITY
