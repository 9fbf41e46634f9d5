"""Carries connections from HOST:PORT to a unix socket: relay.py SOCKET HOST PORT.

Runs inside a container, on whatever Python it has (3.5 or later), as one process without children: nothing of it is
left when it is killed. Prints nothing. Ends on SIGTERM, and when its parent is gone.
"""

import contextlib
import os
import resource
import selectors
import signal
import socket
import sys

CHUNK = 256 * 1024
# A unix socket's own default is less than a chunk, and every refused byte costs a turn of the loop.
SEND_BUFFER = 1024 * 1024
PARENT_CHECK_SECONDS = 1.0
MAX_PAIRS = 1000

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Flow:
    """One direction of a connection: what was read from `source` and waits until `target` takes it."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source = source
        self.target = target
        self.waiting = memoryview(b"")
        self.ended = False
        self.done = False

    def read(self, buffer: bytearray) -> None:
        """Read once and send at once; what does not fit waits."""
        try:
            size = self.source.recv_into(buffer)
        except BlockingIOError:
            return
        if size == 0:
            self.ended = True
            self._finish()
        else:
            self._send(memoryview(buffer)[:size])
            if self.waiting:
                self.waiting = memoryview(bytes(self.waiting))

    def write(self) -> None:
        """Send more of what waits."""
        self._send(self.waiting)
        if self.ended:
            self._finish()

    def _send(self, data: memoryview) -> None:
        try:
            self.waiting = data[self.target.send(data) :]
        except BlockingIOError:
            self.waiting = data

    def _finish(self) -> None:
        if not self.waiting and not self.done:
            self.done = True
            self.target.shutdown(socket.SHUT_WR)


class Relay:
    """Accepts connections and moves their bytes, all in one loop."""

    def __init__(self, path: str, listener: socket.socket, max_pairs: int) -> None:
        self.path = path
        self.listener = listener
        self.max_pairs = max_pairs
        self.pairs = 0
        self.buffer = bytearray(CHUNK)
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, READ, None)

    def run(self, parent: int) -> None:
        """Serve until the process `parent` is gone."""
        while os.getppid() == parent:
            for key, events in self.selector.select(PARENT_CHECK_SECONDS):
                if key.data is None:
                    self.accept()
                else:
                    self.move(key.data, events)

    def accept(self) -> None:
        """Take one connection and open its counterpart; beyond the limit the others wait in the backlog."""
        try:
            client = self.listener.accept()[0]
        except OSError:
            return
        gateway = None
        try:
            gateway = connect(self.path)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            client.close()
            if gateway is not None:
                gateway.close()
            return
        client.setblocking(False)
        up, down = Flow(client, gateway), Flow(gateway, client)
        self.selector.register(client, READ, (up, down))
        self.selector.register(gateway, READ, (down, up))
        self.pairs += 1
        if self.pairs >= self.max_pairs:
            self.selector.unregister(self.listener)

    def move(self, flows: "tuple[Flow, Flow]", events: int) -> None:
        """Serve one socket that is ready: `flows` are the one it feeds and the one it is fed by."""
        feeds, fed = flows
        if feeds.source.fileno() < 0:
            return
        try:
            if events & READ and not feeds.waiting and not feeds.ended:
                feeds.read(self.buffer)
            if events & WRITE and fed.waiting:
                fed.write()
        except OSError:
            self.close(feeds)
            return
        if feeds.done and fed.done:
            self.close(feeds)
        else:
            self.watch(feeds, fed)
            self.watch(fed, feeds)

    def watch(self, feeds: Flow, fed: Flow) -> None:
        """Watch the source of `feeds` for exactly what can go on."""
        events = (0 if feeds.waiting or feeds.ended else READ) | (WRITE if fed.waiting else 0)
        registered = self.selector.get_map().get(feeds.source)
        if registered is None:
            if events:
                self.selector.register(feeds.source, events, (feeds, fed))
        elif not events:
            self.selector.unregister(feeds.source)
        elif registered.events != events:
            self.selector.modify(feeds.source, events, (feeds, fed))

    def close(self, flow: Flow) -> None:
        """Close both sockets of a connection."""
        for end in (flow.source, flow.target):
            if end in self.selector.get_map():
                self.selector.unregister(end)
            end.close()
        if self.pairs == self.max_pairs:
            self.selector.register(self.listener, READ, None)
        self.pairs -= 1


def connect(path: str) -> socket.socket:
    """A connection to the gateway, without waiting: a full backlog is an error, or one would hold up all others."""
    gateway = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    gateway.setblocking(False)
    gateway.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        gateway.connect(path)
    except OSError:
        gateway.close()
        raise
    return gateway


def max_pairs() -> int:
    """The connections that fit the limit of open files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_PAIRS if files == resource.RLIM_INFINITY else max(1, min(MAX_PAIRS, (files - 16) // 2))


def main() -> None:
    """Listen, tell the gateway by one empty connection, and serve."""
    parent = os.getppid()
    path, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # As the first process of a container it would otherwise not even notice SIGTERM.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os._exit(0))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(MAX_PAIRS)
    except OSError:
        sys.exit(1)
    listener.setblocking(False)
    with contextlib.suppress(OSError):
        connect(path).close()
    Relay(path, listener, max_pairs()).run(parent)


if __name__ == "__main__":
    main()
