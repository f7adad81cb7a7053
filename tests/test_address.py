"""One client address, or none: what a header says counts only where a proxy of ours wrote it."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError, Deny, Request, address, allow_ips, chain
from authkit.address import ClientAddress, Networks, parse

VECTORS = Path(__file__).parent / "vectors" / "client-ip"
CLIENTS = json.loads((VECTORS / "realclientip.json").read_text())
WALKS = json.loads((VECTORS / "proxy-addr.json").read_text())
TRUSTED = json.loads((VECTORS / "uvicorn-trusted-hosts.json").read_text())


def request(peer, headers=(), **named):
    return Request.build(headers=[*headers, *((name.replace("_", "-"), value) for name, value in named.items())], peer=peer)


def lines(headers):
    return [(name, value) for name, values in headers.items() for value in values]


def behind(*networks, **options):
    return ClientAddress(trusted_proxies=list(networks), **options)


# What the vectors' source decided for itself, and we decide otherwise.
OURS = {
    "trusted_ranges-0": "no ranges at all is a configuration error: it is what a forgotten setting looks like",
    "trusted_ranges-10": "without a peer nothing vouches for the header: no address",
    "trusted_ranges-12": "0.0.0.0 is nobody, so nothing vouches for the header: no address",
    "trusted_ranges-18": "every other header name holds one address, so this is no error",
}


def client_of(case):
    strategy = case["strategy"]
    if strategy == "peer_only":
        return ClientAddress.peer()
    if strategy == "single_header":
        return behind("10.9.9.9", header=case["header"])
    if strategy == "trusted_count":
        return ClientAddress(hops=case["trusted_count"], header=case["header"])
    return behind(*case.get("trusted_ranges", ()), header=case["header"])


@pytest.mark.parametrize("case", [case for case in CLIENTS["cases"] if case["id"] not in OURS], ids=lambda case: case["id"])
def test_realclientip(case):
    if case.get("expect_config_error"):
        with pytest.raises(ConfigurationError):
            client_of(case)
        return
    # Its tables give no peer where a strategy does not look at it; ours looks always, so one of the proxies stands there.
    stand_in = (
        "10.9.9.9" if case["strategy"] == "single_header" else (case.get("trusted_ranges") or ["10.9.9.9"])[0].split("/")[0]
    )
    stand_in = stand_in.replace("2.2.2.0", "2.2.2.9")
    asked = request(case.get("peer", stand_in), lines(case["headers"]))
    assert client_of(case).resolve(asked) == case["expect"]


@pytest.mark.parametrize("name", OURS)
def test_what_we_decide_otherwise_than_realclientip(name):
    case = next(case for case in CLIENTS["cases"] if case["id"] == name)
    if name == "trusted_ranges-0":
        with pytest.raises(ConfigurationError):
            client_of(case)
    elif name == "trusted_ranges-18":
        assert behind("10.0.0.1", header=case["header"]).resolve(request("10.0.0.1", lines(case["headers"]))) is None
    else:
        assert client_of(case).resolve(request(case["peer"], lines(case["headers"]))) is None


@pytest.mark.parametrize("case", CLIENTS["range_parsing"], ids=lambda case: case["id"])
def test_range_parsing(case):
    if case.get("expect_config_error"):
        with pytest.raises(ConfigurationError):
            Networks(case["ranges"], "networks")
        return
    assert len(Networks(case["ranges"], "networks")) == len(case["expect"])
    for network in case["expect"]:
        edge = parse(network.split("/")[0])
        assert edge in Networks(case["ranges"], "networks")
        assert parse("2001:db8::1") not in Networks(case["ranges"], "networks")


@pytest.mark.parametrize("entry", [row["entry"] for row in WALKS["reject"]])
def test_what_is_no_network_is_a_configuration_error(entry):
    with pytest.raises(ConfigurationError) as raised:
        behind(entry)
    assert entry not in str(raised.value)


@pytest.mark.parametrize("entry", WALKS["accept"])
def test_a_single_address_is_a_network(entry):
    assert parse(entry) in Networks([entry], "networks")


@pytest.mark.parametrize("case", WALKS["walk"], ids=str)
def test_proxy_addr_walks(case):
    headers = [("x-forwarded-for", case["xff"])] if case["xff"] else []
    if case["trust"] == "all":
        client = behind("*", insecure_trust_all=True)
    elif case["trust"] == "none":
        client = ClientAddress.peer()
    else:
        client = behind(*case["trust"])
    assert client.resolve(request(case["peer"], headers)) == case["expect"]


@pytest.mark.parametrize("case", TRUSTED["cases"], ids=lambda case: f"{case['host']} in {case['trusted']}")
def test_who_is_trusted(case):
    address = parse(case["host"])
    assert (address is not None and address in Networks(case["trusted"], "networks")) is case["expect_trusted"]


@pytest.mark.parametrize("case", TRUSTED["malformed_header"]["cases"], ids=lambda case: repr(case["xff"]))
def test_an_empty_entry_is_never_a_client(case):
    found = behind(*TRUSTED["malformed_header"]["trusted"]).resolve(request("127.0.0.1", [("x-forwarded-for", case["xff"])]))
    # That server falls back to its peer. So do we where nothing was sent; an entry that cannot be read gives no address.
    assert found == ("127.0.0.1" if not case["xff"] else None)


@pytest.mark.parametrize("proxies", [0, 1, 2])
@pytest.mark.parametrize("spoofed", range(1, 21))
def test_what_a_client_writes_on_the_left_is_never_believed(proxies, spoofed):
    """IPR-01: chains of 1 to 20 forged entries behind 0, 1 and 2 proxies."""
    forged = [f"10.0.0.{n}" if n % 2 else f"203.0.113.{n}" for n in range(1, spoofed + 1)]
    chain = [*forged, *["198.51.100.7", "10.0.0.2"][:proxies]]
    asked = request("198.51.100.7" if not proxies else "10.0.0.1", x_forwarded_for=", ".join(chain))
    assert behind("10.0.0.0/8").resolve(asked) == "198.51.100.7"
    if proxies:
        assert ClientAddress(hops=proxies).resolve(asked) == "198.51.100.7"


def test_without_configuration_no_header_is_believed():
    """IPR-02."""
    client = ClientAddress()
    asked = request("198.51.100.7", x_forwarded_for="10.0.0.1", x_real_ip="10.0.0.1", forwarded="for=10.0.0.1")
    assert client.resolve(asked) == "198.51.100.7"
    assert client.suspects_proxy(asked)


@pytest.mark.parametrize(
    "everyone",
    [["*"], ["0.0.0.0/0"], ["::/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["::ffff:0:0/96"], ["10.0.0.0/8", "::/1", "8000::/1"], []],
    ids=str,
)
def test_trusting_everyone_takes_a_loud_switch(everyone):
    """IPR-02: also where everyone is written in pieces. Nobody at all is a forgotten setting."""
    with pytest.raises(ConfigurationError):
        ClientAddress(trusted_proxies=everyone)
    if everyone:
        forged = request("198.51.100.7", x_forwarded_for="1.2.3.4")
        ClientAddress(trusted_proxies=everyone, insecure_trust_all=True).resolve(forged)


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip"])
def test_a_forwarding_header_on_a_bare_peer_gives_a_proxy_away(name):
    """IPR-03."""
    assert ClientAddress().suspects_proxy(request("10.0.0.9", [(name, "203.0.113.5")]))
    assert not ClientAddress().suspects_proxy(request("10.0.0.9"))
    assert not ClientAddress.peer().suspects_proxy(request("10.0.0.9", [(name, "203.0.113.5")]))


def test_a_proxy_that_tells_of_its_client_elsewhere_gives_no_address():
    """Behind a trusted proxy that writes X-Real-IP only, the peer is not the client."""
    assert behind("10.0.0.0/8").resolve(request("10.0.0.9", x_real_ip="203.0.113.5")) is None
    assert behind("10.0.0.0/8").resolve(request("10.0.0.9")) == "10.0.0.9"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:0a00:0001", "10.0.0.1"),
        ("[::ffff:10.0.0.1]:443", "10.0.0.1"),
        ("10.0.0.1:65535", "10.0.0.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[fe80::1%eth0]:80", "fe80::1%eth0"),
        ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"),
        ("2002:a00:1::", "2002:a00:1::"),
        (" 10.0.0.1\t", "10.0.0.1"),
    ],
)  # fmt: skip
def test_one_canonical_text(written, canonical):
    """IPR-05. NAT64 and 6to4 stay IPv6."""
    assert parse(written).text == canonical
    assert ClientAddress.peer().resolve(request(written)) == canonical


@pytest.mark.parametrize(
    "written",
    ["", " ", "unknown", "_hidden", "010.0.0.1", "10.0.0", "10.0.0.1:", "10.0.0.1:x", "10.0.0.1:999999", "[10.0.0.1]", "[::1",
     "::1]", "[::1]x", "fe80::1%", "fe80::1%e h", "10.0.0.1%eth0", "10.0.0.1/8", "10.0.0.1 10.0.0.2", "\uff11\uff10.0.0.1",
     "10.0.0.1\0", "0.0.0.0", "::", "::ffff:0.0.0.0", "localhost", "1", "x" * 100_000],
)  # fmt: skip
def test_what_is_no_address(written):
    assert parse(written) is None
    assert behind("10.0.0.9").resolve(request("10.0.0.9", x_forwarded_for=written.strip() or ",")) is None


@given(st.text(max_size=120))
def test_any_text_is_an_address_or_none(text):
    found = parse(text)
    assert found is None or parse(found.text).value == found.value


@given(st.text(alphabet='for=;,"\\[]:.1_ax \t', max_size=60))
def test_any_forwarded_line_names_somebody_or_nobody(line):
    behind("10.0.0.9", header="forwarded").resolve(request("10.0.0.9", forwarded=line))


@pytest.mark.parametrize(
    ("written", "client"),
    [
        ("for=203.0.113.5", "203.0.113.5"),
        ('For="[2001:db8::5]:4711";proto=https;by=10.0.0.9', "2001:db8::5"),
        ("for=203.0.113.5, for=10.0.0.2", "203.0.113.5"),
        ('for=9.9.9.9,for="203.0.113.5:_http" ; host=a', "203.0.113.5"),
        ("for=203.0.113.5;by=x, for=10.0.0.2;host=\"a,b;for=10.0.0.3\"", "203.0.113.5"),
        ("for=unknown", None),
        ("for=_secret", None),
        ("proto=https", None),
        ("for=203.0.113.5;for=10.0.0.1", None),
        ('for="203.0.113.5', None),
        ('for="9.9.9.9, for=203.0.113.5', "203.0.113.5"),
        ('for=9.9.9.9;x="\\, for="203.0.113.5";host="a\\"b\\\\"', "203.0.113.5"),
        ('for="203.0.113.5\\"', None),
        ('for="9.9.9.9, for=10.0.0.2', None),
        ('for="x, for="203.0.113.5""', None),
        ("for=203.0.113.5, ", None),
        ("for = 203.0.113.5", None),
    ],
)  # fmt: skip
def test_forwarded(written, client):
    """RFC 7239 section 4. An open quote on the left cannot swallow what the proxy appended."""
    assert behind("10.0.0.0/8", header="forwarded").resolve(request("10.0.0.9", forwarded=written)) == client


@pytest.mark.parametrize("junk", ["x" * 4100, "1.1.1.1, " * 3000, "," * 9000, "10.0.0.3, " * 1000])
@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_nothing_that_a_client_writes_hides_what_a_proxy_appended(header, junk):
    """IPR-03. However long it is, in the same line or in lines before it."""
    said = "203.0.113.5, 10.0.0.2" if header == "x-forwarded-for" else "for=203.0.113.5, for=10.0.0.2"
    client = behind("10.0.0.0/8", header=header)
    assert client.resolve(request("10.0.0.9", [(header, f"{junk}, {said}")])) == "203.0.113.5"
    assert client.resolve(request("10.0.0.9", [(header, junk)] * 3 + [(header, said)])) == "203.0.113.5"
    assert ClientAddress(hops=2, header=header).resolve(request("10.0.0.9", [(header, f"{junk}, {said}")])) == "203.0.113.5"


def test_a_walk_ends_after_some_thousand_characters_at_nobody():
    client = behind("10.0.0.0/8")
    far = "203.0.113.5, " + "10.0.0.2," * 500
    assert client.resolve(request("10.0.0.9", x_forwarded_for=far[:-1])) is None
    assert (
        client.resolve(
            request("10.0.0.9", [("x-forwarded-for", part) for part in ["203.0.113.5", "10.0.0.2, " * 420 + "10.0.0.2"]])
        )
        is None
    )
    assert client.resolve(request("10.0.0.9", x_forwarded_for="203.0.113.5" + ",10.0.0.2" * 100)) == "203.0.113.5"


def test_where_nobody_is_found_the_audit_does_not_name_the_proxy():
    events = []
    guard = chain(allow_ips("203.0.113.0/24", client=behind("10.0.0.9")), audit=events.append)
    for said in ("unknown", "203.0.113.5"):
        guard.decide(request("10.0.0.9", x_forwarded_for=said))
    assert [event["client"] for event in events] == [None, "203.0.113.5"]


def test_limits_count_the_ipv4_address_behind_nat64():
    """Its /64 holds all of IPv4."""
    assert parse("64:ff9b::203.0.113.5").bucket == parse("203.0.113.5").bucket
    assert parse("64:ff9b::203.0.113.5").bucket != parse("64:ff9b::203.0.113.6").bucket
    assert parse("64:ff9b::1:203.0.113.5").bucket == parse("64:ff9b::1:203.0.113.6").bucket == "64ff9b00000000::/64"


def test_repeated_lines_are_one_list_read_from_the_end():
    asked = request("10.0.0.9", [("x-forwarded-for", "9.9.9.9"), ("x-forwarded-for", "203.0.113.5, 10.0.0.2")])
    assert behind("10.0.0.0/8").resolve(asked) == "203.0.113.5"
    assert ClientAddress(hops=3).resolve(asked) == "9.9.9.9"
    assert ClientAddress(hops=4).resolve(asked) is None


def test_a_header_that_holds_one_address_may_not_come_twice():
    client = behind("10.0.0.9", header="cf-connecting-ip")
    assert client.resolve(request("10.0.0.9", cf_connecting_ip="203.0.113.5")) == "203.0.113.5"
    twice = [("cf-connecting-ip", "203.0.113.5"), ("cf-connecting-ip", "203.0.113.5")]
    assert client.resolve(request("10.0.0.9", twice)) is None
    assert client.resolve(request("198.51.100.7", cf_connecting_ip="203.0.113.5")) == "198.51.100.7"


def test_hops_and_proxies_together_need_both():
    client = ClientAddress(["10.0.0.0/8"], hops=2)
    assert client.resolve(request("10.0.0.9", x_forwarded_for="1.1.1.1, 203.0.113.5, 10.0.0.2")) == "203.0.113.5"
    assert client.resolve(request("198.51.100.7", x_forwarded_for="203.0.113.5, 10.0.0.2")) == "198.51.100.7"


def test_no_peer_is_no_address_except_behind_a_stated_number_of_proxies():
    """IPR-08; a unix socket behind one nginx is what `hops=1` states."""
    asked = request(None, x_forwarded_for="203.0.113.5")
    assert ClientAddress.peer().resolve(asked) is None
    assert behind("10.0.0.0/8").resolve(asked) is None
    assert ClientAddress(hops=1).resolve(asked) == "203.0.113.5"
    assert ClientAddress(hops=1, header="x-real-ip").resolve(request(None, x_real_ip="203.0.113.5")) == "203.0.113.5"


def test_the_platforms_word_counts_unless_proxies_are_configured():
    """IPR-09: sourceIp of API Gateway, with a forged header."""
    asked = request("203.0.113.5", x_forwarded_for="10.0.0.1")
    asked.peer_is_socket = False
    assert not ClientAddress().suspects_proxy(asked)
    assert ClientAddress().resolve(asked) == "203.0.113.5"
    assert behind("203.0.113.0/24").resolve(asked) == "10.0.0.1"


def test_the_setting_names_the_proxies(monkeypatch):
    monkeypatch.setenv("AUTHKIT_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32")
    client = ClientAddress()
    asked = request("10.0.0.9", x_forwarded_for="203.0.113.5, 2001:db8::1")
    assert not client.suspects_proxy(asked)
    assert client.resolve(asked) == "203.0.113.5"


@pytest.mark.parametrize("value", ["*", "0.0.0.0/0", "proxy.internal", "10.0.0.0/8;192.168.0.0/16"])
def test_a_wrong_setting_is_named_and_not_shown(monkeypatch, value):
    monkeypatch.setenv("AUTHKIT_TRUSTED_PROXIES", value)
    with pytest.raises(ConfigurationError, match="AUTHKIT_TRUSTED_PROXIES") as raised:
        ClientAddress().settle()
    assert value not in str(raised.value)


def test_a_header_without_proxies_is_a_configuration_error():
    with pytest.raises(ConfigurationError):
        ClientAddress(header="x-real-ip").settle()


@pytest.mark.parametrize(
    "options",
    [{"hops": 0}, {"hops": -1}, {"hops": True}, {"hops": 2, "header": "x-real-ip"}, {"header": ""}, {"header": "x real"},
     {"trusted_proxies": "10.0.0.0/8"}, {"trusted_proxies": [10]}],
    ids=str,
)  # fmt: skip
def test_a_wrong_option_is_refused_when_built(options):
    with pytest.raises(ConfigurationError):
        ClientAddress(**options)


def test_networks_know_their_edges():
    networks = Networks(["10.0.0.0/8", "10.1.0.0/16", "192.168.1.1", "2001:db8::/32", "::ffff:172.16.0.0/108"], "networks")
    inside = ["10.0.0.0", "10.255.255.255", "192.168.1.1", "2001:db8::", "2001:db8:ffff:ffff::1", "172.31.255.255"]
    outside = ["9.255.255.255", "11.0.0.0", "192.168.1.0", "192.168.1.2", "2001:db7::", "2001:db9::", "172.32.0.0", "::a00:1"]
    assert [parse(text) in networks for text in inside] == [True] * len(inside)
    assert [parse(text) in networks for text in outside] == [False] * len(outside)
    assert parse("10.0.0.1") not in Networks([], "networks")


def test_a_limit_counts_ipv6_by_its_64():
    buckets = {parse(f"2001:db8:1:2:{n:x}::1").bucket for n in range(1, 1000)}
    assert len(buckets) == 1
    assert parse("2001:db8:1:3::1").bucket not in buckets
    assert parse("::ffff:1.2.3.4").bucket == parse("1.2.3.4").bucket == "1.2.3.4"


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_a_list_that_no_chain_of_proxies_writes_names_nobody(header):
    """What it costs to read grows with what was sent: 64 KB of trusted addresses took 40 ms, of semicolons 50."""
    client = behind("10.0.0.0/8", header=header)
    entry = "10.1.2.3, " if header == "x-forwarded-for" else "for=10.1.2.3, "
    last = "198.51.100.7" if header == "x-forwarded-for" else "for=198.51.100.7"
    assert client.resolve(request("10.0.0.1", [(header, entry * 100 + last)])) == "198.51.100.7"
    for hostile in (f"{last}, {entry * 5000}".rstrip(", "), ";" * 60_000, f"{last}, {'x' * 4096}"):
        assert client.resolve(request("10.0.0.1", [(header, hostile)])) is None
    assert client.resolve(request("10.0.0.1", [(header, entry * 100)] * 60)) is None
    assert client.resolve(request("192.0.2.1", [(header, entry * 5000)])) == "192.0.2.1", "not read where the peer is no proxy"


# Presets


def platform(peer, headers=()):
    """A request as a Lambda event is read: nobody's socket."""
    asked = request(peer, headers)
    asked.peer_is_socket = False
    return asked


