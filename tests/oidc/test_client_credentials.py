"""A program that calls an API with tokens of its own: asked for once, renewed in time, and sent to nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
import pytest

from authkit import require_auth
from authkit.errors import ConfigurationError, Unavailable
from authkit.oidc import ClientCredentials, DPoPKey, OIDCProvider
from authkit.oidc._machine_token import LONGEST, UNSAID, lifetime
from authkit.secrets import Secret, Secrets, SecretVersions
from authkit.testing import Clock
from tests.servers.loopback import Asked, Loopback, loopback
from tests.vault import Vault

from .issuer import Issuer, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # what is trusted is read from the disk otherwise, which takes long
SECRET = "machine: 0f1e2d3c4b5a69788796a5b4c3d2e1f0"
BAD_TYPES = [{"token_type": "mac"}, {"token_type": "N_A"}, {"token_type": None}, {"token_type": ["Bearer"]}, {"token_type": 1}]


class Tokens:
    """A token endpoint's page: which forms came, and what is answered beside a token of its own for each."""

    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.headers: list[Any] = []
        self.says: dict[str, Any] = {"token_type": "Bearer", "expires_in": 3600}
        self.status = 200
        self.error: str | None = None

    def __call__(self, method: str, headers: Any, body: bytes) -> tuple[int, Any]:
        self.forms.append(parse_qs(body.decode()))
        self.headers.append(dict(headers))
        if self.error is not None:
            return 400, {"error": self.error, "error_description": f"never shown: {SECRET}"}
        return self.status, {"access_token": f"token-{len(self.forms)}", **self.says}


@pytest.fixture
def tokens(op: Issuer) -> Tokens:
    page = op.pages["/token"] = Tokens()
    op.says["token_endpoint"] = f"{op.base}/token"
    return page


def accepts(asked: Asked) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, asked.headers.get("authorization", "none").encode()


def from_the_second(asked: Asked) -> tuple[int, dict[str, str], bytes]:
    return (401, {}, b"") if asked.headers["authorization"] == "Bearer token-1" else (200, {}, asked.body)


@pytest.fixture
def api() -> Iterator[Loopback]:
    with loopback(accepts) as server:
        yield server


@pytest.fixture
def auth_of(op: Issuer, tokens: Tokens, clock: Clock, provider: OIDCProvider) -> Callable[..., ClientCredentials]:
    def made(**settings: Any) -> ClientCredentials:
        given = {"client_secret": SECRET, "clock": clock, "monotonic": clock, "timeout": 30, "background": False, **settings}
        return ClientCredentials(given.pop("provider", provider), "machine", **given)

    return made


def visits(auth: ClientCredentials, api: Loopback, times: int = 1, **settings: Any) -> list[str]:
    with httpx.Client(auth=auth, timeout=30, verify=NO_TLS) as client:
        return [client.get(f"{api.url}/", **settings).text for _ in range(times)]


class TestOneToken:
    def test_it_is_asked_for_once_and_sent_with_each_request(self, auth_of: Any, tokens: Tokens, api: Loopback) -> None:
        auth = auth_of(audience="https://api.example", scopes=["orders:read", "orders:write"], fields={"tenant": "7"})
        assert visits(auth, api, 3) == ["Bearer token-1"] * 3
        assert tokens.forms == [
            {"grant_type": ["client_credentials"], "audience": ["https://api.example"], "scope": ["orders:read orders:write"],
             "tenant": ["7"]}
        ]  # fmt: skip
        assert tokens.headers[0]["authorization"].startswith("Basic ")

    def test_several_resources_are_asked_for_one_by_one(self, auth_of: Any, tokens: Tokens) -> None:
        auth_of(resource=["https://a.example", "https://b.example"]).token()
        assert tokens.forms[0]["resource"] == ["https://a.example", "https://b.example"]

    def test_a_hundred_threads_on_a_cold_start_ask_for_one(
        self, auth_of: Any, tokens: Tokens, api: Loopback, op: Issuer
    ) -> None:
        op.fault("/token", delay=0.3)
        gate = threading.Barrier(100)

        def call(client: httpx.Client) -> str:
            gate.wait(30)
            return client.get(f"{api.url}/").text

        with httpx.Client(auth=auth_of(), timeout=30, verify=NO_TLS) as client, ThreadPoolExecutor(100) as pool:
            assert set(pool.map(call, [client] * 100)) == {"Bearer token-1"}
        assert len(tokens.forms) == 1

    def test_a_hundred_tasks_on_a_cold_start_ask_for_one(self, auth_of: Any, tokens: Tokens, api: Loopback, op: Issuer) -> None:
        op.fault("/token", delay=0.3)
        auth = auth_of()

        async def call() -> set[str]:
            async with httpx.AsyncClient(auth=auth, timeout=30, verify=NO_TLS) as client:
                answers = await asyncio.gather(*(client.get(f"{api.url}/") for _ in range(100)))
                return {answer.text for answer in answers}

        assert asyncio.run(call()) == {"Bearer token-1"}
        assert len(tokens.forms) == 1

    def test_threads_and_tasks_share_it(self, auth_of: Any, tokens: Tokens) -> None:
        auth = auth_of()
        assert auth.token() == asyncio.run(auth.atoken()) == "token-1"
        assert len(tokens.forms) == 1


