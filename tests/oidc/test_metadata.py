"""The metadata of a protected resource (RFC 9728), and the challenges that lead to them."""

from __future__ import annotations

import json

import pytest

from authkit import (
    ConfigurationError,
    Deny,
    Principal,
    Request,
    Response,
    Unavailable,
    any_of,
    chain,
    require,
    require_auth,
    require_roles,
    require_scopes,
)
from authkit.access import scope
from authkit.endpoint import route
from authkit.oidc import DPoP, MutualTLS, OIDCProvider, ProtectedResource
from authkit.stores import MemoryStore
from authkit.testing import TokenMint, lambda_event

MINT = TokenMint()
ISSUER = "https://issuer.example"
MCP = "https://api.example.com/mcp"
URL = "https://api.example.com/.well-known/oauth-protected-resource/mcp"
METADATA = ProtectedResource(MCP, [ISSUER])


def answer(guard, headers=(), method="GET"):
    """What a guarded plain function answers."""

    @guard
    def handler(request: Request):
        return Response(200, body=b"in")

    return handler(Request.build(method, "/", headers))


def bearer(token):
    return {"authorization": f"Bearer {token}"}


# The document


def test_the_document_is_exactly_what_was_configured():
    metadata = ProtectedResource(
        MCP, ISSUER, scopes=["mcp:read", "mcp:write"], name="Orders", documentation="https://docs.example.com/orders",
        policy="https://example.com/policy", terms="https://example.com/terms",
        extra={"authorization_details_types_supported": ["x"]},
    )  # fmt: skip
    served = metadata.aws_lambda(lambda_event("v2", path=metadata.path), None)
    assert served["statusCode"] == 200
    assert served["body"] == (
        '{"resource":"https://api.example.com/mcp","authorization_servers":["https://issuer.example"],'
        '"scopes_supported":["mcp:read","mcp:write"],"bearer_methods_supported":["header"],"resource_name":"Orders",'
        '"resource_documentation":"https://docs.example.com/orders","resource_policy_uri":"https://example.com/policy",'
        '"resource_tos_uri":"https://example.com/terms","authorization_details_types_supported":["x"]}'
    )
    assert json.loads(served["body"]) == metadata.document


def test_it_may_be_cached_and_read_by_every_origin():
    served = METADATA.aws_lambda(lambda_event("v2", path=METADATA.path, headers={"origin": "https://anywhere.example"}), None)
    assert served["headers"]["content-type"] == "application/json"
    assert served["headers"]["cache-control"] == "public, max-age=3600"
    assert served["headers"]["access-control-allow-origin"] == "*"


def test_a_preflight_is_answered_for_every_origin_and_header():
    asked = {"origin": "https://inspector.example", "access-control-request-method": "GET",
             "access-control-request-headers": "mcp-protocol-version"}  # fmt: skip
    served = METADATA.aws_lambda(lambda_event("v2", "OPTIONS", METADATA.path, asked), None)
    assert served["statusCode"] == 204
    assert served["headers"]["access-control-allow-origin"] == "*"
    assert served["headers"]["access-control-allow-methods"] == "GET"
    assert served["headers"]["access-control-allow-headers"] == "*"


def test_nothing_but_reading_is_answered():
    assert METADATA.aws_lambda(lambda_event("v2", "POST", METADATA.path), None)["statusCode"] == 405


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://api.example.com", "https://api.example.com/.well-known/oauth-protected-resource"),
        ("https://api.example.com/", "https://api.example.com/.well-known/oauth-protected-resource"),
        (MCP, URL),
        (f"{MCP}/", f"{URL}/"),
        ("https://api.example.com:8443/a/b", "https://api.example.com:8443/.well-known/oauth-protected-resource/a/b"),
        ("http://127.0.0.1:8000/mcp", "http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp"),
    ],
)
def test_the_well_known_part_stands_between_host_and_path(resource, url):
    metadata = ProtectedResource(resource, ISSUER)
    assert metadata.metadata_url == url
    assert url.endswith(metadata.path)
    assert metadata.document["resource"] == resource


def test_where_it_is_is_configured_and_never_what_a_request_says():
    sent = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    assert b"evil" not in str(METADATA.aws_lambda(lambda_event("v2", path=METADATA.path, headers=sent), None)).encode()
    refused = answer(require_auth(MINT.tokens, resource=METADATA), sent)
    assert refused.headers["www-authenticate"] == f'Bearer realm="api", resource_metadata="{URL}"'


def test_a_provider_says_its_issuers_itself():
    one = OIDCProvider(ISSUER, audience=MCP)
    metadata = ProtectedResource(MCP, [one, "https://other.example/"])
    assert metadata.document["authorization_servers"] == [ISSUER, "https://other.example/"]
    assert ProtectedResource(MCP, one).document["authorization_servers"] == [ISSUER]


