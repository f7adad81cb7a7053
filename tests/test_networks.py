"""`Networks`: an address is in a list exactly if Python's `ipaddress` says so of one of its networks."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authkit import ConfigurationError
from authkit._networks import REMEMBERED, prefix_of
from authkit.address import Networks, parse

V4 = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda pair: ipaddress.IPv4Network(pair, strict=False))
V6 = st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(lambda pair: ipaddress.IPv6Network(pair, strict=False))
# Close together, so that networks lie in one another and meet, and so that whole nodes fill up.
NEAR = st.tuples(st.integers(0x0A000000, 0x0A0003FF), st.integers(20, 32)).map(lambda p: ipaddress.ip_network(p, strict=False))


def edges(network):
    first, last, top = int(network[0]), int(network[-1]), 2**network.max_prefixlen
    make = type(network[0])
    return [make(value % top) for value in (first - 1, first, first + 1, (first + last) // 2, last - 1, last, last + 1)]


@given(st.lists(V4 | NEAR, max_size=40), st.lists(V6, max_size=20))
@example([ipaddress.ip_network(f"10.0.0.{n}/32") for n in range(256)], [])
@example([ipaddress.ip_network("0.0.0.0/0")], [ipaddress.ip_network("::/0")])
@example([ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("10.1.2.3/32")], [])
@example([ipaddress.ip_network("10.0.0.0/9"), ipaddress.ip_network("10.128.0.0/9"), ipaddress.ip_network("10.1.2.0/25")], [])
def test_an_address_is_in_the_list_if_it_is_in_a_network_of_it(v4, v6):
    """Every edge of every network, inside and outside, and twice, as the second answer is a remembered one."""
    known = Networks([*map(str, v4), *map(str, v6)], "networks")
    for networks in (v4, v6):
        for address in {edge for network in networks for edge in edges(network)}:
            found = parse(str(address))
            if found is None or found.bits != address.max_prefixlen:  # nobody, or an IPv4 address in IPv6
                continue
            expected = any(address in network for network in networks)
            assert (found in known, found in known) == (expected, expected), address


@given(st.lists(V4, max_size=30))
def test_ipv4_written_as_ipv6_is_the_same_network(networks):
    plain = Networks(map(str, networks), "networks")
    mapped = Networks([f"::ffff:{network[0]}/{96 + network.prefixlen}" for network in networks], "networks")
    for address in {edge for network in networks for edge in edges(network)}:
        found = parse(str(address))
        assert found is None or (found in plain) is (found in mapped)


def test_everybody_is_noticed_in_however_many_pieces():
    halves, quarters = ["0.0.0.0/1", "128.0.0.0/1"], [f"{n * 64}.0.0.0/2" for n in range(4)]
    hosts = [f"0.0.0.{n}" for n in range(256)]
    rest = [f"{ipaddress.ip_address(1 << bit)}/{32 - bit}" for bit in range(8, 32)]
    for everyone in (["0.0.0.0/0"], ["::/0"], halves, quarters, hosts + rest, ["::ffff:0:0/96"], ["::/1", "8000::/1"]):
        assert Networks(everyone, "networks").everyone, everyone
    for not_quite in ([], halves[:1], quarters[1:], hosts[1:] + rest, hosts + rest[1:], ["::/1"]):
        assert not Networks(not_quite, "networks").everyone, not_quite


@pytest.mark.parametrize(
    "text",
    ["", "10", "10.0.0", "10.0.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0 /8",
     "010.0.0.0/8", "10.0.0.00", "10.0.0.0/255.0.0.0", "10.0.0.0/8/8", "0x0a.0.0.0", "10.0.0.256", "١٠.0.0.0/8", "10.0.0.0/٨",
     "10.0.0.0/１", "10.0.0.0/1_0", "2001:db8::/129", "2001:db8::/0128", "2001:db8:::/32", "::ffff:010.0.0.1", "fe80::1%eth0",
     "fe80::%eth0/64", "[2001:db8::]/32", "10.0.0.1:80", "localhost", "*", "10.0.0.0/8,11.0.0.0/8", "10.0.0.0\\8",
     "\n10.0.0.0/8", None, 10, b"10.0.0.0/8", ("10.0.0.0", 8)],
    ids=repr,
)  # fmt: skip
def test_what_is_no_network(text):
    assert prefix_of(text) is None
    with pytest.raises(ConfigurationError, match="office") as raised:
        Networks(["192.0.2.1", text], "office")
    assert str(raised.value) == "office: every network is an address or address/prefix, like 10.0.0.0/8 or 2001:db8::/32"


@given(st.text(max_size=60) | st.from_regex(r"[0-9a-f:./%\[\]]{0,50}", fullmatch=True))
def test_any_text_is_a_network_that_python_knows_or_none(text):
    found = prefix_of(text)
    if found is not None:
        network = ipaddress.ip_network(text.strip(" \t"), strict=False)
        mapped = network.version == 6 and int(network[0]) >> 32 == 0xFFFF and network.prefixlen >= 96
        assert found[2] == network.prefixlen - (96 if mapped else 0)
        assert "%" not in text


def test_blanks_around_a_network_are_no_part_of_it():
    assert prefix_of(" 10.0.0.0/8\t") == prefix_of("10.0.0.0/8") == (32, 10 << 24, 8)


def test_bits_below_the_prefix_do_not_count():
    assert parse("10.255.0.1") in Networks(["10.1.2.3/8"], "networks")
    assert parse("2001:db8:ffff::1") in Networks(["2001:db8::1/32"], "networks")


def test_a_zone_is_no_part_of_the_match():
    assert parse("fe80::1%eth0") in Networks(["fe80::/10"], "networks")
    assert parse("fe80::1%eth0").text == "fe80::1%eth0"


@pytest.mark.parametrize("address", ["64:ff9b::10.0.0.1", "2002:a00:1::", "2001:0:a00:1::", "::10.0.0.1", "::ffff:0:10.0.0.1"])
def test_ipv4_inside_of_ipv6_is_ipv6(address):
    """IPR-05: NAT64, 6to4, Teredo, and two forms that nobody uses. Only the mapped one is the IPv4 address."""
    assert parse(address) not in Networks(["10.0.0.0/8", "0.0.0.0/0"], "networks")
    assert parse(address) in Networks([address], "networks")


def test_what_is_remembered_is_bounded():
    networks = Networks(["10.0.0.0/8"], "networks")
    for number in range(3 * REMEMBERED):
        address = parse(f"{10 + number % 2}.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        assert (address in networks) is (number % 2 == 0)
        assert len(networks._asked) <= REMEMBERED


def test_a_hundred_thousand_networks_take_no_more_steps_than_ten():
    """Counted, as a clock would tell of the machine: the levels that a match can pass."""
    few = Networks([f"10.{n}.0.0/24" for n in range(10)], "networks")
    many = Networks([f"{10 + n // 65536}.{n // 256 % 256}.{n % 256}.0/24" for n in range(100_000)], "networks")
    many6 = Networks([f"2001:{n // 65536:x}:{n % 65536:x}::/{48 + n % 17}" for n in range(100_000)], "networks")

    def longest(table):
        return max(map(len, (table[2], *table[1].values())))

    assert len(many) == 100_000
    assert longest(few._v4) == 1
    assert longest(many._v4) <= 3, "whole runs of them have become shorter prefixes"
    assert longest(many6._v6) <= 4
    assert len({id(steps) for steps in many6._v6[1].values()}) <= 16
