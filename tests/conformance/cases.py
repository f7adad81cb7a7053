"""The table. Each row reads: behind this guard, that request gets this answer, on every host."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from authkit import (
    Allow,
    Deny,
    Guard,
    Request,
    Response,
    Tokens,
    Unavailable,
    allow_ips,
    any_of,
    chain,
    deny_ips,
    guard,
    rate_limit,
    require,
    require_api_key,
    require_auth,
    require_roles,
    require_scopes,
    require_signature,
    verify_webhook,
)
from authkit.access import RoleMap, claim, role, scope
from authkit.address import ClientAddress
from authkit.apikeys import ApiKeys, MemoryKeys
from authkit.signatures import HmacRequests, SignatureKey, SignatureVerifier, Signer
from authkit.signatures.gateway import REQUESTS
from authkit.stores import MemoryStore
from authkit.testing import Clock, TokenMint
from authkit.webhooks import Scheme, sign, verify
from authkit.webhooks.replay import Replay

from .exchange import Sent

NOW = 1_800_000_000.0
ISSUER, AUDIENCE = "https://issuer.example", "https://api.example"
SECRET = "conformance: 0f1e2d3c4b5a69788796a5b4c3d2e1f0"
# The same key in every process that imports the table: the servers verify what the tests send.
MINT = TokenMint(issuer=ISSUER, audience=AUDIENCE, clock=Clock(NOW), random=random.Random("conformance").randbytes)
TOKENS: Tokens = MINT.tokens
ALICE = MINT.good("alice", scopes=["orders:read"], roles=["clerk"], ttl=86_400)
GRACE = MINT.good("grace", roles=["admin"], ttl=86_400)
PEER = ClientAddress.peer()
KEYS = ApiKeys(MemoryKeys(), clock=Clock(NOW), random=random.Random("api keys").randbytes)
ROBOT = KEYS.new("robot", name="nightly", scopes=["orders:read"], roles=["clerk"]).reveal()
REVOKED = KEYS.new("robot")
KEYS.revoke(REVOKED.id)

N401 = {"www-authenticate": 'Bearer realm="api"', "content-type": "application/problem+json", "cache-control": "no-store"}
U401 = {**N401, "www-authenticate": 'Bearer error="invalid_token"'}
B400 = {**N401, "www-authenticate": 'Bearer error="invalid_request"'}
PROBLEM = {"content-type": "application/problem+json", "cache-control": "no-store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`sent`: the last is the one judged; those before it only have to be let in. `reason`: the audit code.
    `headers`: these exactly, on the answer. `handler`: what it must have seen, where it is entered.
    `remembers`: the guard counts requests, so this case has one of its own; all others share theirs."""

    name: str
    guard: Callable[[], Guard]
    sent: tuple[Sent, ...]
    status: int | None
    entered: bool = False
    code: str | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    reason: str | None = None
    outcome: str = "deny"
    by: str | None = None
    shadow: str | None = None
    handler: Mapping[str, object] = field(default_factory=dict)
    error: str | None = None
    remembers: bool = False


class Elsewhere(MemoryStore):
    """A store that is asked as one on a network is."""

    blocks = True


def bearer(token: str, *more: tuple[str, str], **changed: object) -> Sent:
    return Sent(headers=(("Authorization", f"Bearer {token}"), *more), **changed)  # type: ignore[arg-type]


def authorization(value: str) -> Sent:
    return Sent(headers=(("Authorization", value),))


def auth() -> Guard:
    return require_auth(TOKENS)


@guard
def custom(request: Request) -> Allow | Deny:
    if request.headers.get("x-custom-auth") != "demo":
        return Deny(401, "invalid_credentials", reason="custom_refused")
    return Allow(drop_headers=["X-Custom-Auth"], headers={"x-custom": "passed"})


@guard.after
def stamp(request: Request, response: Response | None) -> None:
    if response is not None:
        response.headers["x-served-by"] = "authkit"


@guard(body=True, body_limit=64)
def short_body(request: Request) -> Allow | Deny:
    return Allow() if request.body.startswith(b"{") else Deny(403, "forbidden", reason="body_shape")


@guard
def broken_dependency(request: Request) -> Allow | Deny:
    raise Unavailable("the directory is down", retry_after=7)


@guard
def says_nothing(request: Request) -> Allow | Deny:
    return None  # type: ignore[return-value]


@guard
def raises(request: Request) -> Allow | Deny:
    raise LookupError("a mistake in the guard")