def test_a_provider_of_several_issuers_lists_each():
    class Several:
        issuer = ISSUER
        issuers = frozenset({ISSUER, "https://b.example"})

    assert ProtectedResource(MCP, Several()).document["authorization_servers"] == ["https://b.example", ISSUER]


def test_tokens_that_are_bound_to_a_key_are_told():
    provider = OIDCProvider(ISSUER, audience=MCP)
    mtls = MutualTLS(provider, certificate=lambda request: None)
    may = DPoP(provider, url="https://api.example.com", replay=MemoryStore())
    must = DPoP(provider, url="https://api.example.com", replay=MemoryStore(), required=True)
    for offered in (ProtectedResource(MCP, ISSUER, dpop=True), ProtectedResource(MCP, ISSUER, dpop=may)):
        assert "ES256" in offered.document["dpop_signing_alg_values_supported"]
        assert not any(name.startswith("HS") for name in offered.document["dpop_signing_alg_values_supported"])
        assert "dpop_bound_access_tokens_required" not in offered.document
    demanded = ProtectedResource(MCP, ISSUER, dpop=must, mtls=mtls).document
    assert demanded["dpop_bound_access_tokens_required"] is True
    assert demanded["tls_client_certificate_bound_access_tokens"] is True


def test_a_challenge_for_bound_tokens_leads_to_the_metadata_too():
    dpop = DPoP(OIDCProvider(ISSUER, audience=MCP), url="https://api.example.com", replay=MemoryStore(), required=True)
    for headers in ({}, {"authorization": "DPoP abc", "dpop": "x"}):
        refused = answer(require_auth(dpop, resource=METADATA), headers)
        assert refused.status == 401
        named = [line for line in refused.headers.get_all("www-authenticate") if line.startswith("DPoP ")]
        assert named
        assert all(f'resource_metadata="{URL}"' in line for line in named)


@pytest.mark.parametrize(
    "wrong",
    [
        {"resource": "http://api.example.com/mcp"},
        {"resource": "api.example.com"},
        {"resource": f"{MCP}#part"},
        {"resource": f"{MCP}?tenant=1"},
        {"resource": "https://user:pw@api.example.com/"},
        {"resource": "https://api.example.com/a/../b"},
        {"resource": "https://api.example.com//b"},
        {"resource": "https://api.example.com/a%2fb"},
        {"resource": "https://api.example.com/a;b"},
        {"resource": None},
        {"authorization_servers": []},
        {"authorization_servers": "http://issuer.example"},
        {"authorization_servers": [object()]},
        {"scopes": "mcp:read"},
        {"scopes": ["two words"]},
        {"initial_scopes": ['a"b']},
        {"initial_scopes": [""]},
        {"name": ""},
        {"documentation": "docs"},
        {"extra": {"resource": "https://other.example"}},
        {"extra": {"x": object()}},
        {"extra": {"x": float("nan")}},
        {"max_age": -1},
        {"max_age": 1.5},
    ],
)
def test_what_is_wrong_is_told_when_it_is_built_by_its_name(wrong):
    settings = {"resource": MCP, "authorization_servers": ISSUER, **wrong}
    with pytest.raises(ConfigurationError) as told:
        ProtectedResource(**settings)
    [setting] = wrong
    assert setting in str(told.value)
    assert "pw" not in str(told.value)


def test_it_is_one_of_several_endpoints_of_an_app():
    app = route({METADATA.path: METADATA})
    assert app.aws_lambda(lambda_event("v2", path="/.well-known/oauth-protected-resource/mcp"), None)["statusCode"] == 200
    assert app.aws_lambda(lambda_event("v2", path="/.well-known/oauth-protected-resource"), None)["statusCode"] == 404


# The challenges


def test_without_a_credential_the_challenge_names_the_metadata():
    refused = answer(require_auth(MINT.tokens, resource=METADATA, realm="orders"))
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == f'Bearer realm="orders", resource_metadata="{URL}"'


def test_every_bad_token_is_answered_with_the_same_bytes_and_the_metadata():
    guard = require_auth(MINT.tokens, resource=METADATA)
    for name, token in MINT.bad().items():
        refused = answer(guard, bearer(token))
        assert refused.status == 401, name
        assert refused.headers["www-authenticate"] == f'Bearer error="invalid_token", resource_metadata="{URL}"', name


def test_what_a_client_is_to_ask_for_stands_in_the_challenge():
    metadata = ProtectedResource(MCP, ISSUER, initial_scopes=["mcp:read", "mcp:list"])
    guard = require_auth(MINT.tokens, resource=metadata)
    challenge = f'Bearer realm="api", scope="mcp:read mcp:list", resource_metadata="{URL}"'
    assert answer(guard).headers["www-authenticate"] == challenge
    assert 'scope="mcp:read mcp:list"' in answer(guard, bearer("bad")).headers["www-authenticate"]


