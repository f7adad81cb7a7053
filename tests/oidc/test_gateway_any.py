"""Whatever stands where an authorizer's result should: nobody is let in by it, and nothing else than a refusal is raised."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from authkit import Deny, Principal
from authkit.hosts._lambda_event import read_event
from authkit.oidc import ApiGateway, TokenProfile
from authkit.testing import lambda_event

from .test_gateway import CLAIMS, IAM, IDENTITY, ISSUER, POOL_ISSUER, REST_ID, clock, cognito, jwt

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ROLES = TokenProfile(types=("JWT",), roles=("groups", "a.b"), groups=("groups",), scopes=("scope", "scp"))
EVERY = [
    jwt(profile=ROLES),
    cognito(),
    cognito(token_use="id"),
    ApiGateway.iam(accounts=["111122223333"]),
    ApiGateway.custom(issuer=ISSUER, expires_from="exp", clock=clock),
]
KINDS = st.sampled_from(["v1", "v2", "function_url", "websocket", "alb", "lattice"])
ISSUERS = {ISSUER, POOL_ISSUER, "arn:aws:iam::111122223333:root"}


def found(authenticator: ApiGateway, event: dict[str, Any]) -> Principal | Deny | None:
    request = read_event(event)
    assert request is not None
    return asyncio.run(authenticator.authenticate(request))


@given(KINDS, JSON, JSON)
def test_anything_at_all_is_nobody(kind: Any, authorizer: Any, identity: Any) -> None:
    event = lambda_event(kind)
    event["requestContext"] |= {"authorizer": authorizer, "identity": identity}
    for authenticator in EVERY:
        assert not isinstance(found(authenticator, event), Principal)


@given(st.sampled_from(["v1", "v2"]), st.sampled_from([*CLAIMS, *REST_ID, "groups", "a", "scp", "cnf", "nbf"]), JSON)
def test_a_claim_that_is_anything_changes_neither_issuer_nor_rules(kind: Any, name: str, value: Any) -> None:
    for claims, authenticator in ((CLAIMS, EVERY[0]), (REST_ID, EVERY[2])):
        changed = {**claims, name: value}
        event = lambda_event(kind)
        event["requestContext"]["authorizer"] = {"claims": changed} if kind == "v1" else {"jwt": {"claims": changed}}
        if kind == "v1" and claims is CLAIMS:
            event["version"] = "1.0"
        answer = found(authenticator, event)
        if isinstance(answer, Principal):
            assert answer.issuer == claims["iss"]
            assert answer.issuer in ISSUERS
            assert isinstance(answer.subject, str)
            assert all(isinstance(one, str) for one in answer.roles | answer.scopes)
        else:
            assert isinstance(answer, Deny)


@given(st.sampled_from(["v1", "v2"]), st.sampled_from([*IAM, *IDENTITY]), JSON)
def test_so_does_anything_that_aws_says_of_a_caller(kind: Any, name: str, value: Any) -> None:
    event = lambda_event(kind)
    if kind == "v1":
        event["requestContext"]["identity"] = {**IDENTITY, name: value}
    else:
        event["requestContext"]["authorizer"] = {"iam": {**IAM, name: value}}
    answer = found(EVERY[3], event)
    if isinstance(answer, Principal):
        assert answer.subject == "arn:aws:iam::111122223333:user/alice"
        assert answer.issuer in ISSUERS
