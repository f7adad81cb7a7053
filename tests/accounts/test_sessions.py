"""Login, verify, refresh and logout as one session goes through them, and what ends it."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from authkit import Request, Response, Tokens, Unavailable, chain, rate_limit, require_auth
from authkit.accounts import Accounts, MemoryUsers
from authkit.address import ClientAddress
from authkit.errors import ConfigurationError, StoreUnavailable
from authkit.stores import MemoryStore
from authkit.testing import Clock, asgi_scope
from authkit.tokens import base64url

from .parts import KEY, ORIGIN, PASSWORD, Service, cheap, tokens_of, told, whole


@pytest.fixture
def service():
    return Service()


def test_a_login_gives_a_pair(service):
    pair = service.pair()
    assert pair.keys() == {"user", "access_token", "refresh_token", "token_type", "expires_in"}
    assert (pair["user"], pair["token_type"], pair["expires_in"]) == ("alice", "Bearer", 900)
    principal = service.tokens.verify(pair["access_token"])
    assert (principal.subject, principal.roles) == ("alice", {"admin", "clerk"})
    assert (principal.claims["auth_time"], principal.claims["amr"]) == (1_800_000_000, ["pwd"])


def test_a_refresh_gives_the_same_shape_and_keeps_the_moment_of_the_login(service):
    pair = service.pair()
    service.clock.now += 600
    answer = service.refresh(pair["refresh_token"])
    assert answer.status == 200
    renewed = told(answer)
    assert renewed.keys() == pair.keys()
    assert renewed["refresh_token"] != pair["refresh_token"]
    principal = service.tokens.verify(renewed["access_token"])
    assert (principal.claims["auth_time"], principal.claims["amr"]) == (1_800_000_000, ["pwd"])


def test_a_refresh_asked_for_twice_in_the_overlap_is_the_same_successor(service):
    first = service.pair()["refresh_token"]
    one, other = told(service.refresh(first)), told(service.refresh(first))
    assert one["refresh_token"] == other["refresh_token"]
    assert one["user"] == other["user"] == "alice"


def test_a_refresh_token_that_comes_again_later_ends_the_session(service):
    """REF-01."""
    first = service.pair()["refresh_token"]
    second = told(service.refresh(first))
    service.clock.now += 60
    assert service.refresh(first).status == 401
    assert service.refresh(second["refresh_token"]).status == 401
    assert service.verify(second["access_token"]).status == 401


CHANGES = {
    "disabled": lambda accounts: accounts.disable("alice"),
    "deleted": lambda accounts: accounts.delete("alice"),
    "another password": lambda accounts: accounts.set_password("alice", "another correct horse"),
    "the same password anew": lambda accounts: accounts.set_password("alice", PASSWORD),
    "deleted and there again": lambda accounts: (accounts.delete("alice"), accounts.register("alice", PASSWORD)),
    "disabled and enabled": lambda accounts: (accounts.disable("alice"), accounts.enable("alice")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_who_was_changed_is_logged_out(service, change):
    """REF-05."""
    pair = service.pair()
    service.clock.now += 5
    CHANGES[change](service.accounts)
    assert service.refresh(pair["refresh_token"]).status == 401
    assert service.verify(pair["access_token"]).status == 401


ROWS = {
    "disabled": lambda user: user.changed(disabled=True),
    "another password": lambda user: user.changed(password_changed=1.0),
    "another subject": lambda user: user.changed(subject="17"),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_refresh_looks_at_the_row_itself(service, row, caplog):
    """REF-05: also where the application changed its table and revoked nothing. The family is gone, whatever comes after."""
    pair = service.pair()
    alice = service.users.find("alice")
    assert service.users.update(alice, ROWS[row](alice))
    with caplog.at_level(logging.INFO, "authkit.audit"):
        assert service.refresh(pair["refresh_token"]).status == 401
    assert caplog.records[-1].authkit["reason"] == "refresh_user"
    assert service.users.update(service.users.find("alice"), alice)
    assert service.refresh(pair["refresh_token"]).status == 401


def test_a_user_who_is_gone_is_refused(service):
    pair = service.pair()
    service.users.remove("alice")
    assert service.refresh(pair["refresh_token"]).status == 401


def test_roles_and_scopes_are_what_was_granted_and_is_still_held(service):
    pair = service.pair()
    alice = service.users.find("alice")
    service.users.update(alice, alice.changed(roles=["clerk", "root"], scopes=["orders:read", "orders:write"]))
    principal = service.tokens.verify(told(service.refresh(pair["refresh_token"]))["access_token"])
    assert (principal.roles, principal.scopes) == ({"clerk"}, {"orders:read"})


def test_a_subject_of_its_own_is_found_by_its_name(service):
    service.accounts.register("bob", PASSWORD)
    bob = service.users.find("bob")
    service.users.update(bob, bob.changed(subject="17"))
    pair = service.pair(username="bob")
    renewed = told(service.refresh(pair["refresh_token"]))
    assert renewed["user"] == "bob"
    assert service.tokens.verify(renewed["access_token"]).subject == "17"


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_a_logout_ends_the_session(service, kind):
    pair = service.pair()
    if kind == "refresh_token":
        answer = service.send("/logout", {"refresh_token": pair[kind]})
    else:
        answer = service.send("/logout", headers={"authorization": f"Bearer {pair[kind]}"})
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (204, b"", "no-store")
    assert service.verify(pair["access_token"]).status == 401


def test_a_logout_with_a_refresh_token_ends_it(service):
    pair = service.pair()
    service.send("/logout", {"refresh_token": pair["refresh_token"]})
    assert service.refresh(pair["refresh_token"]).status == 401


def test_a_logout_leaves_other_sessions_alone(service):
    here, there = service.pair(), service.pair()
    service.send("/logout", {"refresh_token": here["refresh_token"]})
    assert service.verify(there["access_token"]).status == 200
    assert service.refresh(there["refresh_token"]).status == 200


def test_a_logout_tells_nothing_of_a_token(service):
    """REF-13: unknown, forged, foreign, expired and good: the same bytes."""
    good = service.pair()
    foreign = tokens_of(service.clock).issue_pair("alice")
    late = service.pair()["refresh_token"]
    sent = ["x", "a.b.c", "\u00e9", "x" * 20_000, foreign.refresh_token, foreign.access_token, late, good["refresh_token"]]
    answers = {whole(service.send("/logout", {"refresh_token": token})) for token in [*sent, good["refresh_token"]]}
    assert len(answers) == 1
    bearers = ["x", "a.b.c", foreign.access_token, good["access_token"]]
    assert {whole(service.send("/logout", headers={"authorization": f"Bearer {token}"})) for token in bearers} == answers


@pytest.mark.parametrize("body", [None, b"", {}])
def test_a_logout_by_header_has_no_other_body(service, body):
    pair = service.pair()
    bearer = {"authorization": f"Bearer {pair['access_token']}"}
    assert service.send("/logout", {"refresh_token": pair["refresh_token"]}, bearer).status == 400
    assert service.send("/logout", body, bearer).status == 204
    assert service.verify(pair["access_token"]).status == 401


def test_a_session_goes_on_while_strangers_fail(service):
    """PWD-12: the limits are of logins, and of nothing that somebody does who is logged in."""
    pair = service.pair()
    for at in range(200):
        service.send("/login", {"username": "alice", "password": "a guess"}, peer=f"198.51.100.{at}")
    assert service.login().status == 200, "nor is its owner kept out where they have logged in before"
    assert service.verify(pair["access_token"]).status == 200
    assert service.refresh(pair["refresh_token"]).status == 200
    assert service.send("/logout", {"refresh_token": pair["refresh_token"]}).status == 204


def test_a_logout_of_nothing_is_401(service):
    answer = service.send("/logout")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="api"')


def test_every_refused_refresh_is_the_same_answer(service):
    """PWD-02, LOG-04."""
    pair = service.pair()
    used = service.pair()["refresh_token"]
    service.refresh(used)
    gone = service.pair()["refresh_token"]
    service.send("/logout", {"refresh_token": gone})
    foreign = tokens_of(service.clock).issue_pair("alice").refresh_token
    service.clock.now += 60
    causes = ["x", "x" * 20_000, "\u00e9", pair["access_token"], used, gone, foreign, pair["refresh_token"][:-1] + "!"]
    service.accounts.register("bob", PASSWORD)
    causes.append(service.pair(username="bob")["refresh_token"])
    service.accounts.disable("bob")
    answers = {whole(service.refresh(token)) for token in causes}
    assert len(answers) == 1
    ((status, body, headers),) = answers
    assert (status, json.loads(body)["code"]) == (401, "invalid_token")
    assert dict(headers)["www-authenticate"] == 'Bearer error="invalid_token"'


def test_every_answer_may_not_be_stored(service):
    pair = service.pair()
    token = {"authorization": f"Bearer {pair['access_token']}"}
    for answer in (
        service.login(),
        service.login(password="wrong"),
        service.send("/login", b"{"),
        service.send("/login", method="GET"),
        service.send("/verify", headers=token),
        service.verify("x"),
        service.refresh(pair["refresh_token"]),
        service.refresh("x"),
        service.send("/logout", headers=token),
        service.send("/elsewhere"),
    ):
        assert answer.headers["cache-control"] == "no-store"


def test_the_public_keys_may_be_kept(service):
    answer = service.send("/.well-known/jwks.json", method="GET")
    assert (answer.status, told(answer)) == (200, {"keys": []})
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["content-type"] == "application/jwk-set+json"


def test_the_public_keys_are_those_that_verify():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    service = Service(tokens=Tokens(pem, issuer=ORIGIN, audience=ORIGIN, store=MemoryStore()))
    (key,) = told(service.send("/.well-known/jwks.json", method="GET"))["keys"]
    assert (key["kty"], key["crv"], "d" in key) == ("EC", "P-256", False)
    assert key["kid"] in json.loads(base64url.decode(service.pair()["access_token"].split(".")[0]))["kid"]


def test_behind_a_proxy_each_event_has_the_clients_address(caplog):
    caplog.set_level(logging.INFO, "authkit.audit")
    service = Service(client=ClientAddress(["10.0.0.0/8"]))
    sent = {"x-forwarded-for": "198.51.100.7"}
    service.send("/login", {"username": "alice", "password": PASSWORD}, sent, peer="10.0.0.1")
    service.send("/login", b"{", sent, peer="10.0.0.1")
    service.send("/verify", None, sent, peer="10.0.0.1")
    service.send("/refresh", {"refresh_token": "x"}, sent, peer="10.0.0.1")
    service.send("/logout", {"refresh_token": "x"}, sent, peer="10.0.0.1")
    assert [record.authkit["client"] for record in caplog.records] == ["198.51.100.7"] * 5


class Down(MemoryStore):
    """A store that fails when it is told to."""

    down = False

    def __getattribute__(self, name):
        if name in ("get", "add", "swap", "look", "epoch") and object.__getattribute__(self, "down"):
            raise StoreUnavailable("the store is down")
        return super().__getattribute__(name)


def test_a_store_that_fails_is_503_and_never_admits(caplog):
    """REF-11, AVL-01."""
    store = Down()
    service = Service(tokens=tokens_of(store=store), store=MemoryStore())
    service.clock.now = 0.0
    pair = service.pair()
    store.down = True
    bearer = {"authorization": f"Bearer {pair['access_token']}"}
    for answer in (
        service.login(),
        service.refresh(pair["refresh_token"]),
        service.send("/logout", {"refresh_token": pair["refresh_token"]}),
        service.send("/logout", headers=bearer),
    ):
        assert (answer.status, told(answer)["code"]) == (503, "temporarily_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    store.down = False
    assert service.refresh(pair["refresh_token"]).status == 200


class NoTable(MemoryUsers):
    def find(self, username):
        if getattr(self, "down", False):
            raise Unavailable("no table")
        return super().find(username)


def test_a_table_that_fails_ends_no_session():
    service = Service(users=NoTable())
    pair = service.pair()
    service.users.down = True
    assert service.refresh(pair["refresh_token"]).status == 503
    assert service.login().status == 503
    service.users.down = False
    assert service.refresh(pair["refresh_token"]).status == 200


@pytest.fixture
def heard(caplog):
    caplog.set_level(logging.INFO, "authkit.audit")

    def event():
        (record,) = (record for record in caplog.records if record.name == "authkit.audit")
        caplog.clear()
        found = record.authkit
        return found["guard"], found["outcome"], found["status"], found["reason"], found["principal"], found["client"]

    return event


def test_each_request_is_one_event(service, heard):
    peer = "203.0.113.5"
    pair = service.pair()
    assert heard() == ("login", "allow", 200, None, "alice", peer)
    service.login(password="wrong")
    assert heard() == ("login", "deny", 401, "password_wrong", "alice", peer)
    service.login("nobody")
    assert heard() == ("login", "deny", 401, "user_unknown", None, peer)
    service.send("/login", b"{")
    assert heard() == ("login", "deny", 400, "body_not_json", None, peer)
    service.send("/login", b"x", {"content-type": "text/plain"})
    assert heard() == ("login", "deny", 415, "unsupported_media_type", None, peer)
    service.send("/login", method="GET")
    assert heard() == ("login", "deny", 405, "method_not_allowed", None, peer)
    service.verify(pair["access_token"])
    assert heard() == ("verify", "allow", 200, None, "alice", peer)
    service.verify("x")
    assert heard() == ("verify", "deny", 401, "token_malformed", None, peer)
    service.send("/verify")
    assert heard() == ("verify", "deny", 401, "no_credential", None, peer)
    renewed = told(service.refresh(pair["refresh_token"]))
    assert heard() == ("refresh", "allow", 200, None, "alice", peer)
    service.clock.now += 60
    service.refresh(pair["refresh_token"])
    assert heard() == ("refresh", "deny", 401, "refresh_reused", "alice", peer)
    service.refresh("x")
    assert heard() == ("refresh", "deny", 401, "refresh_malformed", None, peer)
    service.send("/logout", {"refresh_token": renewed["refresh_token"]})
    assert heard()[:4] == ("logout", "allow", 204, None)
    service.accounts.disable("alice")
    service.login()
    assert heard() == ("login", "deny", 401, "user_disabled", "alice", peer)


def test_no_event_holds_a_secret(service, caplog):
    """LOG-01."""
    caplog.set_level(logging.DEBUG)
    pair = service.pair()
    service.refresh(pair["refresh_token"])
    service.clock.now += 60
    service.refresh(pair["refresh_token"])
    service.login(password="a wrong password indeed")
    service.send("/logout", {"refresh_token": pair["refresh_token"]})
    for secret in (PASSWORD, "a wrong password indeed", KEY, pair["access_token"], pair["refresh_token"], "$argon2"):
        assert secret not in caplog.text


def test_an_event_is_bounded(service, caplog):
    """LOG-02."""
    caplog.set_level(logging.INFO, "authkit.audit")
    service.send("/login", {"username": "a" * 9000, "password": "x"}, {"user-agent": "b" * 100_000})
    service.send("/login", method="M" * 100_000)
    assert all(len(record.getMessage()) < 1000 for record in caplog.records)


def test_behind_a_guard_the_event_is_the_guards_and_names_who_logged_in(service, caplog):
    caplog.set_level(logging.INFO, "authkit.audit")
    handler = rate_limit("1000/second", name="door")(lambda request: service.accounts.login(request))

    def door(request: Request) -> Response:
        return handler(request)

    body = json.dumps({"username": "alice", "password": PASSWORD}).encode()
    assert door(Request.build("POST", "/login", {"content-type": "application/json"}, body, "203.0.113.5")).status == 200
    (record,) = caplog.records
    assert (record.authkit["outcome"], record.authkit["principal"]) == ("allow", "alice")


def test_a_chain_around_them_hashes_names_and_is_told(service, caplog):
    """LOG-01, ASVS 16.2.5."""
    caplog.set_level(logging.INFO, "authkit.audit")
    events = []

    @chain(rate_limit("1000/second", name="door"), hash_ids=b"a key for the audit of these tests", audit=events.append)
    def door(request: Request) -> Response:
        return service.accounts.app(request)

    body = json.dumps({"username": "alice", "password": "wrong"}).encode()
    assert door(Request.build("POST", "/login", {"content-type": "application/json"}, body, "203.0.113.5")).status == 401
    (event,) = events
    assert (event["guard"], event["outcome"], event["reason"]) == ("login", "deny", "password_wrong")
    assert len(event["principal"]) == 32
    assert "alice" not in caplog.text


def test_the_session_opens_a_guarded_handler_until_it_ends(service):
    @require_auth(service.tokens)
    def private(request: Request) -> Response:
        return Response(200, body=request.principal.subject)

    pair = service.pair()
    request = Request.build(headers={"authorization": f"Bearer {pair['access_token']}"})
    assert private(request).body == b"alice"
    service.send("/logout", {"refresh_token": pair["refresh_token"]})
    again = Request.build(headers={"authorization": f"Bearer {pair['access_token']}"})
    assert private(again).status == 401


async def test_on_an_event_loop_the_same(service):
    async def over_asgi(path, body):
        sent = []

        async def receive():
            return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

        async def send(message):
            sent.append(message)

        await service.accounts.app(asgi_scope("http", "POST", path, {"content-type": "application/json"}), receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"] or b"null")

    status, pair = await over_asgi("/login", {"username": "alice", "password": PASSWORD})
    assert status == 200
    assert (await over_asgi("/verify", {"token": pair["access_token"]}))[1] == {"status": "valid", "user": "alice"}
    status, renewed = await over_asgi("/refresh", {"refresh_token": pair["refresh_token"]})
    assert status == 200
    assert (await over_asgi("/logout", {"refresh_token": renewed["refresh_token"]}))[0] == 204
    assert (await over_asgi("/verify", {"token": pair["access_token"]}))[0] == 401


class Overtaken(Tokens):
    """Between the judgement of a password and the tokens for it, the user is changed."""

    async def issuing_pair(self, subject, **options):
        self.overtake()
        return await super().issuing_pair(subject, **options)


@pytest.mark.parametrize("change", CHANGES)
def test_a_login_that_a_change_overtakes_gives_nothing_that_counts(change, caplog):
    """REF-05: what was issued after the change, for a password that was right before it, is ended with it."""
    caplog.set_level(logging.INFO, "authkit.audit")
    clock = Clock(1_800_000_000.0)
    tokens = Overtaken(KEY, issuer=ORIGIN, audience=ORIGIN, store=MemoryStore(), clock=clock)
    service = Service(tokens=tokens)
    tokens.overtake = lambda: CHANGES[change](service.accounts)
    service.clock.now += 5
    answer = service.login()
    if change == "disabled and enabled":  # who was let in again may come in
        assert answer.status == 200
        return
    assert whole(answer) == whole(service.login(password="wrong"))
    assert caplog.records[0].authkit["reason"] == "user_changed"


async def test_fifty_refreshes_of_one_token_are_one_successor(service):
    token = service.pair()["refresh_token"]
    answers = await asyncio.gather(*(asyncio.to_thread(service.refresh, token) for _ in range(50)))
    assert {answer.status for answer in answers} == {200}
    assert len({told(answer)["refresh_token"] for answer in answers}) == 1


def test_tokens_without_a_store_are_refused_when_built():
    with pytest.raises(ConfigurationError, match="store"):
        Accounts(MemoryUsers(), Tokens(KEY, issuer="https://a", audience="https://a"), cheap())
