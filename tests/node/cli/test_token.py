"""``wheelyard token`` against a running cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from node.cli.token import parse_expiry
from tests.helpers.nodes import ClusterProcesses, NodeProcess, basic, fetch_json, free_port, running_cluster
from tests.node.cli.running import refused_with, wheelyard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterProcesses]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), replicas=1, options=("--offline",)) as running:
        fetch_json(running.primary.url + "/alice", method="PUT", body={"password": "secret"})
        running.wait_until_equal()
        yield running


def status_of(node: NodeProcess, token: str) -> str:
    answer = fetch_json(node.url + "/+api", headers=basic("__token__", token))
    status: str = answer["result"]["authstatus"][0]
    return status


@pytest.mark.parametrize("number", [0, 1], ids=["primary", "replica"])
def test_token_is_made_used_listed_and_revoked(cluster: ClusterProcesses, number: int) -> None:
    node = cluster.nodes[number]
    where = (node.url, "alice")

    made = wheelyard(
        "token", "create", *where, "--allow", "read,upload", "--project", "thing", "--expires", "90d",
        "--note", "for CI", given="secret\n",
    )  # fmt: skip
    token = made.stdout.strip()
    listed = wheelyard("token", "list", *where, given="secret\n").stdout
    status = status_of(node, token)
    revoked = wheelyard("token", "revoke", *where, token, given="secret\n")

    assert (made.returncode, made.stdout) == (0, token + "\n")
    assert token[3:15] in listed
    assert "allowed=pkg_read,upload" in listed
    assert "projects=thing  for CI" in listed
    assert token not in listed
    assert (status, revoked.stdout) == ("ok", f"revoked {token[3:15]}\n")
    assert status_of(node, token) == "noauth"
    assert wheelyard("token", "list", *where, given="secret\n").stdout == ""


def test_root_makes_a_token_for_somebody_without_end(cluster: ClusterProcesses, tmp_path: Path) -> None:
    file = tmp_path / "root-password"
    file.write_text("\n")
    as_root = ("--as", "root", "--password-file", str(file))

    made = wheelyard("token", "create", cluster.primary.url, "alice", "--expires", "never", *as_root)

    answer = fetch_json(cluster.primary.url + "/+api", headers=basic("alice", made.stdout.strip()))
    assert answer["result"]["authstatus"][:2] == ["ok", "alice"]
    assert "expires=never" in wheelyard("token", "list", cluster.primary.url, "alice", *as_root).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "{url}", "alice", "--expires", "soon"), "Invalid value 'soon' for expiration"),
        (("create", "{url}", "alice", "--index", "alice/none"), "index 'alice/none' does not exist"),
        (("create", "{url}", "root"), "user 'root' could not be authenticated"),
        (("create", "{url}", "root", "--as", "alice"), "no permission to manage tokens of user root"),
        (("list", "{free}", "alice"), "does not answer: Connection refused"),
        (("revoke", "{url}", "alice", "nosuchtoken1"), "No token with id nosuchtoken1"),
        (("list", "{url}", "alice", "--password-file", "/nowhere/file"), "/nowhere/file"),
        (("create", "{url}"), "Missing argument 'USER'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    cluster: ClusterProcesses, words: tuple[str, ...], said: str
) -> None:
    url, free = cluster.primary.url, f"http://127.0.0.1:{free_port()}"
    asked = [word.format(url=url, free=free) for word in words]

    assert said in refused_with(wheelyard("token", *asked, given="secret\n"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90d", 1000 + 90 * 86_400),
        ("1y", 1000 + 365 * 86_400),
        ("12h", 44_200),
        ("5m", 1300),
        ("2w", 1_210_600),
    ],
)
def test_spans_count_from_now(text: str, seconds: int) -> None:
    assert parse_expiry(text, now_seconds=1000.9) == seconds


@pytest.mark.parametrize("text", ["never", "1800000000", "d", "1.5d", "-1d", "90D"])
def test_other_words_are_left_to_the_node(text: str) -> None:
    assert parse_expiry(text, now_seconds=1000.0) == text
