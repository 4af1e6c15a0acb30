"""Writing pages of the Simple API 1.4 (PEP 503, 592, 629, 658, 691, 700, 714, 740, 792)."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote

import orjson

from node.simple.negotiate import Format
from node.simple.shown import ShownFile

API_VERSION = "1.4"
TO_ROOT_FROM_PROJECT = "../../../../"
"""From ``/user/index/+simple/project/`` to the root: links work behind any host name and prefix."""
_FRAGMENT_HASHES = ("sha256", "sha512", "sha384", "blake2b", "md5")
"""What uv takes in a fragment, the strongest habits first; with any other it refuses the whole page."""


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """What a project's page says, before it is written in one form."""

    project: str  # normalised
    files: Sequence[ShownFile]
    versions: Sequence[str]
    last_serial: int | None
    status: dict[str, str] | None = None  # PEP 792; None means active


def render_project(page: ProjectPage, form: Format, *, root: str = TO_ROOT_FROM_PROJECT) -> bytes:
    """Write a project's page; ``root`` stands before every file's path."""
    if form is Format.JSON:
        return orjson.dumps(_project_json(page, root))
    return _project_html(page, root).encode()


def _project_json(page: ProjectPage, root: str) -> dict[str, Any]:
    meta: dict[str, Any] = {"api-version": API_VERSION}
    if page.last_serial is not None:
        meta["_last-serial"] = page.last_serial
    shown: dict[str, Any] = {
        "meta": meta,
        "name": page.project,
        "versions": page.versions,
        "files": [_file_json(file, root) for file in page.files],
    }
    if page.status:
        shown["project-status"] = page.status
    return shown


def _file_json(file: ShownFile, root: str) -> dict[str, Any]:
    # Keys whose value is unknown are left out: uv rejects a page with a null in size, upload-time or yanked.
    shown: dict[str, Any] = {
        "filename": file.filename,
        "url": root + quote(file.path, safe="/+"),
        "hashes": file.hashes,
        "yanked": file.yanked,
    }
    if file.requires_python:
        shown["requires-python"] = file.requires_python
    if file.size_bytes is not None:
        shown["size"] = file.size_bytes
    if file.upload_time:
        shown["upload-time"] = file.upload_time
    if file.core_metadata:
        shown["core-metadata"] = shown["dist-info-metadata"] = file.core_metadata
    if file.provenance:
        shown["provenance"] = file.provenance
    return shown


def _project_html(page: ProjectPage, root: str) -> str:
    meta = ""
    if page.status:
        for key, value in (
            ("pypi:project-status", page.status.get("status")),
            ("pypi:project-status-reason", page.status.get("reason")),
        ):
            if value:
                meta += f'<meta name="{key}" content="{escape(value)}">\n'
    anchors = "".join(_anchor(file, root) for file in page.files)
    return document(f"Links for {page.project}", meta, anchors)


def _anchor(file: ShownFile, root: str) -> str:
    href = root + quote(file.path, safe="/+")
    algorithm = next((name for name in _FRAGMENT_HASHES if name in file.hashes), None)
    if algorithm:
        href += f"#{algorithm}={file.hashes[algorithm]}"
    attributes = f'href="{escape(href)}"'
    if file.requires_python:
        attributes += f' data-requires-python="{escape(file.requires_python)}"'
    if file.yanked:
        # Always with a value: pip and unearth read a bare attribute as not yanked.
        attributes += f' data-yanked="{escape(file.yanked) if isinstance(file.yanked, str) else ""}"'
    if file.core_metadata:
        digests = file.core_metadata if isinstance(file.core_metadata, dict) else {}
        value = next((f"{name}={digests[name]}" for name in _FRAGMENT_HASHES if name in digests), "true")
        attributes += f' data-core-metadata="{escape(value)}" data-dist-info-metadata="{escape(value)}"'
    if file.provenance:
        attributes += f' data-provenance="{escape(file.provenance)}"'
    return f"<a {attributes}>{escape(file.filename)}</a><br>\n"


def document(title: str, meta: str, anchors: str) -> str:
    """Return an HTML page of the Simple API; ``meta`` and ``anchors`` are HTML."""
    return (
        "<!DOCTYPE html>\n<html>\n<head>\n"
        f'<meta name="pypi:repository-version" content="{API_VERSION}">\n{meta}'
        f"<title>{escape(title)}</title>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{anchors}</body>\n</html>\n"
    )
