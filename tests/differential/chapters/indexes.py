"""Indexes: create, options, PATCH in both forms, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.steps import HTML, JSON

if TYPE_CHECKING:
    from tests.differential.steps import Script


def write(script: Script) -> None:
    script.chapter("indexes")
    _create(script)
    _options(script)
    _mirrors(script)
    _patch_map(script)
    _patch_list(script)
    _delete(script)


def _create(s: Script) -> None:
    s.send("create-anonymous", "PUT", "/alice/dev", {})
    s.send("create-other", "PUT", "/alice/dev", {}, actor="bob")
    s.send("create-unknown-user", "PUT", "/nobody/dev", {}, actor="alice")
    s.send("create", "PUT", "/alice/dev", {}, actor="alice")
    s.send("create-twice", "PUT", "/alice/dev", {}, actor="alice")
    s.send("create-twice-anonymous", "PUT", "/alice/dev", {})
    s.send("create-by-root", "PUT", "/bob/dev/", {"type": "stage"}, actor="root")
    s.send("create-unknown-type", "PUT", "/alice/odd", {"type": "magic"}, actor="alice")
    s.send("create-blocked-name", "PUT", "/alice/a:b", {}, actor="alice")
    s.send("create-blocked-space", "PUT", "/alice/a%20b", {}, actor="alice")
    s.send("create-odd-name", "PUT", "/alice/x-y_z.1@2", {}, actor="alice")
    s.send("create-unknown-option", "PUT", "/alice/odd", {"colour": "red"}, actor="alice")
    s.send("create-unknown-options", "PUT", "/alice/odd", {"colour": "red", "size": 3}, actor="alice")
    s.step("create-broken-json", "PUT", "/alice/odd", body=b"[", content_type=JSON, actor="alice")
    s.send("create-all-options", "PUT", "/alice/full", {
        "volatile": "False", "bases": "alice/dev, bob/dev", "acl_upload": "alice,:anonymous:",
        "acl_toxresult_upload": ["alice", ":Authenticated:", ":group"], "mirror_whitelist": "Some_Name,*,b.c",
        "mirror_whitelist_inheritance": "UNION", "title": "T", "description": "D", "custom_data": 7,
        "projects": ["ignored"],
    }, actor="alice")  # fmt: skip
    s.get("get-full", "/alice/full")
    s.get("get", "/alice/dev")
    s.get("get-slash", "/alice/dev/")
    s.get("get-no-projects", "/alice/dev?no_projects=")
    s.get("get-unknown", "/alice/nothing")
    s.get("get-unknown-user", "/nobody/dev")
    s.get("get-html", "/alice/dev", accept=HTML)
    s.get("api", "/alice/dev/+api")
    s.get("user-with-indexes", "/alice")
    s.get("list", "/")


def _options(s: Script) -> None:
    def refuse(name: str, **options: object) -> None:
        s.send(f"refuse-{name}", "PUT", "/alice/bad", options, actor="alice")

    refuse("volatile-word", volatile="maybe")
    refuse("volatile-number", volatile=1)
    refuse("volatile-null", volatile=None)
    refuse("bases-unknown", bases=["alice/nothing"])
    refuse("bases-malformed", bases=["alice"])
    refuse("bases-several", bases="alice,bob/nothing,alice/dev,a/b/c")
    refuse("bases-number", bases=3)
    refuse("acl-number", acl_upload=3)
    refuse("whitelist-number", mirror_whitelist=3)
    refuse("inheritance-word", mirror_whitelist_inheritance="both")
    refuse("mirror-option-on-stage", mirror_url="http://x.example/")
    s.get("refused-is-not-there", "/alice/bad")
    for word in ("true", "Yes", "NO", "False"):
        s.send(f"volatile-{word}", "PUT", f"/alice/v{word.lower()}", {"volatile": word}, actor="alice")
    s.send("acl-empty-text", "PUT", "/alice/acl0", {"acl_upload": ""}, actor="alice")
    s.send("acl-empty-list", "PUT", "/alice/acl1", {"acl_upload": []}, actor="alice")
    s.send("acl-spaces", "PUT", "/alice/acl2", {"acl_upload": " bob , ,alice "}, actor="alice")
    s.send("bases-slashes", "PUT", "/alice/sl", {"bases": "/alice/dev/"}, actor="alice")
    s.send("bases-repeated", "PUT", "/alice/rep", {"bases": "alice/dev,alice/dev"}, actor="alice")
    s.send("bases-itself", "PUT", "/alice/me", {"bases": "alice/me"}, actor="alice")
    s.send("whitelist-names", "PUT", "/alice/wl", {"mirror_whitelist": ["A_b", "x..y", "*"]}, actor="alice")
    s.send("old-whitelist-dropped", "PUT", "/alice/pw", {"pypi_whitelist": "x"}, actor="alice")


def _mirrors(s: Script) -> None:
    upstream = {"type": "mirror", "mirror_url": "http://127.0.0.1:9/simple/"}
    s.send("mirror-plain", "PUT", "/alice/mirror", upstream, actor="alice")
    s.send("mirror-without-url", "PUT", "/alice/m0", {"type": "mirror"}, actor="alice")
    s.send("mirror-all", "PUT", "/alice/m1", {
        **upstream, "volatile": "no", "mirror_cache_expiry": "600", "mirror_ignore_serial_header": "yes",
        "mirror_no_project_list": True, "mirror_provides_core_metadata": "True",
        "mirror_use_external_urls": "false", "mirror_web_url_fmt": "http://x.example/{name}",
        "title": "M", "description": "D", "custom_data": {"a": 1},
    }, actor="alice")  # fmt: skip
    s.send("mirror-dropped-keys", "PUT", "/alice/m2", {
        **upstream, "bases": "nonsense", "acl_upload": "bob", "mirror_whitelist": "*", "pypi_whitelist": "x",
    }, actor="alice")  # fmt: skip
    s.send(
        "mirror-url-scheme", "PUT", "/alice/m3", {"type": "mirror", "mirror_url": "ftp://x"}, actor="alice"
    )
    s.send("mirror-expiry-word", "PUT", "/alice/m3", {**upstream, "mirror_cache_expiry": "x"}, actor="alice")
    s.send(
        "mirror-boolean-word", "PUT", "/alice/m3", {**upstream, "mirror_no_project_list": "x"}, actor="alice"
    )
    s.send(
        "mirror-stage-option", "PUT", "/alice/m3", {**upstream, "acl_toxresult_upload": "x"}, actor="alice"
    )
    s.send("mirror-unknown-option", "PUT", "/alice/m3", {**upstream, "mirror_title": "x"}, actor="alice")
    s.get("mirror-get", "/alice/m1?no_projects=")
    s.get("mirror-api", "/alice/m1/+api")
    s.send("mirror-patch-url", "PATCH", "/alice/m1", {"mirror_url": "https://127.0.0.1:9/"}, actor="alice")
    s.send("mirror-patch-drop", "PATCH", "/alice/m1", ["mirror_cache_expiry-=", "title-="], actor="alice")
    s.send("mirror-patch-drop-default", "PATCH", "/alice/m1", ["volatile-="], actor="alice")
    s.send("mirror-patch-bases", "PATCH", "/alice/m1", {"bases": "alice/dev"}, actor="alice")
    s.send("mirror-type-change", "PATCH", "/alice/m1", {"type": "stage"}, actor="alice")


def _patch_map(s: Script) -> None:
    def patch(name: str, body: object, *, actor: str | None = "alice", path: str = "/alice/dev") -> None:
        s.send(f"patch-{name}", "PATCH", path, body, actor=actor)

    patch("anonymous", {"title": "x"}, actor=None)
    patch("other", {"title": "x"}, actor="bob")
    patch("unknown", {"title": "x"}, path="/alice/nothing")
    patch("title", {"title": "x"})
    patch("by-root", {"description": "by root"}, actor="root", path="/alice/dev/")
    patch("noop", {"title": "x"})
    patch("empty", {})
    patch("bases", {"bases": ["bob/dev"]})
    patch("bases-cycle", {"bases": "alice/dev,bob/dev,alice/me"})
    patch("bases-unknown", {"bases": "bob/nothing"})
    patch("bases-empty", {"bases": ""})
    patch("acl", {"acl_upload": "alice,bob,:authenticated:"})
    patch("acl-back", {"acl_upload": ["alice"]})
    patch("volatile", {"volatile": "False"})
    patch("volatile-back", {"volatile": True})
    patch("same-type", {"type": "stage"})
    patch("other-type", {"type": "mirror"})
    patch("projects-ignored", {"projects": ["x"]})
    patch("unknown-key", {"colour": "red"})
    patch("wrapped", {"type": "indexconfig", "result": {"title": "wrapped"}})
    patch("custom-data", {"custom_data": {"deep": [{"x": None}]}})
    patch("title-emptied", {"title": ""})
    patch("noop-refused", {"title": ""}, path="/alice/dev?error_on_noop=")
    s.get("get-after-map", "/alice/dev")
    s.step("patch-broken-json", "PATCH", "/alice/dev", body=b"{", content_type=JSON, actor="alice")


def _patch_list(s: Script) -> None:
    def patch(name: str, *operations: str, actor: str | None = "alice") -> None:
        s.send(f"list-{name}", "PATCH", "/alice/dev", list(operations), actor=actor)

    patch("anonymous", "title=x", actor=None)
    patch("set", "title=new title")
    patch("set-with-equals", "description=a=b=c")
    patch("set-volatile", "volatile=False")
    patch("set-volatile-back", "volatile=true")
    patch("set-volatile-wrong", "volatile=perhaps")
    patch("set-list", "acl_upload=alice,bob")
    patch("add", "acl_upload+=carol")
    patch("add-again", "acl_upload+=carol")
    patch("add-special", "acl_upload+=:anonymous:")
    patch("remove", "acl_upload-=bob")
    patch("remove-missing", "acl_upload-=bob")
    patch("remove-last-ones", "acl_upload-=carol", "acl_upload-=:ANONYMOUS:")
    patch("add-base", "bases+=bob/dev")
    patch("add-base-unknown", "bases+=bob/nothing")
    patch("remove-base", "bases-=bob/dev")
    patch("add-whitelist", "mirror_whitelist+=Some_Name")
    patch("add-whitelist-normalised", "mirror_whitelist+=some-name")
    patch("remove-whitelist", "mirror_whitelist-=some-name")
    patch("drop", "title-=")
    patch("drop-missing", "title-=")
    patch("drop-default", "acl_upload-=")
    patch("several", "title=a", "description=b", "mirror_whitelist+=x", "mirror_whitelist-=x")
    patch("several-one-wrong", "title=lost", "bases+=no/where")
    patch("unknown-set", "colour=red")
    patch("unknown-add", "colour+=red")
    patch("unknown-drop", "colour-=")
    patch("no-operator", "title")
    patch("type", "type=mirror")
    patch("empty")
    s.get("get-after-list", "/alice/dev")


def _delete(s: Script) -> None:
    s.step("delete-anonymous", "DELETE", "/alice/sl")
    s.step("delete-other", "DELETE", "/alice/sl", actor="bob")
    s.step("delete-unknown", "DELETE", "/alice/nothing", actor="alice")
    s.step("delete-non-volatile", "DELETE", "/alice/full", actor="alice")
    s.step("delete-non-volatile-force", "DELETE", "/alice/full?force=", actor="alice")
    s.step("delete-by-root", "DELETE", "/alice/sl/", actor="root")
    s.step("delete", "DELETE", "/alice/rep", actor="alice")
    s.get("get-deleted", "/alice/rep")
    s.step("delete-user-with-non-volatile", "DELETE", "/alice", actor="root")
    s.send("create-anew", "PUT", "/alice/rep", {"volatile": False}, actor="alice")
    s.get("get-anew", "/alice/rep")
