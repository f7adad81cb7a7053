"""`Tokens` under a `Secret` that is rotated elsewhere: it looks again when a token does not hold, once, and counts what did."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from authkit._run import arun, run
from authkit.errors import InvalidToken, SecretUnavailable
from authkit.secrets import Secret, Secrets, SecretVersions
from authkit.tokens import Key, Tokens
from tests.vault import Vault

from .craft import AUDIENCE, ISSUER, NOW, OTHER_SECRET, SECRET, Clock, header, payload, pem, sign, tokens

THIRD = "third-secret-55e1-tests-only-c04d-Kp"
FAR = NOW + 10**6


class Service:
    """One instance: `Tokens`, its clock, and its own memory of the secret."""

    def __init__(self, vault: Vault, kind: type[Tokens] = Tokens) -> None:
        self.vault = vault
        self.clock = Clock()
        self.secrets = Secrets(vault, ttl=300, clock=self.clock)
        self.secret = self.secrets["JWT"]
        self.tokens = kind(self.secret, issuer=ISSUER, audience=AUDIENCE, clock=self.clock)

    def verdict(self, text: str) -> str:
        try:
            return self.tokens.verify(text).subject
        except InvalidToken as error:
            return error.reason

    async def averdict(self, text: str) -> str:
        try:
            return (await self.tokens.averify(text)).subject
        except InvalidToken as error:
            return error.reason

    def counts(self) -> tuple[int, int, int]:
        used = self.secret.usage()
        return used["current"].count, used["previous"].count, used["pending"].count


def services(count: int, versions: SecretVersions | None = None) -> tuple[Vault, list[Service]]:
    vault = Vault(versions or SecretVersions(SECRET))
    made = [Service(vault) for _ in range(count)]
    for one in made:
        one.secret.versions()
    return vault, made


@pytest.mark.parametrize("asynchronous", [False, True], ids=["verify", "averify"])
@pytest.mark.parametrize(("old", "new"), [(SECRET, OTHER_SECRET), (pem("P-256"), pem("P-256-other"))], ids=["HMAC", "EC"])
def test_a_token_under_a_key_that_another_instance_has_already_is_verified(old: str, new: str, asynchronous: bool) -> None:
    """SEC-12: sign with current; who has not seen it yet looks once more."""
    vault, (first, second) = services(2, SecretVersions(old))
    kept = first.tokens.issue("kept")
    assert second.verdict(kept) == "kept"
    vault.rotate(new)
    first.secrets.refresh()
    text = first.tokens.issue("alice")
    asked = vault.asked
    got = asyncio.run(second.averdict(text)) if asynchronous else second.verdict(text)
    assert got == "alice"
    assert vault.asked == asked + 1
    assert second.verdict(kept) == "kept"
    assert vault.asked == asked + 1


def test_a_token_without_a_kid_is_looked_up_again_too() -> None:
    vault, (service,) = services(1)
    vault.rotate(OTHER_SECRET)
    nameless = header(Key(OTHER_SECRET))
    del nameless["kid"]
    assert service.verdict(sign(Key(OTHER_SECRET), nameless, payload())) == "alice"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["verify", "averify"])
def test_a_flood_of_bad_tokens_asks_once_in_a_cooldown(asynchronous: bool) -> None:
    vault, (service,) = services(1)
    asked = vault.asked
    unknown = tokens(OTHER_SECRET).issue("mallory")
    forged = service.tokens.issue("alice")[:-2] + "xx"

    async def flood() -> list[str]:
        return [await service.averdict(text) for text in (unknown, forged) * 50]

    for round in (1, 2, 3):
        got = asyncio.run(flood()) if asynchronous else [service.verdict(text) for text in (unknown, forged) * 50]
        assert set(got) == {"token_key", "token_signature"}
        assert vault.asked == asked + round
        service.clock.now += 60


def test_threads_that_fail_together_ask_once_and_all_of_them_are_served() -> None:
    gate = threading.Event()
    vault, (first, second) = services(2)
    vault.rotate(OTHER_SECRET)
    first.secrets.refresh()
    text = first.tokens.issue("alice")
    asked = vault.asked
    vault._before = lambda: gate.wait(10)
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(second.verdict(text))) for _ in range(16)]
    for thread in threads:
        thread.start()
    while vault.asked == asked:
        pass
    gate.set()
    for thread in threads:
        thread.join()
    assert got == ["alice"] * 16
    assert vault.asked == asked + 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        "x" * 20_000,
        sign(Key(SECRET), header(Key(SECRET), typ="JWT"), payload()),
        tokens(SECRET, clock=Clock(0)).issue("x"),
    ],
    ids=["empty", "malformed", "huge", "another type", "expired"],
)
def test_what_no_rotation_explains_asks_nobody(text: str) -> None:
    vault, (service,) = services(1)
    asked = vault.asked
    assert service.verdict(text).startswith("token_")
    assert asyncio.run(service.averdict(text)).startswith("token_")
    assert vault.asked == asked


def test_a_literal_key_asks_nobody() -> None:
    with pytest.raises(InvalidToken, match="token_key"):
        tokens(SECRET).verify(tokens(OTHER_SECRET).issue("alice"))
    with pytest.raises(InvalidToken, match="token_key"):
        tokens(Secret.of(SECRET)).verify(tokens(OTHER_SECRET).issue("alice"))


def test_a_source_that_is_down_when_we_look_again_refuses_the_token_and_nothing_else() -> None:
    vault, (service,) = services(1)
    good = service.tokens.issue("alice")
    vault.versions = SecretUnavailable()
    assert service.verdict(tokens(OTHER_SECRET).issue("mallory")) == "token_key"
    assert service.verdict(good) == "alice"


def test_a_retired_key_is_refused_as_soon_as_the_versions_change() -> None:
    vault, (service,) = services(1)
    old = service.tokens.issue("old")
    vault.rotate(OTHER_SECRET)
    service.secrets.refresh()
    for _ in range(3):
        assert service.verdict(old) == "old"
        assert getattr(service.tokens.recall(old), "subject", None) == "old"
    vault.retire()
    service.secrets.refresh()
    assert service.tokens.recall(old) is None, "before anything was fetched"
    service.secret.versions()
    assert service.tokens.recall(old) is None, "before anything was verified"
    assert service.verdict(old) == "token_key"
    assert service.tokens.recall(old) is None


# The loop


async def test_averify_does_not_hold_the_loop_while_it_looks_again() -> None:
    gate = threading.Event()
    vault, (first, second) = await asyncio.to_thread(services, 2)
    vault.rotate(OTHER_SECRET)
    first.secrets.refresh()
    await first.secret.aversions()
    text = first.tokens.issue("alice")
    asked, vault._before = vault.asked, lambda: gate.wait(10)
    vault.threads.clear()
    waiting = [asyncio.create_task(second.averdict(text)) for _ in range(20)]
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not any(task.done() for task in waiting)
    gate.set()
    assert await asyncio.gather(*waiting) == ["alice"] * 20
    assert vault.asked == asked + 1
    assert threading.get_ident() not in vault.threads


class Strict(Tokens):
    """Checks something of its own."""

    def verify(self, token: str) -> Any:
        principal = super().verify(token)
        if principal.subject == "mallory":
            raise InvalidToken("token_revoked")
        return principal


@pytest.mark.parametrize("drive", [run, lambda guard: asyncio.run(arun(guard))], ids=["run", "arun"])
def test_what_a_subclass_verifies_besides_holds_for_guards_and_averify_too(drive: Any) -> None:
    vault = Vault(SecretVersions(SECRET))
    service = Service(vault, Strict)
    good, bad = (tokens(SECRET).issue(subject) for subject in ("alice", "mallory"))
    assert drive(service.tokens.verifying(good)).subject == "alice"
    assert service.verdict(good) == asyncio.run(service.averdict(good)) == "alice"
    assert asyncio.run(service.averdict(bad)) == "token_revoked"
    with pytest.raises(InvalidToken, match="token_revoked"):
        drive(service.tokens.verifying(bad))
    vault.rotate(OTHER_SECRET)
    assert drive(service.tokens.verifying(tokens(OTHER_SECRET).issue("bob"))).subject == "bob"


# recall, the fast path of a guard


def test_recall_answers_for_a_secret_without_asking_it() -> None:
    vault, (service,) = services(1)
    text = service.tokens.issue("alice")
    assert service.tokens.recall(text) is None
    principal = service.tokens.verify(text)
    asked = vault.asked
    assert service.tokens.recall(text) is principal
    assert vault.asked == asked
    service.clock.now += 301
    assert service.tokens.recall(text) is None
    assert vault.asked == asked
    assert service.tokens.verify(text) is principal
    assert service.tokens.recall(text) is principal


def test_recall_before_anything_was_verified_asks_nobody() -> None:
    vault = Vault(SecretVersions(SECRET))
    service = Service(vault)
    assert service.tokens.recall(tokens(SECRET).issue("alice")) is None
    assert vault.asked == 0


def test_recall_ends_with_the_token_and_with_the_previous_key() -> None:
    _, (service,) = services(1, SecretVersions(OTHER_SECRET, previous=SECRET, previous_until=NOW + 100))
    old, short = tokens(SECRET).issue("old", ttl=1000), service.tokens.issue("short", ttl=50)
    assert (service.verdict(old), service.verdict(short)) == ("old", "short")
    service.clock.now = NOW + 79.9
    assert [getattr(service.tokens.recall(text), "subject", None) for text in (old, short)] == ["old", "short"]
    service.clock.now = NOW + 80
    assert [getattr(service.tokens.recall(text), "subject", None) for text in (old, short)] == ["old", None]
    service.clock.now = NOW + 99.9
    assert getattr(service.tokens.recall(old), "subject", None) == "old"
    service.clock.now = NOW + 100
    assert service.tokens.recall(old) is None
    assert service.verdict(old) == "token_key"


def test_recall_ends_with_the_previous_key_by_the_clock_of_the_tokens_too() -> None:
    clock = Clock()
    versions = SecretVersions(OTHER_SECRET, previous=SECRET, previous_until=NOW + 10)
    both = tokens(Secret.of(versions, clock=lambda: 0), clock=clock)
    old = tokens(SECRET).issue("old")
    both.verify(old)
    assert both.recall(old)
    clock.now = NOW + 10
    assert both.recall(old) is None


# What was used


def test_each_verification_is_counted_under_the_version_that_it_was() -> None:
    _, (service,) = services(1, SecretVersions(OTHER_SECRET, previous=SECRET, pending=THIRD, previous_until=FAR))
    old, new = tokens(SECRET).issue("old"), service.tokens.issue("new")
    assert service.counts() == (0, 0, 0), "issuing is no use"
    service.verdict(old)
    assert service.counts() == (0, 1, 0)
    service.verdict(new)
    asyncio.run(service.averdict(new))
    assert service.counts() == (2, 1, 0)
    service.tokens.recall(old)
    service.tokens.recall(new)
    assert service.counts() == (3, 2, 0), "a token seen before counts as well"
    for text in (tokens(THIRD).issue("x"), old[:-2] + "xx", tokens(OTHER_SECRET, clock=Clock(NOW - 5000)).issue("expired")):
        assert service.verdict(text).startswith("token_")
        assert service.tokens.recall(text) is None
    assert service.counts() == (3, 2, 0), "what was refused is none"
    last = service.secret.usage()["previous"].last
    assert last is not None


def test_after_a_rotation_a_token_seen_before_counts_as_previous() -> None:
    vault, (service,) = services(1)
    text = service.tokens.issue("alice")
    service.verdict(text)
    assert service.counts() == (1, 0, 0)
    vault.rotate(OTHER_SECRET)
    service.secrets.refresh()
    service.verdict(text)
    service.tokens.recall(text)
    assert service.counts() == (1, 2, 0)
