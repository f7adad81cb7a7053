"""`require_signature`: where the request was sent to is configured, and what a host cannot tell exactly is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from authkit import (
    Allow,
    ConfigurationError,
    Deny,
    InvalidSignature,
    Request,
    Response,
    any_of,
    chain,
    guard,
    require_auth,
    require_roles,
    require_scopes,
    require_signature,
)
from authkit.errors import StoreUnavailable
from authkit.http import Headers
from authkit.secrets import Secrets, SecretVersions
from authkit.signatures import HmacRequests, SignatureKey, SignatureVerifier, Signer
from authkit.signatures.gateway import REQUESTS
from authkit.stores import MemoryStore
from authkit.testing import Clock, lambda_event
from authkit.webhooks import Scheme
from tests.parts import MINT, Handler
from tests.vault import Vault

SECRET = "guarded: 0f1e2d3c4b5a69788796a5b4c3d2e1f0"
NOW = 1_800_000_000.0
CLOCK = Clock(NOW)
KEYS = {"client-a": SignatureKey(SECRET, subject="alice", scopes=["orders:read"], roles=["clerk"])}
SIGNER = Signer(SECRET, keyid="client-a", clock=CLOCK)


def guarding(authority: str | None = "api.example.com", **settings: Any) -> Any:
    return require_signature(SignatureVerifier(KEYS, clock=CLOCK), authority=authority, **settings)


def signed(
    path: str = "/orders/7?a=1", method: str = "GET", body: bytes = b"", origin: str = "https://api.example.com"
) -> Request:
    return Request.build(method, path, SIGNER.sign(method, origin + path, (), body), body)


def reason(guard: Any, request: Request) -> str:
    decision = guard.decide(request)
    assert isinstance(decision, Deny), decision
    assert (decision.status, decision.code) == (401, "invalid_signature")
    return decision.reason


def test_the_principal_of_the_key_is_let_in() -> None:
    decision = chain(guarding(), require_scopes("orders:read"), require_roles("clerk")).decide(signed())
    assert isinstance(decision, Allow)
    handler = Handler()
    answer: Response = guarding()(handler.fn)(signed())
    assert (answer.status, handler.entered) == (200, 1)
    assert handler.principal is not None
    assert (handler.principal.subject, handler.principal.method) == ("alice", "signature")


def test_a_scope_that_the_key_lacks_is_a_403() -> None:
    decision = chain(guarding(), require_scopes("orders:write")).decide(signed())
    assert isinstance(decision, Deny)
    assert decision.status == 403


def test_every_cause_has_the_same_bytes() -> None:
    def answered(request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        answer: Response = guarding()(Handler().fn)(request)
        return answer.status, sorted(answer.headers.items()), answer.body

    good = signed()
    headers = dict(good.headers.items())
    causes = [
        {**headers, "signature": "sig1=:AQ==:"},
        {**headers, "signature": "\x80"},
        {**headers, "signature-input": headers["signature-input"].replace("client-a", "client-b")},
        {**headers, "signature-input": headers["signature-input"].replace("created=1", "created=2")},
        {**headers, "content-digest": "sha-256=:AQ==:"},
        {"signature": headers["signature"]},
        {"signature-input": "sig1=()", "signature": "sig1=:AQ==:"},
    ]
    answers = [answered(Request.build("GET", "/orders/7?a=1", cause)) for cause in causes]
    assert answers[0][0] == 401
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    "header", ["host", "x-forwarded-host", "forwarded", "x-original-url", "x-forwarded-uri", "x-rewrite-url"]
)
def test_no_header_says_where_the_request_was_sent_to(header: str) -> None:
    """A signature for another host or path is no better for a header that says so (AUZ-09)."""
    for origin, path in (("https://other.example.com", "/orders/7"), ("https://api.example.com", "/public")):
        value = {"forwarded": "host=other.example.com"}.get(header, path if "ur" in header else "other.example.com")
        headers = {**SIGNER.sign("GET", origin + path), header: value}
        assert reason(guarding(), Request.build("GET", "/orders/7", headers)) == "signature_mismatch"


def test_a_url_may_say_where_the_hosts_paths_begin() -> None:
    staged = guarding(None, url="https://API.example.com:443/prod/")
    request = signed()
    request = Request.build("GET", "/orders/7", SIGNER.sign("GET", "https://api.example.com/prod/orders/7"))
    assert isinstance(staged.decide(request), Allow)
    assert reason(staged, signed()) == "signature_mismatch"


def test_a_function_may_say_the_whole_url() -> None:
    tenants = guarding(None, url=lambda request: f"https://{request.headers.get('x-tenant')}.example.com{request.raw_path}")
    made = SIGNER.sign("GET", "https://acme.example.com/orders/7")
    assert isinstance(tenants.decide(Request.build("GET", "/orders/7", {**made, "x-tenant": "acme"})), Allow)
    assert reason(tenants, Request.build("GET", "/orders/7", {**made, "x-tenant": "other"})) == "signature_mismatch"
    assert reason(tenants, Request.build("GET", "/orders/7", {**made, "x-tenant": "a b"})) == "target_malformed"


@pytest.mark.parametrize(
    "settings",
    [
        {"authority": None},
        {"url": "https://api.example.com"},  # and the authority
        {"authority": ""},
        {"authority": "https://api.example.com"},
        {"authority": "api.example.com/path"},
        {"authority": "api.example.com?x"},
        {"authority": "user@api.example.com"},
        {"authority": 1},
        {"authority": None, "url": "api.example.com"},
        {"authority": None, "url": "https://api.example.com/?a=1"},
        {"authority": None, "url": 1},
        {"max_body": 0},
        {"max_body": True},
        {"tolerance": 30},  # belongs to the verifier
    ],
)
def test_a_setting_that_is_wrong(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="require_signature"):
        guarding(**settings)


def test_keys_may_be_given_for_a_verifier() -> None:
    guard = require_signature(KEYS, authority="api.example.com", clock=CLOCK, tag="payments")
    assert reason(guard, signed()) == "no_such_signature"
    with pytest.raises(ConfigurationError, match="key 'client-a'"):
        require_signature({"client-a": "short"}, authority="api.example.com")
    with pytest.raises(ConfigurationError):
        require_signature(KEYS, authority="api.example.com", unknown=1)


def test_a_gateways_scheme_that_signs_the_url_wants_the_authority() -> None:
    scheme = Scheme("whole", signature="x-s", timestamp="x-t", signed="{method} {url} {timestamp} {body}", verified=True)
    with pytest.raises(ConfigurationError, match="authority"):
        require_signature({"a": SECRET}, scheme=scheme)
    guard = require_signature({"a": SECRET}, scheme=scheme, authority="api.example.com", clock=CLOCK)
    made = HmacRequests({"a": SECRET}, scheme=scheme, clock=CLOCK).sign("a", "GET", "https://api.example.com/x?y=1")
    assert isinstance(guard.decide(Request.build("GET", "/x?y=1", made)), Allow)
    by_path = require_signature({"a": SECRET}, scheme=REQUESTS, clock=CLOCK)
    missing = by_path.decide(Request.build("GET", "/"))
    assert isinstance(missing, Deny)
    assert (missing.reason, missing.no_credential, missing.headers) == ("no_credential", True, None)


def test_beside_another_guard_a_bad_signature_does_not_fall_through() -> None:
    either = any_of(guarding(), require_auth(MINT.tokens))
    bearer = {"authorization": f"Bearer {MINT.good('bob')}"}
    assert isinstance(either.decide(signed()), Allow)
    assert isinstance(either.decide(Request.build("GET", "/", bearer)), Allow)
    bad = either.decide(Request.build("GET", "/", {**bearer, "signature": "x", "signature-input": "y"}))
    assert isinstance(bad, Deny)
    assert bad.status == 401


def test_an_authorizer_sees_no_body_and_is_refused() -> None:
    for each in (guarding(), require_auth(guarding())):
        with pytest.raises(ConfigurationError, match="body"):
            each.authorizer(cached=False)


def test_a_path_that_the_host_decoded_is_written_as_it_was_sent() -> None:
    """A host that says only what its router sees, as some WSGI servers do."""

    def decoded(path: str, seen: str) -> Request:
        made = SIGNER.sign("GET", "https://api.example.com" + path)
        return Request("GET", seen, headers=Request.build("GET", "/", made).headers, body=b"")

    assert isinstance(guarding().decide(decoded("/a%20b/%C3%A9;x=1", "/a b/\u00e9;x=1")), Allow)
    assert isinstance(guarding().decide(decoded("/a%252Fb", "/a%2Fb")), Allow)
    assert reason(guarding(), decoded("/a%2Fb", "/a/b")) == "signature_mismatch"  # two paths that it cannot tell apart
    assert reason(guarding(), decoded("/%FF", "/\ufffd")) == "path_not_exact"


@pytest.mark.parametrize("path", ["/a b", "/\u00e9", "//evil", "*", "a", "https://api.example.com/a", "/a\n"])
def test_a_path_that_nobody_can_have_sent_is_refused(path: str) -> None:
    made = SIGNER.sign("GET", "https://api.example.com/a")
    request = Request("GET", "/a", raw_path=path, headers=Request.build("GET", "/", made).headers, body=b"")
    assert reason(guarding(), request) in ("path_not_exact", "signature_mismatch")


@pytest.mark.parametrize("path", ["/a%20b", "/a%252Fb", "/a%2Fb", "/%C3%A9"])
@pytest.mark.parametrize("kind", ["v1", "v2", "function_url", "alb", "edge", "lattice"])
def test_on_lambda_an_encoded_path_is_refused_because_some_events_hold_it_decoded(kind: Any, path: str) -> None:
    handler = guarding()(lambda event, context: {"statusCode": 200, "status": "200"})

    def status(path: str) -> int:
        headers = SIGNER.sign("GET", f"https://api.example.com{path}")
        answer = handler(lambda_event(kind, path=path, headers=headers), None)
        return int(answer.get("statusCode") or answer["status"])

    assert (status(path), status("/a-b/c_d~e.f")) == (401, 200)


def test_a_rotated_secret_is_read_again_when_a_signature_does_not_hold() -> None:
    clock = Clock(NOW)
    vault = Vault(SecretVersions(SECRET))
    secrets = Secrets(vault, ttl=3000, clock=clock)
    guard = require_signature({"client-a": secrets["KEY"]}, authority="api.example.com", clock=CLOCK)
    guard.prepare()
    assert isinstance(guard.decide(signed()), Allow)
    vault.rotate("rotated: " + SECRET)
    clock.advance(60)
    made = Signer("rotated: " + SECRET, keyid="client-a", clock=CLOCK).sign("GET", "https://api.example.com/")
    assert isinstance(guard.decide(Request.build("GET", "/", made)), Allow)
    assert isinstance(guard.decide(signed()), Allow)  # with the previous value


def test_a_replay_is_refused_and_a_store_that_fails_is_a_503() -> None:
    class Down(MemoryStore):
        def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
            raise StoreUnavailable("the store is down")

    request = signed()
    once = require_signature(KEYS, authority="api.example.com", clock=CLOCK, replay=MemoryStore())
    assert isinstance(once.decide(request), Allow)
    assert reason(once, request) == "replayed"
    down = require_signature(KEYS, authority="api.example.com", clock=CLOCK, replay=Down())
    answer: Response = down(Handler().fn)(signed())
    assert answer.status == 503


def test_many_copies_at_once_are_let_in_once() -> None:
    once = require_signature(KEYS, authority="api.example.com", clock=CLOCK, replay=MemoryStore())
    made = dict(signed().headers.items())

    async def storm() -> list[Any]:
        requests = [Request.build("GET", "/orders/7?a=1", made) for _ in range(50)]
        return await asyncio.gather(*(once.adecide(request) for request in requests))

    assert [isinstance(decision, Allow) for decision in asyncio.run(storm())].count(True) == 1


def test_a_verifier_that_raises_what_it_should_not_admits_nobody() -> None:
    def find(keyid: str) -> SignatureKey | None:
        raise LookupError("a mistake in the program")

    guard = require_signature(find, authority="api.example.com", clock=CLOCK)
    with pytest.raises(LookupError):
        guard.decide(signed())
    assert issubclass(InvalidSignature, Exception)


class Upload(Request):
    """A request whose body has not come yet."""

    __slots__ = ("length", "limits")
    length: int
    limits: list[int]  # of each time that it was read

    async def _read_body(self, limit: int) -> bytes:
        self.limits.append(limit)
        return bytes(self.length)


def upload(length: int, headers: dict[str, str]) -> Upload:
    made = Upload("POST", "/", raw_path="/", headers=Headers({"content-length": str(length), **headers}))
    made.length, made.limits = length, []
    return made


def test_a_body_is_read_only_for_a_request_that_claims_to_be_signed() -> None:
    """An upload under a bearer token is streamed, however large, and nobody's is not read at all."""
    either = require_auth(MINT.tokens, guarding(max_body=1000))
    bearer, nobody = upload(5000, {"authorization": f"Bearer {MINT.good('bob')}"}), upload(5000, {})
    assert isinstance(either.decide(bearer), Allow)
    for each in (either, guarding()):
        refused = each.decide(nobody)
        assert isinstance(refused, Deny)
        assert (refused.status, refused.reason) == (401, "no_credential")
    assert (bearer.limits, nobody.limits) == ([], [])


