"""From the name of a file back to the projects whose page may list it."""

import re
from collections.abc import Iterator

from packaging.utils import canonicalize_name

CANDIDATES_MAX = 8  # each may cost a request to upstream

_EXTENSION = re.compile(r"\.(whl|tar\.(gz|bz2|xz|Z)|tgz|tar|zip|egg|exe|msi|rpm|deb|dmg)$")


def candidate_projects(filename: str) -> list[str]:
    """Return the normalized project names a file of this name may belong to, the likeliest first."""
    match = _EXTENSION.search(filename)
    if match is None:
        return []
    stem = filename[: match.start()]
    # A wheel's first component is its whole name: dashes in it are escaped.
    raw = [stem.partition("-")[0]] if match[1] == "whl" else list(_prefixes(stem))
    names = dict.fromkeys(canonicalize_name(name) for name in raw)
    return [str(name) for name in names if name][:CANDIDATES_MAX]


def _prefixes(stem: str) -> Iterator[str]:
    """Yield what stands before each dash: first where the version begins with a digit, then the longest first."""
    dashes = [index for index, character in enumerate(stem) if character == "-"]
    likely = [index for index in dashes if stem[index + 1 : index + 2].isdigit()]
    yield from (stem[:index] for index in likely[::-1])
    yield from (stem[:index] for index in dashes[::-1])