def _identity() -> Iterator[Case]:
    refused = {"code": "unauthorized", "headers": N401, "reason": "no_credential", "by": "require_auth"}
    yield Case(name="no credential is 401 without an error", guard=auth, sent=(Sent(),), status=401, **refused)
    yield Case(name="another scheme counts as none", guard=auth, sent=(authorization("Basic YTpi"),), status=401, **refused)
    yield Case(name="Digest counts as none", guard=auth, sent=(authorization('Digest username="x"'),), status=401, **refused)
    yield Case(
        name="a scheme that begins with bearer is another",
        guard=auth,
        sent=(authorization(f"Bearers {ALICE}"),),
        status=401,
        **refused,
    )
    for method in ("HEAD", "OPTIONS", "POST", "DELETE", "PATCH", "PUT"):
        yield Case(name=f"{method} is guarded as GET is", guard=auth, sent=(Sent(method=method),), status=401, **refused)
    alice = {"subject": "alice", "roles": ["clerk"]}
    yield Case(
        name="a good token is let in",
        guard=auth,
        sent=(bearer(ALICE),),
        status=200,
        entered=True,
        outcome="allow",
        handler=alice,
    )
    for scheme in ("bearer", "BEARER", "bEaReR"):
        sent = authorization(f"{scheme} {ALICE}")
        yield Case(
            name=f"the scheme is case-insensitive: {scheme}",
            guard=auth,
            sent=(sent,),
            status=200,
            entered=True,
            outcome="allow",
            handler=alice,
        )
    for name, token in MINT.bad().items():
        if len(token) < 6000:  # past that it is the server that refuses: each host's own tests send the huge ones
            yield Case(
                name=f"bad token: {name}", guard=auth, sent=(bearer(token),), by="require_auth",
                status=401, code="invalid_token", headers=U401,
            )  # fmt: skip
    malformed = {"status": 400, "code": "invalid_request", "headers": B400, "by": "require_auth"}
    for shape in ("Bearer", "Bearer  T", "Bearer\tT", 'Bearer "T"', "Bearer T,", "Bearer T x", "Bearer=T", "Bearer Bearer T",
                  "Bearer =", "Bearer a b", "Bearer {}", "Bearer T, Bearer T"):  # fmt: skip
        sent = authorization(shape.replace("T", ALICE))
        yield Case(name=f"not one token68: {shape!r}", guard=auth, sent=(sent,), **malformed)
    for first, second in (("good", "good"), ("good", "bad"), ("bad", "good")):
        lines = tuple(("Authorization", f"Bearer {ALICE if word == 'good' else 'x.y.z'}") for word in (first, second))
        yield Case(name=f"two credentials: {first} and {second}", guard=auth, sent=(Sent(headers=lines),), **malformed)

    def anybody() -> Guard:
        return require_auth(TOKENS, optional=True)

    yield Case(
        name="optional: none is anonymous",
        guard=anybody,
        sent=(Sent(),),
        status=200,
        entered=True,
        outcome="allow",
        handler={"subject": None},
    )
    yield Case(
        name="optional: a bad one is refused",
        guard=anybody,
        sent=(bearer("x.y.z"),),
        status=401,
        headers=U401,
        by="require_auth",
    )
    cookie = {"guard": lambda: require_auth(TOKENS, cookie="session")}
    session = ("Cookie", f"a=b; session={ALICE}")
    yield Case(
        name="cookie: a safe method",
        sent=(Sent(headers=(session,)),),
        status=200,
        entered=True,
        outcome="allow",
        handler=alice,
        **cookie,
    )
    cross = Sent(method="POST", headers=(session, ("Sec-Fetch-Site", "cross-site")))
    yield Case(
        name="cookie: an unsafe method from another site",
        sent=(cross,),
        status=403,
        code="csrf_failed",
        headers=PROBLEM,
        reason="csrf_failed",
        **cookie,
    )
    own = Sent(method="POST", headers=(session, ("Sec-Fetch-Site", "same-origin")))
    yield Case(
        name="cookie: an unsafe method from our own pages",
        sent=(own,),
        status=200,
        entered=True,
        outcome="allow",
        handler=alice,
        **cookie,
    )
    yield Case(
        name="cookie: not asked for, not looked at", guard=auth, sent=(Sent(headers=(session,)),), status=401, headers=N401
    )
    both = bearer(ALICE, session)
    yield Case(
        name="cookie and header are two credentials", sent=(both,), status=400, headers=B400, reason="two_credentials", **cookie
    )
    query = Sent(query=f"access_token={ALICE}")
    yield Case(name="a token in the query is never looked at", guard=auth, sent=(query,), status=401, headers=N401)

    def either() -> Guard:
        other = Tokens(
            "another issuer's key: 5f4e3d2c1b0a9f8e", issuer="https://other.example", audience=AUDIENCE, clock=Clock(NOW)
        )
        return any_of(require_auth(other), require_auth(TOKENS, realm="second"))

    both_challenges = {**N401, "www-authenticate": 'Bearer realm="api", Bearer realm="second"'}
    yield Case(
        name="any_of: none is 401 with every challenge",
        guard=either,
        sent=(Sent(),),
        status=401,
        headers=both_challenges,
        reason="no_credential",
    )
    yield Case(name="any_of: a bad one does not fall through", guard=either, sent=(bearer(ALICE),), status=401, headers=U401)


