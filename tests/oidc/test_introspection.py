"""Introspection (RFC 7662): what is sent, what an answer has to say, and what becomes of one that says anything else."""

from __future__ import annotations

import base64
import collections
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus

import pytest

from authkit import ConfigurationError, InvalidToken, Request, Response, Unavailable, require_auth
from authkit.oidc import Introspection, OIDCProvider
from authkit.secrets import Secret, Secrets, SecretSource
from authkit.tokens import Key, Tokens
from tests.oidc.issuer import AUDIENCE, Issuer, ec_key, rsa_pem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authkit.testing import Clock

GOOD = {"active": True, "sub": "alice", "scope": "read", "aud": AUDIENCE, "token_type": "Bearer"}


class Server(ThreadingHTTPServer):
    """`says`: what is answered, by token; `expects`: the Authorization header, if it must be one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/introspect"
        self.says: dict[str, Any] = collections.defaultdict(lambda: {"active": False}, good=GOOD)
        self.status = 200
        self.raw: bytes | None = None
        self.headers: dict[str, str] = {}
        self.expects: str | None = None
        self.refuses = 401
        self.seen: list[tuple[dict[str, str], dict[str, list[str]]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode(), strict_parsing=True)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((headers, form))
        found: Any = self.server.says[form["token"][0]]
        raw = json.dumps(found).encode() if self.server.raw is None else self.server.raw
        status = self.server.status
        if self.server.expects is not None and headers.get("authorization") != self.server.expects:
            status, raw = self.server.refuses, b'{"error":"invalid_client"}'
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(raw)), **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


@pytest.fixture
def verifier_of(server: Server) -> Callable[..., Introspection]:
    def made(**settings: Any) -> Introspection:
        return Introspection(server.url, "rs", "s3cr3t-of-the-rs", **{"audience": AUDIENCE, "timeout": 30, **settings})

    return made


def reason(verifier: Introspection, token: str = "good") -> str:
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(token)
    return caught.value.reason


def test_an_active_token_has_a_principal_and_an_inactive_one_none(
    server: Server, verifier_of: Callable[..., Introspection]
) -> None:
    verifier = verifier_of(issuer="https://issuer.example")
    found = verifier.verify("good")
    assert (found.subject, found.issuer, found.scopes) == ("alice", "https://issuer.example", frozenset({"read"}))
    assert reason(verifier, "other") == "token_inactive"
    verifier.verify("good")
    assert len(server.seen) == 2
    headers, form = server.seen[0]
    assert form == {"token": ["good"], "token_type_hint": ["access_token"]}
    assert headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(("change", "refused"), [
    ({"active": False}, "token_inactive"),
    ({"aud": "https://other.example"}, "token_audience"),
    ({"aud": ...}, "token_audience"),
    ({"aud": []}, "token_audience"),
    ({"aud": [AUDIENCE, 7]}, "token_audience"),
    ({"aud": {AUDIENCE: 1}}, "token_audience"),
    ({"aud": AUDIENCE + "/"}, "token_audience"),
    ({"aud": None}, "token_audience"),
    ({"iss": "https://other.example"}, "token_issuer"),
    ({"iss": None}, "token_issuer"),
    ({"token_type": ...}, "token_type"),
    ({"token_type": "refresh_token"}, "token_type"),
    ({"token_type": None}, "token_type"),
    ({"token_type": "N_A"}, "token_type"),
    ({"token_use": "refresh_token"}, "token_type"),
    ({"typ": "Refresh"}, "token_type"),
    ({"typ": "ID"}, "token_type"),
    ({"token_type": "DPoP"}, "token_bound"),
    ({"token_type": "DPoP", "cnf": {"jkt": "x"}}, "token_bound"),
    ({"cnf": {"x5t#S256": "x"}}, "token_bound"),
    ({"exp": 1}, "token_expired"),
    ({"nbf": 4102444800}, "token_not_yet_valid"),
    ({"sub": None}, "token_claims"),
    ({"sub": ...}, "token_claims"),
])  # fmt: skip
def test_an_active_token_that_is_not_for_us_is_refused(
    server: Server, verifier_of: Callable[..., Introspection], change: dict[str, Any], refused: str
) -> None:
    """OID-14: a token of another API, and a token of another kind."""
    server.says["good"] = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    assert reason(verifier_of(issuer="https://issuer.example")) == refused


@pytest.mark.parametrize("change", [
    {"aud": [AUDIENCE, "https://other.example"]}, {"iss": "https://issuer.example"}, {"token_type": "bearer"},
    {"token_use": "access_token"}, {"typ": "Bearer"}, {"sub": ..., "client_id": "batch"}, {"username": "Alice"},
])  # fmt: skip
def test_one_that_is_for_us_is_accepted(
    server: Server, verifier_of: Callable[..., Introspection], change: dict[str, Any]
) -> None:
    server.says["good"] = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    assert verifier_of(issuer="https://issuer.example").verify("good").subject


def test_clients_stand_for_an_audience_that_the_server_does_not_name(
    server: Server, verifier_of: Callable[..., Introspection]
) -> None:
    server.says["good"] = {"active": True, "client_id": "web", "token_type": "Bearer"}
    assert verifier_of(audience=None, clients=["web", "app"]).verify("good").subject == "web"
    assert reason(verifier_of(audience=None, clients=["app"])) == "token_audience"
    assert reason(verifier_of(clients=["web"])) == "token_audience"  # both are wanted where both are named


def test_what_weakens_says_so(server: Server, verifier_of: Callable[..., Introspection]) -> None:
    server.says["good"] = {"active": True, "sub": "alice"}
    with pytest.raises(ConfigurationError, match="audience"):
        verifier_of(audience=None)
    assert reason(verifier_of(audience=None, insecure_any_audience=True)) == "token_type"
    assert verifier_of(audience=None, insecure_any_audience=True, insecure_any_kind=True).verify("good").subject == "alice"


@pytest.mark.parametrize("raw", [
    b"", b"true", b"[]", b'{"active": "true", "sub": "alice"}', b'{"active": 1}', b"{}", b'{"active": null}', b"\xff",
    b'{"active": true, "active": false}', b'{"active": true} {}', b'{"active": NaN}', b"<html>", b"\xef\xbb\xbf{}",
    b'{"active": true, "pad": "' + b"x" * 70_000 + b'"}', b"[" * 100_000,
])  # fmt: skip
def test_an_answer_that_is_none_is_unavailable(server: Server, verifier_of: Callable[..., Introspection], raw: bytes) -> None:
    server.raw = raw
    with pytest.raises(Unavailable):
        verifier_of(insecure_any_kind=True).verify("good")


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 403, 404, 405, 429, 500, 503])
def test_any_other_status_is_unavailable_and_the_log_names_no_secret(
    server: Server, verifier_of: Callable[..., Introspection], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.status = status
    server.headers = {"location": "/elsewhere"}
    with pytest.raises(Unavailable) as caught:
        verifier_of().verify("good")
    shown = caplog.text + repr(caught.value)
    assert ("redirects" if status == 302 else str(status)) in shown
    assert "s3cr3t" not in shown
    assert "good" not in shown
    assert len(server.seen) == 1


def test_a_token_that_the_server_never_answers_for_is_refused(
    server: Server, verifier_of: Callable[..., Introspection]
) -> None:
    """Whoever sends one is no reason to think that the server is down."""
    server.status, server.raw = 400, b'{"error":"unsupported_token_type"}'
    assert reason(verifier_of()) == "token_unsupported"


# Client authentication


def test_id_and_secret_are_form_encoded_each_by_itself(server: Server) -> None:
    Introspection(server.url, "rs:1 ä", "s%:+/ ö", audience=AUDIENCE, timeout=30).verify("good")
    scheme, _, pair = server.seen[0][0]["authorization"].partition(" ")
    identity, _, secret = base64.b64decode(pair).decode("ascii").partition(":")
    assert (scheme, unquote_plus(identity), unquote_plus(secret)) == ("Basic", "rs:1 ä", "s%:+/ ö")


def test_a_secret_may_stand_in_the_form(server: Server) -> None:
    Introspection(server.url, "rs", "s3cr3t", send="client_secret_post", audience=AUDIENCE, timeout=30).verify("good")
    headers, form = server.seen[0]
    assert "authorization" not in headers
    assert (form["client_id"], form["client_secret"]) == (["rs"], ["s3cr3t"])


@pytest.mark.parametrize("key", [ec_key("one"), rsa_pem(), Secret.of(rsa_pem())], ids=["Key", "PEM", "Secret"])
def test_an_assertion_is_signed_by_a_private_key(server: Server, key: Any) -> None:
    verifier = Introspection(server.url, "rs", key=key, issuer="https://as.example", audience=AUDIENCE, timeout=30)
    verifier.verify("good")
    assert reason(verifier, "other") == "token_inactive"
    sent = [form["client_assertion"][0] for _, form in server.seen]
    assert server.seen[0][1]["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    claims = [json.loads(base64.urlsafe_b64decode(one.split(".")[1] + "==")) for one in sent]
    assert {claims[0][name] for name in ("iss", "sub")} == {"rs"}
    assert claims[0]["aud"] == "https://as.example"
    assert claims[0]["exp"] - claims[0]["iat"] == 60
    assert claims[0]["jti"] != claims[1]["jti"]
    public = key if isinstance(key, Key) else Key(rsa_pem())
    data, _, signature = sent[0].rpartition(".")
    assert public.verify(data.encode(), signature)


def test_a_bearer_token_may_show_who_we_are(server: Server) -> None:
    Introspection(server.url, bearer=Secret.of("our-own-token"), audience=AUDIENCE, timeout=30).verify("good")
    assert server.seen[0][0]["authorization"] == "Bearer our-own-token"


class _Rotating(SecretSource):
    value = "old"

    def fetch(self, name: str) -> str:
        return self.value


@pytest.mark.parametrize("status", [401, 400])
def test_a_secret_that_was_rotated_is_read_again_when_the_old_one_is_refused(server: Server, status: int) -> None:
    """With either status: RFC 6749 section 5.2."""
    server.refuses = status
    source = _Rotating()
    verifier = Introspection(server.url, "rs", Secrets(source)["CLIENT_SECRET"], audience=AUDIENCE, timeout=30)
    verifier.verify("good")
    source.value = "new"
    server.expects = "Basic " + base64.b64encode(b"rs:new").decode()
    server.says["another"] = GOOD
    assert verifier.verify("another").subject == "alice"
    assert len(server.seen) == 3


@pytest.mark.parametrize(("settings", "named"), [
    ({"client_secret": None}, "client_secret"), ({"bearer": "x"}, "client_secret"), ({"client_id": None}, "client_id"),
    ({"client_secret": ""}, "client_secret"), ({"client_secret": b"x"}, "client_secret"),
    ({"send": "none"}, "client_secret_basic"),
    ({"client_secret": None, "key": "k" * 40}, "key"), ({"client_secret": None, "key": ec_key().public_jwk()}, "key"),
    ({"client_secret": None, "bearer": "b", "send": "client_secret_post"}, "client_secret_post"),
    ({"audience": ""}, "audience"), ({"audience": []}, "audience"), ({"clients": [""]}, "clients"),
    ({"endpoint": "http://as.example/introspect"}, "endpoint"), ({"endpoint": "https://u:p@as.example/"}, "endpoint"),
    ({"endpoint": 7}, "endpoint"),
])  # fmt: skip
def test_a_wrong_setting_is_refused_by_name_and_never_by_value(settings: dict[str, Any], named: str) -> None:
    given = {
        "endpoint": "https://as.example/introspect", "client_id": "rs", "client_secret": "s3cr3t-value", "audience": AUDIENCE,
        **settings,
    }  # fmt: skip
    with pytest.raises(ConfigurationError, match=named) as caught:
        Introspection(**given)
    assert "s3cr3t-value" not in str(caught.value)


def test_its_repr_and_its_locals_show_no_secret(verifier_of: Callable[..., Introspection]) -> None:
    verifier = verifier_of()
    assert "s3cr3t" not in repr(verifier) + repr(vars(verifier)) + repr(verifier._client)


def test_where_nobody_has_said_whose_tokens_they_are_the_answer_does(
    server: Server, verifier_of: Callable[..., Introspection]
) -> None:
    """OID-09: a server that answers for several issuers has several people called alice."""
    server.says |= {name: {**GOOD, "iss": f"https://{name}.example"} for name in ("one", "two")}
    server.says |= {"bad": {**GOOD, "iss": ["https://one.example"]}, "empty": {**GOOD, "iss": ""}}
    verifier = verifier_of()
    found = [(one.issuer, one.subject) for one in map(verifier.verify, ("one", "two", "good"))]
    assert found == [("https://one.example", "alice"), ("https://two.example", "alice"), (None, "alice")]
    assert [reason(verifier, name) for name in ("bad", "empty")] == ["token_issuer", "token_issuer"]
    ours = verifier_of(issuer="https://one.example")
    assert ours.verify("one").issuer == ours.verify("good").issuer == "https://one.example"
    assert reason(ours, "two") == "token_issuer"


def test_the_query_of_its_address_is_in_no_message_and_no_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Some servers want a key there."""
    verifier = Introspection(server.url + "?key=k3y-of-ours", "rs", "secret", audience=AUDIENCE, timeout=30)
    with caplog.at_level("DEBUG"):
        verifier.verify("good")
        server.status = 500
        with pytest.raises(Unavailable) as caught:
            verifier.verify("other")
    assert "k3y" not in str(caught.value) + repr(verifier) + caplog.text
    assert server.url in str(caught.value)


