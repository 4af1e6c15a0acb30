"""use --set-cfg, --always-set-cfg, --venv and --local: what devpi writes down for pip and uv, and what they make of it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tests.clients.house import PASSWORDS
from tests.clients.steps import Chapter
from tests.helpers.clients import BIN, run_client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.devpi import Devpi
    from tests.clients.house import House

chapter = Chapter("settings")

PIP = (sys.executable, "-m", "pip")


def settings_of(person: Devpi) -> dict[str, str]:
    """Return the environment in which pip, uv and devpi use one and the same files of that person."""
    home = person.home
    return {
        "PIP_CONFIG_FILE": str(home / "pip.conf"),
        "UV_CONFIG_FILE": str(home / "uv.toml"),
        "UV_NO_CONFIG": "0",
    }


@chapter.step
async def set_cfg_writes_what_pip_and_uv_then_use(house: House) -> None:
    newcomer = house.newcomer()
    index = await house.hosting("configured", "1.0")
    (newcomer.home / "uv.toml").write_text("")  # uv wants the file that it is told of
    settings = settings_of(newcomer)
    simple = f"{house.url}/{index}/+simple/"

    await newcomer(
        f"use {house.url}/{index} --set-cfg -t yes",
        f"pip.conf: {simple}",
        f"uv.toml: {simple}",
        environment=settings,
    )

    written = (newcomer.home / "pip.conf").read_text()
    assert f"[global]\nindex_url = {simple}\n" in written
    assert "trusted-host = 127.0.0.1\n" in written
    assert f"[search]\nindex = {house.url}/{index}/\n" in written
    assert f'index-url = "{simple}"' in (newcomer.home / "uv.toml").read_text()
    await _installs(newcomer, "configured", settings)


async def _installs(person: Devpi, project: str, settings: dict[str, str]) -> None:
    """Pip and uv take a project from where the settings lead them, and from nowhere else."""
    by_pip = (*PIP, "install", "--no-cache-dir", "--target", "by-pip", project)
    by_uv = (str(BIN / "uv"), "pip", "install", "--target", "by-uv", project)
    for command in (by_pip, by_uv):
        done = await run_client(*command, home=person.home, environment=settings)
        assert done.status == 0, done.output
    assert all((person.home / folder / project).is_dir() for folder in ("by-pip", "by-uv"))


@chapter.step
async def credentials_in_the_url_go_into_the_settings(house: House) -> None:
    newcomer = house.newcomer()
    index = await house.hosting("hidden", "1.0", acl_read=["team"])
    (newcomer.home / "uv.toml").write_text("")
    settings = settings_of(newcomer)
    host = house.url.removeprefix("http://")

    await newcomer(
        f"use http://team:{PASSWORDS['team']}@{host}/{index} --set-cfg -t yes",
        f"pip.conf: http://team:****@{host}/{index}/+simple/",
        environment=settings,
    )

    await _installs(newcomer, "hidden", settings)


@chapter.step
async def always_set_cfg_follows_each_use_until_it_is_switched_off(house: House) -> None:
    newcomer = house.newcomer()
    settings = settings_of(newcomer)
    first, second, third = [await house.new_index() for _ in range(3)]

    await newcomer(
        f"use {house.url}/{first} --always-set-cfg=yes", "always-set-cfg: yes", environment=settings
    )
    await newcomer(f"use {second}", f"pip.conf: {house.url}/{second}/+simple/", environment=settings)
    await newcomer(
        "use --always-set-cfg=no --set-cfg --pip-set-trusted no", "always-set-cfg: no", environment=settings
    )
    await newcomer(f"use {third}", f"pip.conf: {house.url}/{second}/+simple/", environment=settings)

    written = (newcomer.home / "pip.conf").read_text()
    assert f"/{second}/+simple/" in written
    assert "trusted-host" not in written


@chapter.step
async def settings_of_a_virtual_environment_stay_in_it(house: House) -> None:
    newcomer = house.newcomer()
    everywhere, here = [await house.new_index() for _ in range(2)]
    (newcomer.home / "venv/bin").mkdir(parents=True)
    venv = newcomer.home / "venv"
    active = {"VIRTUAL_ENV": str(venv)}
    await newcomer(f"use {house.url}/{everywhere}")

    await newcomer(
        f"use {here} --local --set-cfg",
        "Creating local configuration",
        "only setting venv",
        environment=active,
    )

    await newcomer("use", f"current devpi index: {house.url}/{here} ", environment=active)
    await newcomer("use", f"current devpi index: {house.url}/{everywhere} ", "!venv for install")
    assert _written_in(venv) >= {"pip.conf", "uv.toml", "devpi.json"}
    assert f"/{here}/" in json.loads((venv / "devpi.json").read_text())["simpleindex"]
    await newcomer("use --delete", "REMOVED configuration", environment=active)
    assert "devpi.json" not in _written_in(venv)


@chapter.step
async def use_venv_is_remembered_and_unset(house: House) -> None:
    newcomer = house.newcomer()
    (newcomer.home / "chosen/bin").mkdir(parents=True)
    await newcomer("use --venv chosen", "venv for install/set commands: chosen")
    await newcomer("use", "venv for install/set commands: chosen")

    await newcomer("use --venv -", "!venv for install")


def _written_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}
