from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.cluster.conftest import make_index, upload_wheel
from tests.helpers.nodes import basic, fetch_json, login
from tests.helpers.search import XML_HEADERS, search_body, summaries_in

if TYPE_CHECKING:
    from tests.helpers.nodes import ClusterProcesses, NodeProcess

PATHS = ("/root/dev", "/root/dev/", "/root/dev/+simple/", "/root/dev/simple", "/root/dev/pypi", "//root/dev/")


def found(node: NodeProcess, path: str, headers: dict[str, str] | None = None) -> list[str]:
    request = urllib.request.Request(
        node.url + path, data=search_body("thing"), headers={**XML_HEADERS, **(headers or {})}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert "X-DEVPI-PROXY" not in answer.headers
        return summaries_in(answer.read())


async def test_replica_answers_searches_from_its_own_state_while_the_primary_is_dead(
    cluster: ClusterProcesses, token: str
) -> None:
    """A search is a read, though it is sent as a POST: under each of its URLs, and with the rights of its reader.

    The primary is killed after everything was replicated. It is started again, and what is uploaded then is
    found on the replica too.
    """
    assert (await upload_wheel(cluster.primary.url, token, "thing", "1.0")).status == 200
    fetch_json(f"{cluster.primary.url}/reader", method="PUT", body={"password": "pw"})
    make_index(cluster.primary, "secret", token, acl_read=["reader"])
    cluster.wait_until_equal()
    replica = cluster.replicas[0]
    assert found(cluster.primary, "/root/dev/") == ["thing 1.0 [root/dev]"]
    cluster.primary.kill()

    for path in PATHS:
        assert found(replica, path) == ["thing 1.0 [root/dev]"]
    reader = basic("reader", login(replica.url, "reader", "pw"))
    assert found(replica, "/root/secret/", reader) == []
    with pytest.raises(urllib.error.HTTPError) as refused:
        found(replica, "/root/secret/")
    assert refused.value.code == 401
    refused.value.close()

    cluster.primary.start()
    assert (await upload_wheel(replica.url, token, "thing", "2.0")).status == 200
    assert found(replica, "/root/dev/") == ["thing 2.0 [root/dev]"]
    cluster.check()