class TestTime:
    def test_it_is_renewed_shortly_before_its_end(self, auth_of: Any, tokens: Tokens, clock: Clock) -> None:
        auth = auth_of()
        assert auth.token() == "token-1"
        clock.now += 3600 - 60 - 61  # a little earlier by chance
        assert auth.token() == "token-1"
        clock.now += 61
        assert auth.token() == "token-2"

    def test_two_programs_do_not_renew_at_one_moment(self, auth_of: Any, tokens: Tokens, clock: Clock) -> None:
        early, late = auth_of(random=lambda n: b"\xff" * n), auth_of(random=bytes)
        assert (early.token(), late.token()) == ("token-1", "token-2")
        clock.now += 3600 - 60 - 30
        assert (late.token(), early.token()) == ("token-2", "token-3")

    def test_it_is_renewed_behind_whoever_calls(self, auth_of: Any, tokens: Tokens, clock: Clock, op: Issuer) -> None:
        auth = auth_of(background=True)
        auth.token()
        clock.now += 3590
        op.fault("/token", delay=0.3)
        assert [auth.token() for _ in range(5)] == ["token-1"] * 5
        until(lambda: auth.token() == "token-2")
        assert len(tokens.forms) == 2

    @pytest.mark.parametrize(
        ("said", "seconds"),
        [
            (1, 1), (0.999, UNSAID), (1e-9, UNSAID),
            (3600, 3600), (1.5, 1.5), ("3600", 3600), (10**12, LONGEST), (10.0**300, LONGEST), ("9" * 9, LONGEST),
            (None, UNSAID), (0, UNSAID), (-1, UNSAID), ("-5", UNSAID), ("soon", UNSAID), ("9" * 5000, UNSAID),
            ("٣", UNSAID), (True, UNSAID),
            ([60], UNSAID), (float("inf"), UNSAID), (float("nan"), UNSAID),
        ],
    )  # fmt: skip
    def test_a_lifetime_is_believed_within_bounds(self, said: object, seconds: float) -> None:
        assert lifetime(said) == seconds

    def test_without_one_it_is_used_for_a_while(self, auth_of: Any, tokens: Tokens, clock: Clock) -> None:
        for lie in (None, -7, "never", 0):
            tokens.says["expires_in"] = lie
            auth, before = auth_of(), len(tokens.forms)
            assert auth.token() == auth.token()
            assert len(tokens.forms) == before + 1
            clock.now += UNSAID
            auth.token()
            assert len(tokens.forms) == before + 2

    def test_a_short_life_is_used_to_its_half(self, auth_of: Any, tokens: Tokens, clock: Clock) -> None:
        tokens.says["expires_in"] = 10
        auth = auth_of()
        auth.token()
        clock.now += 3
        assert auth.token() == "token-1"
        clock.now += 3
        assert auth.token() == "token-2"

    def test_a_machine_that_was_frozen_asks_again(self, auth_of: Any, clock: Clock) -> None:
        ticks = Clock()
        auth = auth_of(monotonic=ticks)
        auth.token()
        clock.now += 4000  # the wall clock alone
        assert auth.token() == "token-2"
        ticks.now += 4000  # and the other alone
        assert auth.token() == "token-3"


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 500}, {"status": 503}, {"status": 404}, {"status": 302, "redirect": "https://evil.example/"},
            {"drop": True}, {"cut": True}, {"garbage": True}, {"huge": True}, {"body": b"[]"}, {"body": b'{"access_token": 7}'},
            {"body": b"{}"}, {"body": b'{"access_token": "a", "access_token": "b", "token_type": "Bearer"}'},
            {"body": b'{"access_token": "", "token_type": "Bearer"}'}, {"body": b"<html>", "content_type": "text/html"},
            {"body": b'{"access_token": "a\\r\\nX-Admin: 1", "token_type": "Bearer"}'},
            {"body": b'{"access_token": "a b", "token_type": "Bearer"}'}, {"status": 401}, {"status": 429},
            {"body": b'{"access_token": "' + b"x" * 17_000 + b'", "token_type": "Bearer"}'},
            {"headers": {"content-encoding": "gzip"}},
        ],
    )  # fmt: skip
    def test_whatever_is_no_token_is_unavailable(self, auth_of: Any, op: Issuer, api: Loopback, fault: dict[str, Any]) -> None:
        op.fault("/token", **fault)
        with pytest.raises(Unavailable) as raised:
            visits(auth_of(), api)
        assert SECRET not in "".join(traceback.format_exception(raised.value))
        assert api.asked == []  # nothing goes out without a token

    @pytest.mark.parametrize("says", BAD_TYPES)
    def test_a_token_of_another_type_is_not_sent(self, auth_of: Any, tokens: Tokens, says: dict[str, Any]) -> None:
        tokens.says.update(says)
        with pytest.raises(Unavailable):
            auth_of().token()

    def test_a_server_that_hangs_is_waited_for_so_long(self, auth_of: Any, op: Issuer) -> None:
        op.fault("/token", drip=0.2)
        with pytest.raises(Unavailable):
            auth_of(timeout=0.3).token()

    def test_two_hundred_tasks_wait_for_a_black_hole_on_one_thread(
        self, auth_of: Any, op: Issuer, provider: OIDCProvider
    ) -> None:
        provider.keys.discovery.metadata()  # type: ignore[union-attr]
        op.fault("/token", drip=5)
        auth, seen = auth_of(timeout=0.5), set()

        async def call() -> list[Any]:
            waiting = asyncio.gather(*(auth.atoken() for _ in range(200)), return_exceptions=True)
            while not waiting.done():
                seen.add(sum(thread.name.startswith("authkit") for thread in threading.enumerate()))
                await asyncio.sleep(0.02)
            return await waiting

        before = sum(thread.name.startswith("authkit") for thread in threading.enumerate())
        assert {type(error) for error in asyncio.run(call())} == {Unavailable}
        assert max(seen) <= before + 1
        assert op.asked("/token") == 1

    def test_while_it_is_down_a_token_is_used_as_long_as_it_lives(
        self, auth_of: Any, tokens: Tokens, op: Issuer, clock: Clock
    ) -> None:
        auth = auth_of()
        auth.token()
        op.fault("/token", status=503)
        clock.now += 3550
        assert [auth.token() for _ in range(20)] == ["token-1"] * 20
        assert op.asked("/token") == 2  # one attempt, and then a rest
        clock.now += 50
        with pytest.raises(Unavailable):
            auth.token()
        op.mend()
        clock.now += 61
        assert auth.token() == f"token-{op.asked('/token')}"

    def test_a_cold_start_while_it_is_down_is_no_storm(self, auth_of: Any, op: Issuer, clock: Clock) -> None:
        op.fault("/token", status=500)
        auth = auth_of()

        def call(_: int) -> str:
            try:
                return str(auth.token())
            except Unavailable as error:
                return "unavailable" if error.retry_after >= 1 else "at once"

        with ThreadPoolExecutor(50) as pool:
            assert set(pool.map(call, range(200))) == {"unavailable"}
        assert op.asked("/token") == 1
        op.mend()
        clock.now += 2
        assert auth.token() == "token-2"

    def test_attempts_come_later_each_time(self, auth_of: Any, op: Issuer, clock: Clock) -> None:
        op.fault("/token", status=500)
        auth, asked = auth_of(), []
        for _ in range(60):
            with pytest.raises(Unavailable):
                auth.token()
            asked.append(op.asked("/token"))
            clock.now += 1
        assert 5 <= asked[-1] <= 15

    @pytest.mark.parametrize("error", ["unauthorized_client", "invalid_scope", "invalid_target", "unsupported_grant_type"])
    def test_a_grant_that_is_refused_is_a_setting_that_is_wrong(self, auth_of: Any, tokens: Tokens, error: str) -> None:
        tokens.error = error
        auth = auth_of()
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=error) as raised:
                auth.token()
            assert "never shown" not in "".join(traceback.format_exception(raised.value))
        assert len(tokens.forms) == 1

    def test_a_client_that_is_not_known_is_unavailable_until_its_secret_is_right(
        self, auth_of: Any, tokens: Tokens, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        tokens.error = "invalid_client"
        auth = auth_of()
        with pytest.raises(Unavailable, match="does not know us"):
            auth.token()
        assert "does not know us" in caplog.text
        assert SECRET not in caplog.text
        tokens.error = None
        clock.now += 2
        assert auth.token() == "token-2"

    def test_what_the_server_asks_of_another_origin_gets_no_secret(self, auth_of: Any, op: Issuer) -> None:
        with loopback(lambda _: (200, {}, b"{}")) as other:
            op.says["token_endpoint"] = f"{other.url}/token"
            with pytest.raises(ConfigurationError, match="another origin"):
                auth_of().token()
            assert other.asked == []


class TestTheApisAnswers:
    def test_a_401_is_followed_by_one_request_with_a_new_token(
        self, auth_of: Any, tokens: Tokens, api: Loopback, clock: Clock
    ) -> None:
        api.answer = lambda asked: (
            (401, {}, b"") if asked.headers["authorization"] == "Bearer token-1" else (200, {}, asked.body)
        )
        auth = auth_of()
        auth.token()
        clock.now += 31
        with httpx.Client(auth=auth, timeout=30, verify=NO_TLS) as client:
            assert client.post(f"{api.url}/", content=iter([b"the ", b"body"])).text == "the body"
            assert client.post(f"{api.url}/", content=b"x").status_code == 200
        assert [asked.headers["authorization"] for asked in api.asked] == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]

    def test_a_401_for_a_new_token_is_an_answer(self, auth_of: Any, tokens: Tokens, api: Loopback, clock: Clock) -> None:
        api.answer = lambda _: (401, {}, b"no")
        auth = auth_of()
        assert visits(auth, api, 5) == ["no"] * 5
        assert (len(tokens.forms), len(api.asked)) == (1, 5)
        clock.now += 31
        assert visits(auth, api, 5) == ["no"] * 5  # one new token in 30 s at most, however many requests are refused
        assert (len(tokens.forms), len(api.asked)) == (2, 11)

    def test_a_403_is_an_answer(self, auth_of: Any, tokens: Tokens, api: Loopback, clock: Clock) -> None:
        api.answer = lambda _: (403, {}, b"no")
        auth = auth_of()
        auth.token()
        clock.now += 100
        assert visits(auth, api) == ["no"]
        assert (len(tokens.forms), len(api.asked)) == (1, 1)

    def test_fifty_that_are_refused_at_once_ask_for_one_token(
        self, auth_of: Any, tokens: Tokens, api: Loopback, clock: Clock
    ) -> None:
        api.answer = from_the_second
        auth = auth_of()
        auth.token()
        clock.now += 31
        with httpx.Client(auth=auth, timeout=30, verify=NO_TLS) as client, ThreadPoolExecutor(50) as pool:
            assert set(pool.map(lambda _: client.post(f"{api.url}/", content=b"yes").text, range(50))) == {"yes"}
        assert len(tokens.forms) == 2

    def test_the_401_stands_where_no_new_token_can_be_had(self, auth_of: Any, op: Issuer, api: Loopback, clock: Clock) -> None:
        api.answer = lambda _: (401, {}, b"no")
        auth = auth_of()
        auth.token()
        clock.now += 31
        op.fault("/token", status=503)
        assert visits(auth, api) == ["no"]
        assert len(api.asked) == 1

    def test_an_async_request_is_sent_again_too(self, auth_of: Any, api: Loopback, clock: Clock) -> None:
        api.answer = lambda asked: (
            (401, {}, b"") if asked.headers["authorization"] == "Bearer token-1" else (200, {}, asked.body)
        )
        auth = auth_of()
        auth.token()
        clock.now += 31

        async def body() -> Any:
            yield b"the "
            yield b"body"

        async def visit() -> str:
            async with httpx.AsyncClient(auth=auth, timeout=30, verify=NO_TLS) as client:
                return (await client.post(f"{api.url}/", content=body())).text

        assert asyncio.run(visit()) == "the body"


