"""Writing never waits, whatever the terminal does."""

from __future__ import annotations

import os
import time

from tui.output.writer import Writer


def test_all_is_written_in_order() -> None:
    readable, writable = os.pipe()
    writer = Writer(writable, str.upper)
    writer.start()
    for number in range(1000):
        writer.write(f"é{number},")
    found = b""
    wanted = "".join(f"É{number}," for number in range(1000)).encode()
    while len(found) < len(wanted):
        found += os.read(readable, 1 << 16)
    assert found == wanted
    writer.drain(5)
    assert writer.backlog == 0
    os.close(readable)
    os.close(writable)


def test_a_terminal_that_takes_nothing_is_not_waited_for() -> None:
    readable, writable = os.pipe()
    writer = Writer(writable, str)
    writer.start()
    writer.write("x" * 1_000_000)
    writer.write("y")
    assert writer.backlog > 900_000 - (1 << 17)
    began = time.monotonic()
    writer.drain(0.1)
    assert time.monotonic() - began < 30
    assert not writer.gone
    os.close(readable)


def test_what_a_terminal_that_is_gone_does_not_take_is_dropped() -> None:
    readable, writable = os.pipe()
    os.close(readable)
    writer = Writer(writable, str)
    writer.start()
    writer.write("x" * 100)
    writer.drain(10)
    writer.join(10)
    assert writer.gone
    writer.write("y")
    assert writer.backlog == 0
    os.close(writable)
