"""One token for all who call, whatever the server does and the clock: none past its end, and no storm."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authkit._run import run
from authkit.errors import ConfigurationError, Unavailable
from authkit.oidc._machine_token import JUST_NOW, LONGEST, MARGIN, MachineToken, lifetime
from authkit.testing import Clock

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["load", "load", "load", "refused"]),
        st.sampled_from(["good", "good", "down", "refuses", "garbage", "short", "says nothing"]),
        st.sampled_from([0.0, 0.2, 1.0, 5.0, 31.0, 61.0, 290.0, 3000.0, 90_000.0]),
    ),
    max_size=40,
)


class Server:
    """What it gave, and when it was asked."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.mode = "good"
        self.asked: list[float] = []
        self.given: dict[str, float] = {}  # the end of each token

    def __call__(self) -> dict[str, Any]:
        self.asked.append(self.clock.now)
        if self.mode == "down":
            raise Unavailable("it answered 503")
        if self.mode == "refuses":
            raise ConfigurationError("invalid_scope")
        if self.mode == "garbage":
            return {"access_token": "no header\r\ncarries: it", "token_type": "Bearer"}
        said = {"short": 8, "good": 3600}.get(self.mode)
        token = f"token-{len(self.asked)}"
        self.given[token] = self.clock.now + min(LONGEST, lifetime(said))
        return {"access_token": token, "token_type": "bearer", **({} if said is None else {"expires_in": said})}


def made(clock: Clock, ask: Any, monotonic: Any = None, **settings: Any) -> MachineToken:
    return MachineToken(
        ask, "test", "Bearer",
        **{"early": 60, "wait": 30, "in_front": True, "clock": clock, "monotonic": monotonic or clock, **settings},
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_happens_no_token_is_used_past_its_end_and_nobody_is_stormed(steps: list[tuple[str, str, float]]) -> None:
    clock = Clock()
    server = Server(clock)
    token = made(clock, server)
    last: Any = None
    for call, mode, later in steps:
        clock.now += later
        server.mode = mode
        before = len(server.asked)
        try:
            if call == "load":
                last = run(token.load())
                assert clock.now < server.given[last.text] - min(MARGIN, 1)
            elif last is not None:
                other = run(token.other(last))
                assert other is None or (other.text != last.text and clock.now < server.given[other.text])
        except (Unavailable, ConfigurationError):
            pass
        assert len(server.asked) <= before + 1
    pauses = [after - before for before, after in pairwise(server.asked)]
    assert all(pause >= 0.75 for pause in pauses)  # seconds: the shortest rest, and less than the shortest life


@given(st.sampled_from(["wall", "ticks"]), st.floats(3601, 1e7))
@settings(max_examples=20, deadline=None)
def test_a_token_ages_by_whichever_clock_says_more(which: str, later: float) -> None:
    wall, ticks = Clock(), Clock()
    server = Server(wall)
    token = made(wall, server, ticks)
    first = run(token.load())
    (wall if which == "wall" else ticks).now += later
    assert run(token.load()).text != first.text


def test_a_wall_clock_that_is_set_back_makes_no_token_immortal() -> None:
    wall, ticks = Clock(), Clock()
    token = made(wall, Server(wall), ticks)
    first = run(token.load())
    wall.now -= 86_400
    ticks.now += 3600
    assert run(token.load()).text != first.text


def test_a_token_that_was_refused_is_replaced_once_in_a_while(clock: Clock) -> None:
    server = Server(clock)
    token = made(clock, server)
    first = run(token.load())
    assert run(token.other(first)) is None  # it is new itself
    clock.now += JUST_NOW
    second = run(token.other(first))
    assert second is not None
    assert run(token.other(first)) is second  # whoever comes later is given what the first one got
    assert run(token.other(second)) is None
    assert len(server.asked) == 2


def test_a_server_that_gives_the_same_token_again_does_not_help(clock: Clock) -> None:
    token = made(clock, lambda: {"access_token": "same", "token_type": "Bearer", "expires_in": 3600})
    first = run(token.load())
    clock.now += JUST_NOW
    assert run(token.other(first)) is None


@pytest.mark.parametrize(
    "error", [OSError("a secret"), RuntimeError("a secret"), KeyError("a secret"), MemoryError("a secret")]
)
def test_whatever_is_raised_is_unavailable_and_repeats_nothing(clock: Clock, error: Exception, caplog: Any) -> None:
    def failing() -> Any:
        raise error

    with pytest.raises(Unavailable) as raised:
        run(made(clock, failing).load())
    assert "a secret" not in str(raised.value) + caplog.text
