from __future__ import annotations

import pytest

from replication.errors import ProofRefused
from replication.trust import (
    HEADER_ANSWER,
    HEADER_NODE,
    HEADER_NONCE,
    HEADER_PROOF,
    HEADER_TIME,
    NONCES_MAX,
    WINDOW_SECONDS,
    Trust,
    derive_key,
    hkdf,
)


class FakeClock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def refused(trust: Trust, headers: dict[str, str], *, method: str = "GET", path: str = "/+stream") -> str:
    with pytest.raises(ProofRefused) as caught:
        trust.verify(method=method, path=path, headers=headers)
    return caught.value.reason


@pytest.mark.parametrize(
    ("secret", "salt", "info", "length", "expected"),
    [
        pytest.param(
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            id="rfc5869-case-1",
        ),
        pytest.param(
            b"\x0b" * 22,
            b"",
            b"",
            42,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            id="rfc5869-case-3",
        ),
    ],
)
def test_hkdf_agrees_with_rfc_5869(
    secret: bytes, salt: bytes, info: bytes, length: int, expected: str
) -> None:
    assert hkdf(secret, salt=salt, info=info, length_bytes=length).hex() == expected


def test_keys_of_different_purposes_differ() -> None:
    assert derive_key(b"secret", "one") != derive_key(b"secret", "two")
    assert len(derive_key(b"secret", "one")) == 32


def test_no_secret_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Trust([])


class TestVerify:
    def test_signed_request_is_accepted_and_names_its_node(self) -> None:
        headers = Trust([b"secret"]).sign(method="GET", path="/+stream", node_id="replica-1")

        assert Trust([b"secret"]).verify(method="GET", path="/+stream", headers=headers) == "replica-1"

    def test_request_is_accepted_once(self) -> None:
        trust = Trust([b"secret"])
        headers = trust.sign(method="GET", path="/+stream", node_id="replica-1")
        trust.verify(method="GET", path="/+stream", headers=headers)

        assert refused(trust, headers) == "replayed"

    @pytest.mark.parametrize("name", [HEADER_NODE, HEADER_TIME, HEADER_NONCE, HEADER_PROOF])
    def test_request_without_a_header_is_refused(self, name: str) -> None:
        trust = Trust([b"secret"])
        headers = trust.sign(method="GET", path="/+stream", node_id="replica-1")
        del headers[name]

        assert refused(trust, headers) == "missing"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            (HEADER_NODE, "other"),
            (HEADER_TIME, "1800000000000"),
            (HEADER_NONCE, "0" * 32),
            (HEADER_PROOF, "0" * 64),
            (HEADER_PROOF, "ü"),
        ],
    )
    def test_changed_header_is_refused(self, name: str, value: str) -> None:
        trust = Trust([b"secret"])
        headers = trust.sign(method="GET", path="/+stream", node_id="replica-1") | {name: value}

        assert refused(trust, headers) == "wrong-secret"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            (HEADER_NODE, ""),
            (HEADER_NODE, "a" * 129),
            (HEADER_NODE, "new\nline"),
            (HEADER_TIME, "-1"),
            (HEADER_TIME, "nan"),
            (HEADER_TIME, "٣"),
            (HEADER_TIME, "9" * 17),
            (HEADER_NONCE, "short"),
            (HEADER_NONCE, "!" * 32),
        ],
    )
    def test_unreadable_header_is_refused(self, name: str, value: str) -> None:
        trust = Trust([b"secret"])
        headers = trust.sign(method="GET", path="/+stream", node_id="replica-1") | {name: value}

        assert refused(trust, headers) == "malformed"

    def test_proof_of_one_request_does_not_fit_another(self) -> None:
        trust = Trust([b"secret"])
        headers = trust.sign(method="GET", path="/+stream", node_id="replica-1")

        assert refused(trust, headers, method="POST") == "wrong-secret"
        assert refused(trust, headers, path="/+blob") == "wrong-secret"

    @pytest.mark.parametrize("offset", [WINDOW_SECONDS + 1, -WINDOW_SECONDS - 1])
    def test_clock_too_far_away_is_refused(self, offset: float) -> None:
        clock = FakeClock()
        signer = Trust([b"secret"], clock=FakeClock(clock.now + offset))
        headers = signer.sign(method="GET", path="/+stream", node_id="replica-1")

        assert refused(Trust([b"secret"], clock=clock), headers) == "clock"

    @pytest.mark.parametrize("offset", [WINDOW_SECONDS, -WINDOW_SECONDS])
    def test_clock_just_inside_the_window_is_accepted(self, offset: float) -> None:
        clock = FakeClock()
        signer = Trust([b"secret"], clock=FakeClock(clock.now + offset))
        headers = signer.sign(method="GET", path="/+stream", node_id="replica-1")

        assert Trust([b"secret"], clock=clock).verify(method="GET", path="/+stream", headers=headers)

    def test_replay_is_refused_for_as_long_as_the_window_lasts(self) -> None:
        clock = FakeClock()
        ahead = Trust([b"secret"], clock=FakeClock(clock.now + WINDOW_SECONDS))
        headers = ahead.sign(method="GET", path="/+stream", node_id="replica-1")
        trust = Trust([b"secret"], clock=clock)
        trust.verify(method="GET", path="/+stream", headers=headers)

        reasons = []
        for _ in range(62):
            clock.now += 1
            reasons.append(refused(trust, headers))

        assert set(reasons) == {"replayed", "clock"}

    def test_memory_is_bounded_and_refuses_when_full(self) -> None:
        clock = FakeClock()
        trust = Trust([b"secret"], clock=clock)
        trust._seen.update({str(number): (clock.now + 60, 0) for number in range(NONCES_MAX)})
        headers = trust.sign(method="GET", path="/+stream", node_id="replica-1")
        assert refused(trust, headers) == "busy"

        clock.now += 61
        headers = trust.sign(method="GET", path="/+stream", node_id="replica-1")

        assert trust.verify(method="GET", path="/+stream", headers=headers) == "replica-1"
        assert len(trust._seen) == 1


