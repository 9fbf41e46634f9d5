"""Attacks on the gateway as raw bytes (SPEC N3, N4): whatever is sent, only the listed names are reached.

All of them run without and with inspection. The one difference is asserted: without it, a request inside TLS may name
another site behind the same address (domain fronting), and its method is not seen.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.network.policy import Policy, make_policy
from tests.network_lab import ALLOWED, WILD, client_hello, running_lab
from tests.tls_lab import closed, running_tls_lab

HTTP_INSIDE = b"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n"

# Targets of CONNECT and the one address that may be reached by each; {P} is the port of the lab's servers.
CONNECT_TARGETS: list[tuple[str, str | None]] = [
    ("allowed.test:{P}", ALLOWED),
    ("ALLOWED.Test:{P}", ALLOWED),
    ("allowed.test.:{P}", ALLOWED),
    ("www.wild.test:{P}", WILD),
    ("mixed.wild.test:{P}", WILD),
    ("evil.test:{P}", None),
    ("wild.test:{P}", None),
    ("notwild.test:{P}", None),
    ("wild.test.evil.test:{P}", None),
    ("localhost:{P}", None),
    ("loop.wild.test:{P}", None),
    ("loop6.wild.test:{P}", None),
    ("mapped.wild.test:{P}", None),
    ("nat64.wild.test:{P}", None),
    ("zero.wild.test:{P}", None),
    ("meta.wild.test:{P}", None),
    ("private.wild.test:{P}", None),
    ("shared.wild.test:{P}", None),
    ("unique.wild.test:{P}", None),
    ("127.0.0.1:{P}", None),
    ("127.0.1.10:{P}", None),
    ("127.0.1.66:{P}", None),
    ("2130706433:{P}", None),
    ("0x7f000001:{P}", None),
    ("0x7f.0.0.1:{P}", None),
    ("0177.0.0.1:{P}", None),
    ("127.1:{P}", None),
    ("0:{P}", None),
    ("127.0.0.1.:{P}", None),
    ("[::1]:{P}", None),
    ("[::ffff:127.0.0.1]:{P}", None),
    ("[::ffff:7f00:1]:{P}", None),
    ("[::1%lo]:{P}", None),
    ("[::1%25lo.wild.test]:{P}", None),
    ("::1:{P}", None),
    ("169.254.169.254:80", None),
    ("allowed.test@evil.test:{P}", None),
    ("evil.test:{P}:allowed.test:{P}", None),
    ("evil.test\0.wild.test:{P}", None),
    ("evil.test%00.wild.test:{P}", None),
    ("evil.test#.wild.test:{P}", None),
    ("evil.test/.wild.test:{P}", None),
    ("evil.test?.wild.test:{P}", None),
    ("evil.test\\.wild.test:{P}", None),
    ("evil.test\t.wild.test:{P}", None),
    ("evil.test .wild.test:{P}", None),
    ("evil.test;.wild.test:{P}", None),
    ("evil。test:{P}", None),
    ("\u0430llowed.test:{P}", None),
    ("allowed.test..:{P}", None),
    ("..wild.test:{P}", None),
    (".wild.test:{P}", None),
    ("*.wild.test:{P}", None),
    ("allowed.test", None),
    ("allowed.test:", None),
    ("allowed.test:22", None),
    ("allowed.test:+{P}", None),
    ("allowed.test:0{P}", None),
    ("allowed.test:{P}x", None),
    ("http://allowed.test:{P}", None),
]

# Whole requests that must reach nobody but the address named, and of a second request inside never anybody.
REQUESTS: list[tuple[bytes, str | None]] = [
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", ALLOWED),
    (b"CONNECT evil.test:{P} HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"CONNECT allowed.test:{P} HTTP/1.1\r\nHost: evil.test:{P}\r\n\r\n", None),
    (b"GET http://evil.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nHost: evil.test:{P}\r\n\r\n", None),
    (b"GET / HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"GET //allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"GET http://allowed.test:{P}@evil.test:{P}/ HTTP/1.1\r\nHost: evil.test:{P}\r\n\r\n", None),
    (b"GET http://allowed.test\\@evil.test:{P}/ HTTP/1.1\r\nHost: evil.test:{P}\r\n\r\n", None),
    (b"GET http://evil.test:{P}#@allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"GET ftp://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"GET https://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"GET http://allowed.test:{P}/\r\n\r\n", None),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\nHost: allowed.test:{P}\n\n", None),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nHost:\r\n allowed.test:{P}\r\n\r\n", None),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\nHost: evil.test\r\n\r\n", None),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nHost : allowed.test:{P}\r\n\r\n", None),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nX: a\rHost: evil.test\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"POST http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\nContent-Length: 0\r\n\r\n", None),
    (b"post http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\nContent-Length: 0\r\n\r\n", None),
    (b"PROPFIND http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"TRACE http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n", None),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\nContent-Length: 6\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SECOND}", None),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\nContent-Length: 70\r\n\r\n{SECOND}", None),
    (b"OPTIONS http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n"
     b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{SECOND}", None),
    (b"OPTIONS http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n"
     b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{SECOND}", None),
    (b"OPTIONS http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n"
     b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SECOND}", None),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n\r\n{SECOND}", ALLOWED),
    (b"GET http://allowed.test:{P}/ HTTP/1.1\r\nHost: allowed.test:{P}\r\n"
     b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n{SECOND}", ALLOWED),
    (b"\x16\x03\x01\x00\x05hello", None),
    (b"\x05\x01\x00", None),
]  # fmt: skip
SECOND = b"GET http://evil.test:{P}/ HTTP/1.1\r\nHost: evil.test:{P}\r\n\r\n"


def reached(answer: bytes) -> set[str]:
    """The addresses of the lab's servers that answered."""
    return {found.decode() for found in re.findall(rb"REACHED ([0-9a-f:.]+)\n", answer)}


