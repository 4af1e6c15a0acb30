"""API tokens as text: what is one of ours, and what of it is stored."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.auth.api_tokens import make_api_token, parse_api_token

PARTS = (3, 12, 1, 43, 6)


def test_new_token_is_read_back_and_has_all_its_parts() -> None:
    token = make_api_token()

    assert parse_api_token(token.text) == token
    assert len(token.text) == sum(PARTS)
    assert token.text.startswith(f"wy_{token.token_id}_")
    assert token.text.isascii()
    assert ":" not in token.text


def test_no_two_tokens_share_id_or_secret() -> None:
    tokens = [make_api_token() for _ in range(200)]

    assert len({token.token_id for token in tokens}) == len({token.text[16:] for token in tokens}) == 200


def test_digest_is_that_of_the_whole_text_and_no_other_token_has_it() -> None:
    token, other = make_api_token(), make_api_token()

    assert token.sha256 == sha256(token.text.encode()).digest()
    assert token.has_digest(token.sha256)
    assert not other.has_digest(token.sha256)


def test_text_is_not_in_the_repr() -> None:
    token = make_api_token()

    assert token.text not in repr(token)
    assert token.token_id in repr(token)


@pytest.mark.parametrize("position", [0, 3, 14, 15, 16, 40, 58, 64])
def test_one_wrong_character_makes_it_none_of_ours(position: int) -> None:
    text = make_api_token().text
    wrong = "A" if text[position] != "A" else "B"

    assert parse_api_token(text[:position] + wrong + text[position + 1 :]) is None


@given(st.text(max_size=80))
def test_any_other_text_is_no_token(text: str) -> None:
    assert parse_api_token(text) is None
    assert parse_api_token("wy_" + text) is None
