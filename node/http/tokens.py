"""Routes of API tokens, as devpi-tokens has them (``/{user}/+token-create``, ``/{user}/+tokens``)."""

from aiohttp import web

from node.auth.api_tokens import make_api_token
from node.catalog.permissions import is_admin
from node.catalog.restrictions import parse_restrictions
from node.catalog.tokens import check_token_manager, create_token, list_tokens, revoke_token
from node.clock import now_ms
from node.http.bodies import read_json_object
from node.http.keys import SERVICES
from node.http.respond import envelope
from node.http.writing import identify, write

_NOT_KEPT = {"Cache-Control": "no-store"}


async def post_token(request: web.Request) -> web.Response:
    """``POST /{user}/+token-create``: the only answer that ever has the token."""
    user = request.match_info["user"]
    actor = await identify(request)
    with request.app[SERVICES].store.view() as view:
        check_token_manager(view, user, actor)
    given = await read_json_object(request) if request.can_read_body else {}
    moment = now_ms()
    restrictions = parse_restrictions(given, now_ms=moment, is_admin=is_admin(actor))
    token = make_api_token()
    operation = create_token(
        user, restrictions, token_id=token.token_id, sha256=token.sha256, actor=actor, now_ms=moment
    )
    shown = await write(request, operation)
    return _answer(envelope(kind="token-info", result={"token": token.text, "id": token.token_id, **shown}))


async def get_tokens(request: web.Request) -> web.Response:
    """``GET /{user}/+tokens``: what there is, without anything secret."""
    actor = await identify(request)
    with request.app[SERVICES].store.view() as view:
        tokens = list_tokens(view, request.match_info["user"], actor=actor)
    return _answer(envelope(kind="tokens-info", result={"tokens": tokens}))


async def remove_token(request: web.Request) -> web.Response:
    """``DELETE /{user}/+tokens/{token_id}``."""
    user, token_id = request.match_info["user"], request.match_info["token_id"]
    await write(request, revoke_token(user, token_id, actor=await identify(request)))
    return _answer(envelope(message=f"token {token_id} deleted"))


def _answer(response: web.Response) -> web.Response:
    response.headers.update(_NOT_KEPT)
    return response