def test_api_gateway_is_the_events_word_alone(monkeypatch):
    """IPR-09: neither a header nor the setting changes it, and a socket has no address there."""
    monkeypatch.setenv("AUTHKIT_TRUSTED_PROXIES", "203.0.113.0/24")
    client, forged = ClientAddress.api_gateway(), [("x-forwarded-for", "10.0.0.1")]
    assert client.resolve(platform("203.0.113.5", forged)) == "203.0.113.5"
    assert client.resolve(platform(None, forged)) is None
    assert client.resolve(request("203.0.113.5", forged)) is None
    assert not client.suspects_proxy(request("203.0.113.5", forged))


def test_alb_is_the_entry_that_it_appended():
    targets = ClientAddress.alb("10.0.0.0/16", "10.1.0.0/16")
    assert targets.resolve(request("10.0.3.4", x_forwarded_for="1.1.1.1, 203.0.113.5:4711")) == "203.0.113.5"
    assert targets.resolve(request("10.0.3.4", x_forwarded_for="1.1.1.1, 10.0.0.9")) == "10.0.0.9", "a client of the VPC"
    assert targets.resolve(request("10.0.3.4", x_forwarded_for="1.1.1.1, rubbish")) is None
    assert targets.resolve(request("10.0.3.4")) is None, "in the mode remove nobody says who it was"
    assert targets.resolve(request("198.51.100.7", x_forwarded_for="1.1.1.1")) == "198.51.100.7"
    target = ClientAddress.alb()
    assert target.resolve(platform("203.0.113.5", [("x-forwarded-for", "1.1.1.1, 203.0.113.5")])) == "203.0.113.5"
    assert target.resolve(request("10.0.3.4", x_forwarded_for="1.1.1.1")) is None


