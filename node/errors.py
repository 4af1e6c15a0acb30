"""Everything the node refuses, as one tree.

::

    Refusal                      the request changes nothing; ``status`` and ``message`` are the answer
    ├── BadRequest        400    ├── NotFound    404    ├── TooLarge        413
    ├── LoginRequired     401    ├── Conflict    409    ├── TooManyLogins   429
    ├── Forbidden         403    ├── Gone        410    ├── BadGateway      502
    ├── Unavailable       503
    └── CallRefused       200    an XML-RPC call: CallMalformed, MethodUnknown, ArgumentsRefused

Handlers raise these (and the errors of ``storage``, ``replication`` and ``node.mirror``);
``node.http.errors`` is the one place that turns them into HTTP.
"""

from typing import ClassVar


class Refusal(Exception):
    """A request that is answered with one sentence and changed nothing."""

    status: ClassVar[int] = 500
    retry_after_seconds: int | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(Refusal):
    """The request is malformed or its values do not fit."""

    status = 400


class LoginRequired(Refusal):
    """Nobody is logged in, or the login failed."""

    status = 401

    def __init__(self, message: str, *, challenge: bool = True) -> None:
        super().__init__(message)
        self.challenge = challenge


class Forbidden(Refusal):
    """The user is known and may not do this."""

    status = 403


class NotFound(Refusal):
    """There is no such thing here."""

    status = 404


class Conflict(Refusal):
    """The thing exists already."""

    status = 409


class Gone(Refusal):
    """The file existed and was deleted."""

    status = 410


class TooLarge(Refusal):
    """The body exceeds the configured limit."""

    status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than the limit of {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class TooManyLogins(Refusal):
    """Too many failed logins in a short time."""

    status = 429

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("too many failed logins, try again later")
        self.retry_after_seconds = retry_after_seconds


class BadGateway(Refusal):
    """The upstream index could not answer and nothing is cached."""

    status = 502

    def __init__(self, message: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Refusal):
    """The cluster cannot do this now; the same request may succeed later."""

    status = 503

    def __init__(self, message: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(Unavailable):
    """The connection to the primary broke before its answer: the write may have happened; a retry tells."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"the primary broke off before its answer: {detail}")


class UserUnknown(NotFound):
    """No user of that name."""

    def __init__(self, user: str) -> None:
        super().__init__(f"no user {user!r}")


class IndexUnknown(NotFound):
    """No index of that name."""

    def __init__(self, user: str, index: str) -> None:
        super().__init__(f"The stage {user}/{index} could not be found.")


class ProjectUnknown(NotFound):
    """No index on the search path has the project."""

    def __init__(self, project: str) -> None:
        super().__init__(f"The project {project} does not exist.")


class FileExists(Conflict):
    """Other bytes of that name are on an index whose files never change."""

    def __init__(self, filename: str) -> None:
        # The first words are what twine, poetry and pdm look for; the rest is what devpi says.
        super().__init__(f"File already exists: {filename} already exists in non-volatile index")
        self.filename = filename


class CallRefused(Refusal):
    """An XML-RPC call that is answered with a fault, which is a 200; the codes are xmlrpc-epi's."""

    status = 200
    code: ClassVar[int] = -32500


class CallMalformed(CallRefused):
    """The body is no call."""

    code = -32700


class MethodUnknown(CallRefused):
    """There is no method of that name."""

    code = -32601


class ArgumentsRefused(CallRefused):
    """The arguments do not fit the method."""

    code = -32602
