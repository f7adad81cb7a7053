"""The framing and the signature: what is not exactly a token of ours is refused, each with its stable reason."""

from __future__ import annotations

import json
import socket
import threading
import time
import tracemalloc
from typing import Any

import pytest
from jwt.algorithms import get_default_algorithms

from authkit.errors import InvalidToken
from authkit.tokens import Key, Tokens

from .craft import ALL, SECRET, b64, header, key_for, payload, pem, private, sign, token, tokens


def refused(verifier: Tokens, text: Any) -> str:
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(text)
    return caught.value.reason


@pytest.mark.parametrize("alg", [*ALL, "RS384", "RS512", "PS384", "PS512", "ES512"])
def test_what_is_issued_is_verified(alg: str) -> None:
    key = Key(pem("RSA"), alg) if alg[:2] in ("RS", "PS") else key_for(alg)
    both = tokens(key)
    text = both.issue("alice", scopes=["a", "b"], roles=["r"], claims={"org": "acme"})
    principal = tokens(key).verify(text)
    assert (principal.subject, principal.claims["org"]) == ("alice", "acme")
    assert principal.scopes == {"a", "b"}
    assert principal.roles == {"r"}
    assert (principal.issuer, principal.method) == (both.issuer, "bearer")


NONE: list[Any] = [
    "none",
    "None",
    "NONE",
    "nOnE",
    "noNe",
    "none ",
    " none",
    "none\0",
    "",
    None,
    ...,
    ["none"],
    {"alg": "none"},
    0,
    False,
    "HS256none",
    "non\u0435",
]


@pytest.mark.parametrize("alg", NONE, ids=ascii)
@pytest.mark.parametrize("signed", ["empty", "copied", "own"])
def test_tok_01_alg_none_is_refused_in_every_spelling(alg: Any, signed: str) -> None:
    for kind in ("HS256", "ES256"):
        key = key_for(kind)
        head = header(key, alg=alg) if alg is not ... else {"typ": "at+jwt", "kid": key.kid}
        text = sign(key, head, payload())
        signature = {"empty": "", "copied": token(key).rpartition(".")[2], "own": text.rpartition(".")[2]}[signed]
        assert refused(tokens(key), f"{text.rpartition('.')[0]}.{signature}") == "token_key"


def test_tok_13_a_key_in_the_header_is_never_used() -> None:
    ours, theirs = Key(pem("P-256")), Key(pem("P-256-other"))
    public = json.loads(get_default_algorithms()["ES256"].to_jwk(private("P-256-other").public_key()))
    verifier = tokens(ours)
    for kid in (ours.kid, theirs.kid, ...):
        for member in (
            {"jwk": public},
            {"x5c": ["MIIB"]},
            {"jwk": {**public, "kid": ours.kid}},
            {"x5t": "a", "jwk": public, "x5c": []},
        ):
            head = {**header(theirs), **member, "kid": kid}
            text = sign(theirs, {name: value for name, value in head.items() if value is not ...}, payload())
            assert refused(verifier, text) in ("token_signature", "token_key")


def test_tok_14_nothing_is_fetched_for_a_token() -> None:
    """A listener counts who comes: nobody does."""
    connections = 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/keys"

        def count() -> None:
            nonlocal connections
            try:
                while True:
                    server.accept()[0].close()
                    connections += 1
            except OSError:
                pass

        listener = threading.Thread(target=count)
        listener.start()
        theirs, verifier = Key(pem("P-256-other")), tokens(Key(pem("P-256")))
        for where in (
            url,
            url.replace("http:", "https:"),
            "file:///etc/hostname",
            "data:application/json,{}",
            "//127.0.0.1",
            "",
        ):
            for member in ("jku", "x5u", "iss", "kid"):
                for kid in (Key(pem("P-256")).kid, where):
                    text = sign(theirs, {**header(theirs), "kid": kid, member: where}, payload(iss=where))
                    refused(verifier, text)
        time.sleep(0.05)
        server.shutdown(socket.SHUT_RDWR)
        listener.join(5)
    assert connections == 0


CRIT = [
    "[]",
    '["exp"]',
    '["b64"]',
    '["alg"]',
    '["nothing"]',
    '["crit"]',
    "null",
    '"exp"',
    "{}",
    "true",
    "1",
    "[1]",
    '["exp","exp"]',
    "[[]]",
]


