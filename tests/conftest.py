"""Rules for every test.

Files with a slow test come first: processes take whole files, and one that began a long file last would be waited for.

Where ``CI`` is ``true``, nothing is skipped: what a test needs is installed there, so a skip would hide that
something stopped being tested. It is reported as a failure with the reason of the skip.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

IS_CI = os.environ.get("CI") == "true"


class _Report(Protocol):
    outcome: Any
    longrepr: Any


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    """An upstream index without projects."""
    async with FakeUpstream() as upstream:
        yield upstream


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow_files = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IS_CI and report.skipped and not hasattr(report, "wasxfail"):
        _fail(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IS_CI and report.skipped:
        _fail(report, collector.nodeid)
    return report


def _fail(report: _Report, what: str) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{what} was skipped, which CI does not allow: {reason}"
