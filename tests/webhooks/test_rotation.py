"""A webhook secret that is rotated while deliveries come in: who verifies looks once more, and counts which version matched."""

from __future__ import annotations

import asyncio
import base64
import threading
from typing import TYPE_CHECKING, Any

import pytest

from authkit import webhooks
from authkit._run import run
from authkit.errors import ConfigurationError, InvalidSignature, SecretNotFound, SecretUnavailable
from authkit.secrets import Secret, Secrets, SecretVersions
from authkit.testing import Clock
from authkit.webhooks import Verifier
from tests.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b'{"id": "evt_1"}'
NOW = 1_800_000_000
OLD, NEW, NEXT = "s0-before-9f1d", "s1-now-77ab02", "s2-next-4cK9"


class Receiver:
    """A verifier of stripe's deliveries, with its own memory of what a vault says."""

    def __init__(self, *vaults: Vault) -> None:
        self.clock = Clock(NOW)
        self.all = [Secrets(vault, ttl=3000, clock=self.clock) for vault in vaults]
        self.secrets = [secrets["HOOK"] for secrets in self.all]
        self.verifier = Verifier("stripe", self.secrets if len(vaults) > 1 else self.secrets[0], clock=self.clock)
        run(self.verifier.load())

    def verdict(self, headers: Any, body: bytes = BODY) -> str | int:
        try:
            return self.verifier.verify(headers, body).version
        except InvalidSignature as error:
            return error.reason

    async def averdict(self, headers: Any, body: bytes = BODY) -> str | int:
        try:
            return (await self.verifier.averify(headers, body)).version
        except InvalidSignature as error:
            return error.reason


def signed(secret: str, timestamp: float = NOW) -> dict[str, str]:
    return webhooks.sign("stripe", secret, BODY, timestamp=timestamp)


def counts(secret: Secret) -> tuple[int, int, int]:
    used = secret.usage()
    return used["current"].count, used["previous"].count, used["pending"].count


@pytest.mark.parametrize("asynchronous", [False, True], ids=["verify", "averify"])
def test_a_delivery_under_a_secret_that_the_sender_has_already_is_verified(asynchronous: bool) -> None:
    vault = Vault(SecretVersions(OLD))
    receiver = Receiver(vault)
    assert receiver.verdict(signed(OLD)) == "current"
    vault.rotate(NEW)
    got = asyncio.run(receiver.averdict(signed(NEW))) if asynchronous else receiver.verdict(signed(NEW))
    assert got == "current"
    assert vault.asked == 2
    assert receiver.verdict(signed(OLD)) == "previous"
    assert counts(receiver.secrets[0]) == (2, 1, 0)
    assert vault.asked == 2


def test_the_headers_may_be_an_iterator_that_is_read_once() -> None:
    vault = Vault(SecretVersions(OLD))
    receiver = Receiver(vault)
    vault.rotate(NEW)
    headers: Iterator[tuple[str, str]] = iter(signed(NEW).items())
    assert receiver.verifier.verify(headers, BODY).version == "current"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["verify", "averify"])
