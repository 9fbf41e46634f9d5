"""A slow link, as a ProxyCommand of ssh: `python rate_proxy.py PORT BYTES-A-SECOND SECONDS-EACH-WAY`.

What comes from the server is read no faster than the link carries, so that the server feels it; both ways are delayed.
"""

from __future__ import annotations

import collections
import os
import select
import socket
import sys
import time

_STEP = 0.003


def main() -> None:
    """Carry bytes until one end closes."""
    port, rate, delay = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    server.connect(("127.0.0.1", port))
    up: collections.deque[tuple[float, bytes]] = collections.deque()
    down: collections.deque[tuple[float, bytes]] = collections.deque()
    free = 0.0
    while True:
        now = time.monotonic()
        while up and up[0][0] <= now:
            server.sendall(up.popleft()[1])
        while down and down[0][0] <= now:
            os.write(1, down.popleft()[1])
        ready = select.select([0, *([server] if now >= free else [])], [], [], _STEP)[0]
        now = time.monotonic()
        if 0 in ready:
            if not (data := os.read(0, 1 << 16)):
                return
            up.append((now + delay, data))
        if server in ready:
            if not (data := server.recv(max(256, int(rate / 100)))):
                return
            free = max(now, free) + len(data) / rate
            down.append((free + delay, data))


if __name__ == "__main__":
    main()
