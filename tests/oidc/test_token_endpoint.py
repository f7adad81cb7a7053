"""Where a client shows who it is: what it sends, to whom, and what the answers come to."""

from __future__ import annotations

import base64
import json
import traceback
from urllib.parse import parse_qsl

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.oidc import Discovery, DPoPKey, GrantRefused, OIDCProvider, TokenEndpoint
from authkit.secrets import Secret, Secrets, SecretSource
from authkit.tokens import Key
from tests.oidc.issuer import ec_key, issuer, pem

SECRET = "a secret: ä +/%, long enough"


class Page:
    """A token endpoint that answers as it is told, and remembers what it was asked."""

    def __init__(self, op, *answers):
        self.asked, self.answers = [], list(answers)
        op.says["token_endpoint"] = f"{op.base}/token"
        op.pages["/token"] = self

    def __call__(self, method, headers, body):
        self.asked.append((headers, dict(parse_qsl(body.decode(), keep_blank_values=True)), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer() if callable(answer) else answer


GOOD = (200, {"access_token": "t", "token_type": "Bearer"})


def provider(op, **settings):
    return OIDCProvider(op.url, audience="x", **settings)


def test_a_secret_is_sent_by_basic_each_part_form_encoded():
    with issuer() as op:
        page = Page(op, GOOD)
        said = TokenEndpoint(provider(op), "a client", SECRET).post("client_credentials", scope="a b", left_out=None)
        assert said["access_token"] == "t"
        assert "access_token" in repr(said)
        assert "'t'" not in repr(said) + str(said)
        headers, form, _ = page.asked[0]
        shown = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        assert shown == "a+client:a+secret%3A+%C3%A4+%2B%2F%25%2C+long+enough"
        assert form == {"grant_type": "client_credentials", "scope": "a b"}


@pytest.mark.parametrize(
    ("methods", "sent"),
    [
        (None, "basic"),
        (["client_secret_basic", "client_secret_post"], "basic"),
        (["client_secret_post"], "post"),
        (["private_key_jwt"], "basic"),
        ("client_secret_post", "basic"),
        ([7], "basic"),
    ],
    ids=str,
)
def test_without_a_word_the_secret_is_sent_as_the_metadata_say(methods, sent):
    with issuer() as op:
        page = Page(op, GOOD)
        op.says["token_endpoint_auth_methods_supported"] = methods
        TokenEndpoint(provider(op), "web", SECRET).post("client_credentials")
        headers, form, _ = page.asked[0]
        assert ("authorization" in headers) == (sent == "basic")
        assert ("client_secret" in form) == (sent == "post")


def test_a_key_signs_an_assertion_for_the_issuer_that_is_used_once():
    with issuer() as op:
        page, key = Page(op, GOOD), ec_key("mine")
        endpoint = TokenEndpoint(provider(op), "web", key=key)
        endpoint.post("client_credentials")
        endpoint.post("client_credentials")
        claims = []
        for headers, form, _ in page.asked:
            assert "authorization" not in headers
            assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            head, body, _ = form["client_assertion"].split(".")
            assert json.loads(base64.urlsafe_b64decode(head + "=="))["kid"] == "mine"
            claims.append(json.loads(base64.urlsafe_b64decode(body + "==")))
        assert claims[0]["iss"] == claims[0]["sub"] == "web"
        assert claims[0]["aud"] == op.url
        assert claims[0]["exp"] - claims[0]["iat"] == 60
        assert claims[0]["jti"] != claims[1]["jti"]


def test_a_public_client_sends_its_id_alone():
    with issuer() as op:
        page = Page(op, GOOD)
        TokenEndpoint(provider(op), "spa").post("authorization_code", code="c", code_verifier="v")
        headers, form, _ = page.asked[0]
        assert "authorization" not in headers
        assert form == {"grant_type": "authorization_code", "code": "c", "code_verifier": "v", "client_id": "spa"}


def test_a_field_of_several_values_is_repeated():
    with issuer() as op:
        page = Page(op, GOOD)
        TokenEndpoint(provider(op), "web", SECRET).post("client_credentials", resource=["https://a", "https://b"])
        assert b"resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb" in page.asked[0][2]


def test_a_secret_that_was_rotated_is_read_once_more_and_the_grant_sent_again():
    class Source(SecretSource):
        value = "the former secret of the client"

        def fetch(self, name):
            return self.value

    source = Source()
    with issuer() as op:
        page = Page(op, (401, {"error": "invalid_client"}), GOOD)
        endpoint = TokenEndpoint(provider(op), "web", Secrets(source)["SECRET"], method="client_secret_post")
        endpoint._client._secret.reveal()
        source.value = "the newer secret of the client"
        assert endpoint.post("client_credentials")["access_token"] == "t"
        assert [form["client_secret"] for _, form, _ in page.asked] == [
            "the former secret of the client",
            "the newer secret of the client",
        ]


REFUSED = [
    ((400, {"error": "invalid_grant", "error_description": "<secret words>"}), "invalid_grant"),
    ((403, {"error": "invalid_grant"}), "invalid_grant"),
    ((401, {"error": "invalid_grant"}), "invalid_grant"),
    ((200, {"error": "bad_verification_code"}), "invalid_grant"),
    ((400, {"error": "invalid_scope"}), "invalid_scope"),
    ((400, {"error": "<script>"}), "refused"),
    ((400, {"error": ["invalid_grant"]}), "refused"),
]


@pytest.mark.parametrize(("answer", "error"), REFUSED, ids=lambda one: str(one)[:40])
def test_a_grant_is_refused_with_a_word_of_those_that_are_registered(answer, error):
    with issuer() as op:
        Page(op, answer)
        with pytest.raises(GrantRefused) as raised:
            TokenEndpoint(provider(op), "web", SECRET).post("refresh_token", refresh_token="r-secret")
        assert raised.value.error == error
        shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
        own = shown[shown.index("authkit/oidc/token_endpoint.py") :]
        assert "r-secret" not in own
        assert "secret words" not in own
        assert SECRET not in own


UNAVAILABLE = [
    (500, {}),
    (503, {}),
    (429, {}),
    (404, {}),
    (401, {}),
    (401, {"error": "invalid_client"}),
    (400, {"error": "invalid_client"}),
    (400, {"error": "temporarily_unavailable"}),
    (400, {}),
    (200, {}),
    (200, []),
    (200, {"access_token": ""}),
    (200, {"access_token": 7}),
    (200, {"access_token": "t", "token_type": []}),
    (200, {"access_token": "t", "x": "y" * 300_000}),
    (302, {"access_token": "t"}),
]


@pytest.mark.parametrize("answer", UNAVAILABLE, ids=lambda one: str(one)[:50])
def test_what_decides_nothing_is_unavailable_and_shows_nothing(answer):
    with issuer() as op:
        Page(op, answer)
        with pytest.raises(Unavailable) as raised:
            TokenEndpoint(provider(op), "web", SECRET).post("refresh_token", refresh_token="r-secret")
        assert "r-secret" not in str(raised.value)
        assert SECRET not in str(raised.value)
        assert raised.value.__context__ is None


class Shelf(SecretSource):
    def fetch(self, name):
        return SECRET


def test_what_cannot_be_sent_at_all_is_a_wrong_setting_that_shows_nothing(monkeypatch, tmp_path):
    """Certificates that cannot be read, half a character in a secret, a key that is none: of us, and not of the server."""
    endpoint = "https://login.example.com/token"
    made = [TokenEndpoint(endpoint, "web", SECRET + "\ud800", method=method) for method in ("client_secret_post", None)]
    made += [TokenEndpoint(endpoint, "web", key=Secrets(Shelf())["KEY"]), TokenEndpoint(endpoint, "web", SECRET)]
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    for one in made:
        with pytest.raises(ConfigurationError) as raised:
            one.post("refresh_token", refresh_token="r-secret")
        frames = traceback.TracebackException.from_exception(raised.value, capture_locals=True).stack
        own = str([frame.locals for frame in frames if "/authkit/" in frame.filename])
        assert not [value for value in ("r-secret", SECRET, "a+secret") if value in own + str(raised.value)]
        assert raised.value.__context__ is None


@pytest.mark.parametrize("fault", [{"drop": True}, {"delay": 2}, {"drip": 0.2}, {"cut": True}], ids=str)
def test_a_server_that_is_slow_or_gone_is_unavailable_in_bounded_time(fault):
    with issuer() as op:
        Page(op, GOOD)
        op.fault("/token", **fault)
        with pytest.raises(Unavailable):
            TokenEndpoint(provider(op), "web", SECRET, timeout=0.5).post("client_credentials")


def test_when_to_come_back_is_believed_within_bounds():
    with issuer() as op:
        Page(op, (429, {}))
        for said, seconds in (("7", 7), ("9999999", 600), ("-1", 1), ("x", 1)):
            op.headers = {"retry-after": said}
            with pytest.raises(Unavailable) as raised:
                TokenEndpoint(provider(op), "web", SECRET).post("client_credentials")
            assert raised.value.retry_after == seconds


def test_a_proof_follows_the_nonce_of_the_server():
    def proof(headers):
        return json.loads(base64.urlsafe_b64decode(headers["dpop"].split(".")[1] + "=="))

    with issuer() as op:
        op.headers = {"dpop-nonce": "n-1"}
        page = Page(op, (400, {"error": "use_dpop_nonce"}), (200, {"access_token": "t", "token_type": "DPoP"}))
        endpoint = TokenEndpoint(provider(op), "web", SECRET, dpop=DPoPKey())
        assert endpoint.post("client_credentials")["token_type"] == "DPoP"
        endpoint.post("client_credentials")
        proofs = [proof(headers) for headers, _, _ in page.asked]
        assert [one.get("nonce") for one in proofs] == [None, "n-1", "n-1"]
        assert {one["htu"] for one in proofs} == {f"{op.base}/token"}


def test_the_secret_goes_to_the_issuers_own_origin_and_to_those_that_were_named():
    with issuer() as op, issuer() as other:
        Page(op, GOOD)
        elsewhere = Page(other, GOOD)
        op.says["token_endpoint"] = f"{other.base}/token"
        with pytest.raises(ConfigurationError, match="another origin"):
            TokenEndpoint(provider(op), "web", SECRET).post("client_credentials")
        assert elsewhere.asked == []
        for endpoint in (
            TokenEndpoint(provider(op), "web", SECRET, origins=[other.base]),
            TokenEndpoint(Discovery(op.url), "web", SECRET, origins=[other.base]),
            TokenEndpoint(f"{other.base}/token", "web", SECRET),
        ):
            assert endpoint.post("client_credentials")["access_token"] == "t"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"client_secret": SECRET, "key": "x"}, "one of"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": SECRET, "method": "none"}, "client_secret"),
        ({"client_secret": SECRET, "method": "tls"}, "client_secret"),
        ({"method": "client_secret_basic"}, "one of"),
        ({"key": "an HMAC key, of thirty-two bytes"}, "key"),
        ({"client_id": ""}, "client_id"),
        ({"client_secret": SECRET, "timeout": 0}, "timeout"),
        ({"client_secret": SECRET, "origins": "https://a"}, "origins"),
        ({"client_secret": SECRET, "provider": "http://evil.example/token"}, "token_endpoint"),
        ({"client_secret": SECRET, "provider": object()}, "provider"),
    ],
    ids=lambda value: str(value).partition(" at 0x")[0],
)
def test_a_wrong_setting_is_refused_by_name_and_never_by_value(settings, named):
    usual = {"provider": "https://issuer.example/token", "client_id": "web"}
    with pytest.raises(ConfigurationError, match=named) as raised:
        TokenEndpoint(**{**usual, **settings})
    assert SECRET not in str(raised.value)


def test_a_key_may_be_a_secret_in_pem():
    from cryptography.hazmat.primitives.asymmetric import ec

    with issuer() as op:
        page = Page(op, GOOD)
        secret = Secret.of(pem(ec.generate_private_key(ec.SECP256R1())))
        TokenEndpoint(provider(op), "web", key=secret, method="private_key_jwt").post("client_credentials")
        assert "client_assertion" in page.asked[0][1]
        assert isinstance(Key(secret.reveal()), Key)
