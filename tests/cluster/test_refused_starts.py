from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.cluster.conftest import OPTIONS
from tests.helpers.nodes import NodeFailed, NodeProcess, check_directories, fetch_json, running_cluster

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.nodes import ClusterProcesses


def contents(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file, except LMDB's table of readers, which is no data."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock.mdb"
    }


def assert_refused(node: NodeProcess, *words: str) -> None:
    """The node ends with status 1, one line that has all the words, and a directory as it was."""
    before = contents(node.data)

    status, lines = node.refuse_to_start()

    assert (status, len(lines)) == (1, 1), lines
    assert all(word in lines[0] for word in ("wheelyard: ", *words)), lines
    assert contents(node.data) == before


def test_second_process_on_a_data_directory_is_refused(cluster: ClusterProcesses) -> None:
    """A data directory belongs to one process, whatever the second one was meant to be; the first goes on."""
    for node in cluster.nodes:
        serial = node.status()["serial"]

        status, lines = NodeProcess(node.data, *node.options).refuse_to_start()

        assert (status, len(lines)) == (1, 1), lines
        assert str(node.data) in lines[0]
        assert node.status()["serial"] == serial
    cluster.check()


def test_replica_of_another_cluster_is_refused(cluster: ClusterProcesses, tmp_path: Path) -> None:
    """A replica that has another cluster's data never takes ours: it ends, and keeps what it has.

    The other cluster has the same secret, so nothing but the cluster id tells them apart.
    """
    secret = str(cluster.primary.data / "secret")
    with running_cluster(
        tmp_path / "other", replicas=0, options=(*OPTIONS, "--secret-file", secret)
    ) as other:
        foreign = NodeProcess(tmp_path / "foreign", "--primary", other.primary.url, "--secret-file", secret)
        foreign.start().wait_until_at(other.primary.status()["serial"])
        foreign.stop()

        foreign.options = ("--primary", cluster.primary.url, "--secret-file", secret)
        assert_refused(foreign, "foreign-cluster")

        assert cluster.primary.status()["phase"] == "accepting"
    check_directories([foreign.data, other.primary.data])
    cluster.check()


def test_wrong_secret_is_refused(cluster: ClusterProcesses, tmp_path: Path) -> None:
    """A node with another secret learns nothing, whether its directory is new or has data.

    A new directory may be made, but stays without data of the cluster.
    """
    wrong = tmp_path / "wrong-secret"
    wrong.write_text("another secret, also long enough to be one\n")
    wrong.chmod(0o600)
    replica, stranger = cluster.replicas[0], cluster.new_replica("stranger")
    replica.stop()

    for node in (replica, stranger):
        right, node.options = node.options, ("--primary", cluster.primary.url, "--secret-file", str(wrong))
        if node is stranger:
            assert (node.refuse_to_start()[0], (node.data / "blobs").is_dir()) == (1, True)
        assert_refused(node, "secret")
        node.options = right

    replica.start()
    cluster.check()


def test_directory_of_a_replica_is_refused_as_primary_and_the_other_way_round(
    cluster: ClusterProcesses,
) -> None:
    """A directory keeps its role: two primaries of one history would part, so this takes another command.

    Both nodes are stopped, and each is started with the other's options.
    """
    primary, replica = cluster.primary, cluster.replicas[0]
    for node in cluster.nodes:
        assert node.stop() == 0

    assert_refused(NodeProcess(replica.data, "--offline"), "replica", "--primary")
    assert_refused(NodeProcess(primary.data, *replica.options), "primary", "--primary")

    primary.start()
    replica.start()
    cluster.check()


def test_data_without_its_node_file_is_refused(cluster: ClusterProcesses) -> None:
    """A replica's data cannot become a second primary of the same history by losing the file that says its role."""
    replica = cluster.replicas[0]
    replica.stop()
    name = replica.data / "node.json"
    name.rename(name.with_name("kept"))

    assert_refused(NodeProcess(replica.data, "--offline"), "node.json")

    name.with_name("kept").rename(name)
    replica.start()
    cluster.check()


@pytest.mark.parametrize(
    ("moment", "hits"), [("writer.append", (1, 2)), ("writer.commit", (1, 2)), ("writer.committed", (1, 1))]
)
def test_first_start_that_was_cut_short_is_taken_up_by_the_next(
    tmp_path: Path, moment: str, hits: tuple[int, int]
) -> None:
    """A new primary that is killed while it makes its cluster is complete after the next start.

    The process kills itself in its first and then in its second write; in the end there are root and root/pypi.
    """
    node = NodeProcess(tmp_path / "primary", "--offline")
    try:
        for hit in hits:
            with pytest.raises(NodeFailed):
                node.start(environment={"WHEELYARD_FAILPOINTS": f"{moment}=kill@{hit}"})

        node.start()

        users = fetch_json(node.url + "/")["result"]
        assert list(users["root"]["indexes"]) == ["pypi"]
        assert node.status()["serial"] == 2
    finally:
        assert node.stop() == 0
    check_directories([node.data])


def test_secret_that_others_can_read_is_refused(cluster: ClusterProcesses) -> None:
    """A secret whose file mode lets others in is no secret: neither role starts with it."""
    secret = cluster.primary.data / "secret"
    for node in cluster.nodes:
        assert node.stop() == 0
    secret.chmod(0o640)

    for node in cluster.nodes:
        assert_refused(node, str(secret), "chmod 600")

    secret.chmod(0o600)
    for node in cluster.nodes:
        node.start()
    cluster.check()
