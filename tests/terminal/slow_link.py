"""An ssh ProxyCommand that is a slow link: `slow_link.py HOST PORT BYTES_PER_SECOND SECONDS_OF_DELAY`."""

from __future__ import annotations

import collections
import os
import select
import socket
import sys
import time


def main() -> None:
    """Carry bytes between ssh and the server: delayed both ways, towards ssh no faster than the link."""
    host, port, rate, delay = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    server = socket.socket()
    # Small, so that what the link cannot carry waits at the server, as on a real one.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
    server.connect((host, port))
    to_server: collections.deque[tuple[float, bytes]] = collections.deque()
    to_ssh: collections.deque[tuple[float, bytes]] = collections.deque()
    free_at = 0.0
    while True:
        now = time.monotonic()
        while to_server and to_server[0][0] <= now:
            server.sendall(to_server.popleft()[1])
        while to_ssh and to_ssh[0][0] <= now:
            os.write(1, to_ssh.popleft()[1])
        ready = select.select([0, *([server] if now >= free_at else [])], [], [], 0.005)[0]
        now = time.monotonic()
        if 0 in ready:
            data = os.read(0, 1 << 16)
            if not data:
                return
            to_server.append((now + delay, data))
        if server in ready:
            data = server.recv(max(256, int(rate / 100)))
            if not data:
                return
            free_at = max(now, free_at) + len(data) / rate
            to_ssh.append((now + delay, data))


if __name__ == "__main__":
    main()
