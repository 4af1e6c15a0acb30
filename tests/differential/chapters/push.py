"""Push from one index to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.differential.steps import JSON, SIMPLE_JSON, sdist

if TYPE_CHECKING:
    from tests.differential.steps import Script


def write(script: Script) -> None:
    script.chapter("push")
    _prepare(script)
    _refused(script)
    _pushed(script)


def _prepare(s: Script) -> None:
    for name, options in {
        "src": {}, "dst": {}, "prod": {"volatile": False}, "closed": {"acl_upload": []},
    }.items():  # fmt: skip
        s.send(f"make-{name}", "PUT", f"/alice/{name}", options, actor="alice")
    s.upload("upload-1", "alice/src", sdist("goods", "1.0"), actor="alice", fields={"summary": "one"})
    s.upload("upload-1-zip", "alice/src", sdist("goods", "1.0", filename="goods-1.0.zip"), actor="alice")
    s.upload("upload-1-again", "alice/src", sdist("goods", "1.0", "second"), actor="alice")
    s.upload("upload-2", "alice/src", sdist("goods", "2.0"), actor="alice")
    s.form(
        "register-empty", "/alice/src/", {":action": "submit", "name": "empty", "version": "1"}, actor="alice"
    )


def _refused(s: Script) -> None:
    def push(name: str, body: Any, *, actor: str | None = "alice", path: str = "/alice/src") -> None:
        s.send(name, "PUSH", path, body, actor=actor)

    goods = {"name": "goods", "version": "1.0", "targetindex": "alice/dst"}
    push("anonymous", goods, actor=None)
    push("other", goods, actor="bob")
    push("root", goods, actor="root")
    push("closed", {**goods, "targetindex": "alice/closed"})
    push("to-mirror", {**goods, "targetindex": "alice/m0"})
    push("target-unknown", {**goods, "targetindex": "alice/nothing"})
    push("target-malformed", {**goods, "targetindex": "alice"})
    push("target-too-long", {**goods, "targetindex": "alice/dst/x"})
    push("source-unknown", goods, path="/alice/nothing")
    push("version-unknown", {**goods, "version": "9"})
    push("project-unknown", {**goods, "name": "nothing"})
    push("registered-only", {**goods, "name": "empty", "version": "1"})
    push("unknown-option", {**goods, "colour": "red", "a": 1})
    push("docs-contradiction", {**goods, "no_docs": True, "only_docs": True})
    push("only-docs-without-docs", {**goods, "only_docs": True})
    push("no-name", {"version": "1.0", "targetindex": "alice/dst"})
    push("no-version", {"name": "goods", "targetindex": "alice/dst"})
    push("no-target", {"name": "goods", "version": "1.0"})
    s.step("broken-json", "PUSH", "/alice/src", body=b"{", content_type=JSON, actor="alice")
    push("from-base", goods, path="/alice/dst")
    s.get("nothing-pushed", "/alice/dst")


def _pushed(s: Script) -> None:
    goods = {"name": "goods", "version": "1.0", "targetindex": "alice/dst"}
    s.send("done", "PUSH", "/alice/src", goods, actor="alice")
    s.get("target", "/alice/dst/goods")
    s.get("target-page", "/alice/dst/+simple/goods/", accept=SIMPLE_JSON)
    s.get("target-file", f"/alice/dst/{sdist('goods', '1.0', 'second').address}", accept="*/*")
    s.get("source-unchanged", "/alice/src/goods/1.0")
    s.send("again", "PUSH", "/alice/src", goods, actor="alice")
    s.get("target-again", "/alice/dst/goods/1.0")
    s.send(
        "other-spelling", "PUSH", "/alice/src/", {**goods, "name": "Goods", "version": "2.0"}, actor="alice"
    )
    s.get("target-spelling", "/alice/dst/goods/2.0")
    s.send("no-docs-as-post", "POST", "/alice/src", {**goods, "no_docs": True}, actor="alice")
    s.send("to-fixed", "PUSH", "/alice/dst", {**goods, "targetindex": "alice/prod"}, actor="alice")
    s.send("to-fixed-again", "PUSH", "/alice/dst", {**goods, "targetindex": "alice/prod"}, actor="alice")
    s.get("fixed-log", "/alice/prod/goods/1.0")
    s.send("to-itself", "PUSH", "/alice/dst", {**goods, "targetindex": "alice/dst"}, actor="alice")
    s.get("log-after-itself", "/alice/dst/goods/1.0")
