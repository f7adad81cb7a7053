"""`Tokens` under a `Secret` on an event loop: issuing, publishing, and reading a new key hold nothing up."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from authkit._run import run
from authkit.errors import ConfigurationError, InvalidToken
from authkit.secrets import Secrets, SecretVersions
from authkit.tokens import Key, Tokens
from authkit.tokens.followed import Known, ring_of
from tests.vault import Vault

from .craft import NOW, OTHER_SECRET, SECRET, Clock, pem, public_pem, tokens

UNFIT = "-----BEGIN PRIVATE KEY-----"  # each ring that leaves it out says so: the rings that are made can be counted


def rings(caplog: pytest.LogCaptureFixture) -> list[int | None]:
    """The thread of each ring that was made with an unfit value."""
    return [record.thread for record in caplog.records if "left out" in record.getMessage()]


async def test_issue_and_jwks_have_twins_that_wait_for_the_source_off_the_loop() -> None:
    gate = threading.Event()
    vault = Vault(SecretVersions(pem("P-256"), pending=pem("P-256-other")), lambda: gate.wait(10))
    one = tokens(Secrets(vault)["JWT"])
    issuing = asyncio.create_task(one.aissue("alice", scopes=["a"], roles=["b"], claims={"c": 1}, ttl=60))
    publishing = asyncio.create_task(one.ajwks())
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not issuing.done()
    assert not publishing.done()
    gate.set()
    text, published = await issuing, await publishing
    principal = one.verify(text)
    assert (principal.subject, principal.scopes, principal.roles, principal.claims["c"]) == ("alice", {"a"}, {"b"}, 1)
    assert principal.claims["exp"] == NOW + 60
    assert published == one.jwks()
    assert len(published["keys"]) == 2
    assert threading.get_ident() not in vault.threads


async def test_the_twins_of_a_literal_key_say_what_issue_and_jwks_say() -> None:
    one = tokens(pem("P-256"))
    assert one.verify(await one.aissue("alice")).subject == run(one.verifying(await one.issuing("alice"))).subject == "alice"
    assert await one.ajwks() == one.jwks()
    with pytest.raises(ValueError, match="subject"):
        await one.aissue("")
    with pytest.raises(ConfigurationError, match="only verifies"):
        await tokens(public_pem("P-256")).aissue("alice")


@pytest.mark.parametrize("place", ["class", "object"])
async def test_what_a_subclass_issues_the_twin_issues_too_and_off_the_loop(place: str) -> None:
    threads: list[int] = []

    class Mine(Tokens):
        def issue(self, subject: str, **options: Any) -> str:
            threads.append(threading.get_ident())
            return super().issue(subject, **{**options, "claims": {"mine": True}})

        def jwks(self) -> dict[str, Any]:
            threads.append(threading.get_ident())
            return {"keys": ["mine"]}

    one = Mine(SECRET, issuer="https://a", audience="https://a")
    if place == "object":
        inner, one = one, Tokens(SECRET, issuer="https://a", audience="https://a")
        one.issue, one.jwks = inner.issue, inner.jwks  # type: ignore[method-assign]
    assert one.verify(await one.aissue("alice")).claims["mine"] is True
    assert await one.ajwks() == {"keys": ["mine"]}
    assert len(threads) == 2
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("kind", ["P-256", "RSA"])
async def test_a_new_key_pair_is_read_once_and_off_the_loop(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    vault = Vault(SecretVersions(SECRET))
    secrets = Secrets(vault)
    one = tokens(secrets["JWT"])
    kept = await one.aissue("kept")
    vault.versions = SecretVersions(pem(kind), previous=SECRET, pending=UNFIT)
    secrets.refresh()
    await secrets["JWT"].aversions()
    with caplog.at_level(logging.WARNING, "authkit.tokens"):
        found = await asyncio.gather(*[one.averify(kept) for _ in range(20)])
    assert {principal.subject for principal in found} == {"kept"}
    (thread,) = rings(caplog)
    assert thread != threading.get_ident()


def test_what_makes_a_key_at_once_waits_for_no_thread_and_what_may_take_long_does() -> None:
    """Those of the pool may all be busy with fetches."""
    assert Known().is_quick(SecretVersions(SECRET, OTHER_SECRET, SECRET + "x"))
    assert Known().is_quick(SecretVersions("\ud800 is no key, and that is soon found out"))
    der = b"\x30" * 40
    for slow in (pem("P-256"), pem("Ed25519"), public_pem("Ed25519").encode(), ' {"kty": "oct"}', "MC4C" * 10, der, "x" * 300):
        assert not Known().is_quick(SecretVersions(SECRET, slow))


def test_threads_that_meet_a_new_key_pair_together_read_it_once(caplog: pytest.LogCaptureFixture) -> None:
    vault = Vault(SecretVersions(pem("RSA")))
    secrets = Secrets(vault)
    one = tokens(secrets["JWT"])
    kept = one.issue("kept")
    vault.versions = SecretVersions(pem("RSA-other"), previous=pem("RSA"), pending=UNFIT)
    secrets.refresh()
    secrets["JWT"].versions()
    barrier, found = threading.Barrier(16), []

    def use() -> None:
        barrier.wait()
        found.append(one.verify(kept).subject)

    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["kept"] * 16
    assert len(rings(caplog)) == 1


def test_a_rotation_reads_one_new_value_and_the_end_of_previous_none() -> None:
    known = Known()
    old, new, following = pem("RSA"), pem("RSA-other"), pem("P-256")
    first, *_ = ring_of("JWT", SecretVersions(old, pending=new), NOW, known)
    second, *_ = ring_of("JWT", SecretVersions(new, old, following, NOW + 10), NOW, known)
    assert (second.current, second.previous) == (first.pending[0], (first.current,))
    third, *_ = ring_of("JWT", SecretVersions(new, old, following, NOW + 10), NOW + 11, known)
    assert (third.current, third.previous, third.pending) == (second.current, (), second.pending)
    assert known.is_quick(SecretVersions(new, old, following)), "all of them are at hand"


def test_a_value_that_is_gone_is_forgotten() -> None:
    known = Known()
    ring_of("JWT", SecretVersions(pem("P-256"), pem("P-256-other")), NOW, known)
    ring_of("JWT", SecretVersions(pem("P-256")), NOW, known)
    assert known.is_quick(SecretVersions(pem("P-256")))
    assert not known.is_quick(SecretVersions(pem("P-256-other")))


def test_the_same_key_is_the_same_as_text_and_as_bytes_and_no_value_is_taken_for_another() -> None:
    known = Known()
    for value in (SECRET, SECRET.encode(), OTHER_SECRET, "\udcff" * 40, b"\xff" * 40, "\u00ff" * 40):
        ring, *_ = ring_of("JWT", SecretVersions(value), NOW, known)
        assert ring.current.kid == Key(value).kid


def test_sec_01_a_value_with_a_lone_surrogate_is_refused_without_being_shown(caplog: pytest.LogCaptureFixture) -> None:
    canary = "canary-7f3a9c51e0-canary-7f3a9c51e0 \ud800"
    for vault, use in (
        (Vault(SecretVersions(canary)), lambda one: one.issue("alice")),
        (Vault(SecretVersions(canary)), lambda one: asyncio.run(one.averify("a.b.c"))),
    ):
        with pytest.raises(ConfigurationError, match=r"JWT.*UTF-8") as raised:
            use(tokens(Secrets(vault)["JWT"]))
        assert "canary" not in f"{raised.value!r} {raised.value.__context__!r}"
    one = tokens(Secrets(Vault(SecretVersions(SECRET, previous=canary, pending=canary + "x")))["JWT"], clock=Clock())
    assert one.verify(one.issue("alice")).subject == "alice"
    assert "UTF-8" in caplog.text
    assert "canary" not in caplog.text
    with pytest.raises(InvalidToken):
        one.verify("a.b.c")
