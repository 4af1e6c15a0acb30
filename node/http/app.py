"""The application: every route, in one table."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from node.http import (
    aliases,
    cluster,
    files,
    indexes,
    operators,
    passwd,
    projects,
    search,
    simple,
    tokens,
    users,
)
from node.http.cors import answer_preflights, hide_software
from node.http.errors import errors_to_http
from node.http.guard import authcheck, login_required, state_required
from node.http.keys import CONNECTIONS, SERVICES
from node.http.paths import clean_paths
from node.http.proxy import pass_on_writes
from node.http.respond import add_common_headers
from node.services import Services

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_USER = "/{user:[^+/]+}"
_INDEX = _USER + "/{index:[^+/]+}"
_PROJECT = _INDEX + "/{project:[^+/]+}"
_VERSION = _PROJECT + "/{version:[^/]+}"
_FILE = _INDEX + "/{kind:\\+[fe]}/{start:[^/]{3}}/{rest:[^/]{13}}/{filename:[^/]+}"
_BODY_BYTES_MAX = 1 << 40
"""aiohttp's own limit is off: each reader has its own, and uploads never go through aiohttp's buffers."""

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/+live", operators.get_live),
    ("GET", "/+ready", operators.get_ready),
    ("GET", "/+status", operators.get_status),
    ("GET", "/+nodes", operators.get_nodes),
    ("GET", "/+metrics", operators.get_metrics),
    ("POST", "/+cluster/stream", cluster.stream),
    ("POST", "/+cluster/ack", cluster.acknowledge),
    ("POST", "/+cluster/passwd", passwd.change_password),
    ("GET", "/+cluster/blob/{sha256}", cluster.get_blob),
    ("GET", "/+cluster/mirror/{index_id:\\d+}/page/{project}", cluster.get_mirror_page),
    ("GET", "/+cluster/mirror/{index_id:\\d+}/projects", cluster.get_mirror_projects),
    ("GET", "/+cluster/mirror/{index_id:\\d+}/metadata/{key}/{filename}", cluster.get_mirror_metadata),
    ("GET", "/+cluster/mirror/{index_id:\\d+}/file/{key}/{filename}", cluster.get_mirror_file),
    ("GET", "/+api", indexes.describe_api),
    ("GET", _USER + "/+api", indexes.describe_api),
    ("GET", _INDEX + "/+api", indexes.describe_api),
    ("POST", "/+login", users.login),
    ("GET", "/+authcheck", authcheck),
    ("GET", "/", users.list_users),
    ("GET", _USER + "{slash:/?}", users.get_user),
    ("PUT", _USER + "{slash:/?}", users.put_user),
    ("PATCH", _USER + "{slash:/?}", users.patch_user),
    ("DELETE", _USER + "{slash:/?}", users.remove_user),
    ("POST", _USER + "/+token-create", tokens.post_token),
    ("GET", _USER + "/+tokens", tokens.get_tokens),
    ("DELETE", _USER + "/+tokens/{token_id}", tokens.remove_token),
    ("GET", _INDEX + "/{simple:\\+simple}", simple.redirect_to_slash),
    ("GET", _INDEX + "/{simple:\\+simple}/", simple.get_projects),
    ("GET", _INDEX + "/{simple:\\+simple}/{project:[^/]+}", simple.redirect_to_slash),
    ("GET", _INDEX + "/{simple:\\+simple}/{project:[^/]+}/", simple.redirect_to_normalized),
    ("POST", _INDEX + "/{simple:\\+simple}{slash:/?}", search.search),
    ("POST", _INDEX + "/{simple:simple}{slash:/?}", search.search),
    ("POST", _INDEX + "/pypi{slash:/?}", search.search),
    ("POST", _INDEX + "/{simple:\\+simple}/{project:[^/]+}/refresh", simple.refresh),
    ("GET", _INDEX + "/{simple:simple}{slash:/?}", aliases.get_list),
    ("GET", _INDEX + "/{simple:simple}/{project:[^+/]+}{slash:/?}", aliases.get_page),
    ("GET", _FILE, files.get_file),
    ("DELETE", _FILE, files.remove_file),
    ("GET", _INDEX + "{slash:/?}", indexes.get_one),
    ("PUT", _INDEX + "{slash:/?}", indexes.put_index),
    ("PATCH", _INDEX + "{slash:/?}", indexes.patch_index),
    ("DELETE", _INDEX + "{slash:/?}", indexes.remove_index),
    ("POST", _INDEX + "{slash:/?}", indexes.post_to_index),
    ("GET", _PROJECT + "{slash:/?}", projects.get_project_json),
    ("DELETE", _PROJECT + "{slash:/?}", projects.remove_project),
    ("GET", _VERSION + "{slash:/?}", projects.get_version_json),
    ("DELETE", _VERSION + "{slash:/?}", projects.remove_version),
)
"""Method, path and handler; the first that fits answers. ``PUSH`` has become ``POST`` before it gets here."""


def create_app(services: Services) -> web.Application:
    """Return the application of one node."""
    app = web.Application(
        middlewares=[
            errors_to_http,
            answer_preflights,
            state_required,
            login_required,
            pass_on_writes,
            clean_paths,
        ],
        client_max_size=_BODY_BYTES_MAX,
    )
    app[SERVICES] = services
    app[CONNECTIONS] = lambda: None
    for method, path, handler in ROUTES:
        if method == "GET":
            app.router.add_get(path, handler, allow_head=True)
        else:
            app.router.add_route(method, path, handler)
    app.on_response_prepare.append(hide_software)
    app.on_response_prepare.append(add_common_headers)
    app.on_response_prepare.append(cluster.prove_answer)
    return app
