"""What a path asks for, before any handler sees the request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from yarl import URL

from node.catalog import keys
from node.catalog.lookups import find_index
from node.catalog.names import normalize_project
from node.catalog.permissions import Identity, Permission, allows_on
from node.catalog.records import IndexRecord
from node.errors import NotFound
from node.http.files import parse_address
from node.http.keys import SERVICES
from node.http.outside import outside_prefix
from node.http.paths import cleaned_path
from node.mirror.links import candidate_projects
from storage.view import View


@dataclass(frozen=True, slots=True)
class Asked:
    """A path as routes know it, and what they read in it."""

    path: str
    parts: Mapping[str, str]
    has_route: bool

    @property
    def names_index(self) -> bool:
        """Whether the path is an index, or below one."""
        return "index" in self.parts

    @property
    def names_content(self) -> bool:
        """Whether the path is that of a file, a project, or a list of projects."""
        return not {"filename", "project", "simple"}.isdisjoint(self.parts)


async def asked_for(request: web.Request, path: str) -> Asked:
    """Return what a GET of ``path`` would ask for, whatever the request itself does."""
    services = request.app[SERVICES]
    cleaned = cleaned_path(path, outside_prefix(request, services.config.public_url))
    match = await request.app.router.resolve(request.clone(method="GET", rel_url=URL.build(path=cleaned)))
    error = match.http_exception
    has_route = error is None or error.status == HTTPStatus.METHOD_NOT_ALLOWED
    return Asked(cleaned, match, has_route)


def find_asked_index(view: View, asked: Asked) -> IndexRecord | None:
    """Return the index that a path names, None when it is not there."""
    return find_index(view, asked.parts["user"], asked.parts["index"])


def covers(view: View, identity: Identity, asked: Asked) -> bool:
    """Say whether an API token is for reading what a path names, also where everybody may."""
    index = find_asked_index(view, asked)
    if index is None:
        return True  # there is nothing to see, and the handler says so
    # None as well: a token for the whole index covers each project, also one that cannot be told from the path.
    about = (None, *_projects(view, index, asked.parts))
    return any(allows_on(identity, Permission.PKG_READ, index, project) for project in about)


def _projects(view: View, index: IndexRecord, parts: Mapping[str, str]) -> Iterable[str]:
    """Return the project that a path is about, or those that a mirrored file may be of."""
    if "filename" not in parts:
        project = parts.get("project")
        return () if project is None else (normalize_project(project),)
    filename = parts["filename"].removesuffix(".metadata")
    if index.is_mirror:
        return candidate_projects(filename)
    try:
        start = parse_address(parts["start"], parts["rest"])
    except NotFound:
        return ()
    project_of_file = view.get(keys.file_address_key(index.index_id, start, filename))
    return () if project_of_file is None else (project_of_file.decode(),)