@pytest.mark.parametrize(("said", "told"), [("7", 7), ("0", 1), ("9999999", 600), ("soon", 1), ("-5", 1), ("٣", 1), (None, 1)])
def test_when_to_come_back_is_what_the_server_says(
    server: Server, verifier_of: Callable[..., Introspection], said: str | None, told: int
) -> None:
    server.status = 503
    server.headers = {} if said is None else {"retry-after": said.encode().decode("latin-1")}
    with pytest.raises(Unavailable) as caught:
        verifier_of().verify("good")
    assert caught.value.retry_after == told


# Where it asks


def test_the_metadata_say_where(server: Server, op: Issuer, clock: Clock) -> None:
    provider = OIDCProvider(op.url, audience=AUDIENCE, clock=clock, monotonic=clock)
    verifier = Introspection(provider, "rs", "secret", audience=AUDIENCE, timeout=30)
    with pytest.raises(Unavailable):  # they name none
        verifier.verify("good")
    op.says["introspection_endpoint"] = op.base + "/introspect"
    with pytest.raises(Unavailable, match="404"):  # and there it is not
        verifier.verify("good")


def test_metadata_that_name_another_host_are_sent_no_secret(server: Server, op: Issuer, clock: Clock) -> None:
    """OID-17."""
    op.says["introspection_endpoint"] = server.url
    provider = OIDCProvider(op.url, audience=AUDIENCE, clock=clock, monotonic=clock)
    verifier = Introspection(provider, "rs", "secret", audience=AUDIENCE, timeout=30)
    with pytest.raises(ConfigurationError, match="introspection_endpoint"):
        verifier.verify("good")
    assert server.seen == []


