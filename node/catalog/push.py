"""Push: copy a release from one index to another, or hand it to another server."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from node.catalog.lookups import files_of, find_file, find_index, get_index, log_of
from node.catalog.names import normalize_project
from node.catalog.permissions import Identity, Permission, allows_on
from node.catalog.recorder import Recorder
from node.catalog.records import Fields, FileRecord, IndexRecord
from node.catalog.releases import FileLog, find_metadata, record_metadata
from node.errors import BadRequest, Conflict, IndexUnknown, LoginRequired, NotFound
from storage.draft import Draft, Operation
from storage.view import View

ActionLog = list[list[object]]
_UPLOAD_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What is pushed from where, and the rest of devpi's JSON body, which says where to."""

    name: str
    version: str
    source: str  # user/index
    only_docs: bool
    rest: Fields

    @property
    def project(self) -> str:
        """The normalised name."""
        return normalize_project(self.name)

    @property
    def is_external(self) -> bool:
        """Whether another server is to get the release."""
        return self.rest.get("targetindex") is None

    def unregistered(self) -> BadRequest:
        """Return devpi's refusal of a release that the source does not have."""
        return BadRequest(f"there are no files for {self.name} {self.version} on stage {self.source}")

    def no_files(self) -> NotFound:
        """Return devpi's refusal of a release of which nothing was selected."""
        return NotFound(f"no release/files found for {self.name} {self.version}")


@dataclass(frozen=True, slots=True)
class PushOrder:
    """What is pushed to which index of this cluster."""

    request: PushRequest
    target: str  # user/index


@dataclass(frozen=True, slots=True)
class ExternalOrder:
    """What is sent to which other server, with its own credentials."""

    request: PushRequest
    url: str
    username: str
    password: str
    registers_project: bool


@dataclass(frozen=True, slots=True)
class PushedFile:
    """A file with its history, as it leaves its index."""

    record: FileRecord
    log: tuple[Fields, ...]
    metadata: bytes | None = None  # core metadata, when it is no blob of the hosted store yet


def parse_request(source: IndexRecord, body: Fields) -> PushRequest:
    """Return what a push body asks for.

    Raises:
        BadRequest: name or version are missing, or the selection of docs contradicts itself.

    """
    rest = dict(body)
    name, version = rest.pop("name", None), rest.pop("version", None)
    if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
        raise BadRequest("a push needs a 'name' and a 'version'")
    no_docs, only_docs = bool(rest.pop("no_docs", False)), bool(rest.pop("only_docs", False))
    if no_docs and only_docs:
        raise BadRequest("can't use 'no_docs' and 'only_docs' together")
    return PushRequest(name, version, source.full_name, only_docs, rest)


def parse_target(request: PushRequest) -> PushOrder:
    """Return the order to push to an index of this cluster.

    Raises:
        BadRequest: the target is no ``user/index``, or something unknown is there.

    """
    unknown = sorted(set(request.rest) - {"targetindex"})
    if unknown:
        raise BadRequest(f"unknown additional options: {', '.join(unknown)}")
    target = request.rest["targetindex"]
    if not isinstance(target, str) or len(target.split("/")) != 2:
        raise BadRequest("targetindex not in format user/index")
    return PushOrder(request, target)


def parse_external(request: PushRequest, actor: Identity) -> ExternalOrder:
    """Return the order to send a release to another server.

    Raises:
        LoginRequired: nobody is logged in; this host sends nothing anywhere for just anybody.
        BadRequest: URL or credentials are missing.

    """
    if actor.is_anonymous:
        raise LoginRequired("authentication required to push to another server", challenge=False)
    words = {key: _text(request.rest, key) for key in ("posturl", "username", "password")}
    if not words["posturl"].lower().startswith(_UPLOAD_SCHEMES):
        raise BadRequest("'posturl' must be a URL that starts with http:// or https://")
    return ExternalOrder(
        request,
        url=words["posturl"],
        username=words["username"],
        password=words["password"],
        registers_project=bool(request.rest.get("register_project", False)),
    )


