"""Certificate-bound tokens (RFC 8705): the certificate that the host vouches for, and whose word counts about it."""

from __future__ import annotations

import datetime
import functools
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authkit import ConfigurationError, Principal, Request, Response, require_auth
from authkit.address import ClientAddress
from authkit.http import Headers
from authkit.oidc import ClientCertificate, DPoP, DPoPKey, MutualTLS
from authkit.stores import MemoryStore
from authkit.testing import lambda_event
from authkit.tokens import Tokens, base64url

if TYPE_CHECKING:
    from collections.abc import Callable

API = "https://api.example.com"


@functools.cache
def certificate(name: str) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(start)
    return made.not_valid_after(start + datetime.timedelta(days=36_500)).sign(key, hashes.SHA256())


def pem(name: str) -> str:
    return certificate(name).public_bytes(serialization.Encoding.PEM).decode()


def der(name: str) -> bytes:
    return certificate(name).public_bytes(serialization.Encoding.DER)


def thumbprint(name: str) -> str:
    return base64url.encode(sha256(der(name)).digest()).decode()


TOKENS = Tokens("0123456789abcdefghijklmnopqrstuv-k", issuer="us", audience=API, access_ttl=86_400)
MINE = TOKENS.issue("alice", claims={"cnf": {"x5t#S256": thumbprint("mine")}})
PLAIN = TOKENS.issue("bob")


def guarded(certificate: Any, **settings: Any) -> Callable[[Request], Response]:
    @require_auth(MutualTLS(TOKENS, certificate=certificate, **settings))
    def handler(request: Request) -> Response:
        return Response(200, {}, f"{request.principal.subject} by {request.principal.method}")

    return handler


def _any(**settings: Any) -> dict[str, Any]:
    return settings


def let_in(request: Request) -> Response:
    return Response(200)


def asked(token: str, headers: list[tuple[str, str]] | None = None, peer: str | None = None, socket: bool = True) -> Request:
    sent = Headers([("authorization", f"Bearer {token}"), *(headers or [])])
    return Request("GET", "/", headers=sent, peer=peer, peer_is_socket=socket)


@pytest.mark.parametrize(
    "shown", [pem("mine"), der("mine"), pem("mine").encode(), pem("mine") + pem("other"), "\n" + pem("mine")]
)
def test_a_bound_token_with_its_certificate_is_accepted(shown: str | bytes) -> None:
    assert guarded(lambda request: shown)(asked(MINE)).body == b"alice by mtls"


@pytest.mark.parametrize("shown", ids=lambda shown: type(shown).__name__, argvalues=[
    None, "", b"", pem("other"), der("other"), pem("other") + pem("mine"), pem("mine")[:-30], "x", 7, der("mine") + b"\0",
    pem("mine").replace("CERTIFICATE", "PUBLIC KEY"), thumbprint("mine"),
    "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\né-----END CERTIFICATE-----",
])  # fmt: skip
def test_without_its_certificate_it_is_refused(shown: Any) -> None:
    answer = guarded(lambda request: shown)(asked(MINE))
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_a_token_that_is_not_bound_is_a_bearer_token_unless_that_is_required() -> None:
    for shown in (None, pem("mine")):
        assert guarded(lambda request, shown=shown: shown)(asked(PLAIN)).body == b"bob by bearer"
        assert guarded(lambda request, shown=shown: shown, required=True)(asked(PLAIN)).status == 401
    assert guarded(lambda request: pem("mine"), required=True)(asked(MINE)).status == 200


def test_of_itself_it_verifies_no_bound_token() -> None:
    verifier = MutualTLS(TOKENS, certificate=lambda request: pem("mine"))
    assert verifier.verify(PLAIN).subject == "bob"
    with pytest.raises(Exception, match="token_bound"):
        verifier.verify(MINE)


def test_a_subclass_whose_check_would_be_passed_by_is_refused() -> None:
    class Stricter(MutualTLS):
        def verify(self, token: str) -> Principal:
            raise NotImplementedError

    with pytest.raises(ConfigurationError, match="judging"):
        require_auth(Stricter(TOKENS, certificate=lambda request: None))


def test_it_stands_beside_other_issuers() -> None:
    others = Tokens("0123456789abcdefghijklmnopqrstuv-o", issuer="them", audience=API, access_ttl=86_400)
    handler: Any = require_auth(others, MutualTLS(TOKENS, certificate=lambda request: pem("mine")))(let_in)
    assert [handler(asked(token)).status for token in (MINE, PLAIN, others.issue("carol"))] == [200, 200, 200]
    bound = others.issue("carol", claims={"cnf": {"x5t#S256": thumbprint("mine")}})
    assert handler(asked(bound)).status == 401