@pytest.mark.parametrize("missing", [require_scopes("mcp:write"), require(scope("mcp:write"))])
def test_a_scope_that_is_missing_is_told_with_the_metadata(missing):
    metadata = ProtectedResource(MCP, ISSUER, initial_scopes=["mcp:read"])
    token = MINT.good(scopes=["mcp:read"])
    guard = chain(require_auth(MINT.tokens, resource=metadata), missing)
    for _ in range(2):  # the second time the token is remembered, and the guard is not asked to check
        refused = answer(guard, bearer(token))
        assert refused.status == 403
        challenge = f'Bearer error="insufficient_scope", scope="mcp:write", resource_metadata="{URL}"'
        assert refused.headers["www-authenticate"] == challenge


def test_a_guard_of_a_handler_knows_the_resource_of_the_one_around_the_app():
    @require_auth(MINT.tokens, resource=METADATA)
    def outer(request: Request):
        return inner(request)

    @require_scopes("mcp:write")
    def inner(request: Request):
        return Response(200)

    refused = outer(Request.build("GET", "/", bearer(MINT.good())))
    assert f'resource_metadata="{URL}"' in refused.headers["www-authenticate"]


def test_nobody_behind_an_optional_guard_is_told_too():
    guard = chain(require_auth(MINT.tokens, optional=True, resource=METADATA), require_scopes("mcp:read"))
    refused = answer(guard)
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == f'Bearer realm="api", resource_metadata="{URL}"'


def test_step_up_names_the_metadata_and_no_scope():
    metadata = ProtectedResource(MCP, ISSUER, initial_scopes=["mcp:read"])
    refused = answer(require_auth(MINT.tokens, resource=metadata, max_age=60), bearer(MINT.good()))
    challenge = f'Bearer error="insufficient_user_authentication", max_age="60", resource_metadata="{URL}"'
    assert refused.headers["www-authenticate"] == challenge


def test_of_two_alternatives_each_has_its_own_challenge():
    both = any_of(require_auth(MINT.tokens, resource=METADATA), require_auth(TokenMint().tokens, realm="other"))
    assert answer(both).headers.get_all("www-authenticate") == [
        f'Bearer realm="api", resource_metadata="{URL}"', 'Bearer realm="other"',
    ]  # fmt: skip


class OtherScheme:
    def __init__(self, scheme):
        self.deny = Deny(401, "invalid_token", challenge=scheme)

    async def authenticate(self, request):
        return self.deny


def test_a_credential_that_is_no_token_leads_to_the_metadata_as_well():
    refused = answer(require_auth(OtherScheme('ApiKey realm="api"'), resource=METADATA))
    assert refused.headers.get_all("www-authenticate") == ['ApiKey realm="api"', f'Bearer resource_metadata="{URL}"']


class Failing:
    issuer = None

    def verify(self, token):
        raise Unavailable


@pytest.mark.parametrize(
    ("guard", "headers"),
    [
        (lambda **more: require_auth(MINT.tokens, **more), {"authorization": "Bearer one, Bearer two"}),
        (lambda **more: require_auth(Failing(), **more), bearer("token")),
        (lambda **more: chain(require_auth(MINT.tokens, **more), require_roles("admin")), bearer(MINT.good())),
        (lambda **more: require_auth(MINT.tokens, **more), bearer(MINT.good())),
    ],
)
def test_every_other_answer_has_the_bytes_that_it_had(guard, headers):
    without, told = answer(guard(), headers), answer(guard(resource=METADATA), headers)
    assert (told.status, list(told.headers.items()), told.body) == (without.status, list(without.headers.items()), without.body)


def test_a_guard_without_a_resource_says_nothing_of_metadata():
    refused = answer(chain(require_auth(MINT.tokens), require_scopes("x")), bearer(MINT.good()))
    assert refused.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="x"'
    assert answer(require_auth(MINT.tokens, resource=None)).headers["www-authenticate"] == 'Bearer realm="api"'


def test_decide_tells_it_too():
    decision = require_auth(MINT.tokens, resource=METADATA).decide(Request.build())
    assert isinstance(decision, Deny)
    assert str(decision.challenge[0]) == f'Bearer realm="api", resource_metadata="{URL}"'
    assert decision.no_credential


def test_a_good_token_is_let_in():
    guard = require_auth(MINT.tokens, resource=METADATA)
    allowed = guard.decide(Request.build("GET", "/", bearer(MINT.good(subject="alice"))))
    assert allowed.principal == Principal("alice", issuer=allowed.principal.issuer, claims=allowed.principal.claims)


@pytest.mark.parametrize("wrong", [URL, object(), ProtectedResource])
def test_what_is_no_resource_is_refused_when_the_guard_is_built(wrong):
    with pytest.raises(ConfigurationError, match="resource is an"):
        require_auth(MINT.tokens, resource=wrong)