def test_cloudfront_alone_before_a_load_balancer_and_before_api_gateway():
    client = ClientAddress.cloudfront("130.176.0.0/17", "10.0.0.0/16")
    assert client.resolve(request("130.176.0.9", x_forwarded_for="1.1.1.1, 203.0.113.5")) == "203.0.113.5"
    assert client.resolve(request("10.0.3.4", x_forwarded_for="1.1.1.1, 203.0.113.5, 130.176.0.9")) == "203.0.113.5"
    gateway = [("x-forwarded-for", "1.1.1.1, 203.0.113.5, 130.176.0.9")]
    assert client.resolve(platform("130.176.0.9", gateway)) == "203.0.113.5"
    assert client.resolve(request("198.51.100.7", gateway)) == "198.51.100.7", "past CloudFront nobody is believed"
    with pytest.raises(ConfigurationError):
        ClientAddress.cloudfront()


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("198.51.100.10:46532", "198.51.100.10"),
        ("2001:db8::1:46532", "2001:db8::1"),
        ("2001:db8:1:2:3:4:5:6:443", "2001:db8:1:2:3:4:5:6"),
        ("[2001:db8::1]:46532", "2001:db8::1"),
        ("::ffff:10.0.0.1:443", "10.0.0.1"),
        ("198.51.100.10", None),
        ("2001:db8::1", None),
        ("198.51.100.10:80:90", None),
        ("[2001:db8::1]:80:90", None),
        ("[198.51.100.10]:80", None),
        (":80", None),
        ("198.51.100.10:65536", None),
        ("198.51.100.10:80, 10.0.0.1:80", None),
    ],
)  # fmt: skip
def test_cloudfront_viewer_address_always_has_a_port(value, address):
    """Without brackets where it is IPv6: read as any other header, the port would become a part of the address."""
    client = behind("10.0.0.0/8", header="CloudFront-Viewer-Address")
    assert client.resolve(request("10.0.0.9", cloudfront_viewer_address=value)) == address


