"""Tokens that were made to mislead: names of keys, forms, numbers, and what is put inside (JWK-12, OID-07, rfc8725bis)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError, InvalidToken, Principal, Request, Response, require_auth
from authkit.oidc import OIDCProvider, TokenProfile
from authkit.tokens import Key, base64url

from .issuer import AUDIENCE, Issuer, ec_key, ed_key, rsa_pem, signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from authkit.testing import Clock


def reason(provider: OIDCProvider, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        provider.verify(token)
    assert caught.value.__cause__ is None
    return caught.value.reason


def raw(key: Key, payload: bytes, header: bytes | None = None) -> str:
    """Really signed, whatever it is that is signed."""
    head = header if header is not None else json.dumps({"typ": "at+jwt", "alg": key.alg, "kid": key.kid}).encode()
    data = b".".join((base64url.encode(head), base64url.encode(payload)))
    return f"{data.decode()}.{base64url.encode(key.sign(data)).decode()}"


KIDS: list[Any] = [
    "../../../etc/passwd", "/dev/zero", "one\0", "one\r\nX-Injected: 1", "one' OR '1'='1", "one;id", "`id`", "$(id)",
    "${jndi:ldap://x}", "http://127.0.0.1:1/keys", "file:///etc/passwd", "ONE", " one", "one ", "\u006fne\u0000",
    "\u0660", "__class__", "keys", "\ud800", "", "x" * 250, "x" * 11_000, None, 1, 1.5, True, ["one"], {"kid": "one"}, [[]],
]  # fmt: skip


class TestTheNameOfAKey:
    @pytest.mark.parametrize("kid", KIDS, ids=lambda kid: ascii(kid)[:20])
    def test_is_looked_up_and_nothing_else(self, op: Issuer, provider: OIDCProvider, clock: Clock, kid: Any) -> None:
        """Never a path, a query or an address: whoever signs with a key of ours under another name is refused."""
        provider.verify(op.token())
        asked = sum(op.counts.values())
        assert reason(provider, op.token({"typ": "at+jwt", "alg": "ES256", "kid": kid})) in ("token_key", "token_malformed")
        assert sum(op.counts.values()) == asked  # a set that is so new is not asked for again
        assert provider.verify(op.token(jti="after")).subject == "alice"

    def test_of_two_keys_with_one_either_may_have_signed(self, op: Issuer, provider: OIDCProvider) -> None:
        one, two, other = ec_key("same"), ec_key("same"), ed_key("same")
        op.keys = [key.public_jwk() for key in (one, two, other)]
        for key in (two, one, other, two):
            assert provider.verify(op.token(key=key, jti=key.alg)).subject == "alice"
        assert reason(provider, op.token(key=ec_key("same"))) == "token_signature"

    @pytest.mark.parametrize("kid", [None, 7, "", ["x"], "x" * 300])
    def test_that_is_none_in_the_set_keeps_no_other_key_from_working(
        self, op: Issuer, provider: OIDCProvider, kid: Any
    ) -> None:
        op.keys.append({**(ec_key().public_jwk() or {}), "kid": kid})
        assert provider.verify(op.token()).subject == "alice"

    def test_that_is_gone_is_gone_although_another_is_there_twice(
        self, op: Issuer, provider: OIDCProvider, clock: Clock
    ) -> None:
        """Two keys, then one of them two times: as many members as before, and all of them known."""
        stays, goes = ec_key("stays"), ec_key("goes")
        op.keys = [stays.public_jwk(), goes.public_jwk()]
        token = op.token(key=goes)
        provider.verify(token)
        op.keys = [stays.public_jwk(), stays.public_jwk()]
        provider.keys.refresh()  # type: ignore[union-attr]
        assert provider.recall(token) is None
        clock.advance(40)
        assert reason(provider, token) == "token_key"
        assert provider.verify(op.token(key=stays)).subject == "alice"


class TestForm:
    def test_what_is_encrypted_is_none_of_ours(self, op: Issuer, provider: OIDCProvider) -> None:
        """JWE, RFC 7516: five parts; with the algorithm of one in three parts it is a signature by no key."""
        assert reason(provider, ".".join(["e30"] * 5)) == "token_malformed"
        for alg in ("RSA-OAEP", "dir", "ECDH-ES", "A256GCMKW", "PBES2-HS256+A128KW"):
            header = {"typ": "at+jwt", "alg": alg, "enc": "A256GCM", "zip": "DEF", "p2c": 2**31, "kid": "one"}
            assert reason(provider, op.token(header)) == "token_key"

    def test_a_token_in_a_token_is_no_token(self, op: Issuer, provider: OIDCProvider) -> None:
        inner = op.token()
        for header in (None, {"typ": "at+jwt", "cty": "JWT", "alg": "ES256", "kid": "one"}):
            head = None if header is None else json.dumps(header).encode()
            for payload in (inner, json.dumps(inner), json.dumps([inner])):
                assert reason(provider, raw(op.key, payload.encode(), head)) == "token_malformed"

    @pytest.mark.parametrize(
        "payload",
        [b"", b"null", b"[]", b"7", b'"x"', b"{", b'{"iss":1}{"iss":2}', b'\xef\xbb\xbf{"sub":"x"}',
         '{"sub":"x"}'.encode("utf-16"), b'{"sub":"\xff"}', b"{'sub':'x'}",
         b'{"exp":' + b"9" * 5000 + b"}", b'{"a":' * 1500 + b"1" + b"}" * 1500],
    )  # fmt: skip
    def test_what_is_signed_is_one_object_with_one_reading(self, op: Issuer, provider: OIDCProvider, payload: bytes) -> None:
        assert reason(provider, raw(op.key, payload)) == "token_malformed"

    @pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "scope"])
    def test_no_claim_is_there_twice(self, op: Issuer, provider: OIDCProvider, name: str) -> None:
        """Two readers of one token would see two people."""
        claims = json.dumps(op.claims(scope="read"))
        doubled = claims[:-1] + f", {json.dumps(name)}: {json.dumps(op.claims(scope='read')[name])}}}"
        assert reason(provider, raw(op.key, doubled.encode())) == "token_malformed"

    def test_nor_is_a_member_of_the_header(self, op: Issuer, provider: OIDCProvider) -> None:
        provider.verify(op.token())
        for header in (
            b'{"typ":"at+jwt","alg":"ES256","kid":"one","kid":"two"}',
            b'{"alg":"none","typ":"at+jwt","alg":"ES256"}',
        ):
            assert reason(provider, raw(op.key, json.dumps(op.claims()).encode(), header)) == "token_malformed"

    @pytest.mark.parametrize("b64", [False, None, 0, "true", []])
    def test_what_was_signed_has_one_encoding(self, op: Issuer, provider: OIDCProvider, b64: Any) -> None:
        """RFC 7797: with b64 false others verify something else than we do."""
        for more in ({}, {"crit": ["b64"]}):
            header = {"typ": "at+jwt", "alg": "ES256", "kid": "one", "b64": b64, **more}
            assert reason(provider, op.token(header)) == "token_critical"

    @pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
    def test_a_key_that_it_brings_along_verifies_nothing(self, op: Issuer, provider: OIDCProvider, member: str) -> None:
        theirs = ec_key("theirs")
        value: dict[str, Any] = {"jwk": theirs.public_jwk(), "jku": op.base + "/jku", "x5u": op.base + "/x5u", "x5c": ["MIIB"]}
        header = {"typ": "at+jwt", "alg": "ES256", "kid": "theirs", member: value.get(member, "x")}
        assert reason(provider, op.token(header, key=theirs)) == "token_key"
        assert not [path for path in op.counts if path in ("/jku", "/x5u")]

    @pytest.mark.parametrize(
        "typ", ["at+jwt ", "at+JWT;x", "application/application/at+jwt", "at", "text/at+jwt", ["at+jwt"], 0]
    )
    def test_another_type_is_another_kind(self, op: Issuer, provider: OIDCProvider, typ: Any) -> None:
        assert reason(provider, op.token({"typ": typ, "alg": "ES256", "kid": "one"})) == "token_type"


class TestAlgorithms:
    NAMES = [
        "none", "None", "NONE", "", "HS256", "HS384", "HS512", "es256", "ES256 ", "ES256K", "ES384", "ESP256", "RS256", "PS256",
        "EdDSA", "Ed25519", "Ed448", "RSA1_5", "ML-DSA-65", 256, None, ["ES256"], True,
    ]  # fmt: skip

    @pytest.mark.parametrize("alg", NAMES)
    def test_is_what_the_key_says_and_never_what_the_token_says(self, op: Issuer, provider: OIDCProvider, alg: Any) -> None:
        token = op.token({"typ": "at+jwt", "alg": alg, "kid": "one"})
        for one in (token, token[: token.rindex(".") + 1]):
            assert reason(provider, one) == "token_key"

    def test_fully_specified_names_are_those_of_rfc_9864(self, op: Issuer, provider: OIDCProvider) -> None:
        """Ed25519 is the one that EdDSA meant; Ed448 is no other name of it."""
        key = ed_key("ed")
        op.keys = [{**(key.public_jwk() or {}), "alg": "Ed25519"}]
        for alg in ("EdDSA", "Ed25519"):
            assert provider.verify(op.token({"typ": "at+jwt", "alg": alg, "kid": "ed"}, key=key, jti=alg)).subject == "alice"
        assert reason(provider, op.token({"typ": "at+jwt", "alg": "Ed448", "kid": "ed"}, key=key)) == "token_key"

    def test_each_key_of_a_mixed_set_is_for_its_own(self, op: Issuer, provider: OIDCProvider) -> None:
        keys = {"ES256": ec_key("ec"), "EdDSA": ed_key("ed"), "RS256": Key(rsa_pem(), kid="rsa")}
        others = [
            {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
            {"kty": "RSA", "use": "enc", "kid": "enc"},
            {"kty": "AKP"},
            None,
            7,
        ]
        op.keys = [*(key.public_jwk() for key in keys.values()), *others]
        for alg, key in keys.items():
            assert provider.verify(op.token(key=key, jti=alg)).subject == "alice"
            for other in set(keys) - {alg}:
                header = {"typ": "at+jwt", "alg": other, "kid": key.kid}
                assert reason(provider, op.token(header, key=key)) == "token_key"


class TestNumbers:
    @pytest.mark.parametrize(
        "exp",
        [10**400, -(10**400), 1e308, -1e308, 10**18, 2**63, 253_402_300_800, "9999999999", [9999999999], {"$long": "1"}, False],
    )  # fmt: skip
    def test_that_are_no_time_are_refused(self, op: Issuer, provider: OIDCProvider, exp: Any) -> None:
        for name in ("exp", "iat", "nbf"):
            assert reason(provider, op.token(**{name: exp})) in ("token_claims", "token_malformed")

    @pytest.mark.parametrize(
        "text", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x7f", b"01", b"+1", b"1_000", b"\xd9\xa1"]
    )
    def test_that_are_no_json_are_refused(self, op: Issuer, provider: OIDCProvider, text: bytes) -> None:
        claims = json.dumps(op.claims(exp="HERE")).encode().replace(b'"HERE"', text)
        assert reason(provider, raw(op.key, claims)) in ("token_malformed", "token_claims")


class TestWhose:
    @pytest.mark.parametrize("sub", ["\ud800", "\udc00x"])
    def test_half_a_character_is_nobody(self, op: Issuer, provider: OIDCProvider, sub: str) -> None:
        assert reason(provider, op.token(sub=sub)) in ("token_malformed", "token_claims")

    def test_what_a_handler_is_given_cannot_be_changed_for_the_next(self, op: Issuer, provider: OIDCProvider) -> None:
        token = op.token(groups=["users"], realm={"roles": ["reader"]})
        claims: Any = provider.verify(token).claims
        for change in (
            lambda: claims["groups"].append("admins"), lambda: claims.update(sub="mallory"), lambda: claims["realm"].clear(),
            lambda: claims["realm"]["roles"].__setitem__(0, "admin"), lambda: claims.__setitem__("sub", "mallory"),
        ):  # fmt: skip
            with pytest.raises(TypeError):
                change()
        assert provider.verify(token).claims["groups"] == ["users"]


class TestASubclassThatChecksMore:
    def made(self, op: Issuer, clock: Clock, base: type[OIDCProvider] = OIDCProvider, **methods: Any) -> OIDCProvider:
        kind = type("Members", (base,), methods)
        found: OIDCProvider = kind(op.url, audience=AUDIENCE, clock=clock, monotonic=clock)
        return found

    def test_is_not_passed_by_where_a_proof_is_checked(self, op: Issuer, clock: Clock) -> None:
        def verify(self: OIDCProvider, token: str) -> Principal:
            raise InvalidToken("not_a_member")

        async def averify(self: OIDCProvider, token: str) -> Principal:
            raise InvalidToken("not_a_member")

        for methods in ({"verify": verify}, {"averify": averify, "verify": verify}, {"verifying": averify}):
            provider = self.made(op, clock, **methods)
            with pytest.raises(ConfigurationError, match="Members checks more"):
                asyncio.run(_bound(provider, op.token(cnf={"jkt": "x"})))
        assert asyncio.run(_bound(self.made(op, clock), op.token(cnf={"jkt": "x"}))).subject == "alice"

    def test_a_constructor_of_its_own_is_no_check(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
        class Named(OIDCProvider):
            def __init__(self, tenant: str, **settings: Any) -> None:
                super().__init__(tenant, audience=AUDIENCE, profile=TokenProfile(tenant="tid"), **settings)

        provider = Named(op.url)
        token = signed(op.key, {**op.claims(tid="t1"), "exp": 4_000_000_000, "iat": 1})
        handler = require_auth(provider)(_handler)
        assert handler(Request.build("GET", "/", {"authorization": f"Bearer {token}"})).status == 200
        assert provider.identity(provider.verify(token)).tenant == "t1"
        assert asyncio.run(_bound(provider, token)).subject == "alice"


async def _bound(provider: OIDCProvider, token: str) -> Principal:
    from authkit._run import arun

    return await arun(provider.verifying_bound(token))


def _handler(request: Request) -> Response:
    return Response(200)
