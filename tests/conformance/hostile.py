"""Requests that nobody should send, made from a seed: odd paths, headers, and bodies of every kind."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

from node.http.app import ROUTES

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PUSH", "TRACE")
WORDS = (
    "root", "dev", "alice", "pypi", "thing", "1.0", "+simple", "simple", "+f", "+e", "abc", "0123456789abc", "json",
    "thing-1.0-py3-none-any.whl", "thing-1.0-py3-none-any.whl.metadata", "thing-1.0.tar.gz", "+tokens", "+api", "+login",
    "%00", "%FF", "%C3%A4", "..", "%2e%2e", "%2F", "%", "%zz", "%F0%9F%92%A9", "a" * 300, "ä", "", " ", "*", "?", "0", "-",
)  # fmt: skip
QUERIES = (
    "force=",
    "no_projects=",
    "ignore_bases=",
    "format=x",
    "%00",
    "a=%FF",
    "error_on_noop",
    ":action=submit",
    "=&=&",
)
KEYS = (
    "type", "volatile", "bases", "acl_upload", "acl_read", "acl_pkg_read", "acl_toxresult_upload", "mirror_whitelist",
    "mirror_whitelist_inheritance", "mirror_url", "mirror_cache_expiry", "mirror_no_project_list", "mirror_web_url_fmt",
    "mirror_use_external_urls", "title", "description", "custom_data", "projects", "password", "pwhash", "email", "user",
    "username", "created", "name", "version", "targetindex", "posturl", "register_project", "no_docs", "only_docs", "allowed",
    "indexes", "expires", "not_before", "note", "result", "", "\0", "ä",
)  # fmt: skip
TEXTS = (
    "", "x", "root/dev", "a/b/c", "\0", "\ud800", "ä" * 50, "a" * 5000, "true", "5", "http://x", "http://[", "*", "1.0",
    ":ANONYMOUS:", "thing", "=", "a+=b", "never",
)  # fmt: skip
NUMBERS = (0, -1, 5, 1 << 70, 1.5, 1e308, float("nan"))
BROKEN_JSON = (
    b"",
    b"{",
    b"\xff\xfe",
    b"[" * 5000,
    b"null",
    b'{"a":1e999}',
    b'{"user":"\\ud800","password":"\\udfff"}',
)
FORM_FIELDS = (
    ":action", "name", "version", "filetype", "requires_python", "protocol_version", "sha256_digest", "content", "summary",
    "classifiers",
)  # fmt: skip
FORM_VALUES = (
    "file_upload",
    "submit",
    "doc_upload",
    "thing",
    "1.0",
    "",
    "\0",
    "ä",
    "<>",
    "a" * 200,
    ">=3",
    "zz",
    "1",
)
FILENAMES = (
    "thing-1.0.tar.gz",
    "thing-1.0-py3-none-any.whl",
    "thing-2.0.zip",
    "../x",
    "",
    "a" * 300 + ".whl",
    "ä-1.0.tar.gz",
)
HEADERS: dict[str, tuple[str, ...]] = {
    "Accept": ("application/json", "text/html", "*/*", "application/vnd.pypi.simple.v1+json", "q=;;,", ""),
    "Authorization": (
        "Basic",
        "Basic !!!",
        "Basic cm9vdDo=",
        "Basic /////w==",
        "Bearer",
        "Bearer wy_x",
        "Digest x",
    ),
    "X-Devpi-Auth": ("cm9vdDo=", "!!!", "\xe4", "cm9vdA=="),
    "X-Outside-URL": ("http://out.example.org/side", "::", "/", "http://["),
    "X-Original-URI": ("/root/dev", "%", "http://[", "/root/dev/+f/abc/0123456789abc/x"),
    "X-Devpi-Absolute-Urls": ("1",),
    "Range": ("bytes=0-0", "bytes=-", "bytes=9-1", "x"),
    "If-None-Match": ("*", '"x"'),
    "User-Agent": ("pip/1", "uv/1 ", "devpi-client/7"),
    "Accept-Encoding": ("gzip", "gzip;q=0", "*;q=x"),
}
_SLASH = re.compile(r"\{slash[^}]*\}")
_PART = re.compile(r"\{[^{}]*(?:\{\d+\}[^{}]*)*\}")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


class Hostile:
    """Makes requests; equal seeds make equal ones."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def request(self) -> Request:
        chance = self._random.random
        method, pattern, _ = self._random.choice(ROUTES)
        path = self._path(pattern if chance() < 0.75 else None)
        if chance() < 0.3:
            method = self._random.choice(METHODS)
        headers = {name: self._random.choice(values) for name, values in HEADERS.items() if chance() < 0.25}
        body = None
        if method not in {"GET", "HEAD"} or chance() < 0.1:
            body, headers["Content-Type"] = self._body()
        return Request(method, path, headers, body)

    def _path(self, pattern: str | None) -> str:
        if pattern is None:
            path = "/" + "/".join(self._word() for _ in range(self._random.randint(0, 6)))
        else:
            path = _PART.sub(
                lambda _: self._word(), _SLASH.sub(lambda _: self._random.choice(("", "/")), pattern)
            )
        return f"{path}?{self._random.choice(QUERIES)}" if self._random.random() < 0.2 else path

    def _word(self) -> str:
        return quote(self._random.choice(WORDS), safe="%+")

    def _value(self, depth: int = 0) -> Any:
        kind = self._random.randint(0, 9)
        if kind == 0:
            return self._random.choice((None, True, False))
        if kind == 1:
            return self._random.choice(NUMBERS)
        if kind in {2, 3} and depth < 3:
            return [self._value(depth + 1) for _ in range(self._random.randint(0, 4))]
        if kind in {4, 5} and depth < 3:
            return self._object(depth + 1)
        return self._random.choice(TEXTS)

    def _object(self, depth: int = 0) -> dict[str, Any]:
        return {self._random.choice(KEYS): self._value(depth) for _ in range(self._random.randint(0, 5))}

    def _body(self) -> tuple[bytes, str]:
        kind = self._random.randint(0, 9)
        if kind < 5:
            return json.dumps(self._object() if kind < 4 else self._value()).encode(), "application/json"
        if kind == 5:
            signs, values = ("=", "+=", "-=", ""), ("", "x", "root/dev", "true", "a,b", "\0")
            choose = self._random.choice
            changes = [choose(KEYS) + choose(signs) + choose(values) for _ in range(3)]
            return json.dumps(changes).encode(), "application/json"
        if kind == 6:
            return self._random.choice(BROKEN_JSON), "application/json"
        if kind == 7:
            return self._form()
        if kind == 8:
            return b":action=submit&name=thing&version=%00&x=%FF", "application/x-www-form-urlencoded"
        return self._random.choice(
            (b"<a>", b"\0", b"<methodCall><methodName>x</methodName></methodCall>")
        ), "text/xml"

    def _form(self) -> tuple[bytes, str]:
        choose = self._random.choice
        fields = {choose(FORM_FIELDS): choose(FORM_VALUES) for _ in range(self._random.randint(0, 6))}
        fields.setdefault(":action", choose(("submit", "file_upload", "doc_upload")))
        if self._random.random() < 0.7:
            fields |= {"name": "thing", "version": choose(("1.0", "2.0", "ä", "1/2", "\0"))}
        head = '--bound\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
        parts = [head.format(name, "", value) for name, value in fields.items()]
        if self._random.random() < 0.6:
            parts.append(head.format("content", f'; filename="{choose(FILENAMES)}"', "PK\x03\x04xxxx"))
        return "".join([*parts, "--bound--\r\n"]).encode(), "multipart/form-data; boundary=bound"
