"""Who may do what: devpi's permissions, decided from the current state alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from node.catalog.records import IndexRecord

ROOT = "root"
ANONYMOUS = ":ANONYMOUS:"
AUTHENTICATED = ":AUTHENTICATED:"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. The user id is kept so that a deleted user's credentials name nobody."""

    user: str | None = None
    user_id: int | None = None
    groups: tuple[str, ...] = field(default=())

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


def may_modify_user(identity: Identity, user: str) -> bool:
    """Root and the user himself."""
    return identity.user is not None and identity.user in {ROOT, user}


def may_delete_user(identity: Identity, user: str) -> bool:
    """Root and the user himself, but nobody deletes root."""
    return user != ROOT and may_modify_user(identity, user)


def may_create_index(identity: Identity, user: str) -> bool:
    """Root and the owner."""
    return may_modify_user(identity, user)


def may_modify_index(identity: Identity, index: IndexRecord) -> bool:
    """Root and the owner; also for deleting it."""
    return may_modify_user(identity, index.user)


def may_upload(identity: Identity, index: IndexRecord) -> bool:
    """Only who ``acl_upload`` names: root is not implied."""
    return not index.is_mirror and identity.matches(index.options.get("acl_upload", ()))


def may_delete_from(identity: Identity, index: IndexRecord) -> bool:
    """Who may upload, the owner, and root."""
    return identity.matches({*index.options.get("acl_upload", ()), ROOT, index.user})
