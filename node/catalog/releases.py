"""Releases: register metadata, add files, record what happened to them."""

from dataclasses import dataclass, replace

import msgpack

from node.catalog import keys
from node.catalog.lookups import find_file, get_index
from node.catalog.metadata import Form, merged_metadata, metadata_from_form
from node.catalog.names import check_filename, normalize_project
from node.catalog.permissions import Identity, Permission, allows_on
from node.catalog.recorder import Recorder
from node.catalog.records import Fields, FileRecord, IndexRecord, unpack_map
from node.errors import FileExists, Forbidden, LoginRequired, NotFound
from storage.draft import Draft, Operation
from storage.view import View


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that no index knows yet; its bytes are durable in the blob store, or come along."""

    filename: str
    sha256: bytes  # 32 bytes
    size_bytes: int
    filetype: str
    pyversion: str
    requires_python: str | None
    metadata: bytes | None  # core metadata of a wheel
    metadata_sha256: bytes | None
    md5: bytes | None = None
    blake2_256: bytes | None = None
    content: bytes | None = None  # None: durable already


@dataclass(frozen=True, slots=True)
class Stored:
    """The file is on the index now."""


@dataclass(frozen=True, slots=True)
class Identical:
    """The very same bytes were on the index already; nothing changed."""


UploadOutcome = Stored | Identical


def check_upload_target(
    view: View, user: str, name: str, actor: Identity, project: str | None = None
) -> IndexRecord:
    """Return the index if ``actor`` may upload to it; called before the body is read, and again after.

    Only the second time the project, normalised, is known.

    Raises:
        IndexUnknown: no such index.
        NotFound: it is a mirror.
        LoginRequired: nobody is logged in.
        Forbidden: the user has no permission.

    """
    index = get_index(view, user, name)
    if index.is_mirror:
        raise NotFound("cannot submit to mirror index")
    if allows_on(actor if project else actor.for_any_project(), Permission.UPLOAD, index, project):
        return index
    if actor.is_anonymous:
        raise LoginRequired("authentication required to upload")
    raise Forbidden("no permission to submit")


def register_release(user: str, name: str, form: Form, *, actor: Identity) -> Operation[None]:
    """Return the operation for ``:action=submit``: the metadata is replaced as a whole."""

    def operation(view: View) -> tuple[Draft | None, None]:
        metadata = metadata_from_form(form, only_sent=False)
        index = check_upload_target(view, user, name, actor, normalize_project(metadata["name"]))
        recorder = Recorder(view, actor=actor.user)
        if find_metadata(view, index.index_id, metadata["name"], metadata["version"]) == metadata:
            return None, None
        record_metadata(recorder, index.index_id, metadata)
        return recorder.draft(), None

    return operation


def upload_file(
    user: str, name: str, file: ReceivedFile, form: Form, *, actor: Identity, now_ms: int
) -> Operation[UploadOutcome]:
    """Return the operation that adds a received file to an index.

    The same bytes again change nothing, so a client that lost the answer may simply retry.
    Its refusals: those of ``check_upload_target``, BadRequest, and FileExists for other bytes on
    an index that is not volatile.
    """

    def operation(view: View) -> tuple[Draft | None, UploadOutcome]:
        sent = metadata_from_form(form, only_sent=True)
        project = normalize_project(sent["name"])
        index = check_upload_target(view, user, name, actor, project)
        check_filename(sent["name"], sent["version"], file.filename)
        existing = find_file(view, index.index_id, project, file.filename)
        if existing is not None and existing.sha256 == file.sha256:
            return None, Identical()
        if existing is not None and not index.is_volatile:
            raise FileExists(file.filename)
        recorder = Recorder(view, actor=actor.user)
        old = find_metadata(view, index.index_id, sent["name"], sent["version"])
        metadata = merged_metadata(old, form)
        record_metadata(recorder, index.index_id, metadata)
        record = new_record(file, project, sent["version"], uploader=actor.user, now_ms=now_ms)
        if file.metadata is None and record.requires_python is None:
            # What says nothing of itself needs what its release needs, as devpi has it.
            record = replace(record, requires_python=metadata.get("requires_python") or None)
        recorder.put_file(index.index_id, record, metadata=file.metadata, content=file.content)
        log = FileLog(recorder, view, index.index_id, project, file.filename)
        log.restart(was_there=existing is not None, now_ms=now_ms)
        log.add({"what": "upload", "who": actor.user, "when": now_ms, "dst": index.full_name})
        return recorder.draft(), Stored()

    return operation


def new_record(
    file: ReceivedFile, project: str, version: str, *, uploader: str | None, now_ms: int
) -> FileRecord:
    """Return the record of a file that comes into the cluster now."""
    return FileRecord(
        filename=file.filename,
        project=project,
        version=version,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        uploaded_ms=now_ms,
        added_ms=now_ms,
        uploader=uploader,
        filetype=file.filetype,
        pyversion=file.pyversion,
        requires_python=file.requires_python,
        metadata_sha256=file.metadata_sha256,
        md5=file.md5,
        blake2_256=file.blake2_256,
    )


def find_metadata(view: View, index_id: int, name: str, version: str) -> Fields | None:
    """Return the metadata of a release on one index."""
    value = view.get(keys.version_key(index_id, normalize_project(name), version))
    return None if value is None else unpack_map(view, value)


def record_metadata(recorder: Recorder, index_id: int, metadata: Fields) -> None:
    """Record a release's metadata, and that its project changed."""
    project = normalize_project(metadata["name"])
    recorder.put_map(keys.version_key(index_id, project, metadata["version"]), metadata)
    recorder.touch_project(index_id, project, name=metadata["name"])


class FileLog:
    """The log of one file while an operation adds to it; one key per item."""

    def __init__(self, recorder: Recorder, view: View, index_id: int, project: str, filename: str) -> None:
        self._recorder = recorder
        self._view = view
        self._where = (index_id, project, filename)
        self._number = 0

    def restart(self, *, was_there: bool, now_ms: int) -> None:
        """Drop what is there, for a file that is replaced, and say how often it was replaced."""
        overwritten = 0
        for key, value in self._view.scan(keys.log_prefix(*self._where)):
            overwritten = max(overwritten, msgpack.unpackb(value).get("count", 0))
            self._recorder.delete(key)
        if was_there:
            self.add({"what": "overwrite", "who": None, "when": now_ms, "count": overwritten + 1})

    def add(self, item: Fields) -> None:
        """Add one item; ``when`` is in milliseconds."""
        key = keys.log_key(*self._where, serial=self._recorder.serial, number=self._number)
        self._recorder.put(key, msgpack.packb(item))
        self._number += 1
