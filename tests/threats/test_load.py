"""AVL-09: under load each request gets the answer that is its own: no wrong verdict, no mix-up, no 5xx but the declared 503."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import time
from typing import Any, NamedTuple

import pytest

from authkit import (
    Allow,
    Deny,
    Request,
    Unavailable,
    chain,
    current_principal,
    deny_ips,
    guard,
    rate_limit,
    require_auth,
    require_scopes,
)
from authkit.address import ClientAddress
from authkit.stores import MemoryStore
from authkit.testing import TokenMint, asgi_scope
from tests.hosts.servers import serving

MINT = TokenMint()
PEER = ClientAddress.peer()
BAD = sorted(token for name, token in MINT.bad().items() if len(token) < 4000)
QUOTA = 7
DENIED = "203.0.113.66"
TIMES = [pytest.param(100, id="100"), pytest.param(10_000, id="10000", marks=pytest.mark.soak)]


@guard(blocking=True)
def directory(request: Request) -> Allow | Deny:
    """Something slow on a thread, which is down for those who say so."""
    time.sleep(0.0005)
    if "x-down" in request.headers:
        raise Unavailable("the directory is down", retry_after=3)
    return Allow(headers={"x-asked-for": request.headers.get("x-number") or ""})


def service() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        principal = current_principal()
        assert principal is not None
        await asyncio.sleep(0)
        body = json.dumps({"subject": principal.subject, "number": scope["path"][1:]}).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    fair = rate_limit(
        f"{QUOTA}/day", key="principal", name="load", store=MemoryStore(), client=PEER,
        exempt=lambda request: (request.headers.get("x-number") or "").startswith("free"),
    )  # fmt: skip
    return chain(deny_ips(DENIED, client=PEER), require_auth(MINT.tokens), fair, require_scopes("orders:read"), directory)(app)


class Ask(NamedTuple):
    """A request, and what it must be answered with."""

    number: str
    headers: dict[str, str]
    status: int
    code: str | None = None
    subject: str | None = None
    peer: str = "127.0.0.1"


class Oracle:
    """Says what to ask and what the answer must be. Only of `greedy`, who has a quota, is it unknown which request is which."""

    def __init__(self, rng: random.Random, *, from_anywhere: bool) -> None:
        self.rng = rng
        self.from_anywhere = from_anywhere
        self.tokens = {name: MINT.good(name, scopes=["orders:read"]) for name in [*(f"user-{n}" for n in range(50)), "greedy"]}
        self.unscoped = MINT.good("clerk")

    def ask(self, place: int) -> Ask:
        kind = self.rng.randrange(8)
        number = f"free-{place}"
        name = f"user-{self.rng.randrange(50)}"
        sent = {"x-number": number, "authorization": f"Bearer {self.tokens[name]}"}
        if kind == 0:
            return Ask(number, {"x-number": number}, 401, "unauthorized")
        if kind == 1:
            return Ask(number, {**sent, "authorization": f"Bearer {self.rng.choice(BAD)}"}, 401, "invalid_token")
        if kind == 2:
            return Ask(number, {**sent, "authorization": f"Bearer {self.unscoped}"}, 403, "insufficient_scope")
        if kind == 3:
            return Ask(number, {**sent, "x-down": "1"}, 503, "temporarily_unavailable")
        if kind == 4 and self.from_anywhere:
            return Ask(number, sent, 403, "forbidden", peer=DENIED)
        if kind == 5:
            number = f"greedy-{place}"
            return Ask(number, {"x-number": number, "authorization": f"Bearer {self.tokens['greedy']}"}, 0, subject="greedy")
        return Ask(number, sent, 200, subject=name)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


def wrong(asked: Ask, got: Answer, *, may_be_full: bool) -> str | None:
    """Why this is not the answer to that; None if it is."""
    passed_all_but_the_directory = asked.status in (0, 200)
    if got.status == 503 and (asked.status == 503 or (may_be_full and passed_all_but_the_directory)):
        good = got.body["code"] == "temporarily_unavailable" and "retry-after" in got.headers
    elif asked.status == 0 and got.status == 429:
        good = got.body["code"] == "rate_limited" and int(got.headers["retry-after"]) >= 1
    elif got.status == 200:
        mine = got.body == {"subject": asked.subject, "number": asked.number} and got.headers["x-asked-for"] == asked.number
        good = passed_all_but_the_directory and mine
    else:
        good = (got.status, got.body.get("code")) == (asked.status, asked.code)
    return None if good else f"{asked} was answered with {got}"


def judge(asked: list[Ask], answers: list[Answer], *, may_be_full: bool) -> None:
    assert [why for pair in zip(asked, answers, strict=True) if (why := wrong(*pair, may_be_full=may_be_full))] == []
    greedy = [got.status for ask, got in zip(asked, answers, strict=True) if ask.subject == "greedy"]
    assert sum(status != 429 for status in greedy) == min(QUOTA, len(greedy))


async def in_process(app: Any, asked: Ask) -> Answer:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(asgi_scope("http", "GET", f"/{asked.number}", asked.headers, peer=asked.peer), receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, json.loads(b"".join(part.get("body", b"") for part in sent[1:])))


@pytest.mark.parametrize("times", TIMES)
async def test_all_at_once_on_one_loop(times: int, rng: random.Random) -> None:
    app, oracle = service(), Oracle(rng, from_anywhere=True)
    asked = [oracle.ask(place) for place in range(times)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers = await asyncio.gather(*(in_process(app, ask) for ask in asked))
    judge(asked, answers, may_be_full=times > 1000)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # KiB on Linux
    assert grown < 40 * times + 50_000, "40 KiB a request that is under way"
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def over_a_socket(port: int, asked: Ask) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET /{asked.number} HTTP/1.1", "Host: api.example", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in asked.headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    try:
        raw = await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest)
    return Answer(int(first.split(" ")[1]), headers, json.loads(body))


@pytest.mark.parametrize("times", TIMES)
def test_through_uvicorn_as_fast_as_they_come(times: int, rng: random.Random) -> None:
    """Open loop: the next request does not wait for an answer to the last one."""
    oracle = Oracle(rng, from_anywhere=False)
    asked = [oracle.ask(place) for place in range(times)]

    async def load(port: int) -> list[Answer]:
        sockets = asyncio.Semaphore(500)  # as many as this process may well have open

        async def one(ask: Ask, pause: float) -> Answer:
            await asyncio.sleep(pause)
            async with sockets:
                return await over_a_socket(port, ask)

        return await asyncio.gather(*(one(ask, place / 2000) for place, ask in enumerate(asked)))

    with serving(service()) as served:
        answers = asyncio.run(load(served.port))
    judge(asked, answers, may_be_full=False)
