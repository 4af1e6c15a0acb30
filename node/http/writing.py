"""How a handler has an operation written."""

import asyncio
from dataclasses import replace
from typing import TypeVar

from aiohttp import web

from node.catalog.permissions import Identity
from node.errors import Unavailable
from node.http.keys import SERIAL, SERVICES
from storage.draft import Operation

T = TypeVar("T")


async def write(request: web.Request, operation: Operation[T]) -> T:
    """Run an operation on the writer thread and return its result once it is durable.

    The operation is carried out even when the client goes away meanwhile.

    Raises:
        Unavailable: this primary may not write, because the cluster knows a newer history.
        Refusal: the operation refused; nothing changed.
        StorageError: the entry could not be written.

    """
    services = request.app[SERVICES]
    refusal = services.write_refusal()
    if refusal is not None:
        raise Unavailable(refusal)
    receipt = await asyncio.shield(asyncio.wrap_future(services.store.submit(operation)))
    request[SERIAL] = receipt.position.serial
    return receipt.result


async def identify(request: web.Request) -> Identity:
    """Return who sent the request.

    Raises:
        TooManyLogins: too many wrong passwords for this user from this address.
        Unavailable: too many passwords are being verified.

    """
    services = request.app[SERVICES]
    identity = await services.authenticator.identify(request.headers, address=request.remote or "")
    return replace(identity, modifiers=services.config.restrict_modify)
