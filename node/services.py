"""Everything that handlers use, made once and handed to the application."""

import time
from dataclasses import dataclass, field

from node.auth.credentials import Authenticator
from node.auth.passwords import Passwords
from node.catalog.keys import INDEXES, unpack_id
from node.catalog.lookups import has_project
from node.catalog.records import IndexRecord
from node.cluster.chores import Reaper
from node.cluster.link import HttpLink
from node.cluster.roles import PrimaryRole, ReplicaRole, Role
from node.config import Config
from node.finished import FinishedAnswers
from node.http.common import CommonHeaders
from node.mirror.mirror import Mirror
from node.mirror.source import CACHE_EXPIRY_SECONDS_DEFAULT, MirrorSource
from node.search.searches import Searches
from node.simple.list_pages import ListPages
from node.simple.pages import SimplePages
from replication.hello import NodeCard
from replication.signal import HeadSignal
from replication.trust import Trust
from storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of a running node. Frozen: a node keeps its parts until it ends."""

    config: Config
    store: Store
    signal: HeadSignal
    trust: Trust
    card: NodeCard
    role: Role
    mirror: Mirror
    finished: FinishedAnswers
    pages: SimplePages
    searches: Searches
    lists: ListPages
    authenticator: Authenticator
    passwords: Passwords
    reaper: Reaper
    common: CommonHeaders
    started_at: float = field(default_factory=time.time)

    def common_headers(self) -> dict[str, str]:
        """Return the headers of every answer."""
        return self.common.headers()

    @property
    def link(self) -> HttpLink | None:
        """The link to the primary; None on the primary itself."""
        return self.role.link if isinstance(self.role, ReplicaRole) else None

    def write_refusal(self) -> str | None:
        """Say why no write is accepted here now; None when it is."""
        if isinstance(self.role, PrimaryRole) and self.role.feeder.is_suspect:
            return (
                f"this primary accepts no writes until somebody has looked: {self.role.feeder.suspect_reason}"
            )
        if isinstance(self.role, ReplicaRole):
            return "this node is a replica"
        return None

    def source_of(self, index: IndexRecord) -> MirrorSource:
        """Return where a mirror index gets its projects from.

        Raises:
            UpstreamUrlRefused: its ``mirror_url`` can never work.

        """
        return mirror_source(index)

    def is_private_name(self, project: str) -> bool:
        """Say whether any private index hosts a name; such a name is not sent upstream on a guess."""
        with self.store.view() as view:
            return any(has_project(view, unpack_id(key[1:]), project) for key, _ in view.scan(INDEXES))


def mirror_source(index: IndexRecord) -> MirrorSource:
    """Return the upstream of a mirror index.

    Raises:
        UpstreamUrlRefused: its ``mirror_url`` can never work.

    """
    return MirrorSource(
        index_id=index.index_id,
        generation=index.generation,
        url=index.options.get("mirror_url", ""),
        cache_expiry_seconds=index.options.get("mirror_cache_expiry", CACHE_EXPIRY_SECONDS_DEFAULT),
        ignores_serials=index.options.get("mirror_ignore_serial_header", False),
        lists_projects=not index.options.get("mirror_no_project_list", False),
        provides_core_metadata=index.options.get("mirror_provides_core_metadata", False),
        name=index.full_name,
    )
