from __future__ import annotations

import pytest

from replication import errors
from replication.errors import FINAL_REASONS, HandshakeRefused, ProofRefused, ReplicationError


def test_tree_in_the_docstring_names_every_error() -> None:
    assert errors.__doc__ is not None
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, ReplicationError):
            assert name in errors.__doc__.split(), name


@pytest.mark.parametrize("reason", ["missing", "malformed", "wrong-secret", "clock", "replayed", "busy"])
def test_every_refused_proof_says_what_to_look_at(reason: str) -> None:
    error = ProofRefused(reason)

    assert error.detail != ProofRefused("unheard-of").detail
    assert error.is_final == (reason in {"missing", "malformed", "wrong-secret"})


def test_refusals_that_pass_are_not_final() -> None:
    assert not HandshakeRefused("replica-ahead", "").is_final
    assert not HandshakeRefused("stale-primary", "").is_final
    assert HandshakeRefused("foreign-cluster", "").is_final
    assert frozenset({"foreign-cluster", "protocol", "missing", "malformed", "wrong-secret"}) == FINAL_REASONS