@pytest.mark.parametrize("inside", ["http", "tls"])
async def test_connect_reaches_only_what_is_listed(tmp_path: Path, inside: str) -> None:
    async with running_lab(tmp_path) as lab:
        lab.gateway.set_policy(_policy(lab.port))
        for target, expected in CONNECT_TARGETS:
            shown = target.replace("{P}", str(lab.port))
            host = shown.partition(":")[0].rstrip(".")
            name = host if expected else "allowed.test"
            data = client_hello(name) if inside == "tls" else HTTP_INSIDE.replace(b"{host}", name.encode())
            answer = await lab.ask(f"CONNECT {shown} HTTP/1.1\r\nHost: {shown}\r\n\r\n".encode(), data)
            assert reached(answer) == ({expected} if expected else set()), (shown, answer)
        assert len(await lab.settled(len(CONNECT_TARGETS))) == len(CONNECT_TARGETS)
        assert all(record.host.isprintable() for record in lab.records)


async def test_inspected_tunnels_reach_only_what_is_listed(tmp_path: Path) -> None:
    async with running_tls_lab(tmp_path) as tls:
        tls.lab.gateway.set_policy(_policy(tls.port, inspect=True))
        for target, expected in CONNECT_TARGETS:
            shown = target.replace("{P}", str(tls.port))
            name = shown.partition(":")[0].rstrip(".").lower() if expected else "allowed.test"
            inside = f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
            tunnel = f"CONNECT {shown} HTTP/1.1\r\nHost: {shown}\r\n\r\n".encode()
            if expected is None:
                with pytest.raises(ConnectionError, match=r"HTTP/1\.1 4"):
                    await tls.open_by(tunnel, name)
                continue
            reader, writer = await tls.open_by(tunnel, name)
            writer.write(inside)
            answer = await reader.read()
            await closed(writer)
            assert reached(answer) == ({expected} if expected else set()), (shown, answer)
        assert len(await tls.lab.settled(len(CONNECT_TARGETS))) == len(CONNECT_TARGETS)


