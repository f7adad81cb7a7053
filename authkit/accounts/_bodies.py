"""What clients send to the endpoints of accounts: texts under fixed names, as JSON or as a form, read one way only."""

from __future__ import annotations

from ..errors import MalformedRequest, RequestError
from ..tokens.strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..http import Request

FORM = "application/x-www-form-urlencoded"
_MOST_BRACKETS = 4500  # as many as the longest password and user name have characters; a body of texts has one of its own
_HEX = frozenset("0123456789abcdefABCDEF")


class UnsupportedMediaType(RequestError):
    """Only `application/json` and `application/x-www-form-urlencoded` are read, both in UTF-8."""

    status = 415
    code = "unsupported_media_type"
    default_reason = "unsupported_media_type"


def texts(request: Request, *names: str) -> tuple[str, ...]:
    """The members `names` of the body, which holds these and no others, each once, each a text without NUL.

    Raises: `UnsupportedMediaType`, `MalformedRequest`.
    """
    found = _form(request.body, len(names)) if _kind(request) == FORM else _json(request.body)
    if found.keys() != set(names):
        raise MalformedRequest("body_members")
    values = tuple(found[name] for name in names)
    if any(type(value) is not str or not value or "\0" in value for value in values):
        raise MalformedRequest("body_values")
    return values


def is_form(request: Request) -> bool:
    """Whether a page of another site could have had this sent without a preflight."""
    return request.headers.get("content-type", "").partition(";")[0].strip(" \t").lower() == FORM


def _kind(request: Request) -> str:
    kind, *parameters = request.headers.get("content-type", "").split(";")
    kind = kind.strip(" \t").lower()
    if kind not in ("application/json", FORM):
        raise UnsupportedMediaType
    for parameter in parameters:
        name, _, value = parameter.strip(" \t").lower().partition("=")
        if name == "charset" and value.strip('"') != "utf-8":
            raise UnsupportedMediaType
    return kind


def _json(body: bytes) -> Mapping[str, Any]:
    if body.count(b"{") + body.count(b"[") > _MOST_BRACKETS:  # before anything is made of each of them
        raise MalformedRequest("body_members")
    try:
        return parse_object(body)
    except ValueError:
        raise MalformedRequest("body_not_json") from None


def _form(body: bytes, most: int) -> Mapping[str, Any]:
    """`name=value` pairs (URL Standard, section 5.1), where what a browser would not have written is refused."""
    from urllib.parse import parse_qsl

    try:
        text = body.decode("ascii")
        if not text.isprintable() or " " in text or any(not _HEX.issuperset(part[:2]) for part in text.split("%")[1:]):
            raise ValueError
        if any(len(part) < 2 for part in text.split("%")[1:]):
            raise ValueError
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=most)
    except ValueError:
        raise MalformedRequest("body_not_a_form") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedRequest("body_members")
    return found
