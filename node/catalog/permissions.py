"""Who may do what: devpi's permissions as one table, decided from the current state alone.

=====================  ==============================  ====================================
permission             by default                      with ``--restrict-modify``
=====================  ==============================  ====================================
user_create            everybody                       the listed
user_modify            root, the user                  the listed
user_modify_password   root, the user                  the listed, the user
user_delete            root, the user; never of root   the listed; never of themselves
index_create           root, the user                  the listed
index_modify           root, the owner                 the listed
index_delete           root, the owner                 the listed
upload                 ``acl_upload``: root is not implied (both)
toxresult_upload       ``acl_toxresult_upload`` (both)
del_entry              ``acl_upload``, root, owner     ``acl_upload``, the listed
del_project            as ``del_entry``
del_verdata            as ``del_entry``
pkg_read               ``acl_read``, root              ``acl_read``, the listed
=====================  ==============================  ====================================

An index without ``acl_read`` may be read by everybody. On a mirror nobody has ``upload``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from node.catalog.records import Fields, IndexRecord

ROOT = "root"
ANONYMOUS = ":ANONYMOUS:"
AUTHENTICATED = ":AUTHENTICATED:"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. The user id is kept so that a deleted user's credentials name nobody."""

    user: str | None = None
    user_id: int | None = None
    groups: tuple[str, ...] = field(default=())
    modifiers: frozenset[str] | None = None  # --restrict-modify of the node that was asked

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is logged in."""
        return self.user is None

    def matches(self, principals: Iterable[str]) -> bool:
        """Say whether one of the names of an access list means this identity."""
        names = set(principals)
        if ANONYMOUS in names:
            return True
        if self.user is None:
            return False
        return (
            self.user in names or AUTHENTICATED in names or any(f":{group}" in names for group in self.groups)
        )


NOBODY = Identity()


class Permission(Enum):
    """What may be allowed; the values are devpi's names."""

    USER_CREATE = "user_create"
    USER_MODIFY = "user_modify"
    USER_MODIFY_PASSWORD = "user_modify_password"  # noqa: S105 - a permission's name
    USER_DELETE = "user_delete"
    INDEX_CREATE = "index_create"
    INDEX_MODIFY = "index_modify"
    INDEX_DELETE = "index_delete"
    UPLOAD = "upload"
    TOXRESULT_UPLOAD = "toxresult_upload"
    DEL_ENTRY = "del_entry"
    DEL_PROJECT = "del_project"
    DEL_VERDATA = "del_verdata"
    PKG_READ = "pkg_read"


class Holder(Enum):
    """Who a permission is given to, before names are filled in."""

    EVERYBODY = "everybody"
    ADMINS = "admins"  # root, or instead of root whom --restrict-modify lists
    OTHER_ADMINS = "other-admins"  # the same without the user who is acted on
    OWNER = "owner"  # of the user record or the index; not with --restrict-modify
    OWNER_BUT_ROOT = "owner-but-root"  # the same, but root is nobody's to give up
    ITSELF = "itself"  # the user of the record, always
    UPLOADERS = "acl_upload"
    TESTERS = "acl_toxresult_upload"
    READERS = "acl_read"


_ADMINS_AND_OWNER = (Holder.ADMINS, Holder.OWNER)
_DELETERS = (Holder.UPLOADERS, Holder.ADMINS, Holder.OWNER)

TABLE: dict[Permission, tuple[Holder, ...]] = {
    Permission.USER_CREATE: (Holder.EVERYBODY, Holder.ADMINS),
    Permission.USER_MODIFY: _ADMINS_AND_OWNER,
    Permission.USER_MODIFY_PASSWORD: (Holder.ADMINS, Holder.ITSELF),
    Permission.USER_DELETE: (Holder.OTHER_ADMINS, Holder.OWNER_BUT_ROOT),
    Permission.INDEX_CREATE: _ADMINS_AND_OWNER,
    Permission.INDEX_MODIFY: _ADMINS_AND_OWNER,
    Permission.INDEX_DELETE: _ADMINS_AND_OWNER,
    Permission.UPLOAD: (Holder.UPLOADERS,),
    Permission.TOXRESULT_UPLOAD: (Holder.TESTERS,),
    Permission.DEL_ENTRY: _DELETERS,
    Permission.DEL_PROJECT: _DELETERS,
    Permission.DEL_VERDATA: _DELETERS,
    Permission.PKG_READ: (Holder.READERS, Holder.ADMINS),
}
"""The whole of who may do what; the test asks every cell of it over HTTP."""


def allows(
    identity: Identity, permission: Permission, *, user: str, index: IndexRecord | None = None
) -> bool:
    """Say whether an identity holds a permission.

    Args:
        identity: who asks.
        permission: for what.
        user: the user who is acted on, or who owns the index.
        index: the index that is acted on, if there is one.

    """
    if permission is Permission.UPLOAD and index is not None and index.is_mirror:
        return False
    options = {} if index is None else index.options
    return any(
        identity.matches(_names(holder, user, options, identity.modifiers)) for holder in TABLE[permission]
    )


def _names(holder: Holder, user: str, options: Fields, modifiers: frozenset[str] | None) -> Iterable[str]:
    """Return the names, in the form of an access list, that a holder stands for."""
    listed: Iterable[str]
    is_restricted = modifiers is not None
    admins = frozenset({ROOT}) if modifiers is None else modifiers
    match holder:
        case Holder.EVERYBODY:
            return () if is_restricted else (ANONYMOUS,)
        case Holder.ADMINS:
            return admins
        case Holder.OTHER_ADMINS:
            return admins - {user}
        case Holder.OWNER:
            return () if is_restricted else (user,)
        case Holder.OWNER_BUT_ROOT:
            return () if is_restricted or user == ROOT else (user,)
        case Holder.ITSELF:
            return (user,)
        case Holder.UPLOADERS:
            listed = options.get("acl_upload", ())
        case Holder.TESTERS:
            listed = options.get("acl_toxresult_upload", (ANONYMOUS,))
        case Holder.READERS:
            listed = options.get("acl_read", (ANONYMOUS,))
    return listed


def allows_on(identity: Identity, permission: Permission, index: IndexRecord) -> bool:
    """Say whether an identity holds a permission on an index."""
    return allows(identity, permission, user=index.user, index=index)