@pytest.mark.parametrize("inspect", [False, True], ids=["spliced", "inspected"])
async def test_another_site_inside_tls_is_refused_only_with_inspection(tmp_path: Path, inspect: bool) -> None:
    requests = {
        "fronting": b"GET / HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n",
        "method": b"POST / HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    }
    async with running_tls_lab(tmp_path) as tls:
        tls.lab.gateway.set_policy(_policy(tls.port, inspect=inspect))
        if not inspect:
            tls.trust = tls.server_trust
        leaks = {name for name, request in requests.items() if reached(await tls.ask("allowed.test", request))}
        assert leaks == (set() if inspect else {"fronting", "method"})
        for name in ("evil.test", "www.wild.test"):
            with pytest.raises(OSError, match=r"(?i)access denied|eof|reset"):
                await tls.open("allowed.test", name)


@pytest.mark.parametrize("inspect", [False, True], ids=["spliced", "inspected"])
async def test_whole_requests_reach_only_what_is_listed(tmp_path: Path, inspect: bool) -> None:
    async with running_tls_lab(tmp_path) as tls:
        lab = tls.lab
        lab.gateway.set_policy(_policy(lab.port, inspect=inspect))
        for raw, expected in REQUESTS:
            request = raw.replace(b"{SECOND}", SECOND).replace(b"{P}", str(lab.port).encode())
            answer = await lab.ask(request, HTTP_INSIDE if raw.startswith(b"CONNECT") else None)
            assert reached(answer) == ({expected} if expected else set()), (request, answer)
            assert b"GET http://evil" not in answer, request


async def test_a_name_that_changes_its_address_is_judged_again_each_time(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        lab.gateway.set_policy(_policy(lab.port))
        outcomes = []
        for number in range(6):
            host = f"n{number}.rebind.wild.test"
            inside = HTTP_INSIDE.replace(b"{host}", host.encode())
            target = f"{host}:{lab.port}"
            outcomes.append(
                reached(await lab.ask(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode(), inside))
            )
        assert outcomes == [{WILD}, set()] * 3
        assert "loopback" in (await lab.settled(6))[1].reason


async def test_full_internet_is_the_public_one(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        lab.gateway.set_policy(make_policy("full"))
        kinds = {
            "loop.wild.test": "loopback",
            "127.0.0.1": "loopback",
            "[::1]": "loopback",
            "[::ffff:127.0.0.1]": "loopback",
            "localhost": "loopback",
            "nat64.wild.test": "loopback",
            "meta.wild.test": "metadata",
            "169.254.169.254": "metadata",
            "private.wild.test": "private",
            "10.9.9.9": "private",
            "unique.wild.test": "private",
            "shared.wild.test": "shared (CGNAT)",
            "zero.wild.test": "unspecified",
        }
        for host, kind in kinds.items():
            for request in (
                f"CONNECT {host}:{lab.port} HTTP/1.1\r\nHost: {host}:{lab.port}\r\n\r\n",
                f"GET http://{host}:{lab.port}/ HTTP/1.1\r\nHost: {host}:{lab.port}\r\n\r\n",
            ):
                answer = await lab.ask(request.encode(), b"x" if request.startswith("CONNECT") else None)
                assert answer.startswith(b"HTTP/1.1 403")
                assert f"({kind})".encode() in answer
                assert b"blocked-by-policy" in answer
        assert {record.decision for record in await lab.settled(2 * len(kinds))} == {"denied"}


def _policy(port: int, *, inspect: bool = False) -> Policy:
    allow = [f"=allowed.test:{port}", f"*.wild.test:{port}"]
    return make_policy("limited", allow=allow, methods=["GET", "HEAD", "OPTIONS"], inspect=inspect)
