"""The words in which the request script is written: one step is one request."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON = "application/json"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
ANYTHING = "*/*"
HTML = "text/html"

Fields = dict[str, str | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request, the same for every server."""

    name: str  # chapter/what, unique
    method: str
    path: str
    actor: str | None = None  # sends the token of that user's last login
    body: bytes | None = None
    content_type: str | None = None
    accept: str | None = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    logs_in: str | None = None  # keep the token of the answer for that user


class Script:
    """Collects the steps of all chapters."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._chapter = ""

    def chapter(self, name: str) -> None:
        """Begin a chapter: its name goes before the names of its steps."""
        self._chapter = name

    def step(self, name: str, method: str, path: str, **words: Any) -> None:
        """Add a request; its path may have a query."""
        self.steps.append(Step(name=f"{self._chapter}/{name}", method=method, path=path, **words))

    def send(self, name: str, method: str, path: str, body: Any, **words: Any) -> None:
        """Add a request with a JSON body."""
        encoded = json.dumps(body).encode()
        self.step(name, method, path, body=encoded, content_type=JSON, **words)

    def get(self, name: str, path: str, **words: Any) -> None:
        """Add a GET."""
        self.step(name, "GET", path, **words)

    def login(self, name: str, user: str, password: str) -> None:
        """Add a login whose token later steps of that user send."""
        self.send(name, "POST", "/+login", {"user": user, "password": password}, logs_in=user)

    def form(
        self,
        name: str,
        path: str,
        fields: Fields,
        *,
        file: tuple[str, bytes] | None = None,
        **words: Any,
    ) -> None:
        """Add an upload form."""
        boundary = uuid.uuid5(uuid.NAMESPACE_OID, f"{self._chapter}/{name}").hex
        words.setdefault("accept", ANYTHING)
        self.step(
            name,
            "POST",
            path,
            body=multipart(boundary, fields, file),
            content_type=f"multipart/form-data; boundary={boundary}",
            **words,
        )

    def upload(self, name: str, index: str, release: Release, *, actor: str | None, **more: Any) -> None:
        """Add the upload of a file."""
        fields: Fields = {":action": "file_upload", "name": release.name, "version": release.version}
        fields |= more.pop("fields", {})
        self.form(name, f"/{index}/", fields, file=(release.filename, release.content), actor=actor, **more)


@dataclass(frozen=True, slots=True)
class Release:
    """A file to upload, and the part of its URL after the index."""

    name: str
    version: str
    filename: str
    content: bytes

    @property
    def address(self) -> str:
        """``+f/abc/0123456789abc/name``."""
        digest = hashlib.sha256(self.content).hexdigest()
        return f"+f/{digest[:3]}/{digest[3:16]}/{self.filename}"


def sdist(name: str, version: str, content: str = "", *, filename: str | None = None) -> Release:
    """Return something that both servers take as an sdist; neither looks into it."""
    filename = filename or f"{name}-{version}.tar.gz"
    return Release(name, version, filename, f"{filename} {content}".encode())


def multipart(
    boundary: str, fields: Mapping[str, str | Sequence[str]], file: tuple[str, bytes] | None
) -> bytes:
    """Return the body of a form, its fields in order and its file last, as twine sends it."""
    lines: list[bytes] = []
    for name, value in fields.items():
        for item in [value] if isinstance(value, str) else value:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            lines.append(head.encode() + item.encode() + b"\r\n")
    if file is not None:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{file[0]}"\r\n'
        lines.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + file[1] + b"\r\n")
    return b"".join(lines) + f"--{boundary}--\r\n".encode()
