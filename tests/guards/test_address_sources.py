"""`allow_ips` and `deny_ips` with lists that change: the last good one decides, and without any there is a 503."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from authkit import Allow, Request, allow_ips, chain, deny_ips
from authkit._network_readers import CalledNetworks
from authkit.address import ClientAddress, Networks, parse
from authkit.errors import ConfigurationError, Unavailable
from authkit.secrets import Secret
from authkit.testing import Clock
from tests.listed import eventually, serving

PEER = ClientAddress.peer()


def ask(guard, peer, headers=()):
    decision = guard.decide(Request.build(headers=headers, peer=peer))
    return "allowed" if isinstance(decision, Allow) else (decision.status, decision.reason)


def gone():
    raise OSError


def test_every_kind_of_list_beside_literal_networks(tmp_path):
    (tmp_path / "office.txt").write_text("10.0.0.0/8\n")
    with serving() as server:
        server.answer = (200, {}, b"192.0.2.0/24\n")
        guard = allow_ips(
            "203.0.113.5",
            Networks.file(tmp_path / "office.txt"),
            Networks.url(server.url),
            Networks.secret(Secret.of("198.51.100.0/24")),
            Networks.call(lambda: ["2001:db8::/32"]),
            client=PEER,
        )
        inside = ["203.0.113.5", "10.1.2.3", "192.0.2.7", "198.51.100.1", "2001:db8::1"]
        assert [ask(guard, peer) for peer in inside] == ["allowed"] * 5
        outside = ["203.0.113.6", "11.0.0.0", "2001:db9::1"]
        assert [ask(guard, peer) for peer in outside] == [(403, "address_refused")] * 3


@pytest.mark.parametrize("make", [allow_ips, deny_ips])
def test_a_list_that_was_never_had_is_503_and_never_open(make):
    guard = make(Networks.call(gone), client=PEER)
    for peer in ("10.1.2.3", "203.0.113.5"):
        assert ask(guard, peer)[0] == 503
    with pytest.raises(Unavailable):
        chain(guard).prepare()


def test_what_is_known_decides_without_the_list_that_is_not():
    """A network that stands in the code lets in, or keeps out, whatever has become of the others."""
    lost = Networks.call(gone)
    assert ask(allow_ips("10.0.0.0/8", lost, client=PEER), "10.1.2.3") == "allowed"
    assert ask(deny_ips("10.0.0.0/8", lost, client=PEER), "10.1.2.3") == (403, "address_refused")
    for make in (allow_ips, deny_ips):
        guard = make("10.0.0.0/8", lost, Networks.call(lambda: ["192.0.2.0/24"]), client=PEER)
        assert ask(guard, "203.0.113.5")[0] == 503
    for lists in ([lost, Networks.call(lambda: ["192.0.2.0/24"])], [Networks.call(lambda: ["192.0.2.0/24"]), lost]):
        assert ask(allow_ips(*lists, client=PEER), "192.0.2.1") == "allowed"
        assert ask(deny_ips(*lists, client=PEER), "192.0.2.1") == (403, "address_refused")


def test_no_address_and_an_unknown_proxy_are_refused_whatever_the_list():
    """IPR-03 and IPR-08 come before any list."""
    guard = deny_ips(Networks.call(gone))
    assert ask(guard, None) == (403, "no_client_address")
    assert ask(guard, "10.0.0.9", [("x-forwarded-for", "1.2.3.4")]) == (403, "proxy_not_configured")


@pytest.mark.parametrize("order", [0, 1])
def test_deny_wins(order):
    guards = [allow_ips("10.0.0.0/8", client=PEER), deny_ips("10.6.6.0/24", client=PEER)]
    guard = chain(*(guards if order else guards[::-1]))
    assert ask(guard, "10.1.2.3") == "allowed"
    assert ask(guard, "10.6.6.6") == (403, "address_refused")
    assert ask(guard, "11.0.0.1") == (403, "address_refused")


def test_prepare_reads_the_lists_before_the_first_request():
    calls = []
    guard = chain(allow_ips(Networks.call(lambda: calls.append(1) or ["10.0.0.0/8"]), client=PEER))
    guard.prepare()
    assert calls == [1]
    assert ask(guard, "10.1.2.3") == "allowed"
    assert calls == [1]


def test_no_decision_waits_for_a_newer_list():
    clock, slow = Clock(), threading.Event()
    answers = [["10.0.0.0/8"], ["203.0.113.0/24"]]

    def listed():
        if len(answers) == 1:
            assert slow.wait(10)
        return answers.pop(0)

    guard = allow_ips(CalledNetworks(listed, clock=clock, monotonic=clock), client=PEER)
    assert ask(guard, "10.1.2.3") == "allowed"
    clock.advance(3600)
    start = time.monotonic()
    for _ in range(100):
        assert ask(guard, "10.1.2.3") == "allowed"
    assert time.monotonic() - start < 2
    slow.set()
    eventually(lambda: ask(guard, "203.0.113.5") == "allowed")
    assert ask(guard, "10.1.2.3") == (403, "address_refused")


async def test_an_event_loop_is_not_blocked_by_the_first_list():
    release = threading.Event()

    def listed():
        assert release.wait(10)
        return ["10.0.0.0/8"]

    guard = allow_ips(Networks.call(listed), client=PEER)
    waiting = [asyncio.ensure_future(guard.adecide(Request.build(peer="10.1.2.3"))) for _ in range(50)]
    for _ in range(10):
        await asyncio.sleep(0.005)  # this loop runs on meanwhile
    assert not any(task.done() for task in waiting)
    release.set()
    assert all(isinstance(decision, Allow) for decision in await asyncio.gather(*waiting))


def test_threads_see_one_list_or_the_other_and_never_half_of_one():
    clock, turn = Clock(), [0]
    lists = [[f"10.0.{n}.0/24" for n in range(256)], [f"10.1.{n}.0/24" for n in range(256)]]

    def listed():
        turn[0] += 1
        return lists[turn[0] % 2]

    source = CalledNetworks(listed, clock=clock, monotonic=clock)
    guard, wrong, stop = allow_ips(source, client=PEER), [], threading.Event()
    ask(guard, "10.0.0.1")

    def asking():
        while not stop.is_set():
            networks = source.at_hand()
            halves = {tuple(parse(f"10.{half}.{n}.9") in networks for n in (0, 128, 255)) for half in (0, 1)}
            if halves != {(True,) * 3, (False,) * 3}:
                wrong.append(halves)
            decision = guard.decide(Request.build(peer="10.0.0.9"))
            if not isinstance(decision, Allow) and decision.reason != "address_refused":
                wrong.append(decision.reason)

    threads = [threading.Thread(target=asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        before = turn[0]
        clock.advance(61)
        source.at_hand()
        eventually(lambda before=before: turn[0] > before and not source._reading)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert turn[0] >= 40


WRONG = [Secret.of("10.0.0.0/8"), lambda: ["10.0.0.0/8"], Networks(["10.0.0.0/8"], "networks"), 7, None]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
def test_what_is_neither_a_network_nor_a_source_is_refused_when_built(wrong):
    with pytest.raises(ConfigurationError, match="allow_ips"):
        allow_ips(wrong)
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        ClientAddress([wrong])


class TestProxies:
    """A list of trusted proxies that changes."""

    def test_the_list_says_whose_header_counts(self):
        clock, listed = Clock(), [["10.0.0.0/8"]]
        source = CalledNetworks(lambda: listed[0], clock=clock, monotonic=clock)
        guard = allow_ips("203.0.113.0/24", client=ClientAddress([source, "192.0.2.1"]))
        told = [("x-forwarded-for", "203.0.113.5, 192.0.2.1")]
        assert ask(guard, "10.0.0.9", told) == "allowed"
        assert ask(guard, "11.0.0.9", told) == (403, "address_refused")
        listed[0] = ["11.0.0.0/8"]
        clock.advance(61)
        eventually(lambda: ask(guard, "11.0.0.9", told) == "allowed")
        assert ask(guard, "10.0.0.9", told) == (403, "address_refused")

    def test_without_the_list_nobody_can_say_who_the_client_is(self):
        for make in (allow_ips, deny_ips):
            guard = make("203.0.113.0/24", client=ClientAddress([Networks.call(gone)]))
            assert ask(guard, "10.0.0.9", [("x-forwarded-for", "203.0.113.5")])[0] == 503
            assert ask(guard, "203.0.113.5")[0] == 503
        with pytest.raises(Unavailable):
            chain(guard).prepare()

    def test_a_list_that_trusts_everybody_is_a_broken_one(self):
        guard = allow_ips("203.0.113.0/24", client=ClientAddress([Networks.call(lambda: ["0.0.0.0/0"])]))
        assert ask(guard, "198.51.100.1", [("x-forwarded-for", "203.0.113.5")])[0] == 503
        loud = ClientAddress([Networks.call(lambda: ["0.0.0.0/0"])], insecure_trust_all=True)
        assert ask(allow_ips("203.0.113.0/24", client=loud), "198.51.100.1", [("x-forwarded-for", "203.0.113.5")]) == "allowed"

    def test_who_asks_without_waiting_is_told_to_come_again(self):
        """`locate` alone, as a limit may use it: the list is being read from the first question on."""
        release = threading.Event()
        client = ClientAddress([Networks.call(lambda: ["10.0.0.0/8"] if release.wait(10) else [])])
        asked = Request.build(headers=[("x-forwarded-for", "203.0.113.5")], peer="10.0.0.9")
        with pytest.raises(Unavailable):
            client.resolve(asked)
        release.set()
        eventually(lambda: not client.waits)
        assert client.resolve(asked) == "203.0.113.5"
