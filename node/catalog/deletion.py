"""Deleting files, versions and projects."""

from collections.abc import Iterable

from node.catalog import keys
from node.catalog.indexes import permitted_index
from node.catalog.lookups import files_of, has_project, version_names
from node.catalog.permissions import Identity, Permission
from node.catalog.recorder import Recorder
from node.catalog.records import FileRecord, IndexRecord
from node.errors import Forbidden, Gone, NotFound
from storage.draft import Draft, Operation
from storage.view import View


def delete_project(user: str, name: str, project: str, *, force: bool, actor: Identity) -> Operation[None]:
    """Return the operation that deletes a project with all versions and files.

    Its refusals: Forbidden (also where there is no such index), NotFound.
    """

    def operation(view: View) -> tuple[Draft, None]:
        index = permitted_index(view, user, name, Permission.DEL_PROJECT, actor, project)
        if not index.is_volatile and not force:
            raise Forbidden(f"project {project!r} is on non-volatile index {index.full_name}")
        if not has_project(view, index.index_id, project):
            raise NotFound("project not found")
        recorder = Recorder(view, actor=actor.user)
        _record_removal(view, recorder, index, project, files_of(view, index.index_id, project))
        for version in version_names(view, index.index_id, project):
            recorder.delete_map(keys.version_key(index.index_id, project, version))
        recorder.delete(keys.project_key(index.index_id, project))
        return recorder.draft(), None

    return operation


def delete_version(
    user: str, name: str, project: str, version: str, *, force: bool, actor: Identity
) -> Operation[None]:
    """Return the operation that deletes a version with its files, and the project with its last version.

    Its refusals: Forbidden (also where there is no such index), NotFound.
    """

    def operation(view: View) -> tuple[Draft, None]:
        index = permitted_index(view, user, name, Permission.DEL_VERDATA, actor, project)
        if not index.is_volatile and not force:
            raise Forbidden("cannot delete version on non-volatile index")
        if not has_project(view, index.index_id, project):
            raise NotFound(f"project {project!r} not found on stage {index.full_name!r}")
        key = keys.version_key(index.index_id, project, version)
        if view.get(key) is None:
            raise NotFound(
                f"version {version!r} of project {project!r} not found on stage {index.full_name!r}"
            )
        recorder = Recorder(view, actor=actor.user)
        files = [file for file in files_of(view, index.index_id, project) if file.version == version]
        _record_removal(view, recorder, index, project, files)
        _remove_version(view, recorder, index, project, version)
        return recorder.draft(), None

    return operation


def delete_file(
    user: str, name: str, sha256_start: bytes, filename: str, *, force: bool, actor: Identity
) -> Operation[None]:
    """Return the operation that deletes a file; its last file takes the version with it.

    Its refusals: Forbidden (also where there is no such index), NotFound, Gone.
    """

    def operation(view: View) -> tuple[Draft, None]:
        index = permitted_index(view, user, name, Permission.DEL_ENTRY, actor.for_any_project())
        if not index.is_volatile and not force:
            raise Forbidden("cannot delete version on non-volatile index")
        record = _file_to_delete(view, index, sha256_start, filename)
        permitted_index(view, user, name, Permission.DEL_ENTRY, actor, record.project)
        recorder = Recorder(view, actor=actor.user)
        _record_removal(view, recorder, index, record.project, [record])
        rest = files_of(view, index.index_id, record.project)
        if not any(file.version == record.version for file in rest if file.filename != filename):
            _remove_version(view, recorder, index, record.project, record.version)
        else:
            recorder.touch_project(index.index_id, record.project)
        return recorder.draft(), None

    return operation


def addressed_file(view: View, index: IndexRecord, sha256_start: bytes, filename: str) -> FileRecord:
    """Return the file that a URL names by the first 8 bytes of its sha256 and its name.

    Raises:
        NotFound: there never was such a file on this index.
        Gone: there was, and it was deleted or replaced.

    """
    project = view.get(keys.file_address_key(index.index_id, sha256_start, filename))
    if project is None:
        raise NotFound("no such file")
    value = view.get(keys.file_key(index.index_id, project.decode(), filename)) if project else None
    if value is None:
        raise Gone("file existed, deleted in later serial")
    return FileRecord.unpack(value)


def _file_to_delete(view: View, index: IndexRecord, sha256_start: bytes, filename: str) -> FileRecord:
    digits = sha256_start.hex()
    where = f"{index.full_name}/+f/{digits[:3]}/{digits[3:]}/{filename}"
    try:
        return addressed_file(view, index, sha256_start, filename)
    except NotFound:
        raise NotFound(f"package {where!r} doesn't exist") from None
    except Gone:
        raise Gone(f"file {where!r} existed, deleted in later serial") from None


def _record_removal(
    view: View, recorder: Recorder, index: IndexRecord, project: str, files: Iterable[FileRecord]
) -> None:
    for file in files:
        recorder.delete_file(index.index_id, project, file.filename)
        for key, _ in view.scan(keys.log_prefix(index.index_id, project, file.filename)):
            recorder.delete(key)


def _remove_version(view: View, recorder: Recorder, index: IndexRecord, project: str, version: str) -> None:
    recorder.delete_map(keys.version_key(index.index_id, project, version))
    if version_names(view, index.index_id, project) == [version]:
        recorder.delete(keys.project_key(index.index_id, project))
    else:
        recorder.touch_project(index.index_id, project)
