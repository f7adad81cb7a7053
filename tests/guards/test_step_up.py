"""Step-up (RFC 9470): a login that is too old, or not of the class that is wanted, is answered with what is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from authkit import ConfigurationError, Request, Response, require_auth
from authkit.tokens import Tokens

TOKENS = Tokens("0123456789abcdefghijklmnopqrstuv-k", issuer="us", audience="api")


def answer(claims: dict[str, Any], **wanted: Any) -> Response:
    @require_auth(TOKENS, **wanted)
    def handler(request: Request) -> Response:
        return Response(200)

    sent = {"authorization": f"Bearer {TOKENS.issue('alice', claims=claims)}"}
    return handler(Request.build("GET", "/", sent))


def test_one_of_the_classes_is_enough() -> None:
    assert answer({"acr": "phr"}, acr=["phrh", "phr"]).status == 200
    assert answer({"acr": "phr"}, acr="phr").status == 200


@pytest.mark.parametrize(
    "claims", [{}, {"acr": "0"}, {"acr": None}, {"acr": ["phr"]}, {"acr": "phr phrh"}, {"acr": {}}, {"acr": 1}]
)
def test_another_class_is_answered_with_those_that_are_wanted_in_their_order(claims: dict[str, Any]) -> None:
    refused = answer(claims, acr=["phrh", "phr"])
    assert refused.status == 401
    told = refused.headers["www-authenticate"]
    assert told == 'Bearer error="insufficient_user_authentication", acr_values="phrh phr"'


def test_age_and_class_are_asked_for_together() -> None:
    refused = answer({"acr": "0", "auth_time": 5}, acr=["phr"], max_age=300)
    assert 'max_age="300", acr_values="phr"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("acr", [[], "", [""], ["a b"], ['a"b'], [1], ["ä"], ["a\nb"]])
def test_what_no_challenge_can_name_is_refused(acr: Any) -> None:
    with pytest.raises(ConfigurationError, match="acr"):
        require_auth(TOKENS, acr=acr)


@pytest.mark.parametrize("age", [float("nan"), float("inf"), -1, True, "60"])
def test_an_age_that_is_no_number_of_seconds_is_refused(age: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_age"):
        require_auth(TOKENS, max_age=age)