class TestWhoGetsIt:
    def test_the_first_origin_and_no_other(self, auth_of: Any, api: Loopback) -> None:
        auth = auth_of()
        visits(auth, api)
        with loopback(accepts) as other:
            with pytest.raises(ConfigurationError, match="apis"):
                visits(auth, other)
            assert other.asked == []

    def test_those_that_are_named_and_no_other(self, auth_of: Any, api: Loopback) -> None:
        with loopback(accepts) as other, loopback(accepts) as third:
            auth = auth_of(apis=[api.url, other.url])
            assert visits(auth, api) == visits(auth, other) == ["Bearer token-1"]
            with pytest.raises(ConfigurationError, match="apis"):
                visits(auth, third)
            assert third.asked == []

    def test_nobody_over_plain_http(self, auth_of: Any, tokens: Tokens) -> None:
        flow = auth_of().sync_auth_flow(httpx.Request("GET", "http://api.example.com/"))
        with pytest.raises(ConfigurationError, match="https"):
            next(flow)
        assert tokens.forms == []

    def test_another_port_is_another_origin(self, auth_of: Any, tokens: Tokens) -> None:
        auth = auth_of(apis=["https://api.example.com"])
        for port in (":0", ":8443"):
            with pytest.raises(ConfigurationError, match="apis"):
                next(auth.sync_auth_flow(httpx.Request("GET", f"https://api.example.com{port}/")))
        assert tokens.forms == []

    def test_a_redirect_to_another_origin_takes_it_along_nowhere(
        self, auth_of: Any, tokens: Tokens, api: Loopback, clock: Clock
    ) -> None:
        with loopback(lambda asked: (401, {"dpop-nonce": "x"}, asked.headers.get("authorization", "none").encode())) as other:
            api.answer = lambda _: (307, {"location": f"{other.url}/"}, b"")
            auth = auth_of()
            auth.token()
            clock.now += 31
            with httpx.Client(auth=auth, timeout=30, follow_redirects=True, verify=NO_TLS) as client:
                assert client.get(f"{api.url}/").text == "none"
            assert len(other.asked) == 1  # and its 401 does not count
        assert len(tokens.forms) == 1


