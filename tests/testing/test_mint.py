"""`TokenMint`: good tokens are accepted, and each bad one is refused for the one thing that is wrong with it."""

from __future__ import annotations

import json

import joserfc.errors
import jwt
import pytest
from joserfc import jwt as jose
from joserfc.jwk import OctKey

from authkit import Allow, Deny, InvalidToken, Request, Tokens, require_auth
from authkit.stores import MemoryStore
from authkit.testing import BAD_TOKENS, Clock, TokenMint
from authkit.tokens import Key, base64url
from tests.parts import bearer

ALGORITHMS = ["HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES384", "EdDSA"]
MINTS = {alg: TokenMint(clock=Clock(), alg=alg) for alg in ALGORITHMS}
BAD = {alg: mint.bad() for alg, mint in MINTS.items()}

# What each is refused for, where the start of its name does not say it.
REASONS = {
    "alg": "token_key", "signature": "token_signature", "other_key": "token_signature", "hs256": "token_signature",
    "hs384": "token_key", "hs512": "token_key", "id_token": "token_type", "refresh_token": "token_type",
    "logout_token": "token_type", "typ": "token_type", "kid": "token_key", "crit": "token_critical",
    "jwk_header": "token_signature", "jwk_header_without_kid": "token_key", "jku": "token_signature", "x5u": "token_signature",
    "x5c": "token_signature", "expired": "token_expired", "not_yet_valid": "token_not_yet_valid",
    "issued_in_future": "token_issued_in_future", "no_exp": "token_claims", "exp": "token_claims", "nbf": "token_claims",
    "iat": "token_claims", "wrong_issuer": "token_issuer", "issuer": "token_issuer", "no_issuer": "token_issuer",
    "wrong_audience": "token_audience", "audience": "token_audience", "no_audience": "token_audience",
    "no_subject": "token_claims", "subject": "token_claims", "scope": "token_claims", "json_empty": "token_issuer",
    "padding": "token_signature",
    "huge": "token_too_large", "exp_overflow": "token_malformed", "exp_digits": "token_malformed",
    **{f"{claim}_{value}": "token_malformed" for claim in ("exp", "nbf", "iat") for value in ("nan", "infinity")},
    "exp_minus_infinity": "token_malformed",
}  # fmt: skip


def reason_of(name: str) -> str:
    parts = name.split("_")
    return next(
        (REASONS[key] for end in range(len(parts), 0, -1) if (key := "_".join(parts[:end])) in REASONS), "token_malformed"
    )


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_good_token_is_accepted_and_says_what_it_was_told(alg: str) -> None:
    mint = MINTS[alg]
    principal = mint.tokens.verify(mint.good("bob", scopes=["a", "b"], roles=["r"], claims={"org": "acme"}))
    assert (principal.subject, principal.scopes, principal.roles, principal.claims["org"]) == ("bob", {"a", "b"}, {"r"}, "acme")
    assert mint.tokens.verify(mint.forge(mint.header(), mint.claims())).subject == "alice"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_bad_token_is_refused_with_the_same_answer(alg: str) -> None:
    assert list(BAD[alg]) == list(BAD_TOKENS)
    guard = require_auth(MINTS[alg].tokens)
    for name, token in BAD[alg].items():
        decision = guard.decide(Request.build(headers={"authorization": f"Bearer {token}"}))
        assert (decision.status, decision.code) == (401, "invalid_token"), name


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_each_bad_token_is_refused_for_what_is_wrong_with_it(name: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        MINTS["HS256"].tokens.verify(BAD["HS256"][name])
    assert refused.value.reason == reason_of(name)
    assert BAD_TOKENS[name]


@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_no_two_bad_tokens_are_the_same(alg: str) -> None:
    assert len(set(BAD[alg].values())) == len(BAD_TOKENS)


def test_what_is_only_wrong_for_us_is_right_for_another_library() -> None:
    """PyJWT and joserfc accept these: the signature holds, and the catalogue tests the rule and not a broken token."""
    secret = bytes(range(32))
    mint = TokenMint(clock=Clock(), random=lambda size: bytes(range(size)))
    bad = mint.bad()
    options = {"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_sub": False}
    for name in (
        "no_exp",
        "duplicate_subject",
        "id_token",
        "expired",
        "wrong_issuer",
        "audience_mixed",
        "kid_unknown",
        "json_utf16",
    ):
        claims = jwt.decode(bad[name], secret, algorithms=["HS256"], options=options)  # type: ignore[arg-type]
        assert claims["sub"] in ("alice", "mallory"), name
    assert jose.decode(bad["crit_empty"], OctKey.import_key(secret)).claims["sub"] == "alice"
    with pytest.raises((jwt.InvalidTokenError, joserfc.errors.JoseError)):
        jwt.decode(bad["signature_forged"], secret, algorithms=["HS256"], options=options)  # type: ignore[arg-type]


def test_time_is_the_clocks() -> None:
    clock = Clock(1000.0)
    mint = TokenMint(clock=clock)
    token = mint.good(ttl=60)
    clock.advance(60 + 29.9)
    assert mint.tokens.verify(token).subject == "alice"
    clock.advance(0.1)
    with pytest.raises(InvalidToken, match="token_expired"):
        mint.tokens.verify(token)
    assert clock.advance(-90) == clock() == 1000.0
    assert mint.tokens.verify(token).subject == "alice"


def test_each_mint_has_a_key_of_its_own() -> None:
    one, two = TokenMint(), TokenMint()
    with pytest.raises(InvalidToken):
        two.tokens.verify(one.good())


@pytest.mark.parametrize("issuer", ["1", "urn:x", "https://ISSUER"])
def test_the_catalogue_holds_for_any_issuer_and_audience(issuer: str) -> None:
    mint = TokenMint(issuer=issuer, audience=issuer)
    for name, token in mint.bad().items():
        with pytest.raises(InvalidToken):
            pytest.fail(f"{name}: {mint.tokens.verify(token)!r}")


def test_a_mint_may_have_the_key_of_the_program_that_is_tested() -> None:
    secret = "of the program's settings: 7f3a94c21b"
    tokens = Tokens(secret, issuer="https://login.example", audience="orders")
    for key in (secret, secret.encode(), Key(secret)):
        mint = TokenMint(key=key, issuer="https://login.example", audience="orders")
        assert (mint.alg, tokens.verify(mint.good("bob")).subject) == ("HS256", "bob")
        for name, token in mint.bad().items():
            with pytest.raises(InvalidToken):
                pytest.fail(f"{name}: {tokens.verify(token)!r}")


def test_forge_puts_bytes_in_as_they_are() -> None:
    mint = TokenMint()
    header, claims, _ = mint.forge(b"\xff", {"a": 1}).split(".")
    assert base64url.decode(header) == b"\xff"
    assert json.loads(base64url.decode(claims)) == {"a": 1}


def test_an_algorithm_that_nobody_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="ROT13"):
        TokenMint(alg="ROT13")


def test_with_a_store_a_mint_also_issues_pairs_and_revokes() -> None:
    mint = TokenMint(clock=Clock(), store=MemoryStore())
    guard = require_auth(mint.tokens)
    pair, text = mint.tokens.issue_pair("alice"), mint.good()
    for token in (pair.access_token, text):
        assert isinstance(guard.decide(bearer(token)), Allow)
        mint.tokens.revoke(token)
        assert isinstance(guard.decide(bearer(token)), Deny)
    for token in mint.bad().values():
        assert isinstance(guard.decide(bearer(token)), Deny)
    assert TokenMint().tokens.store is None