def test_cloudflare_is_believed_where_the_peer_is_cloudflare():
    client = ClientAddress.cloudflare("173.245.48.0/20", "2400:cb00::/32")
    told = {"cf_connecting_ip": "203.0.113.5", "x_forwarded_for": "1.1.1.1, 203.0.113.5"}
    assert client.resolve(request("173.245.48.9", **told)) == "203.0.113.5"
    assert client.resolve(request("2400:cb00::9", **told)) == "203.0.113.5"
    assert client.resolve(request("198.51.100.7", **told)) == "198.51.100.7"
    assert client.resolve(request("173.245.48.9", x_forwarded_for="1.1.1.1")) is None, "its own header is missing"
    with pytest.raises(ConfigurationError):
        ClientAddress.cloudflare()


def test_a_proxy_that_leaves_its_one_header_out_says_nobody():
    """Cloudflare can be told to remove it; then its own address must not stand for everybody's."""
    assert ClientAddress.cloudflare("173.245.48.0/20").resolve(request("173.245.48.9")) is None
    assert behind("10.0.0.0/8", header="x-real-ip").resolve(request("10.0.0.9", x_real_ip=" ")) is None


def test_netlify_is_believed_in_its_own_events():
    client, told = ClientAddress.netlify(), [("x-nf-client-connection-ip", "203.0.113.5"), ("x-forwarded-for", "1.1.1.1")]
    assert client.resolve(platform(None, told)) == "203.0.113.5"
    assert client.resolve(platform(None, told[1:])) is None
    assert client.resolve(platform(None, told + told)) is None
    assert client.resolve(request("198.51.100.7", told)) is None
    assert client.resolve(request(None, told)) is None, "a unix socket is not Netlify"
    assert client.resolve(platform("198.51.100.7", told)) is None, "an event of another platform"
    assert client.resolve(platform("198.51.100.7")) == "198.51.100.7"


