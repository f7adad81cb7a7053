"""How login limits wear a stranger down, and how soon they let go of the owner. Days pass here in seconds."""

from __future__ import annotations

import json
import time

import pytest

from authkit import Request
from authkit.accounts import Accounts
from authkit.stores import MemoryStore

from .test_limits import ELSEWHERE, HERE, Clock, post, statuses

NEW = "192.0.2.77"  # nobody has logged in from there


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def accounts(users, tokens, hasher, clock):
    return Accounts(users, tokens, hasher, store=MemoryStore(clock=clock, wall=clock))


def strangers():
    """Addresses, each another network."""
    number = 0
    while True:
        number += 1
        yield f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def attack(accounts, clock, peers, seconds, every=20, times=5):
    """So many attempts with wrong passwords every so often, each from elsewhere: how many were looked at."""
    looked_at = 0
    for _ in range(seconds // every):
        clock.now += every
        looked_at += sum(post(accounts, peer=next(peers)).status == 401 for _ in range(times))
    return looked_at


def test_delays_grow(accounts, clock):
    """How long somebody waits who never stops: seconds, minutes, half an hour, nearly two."""
    waits = []
    while len(waits) < 180:
        answer = post(accounts)
        if answer.status == 429:
            waits.append(int(answer.headers["retry-after"]))
            clock.now += waits[-1]
    assert waits[:10] == [12] * 10
    assert (waits[30], waits[60], waits[-1]) == (180, 1728, 6048)
    assert waits == sorted(waits)


def test_a_thousand_addresses_have_what_one_account_has(accounts):
    """PWD-10: and the right password is among what is not looked at."""
    peers = strangers()
    found = [post(accounts, peer=next(peers)).status for _ in range(1000)]
    assert (found.count(401), found.count(429)) == (20, 980)
    assert post(accounts, password="correct horse", peer=NEW).status == 429


def test_no_more_than_a_hundred_guesses_a_day_and_two_hundred_a_week(accounts, clock):
    """PWD-10: from however many addresses, for however long."""
    peers = strangers()
    days = [attack(accounts, clock, peers, 86_400, every=300, times=2) for _ in range(14)]
    assert max(days) <= 100
    assert max(sum(days[first : first + 7]) for first in range(8)) <= 200
    assert sum(days[7:]) <= 101  # in the long run, what comes back


def test_an_attack_of_ten_minutes_costs_the_owner_three(accounts, clock):
    """PWD-12: in a network that is new to the account; where it has logged in before, it costs nothing."""
    assert post(accounts, password="correct horse").status == 200
    assert attack(accounts, clock, strangers(), 600) < 30
    assert post(accounts, password="correct horse").status == 200
    answer = post(accounts, password="correct horse", peer=NEW)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) <= 180
    clock.now += int(answer.headers["retry-after"])
    assert post(accounts, password="correct horse", peer=NEW).status == 200


def test_no_attack_lasts_longer_than_itself_and_its_last_delay(accounts, clock):
    """PWD-12: a month of it locks nobody out for ever."""
    peers = strangers()
    attack(accounts, clock, peers, 30 * 86_400, every=1200, times=2)
    answer = post(accounts, password="correct horse", peer=NEW)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) <= 6048
    clock.now += int(answer.headers["retry-after"])
    assert post(accounts, password="correct horse", peer=NEW).status == 200


def test_who_is_logged_in_stays_so(accounts, clock):
    """PWD-12: limits are on passwords, not on sessions."""
    token = json.loads(post(accounts, password="correct horse", peer=ELSEWHERE).body)["access_token"]
    statuses(accounts, 100, peer=ELSEWHERE)
    attack(accounts, clock, strangers(), 600)
    request = Request.build("POST", "/verify", {"authorization": f"Bearer {token}"}, b"", ELSEWHERE)
    assert accounts.verify(request).status == 200
    assert post(accounts, password="correct horse", peer=HERE).status == 429


def test_who_has_reset_the_password_gets_in_while_a_stranger_goes_on(users, tokens, hasher, clock):
    """PWD-12: what a stranger keeps up for ever keeps the owner out of new networks only until they prove who they are."""
    sent = []
    store = MemoryStore(clock=clock, wall=clock)
    accounts = Accounts(users, tokens, hasher, store=store, clock=clock, send_reset=lambda user, token: sent.append(token))
    peers = strangers()
    attack(accounts, clock, peers, 3 * 86_400, every=1200, times=2)
    assert post(accounts, password="correct horse", peer=NEW).status == 429

    def send(path, **body):
        headers = {"content-type": "application/json"}
        return accounts.app(Request.build("POST", path, headers, json.dumps(body).encode(), NEW))

    assert send("/password/reset", username="alice").status == 202
    end = time.monotonic() + 5
    while not sent:
        assert time.monotonic() < end
        time.sleep(0.005)
    assert send("/password/reset/confirm", token=sent[0], new_password="battery staple").status == 204
    assert post(accounts, password="battery staple", peer=NEW).status == 200
    assert post(accounts, password="battery staple", peer=ELSEWHERE).status == 429
