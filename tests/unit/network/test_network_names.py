"""Hosts, authorities and IP addresses: one spelling each, and which are never dialled."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.network import addresses
from engine.network.addresses import address_class, parse_interfaces, parse_local_routes, refused_class
from engine.network.hosts import canonical_host, is_address, parse_port, split_authority


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("x.org", "x.org"),
        ("X.Org.", "x.org"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("a_b.x.org", "a_b.x.org"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        ("[::ffff:192.0.2.1]", "192.0.2.1"),
    ],
)
def test_a_host_has_one_spelling(text: str, host: str) -> None:
    assert canonical_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "x..org", ".x.org", "x.org..", "-x.org", "x-.org", "x org", "x\0.org", "x.org\n", "münchen.de",
        "x.org。", "a" * 64 + ".org", "x." * 200, "x@y.org", "x/y", "x#y", "x%00y", "2130706433", "0x7f000001", "127.1",
        "0177.0.0.1", "127.0.0.01", "1.2.3.4.5", "x.0x1", "x.1", "::1", "[::1%lo]", "[::1%25lo]", "[::1", "[x.org]",
        "256.1.1.1", "1.2.3.4.",
    ],
)  # fmt: skip
def test_other_spellings_are_no_host(text: str) -> None:
    assert canonical_host(text) is None


@given(st.text(max_size=40) | st.from_regex(r"[a-z0-9.\[\]:%-]{1,40}", fullmatch=True))
def test_canonical_form_is_stable_and_plain(text: str) -> None:
    host = canonical_host(text)
    if host is not None:
        assert host.isascii()
        assert not set(host) & set(" \t\r\n\0/@#?\\%[]")
        assert canonical_host(f"[{host}]" if ":" in host else host) == host


@given(st.ip_addresses())
def test_every_ip_address_is_a_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    host = canonical_host(str(address) if address.version == 4 else f"[{address}]")
    assert host is not None
    assert is_address(host)


def test_ports_and_authorities() -> None:
    assert [parse_port(text) for text in ("1", "443", "65535")] == [1, 443, 65535]
    for text in ("", "0", "+22", "-1", "0022", "65536", "65558", "4_4", "４４３", " 80"):
        assert parse_port(text) is None
    assert split_authority("X.org:443") == ("x.org", 443)
    assert split_authority("x.org", 80) == ("x.org", 80)
    assert split_authority("[::1]:8080") == ("::1", 8080)
    assert split_authority("[::1]", 80) == ("::1", 80)
    for text in ("x.org", "x.org:", ":80", "a@x.org:80", "x.org:80:y.org:443", "x.org :80"):
        assert split_authority(text) is None


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.0.3", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("0.1.2.3", "reserved"),
        ("169.254.169.254", "metadata"),
        ("168.63.129.16", "metadata"),
        ("100.100.100.200", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("fd12::1", "private"),
        ("fec0::1", "private"),
        ("100.64.0.1", "shared (CGNAT)"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("198.18.0.1", "reserved"),
        ("4000::1", "reserved"),
        ("100::1", "reserved"),
        ("2001:10::1", "reserved"),
        ("::ffff:10.0.0.1", "private"),
        ("::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("64:ff9b::a9fe:a9fe", "metadata"),
        ("64:ff9b:1::1", "private"),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"),
        ("not an address", "not an address"),
        ("8.8.8.8", None),
        ("2606:4700::1111", None),
        ("::ffff:8.8.8.8", None),
        ("64:ff9b::808:808", None),
        ("2002:808:808::1", None),
        ("192.0.2.7", None),
        ("198.51.100.7", None),
        ("203.0.113.7", None),
        ("2001:db8::7", None),
    ],
)
def test_address_classes(address: str, kind: str | None) -> None:
    assert address_class(address) == kind


@given(st.ip_addresses())
def test_a_public_address_is_global_or_for_documentation(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address_class(str(address)) is None and getattr(address, "ipv4_mapped", None) is None:
        documentation = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
        networks = [ipaddress.ip_network(text) for text in documentation]
        embeds = address.version == 6 and (address.sixtofour or address.teredo or address in addresses._NAT64)
        assert address.is_global or embeds or any(address in network for network in networks)


def test_this_machines_own_addresses_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    own = parse_local_routes("Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 203.0.113.5\n        /32 host LOCAL\n")
    own |= parse_interfaces("20010db8000000000000000000000009 02 40 00 80     eth0\n")
    monkeypatch.setattr(addresses, "_own_networks", lambda: own)
    assert refused_class("203.0.113.5") == "this host"
    assert refused_class("::ffff:203.0.113.5") == "this host"
    assert refused_class("2001:db8::9") == "this host"
    assert refused_class("203.0.113.6") is None
    assert refused_class("127.0.0.1") == "loopback"


def test_own_addresses_are_read_from_the_kernel() -> None:
    own = addresses._own_networks()
    assert any(ipaddress.ip_address("127.0.0.1") in network for network in own)