def test_an_unread_body_is_asked_to_be_covered() -> None:
    for length, asked in ((5000, True), (0, False)):
        refused = guarding().decide(upload(length, {}))
        assert isinstance(refused, Deny)
        assert refused.headers is not None
        assert ('"content-digest"' in refused.headers["accept-signature"]) is asked


def test_a_signed_body_is_read_up_to_the_limit() -> None:
    for each in (
        guarding(max_body=1000),
        require_auth(guarding(max_body=1000)),
        any_of(require_auth(MINT.tokens), guarding(max_body=1000)),
    ):
        sent = upload(5000, SIGNER.sign("POST", "https://api.example.com/", (), bytes(5000)))
        refused = each.decide(sent)
        assert isinstance(refused, Deny)
        assert (refused.status, sent.limits) == (413, [1000])


GATEWAY = HmacRequests({"client-a": SECRET}, clock=CLOCK)
GATEWAYS = {key.lower(): value for key, value in GATEWAY.sign("client-a", "POST", "/", bytes(10)).items()}
SENT: Any = ("POST", "https://api.example.com/", (), bytes(10))
RFC = {key.lower(): value for key, value in SIGNER.sign(*SENT).items()}
LATER = Signer(SECRET, keyid="client-a", clock=Clock(NOW + 3600))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"signature": "other=:AAAA:"}, "labels_differ"), ({"signature-input": "non sense"}, "signature_malformed"),
        ({"signature": "sig1=:" + "A" * 43 + "=:"}, "signature_mismatch"),
        (LATER.sign(*SENT), "created_in_future"), (SIGNER.sign("GET", *SENT[1:]), "signature_mismatch"),
        (Signer(SECRET, keyid="nobody", clock=CLOCK).sign(*SENT), "unknown_key"),
        (Signer("o" * 32, keyid="client-a", clock=CLOCK).sign(*SENT), "signature_mismatch"),
    ],
)  # fmt: skip
def test_a_body_is_read_once_the_signature_holds_and_not_before(changed: dict[str, str], reason: str) -> None:
    """Signed is the digest of a body: whoever has no key makes nobody read one."""
    sent = upload(10, {**RFC, **{key.lower(): value for key, value in changed.items()}})
    refused = guarding().decide(sent)
    assert isinstance(refused, Deny)
    assert (refused.status, refused.reason, sent.limits) == (401, reason, [])
    good = upload(10, RFC)
    assert isinstance(guarding().decide(good), Allow)
    assert good.limits == [1_048_576]
    other = upload(11, RFC)
    refused = guarding().decide(other)
    assert isinstance(refused, Deny)
    assert (refused.reason, other.limits) == ("digest_mismatch", [1_048_576])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"x-signature": ""}, "signature_missing"), ({"x-key-id": "nobody"}, "unknown_key"),
        ({"x-key-id": ""}, "keyid_malformed"),
        ({"x-timestamp": str(int(NOW) - 3600)}, "timestamp_too_old"), ({"x-timestamp": "now"}, "timestamp_malformed"),
        ({"x-nonce": ""}, None), ({"x-signature": "0" * 64}, None),
    ],
)  # fmt: skip
def test_a_gateways_hmac_needs_the_body_where_the_headers_may_be_right(changed: dict[str, str], reason: str | None) -> None:
    sent = upload(10, {**GATEWAYS, **changed})
    refused = require_signature(GATEWAY).decide(sent)
    assert isinstance(refused, Deny)
    assert refused.status == 401
    assert sent.limits == ([1_048_576] if reason is None else [])
    assert reason in (None, refused.reason)