class TestHowItIsShownWhoAsks:
    def test_a_secret_that_is_rotated_is_read_anew(self, auth_of: Any, tokens: Tokens, clock: Clock) -> None:
        vault = Vault(SecretVersions(SECRET))
        auth = auth_of(client_secret=Secrets(vault, ttl=60, clock=clock, monotonic=clock)["MACHINE"])
        auth.token()
        vault.rotate(SECRET[::-1])
        clock.now += 3590
        auth.token()
        first, second = (headers["authorization"] for headers in tokens.headers)
        assert first != second

    def test_in_the_form_where_that_is_said(self, auth_of: Any, tokens: Tokens) -> None:
        auth_of(method="client_secret_post").token()
        assert tokens.forms[0]["client_secret"] == [SECRET]
        assert "authorization" not in tokens.headers[0]

    def test_a_url_in_place_of_a_provider(self, auth_of: Any, op: Issuer, tokens: Tokens) -> None:
        assert auth_of(provider=f"{op.base}/token").token() == "token-1"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"client_secret": None}, {"client_secret": ""}, {"key": "x" * 40}, {"scopes": ["a b"]}, {"scopes": [1]},
            {"audience": ""}, {"resource": []}, {"resource": "https://a.example/#f"}, {"fields": {"client_secret": "x"}},
            {"fields": {"grant_type": "password"}}, {"fields": {"a": 1}}, {"dpop": "key"}, {"dpop": ""}, {"apis": []},
            {"apis": ["https://a.b/c"]}, {"apis": "https://a.b"}, {"apis": ["http://a.b"]}, {"early": -1}, {"early": "60"},
            {"timeout": 0}, {"method": "basic"}, {"dpop": 0}, {"background": 1},
        ],
    )  # fmt: skip
    def test_a_wrong_setting_is_refused_when_it_is_built(self, auth_of: Any, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError) as raised:
            auth_of(**wrong)
        frames = traceback.walk_tb(raised.value.__traceback__)
        ours = [frame.f_locals for frame, _ in frames if "authkit/oidc" in frame.f_code.co_filename]
        assert ours
        assert all(SECRET not in repr(value) for found in ours for name, value in found.items() if name != "self")

    def test_nothing_of_it_is_shown(self, auth_of: Any, tokens: Tokens) -> None:
        auth = auth_of()
        token = auth.token()
        seen = repr(auth) + repr(vars(auth)) + repr(asyncio.run(auth._token.load()))
        assert token not in seen
        assert SECRET not in seen


