"""install and refresh: pip through devpi, and a mirror that is asked anew."""

from __future__ import annotations

import shutil
import venv
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.clients.house import MIRROR
from tests.clients.steps import Chapter
from tests.helpers.distributions import wheel_name

if TYPE_CHECKING:
    from tests.clients.house import House

chapter = Chapter("installing")


@chapter.step
async def install_takes_hosted_and_mirrored_projects_with_the_login(house: House) -> None:
    """Team alone may read the index; what it hosts needs something that upstream has."""
    house.upstream.add_wheel("needed", "1.0")
    index = await house.new_index(bases=[MIRROR], acl_read=["team"])
    await house.upload_wheel(index, "needing", "1.0", requires=("needed",))
    place = _venv_with_pip(house.new_folder() / "venv")
    for person in (house.guest, house.team):
        await person(f"use {index}")

    refused = ("No matching distribution", "command failed")
    await house.guest(f"install --venv {place} needing", *refused, status=1)
    await house.team(f"install --venv {place} needing", "Successfully installed needed-1.0 needing-1.0")

    await house.team("install -l", "list of installed packages", "needed ", "needing ")
    assert next(place.glob("lib/*/site-packages/needed/__init__.py")).read_text() == '__version__ = "1.0"\n'
    await _upgrade_by_requirements_from_another_index(house)


async def _upgrade_by_requirements_from_another_index(house: House) -> None:
    """To a pre-release, too: devpi has pip take those. Which venv it is was kept."""
    other = await house.new_index()
    await house.upload_wheel(other, "needing", "1.1rc1")
    (house.team.home / "wanted.txt").write_text("needing\n")
    await house.team(f"install --index {other} -r wanted.txt", "Successfully installed needing-1.1rc1")


def _venv_with_pip(folder: Path) -> Path:
    """Make a virtual environment with a copy of our own pip, in a tenth of the time that ensurepip takes."""
    venv.create(folder, symlinks=True)
    found = find_spec("pip")
    assert found is not None
    assert found.origin is not None
    shutil.copytree(Path(found.origin).parent, next(folder.glob("lib/*/site-packages")) / "pip")
    pip = folder / "bin/pip"
    pip.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m pip "$@"\n')
    pip.chmod(0o755)
    return folder


@chapter.step
async def refresh_shows_what_upstream_has_by_now(house: House) -> None:
    index = await house.new_index(bases=[MIRROR])
    for project in ("moving", "growing"):
        house.upstream.add_wheel(project, "1.0")
        assert await house.files(index, project) == [wheel_name(project, "1.0")]
        house.upstream.add_wheel(project, "1.1")
        assert await house.files(index, project) == [wheel_name(project, "1.0")]

    await house.team(f"use {index}")
    await house.team("refresh moving growing", "Refreshed moving", "Refreshed growing", "!Couldn't")

    for project in ("moving", "growing"):
        assert await house.files(index, project) == [
            wheel_name(project, version) for version in ("1.0", "1.1")
        ]
    house.upstream.add_wheel("moving", "1.2")
    await house.anyone(f"use {house.url}")
    await house.anyone(f"refresh --index {MIRROR} moving", "Refreshed moving", "!Couldn't")
    assert wheel_name("moving", "1.2") in await house.files(index, "moving")


@chapter.step
async def refresh_says_when_upstream_fails_and_keeps_the_page(house: House) -> None:
    """The client ends with 0 whatever happens; its line says what did."""
    house.upstream.add_wheel("shaky", "1.0")
    assert await house.files(MIRROR, "shaky") == [wheel_name("shaky", "1.0")]
    house.upstream.fault("/simple/shaky/", status=500)
    await house.team(f"use {MIRROR}")

    await house.team("refresh shaky", "Couldn't refresh shaky", "502 upstream cannot be asked for shaky now")
    await house.team(
        "refresh unheard-of", "Couldn't refresh unheard-of", "404 The project unheard-of does not exist."
    )
    await house.team("refresh shaky --index team/none", "The stage team/none could not be found.", status=1)

    assert await house.files(MIRROR, "shaky") == [wheel_name("shaky", "1.0")]
