"""Replaying the script against one server, and bringing its answers to a form that can be compared."""

from __future__ import annotations

import base64
import http.client
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tests.differential.steps import JSON, SIMPLE_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.differential.steps import Step

ANSWER_SECONDS = 60.0
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_TIMES = {"created", "modified", "last_modified"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What of an answer is compared."""

    status: int
    reason: str
    json: Any = field(default=None)  # normalised; None where the body is no JSON

    def differing(self, other: Answer) -> tuple[str, ...]:
        """Return the names of the parts that differ."""
        return tuple(
            part for part in ("status", "reason", "json") if getattr(self, part) != getattr(other, part)
        )


class Replayer:
    """One client of one server; keeps the tokens of its users."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=ANSWER_SECONDS
        )
        self._tokens: dict[str, str] = {}
        self.serials: dict[str, int] = {}  # step -> X-DEVPI-SERIAL

    def replay(self, steps: Iterable[Step]) -> dict[str, Answer]:
        """Send all steps in order and return the normalised answers by name."""
        try:
            return {step.name: self._answer(step) for step in steps}
        finally:
            self._connection.close()

    def _answer(self, step: Step) -> Answer:
        headers = dict(step.headers)
        if step.accept is not None:
            headers.setdefault("Accept", step.accept)
        if step.content_type is not None:
            headers["Content-Type"] = step.content_type
        if step.actor is not None:
            pair = f"{step.actor}:{self._tokens[step.actor]}".encode()
            headers["X-Devpi-Auth"] = base64.b64encode(pair).decode()
        status, reason, answered, content = self._exchange(step, headers)
        self.serials[step.name] = int(answered.get("X-DEVPI-SERIAL", -1))
        kind = answered.get("Content-Type", "").partition(";")[0]
        body: Any = json.loads(content) if kind in {JSON, SIMPLE_JSON} and content else None
        if step.logs_in is not None and status == 200:
            self._tokens[step.logs_in] = body["result"]["password"]
        if kind == SIMPLE_JSON:
            body = _simple_page(body, base=step.path)
        normalised = self._normalised(body)
        location = answered.get("Location")
        if location is not None:
            normalised = {"location": urlsplit(urljoin(self._url + step.path, location)).path}
        return Answer(status, reason, normalised)

    def _exchange(
        self, step: Step, headers: dict[str, str]
    ) -> tuple[int, str, http.client.HTTPMessage, bytes]:
        for is_last in (False, True):
            try:
                self._connection.request(step.method, step.path, body=step.body, headers=headers)
                response = self._connection.getresponse()
                return response.status, response.reason, response.headers, response.read()
            except (http.client.BadStatusLine, ConnectionError):
                # The server closed a connection that was kept open, before this request reached it.
                self._connection.close()
                if is_last:
                    raise
        raise AssertionError

    def _normalised(self, value: Any) -> Any:
        """Return JSON without hosts, times, tokens and serials."""
        if isinstance(value, dict):
            return {key: self._normalised_member(key, member) for key, member in value.items()}
        if isinstance(value, list):
            return [self._normalised(item) for item in value]
        if isinstance(value, str):
            return value.replace(self._url, "http://HOST").replace(self._url.partition("//")[2], "HOST")
        return value

    def _normalised_member(self, key: str, member: Any) -> Any:
        if key == "when":
            return "WHEN" if isinstance(member, list) and len(member) == 6 else member
        if key in _TIMES and isinstance(member, str):
            return _TIME.sub("TIME", member) if key != "last_modified" else "TIME"
        if key == "password" and isinstance(member, str):
            return "TOKEN"
        return self._normalised(member)


def _simple_page(page: Any, *, base: str) -> Any:
    """Return what the Simple API 1.0 says, in any order: Wheelyard's 1.4 says more."""
    if "projects" in page:
        return {"projects": sorted(project["name"] for project in page["projects"])}
    files = [
        {
            "filename": file["filename"],
            "path": urlsplit(urljoin("http://HOST" + base, file["url"])).path,
            "hashes": file["hashes"],
            "requires-python": file.get("requires-python") or None,  # devpi writes an empty one
        }
        for file in page["files"]
    ]
    return {"name": page["name"], "files": sorted(files, key=lambda file: str(file["filename"]))}
