"""Routes of users and logins (devpi: ``/``, ``/{user}``, ``/+login``)."""

from aiohttp import web

from node.auth.credentials import Credentials
from node.auth.tokens import TOKEN_LIFETIME_SECONDS
from node.catalog.lookups import find_user_id, indexes_of, user_names
from node.catalog.users import (
    check_fields,
    check_modification,
    check_user_is_new,
    create_user,
    delete_user,
    modify_user,
    show_user,
    show_users,
)
from node.clock import now_ms
from node.errors import BadRequest
from node.http.bodies import read_json_object
from node.http.keys import SERVICES
from node.http.reading import reader_of
from node.http.respond import envelope
from node.http.writing import identify, write


async def list_users(request: web.Request) -> web.Response:
    """``GET /``: all users with their indexes, nothing secret."""
    store = request.app[SERVICES].store
    with store.view() as view:
        indexes = [index for _, user_id in user_names(view) for index in indexes_of(view, user_id)]
    reader = await reader_of(request, indexes)
    with store.view() as view:
        return envelope(kind="list:userconfig", result=show_users(view, reader))


async def get_user(request: web.Request) -> web.Response:
    """``GET /{user}``."""
    store, user = request.app[SERVICES].store, request.match_info["user"]
    with store.view() as view:
        user_id = find_user_id(view, user)
        indexes = [] if user_id is None else list(indexes_of(view, user_id))
    reader = await reader_of(request, indexes)
    with store.view() as view:
        return envelope(kind="userconfig", result=show_user(view, user, reader))


async def put_user(request: web.Request) -> web.Response:
    """``PUT /{user}``: 201 with the new user."""
    services = request.app[SERVICES]
    user = request.match_info["user"]
    actor = await identify(request)
    with services.store.view() as view:
        check_user_is_new(view, user, actor)
    given = await read_json_object(request)
    password = given.get("password")
    if not isinstance(password, str):
        raise BadRequest("password needs to be set")
    check_fields(user, given)
    password_hash = await services.passwords.hash(password)
    operation = create_user(user, given, password_hash=password_hash, actor=actor, now_ms=now_ms())
    return envelope(201, kind="userconfig", result=await write(request, operation))


async def patch_user(request: web.Request) -> web.Response:
    """``PATCH /{user}``; with a new password the answer has a new token."""
    services = request.app[SERVICES]
    user = request.match_info["user"]
    given = await read_json_object(request)
    actor = await identify(request)
    with services.store.view() as view:
        check_modification(view, user, given, actor)
    password = given.get("password")
    if password is not None and not isinstance(password, str):
        raise BadRequest("the password must be text")
    password_hash = None if password is None else await services.passwords.hash(password)
    await write(request, modify_user(user, given, password_hash=password_hash, actor=actor, now_ms=now_ms()))
    if password is None:
        return envelope(message="user updated")
    token = services.authenticator.issue_token(user)
    result = {"password": token, "expiration": TOKEN_LIFETIME_SECONDS}
    return envelope(message="user updated, new proxy auth", kind="userpassword", result=result)


async def remove_user(request: web.Request) -> web.Response:
    """``DELETE /{user}``: with all indexes, if all are volatile."""
    user = request.match_info["user"]
    await write(request, delete_user(user, actor=await identify(request)))
    request.app[SERVICES].reaper.wake()
    return envelope(message=f"user {user!r} deleted")


async def login(request: web.Request) -> web.Response:
    """``POST /+login``: answered by every node itself, also while the primary is away."""
    body = await read_json_object(request)
    user, password = body.get("user"), body.get("password")
    if not isinstance(user, str) or not isinstance(password, str):
        raise BadRequest("Bad request: no user/password specified")
    authenticator = request.app[SERVICES].authenticator
    given = await authenticator.login(Credentials(user, password), address=request.remote or "")
    result = {"password": given.token, "expiration": given.lifetime_seconds}
    return envelope(message="login successful", kind="proxyauth", result=result)
