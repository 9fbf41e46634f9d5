"""Hands a listener on HOST:PORT to the gateway at a unix socket: relay.py SOCKET HOST PORT.

Runs inside a container, on whatever Python it has (3.5 or later). The gateway accepts on the listener itself, so no
byte passes through here; it does so for as long as this process lives. Prints nothing. Ends when the gateway does.
"""

import array
import socket
import sys

BACKLOG = 1024


def main() -> None:
    """Listen, hand the listener over, and stay."""
    path, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    gateway = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
        gateway.connect(path)
        descriptors = array.array("i", [listener.fileno()])
        gateway.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    except OSError:
        sys.exit(1)
    # Only the gateway has it now: when that ends, nobody listens.
    listener.close()
    gateway.recv(1)


if __name__ == "__main__":
    main()
