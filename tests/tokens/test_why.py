"""Why a token was refused: which check it was and what is likely, for every reason that `Tokens.verify` has."""

from __future__ import annotations

import json
import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import InvalidToken, Tokens
from authkit.secrets.rotation.generate import generate
from authkit.stores import MemoryStore
from authkit.tokens import Key, KeyRing
from authkit.tokens.base64url import encode
from authkit.tokens.why import LONGEST, REASONS, Expected, Parts, why

SECRET = "a secret for these tests only, and long enough"
OTHER = "another secret for these tests, and long enough"
ISSUER = AUDIENCE = "https://api.example.com"
PRIVATE = str(generate("ec")())
RING = KeyRing(Key(SECRET, kid="now"), previous=[Key(OTHER, kid="before")], pending=[Key(SECRET + "!", kid="next")])


def signed(secret=SECRET, alg="HS256", headers=None, **claims):
    now = int(time.time())
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 60, **claims}
    whole = {name: value for name, value in whole.items() if value is not ...}
    stated = {"typ": "at+jwt", "kid": "now", **(headers or {})}
    return jwt.encode(whole, secret, alg, stated)


def unsigned():
    claims = encode(json.dumps({"iss": ISSUER, "sub": "alice"}).encode()).decode()
    return encode(b'{"alg":"none","typ":"at+jwt"}').decode() + "." + claims + "."


def refused(token, ring=RING, **more):
    tokens = Tokens(ring, issuer=ISSUER, audience=AUDIENCE, **more)
    with pytest.raises(InvalidToken) as caught:
        tokens.verify(token)
    return why(caught.value.reason, token, Expected(issuer=ISSUER, audience=AUDIENCE, ring=ring, now=time.time()))


@pytest.mark.parametrize(
    ("token", "check", "words"),
    [
        (lambda: "", "form", "not three"),
        (lambda: "Bearer " + signed(), "form", "header value"),
        (lambda: signed() + "\n", "signature", "copied"),
        (lambda: "9f8c1d", "form", "refresh token"),
        (lambda: "a.b.c.d.e", "form", "encrypted"),
        (lambda: signed() + "==", "signature", "encoded"),
        (lambda: "x" + signed(), "form", "cut short"),
        (lambda: "x" * 20_000, "form", "groups"),
        (lambda: signed(headers={"crit": ["exp"]}), "token kind|form", "protocol"),
        (lambda: signed(headers={"typ": "JWT"}), "token kind", "by hand"),
        (lambda: signed(headers={"typ": "JWT"}, nonce="n"), "token kind", "ID token"),
        (lambda: signed(headers={"typ": "JWT"}, iss="https://login.example.com"), "token kind", "another issuer"),
        (lambda: unsigned(), "key", "let through"),
        (lambda: signed(SECRET + "!", headers={"kid": "next"}), "key", "rotated"),
        (lambda: signed(SECRET * 2, "HS512"), "key", "one for HS256|changed"),
        (lambda: signed(headers={"kid": "gone"}), "key", "retired"),
        (lambda: signed(headers={"kid": "theirs"}, iss="https://login.example.com"), "key", "another issuer"),
        (lambda: signed(PRIVATE, "ES256", headers={"kid": "theirs"}), "key", "another kind"),
        (lambda: signed(OTHER + "?"), "signature", "another secret"),
        (lambda: signed(OTHER + "?", iss="https://login.example.com"), "signature", "another issuer"),
        (lambda: signed(iss=ISSUER + "/"), "issuer", "slash"),
        (lambda: signed(iss="https://API.example.com"), "issuer", "capital"),
        (lambda: signed(iss="http://api.example.com"), "issuer", "http and https"),
        (lambda: signed(iss="https://other.example.com"), "issuer", "something else"),
        (lambda: signed(iss=...), "issuer", "something else"),
        (lambda: signed(aud=...), "audience", "another service"),
        (lambda: signed(aud=[AUDIENCE + "/"]), "audience", "slash"),
        (lambda: signed(aud="https://other.example.com"), "audience", "another service"),
        (lambda: signed(sub=...), "claims", "leaves it out"),
        (lambda: signed(exp=...), "claims", "for ever"),
        (lambda: signed(exp=int(time.time()) * 1000), "claims", "milliseconds"),
        (lambda: signed(scope=["a"]), "claims", "list"),
        (lambda: signed(exp=int(time.time()) - 60), "time", "clock is ahead"),
        (lambda: signed(exp=int(time.time()) - 6_000), "time", "longer than it is valid"),
        (lambda: signed(iat=int(time.time()) + 600), "clock", "behind"),
        (lambda: signed(nbf=int(time.time()) + 600), "clock", "behind"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_mistake_is_told_for_what_it_is(token, check, words):
    found = refused(token())  # made now: what was made when the tests were collected may be out of date by now
    assert found.check in check.split("|")
    told = f"{found.says} {found.cause} {found.mend}"
    assert any(word in told for word in words.split("|")), told
    assert found.says
    assert found.cause
    assert found.mend


def test_a_key_pair_is_told_from_a_secret():
    ring = KeyRing(Key(PRIVATE, kid="pair"))
    good = Tokens(ring, issuer=ISSUER, audience=AUDIENCE).issue("alice")
    found = refused(good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"), ring)
    assert (found.check, "changed" in found.cause) == ("signature", True)
    assert "secret" not in found.cause


def test_what_a_store_refuses_is_told():
    store = MemoryStore()
    tokens = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, store=store)
    token = tokens.issue("alice")
    tokens.revoke(token)
    assert refused(token, KeyRing(SECRET), store=store).check == "revocation"
    other = refused(tokens.issue("alice"), KeyRing(SECRET), store=MemoryStore())
    assert (other.reason, other.check) == ("store_reset", "revocation")


def test_every_reason_that_verifying_has_is_explained():
    import re
    from pathlib import Path

    import authkit.tokens

    source = "".join(
        (Path(authkit.tokens.__file__).parent / name).read_text()
        for name in ("verify.py", "claims.py", "revocation.py", "_tokens.py", "_keyed.py")
    )
    written = set(re.findall(r'"((?:token|store)_[a-z_]+)"', source))
    assert written - {"store_id"} <= set(REASONS)


def test_a_reason_that_is_not_known_is_told_all_the_same():
    found = why("another", signed(), Expected(issuer=ISSUER, audience=AUDIENCE, ring=RING, now=0))
    assert found.reason == "another"


@given(st.text(max_size=200), st.sampled_from([*REASONS, "another"]))
def test_any_text_is_explained_without_an_error_and_without_its_end(token, reason):
    found = why(reason, token, Expected(issuer=ISSUER, audience=AUDIENCE, ring=RING, now=time.time()))
    assert all(len(text) < 4 * LONGEST for text in (found.says, found.cause, found.mend))


def test_no_signature_and_nothing_at_length_is_in_what_is_told():
    token = signed(OTHER + "?", iss="x" * 5_000, aud="y" * 5_000)
    for reason in REASONS:
        found = why(reason, token, Expected(issuer=ISSUER, audience=AUDIENCE, ring=RING, now=time.time()))
        told = found.says + found.cause + found.mend
        assert token.rpartition(".")[2] not in told
        assert SECRET not in told
        assert len(told) < 1_000


def test_parts_are_read_and_the_signature_is_not_among_them():
    token = signed()
    parts = Parts(token)
    assert parts.header["alg"] == "HS256"
    assert parts.claims["sub"] == "alice"
    assert token.rpartition(".")[2] not in repr(parts._fields())
    assert Parts("nothing").claims is None
