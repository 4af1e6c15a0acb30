from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from node.catalog import keys
from node.catalog.names import (
    FILENAME_BYTES_MAX,
    OWNER_NAME_BYTES_MAX,
    PROJECT_NAME_CHARACTERS_MAX,
    check_filename,
    check_owner_name,
    check_release_name,
    normalize_project,
)
from node.errors import BadRequest
from storage.entry import KEY_BYTES_MAX

VALID = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)


@given(VALID)
def test_valid_names_are_normalised_as_pep_503_says(name: str) -> None:
    assert normalize_project(name) == canonicalize_name(name)


@given(st.text(max_size=30))
def test_normalising_twice_is_the_same_as_once(name: str) -> None:
    once = normalize_project(name)

    assert normalize_project(once) == once


@pytest.mark.parametrize("name", ["a", "a-b_c.d@e", "jürgen", "\x7f", "1"])
def test_owner_names_that_devpi_takes(name: str) -> None:
    check_owner_name("username", name)


@pytest.mark.parametrize(
    "name", ["", *(f"a{c}b" for c in " !\"#$%&'()*+,/:;<=>?[\\]^`{|}~\t\n\0"), "x" * 129]
)
def test_owner_names_that_are_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        check_owner_name("username", name)


@pytest.mark.parametrize(
    ("name", "version", "problem"),
    [
        ("", "1", 'Missing required field "name"'),
        ("a", "", 'Missing required field "version"'),
        ("a b", "1", "must contain only ASCII letters"),
        ("ä", "1", "must contain only ASCII letters"),
        ("a/b", "1", "must contain only ASCII letters"),
        ("a\n", "1", "must contain only ASCII letters"),
        (".a", "1", "must start with"),
        ("a_", "1", "must end with"),
        ("a", "1<", "URL safety"),
        ("a", "1/2", "not allowed"),
        ("a", "1\n", "not allowed"),
        ("a" * 129, "1", "longer than"),
    ],
)
def test_release_names_that_are_refused(name: str, version: str, problem: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_release_name(name, version)

    assert refused.value.message.startswith("invalid metadata: ")
    assert problem in refused.value.message


@pytest.mark.parametrize(
    ("name", "version", "filename"),
    [
        ("thing", "1.0", "thing-1.0.tar.gz"),
        ("thing", "1.0", "THING-1.0.ZIP"),
        ("Some.Thing", "1.0", "some_thing-1.0-py3-none-any.whl"),
        ("thing", "1.0+l", "thing-1.0_l.tar.gz"),
        ("thing", "1.0-1", "thing-1.0_1-py3-none-any.whl"),
    ],
)
def test_file_names_that_fit(name: str, version: str, filename: str) -> None:
    check_filename(name, version, filename)


@pytest.mark.parametrize(
    "filename",
    [
        "",
        "thing-2.0.tar.gz",
        "thing-1.0.txt",
        "other-1.0.tar.gz",
        "../thing-1.0.zip",
        "thing-1.0\n.zip",
        "x" * 300,
    ],
)
def test_file_names_that_are_refused(filename: str) -> None:
    with pytest.raises(BadRequest):
        check_filename("thing", "1.0", filename)


def test_longest_keys_fit_lmdb() -> None:
    project, filename = "p" * PROJECT_NAME_CHARACTERS_MAX, "f" * FILENAME_BYTES_MAX

    longest = keys.log_key(2**63, project, filename, serial=2**63, number=65535)

    assert len(longest) <= KEY_BYTES_MAX
    assert len(keys.user_name_key("u" * OWNER_NAME_BYTES_MAX)) <= KEY_BYTES_MAX
