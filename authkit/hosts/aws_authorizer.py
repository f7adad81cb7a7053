"""A guard as a Lambda authorizer of API Gateway: TOKEN, REQUEST (payload 1.0 and 2.0), and the `$connect` of WebSocket APIs.

API Gateway keeps an authorizer's answer for every request with the same identity sources, whatever its path. So with `cached`
an answer speaks for the whole stage, and only guards that do not look at the request may take part in it.
"""

from __future__ import annotations

from ..decision import Deny
from ..errors import ConfigurationError, Unavailable
from ._lambda_event import V1, V2, WEBSOCKET, EventHeaders, LambdaRequest, read_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from ..decision import Principal

NOBODY = "anonymous"  # principalId where no guard has established one; `subject` is then missing in the context

_DIGITS = frozenset("0123456789")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_STAGE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class AuthorizerRequest(LambdaRequest):
    """An authorizer's event, as a request without a body."""

    __slots__ = ()
    host = "aws_authorizer"


def authorizer(guard: Any, *, cached: bool = True, simple: bool = True) -> Callable[[Any, Any], dict[str, Any]]:
    """`guard` as the handler of a Lambda authorizer; see docs/aws.md for what the platform makes impossible.

    `cached`: a policy covers the whole stage; off, the one method that was asked for (set the authorizer's TTL to 0 then).
    `simple`: events of payload 2.0 are answered with `isAuthorized`, as the authorizer must have been told; off, with a policy.
    Raises: `ConfigurationError` for a guard that needs the body, and with `cached` for one that reads path, method, address
    or a rate.
    """
    for item in _leaves(guard):
        if item.needs_body:
            raise ConfigurationError(f"guard {item.name!r} reads the body, and API Gateway sends none to an authorizer")
        if item.needs_handler:
            raise ConfigurationError(f"guard {item.name!r} looks at the response, and an authorizer sees none")
    if cached and guard.reads_request:
        names = ", ".join(repr(item.name) for item in _leaves(guard) if item.reads_request) or "except_for"
        raise ConfigurationError(
            f"authorizer(cached=True) answers for a whole stage, but this depends on the one request: {names}. "
            "Use cached=False with the authorizer's TTL at 0, or guard the handlers themselves"
        )

    def authorize(event: Any, context: Any) -> dict[str, Any]:
        request, resource, payload = _read(event)
        request.context = context
        decision = guard.decide(request)
        plain = payload == "2.0" and simple
        if isinstance(decision, Deny):
            if decision.status >= 500:
                raise Unavailable("the request could not be decided; see the log")  # an answer would be kept; an error is not
            if payload != "2.0" and (decision.status == 401 or decision.no_credential):
                raise Exception("Unauthorized")  # API Gateway makes a 401 of this very text, and a 500 of any other
            return {"isAuthorized": False} if plain else _policy("Deny", resource.covering(cached), None)
        principal = decision.principal
        if plain:
            return {"isAuthorized": True, "context": _context(principal)}
        return _policy("Allow", resource.covering(cached), principal)

    return authorize


def _leaves(guard: Any) -> Iterator[Any]:
    """The guards below a chain or `any_of`, themselves included where they are neither."""
    inner = getattr(guard, "guards", None)
    if inner is None:
        yield guard
    else:
        for item in inner:
            yield from _leaves(item)


def _policy(effect: str, resource: str, principal: Principal | None) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {
        "principalId": NOBODY if principal is None else principal.subject,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": _context(principal),
    }


def _context(principal: Principal | None) -> dict[str, str]:
    """What the handler finds under `requestContext.authorizer`: texts, and nothing of the claims."""
    if principal is None:
        return {}
    found = {"subject": principal.subject, "scopes": _joined(principal.scopes), "roles": _joined(principal.roles)}
    if principal.issuer is not None:
        found["issuer"] = principal.issuer
    return found


def _joined(names: Iterable[str]) -> str:
    """Sorted, with a space between. A name that holds a space itself is left out: split again, it would be two others."""
    return " ".join(sorted(name for name in names if len(name.split()) == 1 and name == name.strip()))


class MethodArn:
    """`arn:partition:execute-api:region:account:api/stage/METHOD/path`. Raises: `ValueError` for anything else."""

    __slots__ = ("_api", "_stage", "method", "path")

    def __init__(self, text: str) -> None:
        head = text.split(":", 5)
        place = head[5].split("/", 3) if len(head) == 6 else []
        if len(place) < 3 or not _is_api(head, place[0]) or not _is_stage(place[1]) or not place[2]:
            raise ValueError("not the ARN of a method of API Gateway")
        self._api = ":".join(head[:5]) + ":" + place[0]
        self._stage = place[1]
        self.method = place[2]
        self.path = "/" + place[3] if len(place) == 4 else ""

    def covering(self, stage: bool) -> str:
        """The resource of a policy: the whole stage, or this one method and path and nothing else that the text could match."""
        if stage:
            return f"{self._api}/{self._stage}/*"
        return f"{self._api}/{self._stage}/{_literal(self.method)}{_literal(self.path)}"


def _is_api(head: list[str], api: str) -> bool:
    arn, partition, service, region, account, _ = head
    return (
        arn == "arn"
        and service == "execute-api"
        and (partition == "aws" or partition.startswith("aws-"))
        and _PLAIN.issuperset(partition)
        and bool(region)
        and _PLAIN.issuperset(region)
        and len(account) == 12
        and _DIGITS.issuperset(account)
        and bool(api)
        and _PLAIN.issuperset(api)
    )


def _is_stage(stage: str) -> bool:
    # "*" stands in the events that the console and the documents use for trying an authorizer out: there it is every stage.
    return stage in ("$default", "*") or (0 < len(stage) <= 128 and _STAGE.issuperset(stage))


def _literal(text: str) -> str:
    """A path may hold "*", "?" and "${", wildcards and variables in a policy; IAM has variables that stand for them."""
    return "${$}{".join(part.replace("*", "${*}").replace("?", "${?}") for part in text.split("${"))


def _read(event: Any) -> tuple[LambdaRequest, MethodArn, str]:
    """Request, ARN and payload version of an authorizer's event. Raises: `TypeError` for any other: nobody is admitted."""
    if not isinstance(event, dict):
        raise TypeError("an authorizer's event is a JSON object")
    kind = event.get("type")
    payload = "2.0" if event.get("version") == "2.0" else "1.0"
    arn = event.get("routeArn" if payload == "2.0" else "methodArn")
    if kind not in ("TOKEN", "REQUEST") or not isinstance(arn, str):
        raise TypeError("this is no event of a Lambda authorizer of API Gateway: type TOKEN or REQUEST, methodArn or routeArn")
    try:
        resource = MethodArn(arn)
    except ValueError:
        raise TypeError("the event's methodArn is not the ARN of a method of API Gateway") from None
    request = _token_request(event, resource) if kind == "TOKEN" else read_event(event)
    if request is None or request.kind not in (V1, V2, WEBSOCKET):
        raise TypeError("this event of type REQUEST holds no request")
    request.__class__ = AuthorizerRequest  # the same slots; only the host's name differs
    return request, resource, payload


def _token_request(event: dict[str, Any], resource: MethodArn) -> LambdaRequest:
    """All that such an event tells: the one header that holds the token, and what the ARN says of method and path."""
    request = LambdaRequest(V1, event, resource.method, resource.path)
    request._headers = EventHeaders({"authorization": event.get("authorizationToken")})
    return request
