from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.nodes import NodeProcess
from tests.node.cli.running import refused_with, wheelyard

if TYPE_CHECKING:
    from pathlib import Path


def stopped_node(folder: Path) -> NodeProcess:
    node = NodeProcess(folder / "data", "--offline").start()
    node.stop()
    return node


def test_sound_directory_is_clean(tmp_path: Path) -> None:
    node = stopped_node(tmp_path)

    done = wheelyard("check", str(node.data))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("clean at 1-2-")


def test_damaged_database_is_reported_with_status_1(tmp_path: Path) -> None:
    """Overwrite a page in the middle of the database file, as a failing disk does."""
    node = stopped_node(tmp_path)
    file = node.data / "db" / "data.mdb"
    content = bytearray(file.read_bytes())
    for page in range(2 * 4096, len(content), 4096):
        content[page + 16 : page + 24] = b"\xff" * 8
    file.write_bytes(content)

    done = wheelyard("check", str(node.data))

    assert done.returncode == 1
    assert "damage: " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("DAMAGED at ")


def test_directory_in_use_is_one_line(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path / "data", "--offline").start()
    try:
        said = refused_with(wheelyard("check", str(node.data)))
    finally:
        node.stop()

    assert said == f"data directory {node.data} is in use by another process"


def test_folder_that_is_no_data_directory_is_one_line(tmp_path: Path) -> None:
    assert "is not a Wheelyard data directory" in refused_with(wheelyard("check", str(tmp_path)))
