from __future__ import annotations

import pytest

from node.mirror.links import CANDIDATES_MAX, candidate_projects


@pytest.mark.parametrize(
    ("filename", "projects"),
    [
        ("zope_interface-5.0-py3-none-any.whl", ["zope-interface"]),
        ("zope-interface-5.0.tar.gz", ["zope-interface", "zope"]),
        ("six-1.0-2.tar.gz", ["six-1-0", "six"]),
        ("py-3-utils-1.0.zip", ["py-3-utils", "py", "py-3"]),
        ("six-1.0-py2.7.egg", ["six", "six-1-0"]),
        ("six.zip", []),
        ("README", []),
        ("-1.0.zip", []),
    ],
)
def test_candidates_are_the_names_before_dashes(filename: str, projects: list[str]) -> None:
    assert candidate_projects(filename) == projects


def test_number_of_candidates_is_bounded() -> None:
    assert len(candidate_projects("a-" * 100 + "1.tar.gz")) == CANDIDATES_MAX