@pytest.mark.parametrize("cnf", [{"x5t#S256": None}, {"x5t#S256": ["x"]}, {}, {"x5t#S256": ""}, {"jkt": "x"}, {"x5t": "x"}])
def test_a_binding_that_is_not_to_this_certificate_is_not_met(cnf: dict[str, Any]) -> None:
    assert guarded(lambda request: pem("mine"))(asked(TOKENS.issue("alice", claims={"cnf": cnf}))).status == 401


def test_a_binding_to_a_key_too_is_not_met_by_the_certificate_alone() -> None:
    key = DPoPKey()
    both = TOKENS.issue("alice", claims={"cnf": {"x5t#S256": thumbprint("mine"), "jkt": key.thumbprint}})
    assert guarded(lambda request: pem("mine"))(asked(both)).status == 401
    shown = [pem("mine")]
    mtls = MutualTLS(TOKENS, certificate=lambda request: shown[0])
    handler = require_auth(DPoP(mtls, url=API, replay=MemoryStore()))(let_in)

    def status(token: str) -> int:
        return handler(Request.build("GET", "/", key.headers("GET", API + "/", token))).status

    assert status(both) == 200
    shown[0] = pem("other")
    assert status(both) == 401
    assert [handler(asked(MINE)).status, handler(asked(PLAIN)).status] == [401, 200]
    shown[0] = pem("mine")
    assert handler(asked(MINE)).status == 200
    assert handler(asked(both)).status == 401  # as a bearer token it lacks the proof
    assert status(MINE) == 401  # and in this scheme a key


# Headers of proxies

NGINX = quote(pem("mine"), safe="")
ALB = quote(pem("mine"), safe="+=/")
RFC_9440 = ":" + base64url.encode(der("mine")).decode().replace("-", "+").replace("_", "/") + ":"


def padded(value: str) -> str:
    return ":" + value[1:-1] + "=" * (-len(value[1:-1]) % 4) + ":"


@pytest.mark.parametrize("value", [NGINX, ALB, pem("mine").replace("\n", "\t"), padded(RFC_9440)])
def test_a_trusted_proxy_may_say_what_was_shown_to_it(value: str) -> None:
    handler = guarded(ClientCertificate.header("x-client-cert", "10.0.0.0/8"))
    assert handler(asked(MINE, [("x-client-cert", value)], "10.1.2.3")).status == 200


@pytest.mark.parametrize(("peer", "socket"), [("203.0.113.5", True), (None, True), ("10.1.2.3", False), ("", True)])
def test_nobody_else_may(peer: str | None, socket: bool) -> None:
    """A platform's word about its client (`peer_is_socket` is False) says nothing of who has written a header."""
    handler = guarded(ClientCertificate.header("x-client-cert", "10.0.0.0/8"))
    assert handler(asked(MINE, [("x-client-cert", NGINX)], peer, socket)).status == 401


def test_two_headers_are_one_too_many() -> None:
    handler = guarded(ClientCertificate.header("x-client-cert", "10.0.0.0/8"))
    for second in (NGINX, "", quote(pem("other"))):
        assert handler(asked(MINE, [("x-client-cert", NGINX), ("x-client-cert", second)], "10.1.2.3")).status == 401


JOINED = [
    NGINX + ", " + quote(pem("other")),
    NGINX + "," + NGINX,
    quote(pem("other")) + ", " + NGINX,
    RFC_9440 + ", " + RFC_9440,
]


@pytest.mark.parametrize("value", JOINED)
def test_two_that_the_host_has_joined_are_two(value: str) -> None:
    """WSGI hands over repeated lines as one: the first would be what a client has sent to a proxy that adds its own."""
    handler = guarded(ClientCertificate.header("x-client-cert", "10.0.0.0/8"))
    assert handler(asked(MINE, [("x-client-cert", value)], "10.1.2.3")).status == 401


@pytest.mark.parametrize("before", ["x", quote("Subject: CN=me\n"), 'Hash=00;Cert="'])
@pytest.mark.parametrize("after", ["", '";Subject=""', "x"])
def test_a_certificate_with_anything_else_around_it_is_none(before: str, after: str) -> None:
    """A client chooses the names in its certificate, and they may hold somebody else's."""
    handler = guarded(ClientCertificate.header("x-client-cert", "10.0.0.0/8"))
    for value in (before + NGINX + after, NGINX + before + after):
        assert handler(asked(MINE, [("x-client-cert", value)], "10.1.2.3")).status == 401


@pytest.mark.parametrize(
    "value", ["", "(null)", "x", "%", ":", "::", ":*:", RFC_9440[:-1], "a" * 70_000, "%00", NGINX.replace("%0A", "%20%41%0A")]
)
def test_a_header_that_holds_no_certificate_is_none(value: str) -> None:
    handler = guarded(ClientCertificate.header("x-client-cert", "10.0.0.0/8"))
    assert handler(asked(MINE, [("x-client-cert", value)], "10.1.2.3")).status == 401


