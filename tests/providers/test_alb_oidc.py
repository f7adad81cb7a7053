"""An Application Load Balancer's `x-amzn-oidc-data`, as AWS describes it, and as one of its own has been seen: padded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import AlbOidc
from cryptography.hazmat.primitives.asymmetric import ec

from authkit import ConfigurationError, Deny, Principal, Request, Tokens, chain, require_auth
from authkit.oidc import named
from authkit.tokens import Key, base64url

from ..oidc.issuer import ec_key, pem
from .balancer import ALICE, ARN, CLIENT, ISSUER, KEYS, KID, OTHERS, SEEN, alb_of, decided, padded, public_pem, reason
from .world import Told

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .balancer import Balancer


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
