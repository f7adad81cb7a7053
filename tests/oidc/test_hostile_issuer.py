"""An issuer that hangs, floods, or says too much; callers that come and go meanwhile (JWK-10, AVL-05, AVL-12, RTL-13)."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from authkit import InvalidToken, Request, Response, Unavailable, chain, rate_limit, require_auth
from authkit.address import ClientAddress
from authkit.oidc import JWKS, OIDCProvider
from authkit.testing import Clock

from .issuer import AUDIENCE, DISCOVERY, Issuer, ec_key, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def hole() -> Iterator[str]:
    """Where connections are made and nothing is ever answered: what a process looks like that was stopped."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()


class TestThatHangs:
    def test_two_hundred_on_a_loop_wait_once_and_hold_no_thread(self, op: Issuer, hole: str) -> None:
        """AVL-05: and whatever else the loop does goes on."""
        provider = OIDCProvider(op.url, audience=AUDIENCE, jwks_uri=hole + "/jwks", timeout=0.5, clock=op.clock)
        before, most, ticks = threading.active_count(), 0, 0

        async def verified() -> str:
            try:
                return (await provider.averify(op.token())).subject
            except Unavailable:
                return "unavailable"

        async def ticking() -> None:
            nonlocal most, ticks
            while True:
                most, ticks = max(most, threading.active_count()), ticks + 1
                await asyncio.sleep(0.01)

        async def all_at_once() -> list[str]:
            other = asyncio.ensure_future(ticking())
            found = await asyncio.gather(*[verified() for _ in range(200)])
            other.cancel()
            return found

        assert set(asyncio.run(all_at_once())) == {"unavailable"}
        assert most <= before + 4
        assert ticks >= 5

    def test_known_keys_are_used_meanwhile_by_everybody(self, op: Issuer, hole: str, clock: Clock) -> None:
        provider = OIDCProvider(op.url, audience=AUDIENCE, jwks_uri=hole + "/jwks", timeout=30, clock=clock, monotonic=clock)
        known = OIDCProvider(op.url, audience=AUDIENCE, jwks_uri=hole + "/jwks", clock=clock, monotonic=clock)
        saved = json.dumps({"authkit": 1, "of": known.keys.name, "fetched_at": clock(), "keys": op.keys})
        assert provider.restore(saved) is True
        before = threading.active_count()
        clock.advance(700)  # due: the fetch in the background never ends
        with ThreadPoolExecutor(20) as threads:
            found = list(threads.map(lambda number: provider.verify(op.token(sub=f"u{number}")).subject, range(200)))
        assert found == [f"u{number}" for number in range(200)]
        assert threading.active_count() <= before + 3


class TestThatSaysTooMuch:
    BOMB = gzip.compress(b'{"keys": [' + b" " * 100_000_000 + b"]}", 9)

    @pytest.mark.parametrize("path", ["/jwks", DISCOVERY])
    @pytest.mark.parametrize(
        "fault",
        [
            {"body": BOMB, "headers": {"Content-Encoding": "gzip"}},
            {"body": b"x" * 3_000_000},
            {"body": json.dumps({"keys": [{"kty": "EC"}] * 10_000}).encode()},
            {"body": json.dumps({"keys": [ec_key().public_jwk()] * 101}).encode()},
            {"body": b'{"keys":' * 50_000 + b"1" + b"}" * 50_000},
            {"body": b'{"keys":[{"kty":"RSA","e":"AQAB","n":' + b"9" * 10_000 + b"}]}"},
        ],
        ids=["bomb", "huge", "ten thousand", "one hundred and one", "deep", "long number"],
    )
    def test_is_not_believed_and_what_is_known_stays(
        self, op: Issuer, provider: OIDCProvider, clock: Clock, fault: dict[str, Any], path: str
    ) -> None:
        provider.verify(op.token())
        if path == DISCOVERY:
            op.fault("/jwks", status=503)
            with pytest.raises(Unavailable):
                provider.keys.refresh()  # type: ignore[union-attr]
        op.fault(path, **fault)
        asked = op.asked(path)
        with pytest.raises(Unavailable):
            provider.keys.refresh()  # type: ignore[union-attr]
        assert op.asked(path) == asked + 1
        assert provider.verify(op.token(sub="bob")).subject == "bob"

    @pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", "", "application/jwk-set+json; charset=utf-16"])
    def test_what_it_calls_its_answer_changes_nothing(self, op: Issuer, provider: OIDCProvider, kind: str) -> None:
        """Keys lie in buckets and on static hosts too: what counts is what the bytes are."""
        op.headers["Content-Type"] = kind
        assert provider.verify(op.token()).subject == "alice"


