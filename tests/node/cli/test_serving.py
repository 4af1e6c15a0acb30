from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from node.cli.serving import FILES_BESIDE_CONNECTIONS
from tests.helpers.nodes import NodeProcess, free_port, running_cluster
from tests.node.cli.running import refused_with, wheelyard

if TYPE_CHECKING:
    from pathlib import Path


class TestRefusals:
    def test_every_problem_of_the_configuration_is_a_line(self) -> None:
        done = wheelyard("serve", "--port", "x", environment={"WHEELYARD_OFFLINE": "perhaps"})

        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "wheelyard: --data is needed",
            "wheelyard: --port=x: must be a whole number",
            "wheelyard: WHEELYARD_OFFLINE=perhaps: must be true or false",
        ]

    def test_root_without_password_is_not_opened_to_other_machines(self, tmp_path: Path) -> None:
        said = refused_with(wheelyard("serve", "--data", str(tmp_path / "new"), "--host", "0.0.0.0"))

        assert "--root-password-file" in said
        assert not (tmp_path / "new").exists()

    def test_folder_with_something_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "letters.txt").write_text("dear")

        said = refused_with(wheelyard("serve", "--data", str(tmp_path)))

        assert "is not empty" in said
        assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]

    def test_weak_and_open_secrets_are_refused(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("short")
        words = ("serve", "--data", str(tmp_path / "new"), "--secret-file", str(secret))

        secret.chmod(0o644)
        assert "can be read by others" in refused_with(wheelyard(*words))
        secret.chmod(0o600)
        assert "too short or too simple" in refused_with(wheelyard(*words))

    def test_certificate_that_is_none_is_one_line(self, tmp_path: Path) -> None:
        for name in ("cert", "key"):
            (tmp_path / name).write_text("no certificate")
        words = ("--tls-cert", str(tmp_path / "cert"), "--tls-key", str(tmp_path / "key"))

        refused = wheelyard("serve", "--data", str(tmp_path / "new"), "--port", "0", *words)

        assert refused.returncode == 1
        assert refused.stderr.splitlines()[-1].startswith("wheelyard: ")
        assert "Traceback" not in refused.stderr


class TestSecondProcess:
    def test_directory_in_use_and_port_in_use_are_one_line(self, tmp_path: Path) -> None:
        with running_cluster(tmp_path, replicas=0, options=("--offline",)) as cluster:
            data, port = str(cluster.primary.data), str(cluster.primary.port)

            in_use = refused_with(wheelyard("serve", "--data", data, "--port", str(free_port())))
            taken = wheelyard("serve", "--data", str(tmp_path / "other"), "--port", port)

            assert "is in use by another process" in in_use
            assert taken.returncode == 1
            assert "address already in use" in taken.stderr.splitlines()[-1].lower()
            assert "Traceback" not in taken.stderr

    def test_directory_of_the_other_role_is_one_line(self, tmp_path: Path) -> None:
        with running_cluster(tmp_path, replicas=1, options=("--offline",)) as cluster:
            replica, primary = cluster.replicas[0], cluster.primary
            replica.stop()

            as_primary = refused_with(wheelyard("serve", "--data", str(replica.data)))

            assert "belongs to a replica" in as_primary
            primary.stop()
            words = ("--primary", replica.url, "--secret-file", str(primary.data / "secret"))
            as_replica = refused_with(wheelyard("serve", "--data", str(primary.data), *words))

            assert "belongs to a primary" in as_replica


@pytest.mark.parametrize("connections_max", [100, 2000])
def test_serve_raises_the_limit_of_open_files_to_its_connections(
    tmp_path: Path, connections_max: int
) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = connections_max + FILES_BESIDE_CONNECTIONS
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the hard limit of open files here is {hard}, below {wanted}")
    low = "import resource, sys; from node.__main__ import main; "
    low += "resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1])); main()"
    words = ("serve", "--data", str(tmp_path / "data"), "--port", "0", "--offline")
    command = [sys.executable, "-c", low, *words, "--connections-max", str(connections_max)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            assert b" ready at " in process.stdout.readline()
            soft = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0]
        finally:
            process.terminate()

    assert soft == wanted


def test_node_stops_cleanly_when_told_to(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path / "data", "--offline").start()
    assert (node.data / "address").read_text() == node.url + "\n"

    assert node.stop() == 0

    assert not (node.data / "address").exists()