def test_nginx_at_an_address_and_at_a_unix_socket():
    there = ClientAddress.nginx("127.0.0.1", header="x-real-ip")
    assert there.resolve(request("127.0.0.1", x_real_ip="203.0.113.5", x_forwarded_for="1.1.1.1")) == "203.0.113.5"
    assert there.resolve(request("198.51.100.7", x_real_ip="203.0.113.5")) == "198.51.100.7"
    socket = ClientAddress.nginx(unix_socket=True)
    assert socket.resolve(request(None, x_forwarded_for="1.1.1.1, 203.0.113.5")) == "203.0.113.5"
    assert socket.resolve(request(None)) is None
    assert socket.resolve(request("198.51.100.7")) == "198.51.100.7", "a port that is open beside the socket"
    assert socket.resolve(request("198.51.100.7", x_forwarded_for="203.0.113.5")) is None
    for wrong in ({}, {"header": "x-real-ip"}):
        with pytest.raises(ConfigurationError):
            ClientAddress.nginx(**wrong)
    with pytest.raises(ConfigurationError):
        ClientAddress.nginx("127.0.0.1", unix_socket=True)


PRESETS = {
    "peer": ClientAddress.peer(),
    "api_gateway": ClientAddress.api_gateway(),
    "alb": ClientAddress.alb("10.0.0.0/8"),
    "alb to Lambda": ClientAddress.alb(),
    "cloudfront": ClientAddress.cloudfront("10.0.0.0/8"),
    "viewer address": behind("10.0.0.0/8", header="cloudfront-viewer-address"),
    "cloudflare": ClientAddress.cloudflare("10.0.0.0/8"),
    "netlify": ClientAddress.netlify(),
    "nginx": ClientAddress.nginx("10.0.0.0/8"),
    "nginx, unix": ClientAddress.nginx(unix_socket=True),
    "fly": behind("10.0.0.0/8", header="fly-client-ip"),
    "true-client-ip": behind("10.0.0.0/8", header="true-client-ip"),
    "forwarded": behind("10.0.0.0/8", header="forwarded"),
    "three hops": ClientAddress(hops=3),
}
HEADERS = sorted(address._CLIENT_HEADERS)
VALUES = st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))
LIKELY = st.text(alphabet='0123456789abcdef.:,;[]%="for_ \t', max_size=60)
WRITTEN_OUT = st.ip_addresses().map(lambda address: address.exploded)