def _access() -> Iterator[Case]:
    def scopes() -> Guard:
        return chain(auth(), require_scopes("orders:read"))

    def roles() -> Guard:
        return chain(auth(), require_roles("admin"))

    missing = {**PROBLEM, "www-authenticate": 'Bearer error="insufficient_scope", scope="orders:read"'}
    yield Case(name="a scope that is there", guard=scopes, sent=(bearer(ALICE),), status=200, entered=True, outcome="allow")
    yield Case(
        name="a scope that is missing",
        guard=scopes,
        sent=(bearer(GRACE),),
        status=403,
        code="insufficient_scope",
        headers=missing,
        reason="scope_missing",
        by="require_scopes",
    )
    yield Case(name="a scope, and no credential", guard=scopes, sent=(Sent(),), status=401, headers=N401, by="require_auth")
    yield Case(
        name="a role that is there",
        guard=roles,
        sent=(bearer(GRACE),),
        status=200,
        entered=True,
        outcome="allow",
        handler={"subject": "grace"},
    )
    forbidden = {**PROBLEM, "www-authenticate": None}
    yield Case(
        name="a role that is missing",
        guard=roles,
        sent=(bearer(ALICE),),
        status=403,
        code="forbidden",
        headers=forbidden,
        reason="role_missing",
        by="require_roles",
    )

    def policy() -> Guard:
        return chain(auth(), require(scope("orders:read") & (role("admin") | ~role("guest")) & ~claim("org", "evil")))

    yield Case(name="a policy that holds", guard=policy, sent=(bearer(ALICE),), status=200, entered=True, outcome="allow")
    evil = MINT.good("mallory", scopes=["orders:read"], claims={"org": "evil"})
    yield Case(name="a policy that does not", guard=policy, sent=(bearer(evil),), status=403, code="forbidden", by="require")

    def mapped() -> Guard:
        return chain(auth(), require_scopes("orders:read", roles=RoleMap({"admin": {"orders:read"}})))

    yield Case(name="a scope through a role", guard=mapped, sent=(bearer(GRACE),), status=200, entered=True, outcome="allow")

    def open_ended() -> Guard:
        return chain(auth(), require(lambda principal, request: principal))  # type: ignore[arg-type, return-value]

    yield Case(
        name="a policy that says neither True nor False refuses",
        guard=open_ended,
        sent=(bearer(ALICE),),
        status=403,
        code="forbidden",
    )

    def upside_down() -> Guard:
        return chain(require_roles("admin"), auth())

    yield Case(
        name="a chain that cannot be sealed admits nobody",
        guard=upside_down,
        sent=(bearer(GRACE),),
        status=500,
        code="server_error",
        reason="configuration_error",
    )

    def nobody_asked() -> Guard:
        return require_roles("admin")

    yield Case(
        name="a role with nobody to have it",
        guard=nobody_asked,
        sent=(Sent(),),
        status=401,
        headers=N401,
        reason="no_principal",
    )


