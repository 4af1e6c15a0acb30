"""An HTML page of the Simple API as PEP 691's structure, so that one parser judges both."""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from pypi_simple import UnsupportedRepoVersionError
from pypi_simple.html import Link, RepositoryPage

from node.mirror.errors import UpstreamDown

# pip looks at no other links either; this keeps "login" and "parent directory" out of the files.
ARCHIVES = (
    ".whl", ".gz", ".zip", ".tgz", ".bz2", ".xz", ".tbz", ".Z", ".tar", ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg",
)  # fmt: skip

_DIGEST = re.compile(r"(\w+)=([0-9A-Fa-f]+)")


def html_as_json(body: bytes, *, url: str, charset: str | None = None) -> dict[str, Any]:
    """Return ``body`` as PEP 691 would say it; links are resolved against ``<base>`` and ``url``.

    Raises:
        UpstreamDown: the page declares another major version of the Simple API, or has a link that is no URL.

    """
    try:
        page = RepositoryPage.from_html(body, url, charset)
        files = [_file(link) for link in page.links]
    except (UnsupportedRepoVersionError, ValueError) as error:
        raise UpstreamDown(urlsplit(url).netloc, f"the HTML page cannot be read: {error}") from error
    return {
        "files": [file for file in files if file["filename"].endswith(ARCHIVES)],
        "project-status": {
            "status": next(iter(page.pypi_meta.get("project-status", [])), None),
            "reason": page.status_reason,
        },
    }


def _file(link: Link) -> dict[str, Any]:
    parts = urlsplit(link.url)
    digest = _DIGEST.fullmatch(parts.fragment)
    attributes = {key: value for key, value in link.attrs.items() if isinstance(value, str)}
    size = attributes.get("data-size", "")
    # The link's text should be the filename; some indexes decorate it, and the URL then knows better.
    basename = unquote(parts.path.rpartition("/")[2])
    return {
        "filename": basename if "/" in link.text or " " in link.text or not link.text else link.text,
        "url": link.url,
        "hashes": {digest[1]: digest[2]} if digest else {},
        "requires-python": attributes.get("data-requires-python"),
        "yanked": attributes.get("data-yanked"),  # PEP 592: present, even when empty, means yanked
        "core-metadata": _metadata(attributes),
        "provenance": attributes.get("data-provenance"),
        # Not standard, but uv reads them and some indexes write them.
        "size": int(size) if size.isascii() and size.isdigit() and len(size) < 20 else None,
        "upload-time": attributes.get("data-upload-time"),
    }


def _metadata(attributes: dict[str, str]) -> bool | dict[str, str] | None:
    value = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
    if value is None:
        return None
    digest = _DIGEST.fullmatch(value)
    return {digest[1]: digest[2]} if digest else value.lower() == "true"
