"""Reading request bodies of bounded size."""

from typing import Any

import orjson
from aiohttp import web

from node.errors import BadRequest, TooLarge

JSON_BYTES_MAX = 2 << 20


async def read_bounded(request: web.Request, *, bytes_max: int) -> bytes:
    """Return the body.

    Raises:
        TooLarge: it has more than ``bytes_max`` bytes.

    """
    if (request.content_length or 0) > bytes_max:
        raise TooLarge(bytes_max)
    chunks, size = [], 0
    async for chunk in request.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > bytes_max:
            raise TooLarge(bytes_max)
        chunks.append(chunk)
    return b"".join(chunks)


async def read_json(request: web.Request) -> Any:
    """Return the JSON of a body.

    Raises:
        BadRequest: it is no JSON.
        TooLarge: it has more than ``JSON_BYTES_MAX`` bytes.

    """
    body = await read_bounded(request, bytes_max=JSON_BYTES_MAX)
    try:
        # Stricter than the standard library: no lone surrogate or number gets in that no record can hold.
        return orjson.loads(body)
    except ValueError:
        raise BadRequest("Bad request: could not decode json") from None


async def read_json_object(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        BadRequest: it is no JSON object.
        TooLarge: it has more than ``JSON_BYTES_MAX`` bytes.

    """
    body = await read_json(request)
    if not isinstance(body, dict):
        raise BadRequest("Bad request: expected a JSON object")
    return body
