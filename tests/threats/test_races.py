"""RTL-05: of requests that race, exactly as many pass as the limit says, through the guard as through the store."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from authkit import Allow, Guard, Request, chain, rate_limit
from authkit.address import ClientAddress
from authkit.stores import MemoryStore
from authkit.testing import Clock

PEER = ClientAddress.peer()
ROUNDS = [
    pytest.param(10, 50, id="10 rounds of 50"),
    pytest.param(1000, 500, id="1000 rounds of 500", marks=pytest.mark.soak),
]


def limited(*limits: str) -> Guard:
    return rate_limit(*limits, client=PEER, store=MemoryStore(clock=Clock()))


@pytest.fixture
def eager_threads() -> object:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("limits", [("20/day",), ("20/day", "1000/day")], ids=["one rate", "two rates"])
@pytest.mark.parametrize(("rounds", "parallel"), ROUNDS)
def test_threads_that_race_get_the_limit_and_no_more(rounds: int, parallel: int, limits: tuple[str, ...]) -> None:
    workers = 16
    with ThreadPoolExecutor(workers) as pool:
        for _ in range(rounds):
            api, gate = limited(*limits), threading.Barrier(workers)

            def race(place: int, api: Guard = api, gate: threading.Barrier = gate) -> int:
                gate.wait(30)
                mine = range(place, parallel, workers)
                return sum(isinstance(api.decide(Request.build(peer="127.0.0.1")), Allow) for _ in mine)

            assert sum(pool.map(race, range(workers))) == 20


@pytest.mark.parametrize(("rounds", "parallel"), ROUNDS)
async def test_tasks_that_race_get_the_limit_and_no_more(rounds: int, parallel: int) -> None:
    for _ in range(rounds):
        api = chain(limited("20/day"))
        decisions = await asyncio.gather(*(api.adecide(Request.build(peer="127.0.0.1")) for _ in range(parallel)))
        assert sum(isinstance(decision, Allow) for decision in decisions) == 20