def test_the_api_behind_a_guard_knows_the_program(op: Issuer, auth_of: Any, tokens: Tokens, provider: OIDCProvider) -> None:
    """End to end: the issuer's own token, through a guard."""
    from authkit import Principal, Request, Response

    @require_auth(provider)
    def orders(request: Request, principal: Principal) -> Response:
        return Response(200, body=principal.subject)

    def serve(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        answer = orders(Request.build(asked.method, asked.target, asked.headers))
        return answer.status, {}, answer.body

    tokens.says["access_token"] = op.token(sub="machine")
    with loopback(serve) as api:
        assert visits(auth_of(), api) == ["machine"]


class TestDPoP:
    def test_each_request_proves_the_key(self, auth_of: Any, tokens: Tokens, api: Loopback) -> None:
        tokens.says["token_type"] = "DPoP"
        key = DPoPKey()
        with httpx.Client(auth=auth_of(dpop=key), timeout=30, verify=NO_TLS) as client:
            client.get(f"{api.url}/a?b=1")
            client.post(f"{api.url}/a", content=b"x")
        assert [asked.headers["authorization"] for asked in api.asked] == ["DPoP token-1"] * 2
        first, second = (claims_of(asked.headers["dpop"]) for asked in api.asked)
        assert (first["htm"], first["htu"], second["htm"]) == ("GET", f"{api.url}/a", "POST")
        assert first["ath"] == second["ath"]
        assert first["jti"] != second["jti"]

    def test_a_token_that_was_not_bound_is_not_sent(self, auth_of: Any, tokens: Tokens) -> None:
        with pytest.raises(Unavailable):
            auth_of(dpop=True).token()

    def test_the_apis_nonce_is_followed(self, auth_of: Any, tokens: Tokens, api: Loopback) -> None:
        tokens.says["token_type"] = "DPoP"
        challenge = {"www-authenticate": 'DPoP error="use_dpop_nonce", error_description="x"'}
        wanted = ["n-1"]

        def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
            if claims_of(asked.headers["dpop"]).get("nonce") != wanted[0]:
                return 401, {**challenge, "dpop-nonce": wanted[0]}, b""
            return 200, {"dpop-nonce": wanted[0]}, b"yes"

        api.answer = answer
        auth = auth_of(dpop=True)
        assert visits(auth, api, 3) == ["yes"] * 3
        assert len(api.asked) == 4
        wanted[0] = "n-2"
        assert visits(auth, api, 2) == ["yes"] * 2
        assert len(api.asked) == 7
        assert len(tokens.forms) == 1

    def test_fifty_that_hear_of_a_nonce_at_once_all_follow_it(self, auth_of: Any, tokens: Tokens, api: Loopback) -> None:
        tokens.says["token_type"] = "DPoP"
        gate = threading.Barrier(50)

        def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
            if "nonce" in claims_of(asked.headers["dpop"]):
                return 200, {}, b"yes"
            gate.wait(30)
            return 401, {"www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": "n-1"}, b""

        api.answer = answer

        async def call() -> set[str]:
            limits = httpx.Limits(max_connections=60)
            async with httpx.AsyncClient(auth=auth_of(dpop=True), timeout=30, verify=NO_TLS, limits=limits) as client:
                return {answer.text for answer in await asyncio.gather(*(client.get(f"{api.url}/") for _ in range(50)))}

        assert asyncio.run(call()) == {"yes"}

    def test_a_server_that_always_wants_another_nonce_is_asked_three_times_at_most(
        self, auth_of: Any, tokens: Tokens, api: Loopback, clock: Clock
    ) -> None:
        tokens.says["token_type"] = "DPoP"
        api.answer = lambda _: (
            401, {"www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": f"n-{len(api.asked)}"}, b"",
        )  # fmt: skip
        auth = auth_of(dpop=True)
        auth.token()
        clock.now += 31
        visits(auth, api)
        assert len(api.asked) == 3


def claims_of(proof: str) -> dict[str, Any]:
    import base64

    payload = proof.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


class TestStreams:
    """A body that is made as it is read is read into memory, and sent again as it was."""

    def test_a_generator_is_sent_again(self, auth_of: Any, api: Loopback, clock: Clock) -> None:
        api.answer = from_the_second
        auth = auth_of()
        auth.token()
        clock.now += 60
        with httpx.Client(auth=auth, timeout=30, verify=NO_TLS) as client:
            assert client.post(f"{api.url}/", content=(part for part in (b"a", b"b"))).content == b"ab"

    def test_an_async_generator_is_sent_again(self, auth_of: Any, api: Loopback, clock: Clock) -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        async def visit() -> bytes:
            async with httpx.AsyncClient(auth=auth, timeout=30, verify=NO_TLS) as client:
                return (await client.post(f"{api.url}/", content=parts())).content

        api.answer = from_the_second
        auth = auth_of()
        auth.token()
        clock.now += 60
        assert asyncio.run(visit()) == b"ab"

    def test_one_for_the_other_kind_of_client_is_told_as_httpx_does(self, auth_of: Any, api: Loopback) -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b"a"

        async def visit() -> None:
            async with httpx.AsyncClient(auth=auth, timeout=30, verify=NO_TLS) as client:
                await client.post(f"{api.url}/", content=(part for part in (b"a",)))

        auth = auth_of()
        with httpx.Client(auth=auth, timeout=30, verify=NO_TLS) as client, pytest.raises(RuntimeError, match="async request"):
            client.post(f"{api.url}/", content=parts())
        with pytest.raises(RuntimeError, match="sync request"):
            asyncio.run(visit())


def test_a_literal_secret_may_be_a_handle(auth_of: Any, tokens: Tokens) -> None:
    assert auth_of(client_secret=Secret.of(SECRET)).token() == "token-1"


def test_a_forked_child_waits_for_no_request_of_its_parent(auth_of: Any, op: Issuer, tokens: Tokens) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(method: str, headers: Any, body: bytes) -> tuple[int, Any]:
        begun.set()
        assert go_on.wait(30)
        return tokens(method, headers, body)

    op.pages["/token"] = slow
    auth = auth_of(clock=time.time, monotonic=time.monotonic)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(auth.token)
        assert begun.wait(30)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                auth._endpoint._transport = httpx.MockTransport(
                    lambda _: httpx.Response(200, json={"access_token": "of-the-child", "token_type": "Bearer"})
                )
                code = 0 if auth.token() == "of-the-child" else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        go_on.set()
        assert asked.result(30) == "token-1"