@pytest.mark.parametrize("crit", CRIT)
def test_tok_15_crit_of_any_shape_is_refused(crit: str) -> None:
    key = key_for("HS256")
    for extra in ("", ',"exp":1', ',"b64":true', ',"b64":false'):
        head = f'{{"alg":"HS256","typ":"at+jwt","kid":"{key.kid}","crit":{crit}{extra}}}'
        assert refused(tokens(key), sign(key, head, payload())) == "token_critical"


@pytest.mark.parametrize("b64", [False, None, 0, "false", []])
def test_tok_15_a_token_that_others_would_read_as_unencoded_is_refused(b64: Any) -> None:
    assert refused(tokens(), token(key_for("HS256"), {"b64": b64})) == "token_critical"


def test_tok_15_crit_twice_is_refused() -> None:
    key = key_for("HS256")
    head = f'{{"alg":"HS256","typ":"at+jwt","kid":"{key.kid}","crit":["a"],"crit":["b"]}}'
    assert refused(tokens(key), sign(key, head, payload())) == "token_malformed"


def test_tok_17_only_the_compact_form_is_a_token() -> None:
    good = token(key_for("HS256"))
    head, body, signature = good.split(".")
    for text in (
        json.dumps({"protected": head, "payload": body, "signature": signature}),
        json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}]}),
        f'{{"{head}":"","protected":"{head}","payload":"{body}","signature":"{signature}"}}.{body}.{signature}',
        # CVE-2022-39227
        f'  {{"protected": "{head}.", "payload": "{b64("{}")}", "x":"{good}"}}',
        f"{head}.{{{body}}}.{signature}", f"{{{head}}}.{body}.{signature}", f"{head}.{body}.{{{signature}}}",
        f"{head}.{body}", f"{head}..{signature}", f".{body}.{signature}", f"{head}.{body}.", head, "", ".", "..", "...", "....",
        f"{good}.", f".{good}", f"{good}.{signature}", f"{head}.{body}..{signature}",
        f"{head}.{body}.{signature}.{body}.{signature}",
        f"{good} ", f" {good}", f"{good}\n", f"{good}\0", f"Bearer {good}", f"{good},{good}", f"{good};{good}", good * 2,
    ):  # fmt: skip
        assert refused(tokens(), text) in ("token_malformed", "token_signature")


@pytest.mark.parametrize(
    "text",
    [None, 1, 1.5, True, b"", [], {}, object(), ("a",), "\ud800", "a.\udfff.c", "é.é.é", "\U0001f600", "a.b.é", "\0.\0.\0"],
    ids=lambda text: "an object" if type(text) is object else ascii(text),
)
def test_whatever_is_given_only_invalid_token_is_raised(text: Any) -> None:
    assert refused(tokens(), text) == "token_malformed"


def test_bytes_are_no_token_even_if_they_spell_one() -> None:
    assert refused(tokens(), token(key_for("HS256")).encode()) == "token_malformed"


@pytest.mark.parametrize("size", [1, 16, 64])
def test_tok_19_an_oversized_token_is_refused_before_it_is_read_or_copied(size: int) -> None:
    verifier = tokens()
    good = token(key_for("HS256"))
    for text in ("A" * (size << 20), "A" * (size << 20) + good[good.index(".") :], "." * (size << 20)):
        tracemalloc.start()
        start = time.process_time()
        assert refused(verifier, text) == "token_too_large"
        spent = time.process_time() - start
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100_000
        assert spent < 0.5, "nothing is proportional to the token"


def test_tok_19_the_cap_is_16_kib() -> None:
    key = key_for("HS256")
    space = (16_384 - len(token(key, pad="")) - 200) * 3 // 4
    assert tokens(key).verify(token(key, pad="x" * space)).subject == "alice"
    assert refused(tokens(key), token(key, pad="x" * (space + 1000))) == "token_too_large"
    assert refused(tokens(key), "A" * 16_384) == "token_malformed"
    assert refused(tokens(key), "A" * 16_385) == "token_too_large"


@pytest.mark.parametrize("depth", [10, 16, 17, 100, 1_000, 3_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("[", "")])
def test_tok_21_deep_json_is_refused_in_header_and_payload(depth: int, opening: str, closing: str) -> None:
    key = key_for("HS256")
    deep = opening * depth + "1" + closing * depth
    for head, body in (
        (f'{{"alg":"HS256","typ":"at+jwt","kid":"{key.kid}","x":{deep}}}', payload()),
        (header(key), f'{json.dumps(payload())[:-1]},"x":{deep}}}'),
    ):
        text = sign(key, head, body)
        if depth == 10 and closing and opening != '[{"a":':
            assert tokens(key).verify(text).subject == "alice"
        else:
            assert refused(tokens(key), text) in ("token_malformed", "token_too_large")


