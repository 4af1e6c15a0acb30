"""The numbered items of the client checklist, as test cases whose ids begin with the item's number."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

    from tests.helpers.app import App, Reply
    from tests.helpers.upstream import FakeUpstream

Check = Callable[["House"], Awaitable[None]]


@dataclass
class House:
    """A node with some projects, and the upstream behind its mirror."""

    app: App
    upstream: FakeUpstream

    async def ask(self, path: str, **options: Any) -> Reply:
        return await self.app.ask(path, **options)


class Items:
    """Collects checks; each becomes one case of the module's test."""

    def __init__(self) -> None:
        self.cases: list[ParameterSet] = []

    def holds(self, *numbers: int) -> Callable[[Check], Check]:
        """Register a check of one or more items."""

        def register(check: Check) -> Check:
            item = "+".join(str(number) for number in numbers)
            self.cases.append(pytest.param(check, id=f"{item}-{check.__name__.replace('_', '-')}"))
            return check

        return register
