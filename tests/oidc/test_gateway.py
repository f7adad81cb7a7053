"""What API Gateway's authorizers have found out: a principal if asked for, and nothing of what a client could have written."""

from __future__ import annotations

import copy
import time

import pytest

from authkit import ConfigurationError, Request, Response, chain, require_auth, require_roles, require_scopes
from authkit.oidc import ApiGateway, TokenProfile
from authkit.oidc._gateway_claims import seconds
from authkit.testing import LambdaContext, TokenMint, lambda_event

NOW = 1_787_994_000
ISSUER = "https://issuer.example"
AUDIENCE = "https://api.example"
POOL = "eu-west-1_AbCdEfGhI"
POOL_ISSUER = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"
CONTEXT = LambdaContext()

# As they were seen in events: everything is text.
CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "alice",
    "exp": str(NOW + 900),
    "iat": str(NOW - 60),
    "scope": "a:read a:write",
}
ACCESS = {
    "sub": "6418b458", "iss": POOL_ISSUER, "client_id": "5kek0i61", "token_use": "access", "scope": "api/read openid",
    "auth_time": str(NOW - 60), "exp": str(NOW + 900), "iat": str(NOW - 60), "jti": "afa8fe33", "username": "alice",
    "cognito:groups": "[admin poweruser]",
}  # fmt: skip
REST_ID = {
    "sub": "6418b458", "iss": POOL_ISSUER, "aud": "5kek0i61", "token_use": "id", "cognito:groups": "admin,poweruser",
    "auth_time": str(NOW - 60), "exp": "Sat Aug 29 09:15:00 UTC 2026", "iat": "Sat Aug 29 08:59:00 UTC 2026",
    "email": "alice@example.com", "email_verified": "true",
}  # fmt: skip
IAM = {
    "accessKey": "AKIA...", "accountId": "111122223333", "callerId": "AIDA...", "cognitoIdentity": None,
    "principalOrgId": "o-1234567890", "userArn": "arn:aws:iam::111122223333:user/alice", "userId": "AIDA...",
}  # fmt: skip
IDENTITY = {"accountId": "111122223333", "accessKey": "AKIA...", "caller": "AIDA...", "user": "AIDA...",
            "userArn": "arn:aws:iam::111122223333:user/alice", "sourceIp": "192.0.2.1"}  # fmt: skip


def clock():
    return float(NOW)


def event(kind, authorizer=None, headers=(), **more):
    made = lambda_event(kind, headers=headers)
    if authorizer is not None:
        made["requestContext"]["authorizer"] = copy.deepcopy(authorizer)
    return {**made, **more}


def asked(authenticator, made, *others, optional=False):
    """(status, principal) of a function behind `require_auth(authenticator)`."""
    seen = []

    @require_auth(authenticator, *others, optional=optional)
    def handler(event, context, principal=None):
        seen.append(principal)
        return {"statusCode": 200}

    answer = handler(made, CONTEXT)
    return answer["statusCode"], (seen[0] if seen else None)


def jwt(**settings):
    return ApiGateway.jwt(**{"issuer": ISSUER, "audience": AUDIENCE, "clock": clock, **settings})


def cognito(**settings):
    return ApiGateway.cognito(**{"pool": POOL, "client_id": "5kek0i61", "clock": clock, **settings})


def v2(claims, **more):
    return event("v2", {"jwt": {"claims": claims, "scopes": None}}, **more)


# JWT authorizers


def test_the_claims_of_a_jwt_authorizer_become_a_principal():
    status, principal = asked(jwt(), v2(CLAIMS))
    assert status == 200
    assert (principal.subject, principal.issuer, principal.method) == ("alice", ISSUER, "api_gateway")
    assert principal.scopes == {"a:read", "a:write"}
    assert principal.roles == set()
    assert principal.claims["exp"] == NOW + 900


