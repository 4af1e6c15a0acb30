"""The one place that turns errors into HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from html import escape
from http import HTTPStatus

import structlog
from aiohttp import web

from node.errors import CallRefused, LoginRequired, OutcomeUnknown, Refusal
from node.http.keys import SENTENCE_IN_REASON
from node.http.respond import envelope, wants_json
from node.http.xmlrpc import fault
from node.mirror.errors import (
    DownloadCorrupt,
    MirrorError,
    UpstreamDown,
    UpstreamFileMissing,
    UpstreamUrlRefused,
)
from replication.errors import ProofRefused, ReplicationError
from storage.errors import BlobMissing, StorageError, StorageFull

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATUS_OF: dict[type[Exception], int] = {
    StorageFull: 507,
    BlobMissing: 503,  # on its way to this replica
    StorageError: 503,
    ProofRefused: 403,
    ReplicationError: 400,
    UpstreamFileMissing: 404,
    UpstreamUrlRefused: 400,
    UpstreamDown: 502,
    DownloadCorrupt: 502,
    MirrorError: 502,
}
"""Statuses of the errors of the lower floors and of the mirror, by the nearest class."""
REASON_CHARACTERS_MAX = 200
RETRY_AFTER_SECONDS = 5
OUTCOME_HEADER = "X-Write-Outcome"
_log = structlog.get_logger()


@web.middleware
async def errors_to_http(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer refusals and errors with a status and one sentence; a rejected request changed nothing."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        # devpi has no 405: a method that a path does not know is a page that is not there.
        status = 404 if error.status == 405 else error.status
        message = {404: "no such page", 405: "no such method here"}.get(error.status, error.reason)
        return _answer(request, status, message, None)
    except Refusal as refusal:
        return _refused(request, refusal)
    except (StorageError, ReplicationError, MirrorError) as error:
        status = status_of(error)
        _log.warning(
            "request failed", method=request.method, path=request.path, status=status, error=str(error)
        )
        retry = getattr(error, "retry_after_seconds", RETRY_AFTER_SECONDS if status in {502, 503} else None)
        return _answer(request, status, str(error), retry)
    except (ConnectionResetError, asyncio.CancelledError):
        raise
    except Exception:  # noqa: BLE001 - the last stop: a client gets 500 and the log the traceback
        _log.exception("request crashed", method=request.method, path=request.path)
        return _answer(request, 500, "internal error", None)


def status_of(error: Exception) -> int:
    """Return the status of the nearest class that has one."""
    return next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)


def _refused(request: web.Request, refusal: Refusal) -> web.StreamResponse:
    if isinstance(refusal, CallRefused):
        return fault(refusal)
    response = _answer(request, refusal.status, refusal.message, refusal.retry_after_seconds)
    if isinstance(refusal, OutcomeUnknown):
        response.headers[OUTCOME_HEADER] = "unknown"
    if isinstance(refusal, LoginRequired) and refusal.challenge:
        response.headers["WWW-Authenticate"] = 'Basic realm="pypi"'
    return response


def _answer(request: web.Request, status: int, message: str, retry_after_seconds: int | None) -> web.Response:
    if wants_json(request):
        response = envelope(status, message=message)
    elif has_sentence_in_reason(request):
        response = web.Response(status=status, text=message + "\n")
    else:
        title = HTTPStatus(status).phrase
        page = f"<html>\n<head><title>{status} {title}</title></head>\n<body><h1>{status} {title}</h1>\n"
        response = web.Response(
            status=status, text=f"{page}{escape(message)}\n</body>\n</html>\n", content_type="text/html"
        )
    if has_sentence_in_reason(request):
        response.set_status(status, reason_phrase(message))
    response.headers["Cache-Control"] = "no-store"
    if retry_after_seconds is not None:
        response.headers["Retry-After"] = str(retry_after_seconds)
    return response


def has_sentence_in_reason(request: web.Request) -> bool:
    """Say whether the client looks for the sentence in the reason phrase."""
    return bool(request.get(SENTENCE_IN_REASON))


def reason_phrase(message: str) -> str:
    """Return a sentence as a reason phrase: one line of Latin-1, not too long (RFC 9112 section 4)."""
    line = "".join(character if " " <= character <= "~" else "?" for character in message)
    return line[:REASON_CHARACTERS_MAX]
