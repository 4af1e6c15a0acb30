"""Imports point down: ``storage <- replication <- node``; and each floor keeps to its own means."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
LAYERS = ("storage", "replication", "node")  # lowest first
FORBIDDEN = {
    "storage": {"asyncio", "aiohttp", "prometheus_client"},
    "replication": {"aiohttp", "lmdb", "prometheus_client"},
    "node": set[str](),
}
NEVER = {"tests", "bench"}
MODULES = [(layer, path) for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imports_of(path: Path) -> Iterator[str]:
    """Yield the top-level names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "a relative import" if node.level else (node.module or "").partition(".")[0]


@pytest.mark.parametrize(("layer", "path"), MODULES, ids=[str(path.relative_to(ROOT)) for _, path in MODULES])
def test_module_imports_only_its_own_layer_and_those_below(layer: str, path: Path) -> None:
    above = set(LAYERS[LAYERS.index(layer) + 1 :])

    offending = set(imports_of(path)) & (above | FORBIDDEN[layer] | NEVER | {"a relative import"})

    assert not offending


@pytest.mark.parametrize("layer", LAYERS)
def test_every_folder_states_its_rule_and_nothing_else(layer: str) -> None:
    for folder in {path.parent for path in (ROOT / layer).rglob("*.py")}:
        statements = ast.parse((folder / "__init__.py").read_text(encoding="utf-8")).body
        assert len(statements) == 1, folder
        assert ast.get_docstring(ast.Module(statements, [])), folder


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import node.config", {"node"}),
        ("from node.http import app", {"node"}),
        ("def later():\n    import aiohttp", {"aiohttp"}),
        ("if False:\n    from asyncio import sleep", {"asyncio"}),
        ("from . import other", {"a relative import"}),
    ],
)
def test_import_is_seen_wherever_it_stands(tmp_path: Path, source: str, found: set[str]) -> None:
    module = tmp_path / "module.py"
    module.write_text(source)

    assert set(imports_of(module)) == found
