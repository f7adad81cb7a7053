"""`allow_ips` and `deny_ips`: what cannot be judged is refused."""

from __future__ import annotations

import pytest

from authkit import Allow, ConfigurationError, Deny, Request, allow_ips, chain, deny_ips
from authkit.address import ClientAddress


def ask(guard, peer, headers=()):
    decision = guard.decide(Request.build(headers=headers, peer=peer))
    return "allowed" if isinstance(decision, Allow) else decision.reason


def test_who_is_on_the_list_comes_in():
    guard = allow_ips("10.0.0.0/8", "2001:db8::/32", "203.0.113.5")
    assert [ask(guard, peer) for peer in ("10.1.2.3", "2001:db8::1", "203.0.113.5")] == ["allowed"] * 3
    assert [ask(guard, peer) for peer in ("11.0.0.1", "2001:db9::1", "203.0.113.6")] == ["address_refused"] * 3


def test_who_is_on_the_deny_list_does_not():
    guard = deny_ips("10.0.0.0/8", "2001:db8::/32")
    assert [ask(guard, peer) for peer in ("10.1.2.3", "2001:db8::1")] == ["address_refused"] * 2
    assert ask(guard, "203.0.113.5") == "allowed"


def test_a_refusal_is_403_forbidden():
    decision = allow_ips("10.0.0.0/8").decide(Request.build(peer="11.0.0.1"))
    assert isinstance(decision, Deny)
    assert (decision.status, decision.code) == (403, "forbidden")


def test_both_spellings_of_an_ipv4_address_are_one():
    """IPR-05, in lists and in addresses, for allow and for deny."""
    for spelling in ("10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1"):
        for network in ("10.0.0.0/8", "::ffff:10.0.0.0/104"):
            assert ask(allow_ips(network), spelling) == "allowed"
            assert ask(deny_ips(network), spelling) == "address_refused"


@pytest.mark.parametrize("make", [allow_ips, deny_ips])
@pytest.mark.parametrize("peer", [None, "", "unix:", "testclient", "0.0.0.0"])
def test_no_address_is_refused_by_both(make, peer):
    """IPR-08."""
    assert ask(make("10.0.0.0/8"), peer) == "no_client_address"


@pytest.mark.parametrize("make", [allow_ips, deny_ips])
@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP"])
def test_a_proxy_that_nobody_configured_is_refused_by_both(make, name):
    """IPR-03: a private list behind a private proxy would let everybody in."""
    guard = make("10.0.0.0/8")
    assert ask(guard, "10.0.0.9", [(name, "203.0.113.5")]) == "proxy_not_configured"
    assert ask(guard, "203.0.113.9", [(name, "10.0.0.1")]) == "proxy_not_configured"


def test_behind_a_configured_proxy_the_client_counts():
    guard = allow_ips("203.0.113.0/24", client=ClientAddress(["10.0.0.0/8"]))
    assert ask(guard, "10.0.0.9", [("x-forwarded-for", "203.0.113.5")]) == "allowed"
    assert ask(guard, "10.0.0.9", [("x-forwarded-for", "203.0.113.5, 198.51.100.1")]) == "address_refused"
    assert ask(guard, "10.0.0.9", [("x-forwarded-for", "203.0.113.5, rubbish")]) == "no_client_address"
    assert ask(guard, "10.0.0.9") == "address_refused"


def test_saying_that_the_peer_is_the_client_ends_the_suspicion():
    guard = allow_ips("10.0.0.0/8", client=ClientAddress.peer())
    assert ask(guard, "10.0.0.9", [("x-forwarded-for", "203.0.113.5")]) == "allowed"


def test_a_forged_header_does_not_change_the_platforms_word():
    """IPR-09."""
    request = Request.build(headers=[("x-forwarded-for", "10.0.0.1")], peer="203.0.113.5")
    request.peer_is_socket = False
    assert allow_ips("10.0.0.0/8").decide(request).reason == "address_refused"
    assert isinstance(allow_ips("203.0.113.0/24").decide(request), Allow)


@pytest.mark.parametrize("make", [allow_ips, deny_ips])
@pytest.mark.parametrize(
    "networks", [(), ("",), ("10.0.0.0/33",), ("example.com",), (["10.0.0.0/8"],), (None,), (10,), ("10.0.0.0/-1",)], ids=repr
)
def test_a_wrong_network_is_refused_when_built(make, networks):
    with pytest.raises(ConfigurationError, match=make.__name__):
        make(*networks)


def test_a_wrong_client_is_refused_when_built():
    with pytest.raises(ConfigurationError):
        allow_ips("10.0.0.0/8", client="10.0.0.1")


def test_a_wrong_setting_admits_nobody(monkeypatch):
    monkeypatch.setenv("AUTHKIT_TRUSTED_PROXIES", "everyone")
    guard = allow_ips("10.0.0.0/8")
    assert ask(guard, "10.0.0.1") == "configuration_error"
    with pytest.raises(ConfigurationError, match="AUTHKIT_TRUSTED_PROXIES"):
        chain(guard).prepare()


def test_the_audit_event_names_the_client_and_not_the_proxy():
    events = []
    guard = chain(allow_ips("203.0.113.0/24", client=ClientAddress(["10.0.0.0/8"])), audit=events.append)
    ask(guard, "10.0.0.9", [("x-forwarded-for", "[::ffff:203.0.113.5]:80")])
    assert events[0]["client"] == "203.0.113.5"


def test_a_refused_request_never_reaches_the_handler():
    entered = []

    @allow_ips("10.0.0.0/8")
    def handler(request: Request):
        entered.append(request)

    assert handler(Request.build(peer="11.0.0.1")).status == 403
    assert not entered
    handler(Request.build(peer="10.0.0.1"))
    assert len(entered) == 1
