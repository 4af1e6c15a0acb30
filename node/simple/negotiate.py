"""Content negotiation for the Simple API (PEP 691; RFC 9110 section 12.5)."""

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
    "application/vnd.pypi.simple.latest+json": Format.JSON,
    "application/vnd.pypi.simple.latest+html": Format.HTML_V1,
    **{form.value: form for form in Format},
}
_HEADERS_REMEMBERED = 256


def _weighted(header: str) -> list[tuple[str, float]]:
    """Return the ranges of an Accept header with their weights; a broken weight counts as 0."""
    ranges = []
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if name:
            ranges.append((name, weight))
    return ranges


@lru_cache(maxsize=_HEADERS_REMEMBERED)
def choose_format(accept: str) -> Format:
    """Choose the form of a page.

    The highest weight wins; among types that were named at one weight JSON comes first, then
    v1 HTML; wildcards alone mean HTML, because old scrapers send ``*/*``; and where nothing
    fits the answer is HTML, as on PyPI.
    """
    weights: dict[Format, float] = {}
    wildcard: dict[str, float] = {}
    for name, weight in _weighted(accept):
        form = _ALIASES.get(name)
        if form is not None:
            weights[form] = max(weights.get(form, 0.0), weight)
        elif name.endswith("/*"):
            wildcard[name] = weight
    best = max(weights.values(), default=0.0)
    anything = max((w for name, w in wildcard.items() if name in {"*/*", "text/*"}), default=0.0)
    if anything > best and weights.get(Format.HTML, 1.0) > 0:
        return Format.HTML
    named = [form for form in Format if best > 0 and weights.get(form) == best]
    if named:
        return named[0]
    return Format.HTML_V1 if wildcard.get("application/*", 0.0) > anything else Format.HTML


@lru_cache(maxsize=_HEADERS_REMEMBERED)
def choose_encoding(accept_encoding: str) -> Encoding:
    """Choose gzip when the client names it, or anything, with a weight above 0."""
    weights = dict(_weighted(accept_encoding))
    return Encoding.GZIP if weights.get("gzip", weights.get("*", 0.0)) > 0 else Encoding.IDENTITY
