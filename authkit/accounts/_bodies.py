"""What clients send to the endpoints of accounts: one JSON object of texts, read one way only."""

from __future__ import annotations

from ..errors import MalformedRequest, RequestError
from ..tokens.strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..http import Request

_MOST_BRACKETS = 4500  # as many as the longest password and user name have characters; a body of texts has one of its own


class UnsupportedMediaType(RequestError):
    """Only `application/json` is read: a browser sends it across sites with a preflight or not at all."""

    status = 415
    code = "unsupported_media_type"
    default_reason = "unsupported_media_type"


def texts(request: Request, *names: str) -> tuple[str, ...]:
    """The members `names` of the JSON object in the body, which holds these and no others, each a text without NUL.

    Raises: `UnsupportedMediaType`, `MalformedRequest`.
    """
    kind, *parameters = request.headers.get("content-type", "").split(";")
    if kind.strip(" \t").lower() != "application/json":
        raise UnsupportedMediaType
    for parameter in parameters:
        name, _, value = parameter.strip(" \t").lower().partition("=")
        if name == "charset" and value.strip('"') != "utf-8":
            raise UnsupportedMediaType
    if request.body.count(b"{") + request.body.count(b"[") > _MOST_BRACKETS:  # before anything is made of each of them
        raise MalformedRequest("body_members")
    try:
        found = parse_object(request.body)
    except ValueError:
        raise MalformedRequest("body_not_json") from None
    if found.keys() != set(names):
        raise MalformedRequest("body_members")
    values = tuple(found[name] for name in names)
    if any(type(value) is not str or not value or "\0" in value for value in values):
        raise MalformedRequest("body_values")
    return values
