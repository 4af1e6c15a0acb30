"""``wheelyard passwd`` on a running primary: a new password hash, from whoever holds the cluster secret.

==================  ==================================================================================
part                value
==================  ==================================================================================
query ``sha256``    hexadecimal SHA-256 of the body; the proof covers path and query, and so the body
body, JSON          ``user``, and ``password_hash``: a PHC string of argon2id, never the password
==================  ==================================================================================
"""

import hashlib
import hmac

from aiohttp import web

from node.catalog.users import set_password
from node.errors import BadRequest
from node.http.bodies import read_bounded
from node.http.cluster import for_nodes
from node.http.respond import envelope
from node.http.writing import write
from node.passwd import PasswordChange

BODY_BYTES_MAX = 16 * 1024


@for_nodes
async def change_password(request: web.Request) -> web.Response:
    """``POST /+cluster/passwd``: give a user a new password hash."""
    body = await read_bounded(request, bytes_max=BODY_BYTES_MAX)
    given = request.query.get("sha256", "")
    if not hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), given.encode()):
        raise BadRequest("the body is not the one that was signed")
    try:
        change = PasswordChange.from_wire(body)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    await write(request, set_password(change.user, change.password_hash))
    return envelope(message=f"password of {change.user} changed")