def test_so_do_those_of_an_http_api_with_payload_1():
    status, principal = asked(jwt(), event("v1", {"claims": CLAIMS, "scopes": None}, version="1.0"))
    assert (status, principal.subject) == (200, "alice")


def test_the_token_that_the_authorizer_has_judged_is_no_second_credential():
    assert asked(jwt(), v2(CLAIMS, headers={"authorization": "Bearer eyJ.e30.x"}))[0] == 200
    assert asked(jwt(), v2(CLAIMS, headers={"authorization": "eyJ.e30.x"}))[0] == 200


def test_beside_a_verifier_that_would_judge_the_token_too_it_is_one():
    mint = TokenMint()
    sent = {"authorization": f"Bearer {mint.good()}"}
    assert asked(jwt(), v2(CLAIMS, headers=sent), mint.tokens)[0] == 400
    assert asked(jwt(), event("v2", headers=sent), mint.tokens)[0] == 200  # a route without an authorizer


def test_a_token_that_no_authorizer_has_judged_is_refused():
    sent = {"authorization": "Bearer eyJ.e30.x"}
    assert asked(jwt(), event("v2", headers=sent))[0] == 401
    assert asked(jwt(), event("v2", headers=sent), optional=True)[0] == 401


def test_an_audience_in_an_array_is_found_and_another_is_not():
    assert asked(jwt(), v2({**CLAIMS, "aud": f"[{AUDIENCE} https://other.example]"}))[0] == 200
    assert asked(jwt(), v2({**CLAIMS, "aud": "[https://other.example]"}))[0] == 401


def test_roles_are_taken_from_where_one_says_and_else_from_nowhere():
    claims = {**CLAIMS, "groups": "[admin staff]", "realm_access": '{"roles":["viewer"]}', "roles": "[not admin]"}
    profile = TokenProfile(types=("JWT",), roles=("groups", "realm_access.roles"))
    assert asked(jwt(profile=profile), v2(claims))[1].roles == {"admin", "staff", "viewer"}
    assert asked(jwt(), v2(claims))[1].roles == set()


@pytest.mark.parametrize("value", ["admin", "[admin", "admin]", "", '{"admin"', None, 5, ["admin"]])
def test_what_is_no_array_gives_no_roles(value):
    profile = TokenProfile(types=("JWT",), roles=("groups", "groups.x"))
    roles = asked(jwt(profile=profile), v2({**CLAIMS, "groups": value}))[1].roles
    assert roles == ({"admin"} if value == ["admin"] else set())  # other gateways of that form may send it as it is