def _custom() -> Iterator[Case]:
    def both() -> Guard:
        return chain(custom, stamp)

    passed = Sent(headers=(("X-Custom-Auth", "demo"),))
    shown = {"x-custom": "passed", "x-served-by": "authkit"}
    yield Case(
        name="own guard: passed, header dropped, response stamped",
        guard=both,
        sent=(passed,),
        status=200,
        entered=True,
        outcome="allow",
        headers=shown,
        handler={"dropped": None},
    )
    refused = {**PROBLEM, "x-served-by": "authkit", "x-custom": None}
    yield Case(
        name="own guard: refused, response stamped",
        guard=both,
        sent=(Sent(),),
        status=401,
        code="invalid_credentials",
        headers=refused,
        reason="custom_refused",
        by="custom",
    )
    twice = Sent(headers=(("X-Custom-Auth", "demo"), ("X-Custom-Auth", "demo")))
    yield Case(name="own guard: a repeated header is no longer its value", guard=both, sent=(twice,), status=401, by="custom")
    yield Case(
        name="a guard that returns None admits nobody",
        guard=lambda: says_nothing,
        sent=(Sent(),),
        status=None,
        error="TypeError",
        outcome="error",
    )
    yield Case(
        name="a guard that raises admits nobody",
        guard=lambda: raises,
        sent=(Sent(),),
        status=None,
        error="LookupError",
        outcome="error",
    )
    down = {**PROBLEM, "retry-after": "7"}
    yield Case(
        name="a dependency that is down is 503",
        guard=lambda: broken_dependency,
        sent=(Sent(),),
        status=503,
        code="temporarily_unavailable",
        headers=down,
        reason="unavailable",
        outcome="unavailable",
    )
    shadowed = {"status": 200, "entered": True, "outcome": "allow", "handler": {"subject": None}}
    yield Case(
        name="shadow decides and never blocks",
        guard=lambda: auth().shadow(),
        sent=(bearer("x.y.z"),),
        shadow="require_auth:token_malformed",
        **shadowed,
    )
    yield Case(
        name="shadow survives a guard that raises",
        guard=lambda: raises.shadow(),
        sent=(Sent(),),
        shadow="error:LookupError",
        **shadowed,
    )

    def render(request: Request, response: Response) -> Response:
        return Response(200, {"content-type": "text/plain; charset=utf-8"}, b"no entry")

    rendered = {"content-type": "text/plain; charset=utf-8", "www-authenticate": 'Bearer realm="api"'}
    yield Case(
        name="render changes the look, never the decision",
        guard=lambda: chain(auth(), render=render),
        sent=(Sent(),),
        status=401,
        headers=rendered,
    )
    text = b'{"a":  1, "\\u00e9": "\\ud83d"}\r\n'
    whole = {"body": hashlib.sha256(text).hexdigest()}
    posted = Sent(method="POST", headers=(("Content-Type", "application/json"),), body=text)
    yield Case(
        name="a body that a guard has read is handed on intact",
        guard=lambda: short_body,
        sent=(posted,),
        status=200,
        entered=True,
        outcome="allow",
        handler=whole,
    )
    long = Sent(method="POST", headers=(("Content-Type", "application/json"),), body=b"{" + b"x" * 64)
    yield Case(
        name="a body over the limit is 413",
        guard=lambda: short_body,
        sent=(long,),
        status=413,
        code="content_too_large",
        headers=PROBLEM,
        reason="body_too_large",
    )
    binary = Sent(method="POST", headers=(("Content-Type", "application/octet-stream"),), body=b"{\x00\xff\xfe")
    seen = {"body": hashlib.sha256(binary.body).hexdigest()}
    yield Case(
        name="a binary body stays what it was",
        guard=lambda: short_body,
        sent=(binary,),
        status=200,
        entered=True,
        outcome="allow",
        handler=seen,
    )


def _paths() -> Iterator[Case]:
    def except_some() -> Guard:
        return auth().except_for("/health", "/public/*")

    for path in ("/health", "/public/a", "/public/a/b.css"):
        yield Case(
            name=f"exempt: {path}",
            guard=except_some,
            sent=(Sent(path=path),),
            status=200,
            entered=True,
            outcome="allow",
            handler={"subject": None},
        )
    for path in ("/healthy", "/health/", "/public", "/public/", "/Health", "/publicity/a", "/a/health", "/public/a;b"):
        yield Case(name=f"not exempt: {path}", guard=except_some, sent=(Sent(path=path),), status=401)


