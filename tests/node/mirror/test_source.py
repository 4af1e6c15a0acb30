from __future__ import annotations

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from node.mirror.errors import UpstreamUrlRefused
from node.mirror.source import MirrorSource


def test_credentials_leave_the_url() -> None:
    source = MirrorSource(index_id=1, generation=1, url="https://me:s%40cret@index.test/simple")

    assert source.url == "https://index.test/simple/"
    assert source.credentials is not None
    assert (source.credentials.username, source.credentials.password) == ("me", "s@cret")


def test_repr_shows_no_credentials() -> None:
    source = MirrorSource(index_id=1, generation=1, url="https://me:secret@index.test/simple")

    assert "secret" not in repr(source)
    assert "secret" not in source.label


@pytest.mark.parametrize(
    "url", ["ftp://index.test/", "https:///simple", "index.test", "http://[::1", "http://a.test/?x"]
)
def test_unusable_url_is_refused(url: str) -> None:
    with pytest.raises(UpstreamUrlRefused):
        MirrorSource(index_id=1, generation=1, url=url)


def test_refusal_does_not_repeat_the_password() -> None:
    with pytest.raises(UpstreamUrlRefused) as refused:
        MirrorSource(index_id=1, generation=1, url="ftp://me:secret@index.test/")

    assert "secret" not in str(refused.value)


def test_default_upstream_is_pypi() -> None:
    assert MirrorSource(index_id=1, generation=1).page_url("six") == f"{PYPI_SIMPLE_ENDPOINT}six/"


def test_source_without_url_is_offline() -> None:
    assert MirrorSource(index_id=1, generation=1, url="").is_offline


def test_another_generation_has_other_keys() -> None:
    first, second = (MirrorSource(index_id=1, generation=number) for number in (1, 2))

    assert first.prefix != second.prefix
    assert len(first.prefix) == 16