WRONG = {
    "another issuer": {"iss": "https://evil.example"},
    "the issuer with a slash": {"iss": f"{ISSUER}/"},
    "no issuer": {"iss": None},
    "several issuers": {"iss": f"[{ISSUER} https://evil.example]"},
    "another audience": {"aud": "https://other.example"},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is no text": {"sub": 5},
    "expired": {"exp": str(NOW - 31)},
    "no expiry": {"exp": None},
    "an expiry in other digits": {"exp": "٢" * 10},
    "an expiry with an underscore": {"exp": "1_000"},
    "an expiry of many digits": {"exp": "9" * 5000},
    "an expiry that is an array": {"exp": "[1]"},
    "not yet": {"nbf": str(NOW + 600)},
    "issued in the future": {"iat": str(NOW + 600)},
    "an ID token": {"nonce": "n-0S6"},
    "another ID token": {"at_hash": "x"},
    "an ID token of Cognito, which has neither": {"token_use": "id"},
    "bound to a key": {"cnf": '{"jkt":"x"}'},
    "scopes that are no text": {"scope": {"a": 1}},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_claims_that_are_not_as_expected_are_refused(change):
    made = v2({**CLAIMS, **change})
    for optional in (False, True):
        assert asked(jwt(), made, optional=optional) == (401, None)


@pytest.mark.parametrize("claims", [None, [], "", "claims", 5, {5: "x"}])
def test_a_result_without_claims_is_refused(claims):
    assert asked(jwt(), v2(claims), optional=True)[0] == 401
    assert asked(jwt(), event("v2", {"jwt": claims}), optional=True)[0] == 401


def test_a_step_up_is_judged_by_what_the_claims_say():
    claims = {**CLAIMS, "auth_time": str(int(time.time()) - 10), "amr": "[pwd otp]", "exp": str(int(time.time()) + 900)}
    gateway = ApiGateway.jwt(issuer=ISSUER, audience=AUDIENCE)

    @require_auth(gateway, max_age=600, amr=["otp"])
    def handler(event, context):
        return {"statusCode": 204}

    assert handler(v2({**claims, "iat": str(int(time.time()))}), CONTEXT)["statusCode"] == 204
    for change in ({"auth_time": str(int(time.time()) - 3600)}, {"amr": "[pwd]"}, {"amr": "otp"}, {"auth_time": None}):
        refused = handler(v2({**claims, "iat": str(int(time.time())), **change}), CONTEXT)
        assert refused["statusCode"] == 401
        assert "insufficient_user_authentication" in refused["headers"]["www-authenticate"]


def test_several_issuers_are_named_in_one():
    either = jwt(issuer=[ISSUER, "https://b.example"])
    assert asked(either, v2({**CLAIMS, "iss": "https://b.example"}))[1].issuer == "https://b.example"


def test_every_refusal_has_the_same_bytes():
    guard = require_auth(jwt())

    @guard
    def handler(event, context):
        raise AssertionError

    answers = [handler(v2({**CLAIMS, **change}), CONTEXT) for change in WRONG.values()]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["headers"]["www-authenticate"] == 'Bearer error="invalid_token"'


# Where a result stands that no authorizer wrote

PLANTED = {"jwt": {"claims": CLAIMS}, "claims": CLAIMS, "subject": "alice", "issuer": ISSUER, "iam": IAM, "lambda": {
    "subject": "alice", "issuer": ISSUER}}  # fmt: skip
EVERY = [
    jwt(),
    cognito(),
    cognito(token_use="id"),
    ApiGateway.iam(accounts=["111122223333"]),
    ApiGateway.custom(issuer=ISSUER),
]


@pytest.mark.parametrize("authenticator", EVERY, ids=repr)
@pytest.mark.parametrize("kind", ["alb", "alb_multi", "lattice"])
def test_other_events_are_of_no_gateway_whatever_they_hold(authenticator, kind):
    made = event(kind, PLANTED)
    made["requestContext"]["identity"] = IDENTITY
    assert asked(authenticator, made, optional=True) == (200, None)
    assert asked(authenticator, made)[0] == 401


@pytest.mark.parametrize("authenticator", EVERY, ids=repr)
@pytest.mark.parametrize("kind", ["v1", "v2", "function_url", "alb", "websocket"])
def test_what_a_client_sends_is_never_read(authenticator, kind):
    """In the body, the query, a header of any name, a path parameter."""
    import json

    planted = json.dumps({"requestContext": {"authorizer": PLANTED, "identity": IDENTITY}, "authorizer": PLANTED})
    headers = {"requestContext": planted, "x-amzn-request-context": planted, "authorizer": planted, "x-authorizer": planted}
    made = lambda_event(kind, "POST", "/", headers, planted, query="authorizer=%7B%7D", params={"authorizer": planted})
    made.setdefault("requestContext", {})
    assert asked(authenticator, made, optional=True) == (200, None)


@pytest.mark.parametrize("authenticator", EVERY, ids=repr)
def test_other_hosts_have_no_gateway(authenticator):
    @require_auth(authenticator, optional=True)
    def handler(request: Request, principal=None):
        return Response(200 if principal is None else 500)

    request = Request.build("GET", "/")
    request.native = v2(CLAIMS)
    assert handler(request).status == 200


@pytest.mark.parametrize("authenticator", EVERY, ids=repr)
@pytest.mark.parametrize(
    "authorizer", [[], "x", 5, {}, {"jwt": None, "lambda": None}, {"principalId": "x", "integrationLatency": 3}]
)
def test_an_authorizer_that_says_nothing_of_the_kind_lets_nobody_in(authenticator, authorizer):
    for kind in ("v1", "v2", "function_url", "websocket"):
        assert asked(authenticator, event(kind, authorizer))[0] == 401


@pytest.mark.parametrize("kind", ["v1", "v2", "function_url", "websocket"])
def test_each_takes_the_result_of_its_own_kind_of_authorizer_only(kind):
    results = {
        "jwt": {"jwt": {"claims": {**CLAIMS, "iss": POOL_ISSUER}}},
        "custom": {"lambda": {"subject": "alice", "issuer": ISSUER}} if kind in ("v2", "function_url") else {
            "subject": "alice", "issuer": ISSUER, "principalId": "alice"},
        "iam": {"iam": IAM},
    }  # fmt: skip
    takes = {
        "jwt": jwt(issuer=POOL_ISSUER),
        "custom": ApiGateway.custom(issuer=ISSUER),
        "iam": ApiGateway.iam(accounts=["111122223333"]),
    }
    is_v2 = kind in ("v2", "function_url")
    for name, authenticator in takes.items():
        for of, result in results.items():
            expected = 200 if name == of and (is_v2 or name == "custom") else 401
            assert asked(authenticator, event(kind, result))[0] == expected, (name, of)


# Cognito


def test_an_access_token_of_the_pool_behind_an_http_api():
    status, principal = asked(cognito(), v2(ACCESS))
    assert (status, principal.subject, principal.issuer) == (200, "6418b458", POOL_ISSUER)
    assert principal.roles == {"admin", "poweruser"}
    assert principal.scopes == {"api/read", "openid"}


def test_an_id_token_of_the_pool_behind_a_rest_api():
    status, principal = asked(cognito(token_use="id"), event("v1", {"claims": REST_ID}))
    assert (status, principal.subject) == (200, "6418b458")
    assert principal.roles == {"admin", "poweruser"}
    assert principal.claims["exp"] == NOW + 900


def test_a_rest_apis_result_that_was_kept_beyond_the_tokens_time_is_refused():
    late = cognito(token_use="id", clock=lambda: NOW + 931.0)
    assert asked(late, event("v1", {"claims": REST_ID}))[0] == 401


@pytest.mark.parametrize(
    "change",
    [
        {"token_use": "id"}, {"token_use": None}, {"client_id": "other"}, {"client_id": None},
        {"client_id": None, "aud": "5kek0i61"}, {"iss": ISSUER}, {"iss": f"{POOL_ISSUER}X"},
        {"exp": str(NOW - 60)}, {"sub": None},
    ],
)  # fmt: skip
def test_another_token_of_the_pool_or_of_another_pool_is_refused(change):
    for made in (v2({**ACCESS, **change}), event("v1", {"claims": {**ACCESS, **change}})):
        assert asked(cognito(), made, optional=True)[0] == 401


def test_an_access_token_is_not_taken_where_id_tokens_are_expected():
    assert asked(cognito(token_use="id"), v2({**ACCESS, "aud": "5kek0i61"}))[0] == 401


def test_one_group_is_a_group_in_both_forms():
    assert asked(cognito(), v2({**ACCESS, "cognito:groups": "[admin]"}))[1].roles == {"admin"}
    rest = event("v1", {"claims": {**REST_ID, "cognito:groups": "admin"}})
    assert asked(cognito(token_use="id"), rest)[1].roles == {"admin"}


def test_the_pool_in_china_is_at_another_address():
    china = ApiGateway.cognito(pool="cn-north-1_Abc", client_id="x", clock=clock)
    issuer = "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Abc"
    assert asked(china, v2({**ACCESS, "iss": issuer, "client_id": "x"}))[0] == 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sat Aug 29 09:15:00 UTC 2026", NOW + 900),
        ("Fri Jul 29 18:52:53 UTC 2016", 1_469_818_373),
        ("1787994900", NOW + 900),
        ("Sat Aug 29 09:15:00 CET 2026", None),
        ("Sat Aug 29 25:15:00 UTC 2026", None),
        ("Sat Aug 29 09:15:00 UTC 12026", None),
        ("Sam Août 29 09:15:00 UTC 2026", None),
        ("2026-08-29T09:15:00Z", None),
        ("-1", None),
        ("", None),
    ],
)
def test_a_time_is_read_as_it_is_written_or_not_at_all(text, expected):
    assert seconds(text) == (text if expected is None else expected)


