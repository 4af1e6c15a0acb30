"""The script: chapters of steps, each of which is something that people do with devpi."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from _pytest.mark.structures import ParameterSet

    from tests.clients.house import House

    Step = Callable[[House], Coroutine[Any, Any, None]]


class Chapter:
    """Collects the steps of a module; each becomes a test case that is named like its function."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: list[ParameterSet] = []

    def step(self, function: Step) -> Step:
        """Add a step; what its name says must hold at every node."""
        self.cases.append(pytest.param(function, id=f"{self.name}-{function.__name__.replace('_', '-')}"))
        return function
