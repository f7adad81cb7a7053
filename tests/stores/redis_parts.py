"""What the tests of faults share: calls that must not take long, and recovery that must come soon."""

from __future__ import annotations

import contextlib
import time

from authkit.errors import StoreUnavailable

TIMEOUT = 0.25  # the default is 0.1, and too short for a test on a busy machine that counts what is told
SLACK = 0.4  # what a busy machine may add to a timeout


def tried(call):
    """What a call gives, or "unavailable"; and that it took no longer than it may."""
    start = time.monotonic()
    try:
        found = call()
    except StoreUnavailable:
        found = "unavailable"
    assert time.monotonic() - start < TIMEOUT + SLACK
    return found


def answers_within(call, seconds=2.0):
    """Ask until there is an answer; AVL-03 allows two seconds."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(StoreUnavailable):
            return call()
        assert time.monotonic() < end, "no recovery in time"
        time.sleep(0.01)
