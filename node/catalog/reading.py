"""Reading restricted: which indexes of a search path a reader may see."""

from collections.abc import Iterable, Sequence

from node.catalog.permissions import Identity, Permission, allows_on
from node.catalog.records import IndexRecord
from node.errors import Forbidden, LoginRequired


def is_restricted(index: IndexRecord) -> bool:
    """Say whether an index has a list of readers at all."""
    return "acl_read" in index.options


def may_read(identity: Identity, index: IndexRecord, project: str | None = None) -> bool:
    """Say whether an identity may see a project, or without one all projects, of an index.

    Credentials say nothing about what everybody may read, so a token that is limited to other things sees it too.
    """
    return not is_restricted(index) or allows_on(identity, Permission.PKG_READ, index, project)


def check_read(identity: Identity, index: IndexRecord, project: str | None = None) -> None:
    """Refuse a reader of the index that was asked for, or of one project of it.

    Raises:
        LoginRequired: nobody is logged in.
        Forbidden: the user has no permission.

    """
    if may_read(identity, index, project):
        return
    if identity.is_anonymous:
        raise LoginRequired(f"authentication required to read {index.full_name}")
    raise Forbidden(f"no permission to read {index.full_name}")


def unreadable(identity: Identity, path: Sequence[IndexRecord], project: str | None = None) -> frozenset[int]:
    """Return the ids of the indexes of a search path that a reader must see nothing of, or not of one project.

    They stay on the path: a private name still hides the mirrors' files from those who may not
    read the index that hosts it.

    Raises:
        LoginRequired: nobody is logged in, and the first index of the path is restricted.
        Forbidden: the user may not read the first index of the path.

    """
    check_read(identity, path[0], project)
    return frozenset(index.index_id for index in path if not may_read(identity, index, project))


def has_restricted(path: Iterable[IndexRecord]) -> bool:
    """Say whether what is shown of a search path depends on who asks."""
    return any(is_restricted(index) for index in path)


ShownTo = tuple[int, ...] | None
"""Part of the key of a page: the restricted indexes that its reader may see; None where none is restricted."""


def shown_to(path: Iterable[IndexRecord], hidden: frozenset[int]) -> ShownTo:
    """Return what tells apart the pages that readers of one search path may share."""
    restricted = [index.index_id for index in path if is_restricted(index)]
    return tuple(index_id for index_id in restricted if index_id not in hidden) if restricted else None
