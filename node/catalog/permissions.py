"""Who may do what: devpi's permissions as one table, decided from the current state alone.

=====================  ==============================  ====================================
permission             by default                      with ``--restrict-modify``
=====================  ==============================  ====================================
user_create            everybody                       the listed
user_modify            root, the user                  the listed
user_modify_password   root, the user                  the listed, the user
user_delete            root, the user; never of root   the listed; never of themselves
user_tokens            root, the user                  the listed, the user
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

An API token has of its owner's permissions those that its scope covers, and never one that begins with ``user_``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

from node.catalog.records import Fields, IndexRecord

ROOT = "root"
ANONYMOUS = ":ANONYMOUS:"
AUTHENTICATED = ":AUTHENTICATED:"


class Permission(Enum):
    """What may be allowed; the values are devpi's names."""

    USER_CREATE = "user_create"
    USER_MODIFY = "user_modify"
    USER_MODIFY_PASSWORD = "user_modify_password"  # noqa: S105 - a permission's name
    USER_DELETE = "user_delete"
    USER_TOKENS = "user_tokens"
    INDEX_CREATE = "index_create"
    INDEX_MODIFY = "index_modify"
    INDEX_DELETE = "index_delete"
    UPLOAD = "upload"
    TOXRESULT_UPLOAD = "toxresult_upload"
    DEL_ENTRY = "del_entry"
    DEL_PROJECT = "del_project"
    DEL_VERDATA = "del_verdata"
    PKG_READ = "pkg_read"


NEVER_BY_TOKEN = frozenset(permission for permission in Permission if permission.value.startswith("user_"))
"""What only a login gives: a token makes no other token, and changes nobody's password."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an API token is good for; None does not limit it. What its owner may not do, it may not either."""

    permissions: frozenset[Permission] | None = None
    index_ids: frozenset[int] | None = None
    path_ids: frozenset[int] = frozenset()  # of the indexes that these show through: read, and no more
    projects: frozenset[str] | None = None  # normalised

    def covers(self, permission: Permission, index: IndexRecord | None, project: str | None) -> bool:
        """Say whether a token may be used for something; ``project`` is None where it is about all of an index."""
        if permission in NEVER_BY_TOKEN:
            return False
        if self.permissions is not None and permission not in self.permissions:
            return False
        if not self._reaches(permission, index):
            return False
        return self.projects is None or project in self.projects

    def _reaches(self, permission: Permission, index: IndexRecord | None) -> bool:
        if self.index_ids is None:
            return True
        if index is None:
            return False
        is_shown = permission is Permission.PKG_READ and index.index_id in self.path_ids
        return is_shown or index.index_id in self.index_ids


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. The user id is kept so that a deleted user's credentials name nobody."""

    user: str | None = None
    user_id: int | None = None
    groups: tuple[str, ...] = field(default=())
    modifiers: frozenset[str] | None = None  # --restrict-modify of the node that was asked
    scope: Scope | None = None  # of the API token that was sent; None: a login

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

    def for_any_project(self) -> "Identity":
        """Return this identity for a decision that comes before the project is known; another must follow."""
        if self.scope is None or self.scope.projects is None:
            return self
        return replace(self, scope=replace(self.scope, projects=None))


NOBODY = Identity()


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
    Permission.USER_TOKENS: (Holder.ADMINS, Holder.ITSELF),
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
    identity: Identity,
    permission: Permission,
    *,
    user: str,
    index: IndexRecord | None = None,
    project: str | None = None,
) -> bool:
    """Say whether an identity holds a permission.

    Args:
        identity: who asks.
        permission: for what.
        user: the user who is acted on, or who owns the index.
        index: the index that is acted on, if there is one.
        project: the project that is acted on, normalised; None where it is the index as a whole.

    """
    if identity.scope is not None and not identity.scope.covers(permission, index, project):
        return False
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


def is_admin(identity: Identity) -> bool:
    """Say whether an identity stands above the users: root, or whom ``--restrict-modify`` lists."""
    return identity.scope is None and identity.matches(_names(Holder.ADMINS, "", {}, identity.modifiers))


def allows_on(
    identity: Identity, permission: Permission, index: IndexRecord, project: str | None = None
) -> bool:
    """Say whether an identity holds a permission on an index, or on one project of it."""
    return allows(identity, permission, user=index.user, index=index, project=project)
