"""Users and logins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.peers.peer import ROOT_PASSWORD
from tests.differential.steps import HTML, JSON

if TYPE_CHECKING:
    from tests.differential.steps import Script

_BLOCKED = {"space": "%20", "colon": "a:b", "comma": "a,b", "plus": "a+b", "tilde": "a~b", "bang": "a!b"}


def write(script: Script) -> None:
    script.chapter("users")
    _create(script)
    _login(script)
    _show(script)
    _modify(script)
    _delete(script)


def _create(s: Script) -> None:
    s.send("create-alice", "PUT", "/alice", {"password": "secret-a"})
    s.send("create-bob", "PUT", "/bob/", {"password": "secret-b", "email": "bob@example.org"})
    s.send("create-carol-with-all", "PUT", "/carol", {
        "password": "secret-c", "email": "c@example.org", "title": "Carol", "description": "All fields",
        "custom_data": {"team": ["x", 1, None]},
    })  # fmt: skip
    s.send("create-dave-empty-password", "PUT", "/dave", {"password": ""})
    s.send("create-falsy-fields", "PUT", "/frank", {"password": "f", "email": "", "title": None})
    s.send("create-twice", "PUT", "/alice", {"password": "other"})
    s.send("create-without-password", "PUT", "/erin", {"email": "e@example.org"})
    s.send("create-with-hash-only", "PUT", "/erin", {"pwhash": "$argon2id$nonsense"})
    s.send("create-unknown-key", "PUT", "/erin", {"password": "x", "colour": "red"})
    s.send("create-odd-but-allowed", "PUT", "/a-b_c.d@e", {"password": "x"})
    s.send("create-non-ascii", "PUT", "/j%C3%BCrgen", {"password": "x"})
    for name, path in _BLOCKED.items():
        s.send(f"create-blocked-{name}", "PUT", f"/{path}", {"password": "x"})
    s.step("create-broken-json", "PUT", "/erin", body=b"{", content_type=JSON)
    s.step("create-no-body", "PUT", "/erin")
    s.get("get-not-created", "/erin")


def _login(s: Script) -> None:
    s.login("login-root", "root", ROOT_PASSWORD)
    s.login("login-alice", "alice", "secret-a")
    s.login("login-bob", "bob", "secret-b")
    s.login("login-carol", "carol", "secret-c")
    s.login("login-dave-empty", "dave", "")
    s.login("login-non-ascii", "jürgen", "x")
    s.send("login-wrong-password", "POST", "/+login", {"user": "alice", "password": "wrong"})
    s.send("login-unknown-user", "POST", "/+login", {"user": "nobody", "password": "x"})
    s.send("login-no-password", "POST", "/+login", {"user": "alice"})
    s.send("login-no-user", "POST", "/+login", {"password": "x"})
    s.send("login-null-password", "POST", "/+login", {"user": "alice", "password": None})
    s.step("login-broken-json", "POST", "/+login", body=b"not json", content_type=JSON)
    s.step("login-empty", "POST", "/+login", body=b"", content_type=JSON)
    s.send("login-html", "POST", "/+login", {"user": "alice", "password": "secret-a"}, accept=HTML)
    s.get("login-get", "/+login")


def _show(s: Script) -> None:
    s.get("api", "/+api")
    s.get("api-alice", "/+api", actor="alice")
    s.get("api-user", "/alice/+api")
    s.get("api-unknown-user", "/nobody/+api")
    s.get("api-unknown-index", "/alice/nothing/+api")
    bad = {"X-Devpi-Auth": "YWxpY2U6bm9uc2Vuc2U="}
    for name, uri in {"api": "/+api", "login": "/+login", "page": "/alice/dev/+simple/", "list": "/",
                      "unknown": "/a/b/c/d/e", "file": "/alice/dev/+f/abc/0123456789abc/x.zip"}.items():  # fmt: skip
        s.get(
            f"authcheck-{name}", "/+authcheck", headers={"X-Original-URI": f"http://HOST{uri}"}, accept="*/*"
        )
    s.get("api-bad-token", "/+api", headers=bad)
    s.get("api-unreadable-auth", "/+api", headers={"X-Devpi-Auth": "%%%"})
    s.get("api-basic-password", "/+api", headers={"Authorization": "Basic Ym9iOnNlY3JldC1i"})
    s.get("api-basic-no-colon", "/+api", headers={"Authorization": "Basic Ym9i"})
    s.get("get-alice", "/alice")
    s.get("get-alice-slash", "/alice/")
    s.get("get-bob", "/bob")
    s.get("get-carol", "/carol", actor="bob")
    s.get("get-frank", "/frank")
    s.get("get-unknown", "/nobody")
    s.get("get-root", "/root")
    s.get("get-non-ascii", "/j%C3%BCrgen")
    s.get("list", "/")


def _modify(s: Script) -> None:
    s.send("patch-anonymous", "PATCH", "/alice", {"email": "a@example.org"})
    s.send("patch-other", "PATCH", "/alice", {"email": "a@example.org"}, actor="bob")
    s.send("patch-password-other", "PATCH", "/alice", {"password": "hacked"}, actor="bob")
    s.send("patch-unknown-anonymous", "PATCH", "/nobody", {"email": "x"})
    s.send("patch-unknown-root", "PATCH", "/nobody", {"email": "x"}, actor="root")
    s.send("patch-own-email", "PATCH", "/alice", {"email": "a@example.org"}, actor="alice")
    s.get("get-after-email", "/alice")
    s.send("patch-same-again", "PATCH", "/alice", {"email": "a@example.org"}, actor="alice")
    s.send("patch-by-root", "PATCH", "/alice/", {"title": "Alice", "description": "text"}, actor="root")
    s.send("patch-custom-data", "PATCH", "/alice", {"custom_data": {"k": [1]}}, actor="alice")
    s.send("patch-unknown-key", "PATCH", "/alice", {"colour": "red"}, actor="alice")
    s.send("patch-ignored-keys", "PATCH", "/alice", {
        "username": "eve", "indexes": {"x": {}}, "created": "2000-01-01T00:00:00Z", "modified": "x",
    }, actor="alice")  # fmt: skip
    s.get("get-after-ignored", "/alice")
    s.send("patch-removes-falsy", "PATCH", "/alice", {"title": "", "description": None}, actor="alice")
    s.get("get-after-removal", "/alice")
    s.send("patch-empty", "PATCH", "/alice", {}, actor="alice")
    s.send("patch-password", "PATCH", "/alice", {"password": "secret-a2"}, actor="alice", logs_in="alice")
    s.login("login-with-new-password", "alice", "secret-a2")
    s.send("login-with-old-password", "POST", "/+login", {"user": "alice", "password": "secret-a"})
    s.send(
        "patch-password-and-title", "PATCH", "/bob", {"password": "secret-b2", "title": "Bob"}, actor="root"
    )
    s.login("login-bob-again", "bob", "secret-b2")
    s.get("get-bob-changed", "/bob")
    s.step("patch-broken-json", "PATCH", "/alice", body=b"{", content_type=JSON, actor="alice")


def _delete(s: Script) -> None:
    s.step("delete-anonymous", "DELETE", "/frank")
    s.step("delete-other", "DELETE", "/frank", actor="bob")
    s.step("delete-unknown", "DELETE", "/nobody", actor="root")
    s.step("delete-root", "DELETE", "/root", actor="root")
    s.step("delete-by-root", "DELETE", "/frank", actor="root")
    s.get("get-deleted", "/frank")
    s.step("delete-again", "DELETE", "/frank/", actor="root")
    s.step("delete-self", "DELETE", "/dave", actor="dave")
    s.get("api-of-deleted-user", "/+api", actor="dave")
    s.send("create-anew", "PUT", "/dave", {"password": "new"})
    s.get("get-anew", "/dave")
