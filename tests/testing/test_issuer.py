"""`FakeIssuer`: an issuer over real HTTP, which a provider verifies, loses, and finds again."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import httpx
import pytest

from authkit import InvalidToken, Unavailable, require_auth
from authkit._fetch import Unfetched
from authkit.oidc import Discovery, OIDCProvider
from authkit.testing import BAD_OIDC_TOKENS, BAD_TOKENS, Clock, FakeIssuer
from tests.parts import bearer

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> Iterator[FakeIssuer]:
    with FakeIssuer(clock=clock) as running:
        yield running


def provider_of(issuer: FakeIssuer, **settings: Any) -> OIDCProvider:
    return issuer.provider(monotonic=issuer.clock, **settings)


def reason(provider: OIDCProvider, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        provider.verify(token)
    return caught.value.reason


class TestTokens:
    @pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
    def test_of_every_algorithm_are_verified_by_what_it_publishes(self, alg: str) -> None:
        with FakeIssuer(alg=alg, audience="https://api.example.com") as issuer:
            who = issuer.provider().verify(issuer.token("bob", scopes=["a", "b"], roles=["r"], org="acme"))
            assert (who.subject, who.issuer, who.scopes, who.roles) == ("bob", issuer.url, {"a", "b"}, {"r"})
            assert who.claims["org"] == "acme"
            assert (issuer.asked("discovery"), issuer.asked("keys")) == (1, 1)

    @pytest.mark.parametrize("path", ["", "/", "/tenants/one", "/tenants/one/"])
    def test_of_an_issuer_with_a_path_too(self, path: str) -> None:
        with FakeIssuer(path) as issuer:
            assert issuer.url == issuer.base + path
            assert issuer.provider().verify(issuer.token()).issuer == issuer.url
            assert issuer.asked("discovery") == 1

    def test_a_claim_is_added_replaced_or_taken_away(self, issuer: FakeIssuer) -> None:
        provider = provider_of(issuer)
        assert "client_id" not in provider.verify(issuer.token(client_id=...)).claims
        assert reason(provider, issuer.token(aud=...)) == "token_audience"
        assert provider.verify(issuer.token(ttl=60, iat=...)).claims["exp"] == issuer.clock() + 60

    def test_of_other_kinds_are_refused(self, issuer: FakeIssuer) -> None:
        provider, plain = provider_of(issuer), provider_of(issuer, token_type="JWT")
        for token in (issuer.id_token(), issuer.logout_token()):
            assert reason(provider, token) == reason(plain, token) == "token_type"
        assert provider_of(issuer, audience="web", token_type="JWT").verify(issuer.id_token(nonce=None)).subject == "alice"

    def test_go_by_its_clock(self, issuer: FakeIssuer, clock: Clock) -> None:
        provider, token = provider_of(issuer), issuer.token(ttl=60)
        provider.verify(token)
        clock.advance(60 + 30)
        assert reason(provider, token) == "token_expired"
        assert provider.verify(issuer.token()).subject == "alice"


class TestTheCatalogue:
    @pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
    def test_no_bad_token_passes_a_guard_and_all_get_the_same_answer(self, alg: str) -> None:
        with FakeIssuer(alg=alg) as issuer:
            guard = require_auth(issuer.provider())
            bad = issuer.bad()
            assert list(bad) == [*BAD_TOKENS, *BAD_OIDC_TOKENS]
            for name, token in bad.items():
                decision = guard.decide(bearer(token))
                assert (decision.status, decision.code) == (401, "invalid_token"), name
            assert issuer.asked("keys") <= 2

    REASONS = {
        "oidc": ("token_type", "token_audience"), "other": ("token_issuer", "token_key", "token_signature"),
        "issuer": ("token_issuer",), "audience": ("token_audience",), "bound": ("token_bound",),
        "hs256": ("token_signature", "token_key"), "hs512": ("token_key",),
    }  # fmt: skip

    @pytest.mark.parametrize("name", BAD_OIDC_TOKENS)
    def test_each_is_refused_for_what_is_wrong_with_it(self, name: str, issuer: FakeIssuer) -> None:
        assert reason(provider_of(issuer), issuer.bad()[name]) in self.REASONS[name.partition("_")[0]]
        assert BAD_OIDC_TOKENS[name]

    def test_no_plain_bad_token_passes_where_access_tokens_have_no_typ_of_their_own(self) -> None:
        with FakeIssuer(token_type="JWT") as issuer:
            provider = issuer.provider()
            assert provider.verify(issuer.token()).subject == "alice"
            bad = issuer.bad()
            assert {*BAD_TOKENS, *BAD_OIDC_TOKENS} - set(bad) == {"id_token", "typ_missing"}
            for name, token in bad.items():
                with pytest.raises(InvalidToken):
                    pytest.fail(f"{name}: {provider.verify(token)!r}")

    def test_the_two_catalogues_share_no_name_and_no_token(self, issuer: FakeIssuer) -> None:
        assert not set(BAD_TOKENS) & set(BAD_OIDC_TOKENS)
        assert len(set(issuer.bad().values())) == len(issuer.bad())


class TestKeys:
    def test_rotated_with_overlap_both_old_and_new_tokens_pass(self, issuer: FakeIssuer, clock: Clock) -> None:
        provider, old = provider_of(issuer), issuer.token()
        provider.verify(old)
        clock.advance(40)
        issuer.rotate(overlap=True)
        assert provider.verify(issuer.token()).subject == provider.verify(old).subject

    def test_rotated_without_overlap_the_old_ones_end_when_the_new_key_is_seen(self, issuer: FakeIssuer, clock: Clock) -> None:
        provider, old = provider_of(issuer), issuer.token()
        provider.verify(old)
        clock.advance(40)
        issuer.rotate(alg="EdDSA")
        assert provider.verify(issuer.token()).subject == "alice"
        assert reason(provider, old) == "token_key"

    def test_several_at_once(self, issuer: FakeIssuer) -> None:
        keys = [issuer.add_key("RS256"), issuer.add_key("EdDSA", kid="ed"), issuer.key]
        provider = provider_of(issuer)
        assert {provider.verify(issuer.token(key=key)).subject for key in keys} == {"alice"}
        assert len({key.kid for key in keys}) == 3

    def test_swapped_under_one_kid_the_old_ones_are_refused(self, issuer: FakeIssuer, clock: Clock) -> None:
        provider, old = provider_of(issuer), issuer.token()
        provider.verify(old)
        clock.advance(40)
        assert issuer.swap_key().kid == "key-1"
        assert provider.verify(issuer.token()).subject == "alice"
        assert reason(provider, old) == "token_signature"

    def test_removed_it_is_refused_from_the_next_fetch_on(self, issuer: FakeIssuer) -> None:
        provider, old = provider_of(issuer), issuer.token()
        provider.verify(old)
        issuer.rotate(overlap=True)
        issuer.remove_key("key-1")
        provider.keys.refresh()
        assert reason(provider, old) == "token_key"


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [{"status": 503}, {"status": 404}, {"drop": True}, {"cut": True}, {"garbage": True}, {"huge": True}, {"body": b""},
         {"redirect": "https://evil.example/jwks"}, {"drip": 0.5}, {"delay": SECONDS}],
        ids=lambda fault: next(iter(fault)),
    )  # fmt: skip
    @pytest.mark.parametrize("place", ["keys", "discovery"])
    def test_each_is_503_and_over_when_it_is_mended(self, issuer: FakeIssuer, place: str, fault: dict[str, Any]) -> None:
        issuer.fault(place, **fault)
        slow = "drip" in fault or "delay" in fault
        with pytest.raises(Unavailable):
            provider_of(issuer, timeout=0.3 if slow else SECONDS).verify(issuer.token())
        assert slow or issuer.asked(place) == 1
        issuer.mend()
        assert provider_of(issuer).verify(issuer.token()).subject == "alice"

    def test_another_issuer_in_the_metadata_is_refused(self, issuer: FakeIssuer) -> None:
        issuer.says["issuer"] = issuer.url + "/"
        with pytest.raises(Unfetched, match="another issuer"):
            Discovery(issuer.url).metadata()

    def test_what_it_says_and_which_pages_it_has_can_be_changed(self, issuer: FakeIssuer) -> None:
        issuer.says.update(userinfo_endpoint=issuer.base + "/me", token_endpoint=None)
        said = httpx.get(issuer.url + "/.well-known/openid-configuration", timeout=SECONDS).json()
        assert (said["userinfo_endpoint"], "token_endpoint" in said) == (issuer.base + "/me", False)
        issuer.pages["/me"] = {"sub": "alice"}
        issuer.pages["/ask"] = lambda method, headers, body: (201, [method, headers["x-one"], body.decode()])
        assert httpx.get(issuer.base + "/me", timeout=SECONDS).json() == {"sub": "alice"}
        answer = httpx.post(issuer.base + "/ask?x=1", content="a=b", headers={"X-One": "1"}, timeout=SECONDS)
        assert (answer.status_code, answer.json()) == (201, ["POST", "1", "a=b"])
        assert (issuer.asked("/ask"), httpx.get(issuer.base + "/none", timeout=SECONDS).status_code) == (1, 404)

    def test_for_a_number_of_requests_and_everywhere(self, issuer: FakeIssuer) -> None:
        issuer.fault("*", status=500, times=2)
        statuses = [httpx.get(issuer.url + path, timeout=SECONDS).status_code for path in ("/jwks", "/none", "/jwks")]
        assert statuses == [500, 500, 200]
        issuer.headers["Cache-Control"] = "max-age=60"
        issuer.fault(content_type="text/html", headers={"Age": "7"})
        told = httpx.get(issuer.url + "/jwks", timeout=SECONDS).headers
        assert (told["content-type"], told["cache-control"], told["age"]) == ("text/html", "max-age=60", "7")

    def test_a_page_that_fails_says_where(self, issuer: FakeIssuer, capfd: pytest.CaptureFixture[str]) -> None:
        issuer.pages["/me"] = lambda method, headers, body: 1 / 0
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(issuer.base + "/me", timeout=SECONDS)
        issuer.stop()
        assert "ZeroDivisionError" in capfd.readouterr().err

    def test_a_path_begins_with_a_slash(self) -> None:
        with pytest.raises(ValueError, match="slash"):
            FakeIssuer("tenant")

    def test_one_that_nobody_knows_is_an_error(self, issuer: FakeIssuer) -> None:
        with pytest.raises(TypeError):
            issuer.fault(satus=503)

    def test_what_is_known_stands_while_everything_is_down(self, issuer: FakeIssuer, clock: Clock) -> None:
        provider = provider_of(issuer)
        provider.verify(issuer.token())
        issuer.fault("*", drop=True)
        clock.advance(20 * 3600)
        assert provider.verify(issuer.token("bob")).subject == "bob"


class TestItsEnd:
    def test_before_its_start_and_after_its_end_nobody_answers(self) -> None:
        issuer = FakeIssuer()
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                httpx.get(issuer.url, timeout=SECONDS)
            if not issuer.counts:
                with issuer:
                    assert httpx.get(issuer.url, timeout=SECONDS).status_code == 404
        issuer.stop()  # once more is nothing

    def test_leaves_no_thread_though_somebody_waits_and_somebody_says_nothing(self) -> None:
        before = set(threading.enumerate())
        with FakeIssuer() as issuer, ThreadPoolExecutor(2) as pool, socket.create_connection(_address(issuer)) as idle:
            issuer.fault("keys", delay=600)
            waiting = pool.submit(httpx.get, issuer.url + "/jwks", timeout=SECONDS)
            idle.sendall(b"GET /")
            until = time.monotonic() + SECONDS
            while not issuer.asked("keys"):
                assert time.monotonic() < until
                time.sleep(0.005)
            issuer.stop()
            assert not waiting.exception(SECONDS) or isinstance(waiting.exception(), httpx.HTTPError)
        assert set(threading.enumerate()) - before == set()

    def test_counts_and_rotates_under_many_threads(self) -> None:
        with FakeIssuer() as issuer:

            def visit(number: int) -> int:
                if number % 10 == 0:
                    issuer.add_key()
                with urlopen(issuer.url + "/jwks", timeout=SECONDS) as answer:
                    return len(json.load(answer)["keys"])

            with ThreadPoolExecutor(8) as pool:
                assert min(pool.map(visit, range(100))) >= 1
            assert issuer.asked("keys") == 100
            assert len(issuer.keys) == 11


def _address(issuer: FakeIssuer) -> tuple[str, int]:
    return "127.0.0.1", int(issuer.base.rpartition(":")[2])


class TestMistakes:
    """What somebody new to it gets wrong says so, and tests nothing else instead."""

    def test_what_was_started_may_be_started_again_and_ends_once(self) -> None:
        issuer = FakeIssuer().start()
        with issuer.start() as same:
            assert same is issuer
            assert issuer.provider().verify(issuer.token()).subject == "alice"
        issuer.stop()
        with pytest.raises(RuntimeError, match="make another"):
            issuer.start()

    def test_a_secret_is_nothing_to_publish(self) -> None:
        with pytest.raises(ValueError, match="TokenMint"):
            FakeIssuer(alg="HS256")

    @pytest.mark.parametrize("path", ["realms/main", "/a b", "/a?b=c", "/a#b", "/\u0430"])
    def test_a_path_is_one_of_a_url(self, path: str) -> None:
        with pytest.raises(ValueError, match="path"):
            FakeIssuer(path)

    def test_a_string_of_scopes_is_not_its_letters_and_a_dict_of_claims_is_no_claim(self, issuer: FakeIssuer) -> None:
        with pytest.raises(TypeError, match="not one string"):
            issuer.token(scopes="orders:read")
        with pytest.raises(TypeError, match="by their names"):
            issuer.token(claims={"org": "acme"})

    def test_a_place_that_it_does_not_have_is_neither_faulty_nor_asked(self, issuer: FakeIssuer) -> None:
        """A fault that never strikes, and a count that stays 0, would have a test pass that tests nothing."""
        with pytest.raises(ValueError, match="'keys'"):
            issuer.fault("jwks", status=503)
        with pytest.raises(ValueError, match="'discovery'"):
            issuer.asked("jwks")
