from __future__ import annotations

import base64
import hashlib
import json
import urllib.error
from typing import TYPE_CHECKING

import pytest

from node.passwd import PasswordChange
from replication.trust import Trust
from tests.helpers.nodes import ClusterProcesses, NodeProcess, fetch_json, running_cluster
from tests.node.cli.running import refused_with, wheelyard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$" + "A" * 43


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterProcesses]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), replicas=1, options=("--offline",)) as running:
        yield running


def status_of(url: str, *, body: object, headers: dict[str, str] | None = None) -> int:
    """Return the status that a POST of JSON gets."""
    try:
        fetch_json(url, method="POST", body=body, headers=headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 200


def can_log_in(node: NodeProcess, password: str) -> bool:
    status = status_of(node.url + "/+login", body={"user": "root", "password": password})
    assert status in {200, 401}
    return status == 200


class TestRunningNode:
    def test_new_password_holds_and_ends_the_old_one_and_its_tokens(self, cluster: ClusterProcesses) -> None:
        primary = cluster.primary
        answer = fetch_json(primary.url + "/+login", method="POST", body={"user": "root", "password": ""})
        login = base64.b64encode(f"root:{answer['result']['password']}".encode()).decode()

        done = wheelyard("passwd", str(primary.data), "root", given="first one\n")

        assert (done.returncode, done.stdout) == (0, "changed the password of root\n")
        assert can_log_in(primary, "first one")
        assert not can_log_in(primary, "")
        state = fetch_json(primary.url + "/+api", headers={"X-Devpi-Auth": login})["result"]["authstatus"]
        assert state[0] != "ok"
        cluster.wait_until_equal()
        assert can_log_in(cluster.replicas[0], "first one")

    def test_password_is_read_from_a_file(self, cluster: ClusterProcesses, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("from a file\n")

        done = wheelyard(
            "passwd", str(cluster.primary.data), "root", "--password-file", str(tmp_path / "password")
        )

        assert done.returncode == 0
        assert can_log_in(cluster.primary, "from a file")

    def test_refusals_are_one_line_and_change_nothing(
        self, cluster: ClusterProcesses, tmp_path: Path
    ) -> None:
        primary, replica = str(cluster.primary.data), str(cluster.replicas[0].data)
        before = cluster.primary.status()["serial"]
        wheelyard("secret", str(tmp_path / "other"))

        assert "'nobody'" in refused_with(wheelyard("passwd", primary, "nobody", given="x\n"))
        assert "is empty" in refused_with(wheelyard("passwd", primary, "root", given="\n"))
        assert "belongs to a replica" in refused_with(wheelyard("passwd", replica, "root", given="x\n"))
        foreign = wheelyard("passwd", primary, "root", "--secret-file", str(tmp_path / "other"), given="x\n")
        assert "secret" in refused_with(foreign)
        assert (
            "no such file"
            in refused_with(
                wheelyard("passwd", primary, "root", "--password-file", str(tmp_path / "none"))
            ).lower()
        )
        assert cluster.primary.status()["serial"] == before


class TestRoute:
    def sign(self, cluster: ClusterProcesses, signed: bytes) -> tuple[str, dict[str, str]]:
        trust = Trust([(cluster.primary.data / "secret").read_bytes().strip()])
        path = f"/+cluster/passwd?sha256={hashlib.sha256(signed).hexdigest()}"
        return path, trust.sign(method="POST", path=path, node_id="test")

    def test_without_the_secret_nothing_answers(self, cluster: ClusterProcesses) -> None:
        change = json.loads(PasswordChange("root", HASH).to_wire())

        assert status_of(cluster.primary.url + "/+cluster/passwd", body=change) == 403

    def test_body_that_was_not_signed_is_refused(self, cluster: ClusterProcesses) -> None:
        """Somebody on the way replaces the body of a signed request."""
        path, headers = self.sign(cluster, PasswordChange("root", HASH).to_wire())
        other = json.loads(PasswordChange("root", HASH.replace("A", "B")).to_wire())

        assert status_of(cluster.primary.url + path, body=other, headers=headers) == 400

    @pytest.mark.parametrize(
        "body",
        [
            [],
            {},
            {"user": "root"},
            {"user": "root", "password_hash": "plain"},
            {"user": 1, "password_hash": HASH},
        ],
    )
    def test_body_that_is_no_change_is_refused(self, cluster: ClusterProcesses, body: object) -> None:
        path, headers = self.sign(cluster, json.dumps(body).encode())

        assert status_of(cluster.primary.url + path, body=body, headers=headers) == 400


class TestStoppedNode:
    def test_new_password_holds_from_the_next_start_on(self, tmp_path: Path) -> None:
        node = NodeProcess(tmp_path / "data", "--offline").start()
        node.stop()

        assert wheelyard("passwd", str(node.data), "root", given="while stopped\n").returncode == 0

        node.start()
        try:
            assert can_log_in(node, "while stopped")
            assert not can_log_in(node, "")
        finally:
            node.stop()

    def test_killed_node_is_a_stopped_one(self, tmp_path: Path) -> None:
        """kill -9 leaves the file ``address`` behind, which must not be believed."""
        node = NodeProcess(tmp_path / "data", "--offline").start()
        node.kill()
        assert (node.data / "address").exists()

        assert wheelyard("passwd", str(node.data), "root", given="x\n").returncode == 0

    def test_folder_that_is_no_data_directory_is_one_line(self, tmp_path: Path) -> None:
        said = refused_with(wheelyard("passwd", str(tmp_path), "root", given="x\n"))

        assert said == f"{tmp_path} is not a Wheelyard data directory"