def test_tok_23_duplicate_members_are_refused_in_header_and_payload() -> None:
    key = key_for("HS256")
    head, body = json.dumps(header(key)), json.dumps(payload())
    for more in (
        '"sub":"admin"',
        '"\\u0073ub":"admin"',
        '"cnf":{"jkt":"a","jkt":"b"}',
        '"cnf":[{"a":1,"\\u0061":1}]',
        '"exp":9999999999',
        '"iss":"a"',
    ):
        assert refused(tokens(key), sign(key, head, f"{body[:-1]},{more}}}")) == "token_malformed"
        assert refused(tokens(key), sign(key, head, f"{{{more},{body[1:]}")) == "token_malformed" or more.startswith('"cnf')
    for more in ('"alg":"HS256"', '"\\u0061lg":"none"', '"kid":"a"', '"x":{"a":1,"a":1}'):
        assert refused(tokens(key), sign(key, f"{head[:-1]},{more}}}", body)) == "token_malformed"


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"[]",
        b'"x"',
        b"1",
        b"",
        b"\xff",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"sub":"\\ud800"}',
        b'{"exp":NaN}',
        b'{"x":1e999}',
        b'{"x":' + b"9" * 4400 + b"}",
    ],
)
def test_signed_segments_that_are_no_strict_json_object_are_refused(raw: bytes) -> None:
    key = key_for("HS256")
    assert refused(tokens(key), sign(key, header(key), raw)) == "token_malformed"
    assert refused(tokens(key), sign(key, raw, payload())) == "token_malformed"


KINDS: list[Any] = [
    "at+jwt",
    "JWT",
    "refresh+jwt",
    "logout+jwt",
    "reset+jwt",
    "mfa+jwt",
    "dpop+jwt",
    "secevent+jwt",
    "AT+JWT",
    "application/at+jwt",
    "at+jwt ",
    "at",
    "",
    None,
    ...,
    ["at+jwt"],
    1,
    True,
    {},
]


@pytest.mark.parametrize("typ", KINDS, ids=ascii)
def test_clm_10_only_an_access_token_is_an_access_token(typ: Any) -> None:
    key = key_for("HS256")
    head = {name: value for name, value in header(key, typ=typ).items() if value is not ...}
    text = sign(key, head, payload())
    if typ == "at+jwt":
        assert tokens(key).verify(text).subject == "alice"
    else:
        assert refused(tokens(key), text) == "token_type"


def test_clm_10_each_purpose_verifies_its_own_tokens_only() -> None:
    """A verifier is made for one typ: only the diagonal passes."""
    from authkit.tokens.ring import KeyRing
    from authkit.tokens.verify import SignedBy

    key = key_for("HS256")
    kinds = ["at+jwt", "rt+jwt", "logout+jwt", "reset+jwt", "mfa+jwt", "JWT"]
    made = {kind: sign(key, header(key, typ=kind), payload()) for kind in kinds}
    for wanted in kinds:
        verifier = SignedBy(KeyRing(key), wanted)
        for kind, text in made.items():
            if kind == wanted:
                assert verifier.claims(text)[0]["sub"] == "alice"
            else:
                with pytest.raises(InvalidToken):
                    verifier.claims(text)


def test_a_header_is_remembered_only_after_a_signature_under_it_held() -> None:
    key = key_for("HS256")
    verifier = tokens(key)
    for n in range(200):
        refused(verifier, sign(Key("x" + SECRET, kid=key.kid), header(key, n=n), payload()))
    state: Any = verifier._state
    assert state.signed._headers == {}
    for n in range(200):
        verifier.verify(token(key, {"n": n}))
    assert 0 < len(state.signed._headers) <= 64
    assert refused(verifier, sign(Key("x" + SECRET, kid=key.kid), header(key, n=199), payload())) == "token_signature"


def test_errors_do_not_hold_the_token() -> None:
    key = key_for("HS256")
    text = sign(key, header(key), b"\xff")
    with pytest.raises(InvalidToken) as caught:
        tokens(key).verify(text)
    assert text not in repr(caught.value)
    assert caught.value.__context__ is None
