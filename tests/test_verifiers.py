"""SEC-12: what a subclass of a verifier overrides is asked, on a loop and off it, for a token seen before too; or refused."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from typing import Any

import pytest

from authkit import Allow, ConfigurationError, Deny, InvalidToken, Principal, Tokens, require_auth
from authkit.secrets import Secret
from tests.parts import bearer

KEY = "a secret of thirty-two bytes, or more"
KEYS = pytest.mark.parametrize("key", [KEY, Secret.of(KEY)], ids=["literal", "Secret"])


def revoked() -> InvalidToken:
    return InvalidToken("token_revoked")


def of(kind: Any, key: Any = KEY) -> Any:
    return kind(key, issuer="https://a", audience="https://a")


class Sync(Tokens):
    threads: tuple[int, ...] = ()

    def verify(self, token: str) -> Principal:
        self.threads += (threading.get_ident(),)
        found = super().verify(token)
        if found.subject == "mallory":
            raise revoked()
        return found


class Awaited(Tokens):
    async def averify(self, token: str) -> Principal:
        found = await super().averify(token)
        await asyncio.sleep(0)
        if found.subject == "mallory":
            raise revoked()
        return found


class Driven(Tokens):
    async def verifying(self, token: str) -> Principal:
        found = await super().verifying(token)
        if found.subject == "mallory":
            raise revoked()
        return found


class Each(Tokens):
    def verify(self, token: str) -> Principal:
        found = super().verify(token)
        if found.subject == "mallory":
            raise revoked()
        return found

    async def averify(self, token: str) -> Principal:
        return await super().averify(token)


class Quick(Sync):
    in_place = True


class Wrapped:
    """Has what the verifier inside has, but for `averify`."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._inner = Tokens(*args, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def averify(self, token: str) -> Principal:
        if (await self._inner.averify(token)).subject == "mallory":
            raise revoked()
        return Principal("alice")


def on_the_object(method: str) -> Any:
    def made(*args: Any, **settings: Any) -> Any:
        one = Tokens(*args, **settings)
        inner = getattr(one, method)

        async def awaited(token: str) -> Principal:
            if (await inner(token)).subject == "mallory":
                raise revoked()
            return Principal("alice")

        def called(token: str) -> Principal:
            if inner(token).subject == "mallory":
                raise revoked()
            return Principal("alice")

        setattr(one, method, called if method == "verify" else awaited)
        return one

    made.__name__ = f"{method} on the object"
    return made


BOTH_HOSTS = [Sync, Driven, Each, Quick, on_the_object("verify"), on_the_object("verifying")]
LOOP_ONLY = [Awaited, Wrapped, on_the_object("averify")]


def verdict(decision: Any) -> str:
    return str(decision.principal.subject if isinstance(decision, Allow) else decision.reason)


@KEYS
@pytest.mark.parametrize("kind", BOTH_HOSTS + LOOP_ONLY, ids=lambda kind: kind.__name__)
async def test_what_is_overridden_is_asked_on_a_loop(kind: Any, key: Any) -> None:
    tokens = of(kind, key)
    guard, good, bad = require_auth(tokens), tokens.issue("alice"), tokens.issue("mallory")
    for _ in range(3):
        assert verdict(await guard.adecide(bearer(good))) == "alice"
        assert verdict(await guard.adecide(bearer(bad))) == "token_revoked"


@KEYS
@pytest.mark.parametrize("kind", BOTH_HOSTS, ids=lambda kind: kind.__name__)
def test_what_is_overridden_is_asked_by_a_sync_handler(kind: Any, key: Any) -> None:
    tokens = of(kind, key)
    guard, good, bad = require_auth(tokens), tokens.issue("alice"), tokens.issue("mallory")
    for _ in range(3):
        assert verdict(guard.decide(bearer(good))) == "alice"
        assert verdict(guard.decide(bearer(bad))) == "token_revoked"


@KEYS
@pytest.mark.parametrize("kind", LOOP_ONLY, ids=lambda kind: kind.__name__)
def test_a_check_that_needs_a_loop_refuses_a_sync_handler_and_is_not_passed_by(
    kind: Any, key: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = of(kind, key)
    guard = require_auth(tokens)
    for subject in ("alice", "mallory"):
        decision = guard.decide(bearer(tokens.issue(subject)))
        assert isinstance(decision, Deny)
        assert (decision.status, decision.reason) == (500, "configuration_error")
    assert "overrides averify" in caplog.text


async def test_of_several_verifiers_each_is_asked_its_own_way() -> None:
    other = Tokens(KEY, issuer="https://b", audience="https://b")
    tokens = of(Awaited)
    guard = require_auth(tokens, other)
    assert verdict(await guard.adecide(bearer(tokens.issue("mallory")))) == "token_revoked"
    assert verdict(await guard.adecide(bearer(other.issue("mallory")))) == "mallory"


class Mixed(Sync, Awaited):
    pass


class MixedOtherwise(Awaited, Sync):
    pass


@pytest.mark.parametrize("kind", [Mixed, MixedOtherwise])
def test_two_checks_of_which_neither_asks_the_other_are_refused_when_built(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="overrides"):
        require_auth(of(kind))


@pytest.mark.parametrize("kind", [Sync, Quick])
async def test_in_place_speaks_for_the_class_that_says_it_and_not_for_what_is_overridden_since(kind: Any) -> None:
    tokens = of(kind)
    await require_auth(tokens).adecide(bearer(tokens.issue("alice")))
    assert (threading.get_ident() in tokens.threads) is (kind is Quick)


async def test_the_own_verifiers_of_a_service_are_asked_for_what_they_override() -> None:
    class Base:
        def verify(self, token: str) -> Principal:
            return Principal("base")

        async def averify(self, token: str) -> Principal:
            return Principal("base, awaited")

    class Sub(Base):
        def verify(self, token: str) -> Principal:
            return Principal("sub")

    class Declared(ABC):
        @abstractmethod
        def verify(self, token: str) -> Principal: ...
        @abstractmethod
        async def averify(self, token: str) -> Principal: ...

    class Half(Declared):
        def verify(self, token: str) -> Principal:
            return Principal("half")

    class Whole(Half):
        async def averify(self, token: str) -> Principal:
            return Principal("whole")

    for verifier, awaited, called in ((Base(), "base, awaited", "base"), (Sub(), "sub", "sub"), (Whole(), "whole", "half")):
        guard = require_auth(verifier)
        assert verdict(await guard.adecide(bearer("x"))) == awaited
        assert verdict(await asyncio.to_thread(guard.decide, bearer("x"))) == called