def test_a_provider_whose_endpoints_are_at_an_origin_of_their_own_says_so(server: Server, op: Issuer, clock: Clock) -> None:
    class Elsewhere(OIDCProvider):
        endpoint_origins = (server.url.removesuffix("/introspect"),)

    op.says["introspection_endpoint"] = server.url
    provider = Elsewhere(op.url, audience=AUDIENCE, jwks_uri=op.url + "/jwks", clock=clock, monotonic=clock)
    verifier = Introspection(provider, "rs", "secret", audience=AUDIENCE, timeout=30)
    assert verifier.verify("good").subject == "alice"


def test_an_issuer_that_is_no_address_says_nothing_of_endpoints() -> None:
    provider = OIDCProvider("us", audience=AUDIENCE, keys="0123456789abcdefghijklmnopqrstuv-k")
    for given in (provider, object(), None):
        with pytest.raises(ConfigurationError, match=r"issuer|provider"):
            Introspection(given, "rs", "secret", audience=AUDIENCE)  # type: ignore[arg-type]


def test_tokens_with_an_issuer_are_verified_here_and_only_the_others_are_asked_about(
    server: Server, verifier_of: Callable[..., Introspection]
) -> None:
    tokens = Tokens("0123456789abcdefghijklmnopqrstuv-k", issuer="https://us.example", audience=AUDIENCE)
    other = Tokens("0123456789abcdefghijklmnopqrstuv-o", issuer="https://other.example", audience=AUDIENCE)

    @require_auth(tokens, verifier_of())
    def handler(request: Request) -> Response:
        return Response(200, {}, request.principal.subject)

    def status(token: str) -> int:
        return handler(Request.build(headers={"authorization": f"Bearer {token}"})).status

    token = tokens.issue("bob")
    assert [status(token), status(token[:-4] + "AAAA"), status(other.issue("bob"))] == [200, 401, 401]
    assert server.seen == []
    assert [status("good"), status("not-good")] == [200, 401]
    assert len(server.seen) == 2
