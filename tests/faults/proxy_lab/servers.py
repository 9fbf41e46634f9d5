"""The servers of one namespace, as a process: names, plain web and TLS on all of its addresses.

    python -m tests.faults.proxy_lab.servers CA_FOLDER

Prints a line when it listens. Each line on its standard input is answered with one of JSON: everything that arrived
since the last one. Connections that are open then are waited for.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import struct
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Thread

from engine.network.certificates import Authority, load_authority
from tests.faults.proxy_lab.places import HTTPS, NAMES, PLAIN_PORTS, REBINDING

_SECONDS = 5.0
_PIECE = 65536
_REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\n"


@dataclass(slots=True)
class Arrival:
    """One connection, or the look-up of a name.

    Attributes:
        address: of this side; empty for a look-up.
        size: bytes that came first; 0 when it was opened and nothing was sent.
        name: the TLS server name, or the name looked up.
        requests: method and Host fields of each request.
        more: bytes that came after the last one that was answered.
    """

    address: str = ""
    port: int = 0
    size: int = 0
    name: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    more: int = 0


class Servers:
    """Listens on every address of this namespace."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._arrivals: list[Arrival] = []
        self._threads: list[Thread] = []
        self._asked: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        families = (socket.AF_INET, socket.AF_INET6) if Path("/proc/net/if_inet6").exists() else (socket.AF_INET,)
        for family in families:
            for port in (*PLAIN_PORTS, HTTPS):
                listener = socket.create_server(("", port), family=family, backlog=64)
                listener.setblocking(False)
                self._selector.register(listener, selectors.EVENT_READ, self._accept)
        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.bind(("", 53))
        self._selector.register(names, selectors.EVENT_READ, self._answer)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until standard input ends."""
        print("ready", flush=True)
        while True:
            asked = False
            # All that is ready is taken before the question is answered: who came before it is in the answer.
            for key, _ in self._selector.select():
                if key.data is None:
                    asked = True
                else:
                    key.data(key.fileobj)
            if asked:
                if not sys.stdin.buffer.readline():
                    return
                self._tell()

    def _tell(self) -> None:
        for thread in self._threads:
            thread.join()
        print(json.dumps([asdict(arrival) for arrival in self._arrivals]), flush=True)
        self._threads.clear()
        self._arrivals.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                connection, _ = listener.accept()
                address, port = connection.getsockname()[:2]
                arrival = Arrival(address, port)
                self._arrivals.append(arrival)
                thread = Thread(target=self._serve, args=(connection, arrival), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, arrival: Arrival) -> None:
        # Whoever breaks the connection or the TLS in it has been noted as far as they came.
        with suppress(OSError), connection:
            connection.settimeout(_SECONDS)
            arrival.size = len(connection.recv(_PIECE, socket.MSG_PEEK))
            if arrival.port != HTTPS:
                _talk(connection, arrival)
            elif arrival.size:
                with self._context(arrival).wrap_socket(connection, server_side=True) as encrypted:
                    _talk(encrypted, arrival)

    def _context(self, arrival: Arrival) -> ssl.SSLContext:
        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            arrival.name = name or ""
            tls.context = self._authority.server_context(arrival.name or "unnamed.test")

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = choose
        return context

    def _answer(self, names: socket.socket) -> None:
        query, asker = names.recvfrom(4096)
        end = query.index(b"\0", 12)
        labels, place = [], 12
        while place < end:
            labels.append(query[place + 1 : place + 1 + query[place]])
            place += 1 + query[place]
        name = b".".join(labels).decode("latin-1").lower()
        kind = int.from_bytes(query[end + 1 : end + 3], "big")
        if not self._arrivals or self._arrivals[-1] != Arrival(name=name):
            self._arrivals.append(Arrival(name=name))
        found = self._addresses(name, kind)
        known = 0 if found is not None else 3
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | known, 1, len(found or ()), 0, 0)
        records = (b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(data)) + data for data in found or ())
        names.sendto(head + query[12 : end + 5] + b"".join(records), asker)

    def _addresses(self, name: str, kind: int) -> list[bytes] | None:
        """The records of this kind (1: IPv4, 28: IPv6), None when there is no such name."""
        turns = next((turns for zone, turns in REBINDING.items() if name == zone or name.endswith(f".{zone}")), None)
        if turns is not None:
            if kind != 1:
                return []
            self._asked[name] += 1
            return [socket.inet_aton(turns[(self._asked[name] - 1) % len(turns)])]
        if name not in NAMES:
            return None
        addresses = NAMES[name]
        if kind == 1:
            return [socket.inet_aton(address) for address in addresses if ":" not in address]
        return [socket.inet_pton(socket.AF_INET6, address) for address in addresses if ":" in address and kind == 28]


def _talk(connection: socket.socket, arrival: Arrival) -> None:
    """Answer each request with the address that was reached, until one says that it is the last."""
    waiting, closing = b"", False
    while not closing:
        while b"\r\n\r\n" not in waiting:
            piece = connection.recv(_PIECE)
            if not piece:
                return
            waiting += piece
        head, _, waiting = waiting.partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        hosts = (line[5:].strip() for line in fields if line.lower().startswith("host:"))
        arrival.requests.append((first.partition(" ")[0], ", ".join(hosts)))
        closing = first.endswith("/1.0") or "connection: close" in head.decode("latin-1").lower()
        text = f"REACHED {arrival.address} {first}\n".encode()
        begin = _REDIRECT if " /redirect " in first else b"HTTP/1.1 200 OK\r\n"
        connection.sendall(begin + b"Content-Length: %d\r\n\r\n%b" % (len(text), text))
    arrival.more = len(waiting)
    # The method of an SSLSocket would drop the TLS, and what comes after could not be told from its end.
    socket.socket.shutdown(connection, socket.SHUT_WR)
    while piece := connection.recv(_PIECE):
        arrival.more += len(piece)


if __name__ == "__main__":
    Servers(load_authority(Path(sys.argv[1]))).run()
