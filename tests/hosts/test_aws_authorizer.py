"""A guard as API Gateway's Lambda authorizer: what it answers, what it never answers, and what is refused when it is built."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import Allow, ConfigurationError, Deny, Principal, Request, Unavailable, any_of, chain, require_auth
from authkit import guard as guard_of
from authkit._guard import Guard
from authkit.decision import ALLOW
from authkit.errors import BodyUnavailable
from authkit.testing import LambdaContext, lambda_event

SAMPLES = Path(__file__).parent.parent / "vectors" / "aws-events"
CONTEXT = LambdaContext()
API = "arn:aws:execute-api:eu-west-1:123456789012:api1234567"
PRINCIPAL = Principal(
    "user-1", issuer="https://issuer.example", scopes=["b:x", "a:x"], roles=["admin", "two words"], claims={"email": "canary"}
)


class Known(Guard):
    """Decides by one header alone, as a guard that a cached policy may rest on."""

    name = "known"
    identifies = True
    reads_request = False

    def __init__(self, decide: Callable[[str | None], Any] | None = None) -> None:
        self._decide = decide or self._default

    @staticmethod
    def _default(sent: str | None) -> Any:
        if sent is None:
            return Deny(401, "unauthorized", reason="no_credential", no_credential=True)
        return Allow(PRINCIPAL) if sent == "Bearer right" else Deny(401, "invalid_token")

    async def check(self, request: Request) -> Any:
        return self._decide(request.headers.get("authorization"))


def always(decision: Any) -> Known:
    def decide(sent: str | None) -> Any:
        if isinstance(decision, BaseException):
            raise decision
        return decision

    return Known(decide)


def token_event(token: Any = "Bearer right", arn: str = f"{API}/prod/GET/orders/1") -> dict[str, Any]:
    return {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}


def request_event(token: str | None = "Bearer right", path: str = "/orders/1") -> dict[str, Any]:
    event = lambda_event("v1", "GET", path, {} if token is None else {"Authorization": token})
    return {**event, "type": "REQUEST", "methodArn": f"{API}/prod/GET{path}"}


def v2_event(token: str | None = "Bearer right") -> dict[str, Any]:
    event = lambda_event("v2", "GET", "/orders/1", {} if token is None else {"Authorization": token})
    return {**event, "type": "REQUEST", "routeArn": f"{API}/$default/GET/orders/1", "identitySource": [token]}


def websocket_event(token: str | None = "Bearer right") -> dict[str, Any]:
    event = lambda_event("websocket", headers={} if token is None else {"Authorization": token})
    return {**event, "type": "REQUEST", "methodArn": f"{API}/prod/$connect"}


V1 = [token_event, request_event, websocket_event]


def effect(answer: Any) -> tuple[str, str]:
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert answer["policyDocument"]["Version"] == "2012-10-17"
    return statement["Effect"], statement["Resource"]


@pytest.mark.parametrize("event_of", V1)
def test_a_good_credential_is_an_allow_for_the_stage_with_the_subject(event_of: Any) -> None:
    answer = Known().authorizer()(event_of(), CONTEXT)
    assert effect(answer) == ("Allow", f"{API}/prod/*")
    assert answer["principalId"] == "user-1"
    assert answer["context"] == {
        "subject": "user-1",
        "issuer": "https://issuer.example",
        "scopes": "a:x b:x",
        "roles": "admin",  # "two words" split at its space would be two other roles
    }
    assert "canary" not in json.dumps(answer)


@pytest.mark.parametrize("event_of", V1)
@pytest.mark.parametrize("token", [None, "Bearer wrong", "", "Basic dTpw"])
def test_no_or_a_bad_credential_is_the_exception_that_becomes_a_401(event_of: Any, token: Any) -> None:
    with pytest.raises(Exception) as raised:
        Known().authorizer()(event_of(token), CONTEXT)
    assert (type(raised.value), raised.value.args) == (Exception, ("Unauthorized",))


@pytest.mark.parametrize("status", [303, 400, 403, 404, 429])
def test_every_other_refusal_is_a_deny(status: int) -> None:
    guard = always(Deny(status, "refused"))
    for event_of in V1:
        answer = guard.authorizer()(event_of(), CONTEXT)
        assert effect(answer) == ("Deny", f"{API}/prod/*")
        assert (answer["principalId"], answer["context"]) == ("anonymous", {})
    assert guard.authorizer()(v2_event(), CONTEXT) == {"isAuthorized": False}
    assert effect(guard.authorizer(simple=False)(v2_event(), CONTEXT))[0] == "Deny"


def test_a_redirect_to_login_is_a_missing_credential() -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        always(Deny(303, "login", no_credential=True)).authorizer()(request_event(), CONTEXT)


def test_payload_2_is_answered_with_a_boolean_or_where_asked_for_with_a_policy() -> None:
    simple, policy = Known().authorizer(), Known().authorizer(simple=False)
    answer = simple(v2_event(), CONTEXT)
    assert answer["isAuthorized"] is True
    assert answer["context"]["subject"] == "user-1"
    assert effect(policy(v2_event(), CONTEXT)) == ("Allow", f"{API}/$default/*")
    for token in (None, "Bearer wrong"):
        assert simple(v2_event(token), CONTEXT) == {"isAuthorized": False}
        assert effect(policy(v2_event(token), CONTEXT)) == ("Deny", f"{API}/$default/*")


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("store"),
        ConfigurationError("setting"),
        ValueError("x"),
        BodyUnavailable("b"),
        KeyError("k"),
        RecursionError(),
    ],
)
@pytest.mark.parametrize("event_of", [*V1, v2_event])
def test_what_could_not_be_decided_raises_so_that_nothing_is_cached(error: BaseException, event_of: Any) -> None:
    with pytest.raises(Exception) as raised:
        always(error).authorizer()(event_of(), CONTEXT)
    expected = Unavailable if isinstance(error, (Unavailable, ConfigurationError)) else type(error)
    assert isinstance(raised.value, expected)


@pytest.mark.parametrize("decision", [None, True, 1, "Allow", PRINCIPAL, {"isAuthorized": True}])
def test_a_guard_that_says_nothing_admits_nobody(decision: Any) -> None:
    for event_of in [*V1, v2_event]:
        with pytest.raises(TypeError):
            always(decision).authorizer()(event_of(), CONTEXT)


def test_an_anonymous_allow_has_no_subject_in_its_context() -> None:
    answer = always(ALLOW).authorizer()(token_event(), CONTEXT)
    assert (effect(answer)[0], answer["principalId"], answer["context"]) == ("Allow", "anonymous", {})


# The result cache


def test_a_cached_policy_says_the_same_of_every_route() -> None:
    authorizer = Known().authorizer()
    answers = [authorizer(request_event(path=path), CONTEXT) for path in ("/", "/orders/1", "/admin", "/*")]
    assert all(answer == answers[0] for answer in answers)


@guard_of
def own(request: Request) -> Any:
    return ALLOW


class Rate(Known):
    name = "rate"
    reads_request = True


@pytest.mark.parametrize(
    "guard",
    [
        own,
        Rate(),
        chain(Known(), own),
        chain(chain(Known()), chain(Rate())),
        any_of(Known(), Rate()),
        any_of(Known(), chain(Rate())),
        Known().except_for("/health"),
        chain(Known().except_for("/health")),
        own.shadow(),
    ],
)
def test_a_guard_that_looks_at_the_request_cannot_be_cached(guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="cached"):
        guard.authorizer()
    assert callable(guard.authorizer(cached=False))


class Careless(Guard):
    """One that does not say what it looks at."""

    async def check(self, request: Request) -> Any:
        return ALLOW if request.path == "/open" else Deny(403, "forbidden")


class Proof:
    """A credential that speaks for one method and path, as DPoP does."""

    async def authenticate(self, request: Request) -> Principal | None:
        return Principal("alice") if request.path == "/open" else None


class Key(Proof):
    reads_request = False


@pytest.mark.parametrize("guard", [Careless(), chain(Known(), Careless()), require_auth(Proof()), require_auth(Key(), Proof())])
def test_a_guard_that_does_not_say_otherwise_is_taken_to_look_at_the_request(guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="cached"):
        guard.authorizer()
    assert callable(require_auth(Key()).authorizer())


class Signed(Known):
    name = "signed"
    needs_body = True


@pytest.mark.parametrize("guard", [Signed(), chain(Known(), Signed()), any_of(Known(), chain(Signed())), Signed().shadow()])
@pytest.mark.parametrize("cached", [True, False])
def test_a_guard_that_needs_the_body_is_refused_when_it_is_built(guard: Guard, cached: bool) -> None:
    with pytest.raises(ConfigurationError, match="'signed'"):
        guard.authorizer(cached=cached)


def test_uncached_the_policy_names_the_one_method() -> None:
    authorizer = Known().authorizer(cached=False)
    assert effect(authorizer(request_event(), CONTEXT)) == ("Allow", f"{API}/prod/GET/orders/1")
    assert effect(authorizer(token_event(), CONTEXT)) == ("Allow", f"{API}/prod/GET/orders/1")
    assert effect(authorizer(websocket_event(), CONTEXT)) == ("Allow", f"{API}/prod/$connect")


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/*", "/${*}"),
        ("/a?b/*/c", "/a${?}b/${*}/c"),
        ("/${aws:x}", "/${$}{aws:x}"),
        ("/$a", "/$a"),
        ("//", "//"),
        ("/a:b", "/a:b"),
    ],
)
def test_a_wildcard_that_a_client_has_sent_matches_nothing_but_itself(path: str, resource: str) -> None:
    answer = Known().authorizer(cached=False)(token_event(arn=f"{API}/prod/GET{path}"), CONTEXT)
    assert effect(answer) == ("Allow", f"{API}/prod/GET{resource}")


def test_uncached_a_guard_may_look_at_path_and_method() -> None:
    seen = []

    @guard_of
    def look(request: Request) -> Any:
        seen.append((request.host, request.method, request.path, request.peer, sorted(request.headers)))
        return ALLOW

    authorizer = look.authorizer(cached=False)
    authorizer(token_event(), CONTEXT)
    authorizer(request_event(), CONTEXT)
    authorizer(v2_event(), CONTEXT)
    assert seen == [
        ("aws_authorizer", "GET", "/orders/1", None, ["authorization"]),
        ("aws_authorizer", "GET", "/orders/1", "203.0.113.7", ["authorization", "host"]),
        ("aws_authorizer", "GET", "/orders/1", "203.0.113.7", ["authorization", "host"]),
    ]


# Events


@pytest.mark.parametrize(
    ("arn", "stage"),
    [
        (
            "arn:aws-cn:execute-api:cn-north-1:123456789012:abc123/prod/GET/",
            "arn:aws-cn:execute-api:cn-north-1:123456789012:abc123/prod/*",
        ),
        (
            "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:a1/v-1_x/POST/a",
            "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:a1/v-1_x/*",
        ),
        (f"{API}/$default/GET/a:b/c", f"{API}/$default/*"),
        (f"{API}/$default/$default", f"{API}/$default/*"),
        (f"{API}/prod/$connect", f"{API}/prod/*"),
        (f"{API}/*/GET/", f"{API}/*/*"),
        (f"{API}/test-invoke-stage/GET/", f"{API}/test-invoke-stage/*"),
    ],
)
def test_the_stage_is_read_from_the_arn(arn: str, stage: str) -> None:
    assert effect(Known().authorizer()(token_event(arn=arn), CONTEXT)) == ("Allow", stage)


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "*",
        "arn:aws:execute-api",
        f"{API}",
        f"{API}/",
        f"{API}/prod",
        f"{API}/prod/",
        f"{API}//GET/",
        f"{API}/a*/GET/",
        f"{API}/pr?d/GET/",
        f"{API}/$other/GET/",
        f"{API}/{'s' * 129}/GET/",
        "arn:aws:lambda:eu-west-1:123456789012:function/prod/GET/",
        "arn:aws:execute-api:*:123456789012:api/prod/GET/",
        "arn:aws:execute-api:eu-west-1:*:api/prod/GET/",
        "arn:aws:execute-api:eu-west-1:12345678901:api/prod/GET/",
        "arn:aws:execute-api:eu-west-1:12345678901\u0662:api/prod/GET/",
        "arn:aws:execute-api:eu-west-1:123456789012:*/prod/GET/",
        "arn:aws:execute-api:eu-west-1:123456789012:/prod/GET/",
        "arn:other:execute-api:eu-west-1:123456789012:api/prod/GET/",
        "arn:aws*:execute-api:eu-west-1:123456789012:api/prod/GET/",
        "ARN:aws:execute-api:eu-west-1:123456789012:api/prod/GET/",
        "arn:aws:execute-api::123456789012:api/prod/GET/",
    ],
)
@pytest.mark.parametrize("cached", [True, False])
def test_an_arn_that_is_not_a_methods_gets_no_policy(arn: str, cached: bool) -> None:
    with pytest.raises(TypeError, match="methodArn"):
        Known().authorizer(cached=cached)(token_event(arn=arn), CONTEXT)


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"type": "TOKEN"},
        {"type": "TOKEN", "authorizationToken": "Bearer right", "methodArn": 5},
        {"type": "OTHER", "authorizationToken": "Bearer right", "methodArn": f"{API}/prod/GET/"},
        {"type": "REQUEST", "methodArn": f"{API}/prod/GET/"},
        {**lambda_event("alb", headers={"authorization": "Bearer right"}), "type": "REQUEST", "methodArn": f"{API}/prod/GET/"},
        {**v2_event(), "routeArn": None, "methodArn": f"{API}/prod/GET/"},
        lambda_event("v1", headers={"authorization": "Bearer right"}),
        lambda_event("v2", headers={"authorization": "Bearer right"}),
    ],
)
def test_any_other_event_is_a_type_error(event: Any) -> None:
    with pytest.raises(TypeError):
        Known().authorizer()(event, CONTEXT)


@pytest.mark.parametrize("token", [5, {"a": 1}, ["Bearer right", "Bearer right"], {}, True])
def test_a_token_that_is_no_text_admits_nobody(token: Any) -> None:
    try:
        answer = Known().authorizer()(token_event(token), CONTEXT)
    except Exception as error:
        answer = str(error)
    assert answer == "Unauthorized" or effect(answer)[0] == "Deny"


@pytest.mark.parametrize("name", sorted(file.name for file in SAMPLES.glob("pt-apiGatewayAuthorizer*.json")))
def test_the_samples_get_the_answer_of_their_kind(name: str) -> None:
    event = json.loads((SAMPLES / name).read_text())
    before = copy.deepcopy(event)
    seen: list[str | None] = []

    def decide(sent: str | None) -> Any:
        seen.append(sent)
        return Allow(PRINCIPAL)

    answer = Known(decide).authorizer()(event, CONTEXT)
    assert event == before
    if "V2" in name:
        assert (answer["isAuthorized"], seen) == (True, ["value"])
    elif "Token" in name:
        assert (effect(answer), seen) == (("Allow", "arn:aws:execute-api:us-west-2:123456789012:ymy8tbxw7b/*/*"), ["allow"])
    else:
        assert (effect(answer), seen) == (("Allow", "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/*"), [None])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["TOKEN", "REQUEST", "2.0", f"{API}/*/*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    event=st.sampled_from([token_event("Bearer wrong"), request_event("Bearer wrong"), websocket_event(None), v2_event(None)]),
    member=st.sampled_from(
        ["type", "version", "methodArn", "routeArn", "headers", "multiValueHeaders", "requestContext", "cookies"]
    ),
    value=JSON,
)
def test_no_generated_event_is_allowed_without_the_credential(event: dict[str, Any], member: str, value: Any) -> None:
    changed = {**copy.deepcopy(event), member: value}
    try:
        answer = Known().authorizer()(changed, CONTEXT)
    except TypeError:
        return
    except Exception as error:
        assert str(error) == "Unauthorized"  # noqa: PT017 - any other answer is looked at below
        return
    assert answer == {"isAuthorized": False} or effect(answer)[0] == "Deny"


def test_every_call_writes_one_audit_event() -> None:
    written: list[Any] = []
    authorizer = chain(Known(), audit=written.append).authorizer()
    authorizer(request_event(), CONTEXT)
    with pytest.raises(Exception, match="Unauthorized"):
        authorizer(token_event("Bearer wrong"), CONTEXT)
    with pytest.raises(Unavailable):
        chain(always(Unavailable()), audit=written.append).authorizer()(v2_event(), CONTEXT)
    assert [(event["host"], event["outcome"], event["status"], event["principal"]) for event in written] == [
        ("aws_authorizer", "allow", None, "user-1"),
        ("aws_authorizer", "deny", 401, None),
        ("aws_authorizer", "unavailable", 503, None),
    ]
