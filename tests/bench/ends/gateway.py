"""The two ends of `tests/bench/gateway.py`, run inside containers: a server, and a client that measures.

    gateway.py serve CERTIFICATE             TLS on 8443, bytes without TLS on 8080
    gateway.py fetch HOST SIZE [options]     prints the seconds that SIZE bytes took, from connecting to the last
    gateway.py knock HOST SECONDS [options]  prints how many times a second a new connection was answered

Options: --tls AUTHORITY, --proxy HOST:PORT, --at ADDRESS of the host, unless its name is to be used. Nothing but the standard library of an image's Python.
"""

from __future__ import annotations

import argparse
import socket
import ssl
import threading
import time

PIECE = 1 << 20


def serve(certificate: str) -> None:
    """Answer GET /SIZE with that many bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["http/1.1"])
    threading.Thread(target=listen, args=(8080, None)).start()
    listen(8443, context)


def listen(port: int, context: ssl.SSLContext | None) -> None:
    """Serve connections, a thread each."""
    with socket.create_server(("0.0.0.0", port), backlog=512) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection, context), daemon=True).start()


def answer(connection: socket.socket, context: ssl.SSLContext | None) -> None:
    """Serve one request."""
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            size = left = int(read_head(connection).split(b" ")[1][1:])
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
            piece = bytes(PIECE)
            while left > 0:
                connection.sendall(piece[:left] if left < PIECE else piece)
                left -= PIECE
    except OSError:
        pass


def read_head(connection: socket.socket) -> bytes:
    """A head, and nothing after it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1 if head else 4096)
        if not piece:
            raise OSError("closed")
        head += piece
        if b"\r\n\r\n" in head:
            break
    return head


class Client:
    """Opens connections to the server, through a proxy or not."""

    def __init__(self, host: str, at: str, proxy: str, authority: str) -> None:
        self.host = host
        self.at = at or host
        self.proxy = proxy
        self.context = ssl.create_default_context(cafile=authority) if authority else None
        self.port = 8443 if authority else 8080
        self.buffer = bytearray(PIECE)

    def fetch(self, size: int) -> None:
        """Get `size` bytes on a new connection."""
        if self.proxy:
            host, port = self.proxy.split(":")
            connection = socket.create_connection((host, int(port)))
            connection.sendall(b"CONNECT %b:%d HTTP/1.1\r\nHost: %b:%d\r\n\r\n" % ((self.at.encode(), self.port) * 2))
            if b" 200 " not in (head := read_head(connection)):
                raise SystemExit(head.decode())
        else:
            connection = socket.create_connection((self.at, self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_hostname=self.host)
        with connection:
            connection.sendall(b"GET /%d HTTP/1.1\r\nHost: %b:%d\r\n\r\n" % (size, self.host.encode(), self.port))
            head, _, body = connection.recv(4096).partition(b"\r\n\r\n")
            left = size - len(body)
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(head.decode())
            while left > 0:
                got = connection.recv_into(self.buffer)
                if not got:
                    raise SystemExit("cut off")
                left -= got


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("serve", "fetch", "knock"))
    parser.add_argument("where")
    parser.add_argument("number", type=float, nargs="?", default=0)
    parser.add_argument("--tls", default="")
    parser.add_argument("--proxy", default="")
    parser.add_argument("--at", default="")
    options = parser.parse_args()
    if options.what == "serve":
        serve(options.where)
    client = Client(options.where, options.at, options.proxy, options.tls)
    began = time.perf_counter()
    if options.what == "fetch":
        client.fetch(int(options.number))
        print(time.perf_counter() - began)
        return
    count = 0
    while time.perf_counter() - began < options.number:
        client.fetch(0)
        count += 1
    print(count / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
