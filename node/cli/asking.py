"""Asking a running node over HTTP, from a command."""

import json
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

ANSWER_SECONDS = 10.0


class NodeSilent(Exception):
    """A node gave no usable answer."""

    def __init__(self, url: str, detail: str) -> None:
        super().__init__(f"{url} does not answer: {detail}")
        self.url = url
        self.detail = detail


class NodeRefused(Exception):
    """A node answered that it will not do it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def ask(
    url: str,
    path: str,
    *,
    method: str = "GET",
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """Return the ``result`` of what a node answers in JSON; None when it has only a message.

    Raises:
        NodeSilent: no answer came, or one that no node gives.
        NodeRefused: the answer is an error.

    """
    encoded = None if body is None else json.dumps(body).encode()
    _, content = fetch(url, path, method=method, body=encoded, headers=headers)
    try:
        answer = json.loads(content)
        return answer["result"] if "message" not in answer else answer.get("result")
    except (ValueError, KeyError, TypeError):
        raise NodeSilent(url, "its answer is not that of a Wheelyard node") from None


def fetch(
    url: str,
    path: str,
    *,
    method: str | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[Mapping[str, str], bytes]:
    """Return the headers and the body that a node answers.

    Args:
        url: the node's URL; proxies of the environment are not used, nodes are near.
        path: path and query.
        method: as it is sent; POST where there is a body, else GET.
        body: what is sent.
        headers: sent besides the usual ones.
        context: how TLS certificates are checked; by default against those of the system.

    Raises:
        NodeSilent: no answer came, or one that no node gives.
        NodeRefused: the answer is an error.

    """
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise NodeSilent(url, "a URL starts with http:// or https://")
    given = {"Accept": "application/json", **(headers or {})}
    request = Request(url.rstrip("/") + path, data=body, headers=given, method=method)  # noqa: S310 - checked above
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=ANSWER_SECONDS) as response:
            return response.headers, response.read()
    except HTTPError as error:
        with error:
            raise NodeRefused(error.code, _message(error)) from error
    except URLError as error:
        raise NodeSilent(url, _reason(error.reason)) from error
    except (OSError, HTTPException) as error:
        raise NodeSilent(url, _reason(error)) from error


def _message(error: HTTPError) -> str:
    text = error.read(4096).decode(errors="replace").strip()
    if error.headers.get_content_type() == "text/plain" and text:
        return text.splitlines()[0]
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"


def _reason(error: object) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