# IAM


@pytest.mark.parametrize("kind", ["v2", "function_url"])
def test_the_caller_whom_aws_has_identified_is_the_principal(kind):
    status, principal = asked(ApiGateway.iam(accounts=["111122223333"]), event(kind, {"iam": IAM}))
    assert status == 200
    assert principal.subject == "arn:aws:iam::111122223333:user/alice"
    assert principal.issuer == "arn:aws:iam::111122223333:root"
    assert principal.claims == {
        "arn": IAM["userArn"], "account": "111122223333", "user_id": "AIDA...", "caller_id": "AIDA...",
        "organization": "o-1234567890",
    }  # fmt: skip


def rest(identity):
    made = event("v1")
    made["requestContext"]["identity"] = identity
    return made


def test_so_is_the_caller_of_a_rest_api():
    status, principal = asked(ApiGateway.iam(accounts=["111122223333"]), rest(IDENTITY))
    assert (status, principal.subject) == (200, "arn:aws:iam::111122223333:user/alice")
    assert principal.claims["user_id"] == "AIDA..."


def test_a_roles_sessions_are_one_subject_whatever_they_call_themselves():
    arn = "arn:aws:sts::111122223333:assumed-role/Worker/{}"
    guard = ApiGateway.iam(accounts=["111122223333"], arns=["arn:aws:iam::111122223333:role/service/Worker"])
    for session in ("alice", "admin", "i-0123"):
        _, principal = asked(guard, event("v2", {"iam": {**IAM, "userArn": arn.format(session)}}))
        assert principal.subject == "arn:aws:sts::111122223333:assumed-role/Worker"
        assert principal.claims["session"] == session


