"""XML-RPC: the call in a request's body, and answers and faults as bodies.

The standard library's expat and unmarshaller do the reading. What makes XML dangerous, entities
and external references, can only be declared in a document type; a body that has one is refused
where it begins, before anything in it is looked at.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from xml.parsers.expat import ExpatError, ParserCreate
from xmlrpc.client import Error, Fault, Unmarshaller, dumps

from aiohttp import web

from node.errors import CallMalformed, CallRefused

XML_TYPE = "text/xml"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may contain, not even escaped; clients refuse a document that does."""


def parse_call(body: bytes) -> tuple[str, tuple[Any, ...]]:
    """Return the name of the method that is called, and its arguments.

    Raises:
        CallMalformed: the body is no XML, no call, or has a document type.

    """
    unmarshaller = Unmarshaller()
    unmarshaller.xml("", None)  # texts come decoded
    parser = ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = unmarshaller.start
    parser.EndElementHandler = unmarshaller.end
    parser.CharacterDataHandler = unmarshaller.data
    try:
        parser.Parse(body, True)
        arguments = unmarshaller.close()
    except ExpatError as error:
        raise CallMalformed(f"the body is not well-formed XML: {error}") from None
    except (Error, ValueError, TypeError, LookupError, ArithmeticError):
        # What the unmarshaller stumbles over where values are missing, misplaced or of another type.
        raise CallMalformed("the body is no XML-RPC call") from None
    method = unmarshaller.getmethodname()
    if method is None:
        raise CallMalformed("the body is no XML-RPC call")
    return method, arguments


def answer(result: Sequence[Mapping[str, Any]]) -> web.Response:
    """Return the answer to a call."""
    return _response(dumps((list(result),), methodresponse=True))


def fault(refusal: CallRefused) -> web.Response:
    """Return a refusal as a fault: the one answer, beside a result, that clients of XML-RPC read."""
    return _response(dumps(Fault(refusal.code, refusal.message)))


def _response(document: str) -> web.Response:
    body = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", document).encode()
    return web.Response(body=body, headers={"Content-Type": XML_TYPE, "Cache-Control": "no-store"})


def _refuse_document_type(*_: object) -> NoReturn:
    raise CallMalformed("the body must not have a document type")
