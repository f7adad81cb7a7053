"""SEC-12: keys are swapped under load. Whoever signs with the current one is believed, by instances that have not seen it yet
too, and whoever still holds a retired one is not."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authkit import Tokens, webhooks
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher
from authkit.errors import InvalidSignature, InvalidToken
from authkit.secrets import Secrets, SecretVersions
from authkit.stores import MemoryStore
from authkit.testing import Clock
from authkit.webhooks import Verifier
from tests.vault import Vault

WORKERS = 4
BODY = b'{"n": 1}'
SWAPS = [pytest.param(200, id="200 swaps"), pytest.param(20_000, id="20000 swaps", marks=pytest.mark.soak)]


def value(number: int) -> str:
    return f"{number:08d}-secret-of-thirty-two-bytes-or-more"


class Instance:
    """One process's worth of verifiers, with a memory of the secret of its own."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self.secrets = Secrets(vault, ttl=3000, clock=clock)
        self.secret = self.secrets["KEY"]
        self.tokens = Tokens(self.secret, issuer="https://a", audience="https://a", clock=clock, leeway=300, access_ttl=10**7)
        self.webhooks = Verifier("github", self.secret)
        self.hasher = PasswordHasher(memory=8, passes=1, lanes=1, pepper=self.secret)


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def swapped_under_load(swaps: int, vault: Vault, clock: Clock, use: Callable[[], object]) -> list[str]:
    """What went wrong in `use`, which threads call all the while. Between two swaps, more than a cooldown passes."""
    wrong: list[str] = []
    turns = [0] * WORKERS
    stop = threading.Event()

    def work(place: int) -> None:
        while not stop.is_set():
            try:
                use()
            except Exception as error:
                wrong.append(f"{type(error).__name__} {error}")
            turns[place] += 1
            time.sleep(1e-4)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(WORKERS)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, swaps + 1):
            vault.rotate(value(number))
            seen = list(turns)
            while any(now < then + 2 for now, then in zip(turns, seen, strict=True)) and not wrong:  # one of them whole
                stop.wait(0.0001)
            clock.advance(31)
            if wrong:
                break
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert sum(turns) >= swaps
    return wrong


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("swaps", SWAPS)
def test_sec_12_no_token_is_refused_while_its_key_is_swapped(swaps: int) -> None:
    vault, clock = Vault(SecretVersions(value(0))), Clock()
    here, there = Instance(vault, clock), Instance(vault, clock)

    def use() -> None:
        here.secrets.refresh()  # this one always knows first
        text = here.tokens.issue("alice")
        assert there.tokens.verify(text).subject == "alice"
        assert here.tokens.verify(text).subject == "alice"

    assert swapped_under_load(swaps, vault, clock, use) == []
    retired = Tokens(value(swaps - 2), issuer="https://a", audience="https://a", clock=clock).issue("alice")
    for instance in (here, there):
        with pytest.raises(InvalidToken, match="token_key"):
            instance.tokens.verify(retired)
    used = there.secret.usage()
    assert used["current"].count + used["previous"].count >= swaps


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("swaps", SWAPS)
def test_sec_12_no_delivery_is_refused_while_its_secret_is_swapped(swaps: int) -> None:
    vault, clock = Vault(SecretVersions(value(0))), Clock()
    there = Instance(vault, clock)

    def use() -> None:
        current: Any = vault.versions
        headers = webhooks.sign("github", current.current, BODY)  # the sender moves first
        assert there.webhooks.verify(headers, BODY).body == BODY

    assert swapped_under_load(swaps, vault, clock, use) == []
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        there.webhooks.verify(webhooks.sign("github", value(swaps - 2), BODY), BODY)


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("swaps", SWAPS)
def test_sec_12_no_login_is_refused_while_the_pepper_is_swapped(swaps: int) -> None:
    """Each swap takes the last but one away: the hash has moved on by then, and no slower instance moved it back."""
    vault, clock, users = Vault(SecretVersions(value(0))), Clock(), MemoryUsers()
    here, there = Instance(vault, clock), Instance(vault, clock)
    tokens = Tokens(value(0), issuer="https://a", audience="https://a", store=MemoryStore())
    doors = [Accounts(users, tokens, one.hasher) for one in (here, there)]
    doors[0].register("alice", "correct horse")

    def use() -> None:
        here.secrets.refresh()
        for accounts in doors:
            assert accounts.authenticate("alice", "correct horse").username == "alice"

    assert swapped_under_load(swaps, vault, clock, use) == []
    before = PasswordHasher(memory=8, passes=1, lanes=1, pepper=value(swaps - 2)).hash("correct horse")
    assert not there.hasher.verify("correct horse", before)
    assert there.secret.usage()["current"].count >= swaps
