"""DPoP (RFC 9449): a token that is bound to a key, with a proof of this request, once. Published examples are known answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

import pytest

from authkit import ConfigurationError, InvalidSignature, Request, Response, Unavailable, chain, require_auth, require_scopes
from authkit.oidc import DPoP, DPoPKey, MutualTLS, OIDCProvider
from authkit.oidc._proof import Proofs
from authkit.signatures.message import target_of
from authkit.stores import MemoryStore, RedisStore, SqliteStore
from authkit.tokens import Key, Tokens
from tests.oidc.dpop_parts import API, OURS, Scene, error
from tests.oidc.issuer import ec_key, ed_key, rsa_pem
from tests.servers.redis import redis_server

if TYPE_CHECKING:
    from authkit.stores import Store
    from authkit.testing import Clock

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "oauth" / "oauth.json").read_text())["dpop"]
BOTH = 'Bearer realm="api", DPoP algs="ES256 ES384 ES512 EdDSA Ed25519 PS256 RS256"'
ALONE = 'DPoP algs="ES256 ES384 ES512 EdDSA Ed25519 PS256 RS256"'


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_published_proofs_and_those_made_of_them(case: dict[str, Any]) -> None:
    arguments = case["proof"], case["method"], target_of(case["url"]), case.get("access_token"), case["now"]
    if case["expect"] == "accept":
        assert Proofs(60).read(*arguments).jkt == VECTORS["thumbprint"]
    else:
        with pytest.raises(InvalidSignature):
            Proofs(60).read(*arguments)


def test_a_bound_token_with_its_proof_is_accepted(scene: Scene) -> None:
    answer = scene.ask()
    assert (answer.status, answer.body) == (200, b"alice by dpop")


@pytest.mark.parametrize("kind", ["ES256", "EdDSA", "RS256", "made"])
def test_keys_of_each_kind_make_proofs(kind: str) -> None:
    scene = Scene()
    key: Any = {"ES256": ec_key(), "EdDSA": ed_key(), "RS256": rsa_pem(), "made": None}[kind]
    scene.key = DPoPKey(key, clock=scene.clock)
    token = scene.bound(jkt=scene.key.thumbprint)
    assert [scene.ask(token=token).status for _ in range(2)] == [200, 200]


def test_the_scheme_is_read_without_case(scene: Scene) -> None:
    assert scene.ask(authorization=f"dpop {scene.token}").status == 200


def test_a_proof_counts_once(scene: Scene) -> None:
    proof = scene.key.proof("GET", API + "/orders", scene.token)
    assert scene.ask(proof).status == 200
    again = scene.ask(proof)
    assert (again.status, error(again)) == (401, "invalid_dpop_proof")


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
def test_of_many_parallel_replays_exactly_one_passes(kind: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as open_until_the_end:
        if kind == "redis":
            store: Store = RedisStore(open_until_the_end.enter_context(redis_server()).url, timeout=30)
        else:
            store = MemoryStore() if kind == "memory" else SqliteStore(str(tmp_path / "replays.db"), timeout=30)
        open_until_the_end.callback(store.close)
        scene = Scene(store=store)
        proof = scene.key.proof("GET", API + "/orders", scene.token)
        with ThreadPoolExecutor(16) as pool:
            found = [answer.status for answer in pool.map(lambda _: scene.ask(proof), range(50))]
        assert (found.count(200), found.count(401)) == (1, 49)


def test_the_same_on_an_event_loop(scene: Scene) -> None:
    @require_auth(scene.dpop)
    async def handler(request: Request) -> Response:
        return Response(200)

    async def ask_all() -> list[int]:
        proof = scene.key.proof("GET", API + "/orders", scene.token)
        sent = {"authorization": f"DPoP {scene.token}", "dpop": proof}
        return [a.status for a in await asyncio.gather(*(handler(Request.build("GET", "/orders", sent)) for _ in range(50)))]

    found = asyncio.run(ask_all())
    assert (found.count(200), found.count(401)) == (1, 49)


def _handler(request: Request) -> Response:
    return Response(200, {}, request.principal.issuer)


class _Down(MemoryStore):
    def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
        raise Unavailable("the store is down")


def test_an_app_and_its_view_may_both_want_the_proof_of_one_request(scene: Scene) -> None:
    """It is one request, whose proof has been noted; another request with that proof is refused at the first door."""
    inner = require_auth(scene.dpop)(_wsgi)
    app = require_auth(scene.dpop)(inner)
    proof = scene.key.proof("GET", API + "/orders", scene.token)

    def status(proof: str) -> str:
        environ: dict[str, Any] = {"PATH_INFO": "/orders", "HTTP_DPOP": proof, "HTTP_AUTHORIZATION": f"DPoP {scene.token}"}
        setup_testing_defaults(environ)
        said: list[str] = []
        for _ in app(environ, lambda status, headers, exc_info=None: said.append(status)):
            pass
        return said[0][:3]

    assert [status(proof), status(proof)] == ["200", "401"]


def test_so_may_whoever_decides_inside_the_handler_and_nobody_afterwards(scene: Scene) -> None:
    """A resolver of GraphQL, say, that asks about the request which is being handled."""
    guard = require_auth(scene.dpop)
    kept: list[Request] = []

    @guard
    def handler(request: Request) -> Response:
        kept.append(request)
        return Response(200 if [guard.decide(request).principal, guard.decide(request).principal].count(None) == 0 else 500)

    sent = scene.key.headers("GET", API + "/orders", scene.token)
    assert handler(Request.build("GET", "/orders", sent)).status == 200
    assert guard.decide(kept[0]).status == 401  # type: ignore[union-attr]
    assert handler(Request.build("GET", "/orders", sent)).status == 401


def _wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"in"]


@pytest.mark.parametrize(("url", "sent"), [
    ("https://api.example.com/prod", "https://api.example.com/prod/orders"),
    ("https://api.example.com/prod/", "https://api.example.com/prod/orders"),
    ("http://localhost:8000", "http://localhost:8000/orders"), ("https://[::1]:8443", "https://[::1]:8443/orders"),
    (lambda request: "https://tenant.example" + request.path, "https://tenant.example/orders"),
])  # fmt: skip
def test_where_clients_send_to_is_configured(url: Any, sent: str) -> None:
    scene = Scene(url=url)
    assert scene.ask(scene.key.proof("GET", sent, scene.token)).status == 200
    assert scene.ask().status == 401


def test_a_function_that_gives_no_url_admits_nobody() -> None:
    assert Scene(url=lambda request: "nowhere").ask().status == 401


def test_a_store_that_does_not_answer_is_503() -> None:
    assert Scene(store=_Down()).ask().status == 503


def test_so_is_one_that_was_killed() -> None:
    with redis_server() as server:
        store = RedisStore(server.url, timeout=30)
        scene = Scene(store=store)
        assert scene.ask().status == 200
        server.kill()
        refused = scene.ask()
        assert (refused.status, "www-authenticate" in refused.headers) == (503, False)
        store.close()


def test_a_proof_of_a_bad_token_is_not_noted(scene: Scene) -> None:
    """Strangers can make any number of proofs: none of theirs fills the store."""
    proof = scene.key.proof("GET", API + "/orders", scene.token)
    assert scene.ask(proof, token=scene.token[:-4] + "AAAA").status == 401
    assert scene.ask(proof).status == 200


# Which token with which scheme


def test_a_bound_token_as_plain_bearer_is_refused_and_both_schemes_are_offered(scene: Scene) -> None:
    answer = scene.ask(authorization=f"Bearer {scene.token}")
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == BOTH.replace('realm="api"', 'error="invalid_token"')


def test_a_token_that_is_not_bound_is_a_bearer_token_and_no_other(scene: Scene) -> None:
    token = scene.tokens.issue("bob")
    assert scene.ask(authorization=f"Bearer {token}").body == b"bob by bearer"
    refused = scene.ask(token=token)
    assert (refused.status, error(refused)) == (401, "invalid_token")


def test_required_leaves_dpop_alone() -> None:
    scene = Scene(required=True)
    assert (scene.dpop.required, Scene().dpop.required) == (True, False)
    assert scene.ask().status == 200
    nobody = scene.handler(Request.build("GET", "/orders"))
    assert (nobody.status, nobody.headers["www-authenticate"]) == (401, ALONE)
    bearer = scene.ask(authorization=f"Bearer {scene.tokens.issue('bob')}")
    assert (bearer.status, bearer.headers["www-authenticate"]) == (401, ALONE)


def test_what_is_required_of_one_is_not_waived_for_its_own_verifier(scene: Scene) -> None:
    """Beside a `DPoP(..., required=True)` its verifier would take the bearer tokens that it was to refuse."""
    alone = DPoP(scene.tokens, url=API, replay=scene.store, required=True)
    wrapped = DPoP(MutualTLS(scene.tokens, certificate=lambda request: None), url=API, replay=scene.store, required=True)
    same = Tokens(OURS, issuer="us", audience=API)
    for verifiers in ((alone, scene.tokens), (scene.tokens, alone), (wrapped, scene.tokens), (alone, same)):
        with pytest.raises(ConfigurationError, match="required"):
            require_auth(*verifiers)
    other = Tokens(OURS, issuer="them", audience=API)
    handler = require_auth(alone, other)(_handler)
    bearer = {"authorization": f"Bearer {other.issue('bob')}"}
    assert handler(Request.build("GET", "/", bearer)).status == 200


def test_every_bad_token_beside_it_is_answered_with_the_same_bytes(scene: Scene) -> None:
    handler = require_auth(scene.dpop, cookie="session")(_handler)
    sent = [{"cookie": f"session={token}"} for token in ("x", "ä", "a b", "a.b.c", scene.token)]
    sent += [{"authorization": f"Bearer {token}"} for token in ("x", "a.b.c", scene.token)]
    answers = [handler(Request.build("GET", "/", headers)) for headers in sent]
    assert len({(one.status, one.body, tuple(one.headers.items())) for one in answers}) == 1


def test_two_of_the_scheme_are_one_too_many(scene: Scene) -> None:
    """Both would answer for each credential, and two answers are two credentials."""
    other = DPoP(Tokens(OURS, issuer="them", audience=API), url=API, replay=scene.store)
    with pytest.raises(ConfigurationError, match="DPoP"):
        require_auth(scene.dpop, other)


def test_who_sends_nothing_is_offered_both(scene: Scene) -> None:
    nobody = scene.handler(Request.build("GET", "/orders"))
    assert (nobody.status, nobody.headers["www-authenticate"]) == (401, BOTH)


@pytest.mark.parametrize("cnf", [{}, {"jkt": "x"}, {"jkt": None}, {"jkt": ["x"]}, {"x5t#S256": "x"}, {"jwk": {}}, {"jkt": "ä"}])
def test_a_token_of_another_key_is_refused(scene: Scene, cnf: dict[str, Any]) -> None:
    refused = scene.ask(token=scene.bound(**cnf))
    assert (refused.status, error(refused)) == (401, "invalid_token")


def test_a_binding_that_nobody_can_judge_is_not_met(scene: Scene) -> None:
    assert scene.ask(token=scene.bound(jkt=scene.key.thumbprint)).status == 200
    both = scene.bound(jkt=scene.key.thumbprint, **{"x5t#S256": "x"})
    assert scene.ask(token=both).status == 401
    assert scene.ask(token=scene.bound(jkt=scene.key.thumbprint, kid="1")).status == 401


@pytest.mark.parametrize(("authorization", "status"), [
    ("DPoP", 400), ("DPoP ", 400), ("DPoP  {0}", 400), ("DPoP {0} {0}", 400), ("DPoP {0}, DPoP {0}", 400),
    ("DPoP {0},Bearer {0}", 400),
    ("Bearer {0}, DPoP {0}", 400), ("DPoP\t{0}", 401), ("DPoPX {0}", 401), ("Basic {0}", 401), ("DPoP é", 400),
])  # fmt: skip
def test_what_is_not_one_credential_is_refused(scene: Scene, authorization: str, status: int) -> None:
    assert scene.ask(authorization=authorization.format(scene.token)).status == status


def test_two_authorization_lines_are_refused(scene: Scene) -> None:
    assert scene.ask(headers=[("authorization", f"DPoP {scene.token}")]).status == 400
    assert scene.ask(headers=[("authorization", f"Bearer {scene.tokens.issue('bob')}")]).status == 400


def test_a_token_that_is_over_is_a_bad_token(scene: Scene) -> None:
    scene.clock.advance(100_000)
    refused = scene.ask()
    assert (refused.status, error(refused)) == (401, "invalid_token")


def test_step_up_speaks_of_the_scheme_that_was_used(scene: Scene) -> None:
    handler = require_auth(scene.dpop, acr="phr")(_handler)
    sent = scene.key.headers("GET", API + "/orders", scene.token)
    answer = handler(Request.build("GET", "/orders", sent))
    assert answer.headers["www-authenticate"] == 'DPoP error="insufficient_user_authentication", acr_values="phr"'


def test_a_missing_scope_is_told_in_the_scheme_that_was_used(scene: Scene) -> None:
    handler = chain(require_auth(scene.dpop), require_scopes("write"))(_handler)
    answer = handler(Request.build("GET", "/orders", scene.key.headers("GET", API + "/orders", scene.token)))
    assert (answer.status, answer.headers["www-authenticate"]) == (403, 'DPoP error="insufficient_scope", scope="write"')
    token = scene.tokens.issue("bob")
    answer = handler(Request.build("GET", "/orders", {"authorization": f"Bearer {token}"}))
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="write"'


@pytest.mark.parametrize("alg", ["PS256", "Ed25519"])
def test_an_algorithm_may_have_another_name_or_padding(alg: str) -> None:
    scene = Scene()
    scene.pair = Key(rsa_pem(), alg="PS256") if alg == "PS256" else ed_key()
    scene.key = DPoPKey(scene.pair, clock=scene.clock)
    scene.token = scene.bound(jkt=scene.key.thumbprint)
    found = scene.key.public_jwk()
    public = {name: found[name] for name in ("kty", "crv", "x", "n", "e") if name in found}
    assert scene.ask(scene.forged({"alg": alg, "jwk": public})).status == 200
    assert scene.ask(scene.forged({"alg": "RS256" if alg == "PS256" else "ES256", "jwk": public})).status == 401


def test_several_verifiers_are_chosen_by_issuer(clock: Clock) -> None:
    scene = Scene(clock)
    others = Tokens(OURS.replace("k", "o"), issuer="them", audience=API, clock=clock, monotonic=clock)
    dpop = DPoP(scene.tokens, others, url=API, replay=scene.store, clock=clock)
    handler = require_auth(dpop)(_handler)
    cnf = {"cnf": {"jkt": scene.key.thumbprint}}
    strangers = Tokens(OURS.replace("k", "s"), issuer="stranger", audience=API, clock=clock, monotonic=clock)
    for tokens, expected in ((scene.tokens, b"us"), (others, b"them"), (strangers, None)):
        token = tokens.issue("alice", claims=cnf)
        answer = handler(Request.build("GET", "/", scene.key.headers("GET", API + "/", token)))
        assert (answer.body if answer.status == 200 else None) == expected


def test_a_subclass_whose_check_would_be_passed_by_is_refused() -> None:
    class Stricter(OIDCProvider):
        def verify(self, token: str) -> Any:
            raise NotImplementedError

    with pytest.raises(ConfigurationError, match="verifying_bound"):
        DPoP(Stricter("https://as.example", audience=API), url=API, replay=MemoryStore())


class _Bare:
    def verify(self, token: str) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(("settings", "named"), [
    ({"url": "api.example.com"}, "url"), ({"url": None}, "url"), ({"url": "https://u@api.example.com"}, "url"),
    ({"url": "https://api.example.com/?q=1"}, "url"), ({"url": ""}, "url"),
    ({"replay": None}, "replay"), ({"replay": MemoryStore}, "replay"),
    ({"tolerance": 0}, "tolerance"), ({"tolerance": 301}, "tolerance"), ({"nonce_ttl": 5, "nonce": "n" * 40}, "nonce_ttl"),
    ({"nonce": "short"}, "nonce"), ({"nonce": 7}, "nonce"), ({"nonce": ""}, "nonce"), ({"required": 1}, "required"),
])  # fmt: skip
def test_a_wrong_setting_is_refused_by_name(scene: Scene, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        DPoP(scene.tokens, **{"url": API, "replay": MemoryStore(), **settings})


def test_what_cannot_verify_bound_tokens_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="verifying_bound"):
        DPoP(_Bare(), url=API, replay=MemoryStore())
    with pytest.raises(ConfigurationError, match="verifier"):
        DPoP(url=API, replay=MemoryStore())


@pytest.mark.parametrize("key", ["k" * 40, b"", ec_key().public_jwk(), 7])
def test_a_key_that_makes_no_proofs_is_refused(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="DPoPKey"):
        DPoPKey(key)