def _addresses() -> Iterator[Case]:
    def office() -> Guard:
        return chain(deny_ips("127.0.113.66", client=PEER), allow_ips("127.0.113.0/24", client=PEER))

    refused = {"status": 403, "code": "forbidden", "headers": PROBLEM}
    yield Case(name="an address that is allowed", guard=office, sent=(Sent(),), status=200, entered=True, outcome="allow")
    yield Case(
        name="an address that is not",
        guard=office,
        sent=(Sent(peer="127.51.100.1"),),
        by="allow_ips",
        reason="address_refused",
        **refused,
    )
    yield Case(
        name="an address that is denied",
        guard=office,
        sent=(Sent(peer="127.0.113.66"),),
        by="deny_ips",
        reason="address_refused",
        **refused,
    )
    yield Case(
        name="no address at all",
        guard=office,
        sent=(Sent(peer=None),),
        reason="no_client_address",
        **refused,
    )

    def unconfigured() -> Guard:
        return allow_ips("198.51.100.0/24")

    def behind_proxies() -> Guard:
        return allow_ips("198.51.100.0/24", client=ClientAddress(["127.0.113.0/24"]))

    forged = (("X-Forwarded-For", "198.51.100.7"),)
    yield Case(
        name="a forged header, and no proxy", guard=unconfigured, sent=(Sent(headers=forged),), by="allow_ips", **refused
    )
    yield Case(
        name="a forged header, past the proxies",
        guard=behind_proxies,
        sent=(Sent(headers=forged, peer="127.51.100.1"),),
        by="allow_ips",
        reason="address_refused",
        **refused,
    )
    yield Case(
        name="a header that a proxy wrote, behind what the client wrote",
        guard=behind_proxies,
        sent=(Sent(headers=(("X-Forwarded-For", "127.51.100.1, 198.51.100.7, 127.0.113.3"),)),),
        status=200,
        entered=True,
        outcome="allow",
    )
    yield Case(
        name="a header that a proxy wrote cannot be read",
        guard=behind_proxies,
        sent=(Sent(headers=(("X-Forwarded-For", "198.51.100.7, unknown"),)),),
        by="allow_ips",
        reason="no_client_address",
        **refused,
    )

    def limited() -> Guard:
        return rate_limit("2/minute", client=PEER, name="conformance", store=MemoryStore(clock=Clock(NOW)))

    over = {**PROBLEM, "retry-after": "30", "ratelimit-policy": '"conformance";q=2;w=60'}
    yield Case(
        name="the request over the limit",
        guard=limited,
        sent=(Sent(), Sent(), Sent()),
        status=429,
        code="rate_limited",
        headers=over,
        by="rate_limit",
        remembers=True,
    )
    yield Case(
        name="the last request within the limit",
        guard=limited,
        sent=(Sent(), Sent()),
        status=200,
        entered=True,
        outcome="allow",
        headers={"ratelimit-policy": over["ratelimit-policy"]},
        remembers=True,
    )


def _limits() -> Iterator[Case]:
    def store() -> MemoryStore:
        return MemoryStore(clock=Clock(NOW), wall=Clock(NOW))

    def two_stages() -> Guard:
        by_ip = rate_limit("9/minute", client=PEER, store=store())
        return chain(by_ip, require_auth(TOKENS), rate_limit("1/minute", key="principal", store=store()))

    alice = Sent(headers=(("Authorization", f"Bearer {ALICE}"),))
    policies = '"default-2";q=1;w=60, "default";q=9;w=60'
    yield Case(
        name="the principal is over its limit, the address is not",
        guard=two_stages,
        sent=(alice, alice),
        status=429,
        code="rate_limited",
        headers={
            **PROBLEM,
            "retry-after": "60",
            "ratelimit-policy": policies,
            "ratelimit": '"default-2";r=0;t=60, "default";r=7;t=7',
        },
        by="rate_limit",
        reason="rate_limited",
        remembers=True,
    )
    yield Case(
        name="another principal at that address",
        guard=two_stages,
        sent=(alice, Sent(headers=(("Authorization", f"Bearer {GRACE}"),))),
        status=200,
        entered=True,
        outcome="allow",
        headers={"ratelimit": '"default";r=7;t=7, "default-2";r=0;t=60'},
        remembers=True,
    )
    yield Case(
        name="a bad token counts for its address",
        guard=two_stages,
        sent=(Sent(headers=(("Authorization", "Bearer x.y.z"),)),),
        status=401,
        headers={**U401, "ratelimit": '"default";r=8;t=7'},
        remembers=True,
    )

    def windowed() -> Guard:
        return rate_limit("2/minute", "3/hour", client=PEER, name="w", algorithm="sliding-window", store=store())

    yield Case(
        name="the request over a sliding window",
        guard=windowed,
        sent=(Sent(), Sent(), Sent()),
        status=429,
        headers={
            **PROBLEM,
            "retry-after": "60",
            "ratelimit-policy": '"w:2-per-minute";q=2;w=60, "w:3-per-hour";q=3;w=3600',
            "ratelimit": '"w:2-per-minute";r=0;t=60, "w:3-per-hour";r=1;t=3600',
        },
        remembers=True,
    )

    def forgiving() -> Guard:
        def counts(request: Request, response: Response | None) -> bool:
            return response is None or response.status != 200

        return rate_limit("1/minute", client=PEER, deduct_when=counts, store=store())

    yield Case(
        name="what need not count has not",
        guard=forgiving,
        sent=(Sent(), Sent(), Sent()),
        status=200,
        entered=True,
        outcome="allow",
        headers={"ratelimit": '"default";r=0;t=60'},
        remembers=True,
    )

    def one_at_a_time() -> Guard:
        return rate_limit("1 concurrent", client=PEER, store=store())

    yield Case(
        name="one after the other, where one may be in at once",
        guard=one_at_a_time,
        sent=(Sent(), Sent(), Sent()),
        status=200,
        entered=True,
        outcome="allow",
        headers={"ratelimit-policy": '"default";q=1;qu="concurrent-requests"', "ratelimit": '"default";r=0'},
        remembers=True,
    )

    def old_style() -> Guard:
        return rate_limit("5/minute", client=PEER, legacy_headers=True, store=store())

    yield Case(
        name="a limit that tells in the older fields too",
        guard=old_style,
        sent=(Sent(),),
        status=200,
        entered=True,
        outcome="allow",
        headers={"x-ratelimit-limit": "5", "x-ratelimit-remaining": "4"},
        remembers=True,
    )


