"""A verifier that asks: how often, how long it believes what it heard, and what it keeps of a token."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError, InvalidToken, Principal, Request, Response, Unavailable, require_auth
from authkit._run import run
from authkit.oidc import Asking
from authkit.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Server(Asking):
    """Answers from `says`, by token; what is callable is called."""

    def __init__(self, says: Mapping[str, Any] | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.says: dict[str, Any] = dict(says or {})
        self.asked: list[str] = []

    def ask(self, token: str) -> Mapping[str, Any] | None:
        self.asked.append(token)
        found = self.says.get(token)
        return found() if callable(found) else found


@pytest.fixture
def server_of(clock: Clock) -> Callable[..., Server]:
    return lambda says=None, **settings: Server(says, **{"clock": clock, "monotonic": clock, **settings})


def refusal(server: Asking, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        server.verify(token)
    return caught.value.reason


def test_a_good_token_is_asked_about_once_in_its_time(server_of: Callable[..., Server], clock: Clock) -> None:
    server = server_of({"good": {"sub": "alice", "scope": "read write", "roles": ["admin"]}}, ttl=60, principal_issuer="them")
    first = server.verify("good")
    assert (first.subject, first.issuer) == ("alice", "them")
    assert (first.scopes, first.roles) == (frozenset({"read", "write"}), frozenset({"admin"}))
    assert server.verify("good") is first
    assert server.recall("good") is first
    clock.advance(59.9)
    server.verify("good")
    assert len(server.asked) == 1
    clock.advance(0.2)
    assert server.recall("good") is None
    server.verify("good")
    assert len(server.asked) == 2


def test_the_client_is_the_subject_where_there_is_no_user(server_of: Callable[..., Server]) -> None:
    assert server_of({"good": {"client_id": "batch"}}).verify("good").subject == "batch"


def test_an_answer_is_never_used_past_the_exp_of_the_token(server_of: Callable[..., Server], clock: Clock) -> None:
    server = server_of({"good": {"sub": "alice", "exp": clock() + 10}}, ttl=60, leeway=5)
    server.verify("good")
    clock.advance(10)
    assert server.recall("good") is None
    server.verify("good")  # within the leeway: whoever issued it says that it is good
    assert len(server.asked) == 2
    clock.advance(5)
    assert refusal(server, "good") == "token_expired"


def test_a_bad_token_is_asked_about_once_in_its_shorter_time(server_of: Callable[..., Server], clock: Clock) -> None:
    server = server_of(negative_ttl=5)
    assert refusal(server, "bad") == "token_inactive"
    assert refusal(server, "bad") == "token_inactive"
    assert len(server.asked) == 1
    server.says["bad"] = {"sub": "alice"}
    clock.advance(5)
    assert server.verify("bad").subject == "alice"


def test_a_token_that_was_good_and_is_no_more_is_refused(server_of: Callable[..., Server], clock: Clock) -> None:
    server = server_of({"t": {"sub": "alice"}}, ttl=60)
    server.verify("t")
    del server.says["t"]
    clock.advance(60)
    assert refusal(server, "t") == "token_inactive"
    assert server.recall("t") is None


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "token_claims"),
        ({"sub": ""}, "token_claims"),
        ({"sub": 7}, "token_claims"),
        ({"sub": None, "client_id": "web"}, "token_claims"),
        ({"sub": "a", "exp": None}, "token_claims"),
        ({"sub": "a", "exp": "4102444800"}, "token_claims"),
        ({"sub": "a", "exp": True}, "token_claims"),
        ({"sub": "a", "exp": float("nan")}, "token_claims"),
        ({"sub": "a", "exp": 0}, "token_expired"),
        ({"sub": "a", "nbf": 4102444800}, "token_not_yet_valid"),
        ({"sub": "a", "iat": 4102444800}, "token_issued_in_future"),
        ({"sub": "a", "scope": ["read"]}, "token_claims"),
        ({"sub": "a", "cnf": {"jkt": "x"}}, "token_bound"),
    ],
)
def test_claims_that_are_not_right_are_refused(server_of: Callable[..., Server], claims: dict[str, Any], reason: str) -> None:
    assert refusal(server_of({"t": claims}), "t") == reason


def test_a_bound_token_is_for_who_sees_to_its_proof(server_of: Callable[..., Server]) -> None:
    server = server_of({"t": {"sub": "alice", "cnf": {"jkt": "x"}}})
    assert run(server.verifying_bound("t")).subject == "alice"
    assert server.recall("t") is None
    assert refusal(server, "t") == "token_bound"
    assert len(server.asked) == 1


@pytest.mark.parametrize("token", ["", " ", "a b", "a\n", "ä", "\0", None, b"x", "x" * 16_385])
def test_what_is_no_token_is_asked_of_nobody(server_of: Callable[..., Server], token: Any) -> None:
    server = server_of()
    assert refusal(server, token).startswith("token_")
    assert server.recall(token) is None
    assert server.asked == []


@pytest.mark.parametrize("failure", [OSError("tok-secret"), ValueError(), Unavailable(""), KeyError("x"), RecursionError()])
def test_any_failure_is_unavailable_and_tells_nothing(
    server_of: Callable[..., Server], failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise failure

    server = server_of({"tok-secret": fail})
    with pytest.raises(Unavailable) as caught:
        server.verify("tok-secret")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "tok-secret" not in str(caught.value) + caplog.text
    assert len([record for record in caplog.records if "failed" in record.message]) == 1  # once, and once when it is over
    server.says["tok-secret"] = {"sub": "alice"}
    assert server.verify("tok-secret").subject == "alice"
    assert "answers again" in caplog.text


def test_while_the_server_is_down_what_is_remembered_holds(server_of: Callable[..., Server], clock: Clock) -> None:
    def fail() -> None:
        raise OSError

    server = server_of({"t": {"sub": "alice"}}, ttl=60)
    server.verify("t")
    server.says["t"] = fail
    clock.advance(59)
    assert server.verify("t").subject == "alice"
    clock.advance(1)
    with pytest.raises(Unavailable):
        server.verify("t")


def test_a_refusal_of_a_subclass_has_its_own_reason(server_of: Callable[..., Server]) -> None:
    def other() -> None:
        raise InvalidToken("token_audience")

    assert refusal(server_of({"t": other}), "t") == "token_audience"


def test_a_wrong_configuration_is_no_outage(server_of: Callable[..., Server]) -> None:
    def wrong() -> None:
        raise ConfigurationError("client_id is missing")

    with pytest.raises(ConfigurationError):
        server_of({"t": wrong}).verify("t")


def test_what_shows_the_server_who_asks_is_in_no_frame_of_a_wrong_configuration(server_of: Callable[..., Server]) -> None:
    def wrong() -> None:
        form = {"client_secret": "canary"}
        raise ConfigurationError(f"a proxy cannot be used for {len(form)}")

    with pytest.raises(ConfigurationError) as caught:
        server_of({"token": wrong}).verify("token")
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert not [name for one in frames[1:] for name, value in one.items() if name != "self" and "canary" in repr(value)]


def test_whoever_asks_at_the_same_time_shares_one_question(server_of: Callable[..., Server]) -> None:
    opened = threading.Event()

    def slow() -> dict[str, Any]:
        assert opened.wait(30)
        return {"sub": "alice"}

    server = server_of({"t": slow})
    with ThreadPoolExecutor(20) as pool:
        threads = [pool.submit(server.verify, "t") for _ in range(20)]

        async def tasks() -> set[str]:
            waiting = [asyncio.ensure_future(server.averify("t")) for _ in range(20)]
            await asyncio.sleep(0.05)
            opened.set()
            return {principal.subject for principal in await asyncio.gather(*waiting)}

        assert asyncio.run(tasks()) == {"alice"}
        assert {each.result().subject for each in threads} == {"alice"}
    assert len(server.asked) == 1


def test_so_many_questions_at_once_and_no_more(server_of: Callable[..., Server], clock: Clock) -> None:
    """Tokens that were good have flights of their own: a flood of others does not hold them up."""
    opened, begun = threading.Event(), threading.Semaphore(0)

    def slow() -> None:
        begun.release()
        assert opened.wait(30)

    server = server_of({"good": {"sub": "alice"}, "a": slow, "b": slow}, flights=2, ttl=60)
    server.verify("good")
    clock.advance(60)
    with ThreadPoolExecutor(2) as pool:
        flights = [pool.submit(refusal, server, token) for token in "ab"]
        assert begun.acquire(timeout=30)
        assert begun.acquire(timeout=30)
        with pytest.raises(Unavailable):
            server.verify("c")
        assert server.verify("good").subject == "alice"
        opened.set()
        assert [flight.result() for flight in flights] == ["token_inactive"] * 2
    assert "c" not in server.asked
    assert refusal(server, "c") == "token_inactive"


def test_a_flood_of_unknown_tokens_is_asked_about_so_often_a_second(server_of: Callable[..., Server], clock: Clock) -> None:
    server = server_of({"good": {"sub": "alice"}}, rate=10, ttl=60)
    server.verify("good")
    clock.advance(60)
    outcomes = []
    for number in range(1000):
        try:
            server.verify(f"unknown-{number}")
        except (InvalidToken, Unavailable) as error:
            outcomes.append(type(error))
    assert outcomes.count(InvalidToken) == 10
    assert server.verify("good").subject == "alice"  # beside the flood, and though its time is over
    clock.advance(0.5)
    for number in range(100):
        with pytest.raises((InvalidToken, Unavailable)):
            server.verify(f"later-{number}")
    assert sum(token.startswith("later") for token in server.asked) == 5


def test_memory_is_bounded_and_bad_tokens_drive_out_no_good_one(server_of: Callable[..., Server]) -> None:
    server = server_of({f"good-{n}": {"sub": "alice"} for n in range(8)}, cache_size=16, rate=100_000)
    for n in range(8):
        server.verify(f"good-{n}")
    for n in range(500):
        refusal(server, f"bad-{n}")
    assert len(server._asked) <= 32
    asked = len(server.asked)
    for n in range(8):
        server.verify(f"good-{n}")
    assert len(server.asked) == asked


def test_no_token_stays_in_memory(server_of: Callable[..., Server]) -> None:
    server = Server({}, clock=Clock())
    server.says = {}
    token = "tok-" + "s" * 40
    server.says[token] = {"sub": "alice"}
    server.verify(token)
    refusal(server, token + "x")
    server.says, server.asked = {}, []
    gc.collect()
    kept = repr([vars(server._asked) if hasattr(server._asked, "__dict__") else _slots(server._asked), vars(server)])
    assert token not in kept


def _slots(value: Any) -> list[Any]:
    return [getattr(value, name) for name in type(value).__slots__]


def test_a_clock_that_is_set_back_makes_no_answer_immortal(server_of: Callable[..., Server]) -> None:
    wall, ticks = Clock(), Clock()
    server = server_of({"t": {"sub": "alice"}}, clock=wall, monotonic=ticks, ttl=60)
    server.verify("t")
    wall.advance(-3600)
    assert server.recall("t") is None
    wall.advance(3600)
    assert server.recall("t") is not None
    ticks.advance(60)
    assert server.recall("t") is None


@pytest.mark.parametrize("setting", [
    {"ttl": -1}, {"ttl": 3601}, {"ttl": "60"}, {"ttl": True}, {"negative_ttl": 61}, {"rate": 0}, {"rate": float("nan")},
    {"flights": 0}, {"flights": True}, {"cache_size": -1}, {"cache_size": 1.5}, {"timeout": 0}, {"leeway": 301},
    {"principal_issuer": ""},
])  # fmt: skip
def test_a_wrong_setting_is_refused_by_name(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        Server(**setting)


def test_in_require_auth_an_outage_is_503_and_a_bad_token_401(server_of: Callable[..., Server]) -> None:
    def fail() -> None:
        raise OSError

    @require_auth(server_of({"good": {"sub": "alice"}, "down": fail}))
    def handler(request: Request) -> Response:
        return Response(200, {}, request.principal.subject)

    def status(token: str) -> int:
        return handler(Request.build(headers={"authorization": f"Bearer {token}"})).status

    assert [status("good"), status("good"), status("bad"), status("down")] == [200, 200, 401, 503]


def test_a_forked_child_waits_for_no_question_of_its_parent(server_of: Callable[..., Server]) -> None:
    opened, begun = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert opened.wait(30)

    server = server_of({"good": {"sub": "alice"}, "slow": slow}, flights=1)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(refusal, server, "slow")
        assert begun.wait(30)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                server.says["slow"] = {"sub": "bob"}
                code = 0 if [server.verify(token).subject for token in ("good", "slow")] == ["alice", "bob"] else 2
            finally:
                os._exit(code)
        opened.set()
        assert asked.result() == "token_inactive"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_subclass_that_checks_more_in_verify_is_asked_by_a_guard(server_of: Callable[..., Server], clock: Clock) -> None:
    class Stricter(Server):
        def verify(self, token: str) -> Principal:
            found = super().verify(token)
            if found.subject != "alice":
                raise InvalidToken("token_subject")
            return found

    server = Stricter({"one": {"sub": "alice"}, "two": {"sub": "bob"}}, clock=clock, monotonic=clock)

    @require_auth(server)
    async def handler(request: Request) -> Response:
        return Response(200)

    for token, status in (("one", 200), ("two", 401), ("two", 401)):
        assert asyncio.run(handler(Request.build(headers={"authorization": f"Bearer {token}"}))).status == status


def test_a_bound_token_is_bound_whatever_a_subclass_keeps_of_its_claims(clock: Clock) -> None:
    class Few(Server):
        def principal_of(self, claims: Any) -> Principal:
            return Principal(claims["sub"])

    server = Few({"t": {"sub": "alice", "cnf": {"jkt": "x"}}}, clock=clock, monotonic=clock)
    assert [refusal(server, "t"), refusal(server, "t"), server.recall("t")] == ["token_bound", "token_bound", None]


@pytest.mark.parametrize("said", [["sub"], "alice", 1, {"sub": "alice"}, {"sub": "alice", "login": 7}], ids=str)
def test_what_nobody_can_make_a_principal_of_is_no_answer(said: Any, clock: Clock) -> None:
    """What a server says is its own affair: a subclass that trips over it raises nothing of anybody else's."""

    class Trusting(Server):
        def principal_of(self, claims: Any) -> Principal:
            return Principal(claims["login"])

    server = Trusting({"t": said}, clock=clock, monotonic=clock)
    with pytest.raises(Unavailable) as caught:
        server.verify("t")
    assert "alice" not in str(caught.value)
    assert server.recall("t") is None
