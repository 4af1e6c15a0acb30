"""The whole request script, chapter by chapter; later chapters rest on what earlier ones made."""

from __future__ import annotations

from tests.differential.chapters import bases, deletion, indexes, push, releases, users
from tests.differential.steps import Script, Step


def all_steps() -> list[Step]:
    """Return every request in order; their names are unique."""
    script = Script()
    for chapter in (users, indexes, releases, push, bases, deletion):
        chapter.write(script)
    names = [step.name for step in script.steps]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, twice
    return script.steps
