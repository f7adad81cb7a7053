"""Responses in the shapes that API Gateway, load balancers and CloudFront take from a Lambda function."""

from __future__ import annotations

from .._refusal import TITLES
from ..http import Response
from ._host import replace_headers
from ._lambda_event import ALB, EDGE, LATTICE, LATTICE_V1, NETLIFY, V1, V2, WEBSOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def _by_name(response: Response) -> dict[str, list[str]]:
    return {name: response.headers.get_all(name) for name in response.headers.names()}


def from_response(kind: str, response: Response, *, multi_value: bool) -> dict[str, Any]:
    """A refusal, or an endpoint's answer, in the form that this kind of event wants back."""
    text, encoded = _body_text(response.body)
    if kind == EDGE:
        return {
            "status": str(response.status),
            "statusDescription": TITLES.get(response.status, ""),
            "headers": _edge_headers(_by_name(response)),
            "body": text,
            **({"bodyEncoding": "base64"} if encoded else {}),
        }
    answer: dict[str, Any] = {"statusCode": response.status}
    _put_headers(kind, answer, _by_name(response), multi_value)
    if kind in (ALB, LATTICE, LATTICE_V1):
        answer["statusDescription"] = f"{response.status} {TITLES.get(response.status, '')}".rstrip()
    answer["body"] = text
    answer["isBase64Encoded"] = encoded
    return answer


def _body_text(body: bytes) -> tuple[str, bool]:
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        from binascii import b2a_base64

        return b2a_base64(body, newline=False).decode(), True


def _edge_headers(headers: dict[str, list[str]]) -> dict[str, list[dict[str, str]]]:
    return {name: [{"key": name, "value": value} for value in values] for name, values in headers.items()}


def _put_headers(kind: str, answer: dict[str, Any], headers: dict[str, list[str]], multi_value: bool) -> None:
    if multi_value:
        answer["multiValueHeaders"] = headers
        return
    if kind == V2 and "set-cookie" in headers:  # this format joins repeated headers, which cookies do not survive
        answer["cookies"] = headers.pop("set-cookie")
    repeated = {name: values for name, values in headers.items() if len(values) > 1}
    if repeated and kind in (V1, WEBSOCKET, NETLIFY):  # these merge the two maps; the rest joins repeated fields
        answer["multiValueHeaders"] = repeated
        headers = {name: values for name, values in headers.items() if name not in repeated}
    cookies = headers.pop("set-cookie") if "set-cookie" in repeated and "set-cookie" in headers else []
    answer["headers"] = {name: ", ".join(values) for name, values in headers.items()}
    for place, cookie in enumerate(cookies[: 1 << _LETTERS]):  # one value a name: so every cookie has a spelling of its own
        answer["headers"][_spelling(place)] = cookie


_LETTERS = len("setcookie")


def _spelling(place: int) -> str:
    """`set-cookie` with upper-case letters where `place` has its bits."""
    spelled = ""
    for letter in "set-cookie":
        spelled += letter.upper() if place & 1 and letter != "-" else letter
        place >>= letter != "-"
    return spelled


def view(kind: str, result: Any) -> Response:
    """Status and headers of what the handler returned."""
    if not isinstance(result, dict) or (kind == V2 and "statusCode" not in result):
        return Response()
    try:
        response = Response(int(result.get("status" if kind == EDGE else "statusCode", 200)))
    except (TypeError, ValueError):
        response = Response()
    replace_headers(response, _pairs(kind, result))
    return response


def _pairs(kind: str, result: dict[str, Any]) -> Iterator[tuple[str, str]]:
    single, multi = result.get("headers"), result.get("multiValueHeaders")
    if isinstance(multi, dict):
        yield from ((str(name), value) for name, values in multi.items() for value in _values(values))
    if isinstance(single, dict):
        for name, value in single.items():
            if not isinstance(multi, dict) or name not in multi:
                yield from ((str(name), text) for text in _values(value))
    yield from (("set-cookie", cookie) for cookie in _values(result.get("cookies")))


def _values(value: object) -> list[str]:
    """The values of one header, however this kind of answer writes them; None is none."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    plain = (item.get("value") if isinstance(item, dict) else item for item in items)  # CloudFront's lists hold maps
    return [str(item) for item in plain if item is not None]


def update(kind: str, result: Any, response: Response, *, multi_value: bool) -> Any:
    """The handler's result with these headers: a copy, because handlers may return a shared constant."""
    headers = _by_name(response)
    if kind == EDGE:
        if not isinstance(result, dict) or "status" not in result:
            return result  # the request goes on to CloudFront: there is no response yet
        return {**result, "headers": _edge_headers(headers)}
    if not isinstance(result, dict) or "statusCode" not in result:
        if kind != V2:
            return result  # malformed for this kind of event: the platform answers 502 by itself
        result = _inferred(result)
        headers = {"content-type": ["application/json"], **headers}
    answer = {key: value for key, value in result.items() if key not in ("headers", "multiValueHeaders", "cookies")}
    _put_headers(kind, answer, headers, multi_value)
    return answer


def _inferred(result: Any) -> dict[str, Any]:
    """What API Gateway HTTP and Function URLs make of a value without `statusCode`: its JSON, with 200."""
    import json

    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=_decimal)
    return {"statusCode": 200, "body": text, "isBase64Encoded": False}


def _decimal(value: object) -> float:
    """Lambda's runtime writes a Decimal as a number, and nothing else that JSON does not know."""
    if type(value).__name__ == "Decimal":
        return float(value)  # type: ignore[arg-type]
    raise TypeError(f"a handler's result cannot hold {type(value).__name__}")


def without_headers(kind: str, event: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """A copy of the event in which these headers (lower case) do not occur."""
    if kind == EDGE:
        records = event["Records"]
        cf = records[0]["cf"]
        request = {**cf["request"], "headers": _kept(cf["request"].get("headers"), names)}
        return {**event, "Records": [{**records[0], "cf": {**cf, "request": request}}, *records[1:]]}
    copy = {**event}
    for member in ("headers", "multiValueHeaders"):
        if isinstance(copy.get(member), dict):
            copy[member] = _kept(copy[member], names)
    if "cookie" in names:
        copy.pop("cookies", None)
    return copy


def _kept(headers: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(headers, dict):
        return {}
    return {name: value for name, value in headers.items() if str(name).lower() not in names}
