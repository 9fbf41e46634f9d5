"""Addresses and names of the lab. Nothing here exists outside its namespaces.

The gateway's namespace holds loopback and `OWN`, all other addresses are in the servers'. Every address listens, so that
whoever is reached can say so.
"""

from __future__ import annotations

ALLOWED, WILD, EVIL = "198.51.100.10", "198.51.100.11", "198.51.100.66"
METADATA, CLOUD_METADATA, PRIVATE, SHARED = "169.254.169.254", "100.100.100.200", "10.9.9.9", "100.64.0.9"
EVIL6, METADATA6, UNIQUE_LOCAL, NAT64 = "2001:db8::66", "fd00:ec2::254", "fd00::9", "64:ff9b::7f00:1"
NAME_SERVER, OWN = "192.0.2.2", "192.0.2.1"
NAME_SERVER6, OWN6 = "2001:db8:1::2", "2001:db8:1::1"
LOOPBACK, LOOPBACK6 = "127.0.0.1", "::1"

SERVED = (ALLOWED, WILD, EVIL, METADATA, CLOUD_METADATA, PRIVATE, SHARED)
SERVED6 = (EVIL6, METADATA6, UNIQUE_LOCAL, NAT64)
HERE = (LOOPBACK, "127.0.1.10", "127.0.1.66", OWN)
HERE6 = (LOOPBACK6,)

HTTP, HTTPS = 80, 443
PLAIN_PORTS = (HTTP, 22, 8080)

ALLOWED_NAMES = ("allowed.test",)
ALLOWED_DOMAIN = ".wild.test"
METHODS = ("GET", "HEAD", "OPTIONS")

NAMES: dict[str, tuple[str, ...]] = {
    "allowed.test": (ALLOWED,),
    "www.wild.test": (WILD,),
    "mixed.wild.test": (LOOPBACK, WILD),
    "evil.test": (EVIL,),
    "wild.test": (EVIL,),
    "notwild.test": (EVIL,),
    "wild.test.evil.test": (EVIL,),
    "loop.wild.test": (LOOPBACK,),
    "loop6.wild.test": (LOOPBACK6,),
    "mapped.wild.test": ("::ffff:127.0.0.1",),
    "nat64.wild.test": (NAT64,),
    "zero.wild.test": ("0.0.0.0",),
    "own.wild.test": (OWN,),
    "meta.wild.test": (METADATA,),
    "meta6.wild.test": (METADATA6,),
    "cloud.wild.test": (CLOUD_METADATA,),
    "shared.wild.test": (SHARED,),
    "private.wild.test": (PRIVATE,),
    "unique.wild.test": (UNIQUE_LOCAL,),
}
REBINDING = {"rebind.wild.test": (WILD, LOOPBACK), "back.wild.test": (LOOPBACK, WILD)}
"""Names, and all below them, whose answer is another one each time."""


def permitted(name: str) -> bool:
    """Whether the policy of the lab lists this name."""
    return name in ALLOWED_NAMES or name.endswith(ALLOWED_DOMAIN)
