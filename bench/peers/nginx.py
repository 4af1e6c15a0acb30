"""Debian's nginx with static files: the ceiling."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from bench.errors import ToolMissing
from bench.peers.peer import Node
from bench.process import free_port, start, wait_until_ready

if TYPE_CHECKING:
    from pathlib import Path

    from bench.client import Answer

INSTALL = "apt-get install nginx"
START_SECONDS = 10.0

# One worker by default: Wheelyard answers from one process too, and the load needs the second core.
CONFIGURATION = """
{user}
worker_processes {workers};
daemon off;
pid {data}/nginx.pid;
error_log {data}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=100 inactive=600s;
    open_file_cache_valid 600s;
    client_body_temp_path {data}/body;
    proxy_temp_path {data}/proxy;
    fastcgi_temp_path {data}/fastcgi;
    uwsgi_temp_path {data}/uwsgi;
    scgi_temp_path {data}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {data}/files;
        location = /ready {{ return 204; }}
{locations}
    }}
}}
"""
LOCATION = '        location = {path} {{ types {{}} default_type "{content_type}"; }}'


class NginxPeer:
    """nginx with a configuration of the run's own."""

    name = "nginx"

    def __init__(self, *, workers: int) -> None:
        self._workers = workers

    def version(self) -> str:
        """Return the version.

        Raises:
            ToolMissing: It is not installed.

        """
        said = subprocess.run([_find_nginx(), "-v"], capture_output=True, text=True, check=True, timeout=10)
        found = re.search(r"nginx/(\S+)", said.stderr)
        return found[1] if found else "unknown"

    def start(self, data: Path, answers: dict[str, Answer]) -> Node:
        """Serve these bodies, with their content types, under these paths.

        Raises:
            ToolMissing: nginx is not installed.
            NodeFailed: It did not come up.

        """
        port = free_port()
        locations = []
        for path, answer in answers.items():
            target = data / "files" / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(answer.body)
            content_type = answer.headers.get("content-type", "application/octet-stream")
            locations.append(LOCATION.format(path=path, content_type=content_type))
        configuration = data / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                # A master that is root would give its workers to a user who may not read this folder.
                user="user root;" if os.geteuid() == 0 else "",
                workers=self._workers,
                data=data,
                port=port,
                locations="\n".join(locations),
            ),
            encoding="utf-8",
        )
        command = [_find_nginx(), "-p", str(data), "-c", str(configuration), "-e", str(data / "error.log")]
        child = start("nginx", command, log=data / "nginx.log")
        node = Node(f"http://127.0.0.1:{port}", child, data)
        wait_until_ready(
            child, lambda: node.client.answers("/ready", status=204), within_seconds=START_SECONDS
        )
        return node


def _find_nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise ToolMissing(tool="nginx", command=INSTALL)
    return found
