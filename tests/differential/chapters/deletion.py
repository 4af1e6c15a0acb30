"""Deleting files, versions, projects, indexes and users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.steps import sdist

if TYPE_CHECKING:
    from tests.differential.steps import Script


def write(script: Script) -> None:
    script.chapter("deletion")
    _prepare(script)
    _files(script)
    _versions(script)
    _projects(script)
    _fixed(script)
    _rest(script)


def _prepare(s: Script) -> None:
    s.send("make", "PUT", "/alice/del", {"acl_upload": "alice,carol"}, actor="alice")
    s.send("make-fixed", "PUT", "/alice/keep", {"volatile": False}, actor="alice")
    for index in ("del", "keep"):
        for version in ("1.0", "2.0", "3.0"):
            s.upload(f"upload-{index}-{version}", f"alice/{index}", sdist("gone", version), actor="alice")
        zipped = sdist("gone", "1.0", filename="gone-1.0.zip")
        s.upload(f"upload-{index}-zip", f"alice/{index}", zipped, actor="alice")
        s.upload(f"upload-{index}-other", f"alice/{index}", sdist("other", "1"), actor="alice")


def _files(s: Script) -> None:
    first, zipped = sdist("gone", "1.0"), sdist("gone", "1.0", filename="gone-1.0.zip")
    s.step("file-anonymous", "DELETE", f"/alice/del/{first.address}")
    s.step("file-other", "DELETE", f"/alice/del/{first.address}", actor="bob")
    s.step("file-unknown", "DELETE", "/alice/del/+f/000/0000000000000/gone-1.0.tar.gz", actor="alice")
    s.step("file-unknown-index", "DELETE", f"/alice/nothing/{first.address}", actor="alice")
    s.step("file-by-uploader", "DELETE", f"/alice/del/{first.address}", actor="carol")
    s.get("file-is-gone", f"/alice/del/{first.address}", accept="*/*")
    s.get("file-is-gone-json", f"/alice/del/{first.address}")
    s.step("file-again", "DELETE", f"/alice/del/{first.address}", actor="alice")
    s.get("version-without-file", "/alice/del/gone/1.0")
    s.step("last-file-by-root", "DELETE", f"/alice/del/{zipped.address}", actor="root")
    s.get("version-went-with-it", "/alice/del/gone/1.0")
    s.get("project-stays", "/alice/del/gone")
    s.upload("upload-anew", "alice/del", first, actor="alice")
    s.get("file-is-back", f"/alice/del/{first.address}", accept="*/*")
    s.get("log-is-new", "/alice/del/gone/1.0")


def _versions(s: Script) -> None:
    s.step("version-anonymous", "DELETE", "/alice/del/gone/2.0")
    s.step("version-other", "DELETE", "/alice/del/gone/2.0", actor="bob")
    s.step("version-unknown", "DELETE", "/alice/del/gone/9", actor="alice")
    s.step("version-unknown-project", "DELETE", "/alice/del/nothing/1", actor="alice")
    s.step("version", "DELETE", "/alice/del/gone/2.0", actor="alice")
    s.get("version-file-gone", f"/alice/del/{sdist('gone', '2.0').address}", accept="*/*")
    s.step("version-again", "DELETE", "/alice/del/gone/2.0", actor="alice")
    s.step("version-slash-other-spelling", "DELETE", "/alice/del/Gone/3.0/", actor="alice")
    s.step("last-version", "DELETE", "/alice/del/gone/1.0", actor="alice")
    s.get("project-went-with-it", "/alice/del/gone")
    s.get("index-without-it", "/alice/del")


def _projects(s: Script) -> None:
    s.step("project-anonymous", "DELETE", "/alice/del/other")
    s.step("project-other", "DELETE", "/alice/del/other", actor="bob")
    s.step("project-unknown", "DELETE", "/alice/del/nothing", actor="alice")
    s.step("project", "DELETE", "/alice/del/other/", actor="alice")
    s.step("project-again", "DELETE", "/alice/del/other", actor="alice")
    s.get("project-file-gone", f"/alice/del/{sdist('other', '1').address}", accept="*/*")


def _fixed(s: Script) -> None:
    file = sdist("gone", "1.0")
    s.step("fixed-file", "DELETE", f"/alice/keep/{file.address}", actor="alice")
    s.step("fixed-version", "DELETE", "/alice/keep/gone/2.0", actor="alice")
    s.step("fixed-project", "DELETE", "/alice/keep/other", actor="alice")
    s.step("fixed-file-html", "DELETE", f"/alice/keep/{file.address}", actor="alice", accept="*/*")
    s.get("fixed-still-there", "/alice/keep/gone")
    s.step("fixed-file-force", "DELETE", f"/alice/keep/{file.address}?force=", actor="alice")
    s.step("fixed-version-force", "DELETE", "/alice/keep/gone/2.0?force=", actor="alice")
    s.step("fixed-project-force", "DELETE", "/alice/keep/other/?force=", actor="alice")
    s.step("fixed-force-other", "DELETE", "/alice/keep/gone?force=", actor="bob")
    s.get("fixed-rest", "/alice/keep/gone")


def _rest(s: Script) -> None:
    s.get("no-such-method-put-project", "/alice/del/x/1/2/3")
    s.send("put-project", "PUT", "/alice/del/thing", {}, actor="alice")
    s.get("plus-unknown", "/+nothing")
    s.get("user-plus-unknown", "/alice/+nothing")
    s.send("patch-root-list", "PATCH", "/", {}, actor="root")
    s.send("make-user", "PUT", "/ivan", {"password": "i"})
    s.login("login-user", "ivan", "i")
    s.send("make-user-index", "PUT", "/ivan/x", {}, actor="ivan")
    s.upload("upload-user-index", "ivan/x", sdist("his", "1"), actor="ivan")
    s.send("base-on-it", "PUT", "/alice/onhis", {"bases": "ivan/x"}, actor="alice")
    s.step("delete-user", "DELETE", "/ivan", actor="ivan")
    s.get("his-index", "/ivan/x")
    s.get("his-file", f"/ivan/x/{sdist('his', '1').address}", accept="*/*")
    s.get("onhis", "/alice/onhis")
    s.get("onhis-project", "/alice/onhis/his")
    s.send("make-user-anew", "PUT", "/ivan", {"password": "j"})
    s.get("users-at-the-end", "/")
    # What the servers differ in comes last, so that nothing follows from it.
    s.send("anew-with-old-token", "PUT", "/ivan/x", {}, actor="ivan")
    s.send("create-client-echo", "PUT", "/grace", {"password": "g", "username": "other", "indexes": {}})
