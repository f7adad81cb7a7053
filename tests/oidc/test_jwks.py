"""Keys of an issuer: fetched seldom, once for all who wait, and kept standing while it is down (JWK-01 to -04, AVL-05)."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError, InvalidToken, Unavailable
from authkit.oidc import JWKS, OIDCProvider
from authkit.testing import Clock

from .issuer import DISCOVERY, Issuer, until

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400.0


def refused(provider: OIDCProvider, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        provider.verify(token)
    return caught.value.reason


def outcome(provider: OIDCProvider, token: str) -> str:
    try:
        return provider.verify(token).subject
    except InvalidToken as error:
        return error.reason
    except Unavailable:
        return "unavailable"


class TestKeysThatAreKnown:
    def test_are_fetched_once(self, op: Issuer, provider: OIDCProvider) -> None:
        for number in range(100):
            assert provider.verify(op.token(sub=f"user-{number}")).subject == f"user-{number}"
        assert (op.asked(), op.asked(DISCOVERY)) == (1, 1)

    def test_do_not_wait_for_the_fetch_that_is_due(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        """The fetch is held back until the tokens are through."""
        provider.verify(op.token())
        op.fault(delay=1)
        clock.advance(700)
        for number in range(20):
            provider.verify(op.token(sub=f"user-{number}"))
        known = op.token()
        assert provider.verify(known) == provider.recall(known)
        assert provider.keys._order == 1 or provider.keys._aloft == 1  # the second fetch has not ended
        until(lambda: provider.keys._held is not None and provider.keys._held.order == 2)
        assert op.asked() == 2

    def test_are_fetched_in_the_background_from_their_time_on_even_if_all_is_remembered(
        self, op: Issuer, provider: OIDCProvider, clock: Clock
    ) -> None:
        token = op.token(exp=int(clock()) + 10**6)
        provider.verify(token)
        clock.advance(500)
        assert provider.recall(token) is not None
        assert op.asked() == 1
        clock.advance(101)
        assert provider.recall(token) is not None
        until(lambda: op.asked() == 2)

    def test_stop_with_the_next_fetch_once_they_are_removed(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        old = op.token(exp=int(clock()) + 10**6)
        assert provider.verify(old).subject == "alice"
        op.rotate()
        clock.advance(601)
        assert provider.verify(old).subject == "alice"  # it did not wait
        until(lambda: provider.recall(old) is None)
        assert refused(provider, old) == "token_key"
        assert provider.verify(op.token()).subject == "alice"

    def test_that_are_published_beside_new_ones_stay(self, op: Issuer, provider: OIDCProvider) -> None:
        old = op.token()
        provider.verify(old)
        op.rotate(keep=True)
        provider.keys.refresh()
        assert provider.verify(old) == provider.verify(op.token())

    def test_that_come_again_keep_what_was_verified(self, op: Issuer, provider: OIDCProvider) -> None:
        token = op.token()
        known = provider.verify(token)
        op.keys.append({"kty": "oct", "k": "c2VjcmV0", "kid": "x"})
        provider.keys.refresh()
        assert provider.recall(token) is known


class TestAnUnknownKey:
    def test_is_fetched_for_once_in_the_cooldown(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        provider.verify(op.token())
        clock.advance(40)
        assert {refused(provider, op.unknown(number)) for number in range(1000)} == {"token_key"}
        assert op.asked() == 2
        clock.advance(29)
        refused(provider, op.unknown(1))
        assert op.asked() == 2
        clock.advance(1)
        refused(provider, op.unknown(1))
        assert op.asked() == 3

    def test_is_fetched_for_as_seldom_while_the_issuer_answers_503(
        self, op: Issuer, provider: OIDCProvider, clock: Clock
    ) -> None:
        """Whether there is such a key cannot be known then: 503, and what is known goes on."""
        provider.verify(op.token())
        op.fault(status=503)
        for cooldown in range(1, 4):
            clock.advance(40)
            assert {outcome(provider, op.unknown(number)) for number in range(1000)} == {"unavailable"}
            assert op.asked() == 1 + cooldown
            assert provider.verify(op.token(sub="bob")).subject == "bob"

    def test_stays_uncertain_until_the_issuer_has_answered(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        provider.verify(op.token())
        op.fault(status=503)
        clock.advance(40)
        assert outcome(provider, op.unknown(1)) == "unavailable"
        op.mend()
        clock.advance(15)  # the rest after the failure is over, the cooldown is not
        assert outcome(provider, op.unknown(1)) == "unavailable"
        assert op.asked() == 2
        clock.advance(15)
        assert outcome(provider, op.unknown(1)) == "token_key"

    def test_is_not_fetched_for_while_the_issuer_rests(
        self, op: Issuer, provider_of: Callable[..., OIDCProvider], clock: Clock
    ) -> None:
        """However short the cooldown: attempts at an issuer that is down grow rarer."""
        provider = provider_of(op, cooldown=1)
        provider.verify(op.token())
        op.fault(status=503)
        clock.advance(40)
        for number in range(30):
            assert outcome(provider, op.unknown(number)) == "unavailable"
            clock.advance(1)
        assert 3 <= op.asked() <= 4

    def test_is_found_as_soon_as_it_signs(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        provider.verify(op.token())
        clock.advance(5)
        op.rotate()
        assert provider.verify(op.token()).subject == "alice"
        assert op.asked() == 2

    def test_under_a_known_name_is_found_as_well(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        provider.verify(op.token())
        clock.advance(5)
        op.rotate("one")
        assert provider.verify(op.token()).subject == "alice"

    def test_of_a_thousand_at_once_is_fetched_for_once(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        provider.verify(op.token())
        clock.advance(40)
        op.fault(delay=0.2)

        async def all_at_once() -> list[object]:
            asking = [provider.averify(op.unknown(number)) for number in range(200)]
            return await asyncio.gather(*asking, return_exceptions=True)

        assert {getattr(error, "reason", None) for error in asyncio.run(all_at_once())} == {"token_key"}
        assert op.asked() == 2

    @pytest.mark.parametrize(
        "header",
        [
            {"alg": "ES256", "kid": "x" * 1000},
            {"alg": "ES256", "kid": 7},
            {"alg": "ES256", "kid": None},
            {"alg": "ES256", "kid": ""},
            {"alg": "ES256", "kid": ["one"]},
            {"alg": "none", "kid": "x"},
            {"alg": "HS256", "kid": "one"},
            {"alg": "XS256", "kid": "x"},
            {"alg": None, "kid": "x"},
            {"kid": "x"},
            {"alg": "ES256", "kid": "x", "crit": ["exp"]},
            {"alg": ["ES256"], "kid": "x"},
        ],
    )
    def test_that_nobody_could_have_is_fetched_for_never(
        self, op: Issuer, provider: OIDCProvider, clock: Clock, header: dict[str, Any]
    ) -> None:
        provider.verify(op.token())
        clock.advance(40)
        assert refused(provider, op.token({"typ": "at+jwt", **header})) in ("token_key", "token_critical")
        assert op.asked() == 1

    @pytest.mark.parametrize("changes", [{"iss": "https://other.example"}, {"iss": ...}])
    def test_of_another_issuer_is_fetched_for_never(
        self, op: Issuer, provider: OIDCProvider, clock: Clock, changes: dict[str, Any]
    ) -> None:
        provider.verify(op.token())
        clock.advance(40)
        assert refused(provider, op.token({"typ": "at+jwt", "alg": "ES256", "kid": "new"}, **changes)) == "token_issuer"
        assert op.asked() == 1

    @pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "a\r\nb", "a\0b", "http://127.0.0.1/", "\udc80", "é"])
    def test_is_a_name_and_nothing_else(self, op: Issuer, provider: OIDCProvider, kid: str) -> None:
        assert refused(provider, op.token({"typ": "at+jwt", "alg": "ES256", "kid": kid})) in ("token_key", "token_malformed")


class TestWithoutKeys:
    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 503},
            {"status": 404},
            {"status": 204, "body": b""},
            {"drop": True},
            {"body": b"<html>Sign in</html>"},
            {"body": b'{"keys": []}'},
            {"body": b'{"keys": [{"kty": "EC"'},
            {"body": b"[]"},
            {"body": b'{"keys": {}}'},
            {"body": b"\xff"},
            {"body": b'{"keys": [{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ1"}]}'},
            {"body": b""},
            {"body": b'{"keys": [' + b",".join([b"{}"] * 101) + b"]}"},
            {"body": b" " * (1 << 20) + b'{"keys": []}'},
            {"body": b'{"keys": [], "keys": []}'},
            {"status": 302, "headers": {"Location": "http://127.0.0.2:1/jwks"}},
        ],
        ids=range(16),
    )
    @pytest.mark.parametrize("path", ["/jwks", DISCOVERY])
    def test_nobody_is_refused_or_admitted_and_it_recovers(
        self, op: Issuer, provider: OIDCProvider, clock: Clock, fault: dict[str, Any], path: str
    ) -> None:
        """503, and no storm: within ten seconds of its recovery it is asked again."""
        op.fault(path, **fault)
        for _ in range(20):
            with pytest.raises(Unavailable) as caught:
                provider.verify(op.token())
            assert caught.value.retry_after <= 2
        assert op.asked(path) == 1
        op.mend()
        clock.advance(10)
        assert provider.verify(op.token()).subject == "alice"

    @pytest.mark.parametrize("fault", [{"status": 500}, {"drop": True}, {"body": b'{"keys": []}'}, {"body": b"<html>"}])
    def test_a_bad_answer_replaces_no_good_keys(
        self, op: Issuer, provider: OIDCProvider, clock: Clock, fault: dict[str, Any]
    ) -> None:
        provider.verify(op.token())
        op.fault(**fault)
        with pytest.raises(Unavailable):
            provider.keys.refresh()
        assert provider.verify(op.token(sub="bob")).subject == "bob"

    def test_attempts_grow_rarer(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        op.fault(status=503)
        for _ in range(600):
            outcome(provider, op.token())
            clock.advance(0.1)
        assert 6 <= op.asked() <= 13

    def test_a_hundred_callers_wait_for_one_fetch_on_threads(self, op: Issuer, provider: OIDCProvider) -> None:
        op.fault(delay=0.1)
        with ThreadPoolExecutor(100) as threads:
            found = list(threads.map(lambda number: outcome(provider, op.token(sub=f"u{number}")), range(100)))
        assert found == [f"u{number}" for number in range(100)]
        assert (op.asked(), op.asked(DISCOVERY)) == (1, 1)

    def test_a_thousand_callers_wait_for_one_fetch_on_a_loop(self, op: Issuer, provider: OIDCProvider) -> None:
        op.fault(delay=0.1)

        async def all_at_once() -> int:
            return len(await asyncio.gather(*[provider.averify(op.token()) for _ in range(1000)]))

        assert asyncio.run(all_at_once()) == 1000
        assert (op.asked(), op.asked(DISCOVERY)) == (1, 1)

    def test_a_black_hole_is_waited_for_once(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
        provider = provider_of(op, timeout=0.3)
        op.fault(delay=3)
        before = threading.active_count()
        with ThreadPoolExecutor(50) as threads:
            found = list(threads.map(lambda _: outcome(provider, op.token()), range(50)))
            assert set(found) == {"unavailable"}
        began = time.monotonic()
        assert {outcome(provider, op.token()) for _ in range(50)} == {"unavailable"}
        assert time.monotonic() - began < 2.5  # nobody waited for it
        assert op.asked() == 1
        assert threading.active_count() <= before + 3


class TestAnIssuerThatIsDown:
    @pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}])
    def test_is_stood_in_for_within_the_bound_and_not_after_it(
        self, op: Issuer, provider: OIDCProvider, clock: Clock, fault: dict[str, Any]
    ) -> None:
        began = clock()
        provider.verify(op.token())
        op.fault(**fault)
        while clock() < began + DAY - 3600:
            clock.advance(3500)
            assert provider.verify(op.token()).subject == "alice"
        clock.now = began + DAY - 1
        assert [outcome(provider, op.token(sub=f"u{number}")) for number in range(100)] == [f"u{n}" for n in range(100)]
        clock.now = began + DAY + 1
        assert {outcome(provider, op.token()) for _ in range(100)} == {"unavailable"}

    def test_is_asked_again_as_soon_as_that_is_due(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        """10 seconds after the first failure, give or take a quarter."""
        provider.verify(op.token())
        op.fault(status=503)
        clock.advance(700)
        provider.verify(op.token())
        until(lambda: provider.keys._attempts.failures == 1 and provider.keys._background is None)
        clock.advance(7)
        provider.verify(op.token())
        assert provider.keys._background is None
        clock.advance(6)
        provider.verify(op.token())
        until(lambda: op.asked() == 3)

    def test_is_told_once_and_so_is_its_return(
        self, op: Issuer, provider: OIDCProvider, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        provider.verify(op.token())
        op.fault(status=503)
        for _ in range(5):
            clock.advance(700)
            before = op.asked()
            provider.verify(op.token())
            until(lambda then=before: op.asked() > then and provider.keys._background is None)  # type: ignore[misc]
        op.mend()
        clock.advance(700)
        provider.verify(op.token())
        until(lambda: provider.keys._attempts.failures == 0)
        until(lambda: len(caplog.messages) == 2)
        assert caplog.messages[0] == (
            f"the keys of {op.url}: the issuer failed (its keys: it answered 503); "
            "those that are known stay in use for at most 86400 seconds"
        )
        assert caplog.messages[1] == f"the keys of {op.url}: the issuer answers again"

    @pytest.mark.parametrize("jump", [-3600.0, 86_400.0 * 400, -86_400.0 * 400])
    def test_and_a_clock_that_jumps_make_nothing_immortal_and_lock_nobody_out(
        self, op: Issuer, clock: Clock, provider_of: Callable[..., OIDCProvider], jump: float
    ) -> None:
        """AVL-08: the wall clock jumps, the monotonic one does not; or goes on while the wall clock stands."""
        steady = Clock(50.0)
        provider = provider_of(op, monotonic=steady)
        provider.verify(op.token())
        clock.advance(jump)
        assert provider.verify(op.token()).subject == "alice"
        op.rotate()
        old = op.token(key=op.key)
        steady.advance(DAY + 1)
        assert provider.verify(old).subject == "alice"
        op.fault(status=503)
        steady.advance(DAY + 1)
        assert outcome(provider, op.token()) == "unavailable"


class TestClocks:
    """AVL-08."""

    def test_a_wall_clock_that_stands_still_makes_no_key_last(
        self, op: Issuer, provider_of: Callable[..., OIDCProvider]
    ) -> None:
        steady = Clock(50.0)
        provider = provider_of(op, monotonic=steady)
        for _ in range(3):
            provider.verify(op.token())
        steady.advance(601)
        provider.verify(op.token())
        until(lambda: op.asked() == 2 and provider.keys._background is None)
        for _ in range(3):
            provider.verify(op.token())
        op.fault(status=503)
        steady.advance(DAY + 1)
        assert outcome(provider, op.token()) == "unavailable"

    def test_one_that_is_set_back_has_the_keys_fetched(
        self, op: Issuer, clock: Clock, provider_of: Callable[..., OIDCProvider]
    ) -> None:
        provider = provider_of(op, monotonic=Clock(50.0))
        provider.verify(op.token())
        clock.advance(-3600)
        assert provider.verify(op.token()).subject == "alice"
        until(lambda: op.asked() == 2)


class TestCacheControl:
    @pytest.mark.parametrize(
        ("headers", "kept"),
        [
            ({}, 600),
            ({"Cache-Control": "public, max-age=1200, must-revalidate"}, 1200),
            ({"Cache-Control": "max-age=5"}, 60),
            ({"Cache-Control": "max-age=864000"}, 3600),
            ({"Cache-Control": "no-store, max-age=900"}, 60),
            ({"Cache-Control": "max-age=1200", "Age": "300"}, 900),
            ({"Cache-Control": "max-age=-1"}, 600),
            ({"Cache-Control": "max-age=1e9"}, 600),
            ({"Cache-Control": "max-age=٣"}, 600),
            ({"Cache-Control": "max-age=" + "9" * 50}, 600),
        ],
    )
    def test_is_honoured_within_bounds(self, headers: dict[str, str], kept: float) -> None:
        from authkit.oidc._held import kept_for

        assert kept_for({name.lower(): value for name, value in headers.items()}, 600) == kept

    def test_of_the_answer_decides_when_the_next_fetch_is(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        op.headers["Cache-Control"] = "max-age=3000"
        provider.verify(op.token())
        clock.advance(2600)
        provider.verify(op.token())
        assert provider.keys._background is None
        assert op.asked() == 1
        clock.advance(401)
        provider.verify(op.token())
        until(lambda: op.asked() == 2)


class TestFromOneProcessToTheNext:
    def test_what_was_exported_needs_no_fetch(
        self, op: Issuer, provider: OIDCProvider, provider_of: Callable[..., OIDCProvider]
    ) -> None:
        assert provider.export() is None
        provider.verify(op.token())
        saved = provider.export()
        assert saved is not None
        op.fault(status=503)
        later = provider_of(op)
        assert later.restore(saved)
        assert later.verify(op.token()).subject == "alice"
        assert (op.asked(), op.asked(DISCOVERY)) == (1, 1)

    def test_it_is_as_old_as_it_is(
        self, op: Issuer, provider: OIDCProvider, provider_of: Callable[..., OIDCProvider], clock: Clock
    ) -> None:
        provider.verify(op.token())
        saved = provider.export() or ""
        op.fault(status=503)
        clock.advance(DAY - 10)
        later = provider_of(op)
        assert later.restore(saved)
        assert later.verify(op.token()).subject == "alice"
        clock.advance(11)
        assert outcome(later, op.token()) == "unavailable"
        assert not provider_of(op).restore(saved)

    def test_what_is_newer_stays(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        old = op.token(exp=int(clock()) + 10**6)
        provider.verify(old)
        saved = provider.export() or ""
        clock.advance(40)
        op.rotate()
        provider.verify(op.token())
        assert not provider.restore(saved)
        assert refused(provider, old) == "token_key"

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: "",
            lambda text: text[:-5],
            lambda text: "[]",
            lambda text: "{}",
            lambda text: text.encode() + b"\xff",
            lambda text: text.replace("127.0.0.1", "127.0.0.2"),
            lambda text: text.replace('"authkit": 1', '"authkit": 2'),
            lambda text: text.replace('"fetched_at": 18', '"fetched_at": 19'),
            lambda text: text.replace('"fetched_at": ', '"fetched_at": -'),
            lambda text: text.replace('"EC"', '"oct"'),
            lambda text: text.replace('"keys": [', '"keys": 1, "other": ['),
            lambda text: None,  # what `export` gives where nothing is known, and an environment variable that is not set
            lambda text: 10**12,
            lambda text: [text],
        ],
        ids=range(14),
    )
    def test_anything_else_is_not_taken(
        self, op: Issuer, provider: OIDCProvider, provider_of: Callable[..., OIDCProvider], change: Callable[[str], Any]
    ) -> None:
        provider.verify(op.token())
        later = provider_of(op)
        assert not later.restore(change(provider.export() or ""))
        assert later.keys.at_hand() is None

    def test_a_forked_child_goes_on_with_the_keys_of_its_parent(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        provider.verify(op.token())
        op.fault(delay=0.3)
        clock.advance(700)
        provider.verify(op.token())
        until(lambda: op.asked() == 2)  # a fetch is under way, in a thread that the child does not have
        child = os.fork()
        if child == 0:
            try:
                good = provider.verify(op.token(sub="bob")).subject == "bob"  # and it is fetched anew at once
                end = time.monotonic() + 5
                while good and provider.keys._order < 3 and time.monotonic() < end:
                    time.sleep(0.01)
                os._exit(0 if good and provider.keys._order >= 3 else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        until(lambda: provider.keys._background is None)


@pytest.mark.parametrize(
    "settings",
    [
        {"ttl": 0},
        {"ttl": "600"},
        {"ttl": True},
        {"ttl": float("nan")},
        {"stale": -1},
        {"stale": 8 * DAY},
        {"ttl": 700, "stale": 600},
        {"cooldown": 0},
        {"cooldown": float("inf")},
        {"timeout": 0},
        {"timeout": 31},
        {"timeout": None},
    ],
)
def test_times_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r" is "):
        JWKS("https://issuer.example/jwks", **settings)


class TestWhereThreadsStandStill:
    """Between two requests, as on AWS Lambda: nothing that runs in the background comes to an end."""

    @pytest.fixture
    def provider(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> OIDCProvider:
        return provider_of(op, background=False, timeout=1.5)

    def test_who_finds_the_keys_due_waits_for_them(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        old = op.token(exp=int(clock()) + 10**6)
        provider.verify(old)
        op.rotate()
        clock.advance(601)
        assert refused(provider, old) == "token_key"
        assert op.asked() == 2

    @pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}, {"delay": 4}])
    def test_one_in_a_while_waits_while_the_issuer_is_down_and_all_are_served(
        self, op: Issuer, provider: OIDCProvider, clock: Clock, fault: dict[str, Any]
    ) -> None:
        provider.verify(op.token())
        op.fault(**fault)
        clock.advance(601)
        assert {outcome(provider, op.token(sub="bob")) for _ in range(20)} == {"bob"}
        assert op.asked() == 2
        clock.advance(DAY)
        assert {outcome(provider, op.token()) for _ in range(20)} == {"unavailable"}

    def test_it_is_the_default_on_lambda(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert not JWKS("https://issuer.example/jwks")._in_front
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
        assert JWKS("https://issuer.example/jwks")._in_front
        assert not JWKS("https://issuer.example/jwks", background=True)._in_front


class TestRaces:
    def test_a_caller_that_goes_away_takes_no_fetch_with_it(self, op: Issuer, provider: OIDCProvider) -> None:
        """The first caller is cancelled in the midst of the fetch that the others wait for."""
        op.fault(delay=0.2)

        async def several() -> list[str]:
            first = asyncio.ensure_future(provider.averify(op.token()))
            await asyncio.sleep(0.05)
            others = [asyncio.ensure_future(provider.averify(op.token(sub=f"u{number}"))) for number in range(5)]
            await asyncio.sleep(0)
            first.cancel()
            return [(await other).subject for other in others]

        assert asyncio.run(several()) == [f"u{number}" for number in range(5)]
        assert op.asked() == 1

    def test_threads_and_a_loop_share_one_fetch(self, op: Issuer, provider: OIDCProvider) -> None:
        op.fault(delay=0.2)

        async def on_a_loop() -> None:
            await asyncio.gather(*[provider.averify(op.token()) for _ in range(20)])

        with ThreadPoolExecutor(21) as threads:
            loop = threads.submit(asyncio.run, on_a_loop())
            assert {outcome(provider, token) for token in [op.token()]} == {"alice"}
            loop.result(10)
        assert op.asked() == 1

    def test_one_that_hangs_is_not_waited_for_again_and_lands_late(
        self, op: Issuer, provider_of: Callable[..., OIDCProvider], clock: Clock
    ) -> None:
        provider = provider_of(op, timeout=1)
        op.fault(delay=3)
        assert outcome(provider, op.token()) == "unavailable"
        op.mend()
        clock.advance(2)
        assert outcome(provider, op.token()) == "alice"
        until(lambda: provider.keys._aloft == 0)

    def test_what_was_asked_first_and_lands_last_replaces_nothing(
        self, op: Issuer, provider: OIDCProvider, clock: Clock
    ) -> None:
        old = op.token(exp=int(clock()) + 10**6)
        provider.verify(old)
        op.fault(delay=0.5)
        clock.advance(700)
        provider.verify(old)
        until(lambda: op.asked() == 2)  # it is slow, and brings the old key
        op.mend()
        op.rotate()
        clock.advance(31)
        provider.verify(old)
        until(lambda: provider.recall(old) is None)
        assert provider.keys._aloft == 1
        until(lambda: provider.keys._aloft == 0)
        assert refused(provider, old) == "token_key"

    def test_keys_swapped_under_load_refuse_no_good_token(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        """Ten rotations, each published beside the former key, while eight threads verify."""
        tokens = [op.token(exp=int(clock()) + 10**6)]
        stop = threading.Event()

        def verifying() -> set[str]:
            found = set()
            while not stop.is_set():
                found.add(outcome(provider, tokens[-1]))
            return found

        with ThreadPoolExecutor(8) as threads:
            running = [threads.submit(verifying) for _ in range(8)]
            for number in range(10):
                op.rotate(f"k{number}", keep=True)
                clock.advance(40)
                tokens.append(op.token(exp=int(clock()) + 10**6))
                until(lambda: provider.recall(tokens[-1]) is not None)
            stop.set()
            found = set().union(*[one.result(10) for one in running])
        assert found <= {"alice", "unavailable"}  # 503: a fetch that takes more than a second, on a machine that is busy
        assert "alice" in found
        assert op.asked() <= 12
