"""Upstream's page, whatever its dialect, as a :class:`MirrorPage`.

Upstreams differ and are not trusted: what cannot be understood is left out, file by file and key by key, and
what remains is valid for the strictest client. Only a body that is no page at all is refused.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime
from email.message import Message
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import orjson
from packaging.utils import (
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from node.mirror.errors import UpstreamDown
from node.mirror.page import MirrorFile, MirrorPage, make_page

HASH_DIGITS = {
    "sha256": 64,
    "sha512": 128,
    "sha384": 96,
    "sha1": 40,
    "md5": 32,
    "blake2b": 128,
    "blake2b_256": 64,
    "blake2s": 64,
}  # in the order in which they are kept: sha256 first
STATUSES = frozenset({"active", "archived", "deprecated", "quarantined"})
# The standard's key, its deprecated alias, and the alias as PyPI misspells it.
METADATA_KEYS = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")
SERIAL_MAX = 1 << 63
FILENAME_BYTES_MAX = 255  # longer ones fit neither a cache key nor a file system

_HEX = re.compile(r"[0-9a-f]+")
_UPLOAD_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_BAD_IN_FILENAME = re.compile(r"[\x00-\x1f\x7f/\\]")


def parse_page(
    body: bytes,
    *,
    content_type: str,
    url: str,
    project: str,
    header_serial: str | None = None,
    fetched_at: float = 0.0,
) -> MirrorPage:
    """Parse the page of ``project`` (normalized) that came from the final ``url``.

    Raises:
        UpstreamDown: the body is not a page: neither JSON of the Simple API nor HTML.

    """
    media_type, charset = media_type_of(content_type)
    if media_type == "application/json" or media_type.endswith("+json"):
        data = _load_json(body, url)
    elif media_type in {"text/html", "application/xhtml+xml", ""} or media_type.endswith("+html"):
        # Slow to import (bs4, requests, pydantic), and most upstreams answer JSON: only when it is needed.
        from node.mirror.html import html_as_json  # noqa: PLC0415

        data = html_as_json(body, url=url, charset=charset)
    else:
        raise UpstreamDown(urlsplit(url).netloc, f"a page of type {media_type} is not of the Simple API")
    return page_from_json(data, url=url, project=project, header_serial=header_serial, fetched_at=fetched_at)


def page_from_json(
    data: dict[str, Any], *, url: str, project: str, header_serial: str | None = None, fetched_at: float = 0.0
) -> MirrorPage:
    """Build the page from PEP 691's structure, keeping what is valid and dropping the rest."""
    status = _status(data.get("project-status"))
    files: dict[str, MirrorFile] = {}
    # PEP 792: a quarantined project must not offer files, whatever its page still lists.
    if status is None or status["status"] != "quarantined":
        for item in data["files"]:
            file = parse_file(item, url=url, project=project) if isinstance(item, dict) else None
            if file is not None:
                files.setdefault(file.filename, file)
    meta = data.get("meta")
    serial = parse_serial(meta.get("_last-serial") if isinstance(meta, dict) else None)
    return make_page(
        project=project,
        files=tuple(files.values()),
        versions=complete_versions(data.get("versions"), files.values()),
        status=status,
        last_serial=serial if serial is not None else parse_serial(header_serial),
        fetched_at=fetched_at,
    )


def parse_file(item: dict[str, Any], *, url: str, project: str) -> MirrorFile | None:
    """Return the file, or ``None`` when it has no usable name or URL."""
    filename = parse_filename_text(item.get("filename"))
    link = _absolute_url(item.get("url"), url)
    if filename is None or link is None:
        return None
    size = item.get("size")
    requires_python = item.get("requires-python")
    provenance = item.get("provenance")
    return MirrorFile(
        filename=filename,
        url=link,
        hashes=parse_hashes(item.get("hashes")),
        size=size if type(size) is int and 0 <= size < SERIAL_MAX else None,
        upload_time=parse_upload_time(item.get("upload-time")),
        requires_python=requires_python if isinstance(requires_python, str) and requires_python else None,
        yanked=parse_yanked(item.get("yanked")),
        core_metadata=_core_metadata(item),
        provenance=provenance if isinstance(provenance, str) and provenance.startswith("https://") else None,
        version=version_of(filename, project),
    )


def parse_filename_text(value: object) -> str | None:
    """Return the filename when it is one path component without control characters."""
    if not isinstance(value, str) or value in {"", ".", ".."} or _BAD_IN_FILENAME.search(value):
        return None
    return value if len(value.encode(errors="replace")) <= FILENAME_BYTES_MAX else None


