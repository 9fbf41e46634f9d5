"""The program that codex starts as its way to the container: its input and output are a socket's, no more.

Run as a file, by any Python and with nothing imported of ours: `python -I -S link.py FOLDER SOCKET`. The folder comes
apart as addresses of sockets have a limit of 107 bytes.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

_BLOCK = 1 << 16


def main(folder: str, address: str) -> None:
    """Move bytes both ways until one side has ended."""
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)

        def upwards() -> None:
            while data := os.read(0, _BLOCK):
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=upwards, daemon=True).start()
        while data := connection.recv(_BLOCK):
            view = memoryview(data)
            while view:
                view = view[os.write(1, view) :]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
    # The other thread may wait for input that never comes.
    os._exit(0)
