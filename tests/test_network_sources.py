"""A list that changes: the last good one stays, nobody waits for a newer one, and without any there is no decision."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError
from authkit._network_readers import CalledNetworks
from authkit._network_sources import LONGEST_PAUSE, NetworkSource, Unread, _understood
from authkit._run import arun, run
from authkit.address import Networks, parse
from authkit.errors import Unavailable
from authkit.testing import Clock
from tests.listed import eventually

OFFICE, HOME = parse("10.1.2.3"), parse("203.0.113.5")


class Listed:
    """What a callable gives: `now`, or it raises that. Counts."""

    def __init__(self, *networks):
        self.now, self.calls, self.gate = networks, 0, None

    def __call__(self):
        self.calls += 1
        if self.gate is not None:
            assert self.gate.wait(10)
        if isinstance(self.now, BaseException):
            raise self.now
        return self.now


def called(fn, clock=None, **options):
    clock = Clock() if clock is None else clock
    return CalledNetworks(fn, clock=clock, monotonic=clock, random=bytes, **options)


def settle(source):
    eventually(lambda: not source._reading)


def test_the_first_list_is_waited_for_and_later_ones_are_not():
    listed, clock = Listed("10.0.0.0/8"), Clock()
    source = called(listed, clock, refresh=60)
    assert listed.calls == 0, "nothing is read when it is built"
    assert OFFICE in run(source.load())
    assert listed.calls == 1
    clock.advance(59.9)
    assert OFFICE in source.at_hand()
    assert listed.calls == 1
    listed.now, listed.gate = ("203.0.113.0/24",), threading.Event()
    clock.advance(0.2)
    for _ in range(100):
        assert OFFICE in source.at_hand(), "the old list answers while the new one is being read"
    eventually(lambda: listed.calls == 2)
    listed.gate.set()
    eventually(lambda: HOME in source.at_hand())
    assert OFFICE not in source.at_hand()
    assert listed.calls == 2, "a hundred decisions asked for one reading"


@pytest.mark.parametrize(
    "broken",
    [("10.0.0.0/8", "rubbish"), (), None, 7, b"10.0.0.0/8", ("10.0.0.0/8", None), "10.0.0.0/8\nrubbish", "# nothing\n",
     OSError("secret detail"), ValueError("secret detail"), SystemError("secret detail"), ConfigurationError("no list")],
    ids=repr,
)  # fmt: skip
def test_a_broken_list_changes_nothing_and_is_told_once(broken, caplog):
    """A whole list is good, or none of it counts."""
    listed, clock = Listed("203.0.113.0/24"), Clock()
    source = called(listed, clock, refresh=60)
    run(source.load())
    listed.now = broken
    with caplog.at_level(logging.WARNING, "authkit"):
        for round in range(5):
            clock.advance(61)
            before = listed.calls
            assert HOME in source.at_hand()
            eventually(lambda before=before: listed.calls > before)
            settle(source)
            assert HOME in source.at_hand(), round
            assert OFFICE not in source.at_hand()
    assert len(caplog.records) == 1
    assert "the last good list stays" in caplog.text
    assert "secret detail" not in caplog.text
    assert "rubbish" not in caplog.text
    listed.now = ("10.0.0.0/8",)
    clock.advance(61)
    source.at_hand()
    eventually(lambda: OFFICE in source.at_hand())


@pytest.mark.parametrize("broken", [("rubbish",), (), OSError("down"), None], ids=repr)
def test_where_there_never_was_a_list_nobody_can_decide(broken):
    source = called(Listed(), Clock())
    source._fn.now = broken
    with pytest.raises(Unavailable) as raised:
        run(source.load())
    assert raised.value.retry_after >= 1
    assert source.at_hand() is None


def test_a_list_that_cannot_be_had_is_not_asked_for_by_every_request():
    listed, clock = Listed(), Clock()
    listed.now = OSError("down")
    source = called(listed, clock, refresh=3600)
    pauses = []
    for _ in range(10):
        for _ in range(50):
            with pytest.raises(Unavailable):
                run(source.load())
        pauses.append(source._pause())
        clock.advance(source._pause() + 0.001)
    assert listed.calls == 10, "one try a pause, whoever asks"
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert max(pauses) == LONGEST_PAUSE
    listed.now = ("10.0.0.0/8",)
    assert OFFICE in run(source.load())


def test_many_that_need_the_first_list_read_it_once():
    listed = Listed("10.0.0.0/8")
    listed.gate = threading.Event()
    source = called(listed)

    async def everybody():
        waiting = [asyncio.ensure_future(arun_(source)) for _ in range(100)]
        await asyncio.sleep(0.05)
        listed.gate.set()
        return await asyncio.gather(*waiting)

    async def arun_(source):
        return await arun(source.load())

    assert all(OFFICE in networks for networks in asyncio.run(everybody()))
    assert listed.calls == 1


@pytest.mark.parametrize("shift", [-3600, -2, 86_400])
def test_a_clock_that_is_set_makes_no_list_immortal(shift):
    """AVL-08: by the wall clock or by the monotonic one, whichever says more; a wall clock set back asks again."""
    listed, wall, ticks = Listed("10.0.0.0/8"), Clock(), Clock(0)
    source = CalledNetworks(listed, refresh=60, clock=wall, monotonic=ticks, random=bytes)
    run(source.load())
    wall.advance(shift)
    source.at_hand()
    eventually(lambda: listed.calls == 2)
    settle(source)
    ticks.advance(61)
    source.at_hand()
    eventually(lambda: listed.calls == 3)


def test_processes_that_start_together_do_not_read_together():
    """AVL-12: up to a tenth of the interval earlier."""
    due = set()
    for byte in range(256):
        clock = Clock(0)
        source = CalledNetworks(
            Listed("10.0.0.0/8"), refresh=3600, clock=clock, monotonic=clock, random=lambda n, byte=byte: bytes([byte]) * n
        )
        run(source.load())
        due.add(source._until)
    assert len(due) == 256
    assert 3240 < min(due) < max(due) == 3600


def test_an_empty_list_is_a_list_where_that_was_said():
    source = called(Listed(), may_be_empty=True)
    assert OFFICE not in run(source.load())


def test_a_list_of_proxies_never_holds_everybody():
    listed, clock = Listed("0.0.0.0/1", "128.0.0.0/1"), Clock()
    source = called(listed, clock)
    assert OFFICE in run(source.load()), "as a list of who may come in it is one"
    source.refuse_everybody()
    with pytest.raises(Unavailable):
        run(source.load())
    listed.now = ("10.0.0.0/8",)
    clock.advance(5)
    assert HOME not in run(source.load())


def test_a_list_of_text_has_comments_and_blank_lines():
    text = "\ufeff# office\n10.0.0.0/8\n\n203.0.113.5  # a guest\r\n192.0.2.1, 192.0.2.2 198.51.100.0/24"
    networks = run(called(lambda: text).load())
    assert len(networks) == 5
    assert OFFICE in networks
    assert HOME in networks


@pytest.mark.parametrize("char", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\0", "\x1b"])
def test_a_comment_hides_no_network(char):
    """What no editor shows as the end of a line is none: the list is broken."""
    assert _understood("203.0.113.5 # was\r0.0.0.0/8\r\n\t10.0.0.1\n", None)[0] is not None
    with pytest.raises(Unread, match="control character"):
        _understood(f"203.0.113.5  # was:{char}0.0.0.0/0\n", None)


def test_parse_reads_what_is_not_one_network_to_a_line():
    source = called(lambda: '{"prefixes": [{"ip": "10.0.0.0/8"}]}', parse=lambda text: ["10.0.0.0/8"] if "ip" in text else [])
    assert OFFICE in run(source.load())
    for wrong in (lambda text: text, lambda text: None, lambda text: 1 / 0, lambda text: [1]):
        with pytest.raises(Unavailable):
            run(called(lambda: "x", parse=wrong).load())


@given(st.text(max_size=200) | st.lists(st.text(max_size=20) | st.none() | st.integers() | st.binary(max_size=4), max_size=5))
def test_any_list_is_taken_whole_or_not_at_all(listed):
    source = called(lambda: listed)
    try:
        networks = run(source.load())
    except Unavailable:
        return
    assert len(networks) > 0
    assert isinstance(networks, Networks)


@pytest.mark.parametrize("options", [{"refresh": 0}, {"refresh": -1}, {"refresh": True}, {"refresh": float("nan")},
                                     {"refresh": "60"}, {"refresh": float("inf")}, {"parse": "json"}], ids=str)  # fmt: skip
def test_a_wrong_option_is_refused_when_built(options):
    with pytest.raises(ConfigurationError):
        Networks.call(lambda: ["10.0.0.0/8"], **options)


def test_the_base_is_no_source():
    with pytest.raises(TypeError):
        NetworkSource(60)


def _in_a_child(source, listed, pipe):
    source._clock.advance(61)
    listed.gate = None
    listed.now = ("203.0.113.0/24",)
    source.at_hand()
    eventually(lambda: HOME in source.at_hand())
    pipe.send("read on")


def test_a_forked_child_reads_on_by_itself():
    """AVL-12: also one that was forked while its parent was reading."""
    listed, clock = Listed("10.0.0.0/8"), Clock()
    source = called(listed, clock, refresh=60)
    run(source.load())
    listed.gate = threading.Event()
    clock.advance(61)
    source.at_hand()
    eventually(lambda: listed.calls == 2)
    forked = multiprocessing.get_context("fork")
    here, there = forked.Pipe()
    child = forked.Process(target=_in_a_child, args=(source, listed, there))
    child.start()
    assert here.poll(10)
    assert here.recv() == "read on"
    child.join(10)
    listed.gate.set()
    settle(source)
    assert OFFICE in source.at_hand(), "the parent is untouched"