def test_the_proxies_may_be_those_of_a_client_address() -> None:
    handler = guarded(ClientCertificate.header("x-client-cert", client=ClientAddress(["10.0.0.0/8"])))
    assert handler(asked(MINE, [("x-client-cert", NGINX)], "10.1.2.3")).status == 200
    assert handler(asked(MINE, [("x-client-cert", NGINX)], "11.1.2.3")).status == 401
    peer = guarded(ClientCertificate.header("x-client-cert", client=ClientAddress.peer()))
    assert peer(asked(MINE, [("x-client-cert", NGINX)], "10.1.2.3")).status == 401


def test_an_nginx_at_the_other_end_of_a_unix_socket_has_no_address() -> None:
    handler = guarded(ClientCertificate.header("x-client-cert", client=ClientAddress.nginx(unix_socket=True)))
    assert handler(asked(MINE, [("x-client-cert", NGINX)], None)).status == 200
    assert handler(asked(MINE, [("x-client-cert", NGINX)], "127.0.0.1")).status == 401
    assert handler(asked(MINE, [("x-client-cert", NGINX)], None, socket=False)).status == 401


def test_a_load_balancer_has_names_of_its_own() -> None:
    for leaf, name in ((False, "x-amzn-mtls-clientcert"), (True, "x-amzn-mtls-clientcert-leaf")):
        handler = guarded(ClientCertificate.alb("10.0.0.0/8", leaf=leaf))
        assert handler(asked(MINE, [(name, ALB)], "10.1.2.3")).status == 200
        assert handler(asked(MINE, [(name, ALB)], "203.0.113.5")).status == 401
        assert handler(asked(MINE, [("x-client-cert", ALB)], "10.1.2.3")).status == 401


# Events


def lambda_status(certificate: ClientCertificate, event: dict[str, Any]) -> int:
    @require_auth(MutualTLS(TOKENS, certificate=certificate))
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"statusCode": 200, "body": ""}

    answer = handler(event, None)
    return int(answer["statusCode"])


@pytest.mark.parametrize(("kind", "place"), [("v1", "identity"), ("v2", "authentication")])
def test_api_gateway_says_it_in_its_event(kind: Literal["v1", "v2"], place: str) -> None:
    event = lambda_event(kind, headers={"authorization": f"Bearer {MINE}"})
    assert lambda_status(ClientCertificate.api_gateway(), event) == 401
    for value, status in ((pem("mine"), 200), (pem("other"), 401), (None, 401), (7, 401), ({}, 401)):
        event["requestContext"].setdefault(place, {})["clientCert"] = {"clientCertPem": value}
        assert lambda_status(ClientCertificate.api_gateway(), event) == status
    event["requestContext"][place]["clientCert"] = pem("mine")
    assert lambda_status(ClientCertificate.api_gateway(), event) == 401


def test_a_header_is_no_event() -> None:
    headers = {"authorization": f"Bearer {MINE}", "x-amzn-mtls-clientcert": ALB, "x-client-cert": NGINX}
    kinds: tuple[Literal["v1", "v2"], ...] = ("v1", "v2")
    for kind in kinds:
        event = lambda_event(kind, headers=headers)
        for place in (
            ClientCertificate.api_gateway(),
            ClientCertificate.alb(),
            ClientCertificate.header("x-client-cert", "0.0.0.0/1"),
        ):
            assert lambda_status(place, event) == 401


def test_a_lambda_target_of_a_load_balancer_reads_its_header() -> None:
    event = lambda_event("alb", headers={"authorization": f"Bearer {MINE}", "x-amzn-mtls-clientcert": ALB})
    assert lambda_status(ClientCertificate.alb(), event) == 200
    assert lambda_status(ClientCertificate.api_gateway(), event) == 401
    assert guarded(ClientCertificate.alb())(asked(MINE, [("x-amzn-mtls-clientcert", ALB)], "10.1.2.3")).status == 401


@pytest.mark.parametrize(("made", "named"), [
    (lambda: MutualTLS(TOKENS, **_any(certificate=None)), "certificate"),
    (lambda: MutualTLS(TOKENS, **_any(certificate="x-client-cert")), "certificate"),
    (lambda: MutualTLS(TOKENS, **_any(certificate=lambda request: None, required=None)), "required"),
    (lambda: MutualTLS(Tokens, certificate=lambda request: None), "verifier"),
    (lambda: MutualTLS(object(), certificate=lambda request: None), "verifier"),
    (lambda: ClientCertificate.header("x-client-cert"), "proxies"),
    (lambda: ClientCertificate.header("", "10.0.0.0/8"), "header"),
    (lambda: ClientCertificate.header("x-client-cert", "0.0.0.0/0"), "trusted"),
    (lambda: ClientCertificate.header("x-client-cert", "10.0.0.0/8", client=ClientAddress.peer()), "proxies"),
])  # fmt: skip
def test_a_wrong_setting_is_refused(made: Callable[[], Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        made()
