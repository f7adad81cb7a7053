"""What an application sends goes behind the answer, so that no clock tells whether there was anybody to send to."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from authkit import ConfigurationError, Request
from authkit._run import arun, run
from authkit.accounts import User
from authkit.accounts._sending import Sending
from authkit.errors import Unavailable

ALICE = User("alice")
SECRET = "the secret that is sent"


class Box:
    """What was sent; `open` lets it through."""

    def __init__(self, error=None, held=False):
        self.sent, self.error = [], error
        self.open, self.done = threading.Event(), threading.Event()
        if not held:
            self.open.set()

    def __call__(self, user, token):
        assert self.open.wait(10)
        self.sent.append((user, token, threading.current_thread().name))
        self.done.set()
        if self.error is not None:
            raise self.error


class Seconds:
    """A timer, and the sleep that passes it."""

    def __init__(self):
        self.now, self.slept = 100.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def request(host="wsgi"):
    found = Request.build("POST", "/password/reset")
    found.host = host
    return found


def sending(send, **options):
    return Sending(send, "send_reset", **{"environ": {}, **options})


def test_a_sync_host_does_not_wait_for_it():
    box = Box(held=True)
    run(sending(box).go(request(), ALICE, SECRET))
    assert box.sent == []
    box.open.set()
    assert box.done.wait(10)
    ((user, token, thread),) = box.sent
    assert (user, token) == (ALICE, SECRET)
    assert thread.startswith("authkit-send")


async def test_an_event_loop_does_not_wait_for_it():
    box = Box(held=True)
    await arun(sending(box).go(request("asgi"), ALICE, SECRET))
    assert box.sent == []
    box.open.set()
    assert await asyncio.to_thread(box.done.wait, 10)


def test_nothing_is_sent_to_nobody_and_that_takes_a_place_all_the_same():
    """As many wait as may: then everybody hears of it, whether or not there is such a user."""
    box = Box(held=True)
    mail = sending(box)
    waiting = 0
    try:
        for _ in range(2):  # what earlier tests sent may have held a place the first time
            with pytest.raises(Unavailable):
                while True:
                    run(mail.go(request(), ALICE, SECRET))
                    waiting += 1
            time.sleep(0.05)
        for user in (ALICE, None):
            with pytest.raises(Unavailable):
                run(mail.go(request(), user, SECRET))
    finally:
        box.open.set()
    assert waiting == 204
    end = time.monotonic() + 10
    while len(box.sent) < waiting and time.monotonic() < end:
        time.sleep(0.01)
    assert len(box.sent) == waiting
    run(mail.go(request(), None, SECRET))
    run(mail.go(request(), ALICE, SECRET))


def test_what_fails_is_in_the_log_by_its_kind_alone(caplog):
    class Lost(Exception):
        pass

    box = Box(Lost(SECRET))
    run(sending(box).go(request("aws_lambda"), ALICE, SECRET))
    assert [record.getMessage() for record in caplog.records] == ["send_reset failed: Lost"]
    assert SECRET not in caplog.text


def test_a_coroutine_function_has_a_loop_of_its_own():
    done, seen = threading.Event(), []

    async def send(user, token):
        await asyncio.sleep(0)
        seen.append((user.username, token))
        done.set()

    run(sending(send).go(request(), ALICE, SECRET))
    assert done.wait(10)
    assert seen == [("alice", SECRET)]


@pytest.mark.parametrize("place", ["lambda", "an ASGI app on Lambda"])
@pytest.mark.parametrize(("user", "took"), [(ALICE, 0.25), (None, 0.0)])
def test_on_lambda_it_is_sent_before_the_answer_which_takes_as_long_for_nobody(place, user, took):
    seconds, sent = Seconds(), []

    def send(user, token):
        sent.append(user.username)
        seconds.now += took

    host, environ = ("aws_lambda", {}) if place == "lambda" else ("asgi", {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"})
    run(sending(send, timer=seconds, sleep=seconds.sleep, environ=environ).go(request(host), user, SECRET))
    assert seconds.now == 101.0
    assert sent == (["alice"] if user else [])


def test_on_lambda_what_takes_longer_is_warned_of_once(caplog):
    seconds = Seconds()
    mail = sending(lambda user, token: setattr(seconds, "now", seconds.now + 2), timer=seconds, sleep=seconds.sleep)
    for user in (ALICE, None, ALICE):
        run(mail.go(request("aws_lambda"), user, SECRET))
    assert seconds.slept == [1.0]
    assert [record.getMessage()[:29] for record in caplog.records] == ["send_reset takes longer than "]


@pytest.mark.parametrize("send", [None, "mail", 7])
def test_what_sends_is_callable(send):
    with pytest.raises(ConfigurationError, match="send_reset"):
        Sending(send, "send_reset")


@pytest.mark.parametrize("at_least", [-1, 20.5, "1", None, True, float("nan")])
def test_how_long_an_answer_is_held_back_is_bounded(at_least):
    with pytest.raises(ConfigurationError, match="at_least"):
        Sending(Box(), "send_reset", at_least=at_least)
