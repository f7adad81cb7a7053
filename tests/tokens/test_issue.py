"""What stands in a token that we issue, and what nobody can make us put there."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from authkit.tokens.issue import RESERVED

from .craft import ALL, AUDIENCE, ISSUER, NOW, SECRET, Clock, key_for, tokens, unb64


def test_a_token_always_has_its_time_its_id_and_its_type() -> None:
    key = key_for("HS256")
    head, body, _ = tokens(key, random=lambda n: b"\x07" * n).issue("alice").split(".")
    assert json.loads(unb64(head)) == {"alg": "HS256", "typ": "at+jwt", "kid": key.kid}
    assert json.loads(unb64(body)) == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": NOW,
        "exp": NOW + 900,
        "jti": "BwcHBwcHBwcHBwcHBwcHBw",
    }


def test_scopes_roles_claims_and_ttl_are_in_it() -> None:
    both = tokens(clock=Clock(NOW + 0.9))
    claims = both.verify(
        both.issue("älice", scopes=["a:r", "b", "a:r"], roles=["x y", "ü"], claims={"org": {"n": [1, None, 1.5]}}, ttl=5)
    ).claims
    assert claims["scope"] == "a:r b"
    assert claims["roles"] == ["x y", "ü"]
    assert claims["org"] == {"n": [1, None, 1.5]}
    assert (claims["iat"], claims["exp"], claims["sub"]) == (NOW, NOW + 5, "älice")


def test_ids_are_random_and_16_bytes_long() -> None:
    both = tokens()
    assert len({both.verify(both.issue("a")).claims["jti"] for _ in range(100)}) == 100
    assert len(unb64(both.verify(both.issue("a")).claims["jti"])) == 16


@pytest.mark.parametrize("alg", ALL)
def test_pyjwt_accepts_what_we_issue(alg: str) -> None:
    key = key_for(alg)
    public: Any = (SECRET * 3)[: int(alg[2:]) // 8] if alg.startswith("HS") else jwt.PyJWK(key.public_jwk()).key  # type: ignore[arg-type]
    import time

    text = tokens(key, clock=time.time).issue("alice", scopes=["a"], claims={"org": "é"})
    claims = jwt.decode(
        text,
        public,
        algorithms=[alg],
        issuer=ISSUER,
        audience=AUDIENCE,
        options={"require": ["exp", "iat", "jti", "sub"], "strict_aud": True},
    )
    assert (claims["sub"], claims["scope"], claims["org"]) == ("alice", "a", "é")
    assert jwt.get_unverified_header(text)["typ"] == "at+jwt"


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_what_authkit_decides_is_not_overridden_through_claims(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        tokens().issue("alice", claims={name: "x"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": ""}, {"subject": None}, {"subject": 5}, {"subject": "\ud800"}, {"scopes": "admin"}, {"scopes": [""]},
        {"scopes": ["a b"]}, {"scopes": ["a\tb"]},
        {"scopes": ['a"']}, {"scopes": ["é"]}, {"scopes": [None]}, {"scopes": ["\\"]}, {"roles": "admin"}, {"roles": [""]},
        {"roles": [1]}, {"roles": b"a"}, {"ttl": 0},
        {"ttl": -1}, {"ttl": 1.5}, {"ttl": True}, {"ttl": 10**12}, {"claims": {"a": float("nan")}},
        {"claims": {"a": float("inf")}}, {"claims": {"a": object()}},
        {"claims": {"a": {1, 2}}}, {"claims": {"a": b"x"}}, {"claims": {"\ud800": 1}}, {"claims": {"a": "\ud800"}},
        {"claims": {1: "a", "1": "b"}}, {"claims": {"a": "x" * 20_000}},
        {"claims": {"a": [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}}, {"claims": {(1,): 1}}, {"claims": {"a": 10**5000}},
    ],
    ids=range(33),
)  # fmt: skip
def test_what_no_verifier_would_accept_is_not_issued(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        tokens().issue(**{"subject": "alice", **wrong})