def test_of_an_identity_pool_the_identity_is_told():
    cognito_identity = {"amr": ["authenticated"], "identityId": "eu-west-1:1234", "identityPoolId": "eu-west-1:5678"}
    _, principal = asked(
        ApiGateway.iam(accounts=["111122223333"]), event("v2", {"iam": {**IAM, "cognitoIdentity": cognito_identity}})
    )
    assert principal.claims["cognito_identity_id"] == "eu-west-1:1234"


@pytest.mark.parametrize(
    "change",
    [
        {"accountId": "999999999999"},
        {"accountId": "999999999999", "userArn": "arn:aws:iam::999999999999:user/alice"},
        {"userArn": "arn:aws:iam::999999999999:user/alice"},
        {"accountId": None},
        {"accountId": 111122223333},
        {"accountId": ["111122223333"]},
        {"userArn": None},
        {"userArn": ""},
        {"userArn": "arn:aws:iam::111122223333:user/"},
        {"userArn": "arn:aws:iam::111122223333:group/admins"},
        {"userArn": "arn:aws:sts::111122223333:assumed-role/Worker"},
        {"userArn": "arn:aws:sts::111122223333:assumed-role/Worker/a/b"},
        {"userArn": "arn:aws:iam::111122223333:user/alice x"},
        {"userArn": "arn:evil:iam::111122223333:user/alice"},
        {"userArn": "alice"},
    ],
)
def test_a_foreign_account_or_what_is_no_caller_is_refused(change):
    guard = ApiGateway.iam(accounts=["111122223333"])
    assert asked(guard, event("v2", {"iam": {**IAM, **change}}), optional=True)[0] == 401
    changed = {**IDENTITY, **change}
    expected = 200 if changed["userArn"] is None else 401  # in a REST API: nobody has signed
    assert asked(guard, rest(changed), optional=True) == (expected, None)