def parse_hashes(value: object) -> dict[str, str]:
    """Keep the digests whose name is known and whose value has the right form; sha256 comes first."""
    if not isinstance(value, dict):
        return {}
    found = {str(name).lower(): text.lower() for name, text in value.items() if isinstance(text, str)}
    return {
        name: found[name]
        for name, digits in HASH_DIGITS.items()
        if name in found and len(found[name]) == digits and _HEX.fullmatch(found[name])
    }


def parse_yanked(value: object) -> bool | str:
    """Return ``False``, ``True``, or a reason; a reason of no words is ``True``.

    An empty string comes from upstreams that copy HTML's ``data-yanked=""`` into JSON. Clients read it both
    ways, so it is never passed on.
    """
    if isinstance(value, str):
        return value.strip() or True
    return value is True


def parse_serial(value: object) -> int | None:
    """Return a serial that was written as an int or as a string of digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if type(value) is int and 0 <= value < SERIAL_MAX else None


def parse_upload_time(value: object) -> str | None:
    """Return the time in UTC with microseconds; without an offset it is not known and left out."""
    if not isinstance(value, str):
        return None
    if _UPLOAD_TIME.fullmatch(value):
        return value
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def version_of(filename: str, project: str) -> str | None:
    """Return the normalized version a filename names, or ``None`` when it names none of ``project``."""
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        elif filename.endswith((".tar.gz", ".zip")):
            name, version = parse_sdist_filename(filename)
        else:
            from pypi_simple import parse_filename  # noqa: PLC0415 - as in parse_page

            legacy_name, text, _ = parse_filename(filename, project)
            name, version = canonicalize_name(legacy_name), Version(text)
    except ValueError:  # InvalidWheelFilename, InvalidSdistFilename, InvalidVersion, UnparsableFilenameError
        return _version_after(project, filename)
    return str(version) if name == project else _version_after(project, filename)


def complete_versions(listed: object, files: Any) -> tuple[str, ...]:
    """Return upstream's versions once each, and those its files have that it did not list."""
    versions: dict[Version, str] = {}
    texts = listed if isinstance(listed, list) else []
    for text in [*texts, *(file.version for file in files)]:
        if isinstance(text, str):
            try:
                versions.setdefault(Version(text), text)
            except InvalidVersion:
                continue
    return tuple(versions.values())


def _version_after(project: str, filename: str) -> str | None:
    """Read an old sdist whose version has a dash: only the page's project says where its name ends."""
    stem = filename.removesuffix(".zip").removesuffix(".tar.gz")
    for dash in (index for index, character in enumerate(stem) if character == "-"):
        if canonicalize_name(stem[:dash]) == project:
            with suppress(InvalidVersion):
                return str(Version(stem[dash + 1 :]))
    return None


def _load_json(body: bytes, url: str) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UpstreamDown(urlsplit(url).netloc, "the page is not valid JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("files"), list):
        raise UpstreamDown(urlsplit(url).netloc, "the page has no list of files")
    meta = data.get("meta")
    version = meta.get("api-version") if isinstance(meta, dict) else None
    # PEP 629: a higher minor version is read as usual, a higher major one must not be guessed at.
    if isinstance(version, str) and not version.startswith("1."):
        raise UpstreamDown(urlsplit(url).netloc, f"the page is of Simple API {version}, not 1.x")
    return data


def media_type_of(content_type: str) -> tuple[str, str | None]:
    """Return type and charset of a Content-Type header."""
    message = Message()
    message["Content-Type"] = content_type
    charset = message.get_param("charset")
    return content_type.partition(";")[0].strip().lower(), charset if isinstance(charset, str) else None


def _absolute_url(value: object, base: str) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    try:
        parts = urlsplit(value if value.startswith(("https://", "http://")) else urljoin(base, value))
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return None
    except ValueError:
        return None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def _core_metadata(item: dict[str, Any]) -> bool | dict[str, str]:
    # PEP 714: the first spelling that is there decides; null counts as not there.
    value = next((item[key] for key in METADATA_KEYS if item.get(key) is not None), False)
    if isinstance(value, dict):
        return parse_hashes(value) or True
    return value is True


def _status(value: object) -> dict[str, str] | None:
    if isinstance(value, str):
        value = {"status": value}
    if not isinstance(value, dict) or value.get("status") not in STATUSES:
        return None
    reason = value.get("reason")
    status = {"status": str(value["status"])}
    return {**status, "reason": reason} if isinstance(reason, str) and reason else status
