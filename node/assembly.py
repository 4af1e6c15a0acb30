"""Putting a node together from its parts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from node.auth.credentials import Authenticator
from node.auth.limits import LoginLimit
from node.auth.passwords import Passwords
from node.auth.tokens import Tokens
from node.cluster.chores import Reaper
from node.cluster.link import HttpLink, client_session
from node.cluster.roles import PrimaryRole, ReplicaRole, Role, primary_id
from node.config import Config
from node.directory import DataDirectory
from node.finished import FinishedAnswers
from node.http.common import CommonHeaders
from node.mirror.cluster import NO_CLUSTER, ClusterHooks
from node.mirror.mirror import Mirror
from node.search.searches import Searches
from node.services import Services, mirror_source
from node.simple.list_pages import ListPages
from node.simple.pages import SimplePages
from node.simple.renewal import PageRenewal
from node.version import VERSION
from replication.feeder import Feeder
from replication.follower import Follower
from replication.hello import NodeCard
from replication.members import Members
from replication.signal import HeadSignal
from replication.transfer import BlobTransfer
from replication.trust import Trust
from storage.snapshot import remove_leftovers


@asynccontextmanager
async def assembled(config: Config, directory: DataDirectory, *, url: str) -> AsyncIterator[Services]:
    """Yield the parts of a node, started; stop them in the opposite order.

    Args:
        config: the node's configuration.
        directory: its data directory; stays the caller's to close.
        url: where clients reach the node.

    """
    store = directory.store
    remove_leftovers(config.data / "snapshots")
    card = NodeCard(directory.identity.node_id, url, config.region, VERSION)
    trust = Trust(directory.secrets)
    async with AsyncExitStack() as stack:
        signal = HeadSignal(store, asyncio.get_running_loop())
        stack.callback(signal.close)
        session = await _session(config, stack)
        role = _role(config, directory, card=card, trust=trust, signal=signal, session=session)
        mirror = Mirror(config.data / "cache", is_offline=config.offline, cluster=_cluster_hooks(role))
        await mirror.start()
        stack.push_async_callback(mirror.close)
        finished = FinishedAnswers(store, mirror, renew=PageRenewal(store))
        passwords = Passwords()
        stack.callback(passwords.close)
        searches = Searches(store)
        stack.callback(searches.close)
        authenticator = Authenticator(store, Tokens(directory.secrets), passwords, LoginLimit())
        if isinstance(role, PrimaryRole):
            stack.push_async_callback(role.feeder.close)
        yield Services(
            config=config,
            store=store,
            signal=signal,
            trust=trust,
            card=card,
            role=role,
            mirror=mirror,
            finished=finished,
            pages=SimplePages(store, mirror, finished, mirror_source),
            searches=searches,
            lists=ListPages(store, mirror, finished, mirror_source),
            authenticator=authenticator,
            passwords=passwords,
            reaper=Reaper(store),
            common=CommonHeaders(store, node_id=card.node_id, primary_id=lambda: primary_id(role, card)),
        )


async def _session(config: Config, stack: AsyncExitStack) -> aiohttp.ClientSession | None:
    if not config.is_replica:
        return None
    return await stack.enter_async_context(client_session(config.cluster_ca))


def _role(
    config: Config,
    directory: DataDirectory,
    *,
    card: NodeCard,
    trust: Trust,
    signal: HeadSignal,
    session: aiohttp.ClientSession | None,
) -> Role:
    store = directory.store
    if session is None or config.primary is None:
        members = Members(card, head=lambda: store.position.serial)
        feeder = Feeder(
            store,
            members,
            signal,
            snapshot_dir=config.data / "snapshots",
            snapshot_after_entries=config.snapshot_after_entries,
        )
        return PrimaryRole(feeder, members)
    link = HttpLink(session, config.primary, trust, card.node_id)
    follower = Follower(store, link, card)
    transfer = BlobTransfer(store, link, signal, on_arrived=follower.acknowledge_soon)
    return ReplicaRole(follower, transfer, link)


def _cluster_hooks(role: Role) -> ClusterHooks:
    if isinstance(role, PrimaryRole):
        return NO_CLUSTER
    link = role.link
    return ClusterHooks(
        issuer=link.issue_page,
        metadata_issuer=link.issue_metadata,
        list_issuer=link.issue_list,
        peers=lambda: (link,),
    )