def test_of_an_account_only_those_who_are_named():
    guard = ApiGateway.iam(accounts=["111122223333"], arns=["arn:aws:iam::111122223333:user/bob"])
    assert asked(guard, event("v2", {"iam": IAM}))[0] == 401
    assert asked(guard, event("v2", {"iam": {**IAM, "userArn": "arn:aws:iam::111122223333:user/bob"}}))[0] == 200


def test_a_bearer_token_beside_a_signed_request_is_a_second_credential():
    guard = ApiGateway.iam(accounts=["111122223333"])
    assert asked(guard, event("v2", {"iam": IAM}, headers={"authorization": "Bearer abc"}))[0] == 400
    assert asked(guard, event("v2", {"iam": IAM}, headers={"authorization": "AWS4-HMAC-SHA256 Credential=x, y=z"}))[0] == 200


# Lambda authorizers


def context_of(kind, context):
    return event(kind, {"lambda": context} if kind in ("v2", "function_url") else {"principalId": "alice", **context})


@pytest.mark.parametrize("kind", ["v1", "v2", "websocket"])
def test_what_our_own_authorizer_says_is_taken_over_as_it_is(kind):
    mint = TokenMint()
    authorizer = require_auth(mint.tokens).authorizer()
    token = mint.good("alice", scopes=["a:read"], roles=["admin", "staff"])
    sent = lambda_event("v2" if kind == "v2" else "v1", headers={"authorization": f"Bearer {token}"})
    arn = "arn:aws:execute-api:eu-west-1:123456789012:api1234567/prod/GET/x"
    said = authorizer({**sent, "type": "REQUEST", "routeArn" if kind == "v2" else "methodArn": arn}, CONTEXT)
    guard = ApiGateway.custom(issuer=mint.issuer)
    status, principal = asked(guard, context_of(kind, said["context"]))
    assert (status, principal.subject, principal.issuer) == (200, "alice", mint.issuer)
    assert (principal.scopes, principal.roles) == ({"a:read"}, {"admin", "staff"})
    assert asked(ApiGateway.custom(issuer="https://other.example"), context_of(kind, said["context"]), optional=True)[0] == 401


def test_another_authorizer_says_it_in_its_own_words():
    guard = ApiGateway.custom(issuer="my-authorizer", subject="principalId", issuer_from=None, scopes="perms", roles=None)
    made = event("v1", {"principalId": "user-7", "perms": "a b", "roles": "admin", "integrationLatency": 12})
    _, principal = asked(guard, made)
    assert (principal.subject, principal.issuer, principal.scopes, principal.roles) == (
        "user-7",
        "my-authorizer",
        {"a", "b"},
        set(),
    )
    assert dict(principal.claims) == {"principalId": "user-7", "perms": "a b", "roles": "admin"}


def test_the_claims_of_another_kind_of_authorizer_are_not_a_context():
    guard = ApiGateway.custom(issuer="x", subject="principalId", issuer_from=None)
    assert asked(guard, event("v1", {"claims": REST_ID, "principalId": "alice"}))[0] == 401


@pytest.mark.parametrize(
    "context",
    [
        {"subject": "alice"}, {"subject": "alice", "issuer": ""}, {"subject": "alice", "issuer": "https://evil.example"},
        {"issuer": ISSUER}, {"subject": "", "issuer": ISSUER}, {"subject": 5, "issuer": ISSUER},
        {"subject": ["alice"], "issuer": ISSUER}, {"subject": "alice", "issuer": [ISSUER]},
        {"subject": "alice", "issuer": ISSUER, "roles": ["admin"]}, {"subject": "alice", "issuer": ISSUER, "scopes": 5},
    ],
)  # fmt: skip
def test_a_context_that_is_not_as_expected_is_refused(context):
    for kind in ("v1", "v2"):
        assert asked(ApiGateway.custom(issuer=ISSUER), context_of(kind, context), optional=True) == (401, None)


