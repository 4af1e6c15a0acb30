"""Finding users, indexes and projects in a view of the state."""

from collections import deque
from collections.abc import Iterator

from node.catalog import keys
from node.catalog.records import Fields, FileRecord, IndexRecord, unpack_index, unpack_map
from node.errors import IndexUnknown
from storage.view import View


def find_user_id(view: View, user: str) -> int | None:
    """Return the id of the user who has that name now."""
    value = view.get(keys.user_name_key(user))
    return None if value is None else keys.unpack_id(value)


def find_user(view: View, user: str) -> tuple[int, Fields] | None:
    """Return the id and the record of a user."""
    user_id = find_user_id(view, user)
    return None if user_id is None else (user_id, user_record(view, user_id))


def user_record(view: View, user_id: int) -> Fields:
    """Return the record of a user that exists."""
    value = view.get(keys.user_key(user_id))
    if value is None:
        raise KeyError(user_id)
    return unpack_map(view, value)


def user_names(view: View) -> Iterator[tuple[str, int]]:
    """Yield the names of all users with their ids, in order of their names."""
    prefix = keys.USER_NAMES
    for key, value in view.scan(prefix):
        yield key[len(prefix) :].decode(), keys.unpack_id(value)


def find_index(view: View, user: str, index: str) -> IndexRecord | None:
    """Return an index by its two names."""
    user_id = find_user_id(view, user)
    if user_id is None:
        return None
    value = view.get(keys.index_name_key(user_id, index))
    return None if value is None else index_by_id(view, keys.unpack_id(value))


def get_index(view: View, user: str, index: str) -> IndexRecord:
    """Return an index by its two names.

    Raises:
        IndexUnknown: there is none.

    """
    found = find_index(view, user, index)
    if found is None:
        raise IndexUnknown(user, index)
    return found


def index_by_id(view: View, index_id: int) -> IndexRecord | None:
    """Return an index by its id, or None when it was deleted."""
    value = view.get(keys.index_key(index_id))
    return None if value is None else unpack_index(view, index_id, value)


def indexes_of(view: View, user_id: int) -> Iterator[IndexRecord]:
    """Yield a user's indexes in order of their names."""
    for _key, value in view.scan(keys.index_names_prefix(user_id)):
        index = index_by_id(view, keys.unpack_id(value))
        if index is not None:
            yield index


def search_path(view: View, index: IndexRecord) -> list[IndexRecord]:
    """Return the indexes that are searched for ``index``: itself, its bases breadth-first, mirrors last.

    Cycles end at the first index seen twice; bases that were deleted are passed over
    (devpi's ``sro``).
    """
    stages: list[IndexRecord] = []
    mirrors: list[IndexRecord] = []
    seen = {index.index_id}
    waiting = deque([index])
    while waiting:
        current = waiting.popleft()
        (mirrors if current.is_mirror else stages).append(current)
        for base in current.options.get("bases", ()):
            user, _, name = base.partition("/")
            found = find_index(view, user, name)
            if found is not None and found.index_id not in seen:
                seen.add(found.index_id)
                waiting.append(found)
    return stages + mirrors


def project_serial(view: View, index_id: int, project: str) -> int:
    """Return the serial of the last change to a project on one index; 0 when it is not there."""
    value = view.get(keys.project_key(index_id, project))
    return 0 if value is None else keys.unpack_id(value[:8])


def has_project(view: View, index_id: int, project: str) -> bool:
    """Say whether an index hosts a project, with or without files."""
    return view.get(keys.project_key(index_id, project)) is not None


def projects_of(view: View, index_id: int, *, after: str | None = None) -> Iterator[tuple[str, int]]:
    """Yield the projects that an index hosts, in order, with the serials of their last changes."""
    prefix = keys.projects_prefix(index_id)
    for key, value in view.scan(prefix, after=None if after is None else prefix + after.encode()):
        yield key[len(prefix) :].decode(), keys.unpack_id(value[:8])


def version_names(view: View, index_id: int, project: str) -> list[str]:
    """Return the versions of a project on one index, without reading their metadata."""
    prefix = keys.versions_prefix(index_id, project)
    return [key[len(prefix) :].decode() for key, _ in view.scan(prefix)]


def files_of(view: View, index_id: int, project: str) -> list[FileRecord]:
    """Return the files of a project on one index, in order of their names."""
    return [FileRecord.unpack(value) for _, value in view.scan(keys.files_prefix(index_id, project))]


def find_file(view: View, index_id: int, project: str, filename: str) -> FileRecord | None:
    """Return one file of a project on one index."""
    value = view.get(keys.file_key(index_id, project, filename))
    return None if value is None else FileRecord.unpack(value)


def log_of(view: View, index_id: int, project: str, filename: str) -> list[Fields]:
    """Return the log of a file, oldest item first."""
    return [item for _, item in logged_items(view, index_id, project, filename)]


def logged_items(view: View, index_id: int, project: str, filename: str) -> Iterator[tuple[int, Fields]]:
    """Yield the log of a file, oldest item first, with the serials of the entries that wrote the items."""
    prefix = keys.log_prefix(index_id, project, filename)
    for key, value in view.scan(prefix):
        yield keys.unpack_id(key[len(prefix) : len(prefix) + 8]), unpack_map(view, value)
