"""A primary with users, indexes and files, as the questions find it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin, urlsplit

from bench.client import INSTALLER, Credentials
from bench.errors import ConditionMissed, RequestRefused
from bench.load import Writes, write
from bench.peers.peer import ROOT_PASSWORD
from bench.wheels import content_type, make_wheel, upload_form

if TYPE_CHECKING:
    from bench.client import Answer
    from bench.peers.peer import IndexPeer, Node

USER = "team"
PASSWORD = "of-the-team"
STAGING, DEV, UPLOADS = (f"/{USER}/{name}" for name in ("staging", "dev", "uploads"))
JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"


@dataclass(slots=True)
class Stage:
    """One peer's primary: user ``team``, index ``dev`` with the base ``staging``, and ``uploads``."""

    peer: IndexPeer
    node: Node
    token: Credentials
    seeded: set[str] = field(default_factory=set)

    @property
    def basic(self) -> dict[str, str]:
        """The header of Basic authentication."""
        return Credentials(USER, PASSWORD).basic()

    def seed(self, project: str, *, files: int, file_bytes: int, seed: int) -> None:
        """Upload so many versions of a project to ``staging``, once.

        Raises:
            LoadFailed: An upload was refused.

        """
        if project in self.seeded:
            return
        write(
            Writes(
                url=f"{self.node.url}{STAGING}/",
                headers=self.token.token(),
                action="file_upload",
                projects=project,
                count=files,
                seconds=0,
                clients=2,
                file_bytes=file_bytes,
                seed=seed,
                is_one_project=True,
            )
        )
        self.seeded.add(project)

    def upload(self, index: str, project: str, version: str, *, file_bytes: int, seed: int) -> str:
        """Upload one wheel over the set-up's connection, and return its file name.

        Raises:
            RequestRefused: It was not answered 200.

        """
        wheel = make_wheel(project, version, size_bytes=file_bytes, seed=seed)
        headers = self.token.token() | {"Content-Type": content_type()}
        answer = self.node.client.request("POST", f"{index}/", headers=headers, body=upload_form(wheel))
        if answer.status != 200:
            raise RequestRefused(method="POST", url=index, status=answer.status, body=answer.body)
        return wheel.filename

    def page_path(self, project: str) -> str:
        """Return the path of a project's simple page on ``dev``."""
        return f"{DEV}/+simple/{project}/"

    def fetch(self, path: str, accept: str = "*/*") -> Answer:
        """Fetch what the load will ask for.

        Raises:
            RequestRefused: It was not answered 200.

        """
        answer = self.node.client.request("GET", path, headers=page_headers(accept))
        if answer.status != 200:
            raise RequestRefused(method="GET", url=path, status=answer.status, body=answer.body)
        return answer

    def files_of(self, project: str) -> list[str]:
        """Return the paths of a project's files, as the JSON page on ``dev`` lists them.

        Raises:
            RequestRefused: The page was not answered 200.

        """
        path = self.page_path(project)
        page: dict[str, Any] = self.fetch(path, JSON).json()
        return [
            urlsplit(urldefrag(urljoin(self.node.url + path, file["url"]))[0]).path for file in page["files"]
        ]

    def expect_files(self, project: str, count: int) -> None:
        """Check that the page lists as many files as were uploaded, or the numbers would mean nothing.

        Raises:
            ConditionMissed: It does not.

        """
        found = len(self.files_of(project))
        if found != count:
            raise ConditionMissed(
                what=f"{count} files of {project} on {self.peer.name}, found {found}", within_seconds=0
            )


def page_headers(accept: str) -> dict[str, str]:
    """Return the headers of an installer."""
    return {"Accept": accept, "User-Agent": INSTALLER}


def furnish(peer: IndexPeer, node: Node) -> Stage:
    """Create the user and the indexes on an empty primary.

    Raises:
        RequestRefused: The node refused one of them.

    """
    client = node.client
    root = client.login("root", ROOT_PASSWORD)
    client.json("PUT", f"/{USER}", payload={"password": PASSWORD}, auth=root.token())
    token = client.login(USER, PASSWORD)
    bases = {STAGING: [], UPLOADS: [], DEV: [STAGING.removeprefix("/")]}
    for path, base in bases.items():
        client.json("PUT", path, payload={"bases": base, "volatile": True}, auth=token.token())
    return Stage(peer, node, token)