def _webhooks() -> Iterator[Case]:
    body = json.dumps({"action": "opened"}, indent=3).encode()

    def hook() -> Guard:
        return verify_webhook("github", secret=SECRET)

    def delivery(signed: bytes, sent: bytes) -> Sent:
        headers = tuple(sign("github", SECRET, signed).items())
        return Sent(method="POST", headers=(("Content-Type", "application/json"), *headers), body=sent)

    whole = {"body": hashlib.sha256(body).hexdigest()}
    yield Case(
        name="a webhook that is signed",
        guard=hook,
        sent=(delivery(body, body),),
        status=200,
        entered=True,
        outcome="allow",
        handler=whole,
    )
    yield Case(
        name="a webhook whose body was changed",
        guard=hook,
        sent=(delivery(body, body + b" "),),
        status=401,
        by="verify_webhook",
    )
    unsigned = Sent(method="POST", headers=(("Content-Type", "application/json"),), body=body)
    yield Case(name="a webhook without a signature", guard=hook, sent=(unsigned,), status=401, by="verify_webhook")

    def small() -> Guard:
        return verify_webhook("github", secret=SECRET, max_body=len(body) - 1)

    yield Case(
        name="a webhook that is too large",
        guard=small,
        sent=(delivery(body, body),),
        status=413,
        code="content_too_large",
        by="verify_webhook",
        reason="body_too_large",
    )

    def once() -> Guard:
        return verify_webhook("github", secret=SECRET, replay=MemoryStore(clock=Clock(NOW)))

    yield Case(
        name="a webhook for the first time",
        guard=once,
        sent=(delivery(body, body),),
        status=200,
        entered=True,
        outcome="allow",
        handler=whole,
        remembers=True,
    )
    yield Case(
        name="a webhook that is handled already",
        guard=once,
        sent=(delivery(body, body), delivery(body, body)),
        status=200,
        by="verify_webhook",
        reason="already_handled",
        headers={"cache-control": "no-store", "content-type": None},
        remembers=True,
    )

    def once_elsewhere() -> Guard:
        return verify_webhook("github", secret=SECRET, replay=Elsewhere(clock=Clock(NOW)))

    yield Case(
        name="a webhook that is handled already, says a store that is waited for",
        guard=once_elsewhere,
        sent=(delivery(body, body), delivery(body, body)),
        status=200,
        by="verify_webhook",
        reason="already_handled",
        headers={"cache-control": "no-store", "content-type": None},
        remembers=True,
    )

    def in_progress() -> Guard:
        store = MemoryStore(clock=Clock(NOW))
        replay = Replay(store)
        replay.begin(verify("github", SECRET, sign("github", SECRET, body), body).replay_key)
        return verify_webhook("github", secret=SECRET, replay=replay)

    yield Case(
        name="a webhook that is being handled elsewhere",
        guard=in_progress,
        sent=(delivery(body, body),),
        status=409,
        by="verify_webhook",
        reason="in_progress",
        headers={"retry-after": "10", "cache-control": "no-store"},
        remembers=True,
    )

    def asking() -> Guard:
        return verify_webhook(
            Scheme("meta", signature="X-Hub-Signature-256", prefix="sha256=", handshake="meta"),
            secret=SECRET,
            verify_token="agreed",
        )

    text = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    yield Case(
        name="a handshake of a webhook",
        guard=asking,
        sent=(Sent(query="hub.mode=subscribe&hub.verify_token=agreed&hub.challenge=%3Cb%3E1"),),
        status=200,
        by="verify_webhook",
        reason="handshake_meta",
        headers=text,
    )
    yield Case(
        name="a handshake of somebody else",
        guard=asking,
        sent=(Sent(query="hub.mode=subscribe&hub.verify_token=guessed&hub.challenge=1"),),
        status=403,
        code="forbidden",
        by="verify_webhook",
        reason="handshake_token",
    )