@pytest.mark.parametrize("name", PRESETS)
@given(
    headers=st.lists(st.tuples(st.sampled_from(HEADERS), VALUES | LIKELY), max_size=6),
    peer=st.sampled_from([None, "10.0.0.9", "198.51.100.7"]),
    socket=st.booleans(),
)
def test_any_bytes_in_any_header_raise_nothing_and_admit_nobody(name, headers, peer, socket):
    """One address is allowed, which no such text is; whatever was sent, nobody comes in."""
    asked = request(peer, headers)
    asked.peer_is_socket = socket
    found = PRESETS[name].resolve(asked)
    assert found is None or parse(found) is not None
    for line in headers:
        if "192.0.2.1" in line[1]:
            return
    decision = allow_ips("192.0.2.1", client=PRESETS[name]).decide(asked)
    assert isinstance(decision, Deny)
    assert decision.status == 403


@given(st.lists(st.tuples(st.sampled_from(HEADERS), VALUES | LIKELY), max_size=6))
def test_past_the_proxies_no_header_changes_the_address(headers):
    """RTL-01: whatever a client that is no proxy sends, it counts as itself."""
    for name, client in PRESETS.items():
        if name not in ("api_gateway", "alb to Lambda", "netlify", "nginx, unix", "three hops"):
            assert client.resolve(request("198.51.100.7", headers)) == "198.51.100.7", name


@given(
    st.text(alphabet="0123456789abcdef:.", max_size=45)
    | st.ip_addresses().map(str)
    | st.ip_addresses().map(lambda a: a.exploded)
)
def test_an_address_is_what_python_says_it_is(text):
    """`ipaddress`, with IPv4-mapped ones as IPv4, and nobody as nobody."""
    found = parse(text) if text.count(":") != 1 else None
    try:
        known = ipaddress.ip_address(text)
    except ValueError:
        assert found is None
        return
    known = getattr(known, "ipv4_mapped", None) or known
    assert (found is None) is (int(known) == 0)
    if found is not None:
        assert (found.text, found.bits, found.value) == (str(known), known.max_prefixlen, int(known))