@pytest.mark.parametrize("verifier", [SignatureVerifier(KEYS, clock=CLOCK), GATEWAY])
def test_a_body_that_is_no_bytes_is_a_mistake(verifier: Any) -> None:
    with pytest.raises(TypeError, match="bytes as they were received"):
        verifier.verify("POST", "https://api.example.com/", {**RFC, **GATEWAYS}, "text")


def test_a_body_that_was_read_for_its_signature_is_read_once() -> None:
    @guard(body=True)
    def inner(request: Request) -> Allow | Deny:
        return Allow() if request.body == bytes(10) else Deny(403, "forbidden")

    sent = upload(10, SIGNER.sign("POST", "https://api.example.com/", (), bytes(10)))
    handler = Handler()
    answer: Response = require_auth(MINT.tokens, guarding())(inner(handler.fn))(sent)
    assert (answer.status, handler.entered, sent.limits) == (200, 1, [1_048_576])


@pytest.mark.parametrize("more", [{}, {"scheme": REQUESTS}])
def test_a_setting_that_there_is_none_of_shows_no_key(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="nonsense") as raised:
        require_signature({"client-a": SECRET}, authority="api.example.com", nonsense=1, **more)
    assert raised.value.__context__ is None
    for entry in raised.traceback[1:]:
        assert SECRET not in repr(entry.frame.f_locals)