def _api_keys() -> Iterator[Case]:
    missing = {**PROBLEM, "www-authenticate": 'ApiKey realm="api"'}
    robot = {"status": 200, "entered": True, "outcome": "allow", "handler": {"subject": "robot", "roles": ["clerk"]}}
    bad = {"status": 401, "code": "invalid_api_key", "headers": missing, "by": "require_api_key"}
    two = {"status": 400, "code": "invalid_request", "headers": PROBLEM, "reason": "two_credentials"}

    def keyed() -> Guard:
        return require_api_key(KEYS)

    def key(*values: str, **changed: object) -> Sent:
        return Sent(headers=tuple(("X-API-Key", value) for value in values), **changed)  # type: ignore[arg-type]

    yield Case(name="an API key", guard=keyed, sent=(key(ROBOT),), **robot)
    none = {**bad, "code": "unauthorized", "reason": "no_credential"}
    yield Case(name="no API key", guard=keyed, sent=(Sent(),), **none)
    yield Case(name="an API key in the query", guard=keyed, sent=(Sent(query=f"x-api-key={ROBOT}"),), **none)
    yield Case(name="an API key as a bearer token", guard=keyed, sent=(bearer(ROBOT),), **none)
    refused = {
        "api_key_malformed": ["x", ROBOT[:-1], ROBOT[:-1] + "~", "\xe9" * 51, "x" * 2000],
        "api_key_unknown": [ApiKeys(MemoryKeys(), random=random.Random("others").randbytes).new("robot").reveal()],
        "api_key_disabled": [REVOKED.reveal()],
    }
    for reason, values in refused.items():
        for value in values:
            yield Case(name=f"bad API key: {reason} {value[:5]!a}", guard=keyed, sent=(key(value),), reason=reason, **bad)
    yield Case(name="two API keys", guard=keyed, sent=(key(ROBOT, ROBOT),), by="require_api_key", **two)
    yield Case(name="two API keys, one of them bad", guard=keyed, sent=(key(ROBOT, "x"),), by="require_api_key", **two)

    def anybody() -> Guard:
        return require_api_key(KEYS, optional=True)

    yield Case(
        name="an optional API key: none is anonymous",
        guard=anybody,
        sent=(Sent(),),
        status=200,
        entered=True,
        outcome="allow",
        handler={"subject": None},
    )
    yield Case(name="an optional API key: a bad one is refused", guard=anybody, sent=(key("x"),), **bad)

    def either() -> Guard:
        return require_auth(TOKENS, KEYS)

    yield Case(name="an API key beside tokens", guard=either, sent=(key(ROBOT),), **robot)
    both = bearer(ALICE, ("X-API-Key", ROBOT))
    yield Case(name="an API key and a token are two credentials", guard=either, sent=(both,), by="require_auth", **two)

    def reads() -> Guard:
        return chain(keyed(), require_scopes("orders:read"), require_roles("clerk"))

    def writes() -> Guard:
        return chain(keyed(), require_scopes("orders:write"))

    yield Case(name="an API key with its scope and role", guard=reads, sent=(key(ROBOT),), **robot)
    yield Case(
        name="an API key without the scope", guard=writes, sent=(key(ROBOT),), status=403, code="insufficient_scope",
        reason="scope_missing", by="require_scopes",
    )  # fmt: skip