def test_a_result_may_say_itself_until_when_it_counts():
    guard = ApiGateway.custom(issuer=ISSUER, expires_from="exp", clock=clock)
    said = {"subject": "alice", "issuer": ISSUER}
    for value, expected in ((str(NOW + 1), 200), (NOW + 1, 200), (str(NOW), 401), (None, 401), ("soon", 401), (True, 401)):
        assert asked(guard, context_of("v2", {**said, "exp": value}))[0] == expected, value


# With other guards, and wrong settings


def test_scopes_and_roles_are_judged_as_everywhere():
    @chain(require_auth(cognito()), require_scopes("api/read"), require_roles("admin"))
    def handler(event, context):
        return {"statusCode": 204}

    assert handler(v2(ACCESS), CONTEXT)["statusCode"] == 204
    assert handler(v2({**ACCESS, "cognito:groups": "[staff]"}), CONTEXT)["statusCode"] == 403
    assert handler(v2({**ACCESS, "scope": "openid"}), CONTEXT)["statusCode"] == 403


@pytest.mark.parametrize(
    "build",
    [
        lambda: ApiGateway(),
        lambda: ApiGateway.jwt(issuer="", audience=AUDIENCE),
        lambda: ApiGateway.jwt(issuer=[], audience=AUDIENCE),
        lambda: ApiGateway.jwt(issuer=ISSUER, audience=()),
        lambda: ApiGateway.jwt(issuer=ISSUER, audience=None),
        lambda: ApiGateway.jwt(issuer=ISSUER, audience=AUDIENCE, leeway=-1),
        lambda: ApiGateway.jwt(issuer=ISSUER, audience=AUDIENCE, profile=None),
        lambda: ApiGateway.cognito(client_id="x"),
        lambda: ApiGateway.cognito(pool=POOL, issuer=POOL_ISSUER, client_id="x"),
        lambda: ApiGateway.cognito(pool="evil.example/x_y", client_id="x"),
        lambda: ApiGateway.cognito(pool="eu-west-1", client_id="x"),
        lambda: ApiGateway.cognito(pool=POOL, client_id=[]),
        lambda: ApiGateway.cognito(pool=POOL, client_id="x", token_use="refresh"),
        lambda: ApiGateway.iam(accounts=[]),
        lambda: ApiGateway.iam(accounts="111122223333"),
        lambda: ApiGateway.iam(accounts=["1111"]),
        lambda: ApiGateway.iam(accounts=["111122223333"], arns=[]),
        lambda: ApiGateway.iam(accounts=["111122223333"], arns=["arn:aws:iam::999999999999:user/x"]),
        lambda: ApiGateway.iam(accounts=["111122223333"], arns=["alice"]),
        lambda: ApiGateway.custom(issuer=""),
        lambda: ApiGateway.custom(issuer=ISSUER, subject=None),
        lambda: ApiGateway.custom(issuer=ISSUER, roles=""),
    ],
)
def test_what_is_wrong_is_told_when_it_is_built(build):
    with pytest.raises(ConfigurationError):
        build()


def test_a_representation_names_the_kind():
    assert [repr(one) for one in EVERY] == [
        "<ApiGateway.jwt>", "<ApiGateway.cognito>", "<ApiGateway.cognito>", "<ApiGateway.iam>", "<ApiGateway.custom>",
    ]  # fmt: skip


def test_the_real_clock_is_the_default():
    now = int(time.time())
    fresh = {**CLAIMS, "exp": str(now + 600), "iat": str(now)}
    assert asked(ApiGateway.jwt(issuer=ISSUER, audience=AUDIENCE), v2(fresh))[0] == 200
