"""Checklist A: paths, redirects, negotiation; D: validators and encodings. Each case asks a running node."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.conformance.items import Check, House, Items
from tests.helpers.app import HTML, JSON, PIP_ACCEPT, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")
items = Items()

PAGE = "/root/dev/+simple/thing/"
LIST = "/root/dev/+simple/"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
UV_ACCEPT = f"{JSON}, {HTML};q=0.2, text/html;q=0.01"
PLAIN = "text/html; charset=utf-8"
TYPES = {JSON, HTML, PLAIN}
ACCEPTS = [
    pytest.param(None, PLAIN, id="5-none"),
    pytest.param("*/*", PLAIN, id="5-anything"),
    pytest.param(BROWSER, PLAIN, id="5-browser"),
    pytest.param(PIP_ACCEPT, JSON, id="6-pip"),
    pytest.param(UV_ACCEPT, JSON, id="6-uv"),
    pytest.param(f"{JSON}, */*;q=0.1", JSON, id="6-poetry"),
    pytest.param(HTML, HTML, id="7-v1-html"),
    pytest.param("text/html", PLAIN, id="7-text-html"),
    pytest.param(f"{JSON};q=0, text/html", PLAIN, id="8-json-excluded"),
    pytest.param(f"text/html;q=0.1, {JSON};q=0.9", JSON, id="8-json-preferred"),
    pytest.param(f"{HTML};q=0.9, {JSON};q=0.1", HTML, id="8-html-preferred"),
    pytest.param("application/vnd.pypi.simple.latest+json", JSON, id="9-latest-json"),
    pytest.param("application/vnd.pypi.simple.latest+html", HTML, id="9-latest-html"),
    pytest.param("application/vnd.pypi.simple.v2+json", PLAIN, id="10-v2"),
]


@pytest.mark.parametrize("path", [PAGE, LIST], ids=["page", "list"])
@pytest.mark.parametrize(("accept", "content_type"), ACCEPTS)
async def test_accept_header_chooses_the_form(
    house: House, path: str, accept: str | None, content_type: str
) -> None:
    answer = await house.ask(path, headers={} if accept is None else {"Accept": accept})

    assert (answer.status, answer.headers["content-type"]) == (200, content_type)


@items.holds(1)
async def list_and_page_have_a_type(house: House) -> None:
    for path in (LIST, PAGE):
        answer = await house.ask(path)
        assert answer.status == 200
        assert answer.headers["content-type"] in TYPES


async def redirects(house: House, path: str, target: str) -> None:
    answer = await house.ask(path)
    assert (answer.status, answer.headers["location"]) == (302, target)
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.body) < 200


@items.holds(2, 45)
async def page_without_slash_redirects(house: House) -> None:
    await redirects(house, "/root/dev/+simple/thing", "thing/")


@items.holds(3, 45)
async def other_spelling_redirects_with_its_query(house: House) -> None:
    await redirects(house, "/root/dev/+simple/Th_.-Ing/", "../th-ing/")
    await redirects(house, "/root/dev/+simple/Thing/?a=b%20c", "../thing/?a=b%20c")


@items.holds(2)
async def redirect_never_leaves_this_host(house: House) -> None:
    await redirects(house, "/root/dev/+simple/https:evil", "https-evil/")


@items.holds(4, 45)
async def list_without_slash_redirects(house: House) -> None:
    await redirects(house, "/root/dev/+simple", "+simple/")
    await redirects(house, "/root/dev/%2Bsimple", "+simple/")


@items.holds(11)
async def format_in_the_query_wins(house: House) -> None:
    for given, expected in ((JSON, JSON), ("text/html", PLAIN), ("nonsense", HTML)):
        path = f"{PAGE}?format={given.replace('+', '%2B')}"
        answer = await house.ask(path, headers={"Accept": HTML})
        assert answer.headers["content-type"] == expected


@items.holds(12)
async def vary_is_on_pages_and_on_304(house: House) -> None:
    for path in (LIST, PAGE):
        answer = await house.ask(path)
        again = await house.ask(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (answer.headers["vary"], again.headers["vary"]) == ("Accept, Accept-Encoding",) * 2
        assert again.status == 304


@items.holds(13)
async def head_has_the_headers_of_get(house: House) -> None:
    for path in (LIST, PAGE):
        for accept in (JSON, HTML):
            got = await house.ask(path, headers={"Accept": accept})
            head = await house.ask(path, method="HEAD", headers={"Accept": accept})
            assert head.body == b""
            assert without_date(head) == without_date(got)


def without_date(answer: Reply) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


@items.holds(14)
async def aliases_give_the_same_page(house: House) -> None:
    for tail in ("", "thing/"):
        answers = [
            await house.ask(f"/root/dev/{alias}/{tail}", headers={"Accept": JSON})
            for alias in ("+simple", "%2Bsimple", "simple")
        ]
        assert [answer.status for answer in answers] == [200] * 3
        assert len({answer.body for answer in answers}) == 1


@items.holds(14)
async def projects_named_as_aliases_work(house: House) -> None:
    for name in ("simple", "pypi", "json"):
        for alias in ("+simple", "simple"):
            page = (await house.ask(f"/root/dev/{alias}/{name}/", headers={"Accept": JSON})).json()
            assert page["name"] == name
        versions = (await house.ask(f"/root/dev/{name}", headers={"Accept": "application/json"})).json()
        assert list(versions["result"]) == ["1.0"]
        version = (await house.ask(f"/root/dev/{name}/1.0", headers={"Accept": "application/json"})).json()
        assert version["result"]["version"] == "1.0"
    assert (await house.ask("/root/dev/simple/1.0")).json()["result"]["name"] == "simple"


@items.holds(15)
async def doubled_slashes_do_not_matter(house: House) -> None:
    expected = await house.ask(PAGE)
    for path in ("//root/dev/+simple/thing/", "/root//dev/%2Bsimple//thing//"):
        answer = await house.ask(path)
        assert (answer.status, answer.body) == (200, expected.body)


@items.holds(16)
async def unknown_project_is_404_and_small(house: House) -> None:
    for path in ("/root/dev/+simple/nowhere/", "/root/no/+simple/thing/", f"/root/dev/+simple/{'x' * 700}/"):
        answer = await house.ask(path, headers={"Accept": PIP_ACCEPT})
        assert answer.status == 404
        assert answer.headers["cache-control"] == "no-store"
        assert len(answer.body) < 400


@items.holds(17)
async def browsers_of_other_origins_may_read(house: House) -> None:
    page = await house.app.page("thing")
    file = "/root/dev/+simple/thing/" + page["files"][0]["url"]
    file = file[file.rindex("../") + 2 :]
    for path in (LIST, PAGE, file):
        answer = await house.ask(path, headers={"Origin": "https://jupyter.example.org"})
        assert answer.headers["access-control-allow-origin"] == "*"
        asked = {"Origin": "https://jupyter.example.org", "Access-Control-Request-Method": "GET"}
        preflight = await house.ask(path, method="OPTIONS", headers=asked)
        assert preflight.status == 204
        assert "GET" in preflight.headers["access-control-allow-methods"]
        assert preflight.headers["access-control-allow-origin"] == "*"


@items.holds(39, 42)
async def validators_are_strong_and_answered(house: House) -> None:
    for path in (LIST, PAGE, "/root/dev/+simple/six/"):
        for accept in (JSON, HTML, "text/html"):
            headers = {"Accept": accept}
            etag = (await house.ask(path, headers=headers)).headers["etag"]
            assert re.fullmatch(r'"[^"]+"', etag)
            for given in (etag, f"W/{etag}", "*", f'"other", {etag}'):
                again = await house.ask(path, headers={**headers, "If-None-Match": given})
                assert (again.status, again.headers["etag"], again.body) == (304, etag, b"")
            other = await house.ask(path, headers={**headers, "If-None-Match": '"other"'})
            assert other.status == 200


@items.holds(40)
async def each_form_and_encoding_has_its_etag(house: House) -> None:
    for path in (LIST, PAGE):
        etags = {
            (await house.ask(path, headers={"Accept": accept, "Accept-Encoding": encoding})).headers["etag"]
            for accept in (JSON, HTML, "text/html")
            for encoding in ("identity", "gzip")
        }
        assert len(etags) == 6


@items.holds(43)
async def pages_are_asked_for_again(house: House) -> None:
    for path in (LIST, PAGE, "/root/dev/+simple/six/", "/root/pypi/+simple/six/"):
        assert (await house.ask(path)).headers["cache-control"] == "no-cache"


@items.holds(46)
async def everything_has_a_date(house: House) -> None:
    for path in (LIST, PAGE, PAGE, "/root/dev/+simple/nowhere/"):
        assert "date" in (await house.ask(path)).headers


@items.holds(47)
async def encodings_decode_to_the_same_page(house: House) -> None:
    plain = await house.ask(PAGE, headers={"Accept": JSON})
    for encoding, expected in (
        ("gzip", "gzip"),
        ("gzip, deflate, zstd", "gzip"),
        ("zstd", None),
        ("identity", None),
        ("gzip;q=0, *", None),
        ("*", "gzip"),
        ("gzip;q=0.2, identity", None),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip"),
    ):
        answer = await house.ask(PAGE, headers={"Accept": JSON, "Accept-Encoding": encoding})
        assert answer.headers.get("content-encoding") == expected, encoding
        body = gzip.decompress(answer.body) if expected else answer.body
        assert body == plain.body


@pytest.mark.parametrize("check", items.cases)
async def test_routing_and_caching_conform(house: House, check: Check) -> None:
    await check(house)
