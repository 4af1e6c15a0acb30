"""Push: copy a release from one index to another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from node.catalog.lookups import files_of, find_file, find_index, get_index, log_of
from node.catalog.names import normalize_project
from node.catalog.permissions import Identity, may_upload
from node.catalog.recorder import Recorder
from node.catalog.records import Fields, FileRecord, IndexRecord
from node.catalog.releases import FileLog, find_metadata, record_metadata
from node.errors import BadRequest, Conflict, IndexUnknown, LoginRequired, NotFound
from storage.draft import Draft, Operation
from storage.view import View

ActionLog = list[list[object]]


@dataclass(frozen=True, slots=True)
class PushOrder:
    """What is pushed where; parsed from devpi's JSON body."""

    name: str
    version: str
    source: str  # user/index
    target: str  # user/index

    @property
    def project(self) -> str:
        """The normalised name."""
        return normalize_project(self.name)


@dataclass(frozen=True, slots=True)
class PushedFile:
    """A file with its history, as it leaves its index."""

    record: FileRecord
    log: tuple[Fields, ...]
    metadata: bytes | None = None  # core metadata, when it is no blob of the hosted store yet


def parse_order(source: IndexRecord, body: Fields) -> PushOrder:
    """Return the order that a push body gives.

    Raises:
        BadRequest: name, version or target are missing, or something unknown is there.

    """
    name, version = body.get("name"), body.get("version")
    if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
        raise BadRequest(f"there are no files for {name} {version} on stage {source.full_name}")
    if body.get("no_docs") and body.get("only_docs"):
        raise BadRequest("can't use 'no_docs' and 'only_docs' together")
    target = body.get("targetindex")
    if not isinstance(target, str):
        raise BadRequest("a push needs a 'targetindex' of the form user/index")
    unknown = sorted(set(body) - {"name", "version", "targetindex", "no_docs", "only_docs"})
    if unknown:
        raise BadRequest(f"unknown additional options: {', '.join(unknown)}")
    if len(target.split("/")) != 2:
        raise BadRequest("targetindex not in format user/index")
    return PushOrder(name, version, source.full_name, target)


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
    if not may_upload(actor, target):
        raise LoginRequired(f"user {actor.user!r} cannot upload to {order.target!r}", challenge=False)
    return target


def push_hosted(order: PushOrder, *, actor: Identity, now_ms: int) -> Operation[ActionLog]:
    """Return the operation that copies a release between two hosted indexes; its result is devpi's action log.

    Its refusals: BadRequest, NotFound, IndexUnknown, LoginRequired, Conflict.
    """

    def operation(view: View) -> tuple[Draft, ActionLog]:
        source = get_index(view, *order.source.split("/"))
        metadata = find_metadata(view, source.index_id, order.name, order.version)
        if metadata is None:
            raise BadRequest(f"there are no files for {order.name} {order.version} on stage {order.source}")
        files = [
            PushedFile(record, tuple(log_of(view, source.index_id, order.project, record.filename)))
            for record in files_of(view, source.index_id, order.project)
            if record.version == order.version
        ]
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
    if not files:
        raise NotFound(f"no release/files found for {order.name} {order.version}")
    target = check_push_target(view, order, actor)
    recorder = Recorder(view, actor=actor.user)
    record_metadata(recorder, target.index_id, metadata)
    actions: ActionLog = [[200, "register", order.name, order.version, "->", order.target]]
    for file in sorted(files, key=lambda pushed: pushed.record.filename):
        existing = find_file(view, target.index_id, order.project, file.record.filename)
        if existing is not None and not target.is_volatile:
            raise Conflict(f"{file.record.filename} already exists in non-volatile index")
        record = replace(file.record, added_ms=now_ms)
        recorder.put_file(target.index_id, record, metadata=file.metadata)
        log = FileLog(recorder, view, target.index_id, order.project, record.filename)
        log.restart()
        for item in file.log:
            if item["what"] != "overwrite":
                log.add(item)
        log.add({"what": "push", "who": actor.user, "when": now_ms, "src": order.source, "dst": order.target})
        actions.append([200, "store_releasefile", f"{order.target}/{record.address}"])
    return recorder.draft(), actions
