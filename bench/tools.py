"""Debian packages that the bench needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.errors import ToolMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
INSTALL_SECONDS = 300


def install_missing(peers: Sequence[str]) -> None:
    """Install wrk, and nginx if it is a peer, where they are missing and we may.

    Raises:
        ToolMissing: One is missing, and we are not root, have no apt-get, or it failed.

    """
    wanted = ["wrk", *(peer for peer in peers if peer == "nginx")]
    missing = [tool for tool in wanted if shutil.which(tool, path=SEARCH_PATH) is None]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ToolMissing(tool=", ".join(missing), command=" ".join(command))
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["apt-get", "update"], command):
        print(f"bench: {' '.join(words)}", file=sys.stderr)
        done = subprocess.run(words, env=environment, stdout=sys.stderr, check=False, timeout=INSTALL_SECONDS)
        if done.returncode != 0:
            raise ToolMissing(tool=", ".join(missing), command=" ".join(words))