def test_a_flood_of_forgeries_asks_once_in_a_cooldown(asynchronous: bool) -> None:
    vault = Vault(SecretVersions(OLD))
    receiver = Receiver(vault)

    async def flood() -> list[str | int]:
        return [await receiver.averdict(signed(f"forged-{n}")) for n in range(50)]

    for round in (1, 2, 3):
        got = asyncio.run(flood()) if asynchronous else [receiver.verdict(signed(f"forged-{n}")) for n in range(50)]
        assert set(got) == {"signature_mismatch"}
        assert vault.asked == 1 + round
        receiver.clock.advance(60)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "signature_missing"),
        ({"stripe-signature": "nonsense"}, "signature_malformed"),
        ({"stripe-signature": "v1=ab"}, "timestamp_missing"),
        (signed(NEW, NOW - 301), "timestamp_too_old"),
        (signed(NEW, NOW + 301), "timestamp_in_future"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_rotation_explains_asks_nobody(headers: dict[str, str], reason: str) -> None:
    vault = Vault(SecretVersions(OLD))
    receiver = Receiver(vault)
    vault.rotate(NEW)
    assert receiver.verdict(headers) == asyncio.run(receiver.averdict(headers)) == reason
    assert vault.asked == 1


def test_what_is_malformed_is_refused_before_the_secret_is_read() -> None:
    vault = Vault(SecretVersions(OLD))
    verifier = Verifier("stripe", Secrets(vault)["HOOK"])
    with pytest.raises(InvalidSignature, match="signature_missing"):
        verifier.verify({}, BODY)
    assert vault.asked == 0


def test_with_keys_from_load_those_decide() -> None:
    vault = Vault(SecretVersions(OLD))
    receiver = Receiver(vault)
    keys = run(receiver.verifier.load())
    vault.rotate(NEW)
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        receiver.verifier.verify(signed(NEW), BODY, keys=keys)
    assert vault.asked == 1


def test_a_retired_secret_is_refused_as_soon_as_that_is_known() -> None:
    vault = Vault(SecretVersions(NEW, previous=OLD))
    receiver = Receiver(vault)
    assert receiver.verdict(signed(OLD)) == "previous"
    vault.retire()
    receiver.all[0].refresh()
    assert receiver.verdict(signed(OLD)) == "signature_mismatch"
    assert receiver.verdict(signed(NEW)) == "current"


def test_of_several_secrets_each_is_looked_up_again_and_counts_for_itself() -> None:
    first, second = Vault(SecretVersions(OLD)), Vault(SecretVersions("other", pending=NEXT))
    receiver = Receiver(first, second)
    second.rotate(NEW)
    assert receiver.verdict(signed(NEW)) == 1
    assert (first.asked, second.asked) == (2, 2)
    assert [receiver.verdict(signed(value)) for value in (OLD, "other", NEW)] == [0, 1, 1]
    assert [counts(secret) for secret in receiver.secrets] == [(1, 0, 0), (2, 1, 0)]
    assert (first.asked, second.asked) == (2, 2)


def test_pending_counts_where_the_sender_moves_first() -> None:
    receiver = Receiver(Vault(SecretVersions(OLD, pending=NEXT)))
    assert receiver.verdict(signed(NEXT)) == "pending"
    assert counts(receiver.secrets[0]) == (0, 0, 1)


def test_a_source_that_is_down_when_we_look_again_refuses_the_delivery_and_nothing_else() -> None:
    vault = Vault(SecretVersions(OLD))
    receiver = Receiver(vault)
    vault.versions = SecretUnavailable()
    assert receiver.verdict(signed(NEW)) == "signature_mismatch"
    assert receiver.verdict(signed(OLD)) == "current"


async def test_the_function_has_an_async_twin() -> None:
    vault = Vault(SecretVersions(OLD))
    secret = Secrets(vault)["HOOK"]
    assert (await webhooks.averify("stripe", secret, signed(OLD), BODY, now=NOW)).version == "current"
    vault.rotate(NEW)
    assert (await webhooks.averify("stripe", secret, signed(NEW), BODY, now=NOW)).version == "current"
    assert counts(secret) == (2, 0, 0)
    with pytest.raises(InvalidSignature, match="timestamp_too_old"):
        await webhooks.averify("stripe", [secret, NEXT], signed(NEW), BODY, now=NOW + 10, tolerance=5)
    assert threading.get_ident() not in vault.threads
    with pytest.raises(SecretNotFound):
        await webhooks.averify("stripe", Secrets(Vault(SecretNotFound("HOOK")))["HOOK"], signed(NEW), BODY, now=NOW)


# A value that makes no key


STANDARD = {name: "whsec_" + base64.b64encode(name.encode() * 8).decode() for name in ("old", "new", "next")}


def standard(secret: str) -> dict[str, str]:
    return webhooks.sign("standard-webhooks", secret, BODY, timestamp=NOW)


@pytest.mark.parametrize("place", ["previous", "pending"])
def test_a_value_that_makes_no_key_is_left_out_and_the_others_work_on(place: str, caplog: pytest.LogCaptureFixture) -> None:
    """A slip of whoever rotates takes no webhook down."""
    canary = "canary-7f3a, which is no base64"
    good = {"previous": "pending", "pending": "previous"}[place]
    vault = Vault(SecretVersions(STANDARD["new"]))
    secrets = Secrets(vault)
    verifier = Verifier("standard-webhooks", secrets["HOOK"], clock=Clock(NOW))
    assert verifier.verify(standard(STANDARD["new"]), BODY).version == "current"
    vault.versions = SecretVersions(STANDARD["new"], **{place: canary, good: STANDARD["old"]})
    secrets.refresh()
    for _ in range(3):
        assert verifier.verify(standard(STANDARD["new"]), BODY).version == "current"
        assert verifier.verify(standard(STANDARD["old"]), BODY).version == good
    (record,) = caplog.records
    assert place in record.getMessage()
    assert "HOOK" in record.getMessage()
    assert "canary" not in caplog.text
    assert webhooks.sign("standard-webhooks", secrets["HOOK"], BODY, timestamp=NOW)
    assert len(caplog.records) == 1, "who signs reads the current value alone"


def test_of_several_secrets_each_wants_a_current_value_that_makes_a_key() -> None:
    broken = Secret.of(SecretVersions("no base64!", previous=STANDARD["old"]))
    with pytest.raises(ConfigurationError, match=r"literal.*current.*base64"):
        Verifier("standard-webhooks", [STANDARD["new"], broken])
    with pytest.raises(ConfigurationError, match=r"current.*base64"):
        webhooks.sign("standard-webhooks", [STANDARD["new"], broken], BODY)


async def test_signing_has_a_twin_that_waits_for_the_source_off_the_loop() -> None:
    gate = threading.Event()
    vaults = [
        Vault(SecretVersions(STANDARD[name], previous=STANDARD["next"]), lambda: gate.wait(10)) for name in ("old", "new")
    ]
    secrets = [Secrets(vault)["HOOK"] for vault in vaults]
    waiting = asyncio.create_task(webhooks.asign("standard-webhooks", secrets, BODY, timestamp=NOW, id="m"))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not waiting.done()
    gate.set()
    headers = await waiting
    assert headers == webhooks.sign("standard-webhooks", [STANDARD["old"], STANDARD["new"]], BODY, timestamp=NOW, id="m")
    assert threading.get_ident() not in vaults[0].threads | vaults[1].threads
    with pytest.raises(TypeError, match="bytes"):
        await webhooks.asign("github", secrets[0], "text")  # type: ignore[arg-type]  # the point
    with pytest.raises(ConfigurationError, match="secret is missing"):
        await webhooks.asign("github", None, BODY)
