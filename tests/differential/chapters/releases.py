"""Uploads: metadata, files, what is refused, what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.steps import HTML, JSON, SIMPLE_JSON, sdist

if TYPE_CHECKING:
    from tests.differential.steps import Fields, Script

_ALL: Fields = {
    "metadata_version": "2.1", "summary": "A thing", "home_page": "http://x.example", "author": "A",
    "author_email": "a@x.example", "maintainer": "M", "maintainer_email": "m@x.example", "license": "MIT",
    "description": "Long\ntext", "keywords": "a b", "download_url": "UNKNOWN", "comment": "c",
    "requires_python": ">=3.8", "description_content_type": "text/plain", "license_expression": "MIT",
    "platform": ["any", ""], "classifiers": ["A :: B", "C :: D"], "requires_dist": ["x>1", "y"],
    "provides_extras": ["e"], "project_urls": ["Home, http://x.example"], "dynamic": ["version"],
    "license_file": ["LICENSE"], "colour": "dropped", "pyversion": "source", "filetype": "sdist",
}  # fmt: skip


def write(script: Script) -> None:
    script.chapter("releases")
    _permissions(script)
    _submit(script)
    _upload(script)
    _refused(script)
    _replaced(script)
    _shown(script)


def _permissions(s: Script) -> None:
    s.send("make-index", "PUT", "/alice/rel", {}, actor="alice")
    s.send("make-fixed", "PUT", "/alice/fixed", {"volatile": False}, actor="alice")
    s.send("make-open", "PUT", "/alice/open", {"acl_upload": ":ANONYMOUS:"}, actor="alice")
    s.send("make-members", "PUT", "/alice/members", {"acl_upload": ":AUTHENTICATED:"}, actor="alice")
    thing = sdist("thing", "1.0")
    s.upload("anonymous", "alice/rel", thing, actor=None)
    s.upload("other", "alice/rel", thing, actor="bob")
    s.upload("root-is-not-implied", "alice/rel", thing, actor="root")
    s.upload("unknown-index", "alice/nothing", thing, actor="alice")
    s.upload("mirror", "alice/m0", thing, actor="alice")
    s.upload("open-anonymous", "alice/open", thing, actor=None)
    s.upload("members-anonymous", "alice/members", thing, actor=None)
    s.upload("members-bob", "alice/members", thing, actor="bob")
    s.get("open-log", "/alice/open/thing/1.0")


def _submit(s: Script) -> None:
    def submit(name: str, project: str, version: str, *, actor: str | None = "alice", **more: str) -> None:
        fields: Fields = {":action": "submit", "name": project, "version": version, **more}
        s.form(f"submit-{name}", "/alice/rel/", fields, actor=actor)

    submit("anonymous", "reg", "1.0", actor=None)
    submit("plain", "reg", "1.0")
    s.get("registered", "/alice/rel/reg/1.0")
    s.get("registered-project", "/alice/rel/reg")
    s.get("registered-simple", "/alice/rel/+simple/reg/", accept=SIMPLE_JSON)
    submit("summary", "reg", "1.0", summary="now with words")
    submit("overwrites-whole", "reg", "1.0", author="only an author")
    s.get("overwritten", "/alice/rel/reg/1.0")
    submit("other-spelling", "Reg", "2.0")
    s.get("two-versions", "/alice/rel/reg")
    submit("no-name", "", "1.0")
    submit("no-version", "reg", "")
    submit("bad-name", "a b", "1.0")
    submit("bad-first", "-ab", "1.0")
    submit("bad-last", "ab-", "1.0")
    submit("url-unsafe", "ab", "1<2")
    submit("version-slash", "ab", "1/2")
    s.form("submit-missing-fields", "/alice/rel/", {":action": "submit"}, actor="alice")
    s.form(
        "submit-all-fields",
        "/alice/rel",
        {":action": "submit", "name": "full", "version": "3", **_ALL},
        actor="alice",
    )
    s.get("all-fields", "/alice/rel/full/3")


def _upload(s: Script) -> None:
    s.upload("plain", "alice/rel", sdist("thing", "1.0"), actor="alice")
    s.get("version", "/alice/rel/thing/1.0")
    s.upload("second-file", "alice/rel", sdist("thing", "1.0", filename="thing-1.0.zip"), actor="alice")
    s.upload("second-version", "alice/rel", sdist("thing", "1.1"), actor="alice", fields=_ALL)
    s.get("project", "/alice/rel/thing")
    s.get("version-with-all", "/alice/rel/thing/1.1")
    later: Fields = {"summary": "later words"}
    s.upload("later-file-updates-metadata", "alice/rel",
             sdist("thing", "1.1", filename="thing-1.1.zip"), actor="alice", fields=later)  # fmt: skip
    s.get("updated", "/alice/rel/thing/1.1")
    s.upload(
        "spelling-normalised",
        "alice/rel",
        sdist("Some.Name", "1.0", filename="some_name-1.0.tar.gz"),
        actor="alice",
    )
    s.get("spelling", "/alice/rel/some-name")
    s.get("spelling-redirect", "/alice/rel/Some.Name")
    s.upload(
        "version-escaped",
        "alice/rel",
        sdist("esc", "1.0+local", filename="esc-1.0_local.tar.gz"),
        actor="alice",
    )
    s.get("version-plus", "/alice/rel/esc/1.0%2Blocal")
    s.upload("without-slash", "alice/rel", sdist("bare", "1"), actor="alice")
    wrong: Fields = {"md5_digest": "4c8bce8ee76fb7fb80d79c28ec45ec7f"}
    s.send("make-digests", "PUT", "/alice/digests", {}, actor="alice")
    s.upload("wrong-digest", "alice/digests", sdist("digest", "1"), actor="alice", fields=wrong)
    thing = sdist("thing", "1.0")
    s.get("file", f"/alice/rel/{thing.address}", accept="*/*")
    s.get("file-described", f"/alice/rel/{thing.address}")
    s.get("file-unknown", "/alice/rel/+f/000/0000000000000/thing-9.9.tar.gz")
    s.get("file-unknown-index", f"/alice/nothing/{thing.address}", accept="*/*")
    s.get("file-short-hash", "/alice/rel/+f/0/0/x-1.tar.gz")
    s.get("file-other-index", f"/alice/fixed/{thing.address}", accept="*/*")


def _refused(s: Script) -> None:
    def refused(name: str, release: tuple[str, str, str], fields: Fields | None = None) -> None:
        file = sdist(release[0], release[1], filename=release[2])
        s.upload(f"refused-{name}", "alice/rel", file, actor="alice", fields=fields or {})

    refused("version-not-in-filename", ("thing", "1.0", "thing-2.0.tar.gz"))
    refused("no-archive", ("thing", "1.0", "thing-1.0.txt"))
    refused("other-project", ("thing", "1.0", "other-1.0.tar.gz"))
    refused("bad-name", ("a b", "1.0", "a b-1.0.tar.gz"))
    refused("url-unsafe", ("ab", "1#0", "ab-1#0.tar.gz"))
    refused("unknown-action", ("thing", "1.0", "thing-1.0.tar.gz"), {":action": "explode"})
    content = ("thing-1.0.tar.gz", b"x")
    s.form(
        "refused-no-action", "/alice/rel/", {"name": "thing", "version": "1.0"}, file=content, actor="alice"
    )
    s.form(
        "refused-no-content",
        "/alice/rel/",
        {":action": "file_upload", "name": "thing", "version": "1"},
        actor="alice",
    )
    s.form(
        "refused-no-name",
        "/alice/rel/",
        {":action": "file_upload", "version": "1.0"},
        file=content,
        actor="alice",
    )
    s.form(
        "refused-no-version",
        "/alice/rel/",
        {":action": "file_upload", "name": "thing"},
        file=content,
        actor="alice",
    )
    s.get("nothing-of-refused", "/alice/rel?")
    s.step("post-nothing", "POST", "/alice/rel", actor="alice")
    s.step("post-text", "POST", "/alice/rel", body=b"hello", content_type="text/plain", actor="alice")


def _replaced(s: Script) -> None:
    first, second = sdist("same", "1.0", "a"), sdist("same", "1.0", "b")
    s.upload("fixed-first", "alice/fixed", first, actor="alice")
    s.upload("fixed-identical", "alice/fixed", first, actor="alice")
    s.upload("fixed-other-bytes", "alice/fixed", second, actor="alice", fields={"summary": "sneaked in"})
    s.get("fixed-unchanged", "/alice/fixed/same/1.0")
    s.form("fixed-submit", "/alice/fixed/", {":action": "submit", "name": "same", "version": "1.0",
                                            "summary": "allowed"}, actor="alice")  # fmt: skip
    s.get("fixed-submitted", "/alice/fixed/same/1.0")
    s.upload("volatile-first", "alice/rel", first, actor="alice")
    s.upload("volatile-other-bytes", "alice/rel", second, actor="alice")
    s.get("volatile-log", "/alice/rel/same/1.0")
    s.get("volatile-old-file", f"/alice/rel/{first.address}", accept="*/*")
    s.get("volatile-new-file", f"/alice/rel/{second.address}", accept="*/*")
    s.upload("volatile-third", "alice/rel", sdist("same", "1.0", "c"), actor="alice")
    s.get("volatile-log-counts", "/alice/rel/same/1.0")
    s.upload("volatile-identical", "alice/rel", sdist("same", "1.0", "c"), actor="alice")
    s.get("volatile-identical-log", "/alice/rel/same/1.0")


def _shown(s: Script) -> None:
    s.get("index-projects", "/alice/rel")
    s.get("projects-json", "/alice/rel/+simple/", accept=SIMPLE_JSON)
    s.get("projects-no-slash", "/alice/rel/+simple", accept=HTML)
    s.get("projects-html", "/alice/rel/+simple/", accept=HTML)
    s.get("page-json", "/alice/rel/+simple/thing/", accept=SIMPLE_JSON)
    s.get("page-html", "/alice/rel/+simple/thing/", accept=HTML)
    s.get("page-no-slash", "/alice/rel/+simple/thing", accept=HTML)
    s.get("page-no-slash-json", "/alice/rel/+simple/thing", accept=SIMPLE_JSON)
    s.get("page-not-normalised", "/alice/rel/+simple/Some.Name/", accept=HTML)
    s.get("page-unknown", "/alice/rel/+simple/nothing/", accept=HTML)
    s.get("page-unknown-json", "/alice/rel/+simple/nothing/", accept=JSON)
    s.get("page-unknown-index", "/alice/nothing/+simple/thing/", accept=HTML)
    s.get("page-non-ascii", "/alice/rel/+simple/th%C3%AFng/", accept=HTML)
    s.get("index-as-simple", "/alice/rel", accept=SIMPLE_JSON)
    s.get("index-for-pip", "/alice/rel", accept=HTML, headers={"User-Agent": "pip/24.0 {}"})
    s.get("project-for-pip", "/alice/rel/thing", accept=HTML, headers={"User-Agent": "pip/24.0 {}"})
    s.get("project-unknown", "/alice/rel/nothing")
    s.get("project-html", "/alice/rel/thing", accept=HTML)
    s.get("version-unknown", "/alice/rel/thing/9.9")
    s.get("version-unknown-project", "/alice/rel/nothing/1.0")
    s.get("version-slash", "/alice/rel/thing/1.0/")
    s.get("version-unknown-index", "/alice/nothing/thing/1.0")
