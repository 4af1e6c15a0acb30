"""Three plain package names: another distribution that claims one of them stops the command at once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from node.__main__ import PACKAGES

if TYPE_CHECKING:
    from pathlib import Path


def install_claim(folder: Path, *, distribution: str, package: str) -> None:
    """Write what an installer leaves of a distribution that has a package of this name."""
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{package}/__init__.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")


@pytest.mark.parametrize("package", PACKAGES)
def test_command_refuses_to_start_beside_another_distribution_of_that_name(
    tmp_path: Path, package: str
) -> None:
    install_claim(tmp_path, distribution="other", package=package)

    done = subprocess.run(
        [sys.executable, "-m", "node", "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == (
        f"wheelyard: import package '{package}' is also installed by other; "
        "install wheelyard in an environment of its own\n"
    )
