"""Reading as somebody: only where what is shown depends on who asks, and never kept for others."""

from collections.abc import Iterable

from aiohttp import web

from node.catalog.permissions import NOBODY, Identity
from node.catalog.reading import check_read, is_restricted
from node.catalog.records import IndexRecord
from node.http.keys import PRIVATE
from node.http.writing import identify


async def reader(request: web.Request) -> Identity:
    """Return who reads; the answer is then for that reader alone, and no cache gives it to another.

    Raises:
        TooManyLogins, Unavailable: as for ``identify``.

    """
    request[PRIVATE] = True
    return await identify(request)


async def reader_of(request: web.Request, indexes: Iterable[IndexRecord]) -> Identity:
    """Return who reads the options of indexes, where one of them has something that not everybody may see.

    Raises:
        TooManyLogins, Unavailable: as for ``identify``.

    """
    return await reader(request) if any(index.has_credentials for index in indexes) else NOBODY


async def check_reader(request: web.Request, index: IndexRecord, project: str | None = None) -> None:
    """Refuse a request for all of an index, or for one project of it, that the sender may not read.

    Raises:
        LoginRequired: nobody is logged in.
        Forbidden: the user has no permission.

    """
    if is_restricted(index):
        check_read(await reader(request), index, project)


async def check_reader_of_some(request: web.Request, index: IndexRecord) -> None:
    """Refuse, before it is known what project a request is about, who may read none of an index.

    ``check_reader`` follows with the project.

    Raises:
        LoginRequired, Forbidden: as for ``check_reader``.

    """
    if is_restricted(index):
        check_read((await reader(request)).for_any_project(), index)
