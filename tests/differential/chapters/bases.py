"""Inheritance: order, shadowing, cycles, deleted bases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.steps import SIMPLE_JSON, sdist

if TYPE_CHECKING:
    from tests.differential.steps import Script


def write(script: Script) -> None:
    script.chapter("bases")
    _prepare(script)
    _shown(script)
    _changed(script)


def _prepare(s: Script) -> None:
    for name, bases in {"b3": "", "b2": "alice/b3", "b1": "", "top": "alice/b1,alice/b2"}.items():
        s.send(f"make-{name}", "PUT", f"/alice/{name}", {"bases": bases}, actor="alice")
    s.send("close-cycle", "PATCH", "/alice/b3", {"bases": "alice/top"}, actor="alice")
    for index, version, content in (
        ("top", "1.0", "top"), ("b1", "1.0", "b1"), ("b2", "1.0", "b2"), ("b3", "1.0", "b3"),
        ("b1", "2.0", "b1"), ("b3", "2.0", "b3"), ("b3", "3.0", "b3"),
    ):  # fmt: skip
        s.upload(f"upload-{index}-{version}", f"alice/{index}", sdist("layered", version, content),
                 actor="alice", fields={"summary": f"{index} {version}"})  # fmt: skip
    s.upload(
        "upload-other-file", "alice/b2", sdist("layered", "1.0", filename="layered-1.0.zip"), actor="alice"
    )
    s.upload("upload-base-only", "alice/b2", sdist("deep", "1"), actor="alice")
    s.form(
        "register-top-only",
        "/alice/top/",
        {":action": "submit", "name": "deep", "version": "9"},
        actor="alice",
    )


def _shown(s: Script) -> None:
    for index in ("top", "b1", "b2", "b3"):
        s.get(f"page-{index}", f"/alice/{index}/+simple/layered/", accept=SIMPLE_JSON)
        s.get(f"list-{index}", f"/alice/{index}/+simple/", accept=SIMPLE_JSON)
        s.get(f"project-{index}", f"/alice/{index}/layered")
        s.get(f"own-projects-{index}", f"/alice/{index}")
    s.get("project-own-only", "/alice/top/layered?ignore_bases=")
    s.get("project-own-only-missing", "/alice/b1/deep?ignore_bases=")
    s.get("version", "/alice/top/layered/1.0")
    s.get("version-of-base", "/alice/top/layered/3.0")
    s.get("version-ignore-bases-has-no-effect", "/alice/top/layered/3.0?ignore_bases=")
    s.get("registered-and-inherited", "/alice/top/deep")
    s.get("file-under-base", f"/alice/b1/{sdist('layered', '2.0', 'b1').address}", accept="*/*")
    s.get("file-not-under-top", f"/alice/top/{sdist('layered', '2.0', 'b1').address}", accept="*/*")
    s.step("delete-inherited-project", "DELETE", "/alice/b1/deep", actor="alice")
    s.step("delete-inherited-version", "DELETE", "/alice/top/layered/3.0", actor="alice")
    s.send("push-inherited", "PUSH", "/alice/top",
           {"name": "layered", "version": "3.0", "targetindex": "alice/dst"}, actor="alice")  # fmt: skip


def _changed(s: Script) -> None:
    s.step("delete-base", "DELETE", "/alice/b2", actor="alice")
    s.get("top-after-delete", "/alice/top?no_projects=")
    s.get("page-after-delete", "/alice/top/+simple/layered/", accept=SIMPLE_JSON)
    s.get("project-after-delete", "/alice/top/layered")
    s.send("patch-with-dead-base", "PATCH", "/alice/top", {"title": "still"}, actor="alice")
    s.send("patch-list-with-dead-base", "PATCH", "/alice/top", ["title=again"], actor="alice")
    s.send("make-b2-anew", "PUT", "/alice/b2", {}, actor="alice")
    s.get("page-of-anew", "/alice/top/+simple/layered/", accept=SIMPLE_JSON)
    s.get("projects-of-anew", "/alice/b2")
    s.get("old-file-of-anew", f"/alice/b2/{sdist('deep', '1').address}", accept="*/*")