def _text(given: Fields, key: str) -> str:
    value: Any = given.get(key)
    if not isinstance(value, str):
        raise BadRequest("a push needs a 'targetindex', or 'posturl', 'username' and 'password'")
    return value


def check_push_target(view: View, order: PushOrder, actor: Identity) -> IndexRecord:
    """Return the index that is pushed to.

    Raises:
        IndexUnknown: there is no such index.
        LoginRequired: ``actor`` cannot upload to it (devpi answers 401 here).

    """
    user, _, name = order.target.partition("/")
    target = find_index(view, user, name)
    if target is None:
        raise IndexUnknown(user, name)
    if not allows_on(actor, Permission.UPLOAD, target, order.request.project):
        raise LoginRequired(f"user {actor.user!r} cannot upload to {order.target!r}", challenge=False)
    return target


def hosted_release(view: View, request: PushRequest) -> tuple[Fields, list[PushedFile]]:
    """Return the metadata and the files of a release that this cluster hosts, in order of their names.

    Raises:
        IndexUnknown: the source is gone.
        BadRequest: the release is not registered on the source.
        NotFound: it has no files.

    """
    source = get_index(view, *request.source.split("/"))
    metadata = find_metadata(view, source.index_id, request.name, request.version)
    if metadata is None:
        raise request.unregistered()
    files = [
        PushedFile(record, tuple(log_of(view, source.index_id, request.project, record.filename)))
        for record in files_of(view, source.index_id, request.project)
        if record.version == request.version and not request.only_docs
    ]
    if not files:
        raise request.no_files()
    return metadata, files


def push_hosted(order: PushOrder, *, actor: Identity, now_ms: int) -> Operation[ActionLog]:
    """Return the operation that copies a release between two hosted indexes; its result is devpi's action log.

    Its refusals: BadRequest, NotFound, IndexUnknown, LoginRequired, Conflict.
    """

    def operation(view: View) -> tuple[Draft, ActionLog]:
        metadata, files = hosted_release(view, order.request)
        return _record_push(view, order, metadata, files, actor=actor, now_ms=now_ms)

    return operation


def push_fetched(
    order: PushOrder, metadata: Fields, files: Sequence[PushedFile], *, actor: Identity, now_ms: int
) -> Operation[ActionLog]:
    """Return the operation that adds files of a mirror whose bytes are durable in the hosted store."""

    def operation(view: View) -> tuple[Draft, ActionLog]:
        return _record_push(view, order, metadata, files, actor=actor, now_ms=now_ms)

    return operation


def _record_push(
    view: View,
    order: PushOrder,
    metadata: Fields,
    files: Sequence[PushedFile],
    *,
    actor: Identity,
    now_ms: int,
) -> tuple[Draft, ActionLog]:
    request = order.request
    target = check_push_target(view, order, actor)
    recorder = Recorder(view, actor=actor.user)
    record_metadata(recorder, target.index_id, metadata)
    actions: ActionLog = [[200, "register", request.name, request.version, "->", order.target]]
    for file in sorted(files, key=lambda pushed: pushed.record.filename):
        existing = find_file(view, target.index_id, request.project, file.record.filename)
        if existing is not None and not target.is_volatile:
            raise Conflict(f"{file.record.filename} already exists in non-volatile index")
        record = replace(file.record, added_ms=now_ms)
        recorder.put_file(target.index_id, record, metadata=file.metadata)
        log = FileLog(recorder, view, target.index_id, request.project, record.filename)
        log.restart(was_there=existing is not None, now_ms=now_ms)
        for item in file.log:
            if item["what"] != "overwrite":
                log.add(item)
        log.add({
            "what": "push", "who": actor.user, "when": now_ms, "src": request.source, "dst": order.target,
        })  # fmt: skip
        actions.append([200, "store_releasefile", f"{order.target}/{record.address}"])
    return recorder.draft(), actions
