"""The stock devpi client, every command, talking to the replica of a cluster."""

from __future__ import annotations

import pytest

from tests.clients.suite import DevpiSuite

NODE = 1

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


class TestDevpiAtReplica(DevpiSuite):
    """See the chapters."""
