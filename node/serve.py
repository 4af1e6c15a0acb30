"""A node's life: open, listen, work, stop."""

import asyncio
import gc
import signal
import ssl
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web

from node.address import remove_address, write_address
from node.assembly import assembled
from node.cluster.chores import forget_gone_mirrors, prune_regularly
from node.cluster.roles import PrimaryRole
from node.config import Config
from node.directory import DataDirectory
from node.http.app import create_app
from node.http.fast import FastAnswers
from node.http.keys import CONNECTIONS
from node.http.server import ConnectionRunner
from node.services import Services
from replication.errors import FollowRefused

SHUTDOWN_SECONDS = 5.0
BACKLOG = 2048
_log = structlog.get_logger()


async def serve(config: Config, directory: DataDirectory) -> int:
    """Run a node until it is told to stop; return the exit status.

    Raises:
        OSError: the address cannot be listened on.

    """
    context = _tls(config)
    scheme = "http" if context is None else "https"
    url = config.public_url or f"{scheme}://{_bracketed(config.host)}:{config.port}"
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with assembled(config, directory, url=url) as services:
        app = create_app(services)
        runner = ConnectionRunner(
            app,
            fast_path=FastAnswers(services.finished, services.common.lines),
            connections_max=config.connections_max,
            shutdown_timeout=SHUTDOWN_SECONDS,
            access_log=None,
            handle_signals=False,
        )
        await runner.setup()
        connections = runner.connections
        if connections is not None:
            app[CONNECTIONS] = lambda: connections.statistics
        site = web.TCPSite(
            runner, config.host, config.port, ssl_context=context, backlog=BACKLOG, reuse_address=True
        )
        await site.start()
        port = runner.addresses[0][1]
        write_address(config.data, scheme=scheme, host=config.host, port=port)
        gc.freeze()  # what was made up to here stays for ever: full collections need not look at it again
        _announce(services, f"{scheme}://{_bracketed(config.host)}:{port}")
        try:
            return await _work(services, stopping)
        finally:
            remove_address(config.data)
            await site.stop()
            if isinstance(services.role, PrimaryRole):
                await services.role.feeder.close()
            services.signal.close()
            await runner.cleanup()


def _announce(services: Services, url: str) -> None:
    role = "primary" if isinstance(services.role, PrimaryRole) else "replica"
    # The one line on standard output: scripts wait for it.
    print(f"wheelyard {role} ready at {url}/ with data in {services.config.data}", flush=True)  # noqa: T201
    _log.info("node started", role=role, url=url, serial=services.store.position.serial)


async def _work(services: Services, stopping: asyncio.Event) -> int:
    """Run what runs beside the requests until told to stop, or until one of it ends."""
    tasks = [asyncio.create_task(job) for job in _jobs(services)]
    waiting = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiting}:
            error = task.exception()
            if isinstance(error, FollowRefused):
                print(f"wheelyard: {error}", file=sys.stderr, flush=True)  # noqa: T201
                return 1
            if error is not None:
                raise error
        return 0
    finally:
        for task in (waiting, *tasks):
            task.cancel()
        for task in (waiting, *tasks):
            with suppress(asyncio.CancelledError, Exception):
                await task
        _log.info("node stopped", serial=services.store.position.serial)


def _jobs(services: Services) -> list[Coroutine[Any, Any, object]]:
    role = services.role
    everywhere = forget_gone_mirrors(services.store, services.mirror, services.source_of)
    if isinstance(role, PrimaryRole):
        retention_entries = services.config.retention_entries
        pruning = prune_regularly(role.feeder, retention_entries=retention_entries)
        return [everywhere, services.reaper.run(), pruning]
    return [everywhere, role.follower.run(), role.transfer.run()]


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.tls_cert, config.tls_key)
    return context


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
