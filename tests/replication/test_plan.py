from __future__ import annotations

from dataclasses import replace

import pytest

from replication.hello import PROTOCOL, PROTOCOL_OLDEST, Hello, NodeCard
from replication.plan import SUSPECT_REASONS, Ground, Plan, Refuse, SendEntries, SendSnapshot, plan_for
from storage.position import GENESIS, Position, Serial

OURS = b"c" * 16
CARD = NodeCard("node-1", "https://one.test:3141", "eu", "0.1.0")


def at(serial: int, *, epoch: int = 1, chain: bytes = b"a") -> Position:
    return Position(epoch, Serial(serial), chain * 32)


HEAD = at(100)
GROUND = Ground(OURS, epoch=1, head=HEAD, floor=Serial(41), at=at(60), snapshot_after_entries=50)
HELLO = Hello(PROTOCOL, OURS, at(60), CARD, epoch=1)


def outcome(plan: Plan) -> str:
    match plan:
        case SendEntries(after):
            return f"entries after {after}"
        case SendSnapshot(reason):
            return f"snapshot {reason}"
        case Refuse(reason, _):
            return f"refuse {reason}"


@pytest.mark.parametrize(
    ("hello", "ground", "expected"),
    [
        pytest.param(HELLO, GROUND, "entries after 60", id="behind"),
        pytest.param(
            replace(HELLO, position=HEAD), replace(GROUND, at=HEAD), "entries after 100", id="at-head"
        ),
        pytest.param(
            replace(HELLO, position=at(50)),
            replace(GROUND, at=at(50)),
            "entries after 50",
            id="just-inside-snapshot-after",
        ),
        pytest.param(
            replace(HELLO, position=at(49)),
            replace(GROUND, at=at(49)),
            "snapshot far-behind",
            id="far-behind",
        ),
        pytest.param(
            replace(HELLO, position=at(40)),
            replace(GROUND, at=at(40), snapshot_after_entries=1000),
            "entries after 40",
            id="just-inside-retention",
        ),
        pytest.param(
            replace(HELLO, position=at(39)), replace(GROUND, at=None), "snapshot pruned", id="pruned"
        ),
        pytest.param(
            replace(HELLO, position=at(50)), replace(GROUND, at=None), "snapshot pruned", id="unknown"
        ),
        pytest.param(replace(HELLO, position=at(60, chain=b"b")), GROUND, "snapshot diverged", id="diverged"),
        pytest.param(
            replace(HELLO, position=at(100, chain=b"b")),
            replace(GROUND, at=HEAD),
            "snapshot diverged",
            id="diverged-at-head",
        ),
        pytest.param(
            replace(HELLO, position=at(101)),
            replace(GROUND, epoch=2, at=None),
            "snapshot diverged",
            id="ahead-in-an-older-epoch",
        ),
        pytest.param(
            replace(HELLO, position=at(101)),
            replace(GROUND, at=None),
            "refuse replica-ahead",
            id="replica-ahead",
        ),
        pytest.param(
            replace(HELLO, position=at(60, epoch=2)),
            GROUND,
            "refuse higher-epoch",
            id="higher-epoch-applied",
        ),
        pytest.param(replace(HELLO, epoch=2), GROUND, "refuse higher-epoch", id="higher-epoch-seen"),
        pytest.param(
            replace(HELLO, cluster_id=b"d" * 16),
            GROUND,
            "refuse foreign-cluster",
            id="foreign-cluster",
        ),
        pytest.param(
            replace(HELLO, cluster_id=b"d" * 16, position=at(500, epoch=9)),
            GROUND,
            "refuse foreign-cluster",
            id="foreign-cluster-before-everything",
        ),
        pytest.param(
            replace(HELLO, protocol=PROTOCOL_OLDEST - 1),
            GROUND,
            "refuse protocol",
            id="protocol-too-old",
        ),
        pytest.param(
            replace(HELLO, protocol=PROTOCOL + 9, oldest_protocol=PROTOCOL + 1),
            GROUND,
            "refuse protocol",
            id="protocol-too-new",
        ),
        pytest.param(
            replace(HELLO, protocol=PROTOCOL + 1),
            GROUND,
            "entries after 60",
            id="protocol-newer-but-speaks-ours",
        ),
        pytest.param(
            replace(HELLO, cluster_id=None, position=GENESIS, epoch=0),
            replace(GROUND, at=None),
            "snapshot empty",
            id="empty",
        ),
        pytest.param(
            replace(HELLO, position=GENESIS),
            replace(GROUND, at=None),
            "snapshot empty",
            id="empty-of-this-cluster",
        ),
        pytest.param(
            replace(HELLO, cluster_id=None, position=GENESIS, epoch=0),
            replace(GROUND, head=GENESIS, floor=Serial(1), at=None),
            "entries after 0",
            id="both-empty",
        ),
    ],
)
def test_plan(hello: Hello, ground: Ground, expected: str) -> None:
    assert outcome(plan_for(hello, ground)) == expected


def test_refusals_say_both_sides() -> None:
    ahead = plan_for(replace(HELLO, position=at(101)), replace(GROUND, at=None))
    foreign = plan_for(replace(HELLO, cluster_id=b"d" * 16), GROUND)

    assert isinstance(ahead, Refuse)
    assert ahead.detail == "the replica is at 1-101-6161616161616161, the primary at 1-100-6161616161616161"
    assert isinstance(foreign, Refuse)
    assert OURS.hex() in foreign.detail
    assert (b"d" * 16).hex() in foreign.detail


def test_suspect_reasons_are_those_where_the_replica_knows_more() -> None:
    assert {"higher-epoch", "replica-ahead"} == SUSPECT_REASONS