class TestRotation:
    def test_both_secrets_are_accepted_and_the_first_signs(self) -> None:
        both = Trust([b"new", b"old"])

        for secret in (b"new", b"old"):
            headers = Trust([secret]).sign(method="GET", path="/", node_id="n")
            assert both.verify(method="GET", path="/", headers=headers) == "n"
        headers = both.sign(method="GET", path="/", node_id="n")
        assert refused(Trust([b"old"]), headers, path="/") == "wrong-secret"

    def test_answer_uses_the_secret_of_the_request(self) -> None:
        primary, replica = Trust([b"new", b"old"]), Trust([b"old"])
        headers = replica.sign(method="GET", path="/", node_id="n")
        primary.verify(method="GET", path="/", headers=headers)

        replica.verify_answer(headers[HEADER_NONCE], primary.answer(headers[HEADER_NONCE]))


class TestAnswer:
    @pytest.mark.parametrize(("answer", "reason"), [("", "missing"), ("0" * 64, "wrong-secret")])
    def test_answer_without_the_secret_is_refused(self, answer: str, reason: str) -> None:
        with pytest.raises(ProofRefused) as caught:
            Trust([b"secret"]).verify_answer("nonce", answer)

        assert caught.value.reason == reason
        assert caught.value.is_final

    def test_proof_of_the_request_is_no_answer(self) -> None:
        trust = Trust([b"secret"])
        headers = trust.sign(method="GET", path="/", node_id="n")

        with pytest.raises(ProofRefused):
            trust.verify_answer(headers[HEADER_NONCE], headers[HEADER_PROOF])

    def test_header_of_the_answer_has_a_name(self) -> None:
        assert HEADER_ANSWER == "X-Wheelyard-Answer"