def _signatures() -> Iterator[Case]:
    body = json.dumps({"n": 1}, indent=3).encode()
    by = Signer(SECRET, keyid="client-a", query="params", clock=Clock(NOW))
    asks = 'sig1=("@method" "@authority" "@path" "@query"{});created'

    def signature(**settings: object) -> Guard:
        keys = {"client-a": SignatureKey(SECRET, subject="alice", roles=["clerk"])}
        return require_signature(SignatureVerifier(keys, clock=Clock(NOW)), authority="api.example", **settings)

    def beside_tokens() -> Guard:
        return require_auth(TOKENS, signature())

    def small() -> Guard:
        return signature(max_body=len(body) - 1)

    def gateway() -> Guard:
        return require_signature({"client-a": SECRET}, scheme=REQUESTS, clock=Clock(NOW))

    def request(method: str = "POST", body: bytes = body, query: str = "", **changed: object) -> Sent:
        url = "https://api.example/orders/7" + (f"?{query}" if query else "")
        headers = tuple(by.sign(method, url, {}, body).items())
        return replace(Sent(method=method, headers=headers, body=body, query=query), **changed)  # type: ignore[arg-type]

    whole = {"subject": "alice", "roles": ["clerk"], "body": hashlib.sha256(body).hexdigest()}
    let_in = {"status": 200, "entered": True, "outcome": "allow"}
    refused = {"status": 401, "code": "invalid_signature", "by": "require_signature"}
    yield Case(name="a request that is signed", guard=signature, sent=(request(),), **let_in, handler=whole)
    yield Case(
        name="a signed request whose parameters are covered singly",
        guard=signature,
        sent=(request("GET", b"", "q=a%20b&r=c"),),
        **let_in,
        handler={"subject": "alice"},
    )
    yield Case(name="a signature beside bearer tokens", guard=beside_tokens, sent=(request(),), **let_in, handler=whole)
    yield Case(name="a token beside signatures", guard=beside_tokens, sent=(bearer(ALICE),), **let_in)
    yield Case(
        name="a signature and a token are two credentials",
        guard=beside_tokens,
        sent=(replace(request(), headers=(*request().headers, ("Authorization", f"Bearer {ALICE}"))),),
        status=400,
        code="invalid_request",
        by="require_auth",
    )
    yield Case(
        name="a bad signature beside bearer tokens",
        guard=beside_tokens,
        sent=(request(path="/orders/8"),),
        status=401,
        code="invalid_signature",
        by="require_auth",
        reason="signature_mismatch",
    )
    yield Case(
        name="a request that is not signed",
        guard=signature,
        sent=(Sent(),),
        status=401,
        code="unauthorized",
        by="require_signature",
        reason="no_credential",
        headers={**PROBLEM, "accept-signature": asks.format(""), "www-authenticate": None},
    )
    for name, sent, reason in (
        ("a signed request whose body was changed", request(), "digest_mismatch"),
        ("a signed request with another method", replace(request(), method="PUT"), "signature_mismatch"),
        ("a signed request with another path", request(path="/orders/8"), "signature_mismatch"),
        ("a signed request with a parameter added", replace(request("GET", b"", "q=1"), query="q=1&r=2"), "not_covered"),
        ("a signed request with a parameter twice", replace(request("GET", b"", "q=1"), query="q=1&q=2"), None),
    ):
        if reason == "digest_mismatch":
            sent = replace(sent, body=body + b" ")
        digest = ' "content-digest"' if sent.body else ""
        headers = {**PROBLEM, "accept-signature": asks.format(digest)}
        yield Case(name=name, guard=signature, sent=(sent,), reason=reason, headers=headers, **refused)
    yield Case(
        name="a signed request that is too large",
        guard=small,
        sent=(request(),),
        status=413,
        code="content_too_large",
        by="require_signature",
        reason="body_too_large",
    )
    hmac = HmacRequests({"client-a": SECRET}, clock=Clock(NOW))
    made = Sent(method="POST", headers=tuple(hmac.sign("client-a", "POST", "/orders/7", body).items()), body=body)
    yield Case(name="a request under a gateway's HMAC", guard=gateway, sent=(made,), **let_in)
    yield Case(
        name="a request under a gateway's HMAC with another body",
        guard=gateway,
        sent=(replace(made, body=b"{}"),),
        reason="signature_mismatch",
        **refused,
    )


CASES = [
    case
    for part in (_identity, _access, _custom, _paths, _addresses, _limits, _webhooks, _signatures, _api_keys)
    for case in part()
]
