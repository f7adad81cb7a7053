"""An Application Load Balancer's `x-amzn-oidc-data`, as AWS describes it, and as one of its own has been seen: padded."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import AlbOidc
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authkit import ConfigurationError, Deny, Principal, Request, Tokens, Unavailable, chain, require_auth
from authkit.oidc import KeysById, OIDCProvider, TokenInHeader, named
from authkit.tokens import Key, base64url

from ..oidc.issuer import ec_key, pem, rsa_pem
from .signer import Signer
from .world import Told, until

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

ARN = "arn:aws:elasticloadbalancing:eu-west-1:373508513302:loadbalancer/app/AwsJwt-ALBAE-qBwD8O2QTdcd/a4df45643ccf98ac"
OTHERS = ARN.replace("373508513302", "999999999999")
ISSUER, CLIENT = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_b9VeQUg6y", "3a33a02r5hn3onhtu1mr0dit20"
KID, KEYS = "abb8289f-e3a4-4a34-9472-c2105e2b2482", "https://public-keys.auth.elb.eu-west-1.amazonaws.com"
ALICE = "4b5bef9c-f2b5-40ff-a412-412cba9d0702"
private = ec.generate_private_key(ec.SECP256R1())
key = Key(pem(private))
# What a load balancer really sent, published by those who maintain AWS's own library; it expired on 23 December 2024.
SEEN = (
    "eyJ0eXAiOiJKV1QiLCJraWQiOiJhYmI4Mjg5Zi1lM2E0LTRhMzQtOTQ3Mi1jMjEwNWUyYjI0ODIiLCJhbGciOiJFUzI1NiIsImlzcyI6Imh0dHBzOi8vY29nb"
    "ml0by1pZHAuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20vZXUtd2VzdC0xX2I5VmVRVWc2eSIsImNsaWVudCI6IjNhMzNhMDJyNWhuM29uaHR1MW1yMGRpdDIwIi"
    "wic2lnbmVyIjoiYXJuOmF3czplbGFzdGljbG9hZGJhbGFuY2luZzpldS13ZXN0LTE6MzczNTA4NTEzMzAyOmxvYWRiYWxhbmNlci9hcHAvQXdzSnd0LUFMQkF"
    "FLXFCd0Q4TzJRVGRjZC9hNGRmNDU2NDNjY2Y5OGFjIiwiZXhwIjoxNzM0OTYxNjQ0fQ==.eyJzdWIiOiI0YjViZWY5Yy1mMmI1LTQwZmYtYTQxMi00MTJjYmE"
    "5ZDA3MDIiLCJlbWFpbF92ZXJpZmllZCI6InRydWUiLCJuYW1lIjoiSm9obiBEb2UgKy89LV8iLCJlbWFpbCI6ImpvaG5kb2VAZXhhbXBsZS5jb20iLCJ1c2Vy"
    "bmFtZSI6IjRiNWJlZjljLWYyYjUtNDBmZi1hNDEyLTQxMmNiYTlkMDcwMiIsImV4cCI6MTczNDk2MTY0NCwiaXNzIjoiaHR0cHM6Ly9jb2duaXRvLWlkcC5l"
    "dS13ZXN0LTEuYW1hem9uYXdzLmNvbS9ldS13ZXN0LTFfYjlWZVFVZzZ5In0=.KrfibN6u7zOXUibDelkutd82MzoSvtCj38woXes0Fdo3o0ulcaBb2XAGouTxqjqWDhW8N-lSp0qpsSJfDCQgpQ=="
)  # fmt: skip


def public_pem(of: ec.EllipticCurvePrivateKey) -> bytes:
    return of.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def padded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw)


class Balancer:
    """One that signs as AWS does, over the padding."""

    def __init__(self, web: World, clock: Clock) -> None:
        self.web, self.clock = web, clock
        web.says(f"{KEYS}/{KID}", Told(body=public_pem(private), headers={"Content-Type": "text/plain"}))

    def sends(self, header: dict[str, Any] | None = None, signed_by: Key = key, encode: Any = padded, **changes: Any) -> str:
        exp = int(self.clock()) + 120
        said = {"typ": "JWT", "kid": KID, "alg": "ES256", "iss": ISSUER, "client": CLIENT, "signer": ARN, "exp": exp}
        claims = {"sub": ALICE, "email_verified": "true", "name": "John Doe +/=-_", "email": "johndoe@example.com",
                  "username": ALICE, "exp": exp, "iss": ISSUER}  # fmt: skip
        parts = [
            {name: value for name, value in members.items() if value is not ...}
            for members in ({**said, **(header or {})}, {**claims, **changes})
        ]
        data = b".".join(encode(json.dumps(part).encode()) for part in parts)
        return f"{data.decode()}.{encode(signed_by.sign(data)).decode()}"


@pytest.fixture
def balancer(web: World, clock: Clock) -> Balancer:
    return Balancer(web, clock)


def alb_of(balancer: Balancer, load_balancer: Any = ARN, **settings: Any) -> AlbOidc:
    given = {"transport": balancer.web.transport, "clock": balancer.clock, "monotonic": balancer.clock, "timeout": 30}
    return AlbOidc(load_balancer, **{"client_id": CLIENT, "issuer": ISSUER, **given, **settings})


@pytest.fixture
def alb(balancer: Balancer) -> AlbOidc:
    return alb_of(balancer)


def decided(alb: Any, *values: str) -> Any:
    request = Request.build(headers=[("x-amzn-oidc-data", value) for value in values])
    decision = chain(require_auth(alb)).decide(request)
    return decision if isinstance(decision, Deny) else decision.principal


def reason(alb: AlbOidc, *values: str) -> str:
    found = decided(alb, *values)
    assert isinstance(found, Deny)
    return found.reason


class TestWhomItLoggedIn:
    def test_is_known(self, balancer: Balancer, alb: AlbOidc) -> None:
        who = decided(alb, balancer.sends())
        assert isinstance(who, Principal)
        assert (who.subject, who.issuer, who.method, who.claims["username"]) == (ALICE, ISSUER, "alb", ALICE)
        identity = alb.identity(who)
        assert (identity.email, identity.name, identity.key) == ("johndoe@example.com", "John Doe +/=-_", (ISSUER, ALICE))
        assert balancer.web.asked == [f"{KEYS}/{KID}"]

    async def test_is_known_on_an_event_loop_too(self, balancer: Balancer, alb: AlbOidc) -> None:
        request = Request.build(headers={"X-Amzn-Oidc-Data": balancer.sends()})
        decision = await chain(require_auth(alb)).adecide(request)
        assert decision.principal.subject == ALICE  # type: ignore[union-attr]

    def test_without_the_header_is_nobody(self, alb: AlbOidc) -> None:
        found = decided(alb)
        assert (found.status, found.reason) == (401, "no_credential")

    def test_is_told_by_the_header_that_aws_really_sends(self, balancer: Balancer, clock: Clock, alb: AlbOidc) -> None:
        """All but its signature, whose key is not at hand, and its time."""
        assert reason(alb, SEEN) == "token_expired"
        clock.advance(1734961600 - clock())
        assert reason(alb, SEEN) == "token_signature"
        assert balancer.web.asked == [f"{KEYS}/{KID}"]

    @pytest.mark.parametrize("mark", [..., False, "false", 1, "yes"])
    def test_has_no_address_that_is_not_marked_verified(self, balancer: Balancer, alb: AlbOidc, mark: Any) -> None:
        identity = alb.identity(decided(alb, balancer.sends(email_verified=mark)))
        assert (identity.email, identity.unverified_email) == (None, "johndoe@example.com")

    def test_has_the_roles_and_groups_of_claims_that_are_named(self, balancer: Balancer) -> None:
        alb = alb_of(balancer, roles=["cognito:groups"], groups=["groups"])
        who = decided(alb, balancer.sends(**{"cognito:groups": ["admin"], "groups": ["staff"]}))
        assert (who.roles, alb.identity(who).groups) == ({"admin"}, {"staff"})
        assert decided(alb, balancer.sends(**{"cognito:groups": "admin", "roles": ["root"]})).roles == frozenset()

    def test_is_judged_beside_bearer_tokens_and_never_together(self, balancer: Balancer, alb: AlbOidc) -> None:
        tokens = Tokens("k" * 48, issuer="https://api.example.com", audience="https://api.example.com")
        guard = chain(require_auth(tokens, alb))
        bearer, alb_only = {"authorization": f"Bearer {tokens.issue('bob')}"}, {"x-amzn-oidc-data": balancer.sends()}
        assert guard.decide(Request.build(headers=bearer)).principal.subject == "bob"  # type: ignore[union-attr]
        assert guard.decide(Request.build(headers=alb_only)).principal.subject == ALICE  # type: ignore[union-attr]
        both = guard.decide(Request.build(headers={**bearer, **alb_only}))
        assert (both.status, both.reason) == (400, "two_credentials")  # type: ignore[union-attr]


class TestAForgedHeader:
    def test_sent_twice_is_refused(self, balancer: Balancer, alb: AlbOidc) -> None:
        good = balancer.sends()
        for values in ((good, good), (good, "x"), ("x", good), (f"{good}, {good}",)):
            found = decided(alb, *values)
            assert (found.status, found.reason) == (400, "two_credentials")

    @pytest.mark.parametrize(
        ("header", "why"),
        [
            ({"signer": OTHERS}, "token_signer"),
            ({"signer": ARN + "0"}, "token_signer"),
            ({"signer": ARN.upper()}, "token_signer"),
            ({"signer": ...}, "token_signer"),
            ({"signer": [ARN]}, "token_signer"),
            ({"iss": "https://mallory.example"}, "token_issuer"),
            ({"iss": ...}, "token_issuer"),
            ({"client": "mallory"}, "token_audience"),
            ({"client": ...}, "token_audience"),
            ({"client": [CLIENT]}, "token_audience"),
            ({"exp": 1}, "token_expired"),
            ({"exp": ...}, "token_claims"),
            ({"exp": "9999999999"}, "token_claims"),
            ({"exp": True}, "token_claims"),
            ({"exp": 10**15}, "token_claims"),
            ({"alg": "none"}, "token_type"),
            ({"alg": "HS256"}, "token_type"),
            ({"alg": ["ES256"]}, "token_type"),
            ({"typ": "at+jwt"}, "token_type"),
            ({"crit": ["exp"]}, "token_critical"),
            ({"b64": False}, "token_critical"),
            ({"kid": ...}, "token_key"),
            ({"kid": f"../{KID}"}, "token_key"),
            ({"kid": f"x/../{KID}"}, "token_key"),
            ({"kid": f"{KID}?x"}, "token_key"),
            ({"kid": f"{KID}#"}, "token_key"),
            ({"kid": f"@evil.example/{KID}"}, "token_key"),
            ({"kid": KID.upper()}, "token_key"),
            ({"kid": KID + "\n"}, "token_key"),
            ({"kid": [KID]}, "token_key"),
            ({"kid": ""}, "token_key"),
        ],
    )
    def test_is_refused_before_anybody_is_asked(
        self, balancer: Balancer, alb: AlbOidc, header: dict[str, Any], why: str
    ) -> None:
        assert reason(alb, balancer.sends(header)) == why
        assert balancer.web.asked == []

    def test_signed_by_another_load_balancer_is_refused(self, balancer: Balancer, alb: AlbOidc) -> None:
        """Its key is as good as ours, and published at the same address: what it signs says so."""
        other = ec.generate_private_key(ec.SECP256R1())
        kid = "11111111-2222-3333-4444-555555555555"
        balancer.web.says(f"{KEYS}/{kid}", Told(body=public_pem(other)))
        theirs = Key(pem(other))
        assert reason(alb, balancer.sends({"signer": OTHERS, "kid": kid}, theirs)) == "token_signer"
        assert reason(alb, balancer.sends({"kid": KID}, theirs)) == "token_signature"

    def test_signed_by_nobody_or_changed_since_is_refused(self, balancer: Balancer, alb: AlbOidc) -> None:
        good = balancer.sends()
        header, payload, signature = good.split(".")
        other = balancer.sends(sub="mallory").split(".")[1]
        assert reason(alb, f"{header}.{other}.{signature}") == "token_signature"
        assert reason(alb, f"{header}.{payload}.") == "token_signature"
        assert reason(alb, balancer.sends(signed_by=ec_key("x"))) == "token_signature"

    @pytest.mark.parametrize("changes", [{"sub": ...}, {"sub": ""}, {"sub": 7}, {"exp": 1}, {"iss": "https://mallory.example"}])
    def test_whose_claims_are_of_nobody_is_refused(self, balancer: Balancer, alb: AlbOidc, changes: dict[str, Any]) -> None:
        assert reason(alb, balancer.sends(**changes)) in ("token_claims", "token_expired", "token_issuer")

    def test_is_not_believed_for_its_other_headers(self, balancer: Balancer, alb: AlbOidc) -> None:
        headers = {"x-amzn-oidc-identity": "root", "x-amzn-oidc-accesstoken": "x", "x-amzn-oidc-data": balancer.sends()}
        decision = chain(require_auth(alb)).decide(Request.build(headers=headers))
        assert decision.principal.subject == ALICE  # type: ignore[union-attr]
        del headers["x-amzn-oidc-data"]
        assert isinstance(chain(require_auth(alb)).decide(Request.build(headers=headers)), Deny)


class TestItsForm:
    def test_without_padding_is_what_the_standard_wants_and_good_too(self, balancer: Balancer, alb: AlbOidc) -> None:
        assert decided(alb, balancer.sends(encode=base64url.encode)).subject == ALICE

    def test_padding_that_was_taken_off_or_added_later_is_not_what_was_signed(self, balancer: Balancer, alb: AlbOidc) -> None:
        for pad in ("", "x", "xx"):  # so that one of the payloads has padding
            good = balancer.sends(pad=pad)
            header, payload, signature = good.split(".")
            if payload.endswith("="):
                assert reason(alb, f"{header}.{payload.rstrip('=')}.{signature}") == "token_signature"
                break
        else:
            raise AssertionError("none of the payloads has padding")
        assert reason(alb, f"{header}.{payload}=.{signature}") == "token_malformed"
        assert reason(alb, f"{header}.{payload[:-1]}.{signature}") in ("token_malformed", "token_signature")

    @pytest.mark.parametrize(
        "value",
        ["", " ", ".", "..", "...", "a.b", "=.=.=", "e30=.e30=.", "e30.e30.e30.e30", "é.e30.x", "e30 .e30.x", "x" * 20_000],
    )
    def test_nonsense_is_refused_and_raises_nothing(self, alb: AlbOidc, value: str) -> None:
        assert reason(alb, value) in ("token_malformed", "token_signer")

    @pytest.mark.parametrize("header", ["[]", '{"a":1,"a":2}', '{"signer":NaN}', "null", "\xff"])
    def test_a_header_of_two_readings_is_refused(self, alb: AlbOidc, header: str) -> None:
        assert reason(alb, f"{padded(header.encode('latin-1')).decode()}.e30=.x") == "token_malformed"


class TestItsKeys:
    def test_are_fetched_once_however_many_ask(self, balancer: Balancer, alb: AlbOidc) -> None:
        balancer.web.delay = 0.2
        token, found = balancer.sends(), []
        threads = [threading.Thread(target=lambda: found.append(decided(alb, token).subject)) for _ in range(8)]
        for thread in threads:
            thread.start()
        until(lambda: len(found) == 8)
        for thread in threads:
            thread.join()
        assert balancer.web.asked == [f"{KEYS}/{KID}"]

    def test_that_do_not_exist_are_not_asked_for_again_for_a_while(self, balancer: Balancer, clock: Clock) -> None:
        alb, kid = alb_of(balancer), "11111111-2222-3333-4444-555555555555"
        for _ in range(20):
            assert reason(alb, balancer.sends({"kid": kid})) == "token_key"
        assert len(balancer.web.asked) == 1
        clock.advance(31)
        balancer.web.says(f"{KEYS}/{kid}", Told(body=public_pem(private)))
        assert decided(alb, balancer.sends({"kid": kid})).subject == ALICE

    def test_of_names_that_nobody_has_are_asked_for_a_few_times_a_second(self, balancer: Balancer, alb: AlbOidc) -> None:
        decided(alb, balancer.sends())
        found = [decided(alb, balancer.sends({"kid": f"{n:08x}-0000-0000-0000-000000000000"})) for n in range(50)]
        assert {one.status for one in found} == {401, 503}
        assert len(balancer.web.asked) <= 6
        assert decided(alb, balancer.sends()).subject == ALICE  # whom a key is known of waits for nobody

    @pytest.mark.parametrize(
        "told",
        [Told(500), Told(429), Told(302, headers={"Location": "https://evil.example/"}), Told(body=b"<html>"), Told(body=b"")],
    )
    def test_that_cannot_be_had_are_unavailable(self, balancer: Balancer, alb: AlbOidc, told: Told) -> None:
        balancer.web.says(f"{KEYS}/{KID}", told)
        found = decided(alb, balancer.sends())
        assert (found.status, found.code) == (503, "unavailable") or found.status == 503
        assert balancer.web.asked == [f"{KEYS}/{KID}"]

    @pytest.mark.parametrize("body", [b"a shared secret of more than 32 bytes, which is no PEM", rsa_pem().encode()])
    def test_that_are_of_another_kind_are_none(self, balancer: Balancer, alb: AlbOidc, body: bytes) -> None:
        balancer.web.says(f"{KEYS}/{KID}", Told(body=body))
        assert decided(alb, balancer.sends()).status == 503

    def test_stay_in_use_while_their_server_is_down(self, balancer: Balancer, clock: Clock, alb: AlbOidc) -> None:
        decided(alb, balancer.sends())
        balancer.web.says(f"{KEYS}/{KID}", Told(500))
        clock.advance(86_401)
        assert decided(alb, balancer.sends()).subject == ALICE
        clock.advance(6 * 86_400)
        assert decided(alb, balancer.sends()).status == 503
        assert len(balancer.web.asked) == 3

    def test_that_are_taken_down_stop_working(self, balancer: Balancer, clock: Clock, alb: AlbOidc) -> None:
        decided(alb, balancer.sends())
        balancer.web.says(f"{KEYS}/{KID}", Told(403, b"<Error><Code>AccessDenied</Code></Error>"))
        clock.advance(86_401)
        assert reason(alb, balancer.sends()) == "token_key"

    def test_are_bounded(self, balancer: Balancer, clock: Clock) -> None:
        keys = KeysById(KEYS, size=2, transport=balancer.web.transport, clock=clock, monotonic=clock, timeout=30)
        for number in range(5):
            kid = f"{number:08x}-0000-0000-0000-000000000000"
            balancer.web.says(f"{KEYS}/{kid}", Told(body=public_pem(private)))
            clock.advance(1)
            assert asyncio.run(_found(keys, kid)) is not None
        assert len(keys._known) == 2

    def test_of_govcloud_are_elsewhere(self, balancer: Balancer) -> None:
        arn = ARN.replace("arn:aws:", "arn:aws-us-gov:").replace("eu-west-1", "us-gov-east-1")
        url = f"https://s3-us-gov-east-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-east-1/{KID}"
        balancer.web.says(url, Told(body=public_pem(private)))
        assert decided(alb_of(balancer, [ARN, arn]), balancer.sends({"signer": arn})).subject == ALICE
        assert balancer.web.asked == [url]


async def _found(keys: KeysById, kid: str) -> Key | None:
    from authkit._run import arun

    return await arun(keys.find(kid))


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("load_balancer", []), ("load_balancer", ""), ("load_balancer", "*"), ("load_balancer", ARN + "/*"),
        ("load_balancer", ARN.replace("/app/", "/net/")), ("load_balancer", [ARN, "my-alb"]),
        ("load_balancer", ARN.replace("eu-west-1", "evil.example/")), ("client_id", ""), ("client_id", []),
        ("issuer", "cognito"), ("issuer", "http://idp.example"), ("issuer", None), ("leeway", -1), ("leeway", True),
        ("leeway", 301), ("keys_url", "http://keys.example"), ("roles", [""]), ("groups", [7]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_once(setting: str, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"AlbOidc: {setting}"):
        AlbOidc(**{"load_balancer": ARN, "client_id": CLIENT, "issuer": ISSUER, setting: wrong})


def test_a_partition_whose_keys_are_nowhere_documented_wants_their_address() -> None:
    arn = ARN.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1")
    with pytest.raises(ConfigurationError, match="AlbOidc: keys_url"):
        AlbOidc(arn, client_id=CLIENT, issuer=ISSUER)
    assert AlbOidc(arn, client_id=CLIENT, issuer=ISSUER, keys_url="https://keys.example").header == "x-amzn-oidc-data"


def test_settings_name_the_load_balancer() -> None:
    settings = {"AUTHKIT_ALB_ARN": ARN, "AUTHKIT_ALB_CLIENT_ID": CLIENT, "AUTHKIT_ALB_ISSUER": ISSUER}
    assert AlbOidc.from_settings(settings.get).sent_in == ("x-amzn-oidc-data",)
    for name in settings:
        with pytest.raises(ConfigurationError, match=name):
            AlbOidc.from_settings({**settings, name: ""}.get)
    assert isinstance(named("alb_oidc", load_balancer=ARN, client_id=CLIENT, issuer=ISSUER), AlbOidc)


class TestATokenInAnyHeader:
    """As Cloudflare Access or Google's Identity-Aware Proxy send it: an ordinary token, in a header of its own."""

    def test_is_judged_by_any_verifier(self, clock: Clock) -> None:
        signer = Signer("https://team.cloudflareaccess.com", clock)
        provider = OIDCProvider(signer.issuer, audience="4714c1358e65fe4b", token_type="JWT", **signer.known)
        guard = chain(require_auth(TokenInHeader(provider, "Cf-Access-Jwt-Assertion")))
        good = signer.token({"sub": "alice", "aud": ["4714c1358e65fe4b"]})
        decision = guard.decide(Request.build(headers={"cf-access-jwt-assertion": good}))
        assert decision.principal.subject == "alice"  # type: ignore[union-attr]
        for bad in (signer.token({"sub": "alice", "aud": ["another"]}), "x"):
            assert isinstance(guard.decide(Request.build(headers={"cf-access-jwt-assertion": bad})), Deny)

    @pytest.mark.parametrize("header", ["authorization", "Cookie", "", "x y", None, "x\n"])
    def test_is_in_a_header_of_its_own(self, clock: Clock, header: Any) -> None:
        tokens = Tokens("k" * 48, issuer="https://api.example.com", audience="https://api.example.com")
        with pytest.raises(ConfigurationError, match="header"):
            TokenInHeader(tokens, header)
        with pytest.raises(ConfigurationError, match="verifier"):
            TokenInHeader(Tokens, "x-token")

    def test_that_cannot_be_judged_is_unavailable(self) -> None:
        class Down:
            def verify(self, token: str) -> Principal:
                raise Unavailable

        found = chain(require_auth(TokenInHeader(Down(), "x-token"))).decide(Request.build(headers={"x-token": "x"}))
        assert found.status == 503  # type: ignore[union-attr]
