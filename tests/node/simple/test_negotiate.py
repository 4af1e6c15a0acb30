import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.simple.negotiate import Encoding, Format, choose_encoding, choose_format, format_named

J, V, H = (form.value for form in (Format.JSON, Format.HTML_V1, Format.HTML))


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(f"{J}, {H}", Format.JSON, id="named-at-one-weight-json-first"),
        pytest.param(f"{H}, {V}", Format.HTML_V1, id="named-at-one-weight-v1-before-html"),
        pytest.param(f"{J}, */*", Format.JSON, id="named-before-covered"),
        pytest.param("application/*", Format.HTML_V1, id="application-alone"),
        pytest.param("text/*", Format.HTML, id="text-alone"),
        pytest.param(f"{H};q=0.1, application/*;q=0.5", Format.HTML_V1, id="wildcard-weighs-more"),
        pytest.param(f"{H};q=0, */*", Format.HTML_V1, id="excluded-from-the-wildcard"),
        pytest.param(f"text/*;q=0.1, */*;q=0.9, {J};q=0.2", Format.HTML_V1, id="most-specific-range-counts"),
        pytest.param(f"{J};q=0, {V};q=0, {H};q=0", Format.HTML, id="nothing-left"),
        pytest.param(f"{J};q=nan, {H};q=0.1", Format.HTML, id="weight-that-is-no-number"),
        pytest.param(f"{J};q=7, {H};q=0.1", Format.HTML, id="weight-above-one"),
        pytest.param(f"{J} ; Q=0.5 ,, {H};q=0.4;x=y", Format.JSON, id="spaces-case-and-parameters"),
        pytest.param("application/json", Format.HTML, id="other-json"),
    ],
)
def test_form_is_chosen(accept: str, expected: Format) -> None:
    assert choose_format(accept) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Encoding.IDENTITY),
        ("gzip", Encoding.GZIP),
        ("x-gzip", Encoding.GZIP),
        ("*;q=0", Encoding.IDENTITY),
        ("gzip;q=0", Encoding.IDENTITY),
        ("identity, gzip", Encoding.GZIP),
        ("identity, gzip;q=0.5", Encoding.IDENTITY),
        ("br, zstd", Encoding.IDENTITY),
    ],
)
def test_encoding_is_chosen(accept: str, expected: Encoding) -> None:
    assert choose_encoding(accept) is expected


@given(st.text(max_size=80))
def test_any_header_gets_some_answer(accept: str) -> None:
    assert choose_format(accept) in Format
    assert choose_encoding(accept) in Encoding


@pytest.mark.parametrize("form", Format)
def test_format_is_found_by_its_name(form: Format) -> None:
    assert format_named(form.value.upper()) is form
    assert format_named("application/vnd.pypi.simple.v2+json") is None
