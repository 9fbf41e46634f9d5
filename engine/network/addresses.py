"""Which IP addresses are never dialled: everything that is not the public internet (SPEC N1)."""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

from engine.errors import NetworkError

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

# First match counts, so single addresses stand before the ranges that hold them. The ranges reserved for documentation
# are absent on purpose: nothing of a host lives there, and some sites map their package registries into them.
_IPV4_CLASSES = tuple(
    (IPv4Network(network), name)
    for network, name in (
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("168.63.129.16", "metadata"),
        ("100.100.100.200", "metadata"),
        ("192.0.0.192", "metadata"),
        ("0.0.0.0", "unspecified"),
        ("0.0.0.0/8", "reserved"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("100.64.0.0/10", "shared (CGNAT)"),
        ("192.0.0.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("198.18.0.0/15", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_IPV6_CLASSES = tuple(
    (IPv6Network(network), name)
    for network, name in (
        ("fd00:ec2::254", "metadata"),
        ("fd20:ce::254", "metadata"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("fc00::/7", "private"),
        ("64:ff9b:1::/48", "private"),
        ("ff00::/8", "multicast"),
    )
)
_PUBLIC_IPV6 = IPv6Network("2000::/3")
_IETF_ASSIGNMENTS = IPv6Network("2001::/23")
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")

_OWN_SECONDS = 5.0
_IPV4_ROUTES = Path("/proc/net/fib_trie")
_IPV6_ADDRESSES = Path("/proc/net/if_inet6")


def address_class(address: str) -> str | None:
    """The kind of non-public address this is ("loopback", "private", "metadata", …), None for a public one.

    IPv4 addresses inside IPv6 ones (mapped, compatible, 6to4, NAT64, Teredo) are judged as themselves.
    Text that is no IP address is "not an address".
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return "not an address"
    return _class_of(parsed)


def refused_class(address: str) -> str | None:
    """Like `address_class`, and "this host" for every address this machine itself has, public or not.

    Raises:
        NetworkError: the machine's own addresses cannot be read.
    """
    named = address_class(address)
    if named is not None:
        return named
    parsed = ip_address(address)
    own = _own_networks()
    mine = any(candidate in network for candidate in (parsed, *_embedded(parsed)) for network in own)
    return "this host" if mine else None


def _class_of(address: _Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((name for network, name in _IPV4_CLASSES if address in network), None)
    if embedded := _embedded(address):
        return next((name for inner in embedded if (name := _class_of(inner)) is not None), None)
    if address not in _PUBLIC_IPV6:
        return next((name for network, name in _IPV6_CLASSES if address in network), "reserved")
    return "reserved" if address in _IETF_ASSIGNMENTS else None


def _embedded(address: _Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that packets to this IPv6 address may end at."""
    if isinstance(address, IPv4Address):
        return ()
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1):
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


_own: tuple[float, frozenset[_Network]] = (float("-inf"), frozenset())


def _own_networks() -> frozenset[_Network]:
    """The addresses and local ranges of this machine, read again after a few seconds: interfaces come and go."""
    global _own
    if time.monotonic() - _own[0] > _OWN_SECONDS:
        try:
            routes = _IPV4_ROUTES.read_text()
        except OSError as fault:
            raise NetworkError(
                f"cannot read this machine's addresses from {_IPV4_ROUTES}: {fault.strerror}",
                "the gateway must know them, to refuse them; run fumehood where /proc is mounted",
            ) from None
        # The file is absent on a machine without IPv6.
        interfaces = _IPV6_ADDRESSES.read_text() if _IPV6_ADDRESSES.exists() else ""
        _own = (time.monotonic(), parse_local_routes(routes) | parse_interfaces(interfaces))
    return _own[1]


def parse_local_routes(fib_trie: str) -> frozenset[_Network]:
    """The networks `/proc/net/fib_trie` marks as local to this machine."""
    found: set[_Network] = set()
    address = ""
    for line in fib_trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            address = words[1]
        elif words[1:] == ["host", "LOCAL"]:
            found.add(IPv4Network(address + words[0]))
    return frozenset(found)


def parse_interfaces(if_inet6: str) -> frozenset[_Network]:
    """The addresses listed in `/proc/net/if_inet6`, each as a network of one."""
    return frozenset(IPv6Network(int(line.split()[0], 16)) for line in if_inet6.splitlines() if line.strip())
