"""Bodies of XML-RPC: what is hostile or no call is refused, whatever it is; what is answered is XML."""

from __future__ import annotations

import xmlrpc.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import ArgumentsRefused, CallMalformed
from node.http.xmlrpc import answer, fault, parse_call

CALL = xmlrpc.client.dumps(({"name": ["é"], "summary": ["x"]}, "or"), "search")
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
TAGS = [
    "methodCall",
    "methodName",
    "params",
    "param",
    "value",
    "array",
    "data",
    "struct",
    "member",
    "name",
    "string",
    "int",
    "i4",
    "boolean",
    "double",
    "nil",
    "base64",
    "dateTime.iso8601",
    "fault",
    "methodResponse",
    "bigdecimal",
    "x:value",
    "other",
]
PIECES = [
    *(f"<{tag}>" for tag in TAGS),
    *(f"</{tag}>" for tag in TAGS),
    "search",
    "7",
    "x",
    "-",
    "<a b='c'/>",
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_call_is_read_in_every_encoding(encoding: str) -> None:
    text = CALL.replace("<?xml version='1.0'?>", f"<?xml version='1.0' encoding='{encoding}'?>")

    assert parse_call(text.encode(encoding)) == ("search", ({"name": ["é"], "summary": ["x"]}, "or"))


@pytest.mark.parametrize(
    "declaration",
    [
        pytest.param(f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]>', id="billion-laughs"),
        pytest.param(f'<!DOCTYPE x [<!ENTITY l9 "{"a" * 50_000}">]>', id="quadratic"),
        pytest.param('<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>', id="external-entity"),
        pytest.param('<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/">%p;]>', id="parameter-entity"),
        pytest.param('<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">', id="external-dtd"),
        pytest.param("<!DOCTYPE x>", id="bare"),
    ],
)
def test_document_type_is_refused_before_anything_in_it_is_used(declaration: str) -> None:
    body = CALL.replace("?>", "?>" + declaration, 1).replace("é", "&l9;")

    with pytest.raises(CallMalformed) as refused:
        parse_call(body.encode())

    assert refused.value.message == "the body must not have a document type"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="empty"),
        pytest.param("search", id="no-xml"),
        pytest.param("<a>", id="unfinished"),
        pytest.param("<a/>", id="no-call"),
        pytest.param("<a>&nothing;</a>", id="undeclared-entity"),
        pytest.param("<a>\x00</a>", id="zero-byte"),
        pytest.param("<?xml version='1.0' encoding='nonsense'?><a/>", id="unknown-encoding"),
        pytest.param("<?xml version='1.0' encoding='utf-7'?><a/>", id="odd-encoding"),
        pytest.param(xmlrpc.client.dumps(("x",), methodresponse=True), id="an-answer"),
        pytest.param(xmlrpc.client.dumps(xmlrpc.client.Fault(1, "x")), id="a-fault"),
        pytest.param("<methodCall><fault><value><int>1</int></value></fault></methodCall>", id="odd-fault"),
        pytest.param(f"<params><value><int>{'9' * 5000}</int></value></params>", id="long-number"),
        pytest.param("<params><value><bigdecimal>x</bigdecimal></value></params>", id="no-number"),
        pytest.param("<params><struct><value>1</value></struct></params>", id="struct-without-value"),
        pytest.param("<params><struct><array/><value>1</value></struct></params>", id="list-as-key"),
        pytest.param("<array>" * 4000 + "</array>" * 4000, id="deep-nesting"),
        pytest.param("<a>" * 10_000 + "</a>" * 10_000, id="deep-unknown-tags"),
    ],
)
def test_what_is_no_call_is_refused(body: str) -> None:
    with pytest.raises(CallMalformed):
        parse_call(body.encode())


def test_deeply_nested_arguments_are_read_without_recursion() -> None:
    depth = 2000
    value = "<value><array><data>" * depth + "</data></array></value>" * depth
    method, arguments = parse_call(
        f"<methodCall><methodName>search</methodName><params><param>{value}</param></params></methodCall>".encode()
    )

    assert (method, len(arguments)) == ("search", 1)


def _elements(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.tuples(st.sampled_from(TAGS), inner), max_size=4).map(
        lambda children: "".join(f"<{tag}>{content}</{tag}>" for tag, content in children)
    )


@given(
    st.one_of(
        st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
        st.recursive(st.sampled_from(["search", "7", ""]), _elements, max_leaves=12),
    )
)
def test_any_tags_are_a_call_or_refused(body: str) -> None:
    try:
        method, _ = parse_call(f"<methodCall>{body}</methodCall>".encode())
    except CallMalformed:
        return
    assert isinstance(method, str)


def test_what_xml_cannot_say_is_replaced_in_answers_and_faults() -> None:
    odd = "a\x00b\x1b\ud800\ufffe<&>é\U0001f40d"
    plain = "a\ufffdb\ufffd\ufffd\ufffd<&>é\U0001f40d"

    (hits,), _ = xmlrpc.client.loads(_body(answer([{"summary": odd}])))

    assert hits == [{"summary": plain}]
    with pytest.raises(xmlrpc.client.Fault) as raised:
        xmlrpc.client.loads(_body(fault(ArgumentsRefused(odd))))
    assert (raised.value.faultCode, raised.value.faultString) == (-32602, plain)


def _body(response: object) -> str:
    content = getattr(response, "body", b"")
    assert isinstance(content, bytes)
    return content.decode()