class TestThatSwaps:
    def test_a_key_under_the_same_name_is_another_key(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        """And goes back to what it was: nothing that was remembered under one holds under the other."""
        first, old = op.key, op.token(exp=int(clock()) + 10**6)
        provider.verify(old)
        op.key = ec_key("one")
        op.keys = [op.key.public_jwk()]
        clock.advance(40)
        new = op.token(exp=int(clock()) + 10**6)
        assert provider.verify(new).subject == "alice"
        assert provider.recall(old) is None
        with pytest.raises(InvalidToken, match="token_signature"):
            provider.verify(old)
        op.key, op.keys = first, [first.public_jwk()]
        clock.advance(40)
        assert provider.verify(old).subject == "alice"
        with pytest.raises(InvalidToken, match="token_signature"):
            provider.verify(new)


class TestCallers:
    def test_one_loop_ends_while_it_waits_and_another_goes_on(self, op: Issuer, provider: OIDCProvider) -> None:
        """A test client, or a Lambda handler, makes a loop for each request."""
        op.fault(delay=0.3)

        async def given_up() -> None:
            waiting = asyncio.ensure_future(provider.averify(op.token()))
            await asyncio.sleep(0.05)
            waiting.cancel()

        asyncio.run(given_up())
        assert asyncio.run(provider.averify(op.token())).subject == "alice"
        assert provider.verify(op.token(sub="bob")).subject == "bob"
        assert op.asked() == 1

    def test_a_flood_of_bad_tokens_costs_no_question_and_keeps_no_good_one_waiting(
        self, op: Issuer, provider: OIDCProvider, clock: Clock
    ) -> None:
        """RTL-13: cheap checks first. Nothing but an unknown key of this very issuer asks, and that once."""
        provider.verify(op.token())
        clock.advance(40)
        good = op.token(sub="bob")
        for number in range(300):
            for bad in (op.token(iss="https://other.example"), op.token(aud="other"), op.unknown(number)):
                with pytest.raises(InvalidToken):
                    provider.verify(bad)
        assert op.asked() == 2
        assert provider.verify(good).subject == "bob"

    def test_a_limit_before_it_is_reached_before_any_key_is_asked_for(self, op: Issuer, provider: OIDCProvider) -> None:
        guard = chain(rate_limit("1/minute", client=ClientAddress.peer()), require_auth(provider))
        handler = guard(_handler)
        sent = [Request.build("GET", "/", {"authorization": f"Bearer {op.token(aud='x')}"}, peer="192.0.2.1") for _ in range(5)]
        assert [handler(one).status for one in sent] == [401, 429, 429, 429, 429]
        assert op.asked() == 1


class TestManyOfThem:
    def test_fifty_that_began_together_do_not_fetch_again_together(self, op: Issuer, clock: Clock) -> None:
        """AVL-12: each is due at a moment of its own, within the last tenth of the time."""
        sets = [JWKS(op.url + "/jwks", clock=clock, monotonic=clock, background=False) for _ in range(50)]
        for one in sets:
            one.refresh()
        due = sorted(one._held.soft for one in sets if one._held is not None)
        assert 540 <= due[0] < due[-1] <= 600
        assert len({round(moment) for moment in due}) >= 20

    def test_and_do_not_try_again_together_while_it_is_down(self, op: Issuer, clock: Clock) -> None:
        op.fault(status=503)
        sets = [JWKS(op.url + "/jwks", clock=clock, monotonic=clock) for _ in range(50)]
        for one in sets:
            with pytest.raises(Unavailable):
                one.refresh()
        rests = {round(one._attempts.rest((clock(), clock())), 3) for one in sets}
        assert len(rests) >= 20
        assert 0.75 <= min(rests) < max(rests) <= 1.25

    def test_a_child_has_nothing_of_a_fetch_that_its_parent_had_begun(
        self, op: Issuer, provider_of: Callable[..., OIDCProvider]
    ) -> None:
        import os

        provider = provider_of(op)
        op.fault(delay=0.5)
        waiting = threading.Thread(target=provider.verify, args=(op.token(),))
        waiting.start()
        until(lambda: op.asked() == 1)
        op.mend()
        child = os.fork()
        if child == 0:  # pragma: no cover
            try:
                os._exit(0 if provider.verify(op.token(sub="child")).subject == "child" else 1)
            except BaseException:
                os._exit(2)
        _, status = os.waitpid(child, 0)
        waiting.join()
        assert os.waitstatus_to_exitcode(status) == 0
        assert op.asked() == 2


def _handler(request: Request) -> Response:
    return Response(200)
