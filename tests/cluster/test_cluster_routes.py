from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import aiohttp
import pytest

from node.http.app import ROUTES
from replication.trust import Trust
from tests.cluster.conftest import upload_wheel
from tests.helpers.distributions import make_wheel
from tests.helpers.nodes import basic

if TYPE_CHECKING:
    from tests.helpers.nodes import ClusterProcesses

PREFIX = "/+cluster/"
BLOB = make_wheel("secret", "1.0")
VALUES = {
    "sha256": sha256(BLOB).hexdigest(),
    "index_id:\\d+": "1",
    "project": "secret",
    "key": "0" * 32,
    "filename": "secret-1.0-py3-none-any.whl",
}


def cluster_routes() -> list[tuple[str, str]]:
    """Method and a path that fits, of every route of replication; HEAD comes with GET."""
    routes = []
    for method, pattern, _ in ROUTES:
        if pattern.startswith(PREFIX):
            path = pattern
            for name, value in VALUES.items():
                path = path.replace("{" + name + "}", value)
            assert "{" not in path, f"a value for {path} is missing here"
            routes += [(method, path), ("HEAD", path)] if method == "GET" else [(method, path)]
    return routes


def trust_of(cluster: ClusterProcesses) -> Trust:
    """What a node of this cluster signs with."""
    return Trust([(cluster.primary.data / "secret").read_bytes().strip()])


def test_there_are_routes_of_replication() -> None:
    """The tests below look at something: they find at least stream, acknowledgement and blob."""
    assert len({path for _, path in cluster_routes()}) >= 3


async def test_routes_of_replication_answer_nobody_without_proof(
    cluster: ClusterProcesses, token: str
) -> None:
    """Every route of replication gives 403 and no data to strangers, to root, and to a wrong secret.

    All routes of the table are tried, with a blob and a project that exist, on primary and replica.
    """
    assert (await upload_wheel(cluster.primary.url, token, "secret", "1.0")).status == 200
    cluster.wait_until_equal()
    stranger = Trust([b"a secret of some other cluster, long enough"])
    async with aiohttp.ClientSession() as session:
        for node in cluster.nodes:
            for method, path in cluster_routes():
                proof = stranger.sign(method=method, path=path, node_id="stranger")
                for headers in (
                    {},
                    basic("root", token),
                    basic("root", ""),
                    proof,
                    {**proof, **basic("root", token)},
                ):
                    async with session.request(method, node.url + path, headers=headers) as answer:
                        body = await answer.read()

                    assert (method, path, answer.status) == (method, path, 403)
                    assert len(body) < 200
                    assert BLOB[:20] not in body
                    assert "X-Wheelyard-Answer" not in answer.headers
    cluster.check()


@pytest.mark.parametrize("changed", ["nothing", "path", "method", "node"])
async def test_proof_is_good_for_one_request_only(
    cluster: ClusterProcesses, token: str, changed: str
) -> None:
    """A proof that was overheard opens nothing: not the same request again, and no other one.

    A right proof is used once for a blob, then again: unchanged, for another path or method, or in another name.
    """
    assert (await upload_wheel(cluster.primary.url, token, "secret", "1.0")).status == 200
    trust = trust_of(cluster)
    path = f"{PREFIX}blob/{VALUES['sha256']}"
    headers = trust.sign(method="GET", path=path, node_id="node")
    async with aiohttp.ClientSession() as session:
        if changed == "nothing":
            async with session.get(cluster.primary.url + path, headers=headers) as answer:
                assert (answer.status, await answer.read()) == (200, BLOB)

        method = "HEAD" if changed == "method" else "GET"
        other = path + "?again=1" if changed == "path" else path
        headers |= {"X-Wheelyard-Node": "other"} if changed == "node" else {}
        async with session.request(method, cluster.primary.url + other, headers=headers) as answer:
            body = await answer.read()

    assert answer.status == 403
    assert BLOB[:20] not in body
    reason = "replayed" if changed == "nothing" else "wrong-secret"
    assert answer.headers["X-Wheelyard-Refusal"] == reason
    cluster.check()
