"""Guards whose secret is rotated elsewhere: not one request refused, the loop never held, and every use counted."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from authkit import Guard, Principal, Request, Tokens, require_auth, verify_webhook, webhooks
from authkit._run import run
from authkit.decision import Allow
from authkit.errors import InvalidToken
from authkit.secrets import Secret, Secrets, SecretVersions
from authkit.testing import Clock
from tests.parts import bearer
from tests.vault import Vault

OLD, NEW = "old-secret-of-thirty-two-bytes-or-more", "new-secret-of-thirty-two-bytes-or-more"
BODY = b"{}"


def tokens_of(key: Any) -> Tokens:
    return Tokens(key, issuer="https://a", audience="https://a")


def delivery(secret: str) -> Request:
    return Request.build("POST", "/", webhooks.sign("github", secret, BODY), body=BODY)


class Kind:
    """One kind of guard over one secret, and requests under a value of it."""

    def __init__(self, name: str, secret: Secret) -> None:
        self.bearer = name == "bearer"
        self.guard: Guard = require_auth(tokens_of(secret)) if self.bearer else verify_webhook("github", secret=secret)

    def request(self, value: str) -> Request:
        return bearer(tokens_of(value).issue("alice")) if self.bearer else delivery(value)


KINDS = pytest.mark.parametrize("name", ["bearer", "webhook"])
ASYNC = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def decided(guard: Guard, request: Request, asynchronous: bool) -> str:
    decision = asyncio.run(guard.adecide(request)) if asynchronous else guard.decide(request)
    return "in" if isinstance(decision, Allow) else str(decision.reason)


def counts(secret: Secret) -> tuple[int, int]:
    used = secret.usage()
    return used["current"].count, used["previous"].count


@KINDS
@ASYNC
def test_a_rotation_elsewhere_refuses_no_request(name: str, asynchronous: bool) -> None:
    vault, clock = Vault(SecretVersions(OLD)), Clock()
    secrets = Secrets(vault, clock=clock)
    secret = secrets["KEY"]
    kind = Kind(name, secret)
    assert decided(kind.guard, kind.request(OLD), asynchronous) == "in"
    vault.rotate(NEW)
    assert decided(kind.guard, kind.request(NEW), asynchronous) == "in"
    assert vault.asked == 2
    assert decided(kind.guard, kind.request(OLD), asynchronous) == "in"
    assert counts(secret) == (2, 1)
    vault.retire()
    secrets.refresh()
    assert decided(kind.guard, kind.request(OLD), asynchronous) in ("token_key", "signature_mismatch")
    assert decided(kind.guard, kind.request(NEW), asynchronous) == "in"


@KINDS
@ASYNC
def test_a_flood_of_bad_requests_asks_once_in_a_cooldown(name: str, asynchronous: bool) -> None:
    vault, clock = Vault(SecretVersions(OLD)), Clock()
    kind = Kind(name, Secrets(vault, clock=clock)["KEY"])
    for round in (1, 2):
        for n in range(20):
            assert decided(kind.guard, kind.request(f"{n}{NEW}"), asynchronous) in ("token_key", "signature_mismatch")
        assert vault.asked == 1 + round
        clock.advance(60)


@KINDS
async def test_the_loop_is_not_held_while_the_secret_is_read_again(name: str) -> None:
    gate = threading.Event()
    vault = Vault(SecretVersions(OLD))
    kind = Kind(name, Secrets(vault)["KEY"])
    assert isinstance(await kind.guard.adecide(kind.request(OLD)), Allow)
    vault.rotate(NEW)
    vault._before = lambda: gate.wait(10)
    waiting = [asyncio.create_task(kind.guard.adecide(kind.request(NEW))) for _ in range(50)]
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert isinstance(await kind.guard.adecide(kind.request(OLD)), Allow), "who needs no second look does not wait"
    assert not any(task.done() for task in waiting)
    gate.set()
    assert all(isinstance(decision, Allow) for decision in await asyncio.gather(*waiting))
    assert vault.asked == 2
    assert threading.get_ident() not in vault.threads


@ASYNC
def test_a_token_seen_before_is_answered_by_the_fast_path_and_counted(asynchronous: bool) -> None:
    class Watched(Tokens):
        pass

    recalled: list[str] = []

    def recall(self: Any, token: str) -> Principal | None:
        found = Tokens.recall(self, token)
        recalled.append("known" if found is not None else "unknown")
        return found

    vault = Vault(SecretVersions(NEW, previous=OLD, previous_until=4_000_000_000))
    secret = Secrets(vault)["KEY"]
    Watched.recall, Watched.verify = recall, Tokens.verify  # type: ignore[method-assign]  # both of one class: it speaks for it
    guard = require_auth(Watched(secret, issuer="https://a", audience="https://a"))
    old, new = (bearer(tokens_of(value).issue("alice")) for value in (OLD, NEW))
    for request in (old, old, new, old, new):
        assert decided(guard, request, asynchronous) == "in"
    assert recalled == ["unknown", "known", "unknown", "known", "known"]
    assert counts(secret) == (2, 3)


class Revoking(Tokens):
    revoked = False

    def verify(self, token: str) -> Principal:
        principal = super().verify(token)
        if self.revoked:
            raise InvalidToken("token_revoked")
        return principal


@ASYNC
def test_what_a_subclass_verifies_besides_is_asked_under_a_secret_too(asynchronous: bool) -> None:
    tokens = Revoking(Secrets(Vault(SecretVersions(OLD)))["KEY"], issuer="https://a", audience="https://a")
    guard, request = require_auth(tokens), bearer(tokens_of(OLD).issue("alice"))
    assert decided(guard, request, asynchronous) == "in"
    tokens.revoked = True
    assert decided(guard, request, asynchronous) == "token_revoked"


@ASYNC
def test_of_two_verifiers_the_one_that_is_asked_looks_again(asynchronous: bool) -> None:
    vault = Vault(SecretVersions(OLD))
    other = Tokens(OLD, issuer="https://b", audience="https://b")
    guard = require_auth(tokens_of(Secrets(vault)["KEY"]), other)
    run(guard.warm())
    vault.rotate(NEW)
    assert decided(guard, bearer(tokens_of(NEW).issue("alice")), asynchronous) == "in"
    assert decided(guard, bearer(other.issue("bob")), asynchronous) == "in"
    assert vault.asked == 2


def test_a_verifier_of_ones_own_is_not_asked_for_what_it_may_mean_otherwise() -> None:
    class Own:
        def verify(self, token: str) -> Principal:
            return Principal("own")

        def recall(self, token: str) -> Principal:
            raise AssertionError("this is its own business")

    guard = require_auth(Own())
    for _ in range(2):
        assert decided(guard, bearer("x"), False) == "in"
