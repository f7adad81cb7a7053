"""Requests to Function URLs with AWS_IAM: signed here, recomputed from the bytes there, and whose they are behind a guard."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.session import Session
from hypothesis import given, settings
from hypothesis import strategies as st

from authkit import Principal, require_auth
from authkit.errors import ConfigurationError, Unavailable
from authkit.oidc import ApiGateway
from authkit.signatures import SigV4Auth
from authkit.signatures._sigv4 import canonical_query
from authkit.testing import Clock
from tests.servers.function_url import Caller, checked, function_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEBYaD//////////EXAMPLE=="
ALICE, WORKER = "arn:aws:iam::111122223333:user/alice", "arn:aws:sts::111122223333:assumed-role/Worker/i-0123"
CALLERS = {"AKIDALICE": Caller(SECRET, ALICE), "ASIAWORKER": Caller(SECRET[::-1], WORKER, TOKEN)}
AS_ALICE, AS_WORKER = Credentials("AKIDALICE", SECRET), Credentials("ASIAWORKER", SECRET[::-1], TOKEN)


@require_auth(ApiGateway.iam(accounts=["111122223333"]))
def handler(event: dict[str, Any], context: object, principal: Principal) -> dict[str, Any]:
    return {"statusCode": 200, "headers": {"x-raw": event["rawQueryString"]}, "body": principal.subject}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with function_url(handler, CALLERS) as found:
        yield found


def auth(credentials: Any = AS_ALICE, **settings: Any) -> SigV4Auth:
    return SigV4Auth("eu-west-1", credentials=credentials, **settings)


def test_the_caller_behind_the_guard_is_who_has_signed(url: str) -> None:
    with httpx.Client(base_url=url, auth=auth(), timeout=30) as client:
        assert client.get("/").text == ALICE
        assert client.post("/orders", json={"n": 1}).text == ALICE
        assert client.get("/", auth=auth(AS_WORKER)).text == "arn:aws:sts::111122223333:assumed-role/Worker"
        assert client.get("/", auth=None).status_code == 403


def test_an_async_client_signs_the_same_way(url: str) -> None:
    async def visit() -> list[str]:
        async with httpx.AsyncClient(base_url=url, auth=auth(AS_WORKER), timeout=30) as client:
            posted = await asyncio.gather(*(client.post(f"/{number}", content=b"x" * number) for number in range(8)))
            return [answer.text for answer in posted]

    assert set(asyncio.run(visit())) == {"arn:aws:sts::111122223333:assumed-role/Worker"}


@pytest.mark.parametrize(
    "target",
    [
        "/a b/(c)!*'", "/%C3%A9/%20/%2F", "/a%2Fb", "/~x/.well-known", "/a:b@c;d=e,f", "/?b=2&a=1&a=0", "/?q=a+b:c/d",
        "/?[x]=1&k&=&empty=", "/?a=1&&b=2&", "/?%zz=%", "/?q=%C3%A9%20%7E~", "/?a=b=c", "/?é=ü",
    ],
)  # fmt: skip
def test_paths_and_queries_are_signed_as_aws_reads_them(url: str, target: str) -> None:
    with httpx.Client(auth=auth(), timeout=30) as client:
        assert client.get(url + target).status_code == 200


def test_a_query_is_sent_in_the_spelling_that_is_signed(url: str) -> None:
    answer = httpx.get(f"{url}/?z=a+b&y=c:d&&x", auth=auth(), timeout=30)
    assert answer.headers["x-raw"] == "z=a%20b&y=c%3Ad&x"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4))
def test_whatever_is_asked_for_the_server_computes_the_same(path: str, params: list[tuple[str, str]]) -> None:
    path = "/" + "".join(char for char in path if char not in "/.\\" and "\ud800" > char >= " ")
    try:
        request = httpx.Request("GET", httpx.URL("https://abc.lambda-url.eu-west-1.on.aws").copy_with(path=path), params=params)
    except (httpx.InvalidURL, UnicodeEncodeError):
        return
    signed = next(auth().sync_auth_flow(request))
    target = signed.url.raw_path.decode()
    assert checked("GET", target, signed.headers.multi_items(), b"", CALLERS, now=time.time())["userArn"] == ALICE


@given(st.text(max_size=40))
def test_a_canonical_query_is_its_own(query: str) -> None:
    query = query.encode("utf-8", "replace").decode()
    assert canonical_query(canonical_query(query)) == canonical_query(query)


def test_bodies_of_every_kind_are_signed(url: str) -> None:
    with httpx.Client(base_url=url, auth=auth(), timeout=30) as client:
        assert client.put("/", content=iter([b"a" * 70_000, b"b"])).status_code == 200
        assert client.post("/", data={"a": "b c"}).status_code == 200
        assert client.post("/", files={"f": b"\x00\xff"}).status_code == 200
        assert client.delete("/").status_code == 200


def test_a_body_for_the_other_kind_of_client_is_told_as_httpx_does(url: str) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a"

    async def visit() -> None:
        async with httpx.AsyncClient(auth=auth(), timeout=30) as client:
            await client.post(url, content=(part for part in (b"a",)))

    with httpx.Client(auth=auth(), timeout=30) as client, pytest.raises(RuntimeError, match="async request"):
        client.post(url, content=parts())
    with pytest.raises(RuntimeError, match="sync request"):
        asyncio.run(visit())


def test_a_request_that_is_changed_on_the_way_is_refused() -> None:
    request = next(
        auth(headers=["X-Tenant"]).sync_auth_flow(
            httpx.Request("POST", "https://x.example/a?b=1", content=b"{}", headers={"x-tenant": "t", "x-free": "1"})
        )
    )
    lines = request.headers.multi_items()

    def refused(*, method: str = "POST", target: str = "/a?b=1", body: bytes = b"{}", **changed: str) -> bool:
        new = [(name, changed.get(name.replace("-", "_"), value)) for name, value in lines]
        try:
            checked(method, target, new, body, CALLERS, now=time.time())
        except Exception:
            return True
        return False

    assert not refused()
    assert not refused(x_free="2")
    assert refused(method="PUT")
    assert refused(target="/b?b=1")
    assert refused(target="/a?b=2")
    assert refused(body=b"[]")
    assert refused(x_tenant="u")
    assert refused(host="y.example")
    assert refused(x_amz_date="20260101T000000Z")


def test_what_was_there_of_an_earlier_signature_is_replaced(url: str) -> None:
    stale = {"authorization": "Bearer abc", "x-amz-date": "20150830T123600Z", "x-amz-security-token": "stale",
             "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}  # fmt: skip
    with httpx.Client(base_url=url, auth=auth(), timeout=30) as client:
        assert client.get("/", headers=stale).text == ALICE
        assert client.get("/", headers=stale, auth=auth(AS_WORKER)).text.endswith("Worker")


class TestClocks:
    def test_a_clock_that_is_off_is_put_right_by_the_servers(self, url: str) -> None:
        for off in (-3600, 3600):
            slow = auth(clock=lambda off=off: time.time() + off)
            with httpx.Client(base_url=url, auth=slow, timeout=30) as client:
                assert [client.post("/", content=b"x").status_code for _ in range(3)] == [200, 200, 200]

    def test_many_requests_at_once_are_put_right_at_once(self, url: str) -> None:
        slow = auth(clock=lambda: time.time() - 3600)

        async def visit() -> set[int]:
            async with httpx.AsyncClient(base_url=url, auth=slow, timeout=30) as client:
                return {answer.status_code for answer in await asyncio.gather(*(client.get("/") for _ in range(20)))}

        assert asyncio.run(visit()) == {200}

    def test_and_once_it_is_right_it_is_our_own_again(self) -> None:
        clock = Clock()
        with function_url(handler, CALLERS, clock=lambda: clock.now) as url:
            ours = Clock(clock.now - 900)
            with httpx.Client(base_url=url, auth=auth(clock=ours), timeout=30) as client:
                assert client.get("/").status_code == 200
                ours.now = clock.now
                assert client.get("/").status_code == 200
                assert client.get("/").status_code == 200

    def test_another_refusal_is_not_tried_again(self) -> None:
        flow = auth().sync_auth_flow(httpx.Request("GET", "https://x.example/"))
        next(flow)
        with pytest.raises(StopIteration):
            flow.send(
                httpx.Response(403, headers={"date": datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")})
            )

    @pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Zzz 99999 00:00:00 GMT"])
    def test_a_refusal_without_a_time_is_not_tried_again(self, date: str) -> None:
        flow = auth().sync_auth_flow(httpx.Request("GET", "https://x.example/"))
        next(flow)
        with pytest.raises(StopIteration):
            flow.send(httpx.Response(403, headers={"date": date}))


class TestKeys:
    def test_keys_of_a_role_are_renewed_and_asked_for_once(self, url: str) -> None:
        asked: list[int] = []

        def renewed() -> dict[str, str]:
            asked.append(threading.get_ident())
            end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
            return {"access_key": "ASIAWORKER", "secret_key": SECRET[::-1], "token": TOKEN, "expiry_time": end.isoformat()}

        old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        keys = RefreshableCredentials("ASIAOLD", "old", "old", old, renewed, "test")
        signer = auth(keys)

        async def visit() -> set[int]:
            async with httpx.AsyncClient(base_url=url, auth=signer, timeout=30) as client:
                return {answer.status_code for answer in await asyncio.gather(*(client.get("/") for _ in range(8)))}

        assert asyncio.run(visit()) == {200}
        assert len(asked) == 1
        assert asked[0] != threading.get_ident()  # not on the event loop's thread

    def test_keys_that_cannot_be_had_are_unavailable_and_nothing_of_why_is_told(self) -> None:
        def failing() -> dict[str, str]:
            raise OSError(f"the answer was {SECRET}")

        old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        keys = RefreshableCredentials("ASIAOLD", "old", "old", old, failing, "test")
        with pytest.raises(Unavailable) as raised:
            next(auth(keys).sync_auth_flow(httpx.Request("GET", "https://x.example/")))
        assert SECRET not in "".join(traceback.format_exception(raised.value))

    def test_keys_near_their_end_are_used_while_new_ones_cannot_be_had(self) -> None:
        tried: list[int] = []

        def failing() -> dict[str, str]:
            tried.append(1)
            raise OSError

        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=12)
        signer = auth(RefreshableCredentials("ASIAWORKER", SECRET[::-1], TOKEN, soon, failing, "test"))
        for _ in range(5):
            signed = next(signer.sync_auth_flow(httpx.Request("GET", "https://x.example/")))
            assert "ASIAWORKER" in signed.headers["authorization"]
        assert tried == [1]

    def test_keys_that_are_to_be_renewed_by_now_are_used_until_shortly_before_their_end(self) -> None:
        """botocore raises from 10 minutes before their end on: an outage is not to be longer than it is."""
        tried: list[int] = []

        def failing() -> dict[str, str]:
            tried.append(1)
            raise OSError

        now, clock = datetime.datetime.now(datetime.UTC), Clock(1.0)
        keys = RefreshableCredentials("ASIAWORKER", SECRET[::-1], TOKEN, now + datetime.timedelta(hours=1), failing, "test")
        signer = auth(keys, monotonic=clock)

        def signed() -> bool:
            return (
                "ASIAWORKER" in next(signer.sync_auth_flow(httpx.Request("GET", "https://x.example/"))).headers["authorization"]
            )

        assert signed()
        keys._expiry_time = now + datetime.timedelta(minutes=9)  # botocore's clock is its own
        for _ in range(4):
            clock.now += 31
            assert [signed() for _ in range(5)] == [True] * 5
        assert len(tried) == 4
        keys._expiry_time = now + datetime.timedelta(seconds=5)
        with pytest.raises(Unavailable):
            signed()

    def test_a_sessions_keys_are_found_when_they_are_needed(self) -> None:
        session = Session()
        session.set_credentials("AKIDALICE", SECRET)
        signed = next(auth(session).sync_auth_flow(httpx.Request("GET", "https://x.example/")))
        assert "AKIDALICE" in signed.headers["authorization"]

    def test_botocores_chain_is_the_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDALICE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        signed = next(SigV4Auth("eu-west-1").sync_auth_flow(httpx.Request("GET", "https://x.example/")))
        assert "AKIDALICE" in signed.headers["authorization"]

    def test_a_profile_that_is_not_there_is_a_setting_that_is_wrong(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        flow = SigV4Auth("eu-west-1", profile="nobody").sync_auth_flow(httpx.Request("GET", "https://x.example/"))
        with pytest.raises(ConfigurationError, match="profile"):
            next(flow)

    def test_where_no_keys_are_found_that_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(ConfigurationError, match="no AWS credentials"):
            next(SigV4Auth("eu-west-1").sync_auth_flow(httpx.Request("GET", "https://x.example/")))


class TestSettings:
    @pytest.mark.parametrize(
        "wrong",
        [
            lambda: SigV4Auth(""),
            lambda: SigV4Auth("eu-west-1.evil"),
            lambda: SigV4Auth("eu-west-1", ""),
            lambda: SigV4Auth("eu-west-1", "a/b"),
            lambda: SigV4Auth("eu-west-1", credentials="AKID"),
            lambda: SigV4Auth("eu-west-1", credentials=AS_ALICE, profile="p"),
            lambda: SigV4Auth("eu-west-1", headers="x-tenant"),
            lambda: SigV4Auth("eu-west-1", headers=["via"]),
            lambda: SigV4Auth("eu-west-1", headers=[""]),
            lambda: SigV4Auth("eu-west-1", insecure_unsigned_body=True),
        ],
    )
    def test_a_wrong_setting_is_refused_when_it_is_built(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError):
            wrong()

    @pytest.mark.parametrize("to", ["http://x.example/", "http://10.0.0.1/", "https://abc.lambda-url.us-east-1.on.aws/"])
    def test_nothing_is_signed_for_plain_http_or_another_region(self, to: str) -> None:
        with pytest.raises(ConfigurationError):
            next(auth().sync_auth_flow(httpx.Request("GET", to)))

    def test_an_unsigned_body_is_streamed_where_that_was_asked_for(self) -> None:
        signer = SigV4Auth("eu-west-1", "vpc-lattice-svcs", AS_ALICE, insecure_unsigned_body=True)
        request = httpx.Request("POST", "https://x.example/", content=iter([b"x"]))
        assert next(signer.sync_auth_flow(request)).headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
        with pytest.raises(httpx.RequestNotRead):
            _ = request.content

    def test_a_request_that_cannot_be_signed_shows_no_keys_with_its_locals(self) -> None:
        with pytest.raises(UnicodeEncodeError) as raised:
            next(auth(AS_WORKER).sync_auth_flow(httpx.Request("G\ud800T", "https://x.example/")))
        frames = [frame.f_locals for frame, _ in traceback.walk_tb(raised.value.__traceback__)][1:]
        assert any("keys" in one for one in frames)
        assert not [name for one in frames for name, value in one.items() if SECRET[::-1] in repr(value)]

    def test_nothing_of_the_keys_is_shown_or_logged(self, url: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        signer = auth(AS_WORKER)
        assert httpx.get(url, auth=signer, timeout=30).status_code == 200
        assert repr(signer) == "<SigV4Auth for lambda in eu-west-1>"
        ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(("httpcore", "httpx")))
        assert SECRET[::-1] not in ours
        assert TOKEN not in ours


def test_the_event_of_a_function_url_as_it_is_published_is_its_callers() -> None:
    path = Path(__file__).parents[1] / "vectors/aws-events/pt-lambdaFunctionUrlIAMEvent.json"
    answer: Any = handler(json.loads(path.read_text(encoding="utf-8")), None)  # type: ignore[call-arg]
    assert (answer["statusCode"], answer["body"]) == (200, "arn:aws:iam::111122223333:user/example-user")
